//! [ClientHello](https://www.rfc-editor.org/rfc/rfc6347#section-4.2.1).
//!
//! ```text
//! client_version 2 | random 32 | session_id <0..32> | cookie <0..255> | cipher_suites <2..2^16-1>
//! | compression_methods <1..2^8-1> | extensions <0..2^16-1>
//! ```

use super::codec::{DecodeError, Reader, put_u8_vector, put_u16_vector};
use super::extensions::{Extensions, Numbers, number_list, put_extension, put_extensions};
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
            // Newer versions, of this major number or one to come, are smaller; those of TLS have no place here.
            return Ok(self.client_version <= version && self.client_version.0 & 0x8000 != 0);
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

    /// Whether the client speaks 1.3, which `supported_versions` alone can say.
    pub fn offers_v13(&self) -> Result<bool, DecodeError> {
        let told = self.extensions.get(ExtensionType::SUPPORTED_VERSIONS).is_some();
        Ok(told && self.offers_version(ProtocolVersion::DTLS_1_3)?)
    }
}

/// What our ClientHello says.
pub(crate) struct Offer<'a> {
    pub(crate) random: &'a [u8; 32],
    /// In the order preferred; extensions that serve one version alone are left out with it.
    pub(crate) versions: &'a [ProtocolVersion],
    pub(crate) suites: &'a [CipherSuite],
    pub(crate) groups: &'a [NamedGroup],
    pub(crate) schemes: &'a [SignatureScheme],
    /// The key_share extension, for 1.3.
    pub(crate) key_share: &'a [u8],
    /// Extensions that are the same in every version.
    pub(crate) others: &'a [(ExtensionType, Vec<u8>)],
    /// The cookie of a HelloRetryRequest, as its extension had it.
    pub(crate) cookie: Option<&'a [u8]>,
}

/// Where the cookie of a HelloVerifyRequest goes in a hello of ours: after version, random and no session.
const COOKIE_AT: usize = 35;

impl Offer<'_> {
    /// Writes the ClientHello, with an empty cookie for 1.2.
    pub(crate) fn write(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(256_usize.saturating_add(self.key_share.len()));
        out.extend_from_slice(&ProtocolVersion::DTLS_1_2.0.to_be_bytes());
        out.extend_from_slice(self.random);
        put_u8_vector(&mut out, &[]);
        put_u8_vector(&mut out, &[]);
        out.extend_from_slice(&number_list(self.suites.iter().map(|s| s.0)));
        put_u8_vector(&mut out, &[0]);
        let mut block = Vec::with_capacity(192_usize.saturating_add(self.key_share.len()));
        if self.versions.contains(&ProtocolVersion::DTLS_1_2) {
            put_extension(&mut block, ExtensionType::EXTENDED_MASTER_SECRET, &[]);
            put_extension(&mut block, ExtensionType::RENEGOTIATION_INFO, &[0]);
            // RFC 8422 section 5.1.2: one format, uncompressed.
            put_extension(&mut block, ExtensionType::EC_POINT_FORMATS, &[1, 0]);
        }
        put_extension(&mut block, ExtensionType::SUPPORTED_GROUPS, &number_list(self.groups.iter().map(|g| g.0)));
        let schemes = number_list(self.schemes.iter().map(|s| s.0));
        put_extension(&mut block, ExtensionType::SIGNATURE_ALGORITHMS, &schemes);
        if self.versions.contains(&ProtocolVersion::DTLS_1_3) {
            let mut versions = Vec::with_capacity(8);
            let list: Vec<u8> = self.versions.iter().flat_map(|v| v.0.to_be_bytes()).collect();
            put_u8_vector(&mut versions, &list);
            put_extension(&mut block, ExtensionType::SUPPORTED_VERSIONS, &versions);
            put_extension(&mut block, ExtensionType::KEY_SHARE, self.key_share);
        }
        put_extensions(&mut block, self.others);
        if let Some(cookie) = self.cookie {
            put_extension(&mut block, ExtensionType::COOKIE, cookie);
        }
        put_u16_vector(&mut out, &block);
        out
    }

    /// Puts the cookie of a HelloVerifyRequest into a hello that [`write`](Self::write) wrote.
    pub(crate) fn with_cookie(hello: &[u8], cookie: &[u8]) -> Vec<u8> {
        let mut out = hello.get(..COOKIE_AT).unwrap_or_default().to_vec();
        put_u8_vector(&mut out, cookie);
        out.extend_from_slice(hello.get(COOKIE_AT.saturating_add(1)..).unwrap_or_default());
        out
    }
}
