//! [ClientHello](https://www.rfc-editor.org/rfc/rfc6347#section-4.2.1).
//!
//! ```text
//! client_version 2 | random 32 | session_id <0..32> | cookie <0..255> | cipher_suites <2..2^16-1>
//! | compression_methods <1..2^8-1> | extensions <0..2^16-1>
//! ```

use super::codec::{DecodeError, Reader, put_u8_vector, put_u16_vector};
use super::extensions::{Extensions, Numbers, number_list, put_extension};
use super::registry::{CipherSuite, ExtensionType, NamedGroup, ProtocolVersion, SignatureScheme};

/// What a client offers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ClientHello<'a> {
    /// The highest version of the client, as far as 1.2; newer ones are in `supported_versions`.
    pub client_version: ProtocolVersion,
    /// The client's random.
    pub random: [u8; 32],
    /// A session to resume.
    pub session_id: &'a [u8],
    /// The cookie of a HelloVerifyRequest.
    pub cookie: &'a [u8],
    /// Cipher suites, the preferred first.
    pub cipher_suites: Numbers<'a>,
    /// Compression methods: 0 is "none".
    pub compression_methods: &'a [u8],
    /// Extensions.
    pub extensions: Extensions<'a>,
}

impl<'a> ClientHello<'a> {
    /// Reads the body of a ClientHello.
    pub fn parse(body: &'a [u8]) -> Result<Self, DecodeError> {
        let mut r = Reader::new(body);
        let client_version = ProtocolVersion(r.u16()?);
        let random = r.array()?;
        let session_id = r.u8_vector()?;
        let cookie = r.u8_vector()?;
        let cipher_suites = Numbers::over(r.u16_vector()?)?;
        let compression_methods = r.u8_vector()?;
        if session_id.len() > 32 || compression_methods.is_empty() {
            return Err(DecodeError);
        }
        let extensions = Extensions::parse_tail(r)?;
        Ok(Self { client_version, random, session_id, cookie, cipher_suites, compression_methods, extensions })
    }

    /// Whether the client speaks `version`: it says so in `supported_versions`, or, without that extension, its version
    /// field is at least that (RFC 8446 section 4.2.1). Wire numbers fall as versions rise.
    pub fn offers_version(&self, version: ProtocolVersion) -> Result<bool, DecodeError> {
        let Some(data) = self.extensions.get(ExtensionType::SUPPORTED_VERSIONS) else {
            return Ok(self.client_version <= version && self.client_version.0 >> 8 == 0xFE);
        };
        let mut r = Reader::new(data);
        let list = Numbers::over(r.u8_vector()?)?;
        r.finish()?;
        Ok(list.contains(version.0))
    }

    /// Whether the client understands secure renegotiation, told by extension or signal (RFC 5746 section 3.6).
    pub fn secure_renegotiation(&self) -> bool {
        self.extensions.get(ExtensionType::RENEGOTIATION_INFO).is_some()
            || self.cipher_suites.contains(CipherSuite::EMPTY_RENEGOTIATION_INFO_SCSV.0)
    }

    /// Writes the ClientHello of a DTLS 1.2 client.
    pub(crate) fn write_v12(
        random: &[u8; 32],
        cookie: &[u8],
        suites: &[CipherSuite],
        groups: &[NamedGroup],
        schemes: &[SignatureScheme],
    ) -> Vec<u8> {
        let mut out = Vec::with_capacity(192);
        out.extend_from_slice(&ProtocolVersion::DTLS_1_2.0.to_be_bytes());
        out.extend_from_slice(random);
        put_u8_vector(&mut out, &[]);
        put_u8_vector(&mut out, cookie);
        out.extend_from_slice(&number_list(suites.iter().map(|s| s.0)));
        put_u8_vector(&mut out, &[0]);
        let mut extensions = Vec::with_capacity(96);
        put_extension(&mut extensions, ExtensionType::EXTENDED_MASTER_SECRET, &[]);
        put_extension(&mut extensions, ExtensionType::RENEGOTIATION_INFO, &[0]);
        put_extension(&mut extensions, ExtensionType::SUPPORTED_GROUPS, &number_list(groups.iter().map(|g| g.0)));
        // RFC 8422 section 5.1.2: one format, uncompressed.
        put_extension(&mut extensions, ExtensionType::EC_POINT_FORMATS, &[1, 0]);
        put_extension(&mut extensions, ExtensionType::SIGNATURE_ALGORITHMS, &number_list(schemes.iter().map(|s| s.0)));
        put_u16_vector(&mut out, &extensions);
        out
    }
}
