//! How the records of an epoch are protected.

use core::ops::Range;

use weft_core::Overhead;
use zeroize::Zeroizing;

use super::v13::{TAIL, V13Keys};
use crate::crypto::{Aead, AeadAlgorithm, Failed, NONCE_LEN, Provider, TAG_LEN};
use crate::wire::{RECORD_HEADER, RecordHeader, UNIFIED_HEADER};

/// Bytes of the nonce that AES-GCM sends along (RFC 5288 section 3).
const EXPLICIT_NONCE: usize = 8;

/// How the records of an epoch are protected.
pub(crate) enum Protection {
    /// Not at all: epoch 0.
    Plaintext,
    /// As DTLS 1.2 does with an AEAD cipher.
    V12(V12Keys),
    /// As DTLS 1.3 does.
    V13(Box<V13Keys>),
}

/// One direction's key material of DTLS 1.2.
pub(crate) struct V12Keys {
    key: Box<dyn Aead>,
    /// The part of the nonce that is not sent: 4 bytes and zeros with AES-GCM, 12 with ChaCha20-Poly1305.
    iv: Zeroizing<[u8; NONCE_LEN]>,
    /// Whether 8 bytes of the nonce travel in each record.
    explicit: bool,
}

impl V12Keys {
    /// Length of the part of the nonce that comes from the key schedule.
    pub(crate) fn iv_len(algorithm: AeadAlgorithm) -> usize {
        match algorithm {
            AeadAlgorithm::Aes128Gcm | AeadAlgorithm::Aes256Gcm => NONCE_LEN - EXPLICIT_NONCE,
            AeadAlgorithm::ChaCha20Poly1305 => NONCE_LEN,
        }
    }

    pub(crate) fn new(provider: &Provider, algorithm: AeadAlgorithm, key: &[u8], iv: &[u8]) -> Result<Self, Failed> {
        if iv.len() != Self::iv_len(algorithm) {
            return Err(Failed);
        }
        let mut whole = Zeroizing::new([0; NONCE_LEN]);
        whole.iter_mut().zip(iv).for_each(|(to, from)| *to = *from);
        Ok(Self { key: provider.aead(algorithm, key)?, iv: whole, explicit: iv.len() < NONCE_LEN })
    }

    /// With AES-GCM the IV's zeros take `explicit` (RFC 5288 section 3); ChaCha20-Poly1305 combines by exclusive or
    /// (RFC 7905 section 2). Over zeros they are the same.
    fn nonce(&self, explicit: [u8; EXPLICIT_NONCE]) -> [u8; NONCE_LEN] {
        let mut nonce = *self.iv;
        nonce.iter_mut().skip(NONCE_LEN - EXPLICIT_NONCE).zip(explicit).for_each(|(n, e)| *n ^= e);
        nonce
    }

    /// `seq_num + TLSCompressed.type + TLSCompressed.version + TLSCompressed.length` (RFC 5246 section 6.2.3.3).
    fn additional_data(header: RecordHeader, plaintext_len: usize) -> [u8; RECORD_HEADER] {
        let whole = u128::from(header.epoch_and_sequence()) << 40
            | u128::from(header.content_type.0) << 32
            | u128::from(header.version.0) << 16
            | u128::from(plaintext_len as u16);
        let [_, _, _, bytes @ ..] = whole.to_be_bytes();
        bytes
    }
}

impl Protection {
    /// What a record is longer than its content, header included.
    pub(crate) fn overhead(&self) -> Overhead {
        match self {
            Self::Plaintext => Overhead { head: RECORD_HEADER, tail: 0 },
            Self::V12(keys) => {
                let explicit = if keys.explicit { EXPLICIT_NONCE } else { 0 };
                Overhead { head: RECORD_HEADER + explicit, tail: TAG_LEN }
            }
            Self::V13(_) => Overhead { head: UNIFIED_HEADER, tail: TAIL },
        }
    }

    /// Writes the header and seals in place: `record` is room for the header and what goes before the content, content,
    /// room for what goes after it.
    pub(crate) fn seal_record(&self, header: RecordHeader, record: &mut [u8]) -> Result<(), Failed> {
        if let Self::V13(keys) = self {
            return keys.seal(header.epoch, header.sequence_number, header.content_type, record);
        }
        let (head, fragment) = record.split_first_chunk_mut::<RECORD_HEADER>().ok_or(Failed)?;
        *head = header.to_bytes();
        self.seal(header, fragment)
    }

    /// Seals in place what follows the header in `record`: room for an explicit nonce, content, room for a tag.
    fn seal(&self, header: RecordHeader, fragment: &mut [u8]) -> Result<(), Failed> {
        let Self::V12(keys) = self else { return Ok(()) };
        // Epoch and sequence number never repeat under a key, so neither does this (RFC 5288 section 3). It is never
        // random: 64 random bits would repeat by the birthday bound.
        let unique = header.epoch_and_sequence().to_be_bytes();
        let mut sealed = fragment;
        if keys.explicit {
            let (explicit, rest) = sealed.split_first_chunk_mut::<EXPLICIT_NONCE>().ok_or(Failed)?;
            *explicit = unique;
            sealed = rest;
        }
        let content_len = sealed.len().checked_sub(TAG_LEN).ok_or(Failed)?;
        let (content, tag) = sealed.split_at_mut_checked(content_len).ok_or(Failed)?;
        keys.key.seal(keys.nonce(unique), &V12Keys::additional_data(header, content_len), content, tag)
    }

    /// Opens in place what follows the header; gives where in `fragment` the content lies.
    pub(crate) fn open(&self, header: RecordHeader, fragment: &mut [u8]) -> Result<Range<usize>, Failed> {
        let keys = match self {
            Self::Plaintext => return Ok(0..fragment.len()),
            Self::V12(keys) => keys,
            Self::V13(_) => return Err(Failed),
        };
        let mut unique = header.epoch_and_sequence().to_be_bytes();
        let mut start = 0;
        let mut sealed = fragment;
        if keys.explicit {
            let (explicit, rest) = sealed.split_first_chunk_mut::<EXPLICIT_NONCE>().ok_or(Failed)?;
            unique = *explicit;
            sealed = rest;
            start = EXPLICIT_NONCE;
        }
        let content_len = sealed.len().checked_sub(TAG_LEN).ok_or(Failed)?;
        let aad = V12Keys::additional_data(header, content_len);
        let opened = keys.key.open(keys.nonce(unique), &aad, sealed)?;
        Ok(start..start.saturating_add(opened))
    }
}
