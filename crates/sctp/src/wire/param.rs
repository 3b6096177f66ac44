//! Parameters: type, length, value ([RFC 9260 section 3.2.1](https://www.rfc-editor.org/rfc/rfc9260#section-3.2.1)).
//!
//! ```text
//! |        Parameter Type         |       Parameter Length        |
//! |                     Parameter Value ...                       |
//! ```

use super::{be16, padded};

/// State Cookie, in INIT ACK.
pub const STATE_COOKIE: u16 = 7;
/// Unrecognized Parameter, in INIT ACK.
pub const UNRECOGNIZED: u16 = 8;
/// IPv4 Address.
pub const IPV4_ADDRESS: u16 = 5;
/// IPv6 Address.
pub const IPV6_ADDRESS: u16 = 6;
/// Cookie Preservative.
pub const COOKIE_PRESERVATIVE: u16 = 9;
/// Host Name Address (deprecated: an association that brings it is refused).
pub const HOST_NAME_ADDRESS: u16 = 11;
/// Supported Address Types.
pub const SUPPORTED_ADDRESS_TYPES: u16 = 12;
/// Zero Checksum Acceptable (RFC 9653).
pub const ZERO_CHECKSUM: u16 = 0x8001;
/// Supported Extensions (RFC 5061 section 4.2.7).
pub const SUPPORTED_EXTENSIONS: u16 = 0x8008;
/// Forward-TSN-Supported (RFC 3758 section 3.1).
pub const FORWARD_TSN_SUPPORTED: u16 = 0xC000;

/// One parameter (or error cause, which has the same shape).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Param<'a> {
    /// Its type.
    pub kind: u16,
    /// Its value, without padding.
    pub value: &'a [u8],
    /// All of it as it stood, without padding.
    pub raw: &'a [u8],
}

/// Iterates over parameters; ends early at one whose length is impossible (see [`well_formed`](Self::well_formed)).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Params<'a>(&'a [u8]);

impl<'a> Params<'a> {
    /// Over the bytes of a chunk that hold parameters.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Whether every length is possible.
    pub fn well_formed(&self) -> bool {
        let mut rest = self.clone();
        while rest.next().is_some() {}
        rest.0.is_empty()
    }

    /// The value of the first parameter of type `kind`.
    pub fn find(&self, kind: u16) -> Option<&'a [u8]> {
        Some(Iterator::find(&mut self.clone(), |p| p.kind == kind)?.value)
    }
}

impl<'a> Iterator for Params<'a> {
    type Item = Param<'a>;

    fn next(&mut self) -> Option<Param<'a>> {
        let kind = be16(self.0, 0)?;
        let len = usize::from(be16(self.0, 2)?);
        let raw = self.0.get(..len)?;
        let value = raw.get(4..)?;
        self.0 = self.0.get(padded(len)..).unwrap_or_default();
        Some(Param { kind, value, raw })
    }
}
