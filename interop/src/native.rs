//! Peers that are processes, and the `weft` command among them.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde::Deserialize as _;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::failure::{Doing, Failure, Outcome};
use crate::peer::{Direction, Incoming, Link, Peer, Transcript, at};

/// Lines that may wait between a peer and whoever reads them.
const LINES: usize = 4096;
/// How long a process may take to say that it is ready.
const START: Duration = Duration::from_secs(30);

/// A process that speaks the peer protocol on its standard input and output. It is killed when this is dropped.
#[derive(Debug)]
pub struct Process {
    child: Child,
    name: String,
}

impl Process {
    /// Starts a program and waits until its peer is ready.
    pub async fn peer<S: AsRef<OsStr>>(
        program: &Path,
        arguments: &[S],
        name: &str,
        transcript: Transcript,
    ) -> Outcome<(Self, Peer)> {
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .doing(format_args!("{} does not start", program.display()))?;
        let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(stdin), Some(stdout), Some(stderr)) = pipes else {
            return Err(Failure::new(format!("{name} has no pipes")));
        };
        log_lines(stderr, transcript.clone());
        let process = Self { child, name: name.to_owned() };
        let peer = Peer::new(name, link(stdout, stdin, "it closed its standard output"), transcript, START).await?;
        Ok((process, peer))
    }

    pub(crate) fn new(child: Child, name: &str) -> Self {
        Self { child, name: name.to_owned() }
    }

    /// Waits for the process to end, which it must do with success.
    pub async fn finish(mut self, limit: Duration) -> Outcome {
        let status = timeout(limit, self.child.wait()).await.map_err(|_| {
            Failure::new(format!("the process {} still runs {} s after bye", self.name, limit.as_secs()))
        })??;
        if status.success() {
            Ok(())
        } else {
            Err(Failure::new(format!("the process {} ended with {status}", self.name)))
        }
    }

    /// UDP sockets it holds; none where the system does not tell.
    pub async fn udp_sockets(&self) -> Option<usize> {
        udp_sockets(self.child.id()?).await
    }
}

/// A program that serves a web page. It is killed when this is dropped.
#[derive(Debug)]
pub struct Server {
    child: Child,
    address: String,
}

impl Server {
    /// Starts a program and waits until it names its address on standard output or standard error.
    pub async fn start(program: &Path, arguments: &[&str], transcript: Transcript) -> Outcome<Self> {
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .doing(format_args!("{} does not start", program.display()))?;
        let (found, mut addresses) = mpsc::channel(1);
        if let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) {
            find_address(stdout, transcript.clone(), found.clone());
            find_address(stderr, transcript, found);
        }
        let address = timeout(START, addresses.recv())
            .await
            .map_err(|_| Failure::new(format!("the server named no address within {} s", START.as_secs())))?
            .ok_or_else(|| Failure::new("the server ended and named no address"))?;
        Ok(Self { child, address })
    }

    /// Where its page is.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// UDP sockets it holds; none where the system does not tell.
    pub async fn udp_sockets(&self) -> Option<usize> {
        udp_sockets(self.child.id()?).await
    }

    /// Interrupts it, as Ctrl-C does; it must end then.
    pub async fn interrupt(mut self, limit: Duration) -> Outcome {
        if let Some(process) = self.child.id().and_then(|id| Pid::from_raw(id.cast_signed())) {
            kill_process(process, Signal::INT).doing("the server cannot be interrupted")?;
        }
        timeout(limit, self.child.wait())
            .await
            .map_err(|_| Failure::new(format!("the server still runs {} s after an interrupt", limit.as_secs())))??;
        Ok(())
    }
}

fn find_address(from: impl AsyncRead + Send + Unpin + 'static, transcript: Transcript, found: mpsc::Sender<String>) {
    tokio::spawn(async move {
        let mut lines = BufReader::new(from).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            transcript.add(Direction::Log, &line);
            if let Some(address) = line.split_whitespace().find(|word| word.starts_with("http://")) {
                // Only the first is waited for.
                let _ = found.try_send(address.to_owned());
            }
        }
    });
}

/// Lines from and to a peer. `end` is what is told when no more come.
pub(crate) fn link(
    from: impl AsyncRead + Send + Unpin + 'static,
    mut to: impl AsyncWrite + Send + Unpin + 'static,
    end: &'static str,
) -> Link {
    let (commands, mut to_write) = mpsc::channel::<String>(LINES);
    let (read, incoming) = mpsc::channel(LINES);
    tokio::spawn(async move {
        while let Some(mut line) = to_write.recv().await {
            line.push('\n');
            if to.write_all(line.as_bytes()).await.is_err() {
                return;
            }
        }
    });
    tokio::spawn(async move {
        let mut lines = BufReader::new(from).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            if read.send(Incoming::Line(line)).await.is_err() {
                return;
            }
        }
        // Nobody may be listening any more: then nobody needs to know.
        let _ = read.send(Incoming::End(end.to_owned())).await;
    });
    Link { commands, incoming }
}

/// Copies what a process logs into a transcript.
pub fn log_lines(from: impl AsyncRead + Send + Unpin + 'static, transcript: Transcript) {
    tokio::spawn(async move {
        let mut lines = BufReader::new(from).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            transcript.add(Direction::Log, &line);
        }
    });
}

/// UDP sockets a process holds, from `/proc`; none where there is no such thing.
pub async fn udp_sockets(process: u32) -> Option<usize> {
    let mut inodes = Vec::new();
    for table in ["udp", "udp6"] {
        let table = tokio::fs::read_to_string(format!("/proc/{process}/net/{table}")).await.unwrap_or_default();
        inodes.extend(table.lines().skip(1).filter_map(|line| line.split_whitespace().nth(9)).map(str::to_owned));
    }
    let mut held = 0;
    let mut open = tokio::fs::read_dir(format!("/proc/{process}/fd")).await.ok()?;
    while let Ok(Some(entry)) = open.next_entry().await {
        let Ok(target) = tokio::fs::read_link(entry.path()).await else { continue };
        let inode = target.to_str().and_then(|name| name.strip_prefix("socket:[")?.strip_suffix(']'));
        held += usize::from(inode.is_some_and(|inode| inodes.iter().any(|udp| udp == inode)));
    }
    Some(held)
}

/// Builds the `weft` command and tells where it is. Cargo's own progress goes to standard error.
pub async fn build_weft(workspace: &Path) -> Outcome<PathBuf> {
    build(workspace, &["--package", "weft-cli"], "weft").await
}

/// Builds a program with `cargo build --release` and tells where it is. Cargo's own progress goes to standard error.
pub async fn build(workspace: &Path, arguments: &[&str], binary: &str) -> Outcome<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["build", "--release", "--message-format=json-render-diagnostics"])
        .args(arguments)
        .current_dir(workspace)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .kill_on_drop(true)
        .output()
        .await
        .doing("cargo does not start")?;
    if !output.status.success() {
        return Err(Failure::new(format!("`cargo build --release {}` failed", arguments.join(" "))));
    }
    serde_json::Deserializer::from_slice(&output.stdout)
        .into_iter::<Value>()
        .filter_map(Result::ok)
        .filter(|line| at(line, "/target/name") == binary)
        .find_map(|line| PathBuf::deserialize(at(&line, "/executable")).ok())
        .ok_or_else(|| Failure::new(format!("cargo built no executable named {binary}")))
}
