//! What is wrong with bytes that arrived.

use crate::AttributeType;

/// Why bytes are not a STUN message.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ParseError {
    /// Fewer bytes than a header has.
    #[error("shorter than a STUN header")]
    Truncated,
    /// The two most significant bits are not zero, or the magic cookie is another: not STUN.
    #[error("not a STUN message")]
    NotStun,
    /// The message length is not that of the bytes, or not a multiple of four.
    #[error("the message length does not match")]
    Length,
    /// An attribute runs past the end of the message.
    #[error("an attribute runs past the end of the message")]
    Attribute,
}

/// An attribute whose value cannot be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("malformed attribute {0:?}")]
pub struct Malformed(pub AttributeType);
