//! The process of the far ends: answers each offer with a peer connection that has a socket of its own.

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::sync::mpsc;
use weft_rtc::{Description, PeerConnection, SharedConfig};

use super::Result;

pub(crate) fn serve() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let config = super::config()?;
        let (to_write, mut writes) = mpsc::unbounded_channel::<String>();
        tokio::spawn(async move {
            let mut out = tokio::io::stdout();
            while let Some(line) = writes.recv().await {
                let _ = out.write_all(line.as_bytes()).await;
                let _ = out.flush().await;
            }
        });
        let mut lines = BufReader::new(tokio::io::stdin()).lines();
        while let Some(line) = lines.next_line().await? {
            let (config, to_write) = (config.clone(), to_write.clone());
            tokio::spawn(async move {
                let value: Value = serde_json::from_str(&line).unwrap_or_default();
                if let Err(error) = answer(config, &value, &to_write).await {
                    let error = json!({ "id": value.get("id"), "error": error.to_string() });
                    let _ = to_write.send(format!("{error}\n"));
                }
            });
        }
        Ok(())
    })
}

/// Answers, and keeps what was made until the process ends.
async fn answer(config: SharedConfig, value: &Value, to_write: &mpsc::UnboundedSender<String>) -> Result<()> {
    let offer = value.get("sdp").and_then(Value::as_str).ok_or("no offer")?;
    let peer = PeerConnection::new(config)?;
    let answer = peer.answer(&Description::offer(offer)).await?;
    to_write.send(format!("{}\n", json!({ "id": value.get("id"), "sdp": answer.sdp })))?;
    let channel = peer.accept().await;
    std::future::pending::<()>().await;
    drop(channel);
    Ok(())
}
