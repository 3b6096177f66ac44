//! One chunk of user data on its way out.

use bytes::Bytes;
use weft_core::{Frame, Full, Instant, Serial16, Serial32};

use crate::wire::{Data, IData, data, i_data};

/// What goes into one DATA or I-DATA chunk.
#[derive(Debug)]
pub(crate) struct Piece {
    pub(crate) payload: Bytes,
    pub(crate) ppid: u32,
    /// Message Identifier; its lower half is the Stream Sequence Number of a DATA chunk.
    pub(crate) mid: Serial32,
    /// Fragment Sequence Number.
    pub(crate) fsn: u32,
    pub(crate) stream: u16,
    pub(crate) max_retransmits: u16,
    pub(crate) flags: u8,
    pub(crate) expires: Instant,
}

impl Piece {
    /// Whether it is part of the same message as `other`. Without interleaving the fragments of one have TSNs in a row,
    /// so this tells them apart then, too.
    pub(super) fn same_message(&self, other: &Self) -> bool {
        self.stream == other.stream && self.mid == other.mid && (self.flags ^ other.flags) & data::UNORDERED == 0
    }
}

/// A piece with its TSN, to be written.
#[derive(Debug)]
pub(crate) struct OutChunk<'a> {
    pub(crate) tsn: Serial32,
    pub(super) piece: &'a Piece,
    pub(super) interleaving: bool,
}

impl OutChunk<'_> {
    /// Appends the chunk.
    #[inline]
    pub(crate) fn write(&self, frame: &mut Frame<'_>) -> Result<(), Full> {
        let Piece { payload, ppid, mid, fsn, stream, flags, .. } = self.piece;
        let (tsn, flags, stream, ppid) = (self.tsn, *flags, *stream, *ppid);
        if self.interleaving {
            return IData { flags, tsn, stream, mid: *mid, ppid, fsn: *fsn, payload }.write(frame);
        }
        let unordered = flags & data::UNORDERED != 0;
        let ssn = if unordered { Serial16(0) } else { Serial16(mid.0 as u16) };
        Data { flags, tsn, stream, ssn, ppid, payload }.write(frame)
    }
}

/// Bytes of a chunk before its user data.
pub(crate) const fn header_len(interleaving: bool) -> usize {
    if interleaving { i_data::I_DATA_HEADER_LEN } else { data::DATA_HEADER_LEN }
}

/// Bytes a chunk takes in a packet when it carries `len` bytes.
pub(crate) const fn wire_len(interleaving: bool, len: usize) -> usize {
    if interleaving { IData::wire_len(len) } else { Data::wire_len(len) }
}
