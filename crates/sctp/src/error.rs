//! Errors.

/// Why an association is dead. It is final.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum AssociationError {
    /// The peer sent an ABORT.
    #[error("the peer aborted the association (cause {code:?}: {reason})")]
    PeerAborted {
        /// Code of the first error cause (RFC 9260 section 3.3.10).
        code: Option<u16>,
        /// Its text, where it has one.
        reason: String,
    },
    /// The peer did not answer the set-up or the shutdown.
    #[error("the peer does not answer")]
    NoAnswer,
    /// What was sent was retransmitted too often.
    #[error("the retransmission limit was reached")]
    RetransmissionLimit,
    /// The path became smaller than packets under way, and drops their fragments, too. Only an association without what
    /// was sent in them could go on.
    #[error("the path takes packets of {size} bytes, and neither larger ones that were under way nor their fragments")]
    PathTooSmall {
        /// The size that passes, bytes.
        size: usize,
    },
    /// The peer broke the protocol.
    #[error("the peer broke the protocol: {0}")]
    ProtocolViolation(&'static str),
}

/// Why a peer's INIT chunk was not taken for a handshake
/// ([`connect_with_init`](crate::Association::connect_with_init)).
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum InitError {
    /// It is no valid INIT chunk.
    #[error("not a valid INIT chunk: {0}")]
    Malformed(&'static str),
    /// The association has begun or is over.
    #[error("the association has begun already")]
    Begun,
}

/// Why a message was not taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SendError {
    /// It is larger than the peer accepts.
    #[error("the message is larger than the peer accepts ({limit} bytes)")]
    TooLarge {
        /// The peer's limit, bytes.
        limit: u64,
    },
    /// It would exceed the send buffer. `Writable` is reported when there is room again.
    #[error("the send buffer is full")]
    Full,
    /// It has no bytes; SCTP cannot carry that (data channels can).
    #[error("an SCTP message must not be empty")]
    Empty,
    /// A message given in pieces is not complete yet.
    #[error("a message is still being given in pieces")]
    Unfinished,
    /// No message given in pieces was begun.
    #[error("no message was begun")]
    NotBegun,
    /// There is no such stream, or the channel has no stream yet.
    #[error("not open")]
    NotOpen,
    /// Stream, channel or association is closing or closed.
    #[error("closed")]
    Closed,
}

/// Why a data channel could not be opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum OpenError {
    /// Label or protocol is longer than 65,535 bytes.
    #[error("label or protocol is longer than 65,535 bytes")]
    TextTooLong,
    /// The negotiated id is taken, or is 65,535.
    #[error("the stream id is not available")]
    IdTaken,
    /// No stream id of our parity is free, or there are too many channels.
    #[error("too many channels")]
    TooMany,
    /// The association is over.
    #[error("the association is closed")]
    Closed,
}
