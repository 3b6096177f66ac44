//! Credentials and descriptions,
//! [RFC 8489 sections 14.3, 14.4, 14.9 to 14.12, 14.14 and 14.16](https://www.rfc-editor.org/rfc/rfc8489#section-14.3).

use super::{Attribute, AttributeType};
use crate::wire::header::TransactionId;

/// The longest text a receiver has to accept, in bytes.
pub(super) const MAX_DECODED: usize = 763;

/// UTF-8 of at most `max` bytes.
pub(super) fn text(value: &[u8], max: usize) -> Option<&str> {
    if value.len() > max { None } else { core::str::from_utf8(value).ok() }
}

/// Who sends a request; in ICE the two username fragments with a colon between them. At most 508 bytes when sent.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Username<'a>(pub &'a str);

/// The realm of long-term credentials. Fewer than 128 characters.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Realm<'a>(pub &'a str);

/// The server's nonce. Fewer than 128 characters.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Nonce<'a>(pub &'a str);

/// Which software sent the message. Fewer than 128 characters.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Software<'a>(pub &'a str);

/// The name the certificate of an alternate server is checked against. At most 255 ASCII characters.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct AlternateDomain<'a>(pub &'a str);

macro_rules! text {
    ($name:ident, $kind:ident, $max:expr) => {
        impl<'a> Attribute<'a> for $name<'a> {
            const TYPE: AttributeType = AttributeType::$kind;

            fn decode(value: &'a [u8], _: &TransactionId) -> Option<Self> {
                text(value, $max).map(Self)
            }

            fn encoded_len(&self) -> usize {
                self.0.len()
            }

            fn encode(&self, out: &mut [u8], _: &TransactionId) {
                out.copy_from_slice(self.0.as_bytes());
            }
        }
    };
}

text!(Username, USERNAME, MAX_DECODED);
text!(Realm, REALM, MAX_DECODED);
text!(Nonce, NONCE, MAX_DECODED);
text!(Software, SOFTWARE, MAX_DECODED);
text!(AlternateDomain, ALTERNATE_DOMAIN, 255);

/// Stands for USERNAME where that is not to be seen: see [`userhash`](crate::userhash).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Userhash(pub [u8; 32]);

impl Attribute<'_> for Userhash {
    const TYPE: AttributeType = AttributeType::USERHASH;

    fn decode(value: &[u8], _: &TransactionId) -> Option<Self> {
        value.try_into().ok().map(Self)
    }

    fn encoded_len(&self) -> usize {
        self.0.len()
    }

    fn encode(&self, out: &mut [u8], _: &TransactionId) {
        out.copy_from_slice(&self.0);
    }
}

/// The algorithm that makes a key of the long-term password: its number, then a 16-bit length and its parameters.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct PasswordAlgorithm<'a> {
    /// 1 is MD5, 2 is SHA-256 (RFC 8489 section 18.5).
    pub algorithm: u16,
    /// Empty for both.
    pub parameters: &'a [u8],
}

impl<'a> PasswordAlgorithm<'a> {
    /// The first of a list, and what follows.
    fn split(value: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let (&[a0, a1, l0, l1], rest) = value.split_first_chunk::<4>()?;
        let len = usize::from(u16::from_be_bytes([l0, l1]));
        let parameters = rest.get(..len)?;
        // The padding of the last may be that of the attribute, which is cut off already.
        let rest = rest.get(len.next_multiple_of(4)..).unwrap_or_default();
        Some((Self { algorithm: u16::from_be_bytes([a0, a1]), parameters }, rest))
    }
}

impl<'a> Attribute<'a> for PasswordAlgorithm<'a> {
    const TYPE: AttributeType = AttributeType::PASSWORD_ALGORITHM;

    fn decode(value: &'a [u8], _: &TransactionId) -> Option<Self> {
        Self::split(value).filter(|(_, rest)| rest.is_empty()).map(|(algorithm, _)| algorithm)
    }

    fn encoded_len(&self) -> usize {
        4 + self.parameters.len()
    }

    fn encode(&self, out: &mut [u8], _: &TransactionId) {
        let Some((head, parameters)) = out.split_first_chunk_mut::<4>() else { return };
        let ([a0, a1], [l0, l1]) = (self.algorithm.to_be_bytes(), (self.parameters.len() as u16).to_be_bytes());
        *head = [a0, a1, l0, l1];
        parameters.copy_from_slice(self.parameters);
    }
}

/// The algorithms a server can use, best first. A client sends the list back as it came (RFC 8489 section 9.2.5).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct PasswordAlgorithms<'a>(&'a [u8]);

impl<'a> PasswordAlgorithms<'a> {
    /// The list as it came.
    pub fn as_bytes(&self) -> &'a [u8] {
        self.0
    }

    /// The algorithms, in order.
    pub fn iter(&self) -> impl Iterator<Item = PasswordAlgorithm<'a>> + use<'a> {
        let mut rest = self.0;
        core::iter::from_fn(move || {
            let (algorithm, after) = PasswordAlgorithm::split(rest)?;
            rest = after;
            Some(algorithm)
        })
    }
}

impl<'a> Attribute<'a> for PasswordAlgorithms<'a> {
    const TYPE: AttributeType = AttributeType::PASSWORD_ALGORITHMS;

    fn decode(value: &'a [u8], _: &TransactionId) -> Option<Self> {
        let mut rest = value;
        while !rest.is_empty() {
            rest = PasswordAlgorithm::split(rest)?.1;
        }
        Some(Self(value))
    }

    fn encoded_len(&self) -> usize {
        self.0.len()
    }

    fn encode(&self, out: &mut [u8], _: &TransactionId) {
        out.copy_from_slice(self.0);
    }
}
