//! Records of DTLS 1.3 (RFC 9147 section 4): inner content type, masked sequence number, epoch and sequence number told
//! by their low bits alone.

use core::ops::Range;

use zeroize::Zeroizing;

use crate::crypto::{Aead, AeadAlgorithm, Failed, NONCE_LEN, Secret, SequenceMask, TAG_LEN};
use crate::wire::{ContentType, UNIFIED_HEADER, UnifiedHeader};

/// Bytes after the content: its type and the tag.
pub(super) const TAIL: usize = 1 + TAG_LEN;
/// Records that AES-GCM may seal under one key: 2^24.5 (RFC 9147 section 4.5.3).
const GCM_CONFIDENTIALITY: u64 = 23_726_566;

/// One direction's key material of one epoch: its traffic secret, and the keys made of it while records come and go. The
/// secret is a tenth of what the keys take.
pub(crate) struct V13Keys {
    algorithm: AeadAlgorithm,
    secret: Secret,
    keys: Option<Box<Keys>>,
}

/// What a traffic secret is expanded to.
struct Keys {
    key: Box<dyn Aead>,
    /// As a number, to be combined with sequence numbers.
    iv: Zeroizing<u128>,
    mask: Box<dyn SequenceMask>,
}

impl Keys {
    /// RFC 8446 section 7.3, RFC 9147 section 4.2.3.
    #[cold]
    fn derive(algorithm: AeadAlgorithm, traffic: &Secret) -> Result<Box<Self>, Failed> {
        let key = traffic.expand(b"key", &[], algorithm.key_len())?;
        let mut bytes = Zeroizing::new([0; 16]);
        traffic.expand_into(b"iv", &[], bytes.last_chunk_mut::<NONCE_LEN>().ok_or(Failed)?)?;
        let iv = Zeroizing::new(u128::from_be_bytes(*bytes));
        let mask = traffic.expand(b"sn", &[], algorithm.key_len())?;
        let provider = traffic.provider();
        let (key, mask) = (provider.aead(algorithm, &key)?, provider.sequence_mask(algorithm, &mask)?);
        Ok(Box::new(Self { key, iv, mask }))
    }

    /// The epoch is no part of the nonce: every epoch has its own key.
    fn nonce(&self, sequence: u64) -> [u8; NONCE_LEN] {
        let [_, _, _, _, nonce @ ..] = (*self.iv ^ u128::from(sequence)).to_be_bytes();
        nonce
    }
}

impl V13Keys {
    /// The keys of a traffic secret, ready for use.
    pub(crate) fn new(algorithm: AeadAlgorithm, secret: Secret) -> Result<Self, Failed> {
        let mut keys = Self { algorithm, secret, keys: None };
        keys.keys()?;
        Ok(keys)
    }

    /// The keys of the epoch that follows a KeyUpdate (RFC 8446 section 7.2).
    pub(crate) fn update(&self) -> Result<Self, Failed> {
        Self::new(self.algorithm, self.secret.derive(b"traffic upd", &[])?)
    }

    /// Forgets all but the secret, until the next record.
    pub(super) fn rest(&mut self) {
        self.keys = None;
    }

    /// The first sequence number that the key must not seal.
    pub(super) fn limit(&self) -> u64 {
        match self.algorithm {
            AeadAlgorithm::Aes128Gcm | AeadAlgorithm::Aes256Gcm => GCM_CONFIDENTIALITY,
            AeadAlgorithm::ChaCha20Poly1305 => u64::MAX,
        }
    }

    #[inline]
    fn keys(&mut self) -> Result<&Keys, Failed> {
        match &mut self.keys {
            Some(keys) => Ok(keys),
            none => Ok(none.insert(Keys::derive(self.algorithm, &self.secret)?)),
        }
    }

    /// Masks the sequence number of 16 bits, or takes the mask away.
    fn mask(head: &mut [u8], id_len: usize, mask: [u8; 2]) -> Result<u16, Failed> {
        let after = head.get_mut(id_len.saturating_add(1)..).ok_or(Failed)?;
        let number = after.first_chunk_mut::<2>().ok_or(Failed)?;
        *number = (u16::from_be_bytes(*number) ^ u16::from_be_bytes(mask)).to_be_bytes();
        Ok(u16::from_be_bytes(*number))
    }

    /// Seals in place: `record` is room for the header, content, room for the tail.
    pub(super) fn seal(
        &mut self,
        epoch: u16,
        sequence: u64,
        content_type: ContentType,
        id: &[u8],
        record: &mut [u8],
    ) -> Result<(), Failed> {
        let head_len = UNIFIED_HEADER.saturating_add(id.len());
        let (head, body) = record.split_at_mut_checked(head_len).ok_or(Failed)?;
        let length = u16::try_from(body.len()).map_err(|_| Failed)?;
        UnifiedHeader::write_into(head, epoch, id, sequence, length).map_err(|_| Failed)?;
        let inner_len = body.len().checked_sub(TAG_LEN).ok_or(Failed)?;
        let (inner, tag) = body.split_at_mut_checked(inner_len).ok_or(Failed)?;
        *inner.last_mut().ok_or(Failed)? = content_type.0;
        let keys = self.keys()?;
        keys.key.seal(keys.nonce(sequence), head, inner, tag)?;
        let mask = keys.mask.mask(body.first_chunk().ok_or(Failed)?)?;
        Self::mask(head, id.len(), mask).map(drop)
    }

