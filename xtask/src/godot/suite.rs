//! A suite in a real engine: in one, in two that talk over UDP, and in one that leaves with everything open.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::Suite;
use crate::{Result, root};

/// How long one run of the engine may take.
const LIMIT: Duration = Duration::from_secs(180);

/// An engine that can be started.
pub(super) struct Engine {
    /// `Godot 3.2.3.stable`.
    pub(super) name: String,
    /// The program, and what comes before the engine's own arguments.
    pub(super) command: Vec<OsString>,
    /// The folder of its suite.
    pub(super) suite: &'static str,
}

impl Engine {
    /// Asks a program whether it is an engine; `None` when it does not answer.
    pub(super) fn probe(command: Vec<OsString>, suite: &'static str) -> Option<Self> {
        let (program, arguments) = command.split_first()?;
        let output = Command::new(program).args(arguments).arg("--version").output().ok()?;
        let version = String::from_utf8_lossy(&output.stdout).trim().lines().last()?.to_owned();
        Some(Self { name: format!("Godot {version}"), command, suite })
    }
}

pub(super) fn run(engine: &Engine, project: &Path, only: Option<&str>) -> Result<Suite> {
    let mut suite = Suite { engine: engine.name.clone(), passed: 0, failed: 0 };

    let one = start(engine, project, only.map(|name| format!("--only={name}")).as_deref())?;
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
    let listener = start(engine, project, Some(&format!("--process=listen:{port}")))?;
    let connector = start(engine, project, Some(&format!("--process=connect:{port}")))?;
    for (name, child) in [("listens", listener), ("connects", connector)] {
        suite.count(&format!("two processes over UDP: the one that {name}"), &finish(child)?);
    }
    suite.count("leaving with everything open", &finish(start(engine, project, Some("--process=exit"))?)?);
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
pub(super) fn project(engine: &Engine, library: &Path) -> Result<PathBuf> {
    let to = root().join("target/godot").join(engine.suite);
    if to.exists() {
        fs::remove_dir_all(&to)?;
    }
    super::package::copy_dir(&root().join("crates/godot/tests").join(engine.suite), &to)?;
    fs::copy(library, to.join("libweft_godot.so"))?;
    // Godot 4 loads what its editor wrote into this list; no editor has been here.
    fs::create_dir_all(to.join(".godot"))?;
    fs::write(to.join(".godot/extension_list.cfg"), "res://weft.gdextension\n")?;
    let command: Vec<_> = engine.command.iter().map(|word| word.to_string_lossy()).collect();
    let file = serde_json::json!({ "name": engine.name, "command": command });
    fs::create_dir_all(to.join("home"))?;
    fs::write(to.join("engine.json"), file.to_string())?;
    Ok(to)
}

fn start(engine: &Engine, project: &Path, argument: Option<&str>) -> Result<Child> {
    let home = project.join("home");
    fs::create_dir_all(&home)?;
    let (program, arguments) = engine.command.split_first().ok_or("no engine")?;
    let mut run = Command::new(program);
    run.args(arguments).arg("--path").arg(project).args(argument).env("HOME", home).env("LANG", "en_US.UTF-8");
    Ok(run.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?)
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
