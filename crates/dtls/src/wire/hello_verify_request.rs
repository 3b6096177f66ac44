//! [HelloVerifyRequest](https://www.rfc-editor.org/rfc/rfc6347#section-4.2.1): `server_version 2 | cookie <0..2^8-1>`.

use super::codec::{DecodeError, Reader, put_u8_vector};
use super::registry::ProtocolVersion;

/// A server's request to prove the client's address by repeating a cookie.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HelloVerifyRequest<'a> {
    /// Not a negotiation: servers write 1.0 here whatever they will choose.
    pub server_version: ProtocolVersion,
    /// To be sent back in the next ClientHello.
    pub cookie: &'a [u8],
}

impl<'a> HelloVerifyRequest<'a> {
    /// Reads the body of a HelloVerifyRequest.
    pub fn parse(body: &'a [u8]) -> Result<Self, DecodeError> {
        let mut r = Reader::new(body);
        let server_version = ProtocolVersion(r.u16()?);
        let cookie = r.u8_vector()?;
        r.finish()?;
        Ok(Self { server_version, cookie })
    }

    /// Writes a request; cookies have 255 bytes at most.
    pub(crate) fn write(cookie: &[u8]) -> Vec<u8> {
        let mut out = ProtocolVersion::DTLS_1_0.0.to_be_bytes().to_vec();
        put_u8_vector(&mut out, cookie);
        out
    }
}