    /// Removes the mask from the header in place and gives the whole sequence number, that being closest to `expected`
    /// (RFC 9147 section 4.2.2).
    #[inline]
    pub(super) fn unmask(&mut self, header: UnifiedHeader, record: &mut [u8], expected: u64) -> Result<u64, Failed> {
        let (head, body) = record.split_at_mut_checked(header.ciphertext_offset()).ok_or(Failed)?;
        let mask = self.keys()?.mask.mask(body.first_chunk().ok_or(Failed)?)?;
        if header.long_sequence {
            let low = Self::mask(head, header.connection_id_len, mask)?;
            return Ok(closest(expected, low.into(), 16));
        }
        let [mask, _] = mask;
        let low = head.get_mut(header.connection_id_len.saturating_add(1)).ok_or(Failed)?;
        *low ^= mask;
        Ok(closest(expected, (*low).into(), 8))
    }

    /// Opens in place a record whose mask was removed; gives its content type and where the content lies.
    pub(super) fn open(
        &mut self,
        header: UnifiedHeader,
        sequence: u64,
        record: &mut [u8],
    ) -> Result<(ContentType, Range<usize>), Failed> {
        let start = header.ciphertext_offset();
        let (head, body) = record.split_at_mut_checked(start).ok_or(Failed)?;
        let keys = self.keys()?;
        let opened = keys.key.open(keys.nonce(sequence), head, body)?;
        let inner = body.get(..opened).ok_or(Failed)?;
        let (last, content) = inner.split_last().ok_or(Failed)?;
        if *last != 0 {
            return Ok((ContentType(*last), start..start.saturating_add(content.len())));
        }
        // What follows the type is padding.
        let at = content.iter().rposition(|byte| *byte != 0).ok_or(Failed)?;
        let content_type = ContentType(*content.get(at).ok_or(Failed)?);
        Ok((content_type, start..start.saturating_add(at)))
    }
}

/// The number closest to `expected` whose low `bits` are `low`.
fn closest(expected: u64, low: u64, bits: u32) -> u64 {
    let span = 1_u64 << bits;
    let here = expected & !(span - 1) | low;
    if here > expected.saturating_add(span / 2) && here >= span {
        here - span
    } else if here.saturating_add(span / 2) < expected {
        here.saturating_add(span)
    } else {
        here
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::HashAlgorithm;

    //= rfc9147#4.2.2
    //# If the epoch bits match those of the current epoch, then implementations SHOULD reconstruct the sequence number by
    //# computing the full sequence number which is numerically closest to one plus the sequence number of the
    //# highest successfully deprotected record in the current epoch.
    #[test]
    fn the_closest_number_is_found() {
        for (expected, low, bits, number) in [
            (0, 0, 8, 0),
            (0, 255, 8, 255),
            (256, 255, 8, 255),
            (255, 0, 8, 256),
            (1000, 0xE8, 8, 1000),
            (65_536, 65_535, 16, 65_535),
            (65_535, 3, 16, 65_539),
            (1 << 40, 0xFFFF, 16, (1 << 40) - 1),
        ] {
            assert_eq!(closest(expected, low, bits), number, "{expected} {low} {bits}");
        }
    }

    const ALGORITHMS: [AeadAlgorithm; 3] =
        [AeadAlgorithm::Aes128Gcm, AeadAlgorithm::Aes256Gcm, AeadAlgorithm::ChaCha20Poly1305];

    fn keys(algorithm: AeadAlgorithm) -> V13Keys {
        let secret = Secret::extract(&crate::crypto::default(), HashAlgorithm::Sha256, &[], &[7; 32]);
        V13Keys::new(algorithm, secret).unwrap()
    }

    /// Seals `content` with `padding` under the header given, which may be of any form.
    fn seal_as(keys: &mut V13Keys, head: &[u8], sequence: u64, inner: &[u8]) -> Vec<u8> {
        let mut record = [head, inner, &[0; TAG_LEN]].concat();
        let (head, body) = record.split_at_mut(head.len());
        let (inner, tag) = body.split_at_mut(inner.len());
        let keys = keys.keys().unwrap();
        keys.key.seal(keys.nonce(sequence), head, inner, tag).unwrap();
        let mask = keys.mask.mask(body.first_chunk().unwrap()).unwrap();
        let bytes = if head[0] & 8 != 0 { 2 } else { 1 };
        head[1..].iter_mut().zip(mask).take(bytes).for_each(|(byte, mask)| *byte ^= mask);
        record
    }

    #[test]
    fn every_form_of_header_is_opened() {
        for algorithm in ALGORITHMS {
            let mut keys = keys(algorithm);
            let inner = b"content\x17\0\0\0";
            let length = (inner.len() + TAG_LEN) as u8;
            let heads: [&[u8]; 4] = [&[0x2F, 1, 2, 0, length], &[0x2B, 1, 2], &[0x27, 2, 0, length], &[0x23, 2]];
            for head in heads {
                let mut record = seal_as(&mut keys, head, 0x0102, inner);
                let header = UnifiedHeader::parse(&record).unwrap();
                let sequence = keys.unmask(header, &mut record, 0x0100).unwrap();
                assert_eq!(sequence, 0x0102);
                let (content_type, range) = keys.open(header, sequence, &mut record).unwrap();
                assert_eq!((content_type, &record[range]), (ContentType::APPLICATION_DATA, &b"content"[..]));
            }
        }
    }

    //= rfc9147#4.2.3
    //# Receivers MUST reject shorter records as if they had failed deprotection, as described in
    //# Section 4.5.2.
    #[test]
    fn nothing_but_padding_and_short_records_are_refused() {
        let mut keys = keys(AeadAlgorithm::Aes128Gcm);
        let mut record = seal_as(&mut keys, &[0x23, 0], 0, &[0; 20]);
        let header = UnifiedHeader::parse(&record).unwrap();
        let sequence = keys.unmask(header, &mut record, 0).unwrap();
        assert!(keys.open(header, sequence, &mut record).is_err());
        assert!(keys.unmask(header, &mut [0x23, 0, 1, 2, 3], 0).is_err());
    }
}
