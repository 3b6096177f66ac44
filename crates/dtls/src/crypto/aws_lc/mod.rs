//! The default provider: AWS-LC by way of `aws-lc-rs`. No other file knows that library.

mod aead;
mod exchange;
mod signature;

use aws_lc_rs::{digest, hmac};
use weft_core::Rng;
use zeroize::Zeroizing;

use super::{
    Aead, AeadAlgorithm, CryptoProvider, Decapsulation, Digest, Failed, HashAlgorithm, KeyAgreement, PublicKey,
    SequenceMask,
};
use crate::wire::{NamedGroup, SignatureScheme};

pub(crate) use signature::{generate_signing_key, read_signing_key};

/// The default provider: AWS-LC.
#[derive(Clone, Copy, Debug, Default)]
pub struct AwsLc;

impl From<aws_lc_rs::error::Unspecified> for Failed {
    fn from(_: aws_lc_rs::error::Unspecified) -> Self {
        Self
    }
}

impl CryptoProvider for AwsLc {
    fn digest(&self, hash: HashAlgorithm, data: &[u8]) -> Digest {
        let algorithm = match hash {
            HashAlgorithm::Sha256 => &digest::SHA256,
            HashAlgorithm::Sha384 => &digest::SHA384,
            HashAlgorithm::Sha512 => &digest::SHA512,
        };
        Digest::new(digest::digest(algorithm, data).as_ref())
    }

    fn hmac(&self, hash: HashAlgorithm, key: &[u8], parts: &[&[u8]]) -> Digest {
        let algorithm = match hash {
            HashAlgorithm::Sha256 => hmac::HMAC_SHA256,
            HashAlgorithm::Sha384 => hmac::HMAC_SHA384,
            HashAlgorithm::Sha512 => hmac::HMAC_SHA512,
        };
        let key = hmac::Key::new(algorithm, key);
        let mut context = hmac::Context::with_key(&key);
        for part in parts {
            context.update(part);
        }
        Digest::new(context.sign().as_ref())
    }

    fn aead(&self, algorithm: AeadAlgorithm, key: &[u8]) -> Result<Box<dyn Aead>, Failed> {
        Ok(Box::new(aead::Key::new(algorithm, key)?))
    }

    fn sequence_mask(&self, algorithm: AeadAlgorithm, key: &[u8]) -> Result<Box<dyn SequenceMask>, Failed> {
        Ok(Box::new(aead::Mask::new(algorithm, key)?))
    }

    fn key_agreement(&self, group: NamedGroup, rng: &mut Rng) -> Result<Box<dyn KeyAgreement>, Failed> {
        Ok(Box::new(exchange::Share::generate(group, rng)?))
    }

    fn decapsulation(&self) -> Result<Box<dyn Decapsulation>, Failed> {
        Ok(Box::new(exchange::Kem::generate()?))
    }

    fn encapsulate(&self, key: &[u8]) -> Result<(Vec<u8>, Zeroizing<Vec<u8>>), Failed> {
        exchange::encapsulate(key)
    }

    fn verify(
        &self,
        key: PublicKey<'_>,
        scheme: SignatureScheme,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), Failed> {
        signature::verify(key, scheme, message, signature)
    }
}
