//! The mask that hides sequence numbers (RFC 9147 section 4.2.3): one block of AES, or of ChaCha20's key stream, of the
//! first 16 bytes of the ciphertext. QUIC's header protection is the same function (RFC 9001 section 5.4).

use aws_lc_rs::aead::quic;

use super::{AeadAlgorithm, Failed};

/// Bytes of ciphertext that the mask is made of.
pub(crate) const SAMPLE: usize = 16;

/// One direction's key for masks.
pub(crate) struct MaskKey(quic::HeaderProtectionKey);

impl MaskKey {
    pub(crate) fn new(algorithm: AeadAlgorithm, key: &[u8]) -> Result<Self, Failed> {
        let algorithm = match algorithm {
            AeadAlgorithm::Aes128Gcm => &quic::AES_128,
            AeadAlgorithm::Aes256Gcm => &quic::AES_256,
            AeadAlgorithm::ChaCha20Poly1305 => &quic::CHACHA20,
        };
        Ok(Self(quic::HeaderProtectionKey::new(algorithm, key)?))
    }

    /// The mask for what starts with `ciphertext`, of at least [`SAMPLE`] bytes.
    pub(crate) fn mask(&self, ciphertext: &[u8]) -> Result<[u8; 2], Failed> {
        let [first, second, ..] = self.0.new_mask(ciphertext.get(..SAMPLE).ok_or(Failed)?)?;
        Ok([first, second])
    }
}
