//! The primitives behind a connection, and what it takes to bring others.
//!
//! A [`CryptoProvider`] is a value in [`Config::provider`](crate::Config::provider). [`AwsLc`] is the default. What is
//! built of primitives alone (the key schedules of both versions, X25519MLKEM768, nonces) is done here, the same for
//! every provider.

mod aws_lc;
mod exchange;
mod hkdf;
mod peer_key;
mod prf;
mod provider;

pub use aws_lc::AwsLc;
pub use provider::{
    Aead, AeadAlgorithm, CryptoProvider, Decapsulation, Digest, Failed, HashAlgorithm, KeyAgreement, KeyKind,
    NONCE_LEN, PublicKey, SAMPLE_LEN, SequenceMask, SigningKey, TAG_LEN,
};

pub(crate) use aws_lc::{generate_signing_key, read_signing_key};
pub(crate) use exchange::{KeyOffer, answer};
pub(crate) use hkdf::Secret;
pub(crate) use peer_key::PeerKey;
pub(crate) use prf::prf;

/// The provider as it is passed around.
pub(crate) type Provider = std::sync::Arc<dyn CryptoProvider>;

/// The default provider, for tests.
#[cfg(test)]
pub(crate) fn default() -> Provider {
    std::sync::Arc::new(AwsLc)
}
