//! `a=sctp-port:<port>`, `a=max-message-size:<bytes>`, and the older
//! `a=sctpmap:<port> <protocol> [<streams>]`; and `a=sctp-init:<base64 of an INIT chunk>` (draft-hancke-tsvwg-snap-00)
//!
//! <https://www.rfc-editor.org/rfc/rfc8841#section-5>

use std::fmt;
use std::num::IntErrorKind;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::cursor::{Cursor, whole};
use crate::error::{Fault, ParseError};

/// The SCTP port; 0 asks for no association (RFC 8841 5 and 9.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SctpPort(pub u16);

impl FromStr for SctpPort {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        whole(text, |cursor| cursor.plain_number("an SCTP port (0 to 65535, without leading zeros)").map(Self))
    }
}

impl fmt::Display for SctpPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The largest message that a side takes (RFC 8841 6.1).
///
/// ```
/// use weft_sdp::MaxMessageSize;
///
/// assert_eq!("0".parse::<MaxMessageSize>()?, MaxMessageSize::Unlimited);
/// assert!(MaxMessageSize::default().allows(65_536));
/// assert!(!MaxMessageSize::default().allows(65_537));
/// # Ok::<(), weft_sdp::ParseError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MaxMessageSize {
    /// So many bytes, at least 1.
    Bytes(u64),
    /// Any size, "subject to memory capacity".
    Unlimited,
}

impl MaxMessageSize {
    /// From the number on the wire, where 0 stands for no limit.
    pub fn from_wire(bytes: u64) -> Self {
        if bytes == 0 { Self::Unlimited } else { Self::Bytes(bytes) }
    }

    /// Whether a message of so many bytes may be sent.
    pub fn allows(self, length: usize) -> bool {
        match self {
            Self::Bytes(most) => u64::try_from(length).is_ok_and(|length| length <= most),
            Self::Unlimited => true,
        }
    }
}

impl Default for MaxMessageSize {
    /// 64 KiB, which holds for a side that does not say.
    fn default() -> Self {
        Self::Bytes(65_536)
    }
}

impl FromStr for MaxMessageSize {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        whole(text, |cursor| {
            const EXPECTED: &str = "a message size (digits, without leading zeros)";
            let start = cursor.offset();
            let digits = cursor.digits(EXPECTED)?;
            match digits.parse() {
                _ if digits.len() > 1 && digits.starts_with('0') => Err(Fault::new(start, EXPECTED)),
                Ok(bytes) => Ok(Self::from_wire(bytes)),
                // The grammar does not bound the number.
                Err(error) if *error.kind() == IntErrorKind::PosOverflow => Ok(Self::Bytes(u64::MAX)),
                Err(_) => Err(Fault::new(start, EXPECTED)),
            }
        })
    }
}

impl fmt::Display for MaxMessageSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(bytes) => bytes.fmt(f),
            Self::Unlimited => f.write_str("0"),
        }
    }
}

/// An SCTP INIT chunk, which saves the handshake where both sides exchange theirs (draft-hancke-tsvwg-snap-00). What is in
/// it is for SCTP to judge.
///
/// ```
/// use weft_sdp::SctpInit;
///
/// let init: SctpInit = "AQAAHols3R0AUAAA/////+B5ZR3AAAAEgAgABoLA".parse()?;
/// assert_eq!(init.0.len(), 30);
/// assert_eq!(init.to_string(), "AQAAHols3R0AUAAA/////+B5ZR3AAAAEgAgABoLA");
/// # Ok::<(), weft_sdp::ParseError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SctpInit(pub Vec<u8>);

impl FromStr for SctpInit {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        whole(text, |cursor| {
            let start = cursor.offset();
            let text = cursor.run(|_| true);
            BASE64.decode(text).map(Self).map_err(|_| Fault::new(start, "base64"))
        })
    }
}

impl fmt::Display for SctpInit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&BASE64.encode(&self.0))
    }
}

/// What drafts before RFC 8841 wrote in place of `a=sctp-port`, with `DTLS/SCTP` for the protocol and the port for
/// the format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SctpMap {
    /// SCTP port.
    pub port: u16,
    /// What runs over the association, `webrtc-datachannel`.
    pub protocol: String,
    /// How many streams there may be.
    pub streams: Option<u16>,
}

impl FromStr for SctpMap {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        whole(text, |cursor: &mut Cursor<'_>| {
            let port = cursor.number("an SCTP port (0 to 65535)")?;
            cursor.space()?;
            let protocol = cursor.token("a protocol")?.to_owned();
            let streams = if cursor.take(b' ') { Some(cursor.number("a number of streams")?) } else { None };
            Ok(Self { port, protocol, streams })
        })
    }
}

impl fmt::Display for SctpMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.port, self.protocol)?;
        self.streams.map_or(Ok(()), |streams| write!(f, " {streams}"))
    }
}
