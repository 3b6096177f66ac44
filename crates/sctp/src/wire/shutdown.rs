//! SHUTDOWN, SHUTDOWN ACK, SHUTDOWN COMPLETE
//! ([RFC 9260 sections 3.3.8, 3.3.9, 3.3.13](https://www.rfc-editor.org/rfc/rfc9260#section-3.3.8)).
//!
//! ```text
//! |   Type = 7    |  Chunk Flags  |          Length = 8           |
//! |                      Cumulative TSN Ack                       |
//! |   Type = 8    |  Chunk Flags  |          Length = 4           |
//! |   Type = 14   |  Reserved   |T|          Length = 4           |
//! ```

use weft_core::Serial32;

use super::{be32, kind, put_chunk, put32};

/// The Cumulative TSN Ack of a SHUTDOWN.
pub fn parse(value: &[u8]) -> Option<Serial32> {
    be32(value, 0).map(Serial32)
}

/// Appends a SHUTDOWN.
pub fn write(out: &mut Vec<u8>, cumulative: Serial32) {
    put_chunk(out, kind::SHUTDOWN, 0, |out| put32(out, cumulative.0));
}

/// Appends a SHUTDOWN ACK.
pub fn write_ack(out: &mut Vec<u8>) {
    put_chunk(out, kind::SHUTDOWN_ACK, 0, |_| {});
}

/// Appends a SHUTDOWN COMPLETE; `flags` may hold the [T bit](super::abort::T_BIT).
pub fn write_complete(out: &mut Vec<u8>, flags: u8) {
    put_chunk(out, kind::SHUTDOWN_COMPLETE, flags, |_| {});
}
