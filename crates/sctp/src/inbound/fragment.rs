//! A chunk of user data that came in, of either kind.

use weft_core::Serial32;

use crate::wire::{Data, IData};

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

impl<'a> From<Data<'a>> for Fragment<'a> {
    #[inline]
    fn from(data: Data<'a>) -> Self {
        let Data { flags, tsn, stream, ssn, ppid, payload } = data;
        Self { tsn, flags, stream, mid: Serial32(u32::from(ssn.0)), fsn: 0, ppid, payload }
    }
}

impl<'a> From<IData<'a>> for Fragment<'a> {
    #[inline]
    fn from(data: IData<'a>) -> Self {
        let IData { flags, tsn, stream, mid, ppid, fsn, payload } = data;
        Self { tsn, flags, stream, mid, fsn, ppid, payload }
    }
}
