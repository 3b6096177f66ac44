//! Containers, through the `docker` command: peers speak on standard input and output, which it carries as they are.

use std::path::{Path, PathBuf};
use std::process::{Command as Blocking, Stdio};
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use tokio::time::timeout;

use crate::failure::{Doing as _, Failure, Outcome};
use crate::native::{Process, log_lines};
use crate::peer::{Peer, Transcript};

/// How long a container may take until what its peers need runs.
const UP: Duration = Duration::from_secs(60);
/// Every container and network of this suite has this label; its value is the process that made it.
const LABEL: &str = "weft-interop";
/// The label of an image: what it was built from.
const SOURCES: &str = "weft-interop-sources";

/// In one line, what is missing to run containers.
pub fn check() -> Outcome {
    let answer =
        Blocking::new("docker").args(["version", "--format", "{{.Server.Version}}"]).stdin(Stdio::null()).output();
    match answer {
        Err(_) => Err(Failure::new("docker is not installed (Debian: apt-get install docker.io iptables)")),
        Ok(answer) if !answer.status.success() => Err(Failure::new(
            "the Docker engine does not answer: start it (`sudo systemctl start docker`), or let \
             `sudo interop/images/start-docker.sh` do it; the user must be root or of the group docker",
        )),
        Ok(_) => Ok(()),
    }
}

async fn docker(arguments: &[&str]) -> Outcome<String> {
    let output = Command::new("docker")
        .args(arguments)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .doing("docker does not start")?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(Failure::new(format!("docker {}: {}", arguments.first().unwrap_or(&""), said.trim())))
}

/// Runs the script that makes the base image, unless it is there.
pub async fn base(images: &Path) -> Outcome {
    if docker(&["image", "inspect", "debian:bookworm-slim"]).await.is_ok() {
        return Ok(());
    }
    let status = Command::new(images.join("base.sh")).stdin(Stdio::null()).kill_on_drop(true).status().await;
    if status.doing("base.sh")?.success() { Ok(()) } else { Err(Failure::new("the base image cannot be made")) }
}

/// What the image of a stack is to be built from, unless the present one was built from the same. `images` is the folder with
/// all of them; `also` are the files the image takes besides its own and the shared ones.
pub async fn stale(images: &Path, stack: &str, also: &[PathBuf]) -> Outcome<Option<String>> {
    let sources = sources(images, stack, also).doing(format_args!("the files of the image {stack}"))?;
    let label = format!("{{{{index .Config.Labels {SOURCES:?}}}}}");
    let present = docker(&["image", "inspect", "--format", &label, &tag(stack)]).await;
    Ok(present.map_or(true, |present| present != sources).then_some(sources))
}

/// Builds the image of a stack from what [`stale`] found.
pub async fn build(images: &Path, stack: &str, sources: &str) -> Outcome {
    let tag = tag(stack);
    let dockerfile = images.join(stack).join("Dockerfile");
    let output = Command::new("docker")
        .args(["build", "--force-rm", "--tag", &tag, "--label", &format!("{SOURCES}={sources}"), "--file"])
        .arg(dockerfile)
        .arg(images)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .doing("docker build")?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    let lines: Vec<&str> = said.lines().collect();
    let end = lines.get(lines.len().saturating_sub(30)..).unwrap_or_default().join("\n");
    Err(Failure::new(format!("the image of {stack} cannot be built:\n{end}")))
}

fn tag(stack: &str) -> String {
    format!("weft-interop-{stack}:local")
}

/// A hash of everything that an image is made of.
fn sources(images: &Path, stack: &str, also: &[PathBuf]) -> std::io::Result<String> {
    let mut files = also.to_vec();
    let mut folders = vec![images.join(stack), images.join("shared")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            match path.is_dir() {
                true if path.file_name().is_some_and(|name| name == "target") => {}
                true => folders.push(path),
                false => files.push(path),
            }
        }
    }
    files.sort();
    let mut hash = Sha256::new();
    for file in files {
        hash.update(file.strip_prefix(images).unwrap_or(&file).as_os_str().as_encoded_bytes());
        hash.update(std::fs::read(&file)?);
    }
    Ok(hash.finalize().iter().take(12).fold(String::new(), |hex, byte| format!("{hex}{byte:02x}")))
}

/// A network of this run's own: a bridge on this machine.
#[derive(Debug)]
pub struct Network {
    /// Its name.
    pub name: String,
    /// The bridge's interface on this machine.
    pub bridge: String,
    /// This machine's address on it.
    pub gateway: std::net::Ipv4Addr,
}

