//! `a=setup:<active|passive|actpass|holdconn>`
//!
//! <https://www.rfc-editor.org/rfc/rfc4145#section-4>, for DTLS by RFC 8842 5.

use std::fmt;
use std::str::FromStr;

use super::cursor::whole;
use crate::error::{Fault, ParseError};

/// Who starts the DTLS handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Setup {
    /// The writer does.
    Active,
    /// The reader does.
    Passive,
    /// The writer of an offer leaves it to the answer.
    ActPass,
    /// Nobody for now. Not for DTLS (RFC 8842 5.1).
    HoldConn,
}

impl Setup {
    /// The words, as written.
    const WORDS: [(&'static str, Self); 4] = [
        ("actpass", Self::ActPass),
        ("active", Self::Active),
        ("passive", Self::Passive),
        ("holdconn", Self::HoldConn),
    ];
}

impl FromStr for Setup {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        whole(text, |cursor| {
            let word = cursor.token("active, passive, actpass or holdconn")?;
            let known = Self::WORDS.into_iter().find(|(known, _)| *known == word);
            known.map(|(_, setup)| setup).ok_or(Fault::new(0, "active, passive, actpass or holdconn"))
        })
    }
}

impl fmt::Display for Setup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Active => "active",
            Self::Passive => "passive",
            Self::ActPass => "actpass",
            Self::HoldConn => "holdconn",
        })
    }
}

/// A side's part in the DTLS handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DtlsRole {
    /// Starts the handshake: `a=setup:active`.
    Client,
    /// Waits for it: `a=setup:passive`.
    Server,
}

impl DtlsRole {
    /// The other side's part.
    #[must_use]
    pub fn opposite(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }
}

impl From<DtlsRole> for Setup {
    fn from(role: DtlsRole) -> Self {
        match role {
            DtlsRole::Client => Self::Active,
            DtlsRole::Server => Self::Passive,
        }
    }
}
