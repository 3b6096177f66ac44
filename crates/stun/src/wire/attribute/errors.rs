//! What error responses carry, [RFC 8489 sections 14.8 and 14.13](https://www.rfc-editor.org/rfc/rfc8489#section-14.8).
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |           Reserved, should be 0         |Class|     Number    |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |      Reason Phrase (variable)                                ..
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! ```

use super::text::{MAX_DECODED, text};
use super::{Attribute, AttributeType};
use crate::wire::header::TransactionId;

/// Why a request was refused.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ErrorCode<'a> {
    /// 300 to 699.
    pub code: u16,
    /// For people; may be empty.
    pub reason: &'a str,
}

impl ErrorCode<'static> {
    /// 300: ask the server in ALTERNATE-SERVER.
    pub const TRY_ALTERNATE: Self = Self { code: 300, reason: "" };
    /// 400: the request was malformed.
    pub const BAD_REQUEST: Self = Self { code: 400, reason: "" };
    /// 401: the credentials are missing or wrong.
    pub const UNAUTHENTICATED: Self = Self { code: 401, reason: "" };
    /// 403: consent is revoked (RFC 7675 section 5.2), or the server does not allow it (RFC 8656).
    pub const FORBIDDEN: Self = Self { code: 403, reason: "" };
    /// 420: see UNKNOWN-ATTRIBUTES.
    pub const UNKNOWN_ATTRIBUTE: Self = Self { code: 420, reason: "" };
    /// 437: there is no allocation where there should be one, or one where there should be none (RFC 8656 section 19).
    pub const ALLOCATION_MISMATCH: Self = Self { code: 437, reason: "" };
    /// 438: take the nonce of this response.
    pub const STALE_NONCE: Self = Self { code: 438, reason: "" };
    /// 440: the server does not relay for this address family (RFC 8656 section 19).
    pub const ADDRESS_FAMILY_NOT_SUPPORTED: Self = Self { code: 440, reason: "" };
    /// 441: not the credentials the allocation was made with (RFC 8656 section 19).
    pub const WRONG_CREDENTIALS: Self = Self { code: 441, reason: "" };
    /// 442: the server does not relay for this transport (RFC 8656 section 19).
    pub const UNSUPPORTED_TRANSPORT: Self = Self { code: 442, reason: "" };
    /// 443: the peer is of another address family than the relayed address (RFC 8656 section 19).
    pub const PEER_ADDRESS_FAMILY_MISMATCH: Self = Self { code: 443, reason: "" };
    /// 486: no more allocations for this username (RFC 8656 section 19).
    pub const ALLOCATION_QUOTA_REACHED: Self = Self { code: 486, reason: "" };
    /// 487: both sides are in the same role (RFC 8445 section 7.3.1.1).
    pub const ROLE_CONFLICT: Self = Self { code: 487, reason: "" };
    /// 500: try again.
    pub const SERVER_ERROR: Self = Self { code: 500, reason: "" };
    /// 508: the server has no address or port left (RFC 8656 section 19).
    pub const INSUFFICIENT_CAPACITY: Self = Self { code: 508, reason: "" };
}

impl<'a> Attribute<'a> for ErrorCode<'a> {
    const TYPE: AttributeType = AttributeType::ERROR_CODE;

    fn decode(value: &'a [u8], _: &TransactionId) -> Option<Self> {
        let (&[_, _, class, number], reason) = value.split_first_chunk::<4>()?;
        let class = class & 7;
        if !(3..=6).contains(&class) || number > 99 {
            return None;
        }
        Some(Self { code: u16::from(class) * 100 + u16::from(number), reason: text(reason, MAX_DECODED)? })
    }

    fn encoded_len(&self) -> usize {
        4 + self.reason.len()
    }

    fn encode(&self, out: &mut [u8], _: &TransactionId) {
        let Some((head, reason)) = out.split_first_chunk_mut::<4>() else { return };
        *head = [0, 0, (self.code / 100) as u8 & 7, (self.code % 100) as u8];
        reason.copy_from_slice(self.reason.as_bytes());
    }
}

/// The comprehension-required attributes a server did not understand, as 16-bit numbers in network order.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct UnknownAttributes<'a>(&'a [[u8; 2]]);

impl<'a> UnknownAttributes<'a> {
    /// A list of numbers in network order.
    pub const fn new(types: &'a [[u8; 2]]) -> Self {
        Self(types)
    }

    /// The attribute types.
    pub fn iter(&self) -> impl Iterator<Item = AttributeType> + use<'a> {
        self.0.iter().map(|&bytes| AttributeType(u16::from_be_bytes(bytes)))
    }
}

impl<'a> Attribute<'a> for UnknownAttributes<'a> {
    const TYPE: AttributeType = AttributeType::UNKNOWN_ATTRIBUTES;

    fn decode(value: &'a [u8], _: &TransactionId) -> Option<Self> {
        let (types, rest) = value.as_chunks::<2>();
        rest.is_empty().then_some(Self(types))
    }

    fn encoded_len(&self) -> usize {
        2 * self.0.len()
    }

    fn encode(&self, out: &mut [u8], _: &TransactionId) {
        out.copy_from_slice(self.0.as_flattened());
    }
}