impl Network {
    /// Makes one. `number` tells those of one run apart.
    pub async fn create(number: usize) -> Outcome<Self> {
        let process = std::process::id();
        let (name, bridge) = (format!("weft-interop-{process}-{number}"), format!("wi{process}-{number}"));
        let option = format!("com.docker.network.bridge.name={bridge}");
        let label = format!("{LABEL}={process}");
        // Nothing leads outside, and nothing is translated: what one allocation of a TURN server on the gateway sends to another
        // would get an address that has no permission.
        let plain = "com.docker.network.bridge.enable_ip_masquerade=false";
        docker(&["network", "create", "--label", &label, "--opt", &option, "--opt", plain, &name]).await?;
        let format = "{{(index .IPAM.Config 0).Gateway}}";
        let gateway = docker(&["network", "inspect", "--format", format, &name]).await?;
        let gateway = gateway.parse().doing(format_args!("the network's gateway {gateway:?}"))?;
        Ok(Self { name, bridge, gateway })
    }
}

/// A running container, in which peers are started. It ends when this is dropped: its main program reads until the end of
/// its input, so it does so even if this process is killed.
#[derive(Debug)]
pub struct Container {
    name: String,
    child: Child,
    _input: Option<ChildStdin>,
}

impl Container {
    /// Starts one of a stack's image, and waits until it says `up`.
    pub async fn start(
        stack: &str,
        name: &str,
        network: &Network,
        environment: &[(String, String)],
        transcript: &Transcript,
    ) -> Outcome<Self> {
        let process = std::process::id();
        let name = format!("weft-interop-{process}-{name}");
        let mut command = Command::new("docker");
        command
            .args(["run", "--interactive", "--rm", "--name", &name, "--hostname", stack, "--network", &network.name])
            .args(["--label", &format!("{LABEL}={process}"), "--shm-size", "512m"])
            .args(["--add-host", &format!("{}:{}", weft_netlab::coturn::NAME, network.gateway)]);
        for (key, value) in environment {
            command.arg("--env").arg(format!("{key}={value}"));
        }
        let mut child = command
            .arg(tag(stack))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .doing("docker does not start")?;
        let input = child.stdin.take();
        let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) else {
            return Err(Failure::new("docker run has no pipes"));
        };
        log_lines(stderr, transcript.clone());
        let mut lines = BufReader::new(stdout).lines();
        let up = timeout(UP, async {
            while let Some(line) = lines.next_line().await? {
                if line == "up" {
                    return Ok(());
                }
            }
            Err(Failure::new(format!("the container ended before it was up:\n{}", transcript.last(10, 400))))
        });
        up.await.doing(format_args!("a container of {stack} was not up within {} s", UP.as_secs()))??;
        // Read on, or it blocks on a full pipe.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Ok(Self { name, child, _input: input })
    }

    /// Starts a peer in it and waits until it is ready.
    pub async fn peer(&self, name: &str, transcript: Transcript) -> Outcome<(Process, Peer)> {
        let arguments = ["exec", "--interactive", &self.name, "peer"];
        Process::peer(Path::new("docker"), &arguments, name, transcript).await
    }

    /// Ends everything in it at once, without a word to anybody.
    pub async fn kill(mut self) {
        let _ = docker(&["kill", &self.name]).await;
        let _ = self.child.wait().await;
    }
}

/// Removes what this process made, or, of `dead` runs, what processes made that are no more.
pub fn sweep(dead: bool) {
    let docker = |arguments: &[&str]| {
        let output = Blocking::new("docker").args(arguments).stdin(Stdio::null()).stderr(Stdio::null()).output();
        output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default()
    };
    let ours = |process: &str| {
        let alive = || Path::new("/proc").join(process).exists();
        if dead { !process.is_empty() && !alive() } else { process == std::process::id().to_string() }
    };
    let format = format!("{{{{.ID}}}} {{{{.Label {LABEL:?}}}}}");
    let filter = format!("label={LABEL}");
    for (list, remove) in [
        (["ps", "--all", "--filter", &filter, "--format", &format].as_slice(), ["rm", "--force"]),
        (["network", "ls", "--filter", &filter, "--format", &format].as_slice(), ["network", "rm"]),
    ] {
        for line in docker(list).lines() {
            if let Some((id, _)) = line.split_once(' ').filter(|(_, process)| ours(process.trim())) {
                docker(&[remove[0], remove[1], id]);
            }
        }
    }
}
