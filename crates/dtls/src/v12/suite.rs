//! What a DTLS 1.2 handshake can choose from, the preferred first.

use crate::config::Config;
use crate::crypto::{AeadAlgorithm, HashAlgorithm};
use crate::wire::{CipherSuite, NamedGroup, SignatureScheme};

/// Cipher suites that may be used, the preferred first: forward secrecy and an AEAD, nothing else.
pub(crate) fn suites(config: &Config) -> impl Iterator<Item = CipherSuite> {
    config.cipher_suites.iter().copied().filter(|suite| parts(*suite).is_some())
}

/// Groups of the key exchange that may be used, the preferred first.
pub(super) fn groups(config: &Config) -> impl Iterator<Item = NamedGroup> {
    let known = [NamedGroup::X25519, NamedGroup::SECP256R1, NamedGroup::SECP384R1];
    config.groups.iter().copied().filter(move |group| known.contains(group))
}

/// Signatures of a peer that can be verified, and that are by default.
pub(crate) const SCHEMES: &[SignatureScheme] = &[
    SignatureScheme::ECDSA_SECP256R1_SHA256,
    SignatureScheme::ED25519,
    SignatureScheme::ECDSA_SECP384R1_SHA384,
    SignatureScheme::RSA_PSS_RSAE_SHA256,
    SignatureScheme::RSA_PKCS1_SHA256,
    SignatureScheme::RSA_PSS_RSAE_SHA384,
    SignatureScheme::RSA_PKCS1_SHA384,
    SignatureScheme::RSA_PSS_RSAE_SHA512,
    SignatureScheme::RSA_PKCS1_SHA512,
];

/// Those that are taken of a peer, the preferred first.
pub(crate) fn schemes(config: &Config) -> Vec<SignatureScheme> {
    config.signature_schemes.iter().copied().filter(|scheme| SCHEMES.contains(scheme)).collect()
}

/// What a cipher suite is made of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Parts {
    pub(super) aead: AeadAlgorithm,
    pub(super) hash: HashAlgorithm,
    /// Whether the server's certificate has an RSA key; else ECDSA or EdDSA (RFC 8422 section 5.3).
    pub(super) rsa: bool,
}

pub(super) fn parts(suite: CipherSuite) -> Option<Parts> {
    let (aead, hash, rsa) = match suite {
        CipherSuite::ECDHE_ECDSA_AES_128_GCM_SHA256 => (AeadAlgorithm::Aes128Gcm, HashAlgorithm::Sha256, false),
        CipherSuite::ECDHE_ECDSA_AES_256_GCM_SHA384 => (AeadAlgorithm::Aes256Gcm, HashAlgorithm::Sha384, false),
        CipherSuite::ECDHE_ECDSA_CHACHA20_POLY1305_SHA256 => {
            (AeadAlgorithm::ChaCha20Poly1305, HashAlgorithm::Sha256, false)
        }
        CipherSuite::ECDHE_RSA_AES_128_GCM_SHA256 => (AeadAlgorithm::Aes128Gcm, HashAlgorithm::Sha256, true),
        CipherSuite::ECDHE_RSA_AES_256_GCM_SHA384 => (AeadAlgorithm::Aes256Gcm, HashAlgorithm::Sha384, true),
        CipherSuite::ECDHE_RSA_CHACHA20_POLY1305_SHA256 => {
            (AeadAlgorithm::ChaCha20Poly1305, HashAlgorithm::Sha256, true)
        }
        _ => return None,
    };
    Some(Parts { aead, hash, rsa })
}
