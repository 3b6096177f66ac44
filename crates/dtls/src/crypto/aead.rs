//! Authenticated encryption with associated data.

use aws_lc_rs::aead;

use super::Failed;

/// Bytes of a nonce, for every algorithm here.
pub(crate) const NONCE_LEN: usize = aead::NONCE_LEN;
/// Bytes of a tag, for every algorithm here.
pub(crate) const TAG_LEN: usize = 16;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum AeadAlgorithm {
    Aes128Gcm,
    Aes256Gcm,
    ChaCha20Poly1305,
}

impl AeadAlgorithm {
    fn algorithm(self) -> &'static aead::Algorithm {
        match self {
            Self::Aes128Gcm => &aead::AES_128_GCM,
            Self::Aes256Gcm => &aead::AES_256_GCM,
            Self::ChaCha20Poly1305 => &aead::CHACHA20_POLY1305,
        }
    }

    pub(crate) fn key_len(self) -> usize {
        self.algorithm().key_len()
    }
}

/// One direction's key. The library wipes it when it is dropped.
pub(crate) struct AeadKey(aead::LessSafeKey);

impl AeadKey {
    pub(crate) fn new(algorithm: AeadAlgorithm, key: &[u8]) -> Result<Self, Failed> {
        Ok(Self(aead::LessSafeKey::new(aead::UnboundKey::new(algorithm.algorithm(), key)?)))
    }

    /// Encrypts `body` in place and writes the tag.
    pub(crate) fn seal(
        &self,
        nonce: [u8; NONCE_LEN],
        aad: &[u8],
        body: &mut [u8],
        tag_out: &mut [u8],
    ) -> Result<(), Failed> {
        let nonce = aead::Nonce::assume_unique_for_key(nonce);
        let tag = self.0.seal_in_place_separate_tag(nonce, aead::Aad::from(aad), body)?;
        if tag.as_ref().len() != tag_out.len() {
            return Err(Failed);
        }
        tag_out.copy_from_slice(tag.as_ref());
        Ok(())
    }

    /// Authenticates and decrypts `body`, which ends with the tag, in place; gives the length of the plaintext. On
    /// failure `body` holds nothing of use.
    pub(crate) fn open(&self, nonce: [u8; NONCE_LEN], aad: &[u8], body: &mut [u8]) -> Result<usize, Failed> {
        let nonce = aead::Nonce::assume_unique_for_key(nonce);
        Ok(self.0.open_in_place(nonce, aead::Aad::from(aad), body)?.len())
    }
}
