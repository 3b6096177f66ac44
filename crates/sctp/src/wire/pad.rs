//! PAD ([RFC 4820 section 3](https://www.rfc-editor.org/rfc/rfc4820#section-3)).
//!
//! ```text
//! |  Type = 0x84  |    Flags=0    |             Length            |
//! |                         Padding Data ...                      |
//! ```

use super::{kind, put_chunk};

/// Appends a PAD chunk that brings `out` to `len` bytes, a multiple of four. Nothing when less than a chunk header is
/// missing.
pub fn write(out: &mut Vec<u8>, len: usize) {
    if let Some(padding) = len.checked_sub(out.len() + 4) {
        put_chunk(out, kind::PAD, 0, |out| out.resize(out.len() + padding, 0));
    }
}
