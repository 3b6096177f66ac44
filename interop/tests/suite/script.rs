//! A peer that answers as a closure says.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::mpsc;
use weft_interop::peer::{Incoming, Link, Peer, Transcript};

pub(crate) const SOON: Duration = Duration::from_secs(5);

/// A peer that says `ready`, and then what `answer` gives for each command.
pub(crate) async fn scripted(name: &str, mut answer: impl FnMut(&Value) -> Vec<Value> + Send + 'static) -> Peer {
    let (commands, mut told) = mpsc::channel::<String>(64);
    let (say, incoming) = mpsc::channel(64);
    tokio::spawn(async move {
        say.send(Incoming::Line(json!({"event": "ready", "stack": "script", "version": "1"}).to_string()))
            .await
            .unwrap();
        while let Some(line) = told.recv().await {
            let command: Value = serde_json::from_str(&line).unwrap();
            for event in answer(&command) {
                let gone = event["event"] == "bye";
                // The test may be over.
                let _ = say.send(Incoming::Line(event.to_string())).await;
                if gone {
                    let _ = say.send(Incoming::End("it said bye".to_owned())).await;
                    return;
                }
            }
        }
    });
    Peer::new(name, Link { commands, incoming }, Transcript::new(name), SOON).await.unwrap()
}

/// The plain answer to a command.
pub(crate) fn done(command: &Value) -> Value {
    json!({"event": "done", "id": command["id"]})
}

/// A refusal of a command.
pub(crate) fn refusal(command: &Value, kind: &str) -> Value {
    json!({"event": "error", "id": command["id"], "kind": kind, "message": "no"})
}
