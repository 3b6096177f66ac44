//! A chunk of user data that came in, of either kind.

use weft_core::Serial32;

use crate::wire::{Chunk, Data, IData, data, kind};

/// What DATA and I-DATA have in common.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fragment<'a> {
    pub(crate) tsn: Serial32,
    pub(crate) flags: u8,
    pub(crate) stream: u16,
    /// Message Identifier of an I-DATA, Stream Sequence Number of a DATA chunk.
    pub(crate) mid: Serial32,
    /// Fragment Sequence Number of an I-DATA chunk.
    pub(crate) fsn: u32,
    pub(crate) ppid: u32,
    pub(crate) payload: &'a [u8],
}

impl<'a> Fragment<'a> {
    /// What an I-DATA chunk, or else a DATA chunk, says; `None` when it is too short.
    #[inline]
    pub(crate) fn parse(chunk: &Chunk<'a>) -> Option<Self> {
        if chunk.kind == kind::I_DATA {
            let IData { flags, tsn, stream, mid, ppid, fsn, payload } = IData::parse(chunk.flags, chunk.value)?;
            return Some(Self { tsn, flags, stream, mid, fsn, ppid, payload });
        }
        let Data { flags, tsn, stream, ssn, ppid, payload } = Data::parse(chunk.flags, chunk.value)?;
        Some(Self { tsn, flags, stream, mid: Serial32(u32::from(ssn.0)), fsn: 0, ppid, payload })
    }

    /// Whether it is a whole ordered message, and nothing else is said of it.
    #[inline]
    pub(crate) fn is_whole(&self) -> bool {
        self.flags == data::BEGIN | data::END
    }
}
