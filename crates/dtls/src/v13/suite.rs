//! What a DTLS 1.3 handshake can choose from.

use crate::config::Config;
use crate::crypto::{AeadAlgorithm, HashAlgorithm};
use crate::v12;
use crate::wire::{CipherSuite, NamedGroup, SignatureScheme};

/// Signatures of a handshake that can be made and verified.
pub(super) const SCHEMES: &[SignatureScheme] = &[
    SignatureScheme::ECDSA_SECP256R1_SHA256,
    SignatureScheme::ED25519,
    SignatureScheme::ECDSA_SECP384R1_SHA384,
    SignatureScheme::RSA_PSS_RSAE_SHA256,
    SignatureScheme::RSA_PSS_RSAE_SHA384,
    SignatureScheme::RSA_PSS_RSAE_SHA512,
];

/// What the peer is told of those that are taken of it. PKCS #1 v1.5 is among them for the sake of certificates, where any
/// that is told may be used (RFC 8446 section 4.2.3); a CertificateVerify with it is refused.
pub(super) fn told_schemes(config: &Config) -> Vec<SignatureScheme> {
    v12::schemes(config)
}

/// Whether a signature of the peer's may be by this scheme.
pub(super) fn takes(config: &Config, scheme: SignatureScheme) -> bool {
    SCHEMES.contains(&scheme) && config.signature_schemes.contains(&scheme)
}

/// What a cipher suite is made of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Parts {
    pub(super) aead: AeadAlgorithm,
    pub(super) hash: HashAlgorithm,
}

pub(super) fn parts(suite: CipherSuite) -> Option<Parts> {
    let (aead, hash) = match suite {
        CipherSuite::AES_128_GCM_SHA256 => (AeadAlgorithm::Aes128Gcm, HashAlgorithm::Sha256),
        CipherSuite::AES_256_GCM_SHA384 => (AeadAlgorithm::Aes256Gcm, HashAlgorithm::Sha384),
        CipherSuite::CHACHA20_POLY1305_SHA256 => (AeadAlgorithm::ChaCha20Poly1305, HashAlgorithm::Sha256),
        _ => return None,
    };
    Some(Parts { aead, hash })
}

/// The groups that may be used, the preferred first.
pub(super) fn groups(config: &Config) -> impl Iterator<Item = NamedGroup> {
    let known = [NamedGroup::X25519MLKEM768, NamedGroup::X25519, NamedGroup::SECP256R1, NamedGroup::SECP384R1];
    config.groups.iter().copied().filter(move |group| known.contains(group))
}
