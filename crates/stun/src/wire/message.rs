//! A message that arrived.

use subtle::ConstantTimeEq as _;

use super::header::{Class, HEADER_LEN, MAGIC_COOKIE, Method, TransactionId, split_message_type};
use crate::crc::crc32;
use crate::error::{Malformed, ParseError};
use crate::integrity::{Integrity, IntegrityKey};
use crate::wire::attribute::{Attribute, AttributeType};

/// What the FINGERPRINT is XOR'ed with.
pub(crate) const FINGERPRINT_XOR: u32 = 0x5354_554E;

/// A STUN message, checked and borrowed: header and attribute lengths are sound, so nothing that reads it can fail but
/// for the value of a single attribute.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    bytes: &'a [u8],
    class: Class,
    method: Method,
    id: TransactionId,
}

/// One attribute: its type and the bytes of its value, without padding.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RawAttribute<'a> {
    /// Its type.
    pub kind: AttributeType,
    /// Its value.
    pub value: &'a [u8],
    /// Where it starts in the message.
    pub(crate) offset: usize,
}

impl<'a> Message<'a> {
    /// Checks `bytes`, which are one whole message (a datagram).
    pub fn parse(bytes: &'a [u8]) -> Result<Self, ParseError> {
        let (&header, body) = bytes.split_first_chunk::<HEADER_LEN>().ok_or(ParseError::Truncated)?;
        let [t0, t1, l0, l1, c0, c1, c2, c3, id @ ..] = header;
        if t0 & 0xC0 != 0 || u32::from_be_bytes([c0, c1, c2, c3]) != MAGIC_COOKIE {
            return Err(ParseError::NotStun);
        }
        let length = usize::from(u16::from_be_bytes([l0, l1]));
        if length % 4 != 0 || length != body.len() {
            return Err(ParseError::Length);
        }
        let (class, method) = split_message_type(u16::from_be_bytes([t0, t1]));
        let message = Self { bytes, class, method, id: TransactionId(id) };
        let mut walk = Walk { bytes, at: HEADER_LEN };
        while walk.next().is_some() {}
        if walk.at == bytes.len() { Ok(message) } else { Err(ParseError::Attribute) }
    }

    /// Length of the message that `bytes` begin with, for streams; `None` until four bytes are there.
    pub fn length_of(bytes: &[u8]) -> Option<usize> {
        let (&[_, _, l0, l1], _) = bytes.split_first_chunk::<4>()?;
        Some(HEADER_LEN + usize::from(u16::from_be_bytes([l0, l1])))
    }

    /// Whether a datagram is to be parsed as STUN where protocols share a port: its first byte is 0 to 3 (RFC 7983
    /// section 7).
    pub fn claims(bytes: &[u8]) -> bool {
        bytes.first().is_some_and(|&first| first < 4)
    }

    /// Request, indication or response.
    pub fn class(&self) -> Class {
        self.class
    }

    /// The function.
    pub fn method(&self) -> Method {
        self.method
    }

    /// The transaction.
    pub fn transaction_id(&self) -> TransactionId {
        self.id
    }

    /// The whole message.
    pub fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The attributes that count, in order: those behind MESSAGE-INTEGRITY (or, without that, behind
    /// MESSAGE-INTEGRITY-SHA256) are left out, except for MESSAGE-INTEGRITY-SHA256 and FINGERPRINT
    /// (RFC 8489 section 9).
    pub fn attributes(&self) -> Attributes<'a> {
        Attributes { walk: self.walk(), sealed: false }
    }

