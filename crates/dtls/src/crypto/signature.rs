//! Signatures: ours to make, the peer's to verify.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature as lib;
use aws_lc_rs::signature::KeyPair as _;

use super::Failed;
use crate::der::{KeyKind, SubjectPublicKey};
use crate::wire::{NamedGroup, SignatureScheme};

/// The private key of our certificate.
///
/// ECDSA takes its per-signature randomness from the library, not from the connection's generator: no seed can then
/// ever repeat one.
pub(crate) struct SigningKey {
    key: lib::EcdsaKeyPair,
    scheme: SignatureScheme,
    curve: NamedGroup,
}

impl SigningKey {
    /// Reads a PKCS #8 or SEC 1 private key on P-256 or P-384.
    pub(crate) fn from_der(der: &[u8]) -> Result<Self, Failed> {
        let kinds = [
            (&lib::ECDSA_P256_SHA256_ASN1_SIGNING, SignatureScheme::ECDSA_SECP256R1_SHA256, NamedGroup::SECP256R1),
            (&lib::ECDSA_P384_SHA384_ASN1_SIGNING, SignatureScheme::ECDSA_SECP384R1_SHA384, NamedGroup::SECP384R1),
        ];
        kinds
            .into_iter()
            .find_map(|(algorithm, scheme, curve)| {
                let key = lib::EcdsaKeyPair::from_private_key_der(algorithm, der).ok()?;
                Some(Self { key, scheme, curve })
            })
            .ok_or(Failed)
    }

    /// The one scheme this key signs with.
    pub(crate) fn scheme(&self) -> SignatureScheme {
        self.scheme
    }

    /// The curve the key is on.
    pub(crate) fn curve(&self) -> NamedGroup {
        self.curve
    }

    /// The public key, as an uncompressed point.
    pub(crate) fn public(&self) -> &[u8] {
        self.key.public_key().as_ref()
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Failed> {
        Ok(self.key.sign(&SystemRandom::new(), message)?.as_ref().to_vec())
    }
}

/// The public key of the peer's certificate.
#[derive(Clone)]
pub(crate) struct PeerKey {
    kind: KeyKind,
    key: Vec<u8>,
}

impl PeerKey {
    pub(crate) fn new(public: &SubjectPublicKey<'_>) -> Self {
        Self { kind: public.kind, key: public.key.to_vec() }
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

    /// Verifies a DTLS 1.2 signature. RSA keys have 2048 to 8192 bits.
    pub(crate) fn verify_v12(&self, scheme: SignatureScheme, message: &[u8], signature: &[u8]) -> Result<(), Failed> {
        let algorithm: &'static dyn lib::VerificationAlgorithm = match (self.kind, scheme) {
            (KeyKind::P256, SignatureScheme::ECDSA_SECP256R1_SHA256) => &lib::ECDSA_P256_SHA256_ASN1,
            (KeyKind::P256, SignatureScheme::ECDSA_SECP384R1_SHA384) => &lib::ECDSA_P256_SHA384_ASN1,
            (KeyKind::P384, SignatureScheme::ECDSA_SECP256R1_SHA256) => &lib::ECDSA_P384_SHA256_ASN1,
            (KeyKind::P384, SignatureScheme::ECDSA_SECP384R1_SHA384) => &lib::ECDSA_P384_SHA384_ASN1,
            (KeyKind::Ed25519, SignatureScheme::ED25519) => &lib::ED25519,
            (KeyKind::Rsa, SignatureScheme::RSA_PKCS1_SHA256) => &lib::RSA_PKCS1_2048_8192_SHA256,
            (KeyKind::Rsa, SignatureScheme::RSA_PKCS1_SHA384) => &lib::RSA_PKCS1_2048_8192_SHA384,
            (KeyKind::Rsa, SignatureScheme::RSA_PKCS1_SHA512) => &lib::RSA_PKCS1_2048_8192_SHA512,
            (KeyKind::Rsa, SignatureScheme::RSA_PSS_RSAE_SHA256) => &lib::RSA_PSS_2048_8192_SHA256,
            (KeyKind::Rsa, SignatureScheme::RSA_PSS_RSAE_SHA384) => &lib::RSA_PSS_2048_8192_SHA384,
            (KeyKind::Rsa, SignatureScheme::RSA_PSS_RSAE_SHA512) => &lib::RSA_PSS_2048_8192_SHA512,
            _ => return Err(Failed),
        };
        Ok(lib::UnparsedPublicKey::new(algorithm, &self.key).verify(message, signature)?)
    }
}
