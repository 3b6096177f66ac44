//! One visit: signalling with the page, and the native peer that answers it. The visit lasts as long as the WebSocket.

use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, WebSocket, close_code};
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;
use tokio::time::Instant;
use weft_rtc::{
    Config, ConnectionState, DataChannelInit, Description, IceCandidate, PeerConnection, PeerEvent, SdpType,
};

use super::channel;

/// How long a connection may take to come about.
const SETUP: Duration = Duration::from_secs(30);
/// How often the page is asked whether it is still there.
const PING: Duration = Duration::from_secs(10);
/// How long it may be silent.
const SILENCE: Duration = Duration::from_secs(35);
/// Channels one visitor may have at the same time.
const MAX_CHANNELS: usize = 64;
/// Signalling messages one visitor may send.
const MAX_SIGNALS: usize = 1000;

/// How the page wants to be connected, in the query of the WebSocket's URL.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Wish {
    offerer: Offerer,
    trickle: Trickle,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Offerer {
    #[default]
    Browser,
    Native,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Trickle {
    #[default]
    Yes,
    No,
}

/// A signalling message, either way.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Signal {
    Offer {
        sdp: String,
    },
    Answer {
        sdp: String,
    },
    /// `RTCIceCandidateInit`.
    #[serde(rename_all = "camelCase")]
    Candidate {
        candidate: String,
        sdp_mid: Option<String>,
        #[serde(rename = "sdpMLineIndex")]
        sdp_mline_index: Option<u16>,
        username_fragment: Option<String>,
    },
    /// Why the visit ends.
    Error {
        message: String,
    },
}

