//! HEARTBEAT and HEARTBEAT ACK ([RFC 9260 sections 3.3.5, 3.3.6](https://www.rfc-editor.org/rfc/rfc9260#section-3.3.5)).
//!
//! ```text
//! | Type = 4 or 5 |  Chunk Flags  |       Heartbeat Length        |
//! |    Heartbeat Info Type = 1    |        HB Info Length         |
//! |              Sender-Specific Heartbeat Info ...               |
//! ```

use super::{Params, kind, put_chunk, put_param};

/// Type of the Heartbeat Info parameter.
const INFO: u16 = 1;

/// The Heartbeat Info of a HEARTBEAT or HEARTBEAT ACK.
pub fn parse(value: &[u8]) -> Option<&[u8]> {
    Params::new(value).find(INFO)
}

/// Appends a HEARTBEAT that carries `info`.
pub fn write(out: &mut Vec<u8>, info: &[u8]) {
    put_chunk(out, kind::HEARTBEAT, 0, |out| put_param(out, INFO, |out| out.extend_from_slice(info)));
}

/// Appends the answer to a HEARTBEAT with this chunk value: the same value, whatever it is.
pub fn write_ack(out: &mut Vec<u8>, value: &[u8]) {
    put_chunk(out, kind::HEARTBEAT_ACK, 0, |out| out.extend_from_slice(value));
}
