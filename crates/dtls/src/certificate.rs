//! Our own certificate and its private key.

use core::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use zeroize::Zeroizing;

use crate::crypto::SigningKey;
use crate::der;
use crate::fingerprint::{Fingerprint, HashAlgorithm};

const CERTIFICATE_LABELS: &[&str] = &["CERTIFICATE"];
const KEY_LABELS: &[&str] = &["PRIVATE KEY", "EC PRIVATE KEY"];

/// A certificate with its private key, on P-256 or P-384.
pub struct Certificate {
    der: Vec<u8>,
    /// PKCS #8 or SEC 1.
    key_der: Zeroizing<Vec<u8>>,
    key_label: &'static str,
    key: SigningKey,
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
    /// The private key is not one on P-256 or P-384.
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
        let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256);
        let key = key.map_err(|_| CertificateError::Generation)?;
        let mut params = rcgen::CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(rcgen::DnType::CommonName, "weft");
        let certificate = params.self_signed(&key).map_err(|_| CertificateError::Generation)?;
        Self::assemble(certificate.der().to_vec(), Zeroizing::new(key.serialize_der()), "PRIVATE KEY")
    }

    /// Reads what [`to_pem`](Self::to_pem) wrote, or a certificate and an unencrypted private key (PKCS #8 or SEC 1) of
    /// other make, in any order. Of several certificates the first counts.
    pub fn from_pem(pem: &str) -> Result<Self, CertificateError> {
        let (_, der) = pem_block(pem, CERTIFICATE_LABELS).ok_or(CertificateError::Pem)?;
        let (key_label, key) = pem_block(pem, KEY_LABELS).ok_or(CertificateError::Pem)?;
        Self::assemble(der, Zeroizing::new(key), key_label)
    }

    fn assemble(der: Vec<u8>, key_der: Zeroizing<Vec<u8>>, key_label: &'static str) -> Result<Self, CertificateError> {
        let key = SigningKey::from_der(&key_der).map_err(|_| CertificateError::Key)?;
        let public = der::subject_public_key(&der).map_err(|_| CertificateError::Pem)?;
        if public.key != key.public() {
            return Err(CertificateError::Mismatch);
        }
        Ok(Self { der, key_der, key_label, key })
    }

    /// Certificate and private key as PEM. Keep it secret.
    pub fn to_pem(&self) -> Zeroizing<String> {
        let mut out = Zeroizing::new(String::with_capacity(self.der.len().saturating_mul(2).saturating_add(512)));
        put_pem_block(&mut out, "CERTIFICATE", &self.der);
        put_pem_block(&mut out, self.key_label, &self.key_der);
        out
    }

    /// The certificate in DER.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// The certificate's fingerprint, for SDP.
    pub fn fingerprint(&self, algorithm: HashAlgorithm) -> Fingerprint {
        Fingerprint::of(algorithm, &self.der)
    }

    pub(crate) fn key(&self) -> &SigningKey {
        &self.key
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Certificate").field(&self.fingerprint(HashAlgorithm::Sha256)).finish()
    }
}

/// The first block with one of `labels` (RFC 7468), decoded.
fn pem_block(pem: &str, labels: &'static [&'static str]) -> Option<(&'static str, Vec<u8>)> {
    labels
        .iter()
        .filter_map(|label| {
            let begin = format!("-----BEGIN {label}-----");
            let at = pem.find(&begin)?;
            let rest = pem.get(at.checked_add(begin.len())?..)?;
            let body = rest.get(..rest.find(&format!("-----END {label}-----"))?)?;
            let body: Zeroizing<String> = Zeroizing::new(body.chars().filter(|c| !c.is_ascii_whitespace()).collect());
            Some((at, *label, BASE64.decode(body.as_bytes()).ok()?))
        })
        .min_by_key(|(at, ..)| *at)
        .map(|(_, label, der)| (label, der))
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
    fn pem_round_trips() {
        let certificate = Certificate::generate().unwrap();
        let pem = certificate.to_pem();
        let again = Certificate::from_pem(&pem).unwrap();
        assert_eq!(again.der(), certificate.der());
        assert_eq!(*again.to_pem(), *pem);
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
