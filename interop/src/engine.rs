//! Godot engines as peers: a script in the engine speaks the peer protocol over TCP.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde::Deserialize;
use tokio::net::TcpListener;
use tokio::process::Command;
use tokio::time::timeout;

use crate::failure::{Doing, Failure, Outcome};
use crate::native::{Process, link, log_lines};
use crate::peer::{Peer, Transcript};

/// How long an engine may take to say that its peer is ready.
const START: Duration = Duration::from_secs(30);

/// An engine with the plug-in's test project.
#[derive(Debug, Clone)]
pub struct Engine {
    project: PathBuf,
    file: EngineFile,
}

/// `engine.json` in the project's folder, which `cargo xtask godot` writes.
#[derive(Debug, Clone, Deserialize)]
struct EngineFile {
    /// `Godot 3.2.3.stable`.
    name: String,
    /// The program, and what comes before the engine's own arguments.
    command: Vec<String>,
}

impl Engine {
    /// The engine of a test project.
    pub fn of(project: &Path) -> Outcome<Self> {
        let file = project.join("engine.json");
        let text = std::fs::read(&file)
            .doing(format_args!("{} (`cargo xtask godot --engine 3` makes the project)", file.display()))?;
        Ok(Self { project: project.to_owned(), file: serde_json::from_slice(&text).doing(file.display())? })
    }

    /// Its name and version.
    pub fn name(&self) -> &str {
        &self.file.name
    }

    /// Starts it and waits until its peer is ready.
    pub async fn start(&self, name: &str, transcript: Transcript) -> Outcome<(Process, Peer)> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let port = listener.local_addr()?.port();
        let (program, arguments) =
            self.file.command.split_first().ok_or_else(|| Failure::new("engine.json names no command"))?;
        let mut child = Command::new(program)
            .args(arguments)
            .arg("--path")
            .arg(&self.project)
            .arg(format!("--peer={port}"))
            .env("HOME", self.project.join("home"))
            .env("LANG", "en_US.UTF-8")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .doing(format_args!("{program} does not start"))?;
        for pipe in [child.stdout.take().map(|pipe| Box::new(pipe) as Box<dyn tokio::io::AsyncRead + Send + Unpin>)]
            .into_iter()
            .chain([child.stderr.take().map(|pipe| Box::new(pipe) as _)])
            .flatten()
        {
            log_lines(pipe, transcript.clone());
        }
        let process = Process::new(child, name);
        let (stream, _) =
            timeout(START, listener.accept()).await.doing(format_args!("{} did not call", self.file.name))??;
        let (from, to) = stream.into_split();
        let peer = Peer::new(name, link(from, to, "it closed its connection"), transcript, START).await?;
        Ok((process, peer))
    }
}
