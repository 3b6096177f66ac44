//! Keys of records and of masks.

use aws_lc_rs::aead;
use aws_lc_rs::aead::quic;

use crate::crypto::{Aead, AeadAlgorithm, Failed, NONCE_LEN, SAMPLE_LEN, SequenceMask};

/// One direction's key. The library wipes it when it is dropped.
pub(super) struct Key(aead::LessSafeKey);

impl Key {
    pub(super) fn new(algorithm: AeadAlgorithm, key: &[u8]) -> Result<Self, Failed> {
        let algorithm = match algorithm {
            AeadAlgorithm::Aes128Gcm => &aead::AES_128_GCM,
            AeadAlgorithm::Aes256Gcm => &aead::AES_256_GCM,
            AeadAlgorithm::ChaCha20Poly1305 => &aead::CHACHA20_POLY1305,
        };
        Ok(Self(aead::LessSafeKey::new(aead::UnboundKey::new(algorithm, key)?)))
    }
}

impl Aead for Key {
    fn seal(&self, nonce: [u8; NONCE_LEN], aad: &[u8], body: &mut [u8], tag: &mut [u8]) -> Result<(), Failed> {
        let nonce = aead::Nonce::assume_unique_for_key(nonce);
        Ok(self.0.seal_in_place_scatter(nonce, aead::Aad::from(aad), body, &[], tag)?)
    }

    fn open(&self, nonce: [u8; NONCE_LEN], aad: &[u8], body: &mut [u8]) -> Result<usize, Failed> {
        let nonce = aead::Nonce::assume_unique_for_key(nonce);
        Ok(self.0.open_in_place(nonce, aead::Aad::from(aad), body)?.len())
    }
}

/// One direction's key for masks.
pub(super) struct Mask(quic::HeaderProtectionKey);

impl Mask {
    pub(super) fn new(algorithm: AeadAlgorithm, key: &[u8]) -> Result<Self, Failed> {
        let algorithm = match algorithm {
            AeadAlgorithm::Aes128Gcm => &quic::AES_128,
            AeadAlgorithm::Aes256Gcm => &quic::AES_256,
            AeadAlgorithm::ChaCha20Poly1305 => &quic::CHACHA20,
        };
        Ok(Self(quic::HeaderProtectionKey::new(algorithm, key)?))
    }
}

impl SequenceMask for Mask {
    fn mask(&self, sample: &[u8; SAMPLE_LEN]) -> Result<[u8; 2], Failed> {
        let [first, second, ..] = self.0.new_mask(sample)?;
        Ok([first, second])
    }
}
