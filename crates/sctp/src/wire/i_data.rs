//! I-DATA ([RFC 8260 section 2.1](https://www.rfc-editor.org/rfc/rfc8260#section-2.1)).
//!
//! ```text
//! |   Type = 64   |  Res  |I|U|B|E|            Length             |
//! |                              TSN                              |
//! |        Stream Identifier      |           Reserved            |
//! |                      Message Identifier                       |
//! |    Payload Protocol Identifier / Fragment Sequence Number     |
//! |                           User Data ...                       |
//! ```
//!
//! The flags are those of [DATA](super::data).

use weft_core::{Frame, Full, Serial32};

use super::{data, kind, padded};

/// Bytes of an I-DATA chunk before its user data.
pub const I_DATA_HEADER_LEN: usize = 20;

/// An I-DATA chunk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct IData<'a> {
    /// [`END`](data::END), [`BEGIN`](data::BEGIN), [`UNORDERED`](data::UNORDERED), [`IMMEDIATE`](data::IMMEDIATE).
    pub flags: u8,
    /// Transmission Sequence Number.
    pub tsn: Serial32,
    /// Stream Identifier.
    pub stream: u16,
    /// Message Identifier: ordered and unordered messages of a stream are counted apart.
    pub mid: Serial32,
    /// Payload Protocol Identifier. Only the first fragment carries it; 0 in the others.
    pub ppid: u32,
    /// Fragment Sequence Number; 0 in the first fragment, which does not carry it.
    pub fsn: u32,
    /// User data.
    pub payload: &'a [u8],
}

impl<'a> IData<'a> {
    /// `None` when too short. The payload may be empty here, which the receiver must answer with an ABORT.
    #[inline]
    pub fn parse(flags: u8, value: &'a [u8]) -> Option<Self> {
        let (head, payload) = value.split_first_chunk::<16>()?;
        let &[t0, t1, t2, t3, s0, s1, _, _, m0, m1, m2, m3, p0, p1, p2, p3] = head;
        let shared = u32::from_be_bytes([p0, p1, p2, p3]);
        let (ppid, fsn) = if flags & data::BEGIN != 0 { (shared, 0) } else { (0, shared) };
        Some(Self {
            flags,
            tsn: Serial32(u32::from_be_bytes([t0, t1, t2, t3])),
            stream: u16::from_be_bytes([s0, s1]),
            mid: Serial32(u32::from_be_bytes([m0, m1, m2, m3])),
            ppid,
            fsn,
            payload,
        })
    }

    /// Bytes the chunk takes in a packet when it carries `len` bytes.
    pub const fn wire_len(len: usize) -> usize {
        I_DATA_HEADER_LEN.wrapping_add(padded(len))
    }

    /// Appends the chunk.
    #[inline]
    pub fn write(&self, frame: &mut Frame<'_>) -> Result<(), Full> {
        let len = self.payload.len();
        let out = frame.push_uninit(Self::wire_len(len))?;
        let (head, body) = out.split_first_chunk_mut::<I_DATA_HEADER_LEN>().ok_or(Full)?;
        let shared = if self.flags & data::BEGIN != 0 { self.ppid } else { self.fsn };
        let [l0, l1] = ((I_DATA_HEADER_LEN + len) as u16).to_be_bytes();
        let [t0, t1, t2, t3] = self.tsn.0.to_be_bytes();
        let [s0, s1] = self.stream.to_be_bytes();
        let [m0, m1, m2, m3] = self.mid.0.to_be_bytes();
        let [p0, p1, p2, p3] = shared.to_be_bytes();
        *head = [kind::I_DATA, self.flags, l0, l1, t0, t1, t2, t3, s0, s1, 0, 0, m0, m1, m2, m3, p0, p1, p2, p3];
        let (text, padding) = body.split_at_mut_checked(len).ok_or(Full)?;
        text.copy_from_slice(self.payload);
        for byte in padding {
            *byte = 0; // at most three: not worth a call
        }
        Ok(())
    }
}
