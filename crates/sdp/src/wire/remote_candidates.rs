//! `a=remote-candidates:<component> <address> <port> (<component> <address> <port>)*`
//!
//! <https://www.rfc-editor.org/rfc/rfc8839#section-5.2>

use std::fmt;
use std::str::FromStr;

use super::candidate::Address;
use super::cursor::whole;
use crate::error::ParseError;

/// The candidates of the other side that ICE ended up with: component, address and port of each. JSEP reads them and
/// makes nothing of them (RFC 8829 5.8.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteCandidates(pub Vec<(u16, Address, u16)>);

impl FromStr for RemoteCandidates {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        whole(text, |cursor| {
            let mut candidates = Vec::new();
            loop {
                let component = cursor.number("a component")?;
                cursor.space()?;
                let address = Address::read(cursor.word("an address")?);
                cursor.space()?;
                candidates.push((component, address, cursor.number("a port (0 to 65535)")?));
                if !cursor.take(b' ') {
                    return Ok(Self(candidates));
                }
            }
        })
    }
}

impl fmt::Display for RemoteCandidates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().enumerate().try_for_each(|(index, (component, address, port))| {
            let before = if index == 0 { "" } else { " " };
            write!(f, "{before}{component} {address} {port}")
        })
    }
}
