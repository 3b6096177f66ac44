//! What data channels are told and report.

use bytes::Bytes;

use crate::error::AssociationError;
use crate::message::{Part, Reliability};

/// Which side of the DTLS handshake we are: it decides whose stream ids are even (RFC 8832 section 6).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// DTLS client: even ids.
    Client,
    /// DTLS server: odd ids.
    Server,
}

/// Names a channel for as long as the [`DataChannels`](crate::DataChannels) live; never used for another.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ChannelId {
    pub(super) slot: u32,
    pub(super) generation: u32,
}

/// How a channel is to be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ChannelInit {
    /// Label, at most 65,535 bytes. Not unique.
    pub label: String,
    /// Subprotocol, at most 65,535 bytes.
    pub protocol: String,
    /// Whether messages keep their order.
    pub ordered: bool,
    /// How hard delivery is tried.
    pub reliability: Reliability,
    /// Priority: 128 below normal, 256 normal, 512 high, 1024 extra high (RFC 8831 section 6.4).
    pub priority: u16,
    /// The stream id, where both sides agreed on the channel beforehand; `None` opens it in band (DCEP).
    pub negotiated: Option<u16>,
}

impl ChannelInit {
    /// A reliable, ordered channel opened in band.
    pub fn new(label: impl Into<String>) -> Self {
        Self { label: label.into(), ..Self::default() }
    }
}

impl Default for ChannelInit {
    fn default() -> Self {
        Self {
            label: String::new(),
            protocol: String::new(),
            ordered: true,
            reliability: Reliability::Reliable,
            priority: 256,
            negotiated: None,
        }
    }
}

/// State of a channel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ChannelState {
    /// The association is not up. Messages may be queued as soon as the channel has a stream.
    Connecting,
    /// Messages flow.
    Open,
    /// Closed by one side; what was queued is still delivered.
    Closing,
    /// Over. Messages received before can still be read.
    Closed,
}

/// What is known of a channel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ChannelInfo<'a> {
    /// Label.
    pub label: &'a str,
    /// Subprotocol.
    pub protocol: &'a str,
    /// Whether messages keep their order.
    pub ordered: bool,
    /// How hard delivery is tried.
    pub reliability: Reliability,
    /// Priority.
    pub priority: u16,
    /// Whether it was agreed on beforehand.
    pub negotiated: bool,
    /// Whether the peer opened it.
    pub incoming: bool,
    /// Its stream, once known.
    pub stream: Option<u16>,
    /// Its state.
    pub state: ChannelState,
}

/// Text or bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MessageKind {
    /// UTF-8, unchecked.
    Text,
    /// Bytes.
    Binary,
}

/// A message of a channel.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ChannelMessage {
    /// Text or bytes.
    pub kind: MessageKind,
    /// Its content; may be empty.
    pub data: Bytes,
}

/// A message, or a piece of one, of a channel that is read in pieces.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ChannelPiece {
    /// Text or bytes. Pieces of text may end within a character. Meaningless in [`Part::Abandoned`].
    pub kind: MessageKind,
    /// Its content; may be empty.
    pub data: Bytes,
    /// What of the message it is.
    pub part: Part,
}

impl ChannelMessage {
    /// The text of a text message; `None` for a binary one, and for text that is not UTF-8.
    pub fn as_text(&self) -> Option<&str> {
        match self.kind {
            MessageKind::Text => core::str::from_utf8(&self.data).ok(),
            MessageKind::Binary => None,
        }
    }
}

/// Why a channel closed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CloseReason {
    /// We closed it.
    Local,
    /// The peer closed it, or refused it.
    Remote,
    /// The association ended or started anew.
    Disconnected,
    /// The peer takes no channel with its stream id.
    NoStream,
}

/// What happened.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ChannelEvent {
    /// The association is up.
    Connected,
    /// The peer opened a channel; it is open.
    Incoming(ChannelId),
    /// A channel of ours is open.
    Opened(ChannelId),
    /// A message waits, where none did before.
    Readable(ChannelId),
    /// There is room again after `Full`, for a quarter of the send buffer at least.
    Writable(ChannelId),
    /// The buffered amount fell to its threshold.
    BufferedAmountLow(ChannelId),
    /// All of a message sent with this notice was acknowledged.
    Delivered(ChannelId, u64),
    /// A message sent with this notice was given up: its reliability ran out, or the channel or the association ended. Part
    /// or all of it may have arrived.
    Abandoned(ChannelId, u64),
    /// Everything sent on a channel was acknowledged, as [`finish`](crate::DataChannels::finish) asked; its stream is reset
    /// now.
    Finished(ChannelId),
    /// The peer began to close it. What was queued is still sent, as the W3C's closing procedure has it; then our
    /// direction is reset, too.
    Closing(ChannelId),
    /// It is closed.
    Closed(ChannelId, CloseReason),
    /// The association is over: in order when there is no error.
    Disconnected(Option<AssociationError>),
}
