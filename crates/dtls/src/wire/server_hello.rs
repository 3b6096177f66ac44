//! [ServerHello](https://www.rfc-editor.org/rfc/rfc5246#section-7.4.1.3).
//!
//! ```text
//! server_version 2 | random 32 | session_id <0..32> | cipher_suite 2 | compression_method 1 | extensions <0..2^16-1>
//! ```

use super::codec::{DecodeError, Reader, put_u8_vector, put_u16_vector};
use super::extensions::{Extensions, put_extension, put_extensions};
use super::key_share::write_key_share;
use super::registry::{CipherSuite, ExtensionType, NamedGroup, ProtocolVersion};

/// The random of a HelloRetryRequest, which is a ServerHello but for that (RFC 8446 section 4.1.3).
const RETRY_RANDOM: [u8; 32] = [
    0xCF, 0x21, 0xAD, 0x74, 0xE5, 0x9A, 0x61, 0x11, 0xBE, 0x1D, 0x8C, 0x02, 0x1E, 0x65, 0xB8, 0x91, 0xC2, 0xA2, 0x11,
    0x16, 0x7A, 0xBB, 0x8C, 0x5E, 0x07, 0x9E, 0x09, 0xE2, 0xC8, 0xA8, 0x33, 0x9C,
];

/// How the random of a server ends that speaks 1.3 and yet chooses 1.2 (RFC 8446 section 4.1.3).
pub const DOWNGRADE_SENTINEL: [u8; 8] = *b"DOWNGRD\x01";
/// The same for versions before 1.2.
const OLDER_SENTINEL: [u8; 8] = *b"DOWNGRD\x00";

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

    /// Whether it is a HelloRetryRequest.
    pub fn is_retry(&self) -> bool {
        self.random == RETRY_RANDOM
    }

    /// Whether the server chose 1.3, which `supported_versions` says.
    pub fn chooses_v13(&self) -> bool {
        self.extensions.get(ExtensionType::SUPPORTED_VERSIONS) == Some(&ProtocolVersion::DTLS_1_3.0.to_be_bytes()[..])
    }

    /// Whether the server says that it would speak a newer version to whoever asks.
    pub fn signals_downgrade(&self) -> bool {
        self.random.ends_with(&DOWNGRADE_SENTINEL) || self.random.ends_with(&OLDER_SENTINEL)
    }

    /// Writes the ServerHello of a DTLS 1.3 server.
    pub(crate) fn write_v13(
        random: &[u8; 32],
        suite: CipherSuite,
        group: NamedGroup,
        share: &[u8],
        others: &[(ExtensionType, Vec<u8>)],
    ) -> Vec<u8> {
        let mut extensions = vec![(ExtensionType::KEY_SHARE, write_key_share(group, share))];
        extensions.extend_from_slice(others);
        Self::write_as_v13(random, suite, &extensions)
    }

    /// Writes a HelloRetryRequest: for a share of `group`, for the cookie, whose extension is given, or for both.
    pub(crate) fn write_retry(suite: CipherSuite, group: Option<NamedGroup>, cookie: Option<&[u8]>) -> Vec<u8> {
        let share = group.map(|group| (ExtensionType::KEY_SHARE, group.0.to_be_bytes().to_vec()));
        let cookie = cookie.map(|cookie| (ExtensionType::COOKIE, cookie.to_vec()));
        let extensions: Vec<_> = share.into_iter().chain(cookie).collect();
        Self::write_as_v13(&RETRY_RANDOM, suite, &extensions)
    }

    fn write_as_v13(random: &[u8; 32], suite: CipherSuite, extensions: &[(ExtensionType, Vec<u8>)]) -> Vec<u8> {
        let mut block = Vec::with_capacity(128);
        put_extension(&mut block, ExtensionType::SUPPORTED_VERSIONS, &ProtocolVersion::DTLS_1_3.0.to_be_bytes());
        put_extensions(&mut block, extensions);
        let mut out = Vec::with_capacity(block.len().saturating_add(48));
        out.extend_from_slice(&ProtocolVersion::DTLS_1_2.0.to_be_bytes());
        out.extend_from_slice(random);
        put_u8_vector(&mut out, &[]);
        out.extend_from_slice(&suite.0.to_be_bytes());
        out.push(0);
        put_u16_vector(&mut out, &block);
        out
    }

    /// Writes the ServerHello of a DTLS 1.2 server that resumes nothing.
    pub(crate) fn write_v12(
        random: &[u8; 32],
        suite: CipherSuite,
        renegotiation: bool,
        formats: bool,
        others: &[(ExtensionType, Vec<u8>)],
    ) -> Vec<u8> {
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
        put_extensions(&mut extensions, others);
        put_u16_vector(&mut out, &extensions);
        out
    }
}
