//! The public key of the peer's certificate.

use super::{Failed, KeyKind, Provider, PublicKey};
use crate::wire::SignatureScheme;

/// The public key of the peer's certificate.
#[derive(Clone)]
pub(crate) struct PeerKey {
    provider: Provider,
    kind: KeyKind,
    key: Vec<u8>,
}

impl PeerKey {
    pub(crate) fn new(provider: &Provider, public: PublicKey<'_>) -> Self {
        Self { provider: provider.clone(), kind: public.kind, key: public.key.to_vec() }
    }

    /// Whether the key belongs with cipher suites named `..._RSA_...`; the others are for `..._ECDSA_...`, EdDSA
    /// included (RFC 8422 section 5.3).
    pub(crate) fn is_rsa(&self) -> bool {
        self.kind == KeyKind::Rsa
    }

    /// Verifies a DTLS 1.3 signature: there a scheme names its curve, and PKCS #1 v1.5 is not for handshakes (RFC 8446
    /// section 4.2.3).
    pub(crate) fn verify_v13(&self, scheme: SignatureScheme, message: &[u8], signature: &[u8]) -> Result<(), Failed> {
        let fits = match scheme {
            SignatureScheme::ECDSA_SECP256R1_SHA256 => self.kind == KeyKind::P256,
            SignatureScheme::ECDSA_SECP384R1_SHA384 => self.kind == KeyKind::P384,
            SignatureScheme::RSA_PKCS1_SHA256
            | SignatureScheme::RSA_PKCS1_SHA384
            | SignatureScheme::RSA_PKCS1_SHA512 => false,
            _ => true,
        };
        if fits { self.verify_v12(scheme, message, signature) } else { Err(Failed) }
    }

    /// Verifies a DTLS 1.2 signature.
    pub(crate) fn verify_v12(&self, scheme: SignatureScheme, message: &[u8], signature: &[u8]) -> Result<(), Failed> {
        self.provider.verify(PublicKey { kind: self.kind, key: &self.key }, scheme, message, signature)
    }
}
