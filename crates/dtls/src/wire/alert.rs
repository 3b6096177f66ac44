//! [Alert](https://www.rfc-editor.org/rfc/rfc5246#section-7.2): two bytes, level and description.

use super::codec::{DecodeError, Reader};
use super::registry::AlertDescription;

/// How bad it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AlertLevel {
    /// The connection may go on.
    Warning,
    /// The connection is over.
    Fatal,
}

/// An alert message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Alert {
    /// How bad it is.
    pub level: AlertLevel,
    /// What it is.
    pub description: AlertDescription,
}

impl Alert {
    /// The end of what the sender has to say.
    pub const CLOSE_NOTIFY: Self = Self { level: AlertLevel::Warning, description: AlertDescription::CLOSE_NOTIFY };

    /// A fatal alert.
    pub const fn fatal(description: AlertDescription) -> Self {
        Self { level: AlertLevel::Fatal, description }
    }

    /// Reads an alert.
    pub fn parse(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut r = Reader::new(bytes);
        let level = match r.u8()? {
            1 => AlertLevel::Warning,
            2 => AlertLevel::Fatal,
            _ => return Err(DecodeError),
        };
        let description = AlertDescription(r.u8()?);
        r.finish()?;
        Ok(Self { level, description })
    }

    /// The alert as bytes.
    pub fn to_bytes(self) -> [u8; 2] {
        let level = match self.level {
            AlertLevel::Warning => 1,
            AlertLevel::Fatal => 2,
        };
        [level, self.description.0]
    }
}
