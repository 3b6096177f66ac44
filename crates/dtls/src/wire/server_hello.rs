//! [ServerHello](https://www.rfc-editor.org/rfc/rfc5246#section-7.4.1.3).
//!
//! ```text
//! server_version 2 | random 32 | session_id <0..32> | cipher_suite 2 | compression_method 1 | extensions <0..2^16-1>
//! ```

use super::codec::{DecodeError, Reader, put_u8_vector, put_u16_vector};
use super::extensions::{Extensions, put_extension};
use super::registry::{CipherSuite, ExtensionType, ProtocolVersion};

/// What the server chose.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ServerHello<'a> {
    /// The version, as far as 1.2.
    pub server_version: ProtocolVersion,
    /// The server's random.
    pub random: [u8; 32],
    /// A session that could be resumed later.
    pub session_id: &'a [u8],
    /// The cipher suite.
    pub cipher_suite: CipherSuite,
    /// The compression method.
    pub compression_method: u8,
    /// Extensions, answers to those of the client alone.
    pub extensions: Extensions<'a>,
}

impl<'a> ServerHello<'a> {
    /// Reads the body of a ServerHello.
    pub fn parse(body: &'a [u8]) -> Result<Self, DecodeError> {
        let mut r = Reader::new(body);
        let server_version = ProtocolVersion(r.u16()?);
        let random = r.array()?;
        let session_id = r.u8_vector()?;
        if session_id.len() > 32 {
            return Err(DecodeError);
        }
        let cipher_suite = CipherSuite(r.u16()?);
        let compression_method = r.u8()?;
        let extensions = Extensions::parse_tail(r)?;
        Ok(Self { server_version, random, session_id, cipher_suite, compression_method, extensions })
    }

    /// Writes the ServerHello of a DTLS 1.2 server that resumes nothing.
    pub(crate) fn write_v12(random: &[u8; 32], suite: CipherSuite, renegotiation: bool, formats: bool) -> Vec<u8> {
        let mut out = Vec::with_capacity(80);
        out.extend_from_slice(&ProtocolVersion::DTLS_1_2.0.to_be_bytes());
        out.extend_from_slice(random);
        put_u8_vector(&mut out, &[]);
        out.extend_from_slice(&suite.0.to_be_bytes());
        out.push(0);
        let mut extensions = Vec::with_capacity(16);
        put_extension(&mut extensions, ExtensionType::EXTENDED_MASTER_SECRET, &[]);
        if renegotiation {
            put_extension(&mut extensions, ExtensionType::RENEGOTIATION_INFO, &[0]);
        }
        if formats {
            put_extension(&mut extensions, ExtensionType::EC_POINT_FORMATS, &[1, 0]);
        }
        put_u16_vector(&mut out, &extensions);
        out
    }
}
