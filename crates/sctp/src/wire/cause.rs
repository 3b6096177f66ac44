//! Error causes ([RFC 9260 section 3.3.10](https://www.rfc-editor.org/rfc/rfc9260#section-3.3.10)).
//!
//! ```text
//! |           Cause Code          |       Cause Length            |
//! |                 Cause-Specific Information ...                |
//! ```

use super::{be16, put_param, put16, put32};

/// Cause codes.
pub mod code {
    /// Invalid Stream Identifier.
    pub const INVALID_STREAM: u16 = 1;
    /// Missing Mandatory Parameter.
    pub const MISSING_PARAMETER: u16 = 2;
    /// Stale Cookie.
    pub const STALE_COOKIE: u16 = 3;
    /// Out of Resource.
    pub const OUT_OF_RESOURCE: u16 = 4;
    /// Unresolvable Address.
    pub const UNRESOLVABLE_ADDRESS: u16 = 5;
    /// Unrecognized Chunk Type.
    pub const UNRECOGNIZED_CHUNK: u16 = 6;
    /// Invalid Mandatory Parameter.
    pub const INVALID_PARAMETER: u16 = 7;
    /// Unrecognized Parameters.
    pub const UNRECOGNIZED_PARAMETERS: u16 = 8;
    /// No User Data.
    pub const NO_USER_DATA: u16 = 9;
    /// Cookie Received While Shutting Down.
    pub const COOKIE_WHILE_SHUTTING_DOWN: u16 = 10;
    /// Restart of an Association with New Addresses.
    pub const RESTART_WITH_NEW_ADDRESSES: u16 = 11;
    /// User-Initiated Abort.
    pub const USER_INITIATED_ABORT: u16 = 12;
    /// Protocol Violation.
    pub const PROTOCOL_VIOLATION: u16 = 13;
}

/// An error cause to be written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Cause<'a> {
    /// DATA on a stream that does not exist.
    InvalidStream(u16),
    /// INIT or INIT ACK without a parameter it must have.
    MissingParameter(u16),
    /// The cookie is too old by so many microseconds.
    StaleCookie(u32),
    /// A limit was reached.
    OutOfResource,
    /// An address that cannot be used: the parameter that holds it.
    UnresolvableAddress(&'a [u8]),
    /// A chunk of unknown type, whole.
    UnrecognizedChunk(&'a [u8]),
    /// INIT or INIT ACK with an impossible field.
    InvalidParameter,
    /// Parameters of unknown type, whole.
    UnrecognizedParameters(&'a [u8]),
    /// DATA with this TSN was empty.
    NoUserData(u32),
    /// A COOKIE ECHO came in SHUTDOWN-ACK-SENT.
    CookieWhileShuttingDown,
    /// The application ended it.
    UserInitiatedAbort(&'a [u8]),
    /// The peer broke the protocol.
    ProtocolViolation(&'a [u8]),
}

impl Cause<'_> {
    /// Its cause code.
    pub const fn code(&self) -> u16 {
        match self {
            Self::InvalidStream(_) => code::INVALID_STREAM,
            Self::MissingParameter(_) => code::MISSING_PARAMETER,
            Self::StaleCookie(_) => code::STALE_COOKIE,
            Self::OutOfResource => code::OUT_OF_RESOURCE,
            Self::UnresolvableAddress(_) => code::UNRESOLVABLE_ADDRESS,
            Self::UnrecognizedChunk(_) => code::UNRECOGNIZED_CHUNK,
            Self::InvalidParameter => code::INVALID_PARAMETER,
            Self::UnrecognizedParameters(_) => code::UNRECOGNIZED_PARAMETERS,
            Self::NoUserData(_) => code::NO_USER_DATA,
            Self::CookieWhileShuttingDown => code::COOKIE_WHILE_SHUTTING_DOWN,
            Self::UserInitiatedAbort(_) => code::USER_INITIATED_ABORT,
            Self::ProtocolViolation(_) => code::PROTOCOL_VIOLATION,
        }
    }

    /// Appends it.
    pub fn write(&self, out: &mut Vec<u8>) {
        put_param(out, self.code(), |out| match *self {
            Self::InvalidStream(stream) => {
                put16(out, stream);
                put16(out, 0);
            }
            Self::MissingParameter(kind) => {
                put32(out, 1);
                put16(out, kind);
            }
            Self::StaleCookie(micros) => put32(out, micros),
            Self::NoUserData(tsn) => put32(out, tsn),
            Self::UnresolvableAddress(bytes)
            | Self::UnrecognizedChunk(bytes)
            | Self::UnrecognizedParameters(bytes)
            | Self::UserInitiatedAbort(bytes)
            | Self::ProtocolViolation(bytes) => out.extend_from_slice(bytes),
            Self::OutOfResource | Self::InvalidParameter | Self::CookieWhileShuttingDown => {}
        });
    }
}

/// The first cause in the value of an ABORT or ERROR: its code and information.
pub fn first(value: &[u8]) -> Option<(u16, &[u8])> {
    let len = usize::from(be16(value, 2)?);
    Some((be16(value, 0)?, value.get(4..len)?))
}
