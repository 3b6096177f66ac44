//! A client: one peer connection that signals by lines of JSON on its input and output.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use weft_rtc::ice::CandidateKind;
use weft_rtc::{Config, DataChannel, DataChannelInit, Description, IceCandidate, IceServer, PeerConnection, PeerEvent};

use super::theory::{Servers, Way};
use super::topology::SERVER;
use crate::coturn::USER;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// What a client is told at its start.
#[derive(Clone, Debug)]
pub struct Task {
    /// Make the offer.
    pub offers: bool,
    /// Which servers it knows.
    pub servers: Servers,
    /// The certificate of the server, in DER.
    pub certificate: PathBuf,
}

fn config(task: &Task) -> Result<Config, Failure> {
    let mut config = Config::default().with_ice_server(IceServer::stun(format!("stun:{SERVER}").parse()?));
    let turn = match task.servers {
        Servers::Stun => None,
        Servers::TurnUdp => Some(format!("turn:{SERVER}")),
        Servers::TurnTcp => Some(format!("turn:{SERVER}?transport=tcp")),
        Servers::TurnTls => Some(format!("turns:{SERVER}")),
    };
    if let Some(url) = turn {
        config = config.with_ice_server(IceServer::turn(vec![url.parse()?], USER.0, USER.1));
    }
    config.tls_roots = vec![std::fs::read(&task.certificate)?];
    Ok(config)
}

fn tell(line: &Value) {
    println!("{line}");
}

/// Connects, sees a message there and back, tells the way, and waits for the end of its input.
///
/// # Errors
/// What went wrong.
pub async fn run(task: &Task) -> Result<(), Failure> {
    let peer = PeerConnection::new(config(task)?)?;
    let channel = if task.offers { Some(peer.create_data_channel(DataChannelInit::new("nat"))?) } else { None };
    if task.offers {
        peer.set_local_description(None)?;
        let offer = peer.local_description().ok_or("no description")?;
        tell(&json!({ "sdp": offer.sdp }));
    }
    let talk = tokio::spawn(talk(peer.clone(), channel));
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    loop {
        tokio::select! {
            event = peer.next_event() => match event {
                Some(PeerEvent::IceCandidate(candidate)) => tell(&json!({ "candidate": candidate.candidate })),
                Some(PeerEvent::IceCandidateError(error)) => {
                    tell(&json!({ "error": { "code": error.code, "reason": error.reason, "address": error.address } }));
                }
                Some(_) => {}
                None => break,
            },
            line = lines.next_line() => {
                let Some(line) = line? else { break };
                take(&peer, task.offers, &serde_json::from_str(&line)?)?;
            }
        }
    }
    talk.abort();
    peer.close();
    tokio::time::sleep(Duration::from_millis(20)).await;
    Ok(())
}

/// What the other side signals.
fn take(peer: &PeerConnection, offers: bool, line: &Value) -> Result<(), Failure> {
    if let Some(sdp) = line.get("sdp").and_then(Value::as_str) {
        if offers {
            peer.set_remote_description(&Description::answer(sdp))?;
        } else {
            peer.set_remote_description(&Description::offer(sdp))?;
            peer.set_local_description(None)?;
            let answer = peer.local_description().ok_or("no description")?;
            tell(&json!({ "sdp": answer.sdp }));
        }
    }
    if let Some(candidate) = line.get("candidate").and_then(Value::as_str) {
        let candidate = IceCandidate {
            candidate: candidate.to_owned(),
            sdp_mid: None,
            sdp_mline_index: Some(0),
            username_fragment: None,
        };
        peer.add_ice_candidate(&candidate)?;
    }
    Ok(())
}

/// A message there and back; then the pair that is in use, once it stays.
async fn talk(peer: PeerConnection, channel: Option<DataChannel>) {
    let echo = if let Some(channel) = channel {
        let sent = channel.send_text("through the hole").await.is_ok();
        sent && channel.recv().await.is_some_and(|message| message.as_text() == Some("through the hole"))
    } else {
        let Some(channel) = peer.accept().await else { return };
        let Some(message) = channel.recv().await else { return };
        let echoed = channel.send_text(message.as_text().unwrap_or_default()).await.is_ok();
        // Held until the end.
        tokio::spawn(async move { while channel.recv().await.is_some() {} });
        echoed
    };
    if !echo {
        return;
    }
    let connected = {
        let timeline = peer.stats().timeline;
        timeline.pair_selected.zip(timeline.negotiated).map(|(selected, negotiated)| selected - negotiated)
    };
    // A better pair may still take over.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let Some(pair) = peer.stats().selected_pair else { return };
    let kinds = [pair.local.kind, pair.remote.kind];
    let way = if kinds.contains(&CandidateKind::Relayed) {
        Way::Relayed
    } else if kinds == [CandidateKind::Host, CandidateKind::Host] {
        Way::Direct
    } else {
        Way::Reflexive
    };
    let ms = connected.map(|time| time.as_millis() as u64);
    tell(&json!({ "way": way, "local": format!("{:?}", kinds[0]), "remote": format!("{:?}", kinds[1]), "ms": ms }));
}
