//! The channels of the connection, by the handles that commands and events use.

use std::collections::VecDeque;

use bytes::Bytes;
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use weft_rtc::{ChannelId, Message, MessageKind};

use super::command::Mode;
use super::fill::Fill;
use super::refusal::Refusal;

/// Closed channels kept for `stats`; the oldest are forgotten first.
const KEPT_CLOSED: usize = 1024;

/// What is known here about one channel.
#[derive(Debug)]
pub(super) struct Channel {
    pub(super) handle: String,
    pub(super) id: ChannelId,
    pub(super) label: String,
    pub(super) protocol: String,
    /// Its stream, once known. The connection forgets it with the channel.
    pub(super) stream: Option<u16>,
    pub(super) mode: Mode,
    pub(super) counted: Counted,
    /// Messages may wait in the connection.
    pub(super) readable: bool,
    /// A send was refused for want of room.
    pub(super) blocked: bool,
    /// The message to be sent back next.
    pub(super) echo: Option<Message>,
    pub(super) streams: VecDeque<Stream>,
    /// Buffered amount as last reported, and what was queued since.
    pub(super) known_buffered: usize,
    /// Ids of the `finish` commands to be answered when it is closed.
    pub(super) finishing: Vec<Option<Value>>,
    /// We close it.
    pub(super) closing: bool,
    pub(super) closed: bool,
    pub(super) traffic: Traffic,
}

/// What went through a channel.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug, Serialize)]
pub(super) struct Traffic {
    pub(super) sent: u64,
    pub(super) received: u64,
    pub(super) bytes_sent: u64,
    pub(super) bytes_received: u64,
}

/// What mode `count` saw.
#[derive(Clone, Debug, Default)]
pub(super) struct Counted {
    pub(super) bytes: u64,
    pub(super) messages: u64,
    hash: Sha256,
}

/// One `stream` command under way.
#[derive(Debug)]
pub(super) struct Stream {
    fill: Fill,
    pub(super) total: u64,
    remaining: u64,
    message_size: usize,
    hash: Sha256,
    pub(super) began: std::time::Instant,
    /// Made and not yet taken by the connection.
    pub(super) next: Option<Bytes>,
}

impl Channel {
    pub(super) fn new(handle: String, id: ChannelId, label: String, protocol: String) -> Self {
        Self {
            handle,
            id,
            label,
            protocol,
            stream: None,
            mode: Mode::default(),
            counted: Counted::default(),
            readable: false,
            blocked: false,
            echo: None,
            streams: VecDeque::new(),
            known_buffered: 0,
            finishing: Vec::new(),
            closing: false,
            closed: false,
            traffic: Traffic::default(),
        }
    }

    pub(super) fn note_sent(&mut self, bytes: usize) {
        self.known_buffered += bytes;
        self.traffic.sent += 1;
        self.traffic.bytes_sent += bytes as u64;
    }

    pub(super) fn note_received(&mut self, bytes: usize) {
        self.traffic.received += 1;
        self.traffic.bytes_received += bytes as u64;
    }
}

impl Counted {
    pub(super) fn add(&mut self, data: &[u8]) {
        self.bytes += data.len() as u64;
        self.messages += 1;
        self.hash.update(data);
    }

    pub(super) fn sha256(&self) -> String {
        hex(&self.hash.clone().finalize())
    }
}

impl Stream {
    pub(super) fn new(total: u64, message_size: usize, seed: u64) -> Self {
        Self {
            fill: Fill::new(seed),
            total,
            remaining: total,
            message_size,
            hash: Sha256::new(),
            began: std::time::Instant::now(),
            next: None,
        }
    }

    /// The message to be sent next, made when there is none; `None` at the end.
    pub(super) fn message(&mut self) -> Option<Bytes> {
        if self.next.is_none() && self.remaining > 0 {
            let len = self.remaining.min(self.message_size as u64);
            self.remaining -= len;
            let data = self.fill.bytes(len as usize);
            self.hash.update(&data);
            self.next = Some(data.into());
        }
        self.next.clone()
    }

    pub(super) fn is_handed_over(&self) -> bool {
        self.remaining == 0 && self.next.is_none()
    }

    pub(super) fn sha256(&self) -> String {
        hex(&self.hash.clone().finalize())
    }
}

/// All channels, in the order in which they appeared.
#[derive(Debug, Default)]
pub(super) struct Channels {
    all: Vec<Channel>,
    /// Handles given to channels of the other side so far.
    named: u64,
}

impl Channels {
    pub(super) fn add(&mut self, channel: Channel) {
        if self.all.iter().filter(|c| c.closed).count() > KEPT_CLOSED
            && let Some(oldest) = self.all.iter().position(|c| c.closed)
        {
            self.all.remove(oldest);
        }
        self.all.push(channel);
    }

    /// A handle for a channel that the other side opened.
    pub(super) fn fresh_handle(&mut self) -> String {
        loop {
            self.named += 1;
            let handle = format!("in-{}", self.named);
            if !self.is_taken(&handle) {
                return handle;
            }
        }
    }

    pub(super) fn is_taken(&self, handle: &str) -> bool {
        self.all.iter().any(|c| c.handle == handle)
    }

    /// The channel that a command names.
    pub(super) fn named(&mut self, handle: &str) -> Result<&mut Channel, Refusal> {
        let found = self.all.iter_mut().find(|c| c.handle == handle);
        found.ok_or_else(|| Refusal::type_error(format!("there is no channel {handle:?}")))
    }

    pub(super) fn by_id(&mut self, id: ChannelId) -> Option<&mut Channel> {
        self.all.iter_mut().find(|c| c.id == id && !c.closed)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Channel> {
        self.all.iter()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Channel> {
        self.all.iter_mut()
    }
}

/// A message as `message` events and `send` commands carry it.
pub(super) fn is_text(message: &Message) -> bool {
    message.kind == MessageKind::Text
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        for digit in [byte >> 4, byte & 15] {
            text.extend(char::from_digit(u32::from(digit), 16));
        }
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_cuts_its_bytes_into_messages_and_hashes_them() {
        let mut stream = Stream::new(2_500, 1_000, 3);
        let mut hash = Sha256::new();
        let mut sizes = Vec::new();
        while let Some(message) = stream.message() {
            assert_eq!(stream.message(), Some(message.clone()));
            hash.update(&message);
            sizes.push(message.len());
            stream.next = None;
        }
        assert_eq!(sizes, [1_000, 1_000, 500]);
        assert!(stream.is_handed_over());
        assert_eq!(stream.sha256(), hex(&hash.finalize()));
        assert_eq!(hex(&[0x0f, 0xa0]), "0fa0");
    }
}
