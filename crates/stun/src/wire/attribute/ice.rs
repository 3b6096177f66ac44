//! What ICE adds to STUN, [RFC 8445 section 16.1](https://www.rfc-editor.org/rfc/rfc8445#section-16.1).

use super::{Attribute, AttributeType};
use crate::wire::header::TransactionId;

/// The priority a peer-reflexive candidate learnt from this check would have: 32 bits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Priority(pub u32);

/// Nominates the pair. No value.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct UseCandidate;

/// The sender takes the controlled role; the tie-breaker is 64 bits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct IceControlled(pub u64);

/// The sender takes the controlling role; the tie-breaker is 64 bits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct IceControlling(pub u64);

macro_rules! number {
    ($name:ident, $kind:ident, $int:ty) => {
        impl Attribute<'_> for $name {
            const TYPE: AttributeType = AttributeType::$kind;

            fn decode(value: &[u8], _: &TransactionId) -> Option<Self> {
                value.try_into().ok().map(|bytes| Self(<$int>::from_be_bytes(bytes)))
            }

            fn encoded_len(&self) -> usize {
                size_of::<$int>()
            }

            fn encode(&self, out: &mut [u8], _: &TransactionId) {
                out.copy_from_slice(&self.0.to_be_bytes());
            }
        }
    };
}

number!(Priority, PRIORITY, u32);
number!(IceControlled, ICE_CONTROLLED, u64);
number!(IceControlling, ICE_CONTROLLING, u64);

impl Attribute<'_> for UseCandidate {
    const TYPE: AttributeType = AttributeType::USE_CANDIDATE;

    fn decode(value: &[u8], _: &TransactionId) -> Option<Self> {
        value.is_empty().then_some(Self)
    }

    fn encoded_len(&self) -> usize {
        0
    }

    fn encode(&self, _: &mut [u8], _: &TransactionId) {}
}
