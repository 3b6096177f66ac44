//! What a peer's events add up to: its states, its channels and what they brought.

use base64::Engine as _;
use serde::Deserialize;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use super::ChannelInit;

/// The answer to `send`.
#[derive(Debug, Clone, Deserialize, PartialEq, Eq)]
pub struct Sent {
    /// Payload bytes.
    pub bytes: u64,
    /// Their hash, in hex.
    pub sha256: String,
}

/// One message that arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// A string.
    Text(String),
    /// Bytes.
    Binary(Vec<u8>),
}

impl Message {
    /// Its payload.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Binary(bytes) => bytes,
        }
    }

    /// The hash of its payload, in hex.
    pub fn sha256(&self) -> String {
        Sha256::digest(self.bytes()).iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"))
    }
}

/// What a channel in mode `count` brought.
#[derive(Debug, Clone, Deserialize, PartialEq, Eq)]
pub struct Counted {
    /// Payload bytes.
    pub bytes: u64,
    /// Messages.
    pub messages: u64,
    /// Hash of all payloads in order of arrival, in hex.
    pub sha256: String,
}

/// A stream that was handed over.
#[derive(Debug, Clone, Deserialize, PartialEq)]
pub struct Streamed {
    /// Payload bytes.
    pub bytes: u64,
    /// Hash of all payloads in order, in hex.
    pub sha256: String,
    /// How long it took.
    pub seconds: f64,
}

/// A description that a peer gave out.
#[derive(Debug, Clone, Deserialize, PartialEq, Eq)]
pub struct Description {
    /// `offer`, `answer` or `pranswer`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its text.
    pub sdp: String,
}

/// Where a channel is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Not yet open.
    Connecting,
    /// Messages may flow.
    Open,
    /// The other side began to close it.
    Closing,
    /// Closed.
    Closed,
}

/// One channel as its peer reports it.
#[derive(Debug, Clone)]
pub struct Channel {
    /// The handle by which its peer knows it.
    pub handle: String,
    /// Its label.
    pub label: String,
    /// Its subprotocol.
    pub protocol: String,
    /// Whether messages keep their order.
    pub ordered: bool,
    /// How often a message is sent again at most.
    pub max_retransmits: Option<u64>,
    /// How long a message is tried at most, in milliseconds.
    pub max_packet_life_time: Option<u64>,
    /// Whether it was agreed on out of band.
    pub negotiated: bool,
    /// Whether the other side opened it.
    pub incoming: bool,
    /// Whether its peer tells order and limits of it; some stacks do not for incoming ones.
    pub reliability_told: bool,
    /// Its stream, once known.
    pub stream: Option<u64>,
    /// Where it is in its life.
    pub phase: Phase,
    /// Messages reported so far.
    pub messages: Vec<Message>,
    /// What mode `count` brought, as of the last report.
    pub counted: Option<Counted>,
    /// The last stream that was handed over.
    pub streamed: Option<Streamed>,
    /// Why it closed, when not by `close_channel`.
    pub close_error: Option<Value>,
}

impl Channel {
    /// Whether messages may flow.
    pub fn is_open(&self) -> bool {
        self.phase == Phase::Open
    }

    /// Whether it is closed.
    pub fn is_closed(&self) -> bool {
        self.phase == Phase::Closed
    }
}

/// A peer as its events describe it.
#[derive(Debug, Default)]
pub struct View {
    /// The first line.
    pub ready: Option<Value>,
    /// The last value of everything `state` lines reported.
    pub state: Map<String, Value>,
    /// Every channel so far, in order of appearance.
    pub channels: Vec<Channel>,
    /// Descriptions it gave out.
    pub descriptions: Vec<Description>,
    /// Candidate lines it gave out, without the ends of candidates.
    pub candidates: Vec<String>,
    /// The last statistics.
    pub stats: Option<Value>,
    /// Errors of the transport.
    pub transport_errors: Vec<Value>,
    /// Whether it said its last line.
    pub bye: bool,
}

impl View {
    /// The channel of this handle.
    pub fn channel(&self, handle: &str) -> Option<&Channel> {
        self.channels.iter().find(|channel| channel.handle == handle)
    }

    /// The channel with this label that the other side opened last.
    pub fn incoming(&self, label: &str) -> Option<&Channel> {
        self.channels.iter().rev().find(|channel| channel.incoming && channel.label == label)
    }

    /// A state by name (`connection`, `ice`, `dtls`, …), empty when it was not reported.
    pub fn state(&self, name: &str) -> &str {
        self.state.get(name).and_then(Value::as_str).unwrap_or("")
    }

    /// Whether it says that it has something.
    pub fn supports(&self, what: &str) -> bool {
        let list = self.ready.as_ref().and_then(|ready| ready.get("supports")).and_then(Value::as_array);
        list.is_some_and(|list| list.iter().any(|word| word == what))
    }

    /// Whether it tells the streams of its channels: not every stack does.
    pub fn tells_streams(&self) -> bool {
        !self.supports("streams-untold")
    }

    /// The name of the stack.
    pub fn stack(&self) -> String {
        let word = |key| self.ready.as_ref().and_then(|ready| ready.get(key)).and_then(Value::as_str).unwrap_or("?");
        format!("{} {}", word("stack"), word("version"))
    }