    /// The first attribute of kind `A`, if there is one.
    pub fn get<A: Attribute<'a>>(&self) -> Result<Option<A>, Malformed> {
        match self.attributes().find(|raw| raw.kind == A::TYPE) {
            Some(raw) => A::decode(raw.value, &self.id).map(Some).ok_or(Malformed(A::TYPE)),
            None => Ok(None),
        }
    }

    /// Whether there is an attribute of this type.
    pub fn has(&self, kind: AttributeType) -> bool {
        self.attributes().any(|raw| raw.kind == kind)
    }

    /// The comprehension-required attributes that this crate does not know. A request that has any is answered with 420
    /// (RFC 8489 section 6.3.1), everything else that has any is discarded.
    pub fn unknown_required(&self) -> impl Iterator<Item = AttributeType> + use<'a> {
        self.attributes().map(|raw| raw.kind).filter(|kind| kind.is_comprehension_required() && !kind.is_known())
    }

    /// Whether the last attribute is a FINGERPRINT with the right value.
    pub fn has_valid_fingerprint(&self) -> bool {
        let Some((covered, &[t0, t1, l0, l1, v0, v1, v2, v3])) = self.bytes.split_last_chunk::<8>() else {
            return false;
        };
        u16::from_be_bytes([t0, t1]) == AttributeType::FINGERPRINT.0
            && [l0, l1] == [0, 4]
            && self.walk().last().is_some_and(|raw| raw.offset == covered.len())
            && crc32(&[covered]) ^ FINGERPRINT_XOR == u32::from_be_bytes([v0, v1, v2, v3])
    }

    /// Checks MESSAGE-INTEGRITY-SHA256 or, where that is absent, MESSAGE-INTEGRITY, in constant time.
    ///
    /// The value of MESSAGE-INTEGRITY-SHA256 has to be the full 32 bytes (RFC 8489 section 14.6: no usage here allows
    /// truncation).
    pub fn check_integrity(&self, key: &IntegrityKey) -> Integrity {
        let find = |kind| self.attributes().find(|raw| raw.kind == kind);
        if let Some(raw) = find(AttributeType::MESSAGE_INTEGRITY_SHA256) {
            let ours = key.sha256(&self.integrity_input(&raw));
            return if bool::from(ours.ct_eq(raw.value)) { Integrity::Sha256 } else { Integrity::Invalid };
        }
        let Some(raw) = find(AttributeType::MESSAGE_INTEGRITY) else {
            return Integrity::Absent;
        };
        let ours = key.sha1(&self.integrity_input(&raw));
        if bool::from(ours.ct_eq(raw.value)) { Integrity::Sha1 } else { Integrity::Invalid }
    }

    /// The message as far as `raw`, with the length in the header as if it ended there (RFC 8489 section 14.5).
    fn integrity_input(&self, raw: &RawAttribute<'a>) -> IntegrityInput<'a> {
        let end = raw.offset + 4 + raw.value.len();
        IntegrityInput {
            message_type: self.bytes.get(..2).unwrap_or_default(),
            length: ((end - HEADER_LEN) as u16).to_be_bytes(),
            rest: self.bytes.get(4..raw.offset).unwrap_or_default(),
        }
    }

    fn walk(&self) -> Walk<'a> {
        Walk { bytes: self.bytes, at: HEADER_LEN }
    }
}

/// What an HMAC covers.
pub(crate) struct IntegrityInput<'a> {
    pub(crate) message_type: &'a [u8],
    pub(crate) length: [u8; 2],
    pub(crate) rest: &'a [u8],
}

/// All attributes, one after the other; stops at the first that does not fit.
#[derive(Clone, Debug)]
struct Walk<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Iterator for Walk<'a> {
    type Item = RawAttribute<'a>;

    fn next(&mut self) -> Option<RawAttribute<'a>> {
        let (&[t0, t1, l0, l1], after) = self.bytes.get(self.at..)?.split_first_chunk::<4>()?;
        let len = usize::from(u16::from_be_bytes([l0, l1]));
        let padded = len.next_multiple_of(4);
        if after.len() < padded {
            return None;
        }
        let offset = self.at;
        self.at += 4 + padded;
        Some(RawAttribute { kind: AttributeType(u16::from_be_bytes([t0, t1])), value: after.get(..len)?, offset })
    }
}

/// Iterator of [`Message::attributes`].
#[derive(Clone, Debug)]
pub struct Attributes<'a> {
    walk: Walk<'a>,
    sealed: bool,
}

impl<'a> Iterator for Attributes<'a> {
    type Item = RawAttribute<'a>;

    #[inline]
    fn next(&mut self) -> Option<RawAttribute<'a>> {
        loop {
            let raw = self.walk.next()?;
            match raw.kind {
                AttributeType::MESSAGE_INTEGRITY if !self.sealed => self.sealed = true,
                AttributeType::MESSAGE_INTEGRITY_SHA256 => self.sealed = true,
                AttributeType::FINGERPRINT => {}
                _ if self.sealed => continue,
                _ => {}
            }
            return Some(raw);
        }
    }
}
