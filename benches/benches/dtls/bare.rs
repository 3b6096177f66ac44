//! The cipher without a protocol around it.

use aws_lc_rs::aead::{Aad, Algorithm, LessSafeKey, Nonce, UnboundKey};

/// As long as the header that a record of DTLS 1.3 authenticates.
const HEADER: [u8; 5] = [0x2F, 0, 0, 0, 0];

/// One key for both directions.
pub(crate) struct Bare {
    key: LessSafeKey,
    buffer: Vec<u8>,
    number: u64,
}

impl Bare {
    pub(crate) fn new(algorithm: &'static Algorithm) -> Self {
        let key = UnboundKey::new(algorithm, &vec![7; algorithm.key_len()]).map(LessSafeKey::new);
        Self {
            key: key.unwrap_or_else(|_| unreachable!("a key of the right length")),
            buffer: vec![0; 1500],
            number: 0,
        }
    }

    pub(crate) fn seal_and_open(&mut self, content: &[u8]) -> usize {
        self.number += 1;
        let mut nonce = [0; 12];
        nonce[4..].copy_from_slice(&self.number.to_be_bytes());
        let (body, rest) = self.buffer.split_at_mut(content.len());
        body.copy_from_slice(content);
        let sealed = self.key.seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), Aad::from(HEADER), body);
        let Ok(tag) = sealed else { return 0 };
        rest[..16].copy_from_slice(tag.as_ref());
        let record = &mut self.buffer[..content.len() + 16];
        self.key.open_in_place(Nonce::assume_unique_for_key(nonce), Aad::from(HEADER), record).map_or(0, |c| c.len())
    }
}
