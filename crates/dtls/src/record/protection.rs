//! How the records of an epoch are protected.

use core::ops::Range;

use weft_core::Overhead;
use zeroize::Zeroizing;

use super::connection_id::MAX_CONNECTION_ID;
use super::v13::{TAIL, V13Keys};
use crate::crypto::{Aead, AeadAlgorithm, Failed, NONCE_LEN, Provider, TAG_LEN};
use crate::wire::{ContentType, RECORD_HEADER, RecordHeader, UNIFIED_HEADER};

/// Bytes of the nonce that AES-GCM sends along (RFC 5288 section 3).
const EXPLICIT_NONCE: usize = 8;

/// How the records of an epoch are protected.
pub(crate) enum Protection {
    /// Not at all: epoch 0.
    Plaintext,
    /// As DTLS 1.2 does with an AEAD cipher.
    V12(Box<V12Keys>),
    /// As DTLS 1.3 does.
    V13(Box<V13Keys>),
}

/// One direction's key material of DTLS 1.2.
pub(crate) struct V12Keys {
    provider: Provider,
    algorithm: AeadAlgorithm,
    /// As it came from the key schedule, and zeros.
    bytes: Zeroizing<[u8; 32]>,
    /// Made of that while records come and go.
    key: Option<Box<dyn Aead>>,
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
        if key.len() != algorithm.key_len() || iv.len() != Self::iv_len(algorithm) {
            return Err(Failed);
        }
        let mut bytes = Zeroizing::new([0; 32]);
        bytes.iter_mut().zip(key).for_each(|(to, from)| *to = *from);
        let mut whole = Zeroizing::new([0; NONCE_LEN]);
        whole.iter_mut().zip(iv).for_each(|(to, from)| *to = *from);
        let explicit = iv.len() < NONCE_LEN;
        let mut keys = Self { provider: provider.clone(), algorithm, bytes, key: None, iv: whole, explicit };
        keys.key()?;
        Ok(keys)
    }

    #[inline]
    fn key(&mut self) -> Result<&dyn Aead, Failed> {
        match &mut self.key {
            Some(key) => Ok(&**key),
            none => {
                let bytes = self.bytes.get(..self.algorithm.key_len()).ok_or(Failed)?;
                Ok(&**none.insert(self.provider.aead(self.algorithm, bytes)?))
            }
        }
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

impl V12Keys {
    /// Seals in place what follows the header: room for an explicit nonce, content, room for a tag.
    fn seal<A: AsRef<[u8]>>(
        &mut self,
        header: RecordHeader,
        fragment: &mut [u8],
        aad: impl FnOnce(usize) -> Result<A, Failed>,
    ) -> Result<(), Failed> {
        // Epoch and sequence number never repeat under a key, so neither does this (RFC 5288 section 3). It is never
        // random: 64 random bits would repeat by the birthday bound.
        let unique = header.epoch_and_sequence().to_be_bytes();
        let mut sealed = fragment;
        if self.explicit {
            let (explicit, rest) = sealed.split_first_chunk_mut::<EXPLICIT_NONCE>().ok_or(Failed)?;
            *explicit = unique;
            sealed = rest;
        }
        let content_len = sealed.len().checked_sub(TAG_LEN).ok_or(Failed)?;
        let (content, tag) = sealed.split_at_mut_checked(content_len).ok_or(Failed)?;
        let nonce = self.nonce(unique);
        self.key()?.seal(nonce, aad(content_len)?.as_ref(), content, tag)
    }

    /// Opens in place what follows the header; gives where in `fragment` the plaintext lies.
    fn open<A: AsRef<[u8]>>(
        &mut self,
        header: RecordHeader,
        fragment: &mut [u8],
        aad: impl FnOnce(usize) -> Result<A, Failed>,
    ) -> Result<Range<usize>, Failed> {
        let mut unique = header.epoch_and_sequence().to_be_bytes();
        let mut start = 0;
        let mut sealed = fragment;
        if self.explicit {
            let (explicit, rest) = sealed.split_first_chunk_mut::<EXPLICIT_NONCE>().ok_or(Failed)?;
            unique = *explicit;
            sealed = rest;
            start = EXPLICIT_NONCE;
        }
        let content_len = sealed.len().checked_sub(TAG_LEN).ok_or(Failed)?;
        let nonce = self.nonce(unique);
        let opened = self.key()?.open(nonce, aad(content_len)?.as_ref(), sealed)?;
        Ok(start..start.saturating_add(opened))
    }

    /// Writes the header of a record with a connection id (RFC 9146 section 4) and seals in place.
    fn seal_with_id(&mut self, header: RecordHeader, id: &[u8], record: &mut [u8]) -> Result<(), Failed> {
        let real_type = header.content_type;
        let head_len = RECORD_HEADER.saturating_add(id.len());
        let (head, fragment) = record.split_at_mut_checked(head_len).ok_or(Failed)?;
        let length = u16::try_from(fragment.len()).map_err(|_| Failed)?;
        let header = RecordHeader { content_type: ContentType::TLS12_CID, length, ..header };
        let bytes = header.to_bytes();
        let (before, length) = bytes.split_last_chunk::<2>().ok_or(Failed)?;
        let parts = before.iter().chain(id).chain(length);
        head.iter_mut().zip(parts).for_each(|(to, from)| *to = *from);
        let type_at = fragment.len().checked_sub(TAG_LEN + 1).ok_or(Failed)?;
        *fragment.get_mut(type_at).ok_or(Failed)? = real_type.0;
        self.seal(header, fragment, |inner_len| AdditionalData::new(header, id, inner_len))
    }
}

/// Additional data of a record of 1.2 with a connection id (RFC 9146 section 5.3).
struct AdditionalData {
    bytes: [u8; 23 + MAX_CONNECTION_ID],
    len: usize,
}

impl AdditionalData {
    fn new(header: RecordHeader, id: &[u8], inner_len: usize) -> Result<Self, Failed> {
        let id_len = u8::try_from(id.len()).map_err(|_| Failed)?;
        let [type_byte, version_and_numbers @ .., _, _] = header.to_bytes();
        let inner_len = u16::try_from(inner_len).map_err(|_| Failed)?.to_be_bytes();
        let mut bytes = [0xFF; 23 + MAX_CONNECTION_ID];
        let parts = [&[type_byte, id_len, type_byte][..], &version_and_numbers, id, &inner_len];
        let mut len = 8;
        let mut rest = bytes.get_mut(len..).ok_or(Failed)?;
        for part in parts {
            let (here, after) = rest.split_at_mut_checked(part.len()).ok_or(Failed)?;
            here.copy_from_slice(part);
            rest = after;
            len = len.saturating_add(part.len());
        }
        Ok(Self { bytes, len })
    }
}

impl AsRef<[u8]> for AdditionalData {
    fn as_ref(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

impl Protection {
    /// Forgets what can be made again when a record comes or goes.
    pub(super) fn rest(&mut self) {
        match self {
            Self::Plaintext => {}
            Self::V12(keys) => keys.key = None,
            Self::V13(keys) => keys.rest(),
        }
    }

    /// The keys of 1.3 that follow a KeyUpdate.
    pub(super) fn update(&self) -> Result<Self, Failed> {
        let Self::V13(keys) = self else { return Err(Failed) };
        Ok(Self::V13(Box::new(keys.update()?)))
    }

    /// What a record with a connection id of `id_len` bytes is longer than its content, header included.
    pub(crate) fn overhead(&self, id_len: usize) -> Overhead {
        match self {
            Self::Plaintext => Overhead { head: RECORD_HEADER, tail: 0 },
            Self::V12(keys) => {
                let explicit = if keys.explicit { EXPLICIT_NONCE } else { 0 };
                // The real content type follows the content.
                let tail = if id_len > 0 { TAG_LEN + 1 } else { TAG_LEN };
                Overhead { head: id_len.saturating_add(RECORD_HEADER + explicit), tail }
            }
            Self::V13(_) => Overhead { head: id_len.saturating_add(UNIFIED_HEADER), tail: TAIL },
        }
    }

    /// Writes the header and seals in place: `record` is room for the header and what goes before the content, content,
    /// room for what goes after it.
    pub(crate) fn seal_record(&mut self, header: RecordHeader, id: &[u8], record: &mut [u8]) -> Result<(), Failed> {
        match self {
            Self::V13(keys) => {
                return keys.seal(header.epoch, header.sequence_number, header.content_type, id, record);
            }
            Self::V12(keys) if !id.is_empty() => return keys.seal_with_id(header, id, record),
            Self::V12(_) | Self::Plaintext => {}
        }
        let (head, fragment) = record.split_first_chunk_mut::<RECORD_HEADER>().ok_or(Failed)?;
        *head = header.to_bytes();
        self.seal(header, fragment)
    }

    /// Seals in place what follows the header in `record`: room for an explicit nonce, content, room for a tag.
    fn seal(&mut self, header: RecordHeader, fragment: &mut [u8]) -> Result<(), Failed> {
        let Self::V12(keys) = self else { return Ok(()) };
        keys.seal(header, fragment, |content_len| Ok(V12Keys::additional_data(header, content_len)))
    }

    /// Opens in place what follows the header, with a connection id or without; gives the content's type and where in `fragment`
    /// it lies.
    pub(crate) fn open_v12(
        &mut self,
        header: RecordHeader,
        id: Option<&[u8]>,
        fragment: &mut [u8],
    ) -> Result<(ContentType, Range<usize>), Failed> {
        match id {
            Some(id) => self.open_with_id(header, id, fragment),
            None => Ok((header.content_type, self.open(header, fragment)?)),
        }
    }

    fn open(&mut self, header: RecordHeader, fragment: &mut [u8]) -> Result<Range<usize>, Failed> {
        let Self::V12(keys) = self else { return Err(Failed) };
        keys.open(header, fragment, |content_len| Ok(V12Keys::additional_data(header, content_len)))
    }

    /// The real content type of a record with a connection id is inside.
    fn open_with_id(
        &mut self,
        header: RecordHeader,
        id: &[u8],
        fragment: &mut [u8],
    ) -> Result<(ContentType, Range<usize>), Failed> {
        let Self::V12(keys) = self else { return Err(Failed) };
        let range = keys.open(header, fragment, |inner_len| AdditionalData::new(header, id, inner_len))?;
        let inner = fragment.get(range.clone()).ok_or(Failed)?;
        // What follows the type is padding.
        let at = inner.iter().rposition(|byte| *byte != 0).ok_or(Failed)?;
        let content_type = ContentType(*inner.get(at).ok_or(Failed)?);
        Ok((content_type, range.start..range.start.saturating_add(at)))
    }
}
