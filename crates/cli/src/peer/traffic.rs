//! Commands about channels, and the messages that go through them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use serde::Serialize;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use weft_core::Instant;
use weft_rtc::sans_io::PeerConnection;
use weft_rtc::sdp::MaxMessageSize;
use weft_rtc::{ChannelState, DataChannelInit, Error, Message, MessageKind, Reliability, SendError};

use super::channels::{Channel, Channels, Stream, hex, is_text};
use super::command::{self, Mode, Priority};
use super::fill::Fill;
use super::output::Output;
use super::refusal::Refusal;
use super::session::{Outcome, Session};

/// `message_size` of a `stream` when none is given.
const STREAM_MESSAGE: u64 = 64 * 1024;

/// The longest message made from a seed, where the peer sets no lower limit.
const MAX_FILL: u64 = 256 * 1024 * 1024;

/// Messages taken from one channel before the others get their turn.
const RECEIVES_A_TURN: usize = 64;

#[derive(Serialize)]
struct MessageEvent<'a> {
    channel: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<std::borrow::Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    base64: Option<String>,
}

impl Session {
    pub(super) fn create_channel(&mut self, asked: command::Channel) -> Result<Outcome, Refusal> {
        if self.channels.is_taken(&asked.handle) {
            return Err(Refusal::type_error(format!("there is a channel {:?} already", asked.handle)));
        }
        let now = self.now();
        let init = init(&asked)?;
        let (label, protocol) = (init.label.clone(), init.protocol.clone());
        let pc = &mut self.open_link()?.pc;
        let id = pc.create_data_channel(now, init)?;
        let stream = pc.data_channel(id).and_then(|info| info.stream);
        let mut channel = Channel::new(asked.handle, id, label, protocol);
        channel.stream = stream;
        self.channels.add(channel);
        Ok(Outcome::with(json!({"stream": stream})))
    }

    /// The channel's connection-side handle, if it is open.
    fn open_channel(&mut self, handle: &str) -> Result<(&mut Channel, &mut PeerConnection), Refusal> {
        let closed = || Refusal::invalid_state(format!("channel {handle:?} is not open"));
        let channel = self.channels.named(handle)?;
        let link = self.link.as_mut().ok_or_else(closed)?;
        match link.pc.data_channel(channel.id).map(|info| info.state) {
            Some(ChannelState::Open) if !channel.closed && !link.pc.is_closed() => Ok((channel, &mut link.pc)),
            _ => Err(closed()),
        }
    }

    pub(super) fn send(&mut self, asked: command::Send) -> Result<Outcome, Refusal> {
        let now = self.now();
        let (channel, pc) = self.open_channel(&asked.channel)?;
        let limit = max_message_size(pc).unwrap_or(u64::MAX);
        let (kind, data) = payload(asked, limit)?;
        if data.len() as u64 > limit {
            return Err(Refusal::type_error(format!("the message is larger than the peer accepts ({limit} bytes)")));
        }
        let sha256 = hex(&Sha256::digest(&data));
        let bytes = data.len();
        pc.send(now, channel.id, kind, data)?;
        channel.note_sent(bytes);
        Ok(Outcome::with(json!({"bytes": bytes, "sha256": sha256})))
    }

    pub(super) fn stream(&mut self, asked: &command::Stream) -> Result<Outcome, Refusal> {
        let (channel, pc) = self.open_channel(&asked.channel)?;
        let limit = max_message_size(pc).unwrap_or(MAX_FILL);
        let size = asked.message_size.unwrap_or(STREAM_MESSAGE.min(limit));
        if size == 0 || size > limit {
            return Err(Refusal::type_error(format!("message_size is not in 1..={limit}")));
        }
        channel.streams.push_back(Stream::new(asked.bytes, size as usize, asked.seed));
        Ok(Outcome::nothing())
    }

    pub(super) fn receive(&mut self, handle: &str, mode: Mode) -> Result<Outcome, Refusal> {
        self.channels.named(handle)?.mode = mode;
        Ok(Outcome::nothing())
    }

    pub(super) fn threshold(&mut self, handle: &str, bytes: u64) -> Result<Outcome, Refusal> {
        let id = self.channels.named(handle)?.id;
        if let Some(link) = &mut self.link {
            let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
            link.pc.set_buffered_amount_low_threshold(id, bytes);
        }
        Ok(Outcome::nothing())
    }

    pub(super) fn finish(&mut self, handle: &str, id: Option<Value>) -> Result<Outcome, Refusal> {
        let closed = self.link.as_ref().is_none_or(|link| link.pc.is_closed());
        let channel = self.channels.named(handle)?;
        if channel.closed {
            return Ok(Outcome::nothing());
        }
        if closed {
            return Err(Refusal::invalid_state("the peer connection is closed"));
        }
        channel.finishing.push(id);
        Ok(Outcome::Later)
    }

