//! `a=ice-ufrag`, `a=ice-pwd`, `a=ice-options`
//!
//! <https://www.rfc-editor.org/rfc/rfc8839#section-5.4>

use std::fmt;
use std::str::FromStr;

use super::cursor::{Cursor, is_ice_char, is_token_char, whole};
use crate::error::{Fault, ParseError};

macro_rules! credential {
    ($(#[$docs:meta])* $name:ident, $least:literal, $expected:literal) => {
        $(#[$docs])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        pub struct $name(String);

        impl $name {
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = ParseError;

            fn from_str(text: &str) -> Result<Self, ParseError> {
                whole(text, |cursor| ice_chars(cursor, $least, $expected).map(Self))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

credential!(
    /// The user name fragment: 4 to 256 letters, digits, `+` or `/`.
    IceUfrag,
    4,
    "a user name fragment (4 to 256 letters, digits, + or /)"
);
credential!(
    /// The password: 22 to 256 letters, digits, `+` or `/`.
    IcePwd,
    22,
    "a password (22 to 256 letters, digits, + or /)"
);

fn ice_chars(cursor: &mut Cursor<'_>, least: usize, expected: &'static str) -> Result<String, Fault> {
    let start = cursor.offset();
    // Some peers draw from the alphabet of base64url.
    let text = cursor.some(|byte| is_ice_char(byte) || matches!(byte, b'-' | b'_'), expected)?;
    if (least..=256).contains(&text.len()) { Ok(text.to_owned()) } else { Err(Fault::new(start, expected)) }
}

/// The extensions of ICE that a side knows (RFC 8839 5.6).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct IceOptions(
    /// As they are written: one space after each but the last.
    Box<str>,
);

impl IceOptions {
    /// These options, in this order.
    pub fn new<'a>(options: impl IntoIterator<Item = &'a str>) -> Self {
        let mut text = String::new();
        for option in options.into_iter().filter(|option| !option.is_empty()) {
            if !text.is_empty() {
                text.push(' ');
            }
            text.push_str(option);
        }
        Self(text.into())
    }

    /// What JSEP writes (RFC 8829 5.2.1): `trickle` and `ice2`.
    pub fn webrtc() -> Self {
        Self::new(["trickle", "ice2"])
    }

    /// Whether this option is among them.
    pub fn contains(&self, option: &str) -> bool {
        self.iter().any(|known| known == option)
    }

    /// Whether candidates may follow one by one (RFC 8840).
    pub fn trickle(&self) -> bool {
        self.contains("trickle")
    }

    /// Whether the side follows RFC 8445 rather than RFC 5245.
    pub fn ice2(&self) -> bool {
        self.contains("ice2")
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The options, in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.split(' ').filter(|option| !option.is_empty())
    }

    /// Those that are also among `other`.
    #[must_use]
    pub fn common_with(&self, other: &Self) -> Self {
        Self::new(self.iter().filter(|option| other.contains(option)))
    }
}

impl FromStr for IceOptions {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        whole(text, |cursor| {
            let mut options = Vec::new();
            loop {
                // The grammar has ice-char only, but options with other characters of tokens are in use.
                options.push(cursor.some(is_token_char, "an ICE option")?);
                // libdatachannel joins them with commas.
                if !cursor.take(b' ') && !cursor.take(b',') {
                    return Ok(Self::new(options));
                }
            }
        })
    }
}

impl fmt::Display for IceOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
