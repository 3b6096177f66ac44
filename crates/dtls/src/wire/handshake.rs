//! [Handshake message header](https://www.rfc-editor.org/rfc/rfc6347#section-4.2.2) and fragments.
//!
//! ```text
//!  0        1                 4            6                 9                12
//!  +--------+-----------------+------------+-----------------+-----------------+------
//!  |msg_type|     length      | message_seq| fragment_offset | fragment_length | body
//!  +--------+-----------------+------------+-----------------+-----------------+------
//! ```

use super::codec::{DecodeError, Reader};
use super::registry::HandshakeType;

/// Length of the header of a handshake message or fragment.
pub const HANDSHAKE_HEADER: usize = 12;
/// The longest handshake message: lengths have 24 bits.
pub const MAX_HANDSHAKE_LENGTH: usize = 0xFF_FFFF;

/// A piece of a handshake message; the whole of it when `offset` is 0 and `body` has `length` bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fragment<'a> {
    /// Type of the message.
    pub message_type: HandshakeType,
    /// Length of the whole message.
    pub length: usize,
    /// The message's number in this handshake.
    pub message_seq: u16,
    /// Where in the message `body` starts.
    pub offset: usize,
    /// The bytes of this piece.
    pub body: &'a [u8],
}

impl<'a> Fragment<'a> {
    /// Takes one fragment off the front of `bytes` (a record's content may hold several) and gives the rest.
    ///
    /// A fragment that would reach beyond its message is an error.
    pub fn parse(bytes: &'a [u8]) -> Result<(Self, &'a [u8]), DecodeError> {
        let mut r = Reader::new(bytes);
        let message_type = HandshakeType(r.u8()?);
        let length = r.u24()?;
        let message_seq = r.u16()?;
        let offset = r.u24()?;
        let body = r.u24_vector()?;
        if offset.saturating_add(body.len()) > length {
            return Err(DecodeError);
        }
        let used = HANDSHAKE_HEADER.saturating_add(body.len());
        Ok((Self { message_type, length, message_seq, offset, body }, bytes.get(used..).unwrap_or_default()))
    }

    /// The header of this fragment as bytes.
    pub fn header(&self) -> [u8; HANDSHAKE_HEADER] {
        let [_, l0, l1, l2] = (self.length as u32).to_be_bytes();
        let [s0, s1] = self.message_seq.to_be_bytes();
        let [_, o0, o1, o2] = (self.offset as u32).to_be_bytes();
        let [_, f0, f1, f2] = (self.body.len() as u32).to_be_bytes();
        [self.message_type.0, l0, l1, l2, s0, s1, o0, o1, o2, f0, f1, f2]
    }
}
