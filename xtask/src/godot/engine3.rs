//! The suite of Godot 3: in one engine, in two that talk over UDP, and in one that leaves with everything open.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::Suite;
use crate::{Result, root};

const ENGINE: &str = "godot3-server";

/// How long one run of the engine may take.
const LIMIT: Duration = Duration::from_secs(180);

pub(super) fn run(library: &Path, only: Option<&str>) -> Result<Suite> {
    let version = Command::new(ENGINE).arg("--version").output().map_err(|_| {
        format!("{ENGINE} is missing: `apt-get install godot3-server` installs it (Godot 3.2.3 in Debian 12)")
    })?;
    let version = String::from_utf8_lossy(&version.stdout).trim().to_owned();
    let project = project(library)?;
    let mut suite = Suite { engine: format!("Godot {version}"), passed: 0, failed: 0 };

    let one = start(&project, only.map(|name| format!("--only={name}")).as_deref())?;
    let output = finish(one)?;
    print!("{}", output.text);
    let counted = output.text.lines().rev().find_map(counts);
    let (passed, failed) = counted.ok_or("the suite came to no end")?;
    suite.passed += passed;
    suite.failed += failed.max(usize::from(!output.ok));
    if only.is_some() {
        return Ok(suite);
    }

    let port = free_port()?;
    let listener = start(&project, Some(&format!("--process=listen:{port}")))?;
    let connector = start(&project, Some(&format!("--process=connect:{port}")))?;
    for (name, child) in [("listens", listener), ("connects", connector)] {
        suite.count(&format!("two processes over UDP: the one that {name}"), &finish(child)?);
    }
    suite.count("leaving with everything open", &finish(start(&project, Some("--process=exit"))?)?);
    Ok(suite)
}

impl Suite {
    fn count(&mut self, name: &str, output: &Output) {
        // An engine that crashes at its end has printed everything before.
        if output.ok && output.text.contains("process: ") {
            self.passed += 1;
            println!("ok      {name}");
        } else {
            self.failed += 1;
            println!("FAILED  {name}\n{}", output.text);
        }
    }
}

/// The project of the suite with the library in it.
fn project(library: &Path) -> Result<PathBuf> {
    let to = root().join("target/godot/suite3");
    if to.exists() {
        fs::remove_dir_all(&to)?;
    }
    super::package::copy_dir(&root().join("crates/godot/tests/godot3"), &to)?;
    fs::copy(library, to.join("libweft_godot.so"))?;
    Ok(to)
}

fn start(project: &Path, argument: Option<&str>) -> Result<Child> {
    let home = project.join("home");
    fs::create_dir_all(&home)?;
    let mut engine = Command::new(ENGINE);
    engine.arg("--path").arg(project).args(argument).env("HOME", home).env("LANG", "en_US.UTF-8");
    Ok(engine.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?)
}

struct Output {
    ok: bool,
    text: String,
}

/// Waits for an engine, at most [`LIMIT`].
fn finish(mut child: Child) -> Result<Output> {
    let start = Instant::now();
    let reader = |pipe: Option<Box<dyn std::io::Read + Send>>| {
        std::thread::spawn(move || {
            let mut text = Vec::new();
            pipe.map(|mut pipe| pipe.read_to_end(&mut text));
            String::from_utf8_lossy(&text).into_owned()
        })
    };
    let out = reader(child.stdout.take().map(|pipe| Box::new(pipe) as _));
    let err = reader(child.stderr.take().map(|pipe| Box::new(pipe) as _));
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break Some(status);
        }
        if start.elapsed() > LIMIT {
            child.kill()?;
            child.wait()?;
            break None;
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    let mut text = out.join().unwrap_or_default();
    let errors = err.join().unwrap_or_default();
    // The refusals that tests provoke are printed as errors; a script that does not run is one too.
    if status.is_none_or(|status| !status.success()) || errors.contains("SCRIPT ERROR") {
        text.push_str(&errors);
    }
    let ok = status.is_some_and(|status| status.success()) && !errors.contains("SCRIPT ERROR");
    Ok(Output { ok, text })
}

/// `28 passed, 2 failed`.
fn counts(line: &str) -> Option<(usize, usize)> {
    let (passed, failed) = line.strip_suffix(" failed")?.split_once(" passed, ")?;
    Some((passed.parse().ok()?, failed.parse().ok()?))
}

fn free_port() -> Result<u16> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

#[cfg(test)]
mod tests {
    use super::counts;

    #[test]
    fn the_closing_line_is_read() {
        assert_eq!(counts("28 passed, 2 failed"), Some((28, 2)));
        assert_eq!(counts("ok      reference/test_names"), None);
    }
}
