//! ABORT and ERROR ([RFC 9260 sections 3.3.7, 3.3.10](https://www.rfc-editor.org/rfc/rfc9260#section-3.3.7)).
//!
//! ```text
//! | Type = 6 or 9 |  Reserved   |T|           Length              |
//! |                   zero or more Error Causes ...               |
//! ```

use super::{Cause, kind, put_chunk};

/// The T bit of ABORT and SHUTDOWN COMPLETE: the Verification Tag is the receiver's own, reflected.
pub const T_BIT: u8 = 1;

/// Appends an ABORT with at most one cause.
pub fn write_abort(out: &mut Vec<u8>, flags: u8, cause: Option<&Cause<'_>>) {
    put_chunk(out, kind::ABORT, flags, |out| {
        if let Some(cause) = cause {
            cause.write(out);
        }
    });
}

/// Appends an ERROR with one cause.
pub fn write_error(out: &mut Vec<u8>, cause: &Cause<'_>) {
    put_chunk(out, kind::ERROR, 0, |out| cause.write(out));
}
