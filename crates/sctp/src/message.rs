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
    /// A number of the application's choice, told in [`Event::Delivered`](crate::Event::Delivered) or
    /// [`Event::Abandoned`](crate::Event::Abandoned). Nothing is told without one.
    pub notice: Option<u64>,
}

impl Default for SendOptions {
    fn default() -> Self {
        Self { ordered: true, reliability: Reliability::Reliable, counted: true, notice: None }
    }
}

/// What of a message it is. All are [`Part::Whole`] but on streams that are read in pieces
/// ([`set_piecewise`](crate::Association::set_piecewise)).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Part {
    /// All of it.
    #[default]
    Whole,
    /// Its beginning; more follows.
    First,
    /// More of it, and still more follows.
    Next,
    /// Its end.
    Last,
    /// The peer gave it up: nothing more of it follows. The payload is empty.
    Abandoned,
}

/// A message received, or a piece of one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Message {
    /// Stream it came on.
    pub stream: u16,
    /// Payload Protocol Identifier.
    pub ppid: u32,
    /// Whether it kept its place among the messages of its stream.
    pub ordered: bool,
    /// Whether it is a whole message.
    pub part: Part,
    /// User data.
    pub payload: Bytes,
}