/// Why a visit ended.
#[derive(Debug, thiserror::Error)]
enum End {
    #[error("the page left")]
    Left,
    #[error("the page is silent")]
    Silent,
    #[error("no connection within {} s", SETUP.as_secs())]
    TooSlow,
    #[error("the connection was closed")]
    Closed,
    #[error("the connection failed: {0}")]
    Failed(String),
    #[error("{0}")]
    Refused(#[from] weft_rtc::Error),
    #[error("not a signalling message: {0}")]
    Nonsense(#[from] serde_json::Error),
    #[error("too many signalling messages")]
    TooMuch,
}

/// Tells the page why, and hangs up.
pub(super) async fn turn_away(mut socket: WebSocket, why: &str) {
    let message = Signal::Error { message: why.to_owned() };
    // Whether it still listens is its affair.
    let _ = send(&mut socket, &message).await;
    let _ = socket.send(Message::Close(Some(CloseFrame { code: close_code::NORMAL, reason: "".into() }))).await;
}

/// Serves one visitor until it leaves or something fails.
pub(super) async fn visit(mut socket: WebSocket, number: u64, wish: Wish, mut config: Config) {
    tracing::info!(visitor = number, "arrived");
    config.trickle = wish.trickle == Trickle::Yes;
    let end = match Visit::new(number, wish, config) {
        Ok(visit) => visit.serve(&mut socket).await,
        Err(error) => error,
    };
    tracing::info!(visitor = number, "gone: {end}");
    if !matches!(end, End::Left | End::Silent) {
        turn_away(socket, &end.to_string()).await;
    }
}

/// The peer of a visitor. Dropping it closes the connection and ends the tasks of its channels.
struct Visit {
    number: u64,
    wish: Wish,
    peer: PeerConnection,
    channels: JoinSet<()>,
    signals: usize,
    connected: bool,
}

impl Visit {
    fn new(number: u64, wish: Wish, config: Config) -> Result<Self, End> {
        let peer = PeerConnection::new(config)?;
        Ok(Self { number, wish, peer, channels: JoinSet::new(), signals: 0, connected: false })
    }

    /// Serves until the end, and says what that was.
    async fn serve(mut self, socket: &mut WebSocket) -> End {
        match self.run(socket).await {
            Ok(never) => match never {},
            Err(end) => {
                self.peer.close();
                end
            }
        }
    }

    async fn run(&mut self, socket: &mut WebSocket) -> Result<std::convert::Infallible, End> {
        if self.wish.offerer == Offerer::Native {
            self.offer(socket).await?;
        }
        let setup = tokio::time::sleep(SETUP);
        tokio::pin!(setup);
        let mut pings = tokio::time::interval(PING);
        let mut heard = Instant::now();
        loop {
            tokio::select! {
                message = socket.recv() => {
                    heard = Instant::now();
                    match message {
                        Some(Ok(Message::Text(text))) => self.signal(socket, &text).await?,
                        Some(Ok(Message::Close(_)) | Err(_)) | None => return Err(End::Left),
                        Some(Ok(_)) => {}
                    }
                }
                event = self.peer.next_event() => match event {
                    Some(event) => self.event(socket, event).await?,
                    None => return Err(End::Closed),
                },
                channel = self.peer.accept() => match channel {
                    Some(channel) if self.channels.len() < MAX_CHANNELS => {
                        self.channels.spawn(channel::serve(channel));
                    }
                    Some(channel) => channel.close(),
                    None => return Err(End::Closed),
                },
                Some(_) = self.channels.join_next(), if !self.channels.is_empty() => {}
                now = pings.tick() => {
                    if now.saturating_duration_since(heard) > SILENCE {
                        return Err(End::Silent);
                    }
                    socket.send(Message::Ping("".into())).await.map_err(|_| End::Left)?;
                }
                () = &mut setup, if !self.connected => return Err(End::TooSlow),
            }
        }
    }

    async fn offer(&mut self, socket: &mut WebSocket) -> Result<(), End> {
        for init in [init("chat", true), init("throughput", true), init("rtt", false)] {
            let channel = self.peer.create_data_channel(init)?;
            self.channels.spawn(channel::serve(channel));
        }
        let offer = self.peer.create_offer()?;
        self.describe(socket, offer).await
    }

    /// Applies a local description and sends it.
    async fn describe(&mut self, socket: &mut WebSocket, description: Description) -> Result<(), End> {
        self.peer.set_local_description(Some(description.clone()))?;
        let description = if self.wish.trickle == Trickle::No {
            self.peer.gathered().await?;
            self.peer.local_description().unwrap_or(description)
        } else {
            description
        };
        let sdp = description.sdp;
        let signal = if description.kind == SdpType::Offer { Signal::Offer { sdp } } else { Signal::Answer { sdp } };
        send(socket, &signal).await
    }

    async fn signal(&mut self, socket: &mut WebSocket, text: &str) -> Result<(), End> {
        self.signals += 1;
        if self.signals > MAX_SIGNALS {
            return Err(End::TooMuch);
        }
        match serde_json::from_str(text)? {
            Signal::Offer { sdp } => {
                self.peer.set_remote_description(&Description::offer(sdp))?;
                let answer = self.peer.create_answer()?;
                self.describe(socket, answer).await
            }
            Signal::Answer { sdp } => Ok(self.peer.set_remote_description(&Description::answer(sdp))?),
            Signal::Candidate { candidate, sdp_mid, sdp_mline_index, username_fragment } => {
                let candidate = IceCandidate { candidate, sdp_mid, sdp_mline_index, username_fragment };
                if let Err(error) = self.peer.add_ice_candidate(&candidate) {
                    // One candidate less is no reason to give up.
                    tracing::info!(visitor = self.number, %error, "candidate ignored");
                }
                Ok(())
            }
            Signal::Error { message } => Err(End::Failed(format!("the page says: {message}"))),
        }
    }

    async fn event(&mut self, socket: &mut WebSocket, event: PeerEvent) -> Result<(), End> {
        match event {
            PeerEvent::IceCandidate(candidate) if self.wish.trickle == Trickle::Yes => {
                let IceCandidate { candidate, sdp_mid, sdp_mline_index, username_fragment } = candidate;
                let signal = Signal::Candidate { candidate, sdp_mid, sdp_mline_index, username_fragment };
                send(socket, &signal).await
            }
            PeerEvent::ConnectionState(state) => {
                self.connected |= state == ConnectionState::Connected;
                let pair = self.peer.stats().selected_pair.map(|pair| pair.path);
                tracing::info!(visitor = self.number, %state, pair = pair.map(tracing::field::debug), "connection");
                Ok(())
            }
            PeerEvent::Failed(failure) => Err(End::Failed(failure.to_string())),
            _ => Ok(()),
        }
    }
}

fn init(label: &str, ordered: bool) -> DataChannelInit {
    DataChannelInit { label: label.to_owned(), ordered, ..DataChannelInit::default() }
}

async fn send(socket: &mut WebSocket, signal: &Signal) -> Result<(), End> {
    socket.send(Message::Text(serde_json::to_string(signal)?.into())).await.map_err(|_| End::Left)
}