    pub(super) fn close_channel(&mut self, handle: &str) -> Result<Outcome, Refusal> {
        let now = self.now();
        let channel = self.channels.named(handle)?;
        channel.streams.clear();
        channel.echo = None;
        channel.closing = true;
        if let Some(link) = &mut self.link {
            link.pc.close_data_channel(now, channel.id);
        }
        Ok(Outcome::nothing())
    }

    /// Moves messages both ways until nothing more can move. Whether anything did.
    pub(super) fn pump(&mut self) -> bool {
        let now = self.now();
        let Some(link) = &mut self.link else { return false };
        if link.pc.is_closed() {
            return false;
        }
        let mut moved = false;
        for channel in self.channels.iter_mut().filter(|channel| !channel.closed) {
            moved |= take_in(channel, &mut link.pc, now, &self.out, RECEIVES_A_TURN);
            moved |= hand_over(channel, &mut link.pc, now);
            moved |= end_streams(channel, &link.pc, &self.out);
            let done = !channel.finishing.is_empty() && channel.echo.is_none() && channel.streams.is_empty();
            if done && !channel.closing {
                channel.closing = true;
                link.pc.close_data_channel(now, channel.id);
                moved = true;
            }
        }
        moved
    }

    /// Whether messages that waited for standard output can be taken now.
    pub(super) fn can_report(&self) -> bool {
        let waits = |channel: &Channel| channel.readable && channel.mode == Mode::Messages && channel.echo.is_none();
        self.channels.iter().any(waits) && !self.out.is_full()
    }

    /// Takes in what came before the channel closed, whoever reads.
    pub(super) fn take_rest(&mut self, id: weft_rtc::ChannelId) {
        let now = self.now();
        let Some(link) = &mut self.link else { return };
        let Some(channel) = self.channels.by_id(id) else { return };
        while let Some(message) = link.pc.receive(id) {
            channel.note_received(message.data.len());
            deliver(channel, &mut link.pc, now, &self.out, message);
        }
    }
}

/// Takes messages that wait on `channel`.
fn take_in(channel: &mut Channel, pc: &mut PeerConnection, now: Instant, out: &Output, max: usize) -> bool {
    for taken in 0..max {
        let held_up = channel.echo.is_some() || (channel.mode == Mode::Messages && out.is_full());
        if !channel.readable || held_up {
            return taken > 0;
        }
        match pc.receive(channel.id) {
            Some(message) => {
                channel.note_received(message.data.len());
                deliver(channel, pc, now, out, message);
            }
            None => channel.readable = false,
        }
    }
    true
}

fn deliver(channel: &mut Channel, pc: &mut PeerConnection, now: Instant, out: &Output, message: Message) {
    match channel.mode {
        Mode::Messages => {
            let text = is_text(&message).then(|| String::from_utf8_lossy(&message.data));
            let base64 = (!is_text(&message)).then(|| BASE64.encode(&message.data));
            out.event("message", &MessageEvent { channel: &channel.handle, text, base64 });
        }
        Mode::Count => channel.counted.add(&message.data),
        Mode::Echo => {
            channel.echo = Some(message);
            hand_over(channel, pc, now);
        }
    }
}

/// Gives the connection what waits to be sent on `channel` until it refuses.
fn hand_over(channel: &mut Channel, pc: &mut PeerConnection, now: Instant) -> bool {
    let mut moved = false;
    while !channel.blocked {
        let (kind, data) = if let Some(message) = &channel.echo {
            (message.kind, message.data.clone())
        } else if let Some(data) = channel.streams.iter_mut().find_map(Stream::message) {
            (MessageKind::Binary, data)
        } else {
            break;
        };
        let bytes = data.len();
        match pc.send(now, channel.id, kind, data) {
            Ok(()) => channel.note_sent(bytes),
            Err(Error::Send(SendError::Full)) => {
                channel.blocked = true;
                break;
            }
            Err(error) => {
                // Not open (any more), or an echo larger than the peer accepts: it goes nowhere.
                tracing::debug!(%error, channel = channel.handle, "message dropped");
                channel.streams.clear();
            }
        }
        moved = true;
        if channel.echo.take().is_none()
            && let Some(stream) = channel.streams.iter_mut().find(|stream| stream.next.is_some())
        {
            stream.next = None;
        }
    }
    moved
}

/// Reports streams that are handed over and acknowledged.
fn end_streams(channel: &mut Channel, pc: &PeerConnection, out: &Output) -> bool {
    let mut ended = false;
    while channel.streams.front().is_some_and(Stream::is_handed_over) && unacknowledged(channel, pc) == 0 {
        let Some(stream) = channel.streams.pop_front() else { break };
        let seconds = stream.began.elapsed().as_secs_f64();
        let (bytes, sha256) = (stream.total, stream.sha256());
        out.event(
            "streamed",
            &json!({"channel": channel.handle, "bytes": bytes, "sha256": sha256, "seconds": seconds}),
        );
        ended = true;
    }
    ended
}

