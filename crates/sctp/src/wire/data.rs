//! DATA ([RFC 9260 section 3.3.1](https://www.rfc-editor.org/rfc/rfc9260#section-3.3.1)).
//!
//! ```text
//! |   Type = 0    |  Res  |I|U|B|E|            Length             |
//! |                              TSN                              |
//! |      Stream Identifier S      |   Stream Sequence Number n    |
//! |                  Payload Protocol Identifier                  |
//! |                 User Data (seq n of Stream S) ...             |
//! ```

use weft_core::{Frame, Full, Serial16, Serial32};

use super::{kind, padded};

/// Last fragment of a message.
pub const END: u8 = 1;
/// First fragment of a message.
pub const BEGIN: u8 = 2;
/// Not ordered.
pub const UNORDERED: u8 = 4;
/// Acknowledge at once.
pub const IMMEDIATE: u8 = 8;

/// Bytes of a DATA chunk before its user data.
pub const DATA_HEADER_LEN: usize = 16;

/// A DATA chunk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Data<'a> {
    /// [`END`], [`BEGIN`], [`UNORDERED`], [`IMMEDIATE`].
    pub flags: u8,
    /// Transmission Sequence Number.
    pub tsn: Serial32,
    /// Stream Identifier.
    pub stream: u16,
    /// Stream Sequence Number; without meaning when unordered.
    pub ssn: Serial16,
    /// Payload Protocol Identifier.
    pub ppid: u32,
    /// User data.
    pub payload: &'a [u8],
}

impl<'a> Data<'a> {
    /// `None` when too short. The payload may be empty here, which the receiver must answer with an ABORT.
    #[inline]
    pub fn parse(flags: u8, value: &'a [u8]) -> Option<Self> {
        let (head, payload) = value.split_first_chunk::<12>()?;
        let &[t0, t1, t2, t3, s0, s1, n0, n1, p0, p1, p2, p3] = head;
        Some(Self {
            flags,
            tsn: Serial32(u32::from_be_bytes([t0, t1, t2, t3])),
            stream: u16::from_be_bytes([s0, s1]),
            ssn: Serial16(u16::from_be_bytes([n0, n1])),
            ppid: u32::from_be_bytes([p0, p1, p2, p3]),
            payload,
        })
    }

    /// Bytes the chunk takes in a packet when it carries `len` bytes.
    pub const fn wire_len(len: usize) -> usize {
        DATA_HEADER_LEN.wrapping_add(padded(len))
    }

    /// Appends the chunk.
    #[inline]
    pub fn write(&self, frame: &mut Frame<'_>) -> Result<(), Full> {
        let len = self.payload.len();
        let out = frame.push_uninit(Self::wire_len(len))?;
        let (head, body) = out.split_first_chunk_mut::<DATA_HEADER_LEN>().ok_or(Full)?;
        let [l0, l1] = ((DATA_HEADER_LEN + len) as u16).to_be_bytes();
        let [t0, t1, t2, t3] = self.tsn.0.to_be_bytes();
        let [s0, s1] = self.stream.to_be_bytes();
        let [n0, n1] = self.ssn.0.to_be_bytes();
        let [p0, p1, p2, p3] = self.ppid.to_be_bytes();
        *head = [kind::DATA, self.flags, l0, l1, t0, t1, t2, t3, s0, s1, n0, n1, p0, p1, p2, p3];
        let (text, padding) = body.split_at_mut_checked(len).ok_or(Full)?;
        text.copy_from_slice(self.payload);
        for byte in padding {
            *byte = 0; // at most three: not worth a call
        }
        Ok(())
    }
}
