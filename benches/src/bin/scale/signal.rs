//! Signalling with the process of the far ends: a line of JSON for each offer and each answer.

use std::collections::HashMap;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::oneshot;

use super::Result;

type Waiting = Arc<Mutex<HashMap<u64, oneshot::Sender<std::result::Result<String, String>>>>>;

/// The far ends.
pub(crate) struct Far {
    _child: Child,
    input: tokio::sync::Mutex<ChildStdin>,
    waiting: Waiting,
}

impl Far {
    pub(crate) fn start() -> Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg("--far")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let input = child.stdin.take().ok_or("no pipe")?;
        let mut lines = BufReader::new(child.stdout.take().ok_or("no pipe")?).lines();
        let waiting = Waiting::default();
        let answers = waiting.clone();
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                let value: Value = serde_json::from_str(&line).unwrap_or_default();
                let id = value.get("id").and_then(Value::as_u64).unwrap_or_default();
                let text = |key| value.get(key).and_then(Value::as_str).map(str::to_owned);
                let answer = text("sdp").ok_or_else(|| text("error").unwrap_or_else(|| "no answer".to_owned()));
                if let Some(to) = answers.lock().unwrap_or_else(PoisonError::into_inner).remove(&id) {
                    let _ = to.send(answer);
                }
            }
            // Who still waits learns that nobody answers any more.
            answers.lock().unwrap_or_else(PoisonError::into_inner).clear();
        });
        Ok(Self { _child: child, input: tokio::sync::Mutex::new(input), waiting })
    }

    /// The answer to an offer; an error if the far end fails, or is no more.
    pub(crate) async fn answer(&self, id: u64, offer: &str) -> Result<String> {
        let (to, answer) = oneshot::channel();
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).insert(id, to);
        let line = format!("{}\n", json!({ "id": id, "sdp": offer }));
        self.input.lock().await.write_all(line.as_bytes()).await?;
        Ok(answer.await.map_err(|_| "the far ends are gone")??)
    }
}