    pub(super) fn expect_channel(&mut self, init: &ChannelInit<'_>) {
        self.channels.push(Channel {
            handle: init.handle.to_owned(),
            label: init.label.to_owned(),
            protocol: init.protocol.to_owned(),
            ordered: !init.unordered,
            max_retransmits: init.max_retransmits.map(u64::from),
            max_packet_life_time: init.max_packet_life_time.map(u64::from),
            negotiated: init.negotiated.is_some(),
            incoming: false,
            reliability_told: true,
            stream: init.negotiated.map(u64::from),
            phase: Phase::Connecting,
            messages: Vec::new(),
            counted: None,
            streamed: None,
            close_error: None,
        });
    }

    /// Takes one event in; says what is wrong with it when it breaks the protocol.
    pub(super) fn apply(&mut self, event: &Value) -> Result<(), String> {
        match event.get("event").and_then(Value::as_str).unwrap_or("") {
            "ready" => self.ready = Some(event.clone()),
            "bye" => self.bye = true,
            "stats" => self.stats = Some(event.clone()),
            "transport_error" => self.transport_errors.push(event.clone()),
            "description" => self.descriptions.push(parsed(event)?),
            "candidate" => {
                let line = event.get("candidate").and_then(Value::as_str).ok_or("no candidate")?;
                if !line.is_empty() {
                    self.candidates.push(line.to_owned());
                }
            }
            "state" => {
                for (key, value) in event.as_object().into_iter().flatten() {
                    if !matches!(key.as_str(), "event" | "at_ms") {
                        self.state.insert(key.clone(), value.clone());
                    }
                }
                self.take_streams();
            }
            "channel" => self.open_incoming(event)?,
            "open" => {
                let channel = self.named(event)?;
                if channel.phase != Phase::Connecting {
                    return Err("open twice".to_owned());
                }
                channel.phase = Phase::Open;
                channel.stream = event.get("stream").and_then(Value::as_u64).or(channel.stream);
            }
            "closing" => self.named(event)?.phase = Phase::Closing,
            "closed" => {
                let channel = self.named(event)?;
                channel.phase = Phase::Closed;
                channel.close_error = event.get("error").filter(|error| !error.is_null()).cloned();
            }
            "message" => {
                let message = message(event)?;
                let channel = self.named(event)?;
                if matches!(channel.phase, Phase::Connecting | Phase::Closed) {
                    return Err(format!("a message on a channel that is {:?}", channel.phase));
                }
                channel.messages.push(message);
            }
            "counted" => self.named(event)?.counted = Some(parsed(event)?),
            "streamed" => self.named(event)?.streamed = Some(parsed(event)?),
            _ => {}
        }
        Ok(())
    }

    fn open_incoming(&mut self, event: &Value) -> Result<(), String> {
        let word = |key: &str| event.get(key).and_then(Value::as_str).map(str::to_owned);
        let flag = |key: &str, default| event.get(key).and_then(Value::as_bool).unwrap_or(default);
        let handle = word("channel").ok_or("a channel without handle")?;
        if self.channel(&handle).is_some() {
            return Err(format!("the handle {handle} was given out twice"));
        }
        self.channels.push(Channel {
            handle,
            label: word("label").ok_or("a channel without label")?,
            protocol: word("protocol").unwrap_or_default(),
            ordered: flag("ordered", true),
            max_retransmits: event.get("max_retransmits").and_then(Value::as_u64),
            max_packet_life_time: event.get("max_packet_life_time").and_then(Value::as_u64),
            negotiated: flag("negotiated", false),
            incoming: true,
            reliability_told: event.get("ordered").is_some(),
            stream: event.get("stream").and_then(Value::as_u64),
            phase: Phase::Connecting,
            messages: Vec::new(),
            counted: None,
            streamed: None,
            close_error: None,
        });
        Ok(())
    }

    fn take_streams(&mut self) {
        let Some(streams) = self.state.get("streams").and_then(Value::as_object) else { return };
        for channel in &mut self.channels {
            if let Some(stream) = streams.get(&channel.handle).and_then(Value::as_u64) {
                channel.stream = Some(stream);
            }
        }
    }

    fn named(&mut self, event: &Value) -> Result<&mut Channel, String> {
        let handle = event.get("channel").and_then(Value::as_str).ok_or("no channel named")?;
        self.channels.iter_mut().find(|channel| channel.handle == handle).ok_or_else(|| format!("no channel {handle}"))
    }
}

fn message(event: &Value) -> Result<Message, String> {
    if let Some(text) = event.get("text").and_then(Value::as_str) {
        return Ok(Message::Text(text.to_owned()));
    }
    let encoded = event.get("base64").and_then(Value::as_str).ok_or("a message without text or base64")?;
    let bytes = base64::engine::general_purpose::STANDARD.decode(encoded).map_err(|error| error.to_string())?;
    Ok(Message::Binary(bytes))
}

fn parsed<T: for<'d> Deserialize<'d>>(event: &Value) -> Result<T, String> {
    T::deserialize(event).map_err(|error| error.to_string())
}

/// What is at a JSON pointer (RFC 6901), null when nothing is.
pub fn at<'v>(value: &'v Value, pointer: &str) -> &'v Value {
    value.pointer(pointer).unwrap_or(&Value::Null)
}
