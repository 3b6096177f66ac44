//! Signatures: ours to make, the peer's to verify.

use core::fmt;
use std::sync::Arc;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa;
use aws_lc_rs::signature as lib;
use aws_lc_rs::signature::KeyPair as _;

use zeroize::Zeroizing;

use crate::crypto::{Failed, KeyKind, PublicKey, SigningKey};
use crate::wire::SignatureScheme;

/// The least length of an RSA key, in bytes.
const MIN_RSA_LEN: usize = 2048 / 8;

/// A private key in memory. The library wipes it when it is dropped.
enum Pair {
    Ecdsa(lib::EcdsaKeyPair),
    Ed25519(lib::Ed25519KeyPair),
    Rsa(rsa::KeyPair),
}

struct Key {
    pair: Pair,
    kind: KeyKind,
}

/// A key, and the same in PKCS #8.
type NewKey = (Arc<dyn SigningKey>, Zeroizing<Vec<u8>>);

/// Makes a private key. Not for RSA.
pub(crate) fn generate_signing_key(kind: KeyKind) -> Result<NewKey, Failed> {
    let ecdsa = |algorithm| {
        let pair = lib::EcdsaKeyPair::generate(algorithm)?;
        let der = pair.to_pkcs8v1()?;
        Ok::<_, Failed>((Pair::Ecdsa(pair), der))
    };
    let (pair, der) = match kind {
        KeyKind::P256 => ecdsa(&lib::ECDSA_P256_SHA256_ASN1_SIGNING)?,
        KeyKind::P384 => ecdsa(&lib::ECDSA_P384_SHA384_ASN1_SIGNING)?,
        KeyKind::Ed25519 => {
            let pair = lib::Ed25519KeyPair::generate()?;
            let der = pair.to_pkcs8()?;
            (Pair::Ed25519(pair), der)
        }
        KeyKind::Rsa => return Err(Failed),
    };
    Ok((Arc::new(Key { pair, kind }), Zeroizing::new(der.as_ref().to_vec())))
}

/// Reads a private key: PKCS #8 of any kind, SEC 1 of P-256 and P-384, PKCS #1 of RSA.
pub(crate) fn read_signing_key(der: &[u8]) -> Result<Arc<dyn SigningKey>, Failed> {
    let curves =
        [(&lib::ECDSA_P256_SHA256_ASN1_SIGNING, KeyKind::P256), (&lib::ECDSA_P384_SHA384_ASN1_SIGNING, KeyKind::P384)];
    for (algorithm, kind) in curves {
        if let Ok(pair) = lib::EcdsaKeyPair::from_private_key_der(algorithm, der) {
            return Ok(Arc::new(Key { pair: Pair::Ecdsa(pair), kind }));
        }
    }
    // OpenSSL writes version 1, which lacks the public key to compare with.
    if let Ok(pair) = lib::Ed25519KeyPair::from_pkcs8_maybe_unchecked(der) {
        return Ok(Arc::new(Key { pair: Pair::Ed25519(pair), kind: KeyKind::Ed25519 }));
    }
    let pair = rsa::KeyPair::from_pkcs8(der).or_else(|_| rsa::KeyPair::from_der(der)).map_err(|_| Failed)?;
    if pair.public_modulus_len() < MIN_RSA_LEN {
        return Err(Failed);
    }
    Ok(Arc::new(Key { pair: Pair::Rsa(pair), kind: KeyKind::Rsa }))
}

impl SigningKey for Key {
    fn public(&self) -> PublicKey<'_> {
        let key = match &self.pair {
            Pair::Ecdsa(pair) => pair.public_key().as_ref(),
            Pair::Ed25519(pair) => pair.public_key().as_ref(),
            Pair::Rsa(pair) => pair.public_key().as_ref(),
        };
        PublicKey { kind: self.kind, key }
    }

    fn sign(&self, scheme: SignatureScheme, message: &[u8]) -> Result<Vec<u8>, Failed> {
        match (&self.pair, self.kind, scheme) {
            (Pair::Ecdsa(pair), KeyKind::P256, SignatureScheme::ECDSA_SECP256R1_SHA256)
            | (Pair::Ecdsa(pair), KeyKind::P384, SignatureScheme::ECDSA_SECP384R1_SHA384) => {
                Ok(pair.sign(&SystemRandom::new(), message)?.as_ref().to_vec())
            }
            (Pair::Ed25519(pair), _, SignatureScheme::ED25519) => Ok(pair.sign(message).as_ref().to_vec()),
            (Pair::Rsa(pair), _, scheme) => {
                let encoding: &dyn lib::RsaEncoding = match scheme {
                    SignatureScheme::RSA_PSS_RSAE_SHA256 => &lib::RSA_PSS_SHA256,
                    SignatureScheme::RSA_PSS_RSAE_SHA384 => &lib::RSA_PSS_SHA384,
                    SignatureScheme::RSA_PSS_RSAE_SHA512 => &lib::RSA_PSS_SHA512,
                    SignatureScheme::RSA_PKCS1_SHA256 => &lib::RSA_PKCS1_SHA256,
                    SignatureScheme::RSA_PKCS1_SHA384 => &lib::RSA_PKCS1_SHA384,
                    SignatureScheme::RSA_PKCS1_SHA512 => &lib::RSA_PKCS1_SHA512,
                    _ => return Err(Failed),
                };
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(encoding, &SystemRandom::new(), message, &mut signature)?;
                Ok(signature)
            }
            _ => Err(Failed),
        }
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("kind", &self.kind).finish_non_exhaustive()
    }
}

pub(super) fn verify(
    key: PublicKey<'_>,
    scheme: SignatureScheme,
    message: &[u8],
    signature: &[u8],
) -> Result<(), Failed> {
    let algorithm: &'static dyn lib::VerificationAlgorithm = match (key.kind, scheme) {
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
    Ok(lib::UnparsedPublicKey::new(algorithm, key.key).verify(message, signature)?)
}
