//! Our own certificate and its private key.

use core::fmt;
use core::time::Duration;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use zeroize::Zeroizing;

use crate::crypto::HashAlgorithm;
use crate::crypto::{KeyKind, SigningKey, generate_signing_key, read_signing_key};
use crate::der;
use crate::fingerprint::Fingerprint;
use crate::wire::{NamedGroup, Numbers, SignatureScheme};

/// The end of the year 4095, in time since 1970.
const LATEST: Duration = Duration::from_secs(67_090_118_399);
const CERTIFICATE_LABELS: &[&str] = &["CERTIFICATE"];
const KEY_LABELS: &[&str] = &["PRIVATE KEY", "EC PRIVATE KEY", "RSA PRIVATE KEY"];

/// A certificate with its private key, and perhaps the certificates that vouch for it. The key is ECDSA on P-256 or P-384,
/// Ed25519, or RSA of 2048 bits and more.
pub struct Certificate {
    /// In DER, each vouched for by the next. Not empty.
    chain: Vec<Vec<u8>>,
    /// Label and content in PEM of a key that is in memory.
    key_pem: Option<(&'static str, Zeroizing<Vec<u8>>)>,
    key: Arc<dyn SigningKey>,
    /// What the key may sign with, if not with all that it can.
    schemes: Option<Vec<SignatureScheme>>,
}

/// Why there is no certificate.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateError {
    /// Key or certificate could not be made.
    #[error("could not generate a certificate")]
    Generation,
    /// The text lacks a certificate or a private key, or they are not well-formed.
    #[error("malformed PEM")]
    Pem,
    /// The private key is of a kind that is not supported, or an RSA key of less than 2048 bits.
    #[error("unsupported private key")]
    Key,
    /// The private key does not belong to the certificate.
    #[error("the private key does not belong to the certificate")]
    Mismatch,
}

impl Certificate {
    /// Makes a self-signed certificate with a new ECDSA key on P-256: what WebRTC asks for (RFC 8827 section 6.5).
    ///
    /// It holds nothing that tells who or when: its validity runs from 1975 to 4096, whatever the day.
    pub fn generate() -> Result<Self, CertificateError> {
        Self::generate_for(KeyKind::P256)
    }

    /// The same with a key of another kind; an RSA key has 2048 bits, and takes a good part of a second.
    pub fn generate_for(kind: KeyKind) -> Result<Self, CertificateError> {
        Self::generate_until(kind, None)
    }

    /// The same, valid until `expires` after the beginning of 1970 (UTC, whole seconds) where it is given, but not
    /// beyond the year 4095.
    pub fn generate_until(kind: KeyKind, expires: Option<Duration>) -> Result<Self, CertificateError> {
        let (algorithm, scheme) = match kind {
            KeyKind::P256 => (&rcgen::PKCS_ECDSA_P256_SHA256, SignatureScheme::ECDSA_SECP256R1_SHA256),
            KeyKind::P384 => (&rcgen::PKCS_ECDSA_P384_SHA384, SignatureScheme::ECDSA_SECP384R1_SHA384),
            KeyKind::Ed25519 => (&rcgen::PKCS_ED25519, SignatureScheme::ED25519),
            KeyKind::Rsa => return Self::generate_rsa(2048, expires),
        };
        let (key, pkcs8) = generate_signing_key(kind).map_err(|_| CertificateError::Generation)?;
        let chain = vec![self_signed(&Signer { key: key.as_ref(), algorithm, scheme }, expires)?];
        Ok(Self { key_pem: Some(("PRIVATE KEY", pkcs8)), ..Self::with_signing_key(chain, key)? })
    }

