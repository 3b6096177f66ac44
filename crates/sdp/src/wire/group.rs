//! `a=mid:<identification tag>` and `a=group:<semantics> (<identification tag>)*`
//!
//! <https://www.rfc-editor.org/rfc/rfc9143#section-7> (BUNDLE), after RFC 5888 4 and 5.

use std::fmt;
use std::str::FromStr;

use super::cursor::whole;
use crate::error::ParseError;

/// The name of a media section, a token.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Mid(pub String);

impl FromStr for Mid {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        whole(text, |cursor| Ok(Self(cursor.token("an identification tag")?.to_owned())))
    }
}

impl fmt::Display for Mid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Media sections that belong together; with semantics `BUNDLE`, over one transport.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// What they share: `BUNDLE`, `LS`, …
    pub semantics: String,
    /// The sections' [`Mid`]s, in order; the first of a `BUNDLE` carries the transport.
    pub mids: Vec<String>,
}

impl Group {
    /// Whether the sections are bundled.
    pub fn is_bundle(&self) -> bool {
        self.semantics == "BUNDLE"
    }
}

impl FromStr for Group {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        whole(text, |cursor| {
            let semantics = cursor.token("the semantics of a group")?.to_owned();
            let mut mids = Vec::new();
            while !cursor.is_done() {
                cursor.space()?;
                mids.push(cursor.token("an identification tag")?.to_owned());
            }
            Ok(Self { semantics, mids })
        })
    }
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.semantics)?;
        self.mids.iter().try_for_each(|mid| write!(f, " {mid}"))
    }
}
