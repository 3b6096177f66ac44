//! Session descriptions.

use weft_sdp::{Limits, Session};

/// What is read and written again reads as the same description, and an error names a line that exists.
pub(super) fn run(data: &[u8]) {
    let limits = Limits::default();
    match Session::parse_bytes(data, &limits) {
        Ok(session) => {
            let written = session.to_string();
            let again = Session::parse(&written);
            assert_eq!(again.as_ref().map(ToString::to_string), Ok(written), "read again as {again:?}");
        }
        Err(error) => {
            let lines = data.iter().filter(|b| matches!(b, b'\r' | b'\n')).count() + 1;
            // A line that is missing would be the next one.
            assert!((1..=lines + 1).contains(&error.line), "{error} in {lines} lines");
            assert!(!error.to_string().is_empty());
        }
    }
}
