//! The primitives: the only place that knows which library they come from.

mod aead;
mod agreement;
mod exchange;
mod hash;
mod hkdf;
mod mask;
mod signature;

pub(crate) use aead::{AeadAlgorithm, AeadKey, NONCE_LEN, TAG_LEN};
pub(crate) use agreement::KeyShare;
pub(crate) use exchange::{KeyOffer, answer};
pub(crate) use hash::{Hash, prf};
pub(crate) use hkdf::Secret;
pub(crate) use mask::MaskKey;
pub(crate) use signature::{PeerKey, SigningKey};

/// A primitive failed: of inputs it refuses, or inside.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Failed;

impl From<aws_lc_rs::error::Unspecified> for Failed {
    fn from(_: aws_lc_rs::error::Unspecified) -> Self {
        Self
    }
}
