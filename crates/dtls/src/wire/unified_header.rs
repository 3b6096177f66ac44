//! [DTLSCiphertext](https://www.rfc-editor.org/rfc/rfc9147#section-4), the protected record of DTLS 1.3.
//!
//! ```text
//!  0 1 2 3 4 5 6 7
//! +-+-+-+-+-+-+-+-+   C: a connection id follows      S: 16-bit sequence number, else 8-bit
//! |0|0|1|C|S|L|E E|   L: a 16-bit length follows      E: low bits of the epoch
//! +-+-+-+-+-+-+-+-+-------------------+-------------------+------------
//!                 | sequence number   |  length (if L)    | ciphertext
//!                 +-------------------+-------------------+------------
//! ```

use super::codec::{DecodeError, Reader};

/// Length of the header that is written: 16 bits of sequence number, and a length.
pub const UNIFIED_HEADER: usize = 5;

const FIXED_MASK: u8 = 0b1110_0000;
const FIXED: u8 = 0b0010_0000;
const CONNECTION_ID: u8 = 0b1_0000;
const LONG_SEQUENCE: u8 = 0b1000;
const HAS_LENGTH: u8 = 0b100;
const EPOCH: u8 = 0b11;

/// The header of a protected record, its sequence number still masked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct UnifiedHeader {
    /// The two low bits of the epoch.
    pub epoch_bits: u8,
    /// Whether the sequence number has 16 bits; else 8.
    pub long_sequence: bool,
    /// The length of the ciphertext; `None` when the record ends with its datagram.
    pub length: Option<u16>,
}

impl UnifiedHeader {
    /// Whether a record that starts with `first` has this header.
    pub fn is_unified(first: u8) -> bool {
        first & FIXED_MASK == FIXED
    }

    /// Reads the header that `bytes` begin with. One with a connection id is an error: none is ever agreed on, so the
    /// length of it is unknown.
    pub fn parse(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut r = Reader::new(bytes);
        let flags = r.u8()?;
        if !Self::is_unified(flags) || flags & CONNECTION_ID != 0 {
            return Err(DecodeError);
        }
        let long_sequence = flags & LONG_SEQUENCE != 0;
        r.take(if long_sequence { 2 } else { 1 })?;
        let length = if flags & HAS_LENGTH != 0 { Some(r.u16()?) } else { None };
        Ok(Self { epoch_bits: flags & EPOCH, long_sequence, length })
    }

    /// Bytes of this header: where the ciphertext starts.
    pub fn ciphertext_offset(self) -> usize {
        1 + if self.long_sequence { 2 } else { 1 } + if self.length.is_some() { 2 } else { 0 }
    }

    /// The header that is written for a record of `epoch`.
    pub fn write(epoch: u16, sequence_number: u64, length: u16) -> [u8; UNIFIED_HEADER] {
        let [.., s0, s1] = sequence_number.to_be_bytes();
        let [l0, l1] = length.to_be_bytes();
        let [_, epoch] = epoch.to_be_bytes();
        [FIXED | LONG_SEQUENCE | HAS_LENGTH | epoch & EPOCH, s0, s1, l0, l1]
    }
}
