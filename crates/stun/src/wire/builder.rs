//! A message to be sent.

use weft_core::{Frame, Full};

use super::header::{Class, HEADER_LEN, MAGIC_COOKIE, Method, TransactionId, message_type};
use super::message::{FINGERPRINT_XOR, IntegrityInput};
use crate::crc::crc32;
use crate::integrity::IntegrityKey;
use crate::wire::attribute::{Attribute, AttributeType};

/// Writes a message at the end of a frame. The header's length is right after each call, so the message is whole at any
/// time; when an attribute does not fit, nothing of it is written.
///
/// Attributes come first, then [`integrity`](Self::integrity), then [`fingerprint`](Self::fingerprint).
#[derive(Debug)]
pub struct MessageBuilder<'f, 'b> {
    frame: &'f mut Frame<'b>,
    start: usize,
    method: Method,
    id: TransactionId,
}

impl<'f, 'b> MessageBuilder<'f, 'b> {
    /// Writes the header.
    pub fn new(frame: &'f mut Frame<'b>, class: Class, method: Method, id: TransactionId) -> Result<Self, Full> {
        let start = frame.len();
        let out = frame.push_uninit(HEADER_LEN)?;
        let (head, tail) = out.split_at_mut(8);
        let [t0, t1] = message_type(class, method).to_be_bytes();
        let [c0, c1, c2, c3] = MAGIC_COOKIE.to_be_bytes();
        head.copy_from_slice(&[t0, t1, 0, 0, c0, c1, c2, c3]);
        tail.copy_from_slice(&id.0);
        Ok(Self { frame, start, method, id })
    }

    /// The function of the message.
    pub fn method(&self) -> Method {
        self.method
    }

    /// Appends an attribute, with padding of zeros.
    pub fn attribute<'a, A: Attribute<'a>>(&mut self, attribute: &A) -> Result<&mut Self, Full> {
        let len = attribute.encoded_len();
        let id = self.id;
        attribute.encode(self.value(A::TYPE, len)?, &id);
        self.fix_length();
        Ok(self)
    }

    /// Appends an attribute that this crate has no type for. Its value is written as it is.
    pub fn raw(&mut self, kind: AttributeType, value: &[u8]) -> Result<&mut Self, Full> {
        self.value(kind, value.len())?.copy_from_slice(value);
        self.fix_length();
        Ok(self)
    }

    /// Appends MESSAGE-INTEGRITY over all that was written so far.
    pub fn integrity(&mut self, key: &IntegrityKey) -> Result<&mut Self, Full> {
        let covered = self.frame.len();
        self.value(AttributeType::MESSAGE_INTEGRITY, 20)?;
        self.fix_length();
        let mac = key.sha1(&self.input(covered));
        self.fill(covered, &mac);
        Ok(self)
    }

    /// Appends MESSAGE-INTEGRITY-SHA256, untruncated, over all that was written so far.
    pub fn integrity_sha256(&mut self, key: &IntegrityKey) -> Result<&mut Self, Full> {
        let covered = self.frame.len();
        self.value(AttributeType::MESSAGE_INTEGRITY_SHA256, 32)?;
        self.fix_length();
        let mac = key.sha256(&self.input(covered));
        self.fill(covered, &mac);
        Ok(self)
    }

    /// Appends FINGERPRINT, which ends the message.
    pub fn fingerprint(&mut self) -> Result<(), Full> {
        let covered = self.frame.len();
        self.value(AttributeType::FINGERPRINT, 4)?;
        self.fix_length();
        let crc = crc32(&[self.frame.content().get(self.start..covered).unwrap_or_default()]) ^ FINGERPRINT_XOR;
        self.fill(covered, &crc.to_be_bytes());
        Ok(())
    }

    /// Appends the head of an attribute and zeros for value and padding; lends the value.
    fn value(&mut self, kind: AttributeType, len: usize) -> Result<&mut [u8], Full> {
        let length = u16::try_from(len).map_err(|_| Full)?;
        let out = self.frame.push_uninit(4 + len.next_multiple_of(4))?;
        let (head, value) = out.split_at_mut(4);
        let ([t0, t1], [l0, l1]) = (kind.0.to_be_bytes(), length.to_be_bytes());
        head.copy_from_slice(&[t0, t1, l0, l1]);
        value.fill(0);
        value.get_mut(..len).ok_or(Full)
    }

    fn fix_length(&mut self) {
        let length = (self.frame.len() - self.start - HEADER_LEN) as u16;
        let start = self.start;
        if let Some(field) = self.frame.content_mut().get_mut(start + 2..start + 4) {
            field.copy_from_slice(&length.to_be_bytes());
        }
    }

    /// What an HMAC covers: everything as far as `covered`.
    fn input(&self, covered: usize) -> IntegrityInput<'_> {
        let message = self.frame.content().get(self.start..).unwrap_or_default();
        let length = message.get(2..4).and_then(|l| l.try_into().ok()).unwrap_or_default();
        IntegrityInput {
            message_type: message.get(..2).unwrap_or_default(),
            length,
            rest: message.get(4..covered - self.start).unwrap_or_default(),
        }
    }

    fn fill(&mut self, attribute: usize, value: &[u8]) {
        if let Some(out) = self.frame.content_mut().get_mut(attribute + 4..attribute + 4 + value.len()) {
            out.copy_from_slice(value);
        }
    }
}
