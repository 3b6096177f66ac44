//! A DTLS handshake inside connectivity checks (draft-hancke-webrtc-sped). Both go before MESSAGE-INTEGRITY and count only
//! when that holds.

use super::{Attribute, AttributeType};
use crate::wire::header::TransactionId;

/// One DTLS handshake datagram.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct DtlsInStun<'a>(pub &'a [u8]);

/// CRC-32 values of DTLS handshake datagrams received, at most [`DtlsInStunAck::MAX`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct DtlsInStunAck(pub Crc32s);

/// Up to four CRC-32 values.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Crc32s {
    values: [u32; DtlsInStunAck::MAX],
    len: usize,
}

impl Crc32s {
    /// Adds one; false if there is no room for it.
    pub fn push(&mut self, value: u32) -> bool {
        let Some(slot) = self.values.get_mut(self.len) else { return false };
        *slot = value;
        self.len += 1;
        true
    }

    /// The values.
    pub fn as_slice(&self) -> &[u32] {
        self.values.get(..self.len).unwrap_or_default()
    }
}

impl DtlsInStunAck {
    /// How many values fit.
    pub const MAX: usize = 4;
}

impl<'a> Attribute<'a> for DtlsInStun<'a> {
    const TYPE: AttributeType = AttributeType::DTLS_IN_STUN;

    fn decode(value: &'a [u8], _: &TransactionId) -> Option<Self> {
        // The range of DTLS in RFC 7983 section 7.
        matches!(value.first(), Some(20..=63)).then_some(Self(value))
    }

    fn encoded_len(&self) -> usize {
        self.0.len()
    }

    fn encode(&self, out: &mut [u8], _: &TransactionId) {
        out.copy_from_slice(self.0);
    }
}

impl Attribute<'_> for DtlsInStunAck {
    const TYPE: AttributeType = AttributeType::DTLS_IN_STUN_ACK;

    fn decode(value: &[u8], _: &TransactionId) -> Option<Self> {
        let (values, rest) = value.as_chunks::<4>();
        let mut acks = Crc32s::default();
        (rest.is_empty() && values.iter().all(|&v| acks.push(u32::from_be_bytes(v)))).then_some(Self(acks))
    }

    fn encoded_len(&self) -> usize {
        4 * self.0.as_slice().len()
    }

    fn encode(&self, out: &mut [u8], _: &TransactionId) {
        let (slots, _) = out.as_chunks_mut::<4>();
        slots.iter_mut().zip(self.0.as_slice()).for_each(|(slot, value)| *slot = value.to_be_bytes());
    }
}