    /// The same with an RSA key of 2048, 3072 or 4096 bits, which may take seconds; [`CertificateError::Key`] for any other.
    pub fn generate_rsa(bits: u16, expires: Option<Duration>) -> Result<Self, CertificateError> {
        let size = match bits {
            2048 => rcgen::RsaKeySize::_2048,
            3072 => rcgen::RsaKeySize::_3072,
            4096 => rcgen::RsaKeySize::_4096,
            _ => return Err(CertificateError::Key),
        };
        let key = rcgen::KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, size);
        let key = key.map_err(|_| CertificateError::Generation)?;
        Self::assemble(vec![self_signed(&key, expires)?], "PRIVATE KEY", Zeroizing::new(key.serialize_der()))
    }

    /// Reads what [`to_pem`](Self::to_pem) wrote, or a certificate and an unencrypted private key (PKCS #8, SEC 1 or
    /// PKCS #1) of other make, in any order. Of several certificates the first is ours, and those that follow are sent
    /// with it, as the peer may need them to build its chain.
    pub fn from_pem(pem: &str) -> Result<Self, CertificateError> {
        let mut chain = Vec::new();
        let mut rest = pem;
        while let Some((_, der, tail)) = pem_block(rest, CERTIFICATE_LABELS) {
            chain.push(der);
            rest = tail;
        }
        let (label, key, _) = pem_block(pem, KEY_LABELS).ok_or(CertificateError::Pem)?;
        Self::assemble(chain, label, Zeroizing::new(key))
    }

    /// A certificate (DER), with those that vouch for it, whose private key is held elsewhere: in a device, say.
    pub fn with_signing_key(chain: Vec<Vec<u8>>, key: Arc<dyn SigningKey>) -> Result<Self, CertificateError> {
        let public = chain.first().ok_or(CertificateError::Pem)?;
        let public = der::subject_public_key(public).map_err(|_| CertificateError::Pem)?;
        if public != key.public() {
            return Err(CertificateError::Mismatch);
        }
        Ok(Self { chain, key_pem: None, key, schemes: None })
    }

    /// Signs with these schemes alone, the preferred first, as far as the key can.
    #[must_use]
    pub fn with_signature_schemes(mut self, schemes: Vec<SignatureScheme>) -> Self {
        self.schemes = Some(schemes);
        self
    }

    fn assemble(
        chain: Vec<Vec<u8>>,
        label: &'static str,
        key_der: Zeroizing<Vec<u8>>,
    ) -> Result<Self, CertificateError> {
        let key = read_signing_key(&key_der).map_err(|_| CertificateError::Key)?;
        Ok(Self { key_pem: Some((label, key_der)), ..Self::with_signing_key(chain, key)? })
    }

    /// Certificate, those that vouch for it, and private key as PEM. Keep it secret. A key that is held elsewhere is left
    /// out.
    pub fn to_pem(&self) -> Zeroizing<String> {
        let bytes = self.chain.iter().fold(4096_usize, |sum, der| sum.saturating_add(der.len().saturating_mul(2)));
        let mut out = Zeroizing::new(String::with_capacity(bytes));
        self.chain.iter().for_each(|der| put_pem_block(&mut out, "CERTIFICATE", der));
        if let Some((label, key)) = &self.key_pem {
            put_pem_block(&mut out, label, key);
        }
        out
    }

    /// When its validity ends, in time since the beginning of 1970 (UTC), zero if that was before; `None` where it does not say
    /// so in a form that is known (RFC 5280 section 4.1.2.5).
    pub fn expires(&self) -> Option<Duration> {
        der::not_after(self.der())
    }

    /// The certificate in DER.
    pub fn der(&self) -> &[u8] {
        self.chain.first().map(Vec::as_slice).unwrap_or_default()
    }

    /// The certificate and those that vouch for it, in DER.
    pub fn chain(&self) -> impl Iterator<Item = &[u8]> {
        self.chain.iter().map(Vec::as_slice)
    }

    /// What kind of key it has.
    pub fn key_kind(&self) -> KeyKind {
        self.key.public().kind
    }

    /// The certificate's fingerprint, for SDP.
    pub fn fingerprint(&self, algorithm: HashAlgorithm) -> Fingerprint {
        Fingerprint::of(algorithm, self.der())
    }

    pub(crate) fn key(&self) -> &dyn SigningKey {
        self.key.as_ref()
    }

    pub(crate) fn is_rsa(&self) -> bool {
        self.key_kind() == KeyKind::Rsa
    }

    /// The curve of an ECDSA key.
    pub(crate) fn curve(&self) -> Option<NamedGroup> {
        match self.key_kind() {
            KeyKind::P256 => Some(NamedGroup::SECP256R1),
            KeyKind::P384 => Some(NamedGroup::SECP384R1),
            KeyKind::Ed25519 | KeyKind::Rsa => None,
        }
    }

    /// The scheme to sign with: one of the key's, of `allowed` by the version, and of those that the peer verifies.
    pub(crate) fn scheme(&self, allowed: &[SignatureScheme], peer: Numbers<'_>) -> Option<SignatureScheme> {
        let own: &[SignatureScheme] = match self.key_kind() {
            KeyKind::P256 => &[SignatureScheme::ECDSA_SECP256R1_SHA256],
            KeyKind::P384 => &[SignatureScheme::ECDSA_SECP384R1_SHA384],
            KeyKind::Ed25519 => &[SignatureScheme::ED25519],
            KeyKind::Rsa => &[
                SignatureScheme::RSA_PSS_RSAE_SHA256,
                SignatureScheme::RSA_PKCS1_SHA256,
                SignatureScheme::RSA_PSS_RSAE_SHA384,
                SignatureScheme::RSA_PKCS1_SHA384,
                SignatureScheme::RSA_PSS_RSAE_SHA512,
                SignatureScheme::RSA_PKCS1_SHA512,
            ],
        };
        let fits =
            |scheme: &SignatureScheme| own.contains(scheme) && allowed.contains(scheme) && peer.contains(scheme.0);
        self.schemes.as_deref().unwrap_or(own).iter().copied().find(fits)
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Certificate").field(&self.fingerprint(HashAlgorithm::Sha256)).finish()
    }
}