impl Channels {
    /// Tells of bytes that left the queues. The packet that carries them has not left yet.
    pub(super) fn report_buffered(&mut self, pc: &PeerConnection, out: &Output) {
        let mut told = false;
        for channel in self.iter_mut().filter(|channel| channel.known_buffered > 0) {
            let buffered = pc.buffered_amount(channel.id);
            if let Some(sent) = channel.known_buffered.checked_sub(buffered).filter(|sent| *sent > 0) {
                channel.known_buffered = buffered;
                out.event("buffered", &json!({"channel": channel.handle, "sent": sent, "buffered": buffered}));
                told = true;
            }
        }
        if told {
            out.flush();
        }
    }
}

/// Bytes of the channel that may still be lost. SCTP tells what is unacknowledged of all channels together only.
fn unacknowledged(channel: &Channel, pc: &PeerConnection) -> usize {
    pc.buffered_amount(channel.id).max(pc.data_channels().association().stats().buffered)
}

/// The largest message the peer accepts; `None` for no limit.
pub(super) fn max_message_size(pc: &PeerConnection) -> Option<u64> {
    match pc.negotiator().remote().map(|remote| remote.max_message_size) {
        Some(MaxMessageSize::Bytes(bytes)) => Some(bytes),
        Some(MaxMessageSize::Unlimited) | None => None,
    }
}

/// `maxRetransmits` and `maxPacketLifeTime`.
pub(super) fn limits(reliability: Reliability) -> (Option<u16>, Option<u16>) {
    match reliability {
        Reliability::Reliable => (None, None),
        Reliability::MaxRetransmits(times) => (Some(times), None),
        Reliability::MaxLifetime(ms) => (None, Some(ms)),
    }
}

/// `RTCPriorityType` of a priority of RFC 8831 section 6.4, as webrtc-priority section 4.1 maps it.
pub(super) fn priority_name(priority: u16) -> &'static str {
    match priority {
        0..=128 => "very-low",
        129..=256 => "low",
        257..=512 => "medium",
        _ => "high",
    }
}

fn init(asked: &command::Channel) -> Result<DataChannelInit, Refusal> {
    let mut init = DataChannelInit { label: asked.label.clone().unwrap_or_default(), ..DataChannelInit::default() };
    init.ordered = asked.ordered.unwrap_or(true);
    init.reliability = match (asked.max_retransmits, asked.max_packet_life_time) {
        (Some(_), Some(_)) => {
            return Err(Refusal::type_error("max_retransmits and max_packet_life_time exclude each other"));
        }
        (Some(times), None) => Reliability::MaxRetransmits(times),
        (None, Some(ms)) => Reliability::MaxLifetime(ms),
        (None, None) => Reliability::Reliable,
    };
    init.protocol = asked.protocol.clone().unwrap_or_default();
    if let Some(priority) = asked.priority {
        init.priority = match priority {
            Priority::VeryLow => 128,
            Priority::Low => 256,
            Priority::Medium => 512,
            Priority::High => 1024,
        };
    }
    if asked.negotiated.unwrap_or(false) {
        match asked.stream {
            None => return Err(Refusal::type_error("a negotiated channel needs a stream")),
            Some(65_535) => return Err(Refusal::type_error("stream 65,535 does not exist")),
            Some(stream) => init.negotiated = Some(stream),
        }
    }
    Ok(init)
}

/// The one payload that a `send` names.
fn payload(asked: command::Send, limit: u64) -> Result<(MessageKind, Bytes), Refusal> {
    match (asked.text, asked.base64, asked.fill) {
        (Some(text), None, None) => Ok((MessageKind::Text, text.into())),
        (None, Some(text), None) => {
            let data = BASE64.decode(text).map_err(|error| Refusal::type_error(format!("bad base64: {error}")))?;
            Ok((MessageKind::Binary, data.into()))
        }
        (None, None, Some(fill)) => {
            let limit = limit.min(MAX_FILL);
            if fill.bytes > limit {
                return Err(Refusal::type_error(format!("the message is larger than {limit} bytes")));
            }
            let mut bytes = Fill::new(fill.seed);
            let len = fill.bytes as usize;
            if fill.binary {
                Ok((MessageKind::Binary, bytes.bytes(len).into()))
            } else {
                Ok((MessageKind::Text, bytes.text(len).into()))
            }
        }
        _ => Err(Refusal::type_error("send takes one of text, base64 and fill")),
    }
}
