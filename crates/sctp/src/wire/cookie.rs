//! COOKIE ECHO and COOKIE ACK ([RFC 9260 sections 3.3.11, 3.3.12](https://www.rfc-editor.org/rfc/rfc9260#section-3.3.11)).
//!
//! ```text
//! |   Type = 10   |  Chunk Flags  |            Length             |
//! |                           Cookie ...                          |
//! |   Type = 11   |  Chunk Flags  |          Length = 4           |
//! ```

use super::{kind, put_chunk};

/// Appends a COOKIE ECHO.
pub fn write_echo(out: &mut Vec<u8>, cookie: &[u8]) {
    put_chunk(out, kind::COOKIE_ECHO, 0, |out| out.extend_from_slice(cookie));
}

/// Appends a COOKIE ACK.
pub fn write_ack(out: &mut Vec<u8>) {
    put_chunk(out, kind::COOKIE_ACK, 0, |_| {});
}