/// The first block with one of `labels` (RFC 7468), decoded, and what follows it.
fn pem_block<'a>(pem: &'a str, labels: &'static [&'static str]) -> Option<(&'static str, Vec<u8>, &'a str)> {
    labels
        .iter()
        .filter_map(|label| {
            let begin = format!("-----BEGIN {label}-----");
            let at = pem.find(&begin)?;
            let rest = pem.get(at.checked_add(begin.len())?..)?;
            let (body, rest) = rest.split_once(&format!("-----END {label}-----"))?;
            let body: Zeroizing<String> = Zeroizing::new(body.chars().filter(|c| !c.is_ascii_whitespace()).collect());
            Some((at, *label, BASE64.decode(body.as_bytes()).ok()?, rest))
        })
        .min_by_key(|(at, ..)| *at)
        .map(|(_, label, der, rest)| (label, der, rest))
}

/// A certificate (DER) for `key`.
fn self_signed(key: &impl rcgen::SigningKey, expires: Option<Duration>) -> Result<Vec<u8>, CertificateError> {
    let mut params = rcgen::CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(rcgen::DnType::CommonName, "weft");
    if let Some(expires) = expires {
        // Beyond that a date has no form in X.509.
        let expires = expires.min(LATEST);
        params.not_after = rcgen::date_time_ymd(1970, 1, 1) + Duration::from_secs(expires.as_secs());
    }
    let certificate = params.self_signed(key).map_err(|_| CertificateError::Generation)?;
    Ok(certificate.der().to_vec())
}

/// A new key signs its own certificate.
struct Signer<'a> {
    key: &'a dyn SigningKey,
    algorithm: &'static rcgen::SignatureAlgorithm,
    scheme: SignatureScheme,
}

impl rcgen::PublicKeyData for Signer<'_> {
    fn der_bytes(&self) -> &[u8] {
        self.key.public().key
    }

    fn algorithm(&self) -> &'static rcgen::SignatureAlgorithm {
        self.algorithm
    }
}

impl rcgen::SigningKey for Signer<'_> {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        self.key.sign(self.scheme, message).map_err(|_| rcgen::Error::RemoteKeyError)
    }
}

