//! Messages.

use bytes::Bytes;

/// How hard delivery is tried.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Reliability {
    /// Until it succeeds.
    #[default]
    Reliable,
    /// At most this many retransmissions.
    MaxRetransmits(u16),
    /// For this many milliseconds after the message was sent to the association.
    MaxLifetime(u16),
}

/// How a message is sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SendOptions {
    /// Whether it keeps its place among the messages of its stream.
    pub ordered: bool,
    /// How hard delivery is tried.
    pub reliability: Reliability,
    /// Whether it counts in the stream's buffered amount.
    pub counted: bool,
}

impl Default for SendOptions {
    fn default() -> Self {
        Self { ordered: true, reliability: Reliability::Reliable, counted: true }
    }
}

/// A message received whole.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Message {
    /// Stream it came on.
    pub stream: u16,
    /// Payload Protocol Identifier.
    pub ppid: u32,
    /// Whether it kept its place among the messages of its stream.
    pub ordered: bool,
    /// User data.
    pub payload: Bytes,
}
