//! `a=tls-id:<20 to 255 characters>`
//!
//! <https://www.rfc-editor.org/rfc/rfc8842#section-4>

use std::fmt;
use std::str::FromStr;

use super::cursor::whole;
use crate::error::{Fault, ParseError};

/// A name for one DTLS association: a new one asks for a new association.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TlsId(String);

impl TlsId {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for TlsId {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        const EXPECTED: &str = "a TLS id (20 to 255 letters, digits, +, /, - or _)";
        whole(text, |cursor| {
            let id = cursor.run(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_'));
            if (20..=255).contains(&id.len()) { Ok(Self(id.to_owned())) } else { Err(Fault::new(0, EXPECTED)) }
        })
    }
}

impl fmt::Display for TlsId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