fn put_pem_block(out: &mut String, label: &str, der: &[u8]) {
    let text = Zeroizing::new(BASE64.encode(der));
    out.extend(["-----BEGIN ", label, "-----\n"]);
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (line, tail) = rest.split_at(rest.len().min(64));
        out.push_str(line);
        out.push('\n');
        rest = tail;
    }
    out.extend(["-----END ", label, "-----\n"]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pem_round_trips_with_every_kind_of_key() {
        for kind in [KeyKind::P256, KeyKind::P384, KeyKind::Ed25519, KeyKind::Rsa] {
            let certificate = Certificate::generate_for(kind).unwrap();
            let pem = certificate.to_pem();
            let again = Certificate::from_pem(&pem).unwrap();
            assert_eq!(again.der(), certificate.der());
            assert_eq!((again.key_kind(), again.key().public()), (kind, certificate.key().public()));
            assert_eq!(*again.to_pem(), *pem);
            let elsewhere = Certificate::with_signing_key(vec![certificate.der().to_vec()], certificate.key.clone());
            assert!(!elsewhere.unwrap().to_pem().contains("PRIVATE"));
        }
    }

    #[test]
    fn an_rsa_key_has_the_size_asked_for() {
        for bits in [2048_u16, 3072] {
            let certificate = Certificate::generate_rsa(bits, None).unwrap();
            // RSAPublicKey: a sequence, in it the modulus, whose first bit is set: a zero goes before it (RFC 8017 A.1.1).
            let length = (bits / 8 + 1).to_be_bytes();
            let modulus = [0x02, 0x82, length[0], length[1], 0];
            assert!(certificate.der().windows(5).any(|bytes| bytes == modulus), "{bits} bits");
        }
        assert_eq!(Certificate::generate_rsa(1024, None).unwrap_err(), CertificateError::Key);
    }

    #[test]
    fn it_tells_when_it_expires() {
        let until = Duration::from_secs(1_234_567_890);
        assert_eq!(Certificate::generate_until(KeyKind::P256, Some(until)).unwrap().expires(), Some(until));
        let new_year_4096 = Duration::from_secs(67_090_118_400);
        assert_eq!(Certificate::generate().unwrap().expires(), Some(new_year_4096));
    }

    #[test]
    fn a_chain_is_kept_in_its_order() {
        let (leaf, issuer) = (Certificate::generate().unwrap(), Certificate::generate().unwrap());
        let pem = format!("{}{}", *leaf.to_pem(), issuer.to_pem().split_once("-----BEGIN PRIV").unwrap().0);
        let both = Certificate::from_pem(&pem).unwrap();
        assert_eq!(both.chain().collect::<Vec<_>>(), [leaf.der(), issuer.der()]);
        assert_eq!(both.to_pem().matches("BEGIN CERTIFICATE").count(), 2);
    }

    //= rfc5246#7.4.2
    //# The certificate type MUST be X.509v3, unless explicitly negotiated otherwise (e.g., [TLSPGP]).
    //= rfc5246#7.4.6
    //# The certificate type MUST be X.509v3, unless explicitly negotiated otherwise (e.g., [TLSPGP]).
    #[test]
    fn generated_certificates_are_x509_v3() {
        let certificate = Certificate::generate().unwrap();
        assert!(certificate.der().windows(5).any(|bytes| bytes == [0xA0, 3, 2, 1, 2]));
    }

    #[test]
    fn key_of_another_certificate_is_refused() {
        let (a, b) = (Certificate::generate().unwrap().to_pem(), Certificate::generate().unwrap().to_pem());
        let mixed = format!("{}{}", &a[..a.find("-----BEGIN PRIV").unwrap()], &b[b.find("-----BEGIN PRIV").unwrap()..]);
        assert_eq!(Certificate::from_pem(&mixed).unwrap_err(), CertificateError::Mismatch);
        assert_eq!(Certificate::from_pem(&a[..100]).unwrap_err(), CertificateError::Pem);
    }
}
