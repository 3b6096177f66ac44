//! The wire format: one file for each chunk.
//!
//! A parser is a checked view: it borrows, never allocates and never panics. A writer appends to a `Vec<u8>` (control
//! chunks, which are rare) or straight to a [`Frame`](weft_core::Frame) (DATA and SACK). Padding is always zero.

pub mod abort;
pub mod cause;
pub mod cookie;
pub mod data;
pub mod dcep;
pub mod forward_tsn;
pub mod heartbeat;
pub mod i_data;
pub mod i_forward_tsn;
pub mod init;
pub mod packet;
pub mod pad;
pub mod param;
pub mod reconfig;
pub mod sack;
pub mod shutdown;

pub use cause::Cause;
pub use data::Data;
pub use dcep::Dcep;
pub use forward_tsn::ForwardTsn;
pub use i_data::IData;
pub use i_forward_tsn::{IForwardTsn, Skipped};
pub use init::Init;
pub use packet::{Chunk, Header, Packet, ParseError, crc};
pub use param::{Param, Params};
pub use reconfig::{Answer, Request};
pub use sack::Sack;

/// Chunk types (RFC 9260 section 3.2; RFC 3758, RFC 6525, RFC 8260).
pub mod kind {
    /// DATA.
    pub const DATA: u8 = 0;
    /// INIT.
    pub const INIT: u8 = 1;
    /// INIT ACK.
    pub const INIT_ACK: u8 = 2;
    /// SACK.
    pub const SACK: u8 = 3;
    /// HEARTBEAT.
    pub const HEARTBEAT: u8 = 4;
    /// HEARTBEAT ACK.
    pub const HEARTBEAT_ACK: u8 = 5;
    /// ABORT.
    pub const ABORT: u8 = 6;
    /// SHUTDOWN.
    pub const SHUTDOWN: u8 = 7;
    /// SHUTDOWN ACK.
    pub const SHUTDOWN_ACK: u8 = 8;
    /// ERROR.
    pub const ERROR: u8 = 9;
    /// COOKIE ECHO.
    pub const COOKIE_ECHO: u8 = 10;
    /// COOKIE ACK.
    pub const COOKIE_ACK: u8 = 11;
    /// SHUTDOWN COMPLETE.
    pub const SHUTDOWN_COMPLETE: u8 = 14;
    /// I-DATA (RFC 8260 section 2.1).
    pub const I_DATA: u8 = 64;
    /// PAD (RFC 4820 section 3).
    pub const PAD: u8 = 132;
    /// RE-CONFIG (RFC 6525 section 3.1).
    pub const RE_CONFIG: u8 = 130;
    /// FORWARD TSN (RFC 3758 section 3.2).
    pub const FORWARD_TSN: u8 = 192;
    /// I-FORWARD-TSN (RFC 8260 section 2.3.1).
    pub const I_FORWARD_TSN: u8 = 194;
}

/// What the two highest bits of an unknown chunk or parameter type ask for (RFC 9260 sections 3.2 and 3.2.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Unknown {
    /// Go on with what follows it (else stop).
    pub skip: bool,
    /// Tell the sender about it.
    pub report: bool,
}

impl Unknown {
    /// By the type of a chunk.
    pub const fn chunk(kind: u8) -> Self {
        Self { skip: kind & 0x80 != 0, report: kind & 0x40 != 0 }
    }

    /// By the type of a parameter.
    pub const fn param(kind: u16) -> Self {
        Self { skip: kind & 0x8000 != 0, report: kind & 0x4000 != 0 }
    }
}

/// `n`, the length of something in memory, rounded up to a multiple of four. What is longer than memory wraps.
pub(crate) const fn padded(n: usize) -> usize {
    n.wrapping_add(3) & !3
}

#[inline]
pub(crate) fn be16(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

#[inline]
pub(crate) fn be32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

pub(crate) fn put16(out: &mut Vec<u8>, n: u16) {
    out.extend_from_slice(&n.to_be_bytes());
}

pub(crate) fn put32(out: &mut Vec<u8>, n: u32) {
    out.extend_from_slice(&n.to_be_bytes());
}

/// Appends a chunk (type, flags, length, what `value` writes, zero padding).
pub(crate) fn put_chunk(out: &mut Vec<u8>, kind: u8, flags: u8, value: impl FnOnce(&mut Vec<u8>)) {
    put_tlv(out, [kind, flags], value);
    align(out);
}

/// Appends a parameter or error cause. Its padding comes with what follows: that of the last one in a chunk is not
/// counted in the chunk's length (RFC 9260 section 3.2).
pub(crate) fn put_param(out: &mut Vec<u8>, kind: u16, value: impl FnOnce(&mut Vec<u8>)) {
    put_tlv(out, kind.to_be_bytes(), value);
}

fn put_tlv(out: &mut Vec<u8>, head: [u8; 2], value: impl FnOnce(&mut Vec<u8>)) {
    align(out);
    let start = out.len();
    out.extend_from_slice(&head);
    out.extend_from_slice(&[0, 0]);
    value(out);
    let len = (out.len() - start) as u16;
    if let Some(field) = out.get_mut(start + 2..start + 4) {
        field.copy_from_slice(&len.to_be_bytes());
    }
}

fn align(out: &mut Vec<u8>) {
    out.resize(padded(out.len()), 0);
}
