//! [DTLSCiphertext](https://www.rfc-editor.org/rfc/rfc9147#section-4), the protected record of DTLS 1.3.
//!
//! ```text
//!  0 1 2 3 4 5 6 7
//! +-+-+-+-+-+-+-+-+   C: a connection id follows      S: 16-bit sequence number, else 8-bit
//! |0|0|1|C|S|L|E E|   L: a 16-bit length follows      E: low bits of the epoch
//! +-+-+-+-+-+-+-+-+-------------------+-------------------+---------------+------------
//!                 | connection id (C) | sequence number   | length (if L) | ciphertext
//!                 +-------------------+-------------------+---------------+------------
//! ```

use super::codec::{DecodeError, Reader};

/// Length of the header that is written, without a connection id: 16 bits of sequence number, and a length.
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
    /// Bytes of the connection id that follows the first byte; 0 for none.
    pub connection_id_len: usize,
    /// Whether the sequence number has 16 bits; else 8.
    pub long_sequence: bool,
    /// The length of the ciphertext; `None` when the record ends with its datagram.
    pub length: Option<u16>,
}

impl UnifiedHeader {
    /// Whether a record that starts with `first` has this header.
    #[inline]
    pub fn is_unified(first: u8) -> bool {
        first & FIXED_MASK == FIXED
    }

    /// Reads the header that `bytes` begin with, where no connection id was agreed on: one that has it is an error.
    pub fn parse(bytes: &[u8]) -> Result<Self, DecodeError> {
        Self::parse_with_id(bytes, 0)
    }

    /// The same where connection ids of that many bytes are awaited. The header does not tell their length, so one that
    /// has an id where none is awaited is an error.
    #[inline]
    pub fn parse_with_id(bytes: &[u8], connection_id_len: usize) -> Result<Self, DecodeError> {
        // What is written here, and by most others.
        if connection_id_len == 0
            && let Some([flags, _, _, length @ ..]) = bytes.first_chunk::<UNIFIED_HEADER>()
            && flags & !EPOCH == FIXED | LONG_SEQUENCE | HAS_LENGTH
        {
            let length = Some(u16::from_be_bytes(*length));
            return Ok(Self { epoch_bits: flags & EPOCH, connection_id_len: 0, long_sequence: true, length });
        }
        let mut r = Reader::new(bytes);
        let flags = r.u8()?;
        let has_id = flags & CONNECTION_ID != 0;
        if !Self::is_unified(flags) || has_id && connection_id_len == 0 {
            return Err(DecodeError);
        }
        let connection_id_len = if has_id { connection_id_len } else { 0 };
        r.take(connection_id_len)?;
        let long_sequence = flags & LONG_SEQUENCE != 0;
        r.take(if long_sequence { 2 } else { 1 })?;
        let length = if flags & HAS_LENGTH != 0 { Some(r.u16()?) } else { None };
        Ok(Self { epoch_bits: flags & EPOCH, connection_id_len, long_sequence, length })
    }

    /// Bytes of this header: where the ciphertext starts.
    #[inline]
    pub fn ciphertext_offset(self) -> usize {
        let fixed = 1 + if self.long_sequence { 2 } else { 1 } + if self.length.is_some() { 2 } else { 0 };
        self.connection_id_len.saturating_add(fixed)
    }

    /// The header that is written for a record of `epoch` to a peer that wants no connection id.
    pub fn write(epoch: u16, sequence_number: u64, length: u16) -> [u8; UNIFIED_HEADER] {
        let [.., s0, s1] = sequence_number.to_be_bytes();
        let [l0, l1] = length.to_be_bytes();
        let [_, epoch] = epoch.to_be_bytes();
        [FIXED | LONG_SEQUENCE | HAS_LENGTH | epoch & EPOCH, s0, s1, l0, l1]
    }

    /// Fills `head` with the header for a record of `epoch`, with a connection id unless that is empty: `head` has
    /// [`UNIFIED_HEADER`] bytes and those of the id.
    pub(crate) fn write_into(
        head: &mut [u8],
        epoch: u16,
        id: &[u8],
        sequence_number: u64,
        length: u16,
    ) -> Result<(), DecodeError> {
        if id.is_empty() {
            let bytes = Self::write(epoch, sequence_number, length);
            *<&mut [u8; UNIFIED_HEADER]>::try_from(head).map_err(|_| DecodeError)? = bytes;
            return Ok(());
        }
        let [mut flags, rest @ ..] = Self::write(epoch, sequence_number, length);
        flags |= CONNECTION_ID;
        let (first, after) = head.split_first_mut().ok_or(DecodeError)?;
        let (id_room, after) = after.split_at_mut_checked(id.len()).ok_or(DecodeError)?;
        if after.len() != rest.len() {
            return Err(DecodeError);
        }
        *first = flags;
        id_room.copy_from_slice(id);
        after.copy_from_slice(&rest);
        Ok(())
    }
}
