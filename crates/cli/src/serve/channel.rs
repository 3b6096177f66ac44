//! What the native side does with a channel: the label `throughput` measures, every other echoes.

use std::time::Duration;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::time::{Instant, interval};
use weft_rtc::{DataChannel, Error, Message, MessageKind};

use crate::peer::fill::Fill;

/// The most one download may be, in bytes.
const MAX_BYTES: u64 = 1024 * 1024 * 1024;
/// The longest a download may last, in seconds.
const MAX_SECONDS: f64 = 60.0;
/// The largest message of a download, in bytes.
const MAX_MESSAGE: usize = 256 * 1024;
/// How often an upload is told what has arrived.
const REPORT: Duration = Duration::from_millis(100);

/// What the page asks for on the channel `throughput`.
#[derive(Debug, Deserialize)]
#[serde(tag = "cmd", rename_all = "lowercase")]
enum Command {
    /// Send so many bytes, or for so long, in messages of this size.
    Download {
        bytes: Option<u64>,
        seconds: Option<f64>,
        size: usize,
        #[serde(default)]
        hash: bool,
    },
    /// Take what comes until `end`.
    Upload {
        #[serde(default)]
        hash: bool,
    },
    /// The upload is complete.
    End,
    /// End the download.
    Stop,
}

/// Serves one channel until it closes.
pub(super) async fn serve(channel: DataChannel) {
    let result = match channel.label().as_str() {
        "throughput" => measure(&channel).await,
        _ => echo(&channel).await,
    };
    if let Err(error) = result {
        tracing::debug!(%error, "channel ended");
    }
}

async fn echo(channel: &DataChannel) -> Result<(), Error> {
    while let Some(message) = channel.recv().await {
        match message.as_text() {
            Some(text) => channel.send_text(text).await?,
            None => channel.send(message.data).await?,
        }
    }
    Ok(())
}

async fn measure(channel: &DataChannel) -> Result<(), Error> {
    while let Some(message) = channel.recv().await {
        // Data that still come after the end of an upload concern nobody.
        let Some(text) = message.as_text() else { continue };
        match serde_json::from_str(text) {
            Ok(Command::Download { bytes, seconds, size, hash }) => match limit(bytes, seconds, size) {
                Ok(limit) => download(channel, limit, size, hash).await?,
                Err(why) => tell(channel, &json!({"event": "error", "message": why})).await?,
            },
            Ok(Command::Upload { hash }) => upload(channel, hash).await?,
            Ok(Command::End | Command::Stop) => {}
            Err(error) => tell(channel, &json!({"event": "error", "message": error.to_string()})).await?,
        }
    }
    Ok(())
}

/// Where a download ends.
#[derive(Clone, Copy, PartialEq, Debug)]
struct Limit {
    bytes: u64,
    time: Duration,
}

fn limit(bytes: Option<u64>, seconds: Option<f64>, size: usize) -> Result<Limit, String> {
    if !(1..=MAX_MESSAGE).contains(&size) {
        return Err(format!("the message size must be from 1 to {MAX_MESSAGE} bytes"));
    }
    match (bytes, seconds) {
        (Some(bytes), None) if bytes <= MAX_BYTES => Ok(Limit { bytes, time: Duration::MAX }),
        (None, Some(seconds)) if (0.0..=MAX_SECONDS).contains(&seconds) => {
            Ok(Limit { bytes: u64::MAX, time: Duration::from_secs_f64(seconds) })
        }
        (Some(_), None) => Err(format!("a download may have {MAX_BYTES} bytes")),
        (None, Some(_)) => Err(format!("a download may last {MAX_SECONDS} seconds")),
        _ => Err("a download needs either bytes or seconds".to_owned()),
    }
}

async fn download(channel: &DataChannel, limit: Limit, size: usize, hash: bool) -> Result<(), Error> {
    tell(channel, &json!({"event": "start"})).await?;
    let began = Instant::now();
    let mut fill = Fill::new(began.elapsed().as_nanos() as u64);
    let mut hasher = Sha256::new();
    let (mut bytes, mut messages) = (0_u64, 0_u64);
    while bytes < limit.bytes && began.elapsed() < limit.time {
        let len = (limit.bytes - bytes).min(size as u64);
        let data = fill.bytes(len as usize);
        if hash {
            hasher.update(&data);
        }
        tokio::select! {
            sent = channel.send(Bytes::from(data)) => sent?,
            message = channel.recv() => {
                let message = message.ok_or(Error::Closed)?;
                // Stop, or something that makes no sense now: either way the message in hand was not sent.
                if is_command(&message) {
                    return tell(channel, &json!({"event": "end", "bytes": bytes, "messages": messages})).await;
                }
                return Err(Error::Closed);
            }
        }
        bytes += len;
        messages += 1;
    }
    tell(channel, &json!({"event": "end", "bytes": bytes, "messages": messages, "sha256": hex(hash, &hasher)})).await
}

async fn upload(channel: &DataChannel, hash: bool) -> Result<(), Error> {
    tell(channel, &json!({"event": "ready"})).await?;
    let mut reports = interval(REPORT);
    let mut hasher = Sha256::new();
    let (mut bytes, mut messages) = (0_u64, 0_u64);
    loop {
        tokio::select! {
            message = channel.recv() => {
                let message = message.ok_or(Error::Closed)?;
                if is_command(&message) {
                    break;
                }
                bytes += message.data.len() as u64;
                messages += 1;
                if hash {
                    hasher.update(&message.data);
                }
            }
            _ = reports.tick() => tell(channel, &json!({"event": "received", "bytes": bytes})).await?,
        }
    }
    tell(channel, &json!({"event": "end", "bytes": bytes, "messages": messages, "sha256": hex(hash, &hasher)})).await
}

fn is_command(message: &Message) -> bool {
    message.kind == MessageKind::Text
}

fn hex(wanted: bool, hasher: &Sha256) -> Option<String> {
    wanted.then(|| crate::peer::hex(&hasher.clone().finalize()))
}

async fn tell(channel: &DataChannel, event: &Value) -> Result<(), Error> {
    channel.send_text(event.to_string()).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn downloads_are_bounded() {
        assert_eq!(limit(Some(5), None, 1), Ok(Limit { bytes: 5, time: Duration::MAX }));
        assert!(limit(None, Some(2.0), MAX_MESSAGE).is_ok());
        for (bytes, seconds, size) in [
            (None, None, 1),
            (Some(1), Some(1.0), 1),
            (Some(MAX_BYTES + 1), None, 1),
            (None, Some(61.0), 1),
            (None, Some(-1.0), 1),
            (None, Some(f64::NAN), 1),
            (Some(1), None, 0),
            (Some(1), None, MAX_MESSAGE + 1),
        ] {
            assert!(limit(bytes, seconds, size).is_err(), "{bytes:?} {seconds:?} {size}");
        }
    }
}
