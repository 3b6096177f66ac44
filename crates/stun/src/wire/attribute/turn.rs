//! What TURN adds to STUN, [RFC 8656 section 18](https://www.rfc-editor.org/rfc/rfc8656#section-18).

use core::time::Duration;

use super::text::{MAX_DECODED, text};
use super::{Attribute, AttributeType};
use crate::wire::header::TransactionId;

/// The number of a channel, 0x4000 to 0x4FFF, and 16 reserved bits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ChannelNumber(pub u16);

/// How long an allocation lives without a refresh: 32 bits of seconds.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Lifetime(pub u32);

impl Lifetime {
    /// As a duration.
    pub const fn duration(self) -> Duration {
        Duration::from_secs(self.0 as u64)
    }
}

/// The application data of a Send or Data indication.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Data<'a>(pub &'a [u8]);

/// Whether an address is IPv4 or IPv6 (RFC 8489 section 14.1).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub enum AddressFamily {
    /// 0x01.
    V4,
    /// 0x02.
    V6,
}

impl AddressFamily {
    /// The family of an address.
    pub const fn of(ip: core::net::IpAddr) -> Self {
        if ip.is_ipv4() { Self::V4 } else { Self::V6 }
    }

    const fn number(self) -> u8 {
        match self {
            Self::V4 => 1,
            Self::V6 => 2,
        }
    }

    const fn from_number(number: u8) -> Option<Self> {
        match number {
            1 => Some(Self::V4),
            2 => Some(Self::V6),
            _ => None,
        }
    }
}

/// The one family the relayed transport address is to have.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct RequestedAddressFamily(pub AddressFamily);

/// The other family, next to IPv4, that an allocation is to have: always IPv6.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct AdditionalAddressFamily(pub AddressFamily);

/// Asks for an even port, and for the next one to be kept.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct EvenPort {
    /// The R bit: reserve the next higher port.
    pub reserve: bool,
}

/// The transport between server and peers, as an IP protocol number: 17 is UDP.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct RequestedTransport(pub u8);

impl RequestedTransport {
    /// UDP, the only one of RFC 8656.
    pub const UDP: Self = Self(17);
}

/// Asks the server to set the DF bit towards the peer. No value.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct DontFragment;

/// Names a port that was reserved by EVEN-PORT.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ReservationToken(pub [u8; 8]);

/// Why one of two requested families was not allocated.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct AddressErrorCode<'a> {
    /// The family.
    pub family: AddressFamily,
    /// 440 or 508.
    pub code: u16,
    /// For people; may be empty.
    pub reason: &'a str,
}

/// Why the server could not deliver a datagram.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Icmp {
    /// The ICMP type; its family is that of XOR-PEER-ADDRESS.
    pub kind: u8,
    /// The ICMP code.
    pub code: u8,
    /// The MTU of the next hop where type and code speak of one, else zero.
    pub data: u32,
}

impl Attribute<'_> for ChannelNumber {
    const TYPE: AttributeType = AttributeType::CHANNEL_NUMBER;

    fn decode(value: &[u8], _: &TransactionId) -> Option<Self> {
        let [n0, n1, _, _]: [u8; 4] = value.try_into().ok()?;
        Some(Self(u16::from_be_bytes([n0, n1])))
    }

    fn encoded_len(&self) -> usize {
        4
    }

    fn encode(&self, out: &mut [u8], _: &TransactionId) {
        out.iter_mut().zip(self.0.to_be_bytes()).for_each(|(out, byte)| *out = byte);
    }
}

impl Attribute<'_> for Lifetime {
    const TYPE: AttributeType = AttributeType::LIFETIME;

    fn decode(value: &[u8], _: &TransactionId) -> Option<Self> {
        value.try_into().ok().map(|bytes| Self(u32::from_be_bytes(bytes)))
    }

    fn encoded_len(&self) -> usize {
        4
    }

    fn encode(&self, out: &mut [u8], _: &TransactionId) {
        out.copy_from_slice(&self.0.to_be_bytes());
    }
}

impl<'a> Attribute<'a> for Data<'a> {
    const TYPE: AttributeType = AttributeType::DATA;

    fn decode(value: &'a [u8], _: &TransactionId) -> Option<Self> {
        Some(Self(value))
    }

    fn encoded_len(&self) -> usize {
        self.0.len()
    }

    fn encode(&self, out: &mut [u8], _: &TransactionId) {
        out.copy_from_slice(self.0);
    }
}

/// One byte of meaning and three reserved ones.
macro_rules! first_byte {
    ($name:ident, $kind:ident, $decode:expr, $encode:expr) => {
        impl Attribute<'_> for $name {
            const TYPE: AttributeType = AttributeType::$kind;

            fn decode(value: &[u8], _: &TransactionId) -> Option<Self> {
                let [first, _, _, _]: [u8; 4] = value.try_into().ok()?;
                let decode: fn(u8) -> Option<Self> = $decode;
                decode(first)
            }

            fn encoded_len(&self) -> usize {
                4
            }

            fn encode(&self, out: &mut [u8], _: &TransactionId) {
                let encode: fn(&Self) -> u8 = $encode;
                out.iter_mut().zip([encode(self), 0, 0, 0]).for_each(|(out, byte)| *out = byte);
            }
        }
    };
}

first_byte!(
    RequestedAddressFamily,
    REQUESTED_ADDRESS_FAMILY,
    |byte| AddressFamily::from_number(byte).map(Self),
    |this| this.0.number()
);
first_byte!(
    AdditionalAddressFamily,
    ADDITIONAL_ADDRESS_FAMILY,
    |byte| AddressFamily::from_number(byte).map(Self),
    |this| this.0.number()
);
first_byte!(RequestedTransport, REQUESTED_TRANSPORT, |byte| Some(Self(byte)), |this| this.0);

impl Attribute<'_> for EvenPort {
    const TYPE: AttributeType = AttributeType::EVEN_PORT;

    fn decode(value: &[u8], _: &TransactionId) -> Option<Self> {
        let [bits]: [u8; 1] = value.try_into().ok()?;
        Some(Self { reserve: bits & 0x80 != 0 })
    }

    fn encoded_len(&self) -> usize {
        1
    }

    fn encode(&self, out: &mut [u8], _: &TransactionId) {
        out.fill(if self.reserve { 0x80 } else { 0 });
    }
}

impl Attribute<'_> for DontFragment {
    const TYPE: AttributeType = AttributeType::DONT_FRAGMENT;

    fn decode(value: &[u8], _: &TransactionId) -> Option<Self> {
        value.is_empty().then_some(Self)
    }

    fn encoded_len(&self) -> usize {
        0
    }

    fn encode(&self, _: &mut [u8], _: &TransactionId) {}
}

impl Attribute<'_> for ReservationToken {
    const TYPE: AttributeType = AttributeType::RESERVATION_TOKEN;

    fn decode(value: &[u8], _: &TransactionId) -> Option<Self> {
        value.try_into().ok().map(Self)
    }

    fn encoded_len(&self) -> usize {
        8
    }

    fn encode(&self, out: &mut [u8], _: &TransactionId) {
        out.copy_from_slice(&self.0);
    }
}

impl<'a> Attribute<'a> for AddressErrorCode<'a> {
    const TYPE: AttributeType = AttributeType::ADDRESS_ERROR_CODE;

    fn decode(value: &'a [u8], _: &TransactionId) -> Option<Self> {
        let (&[family, _, class, number], reason) = value.split_first_chunk::<4>()?;
        let class = class & 7;
        if !(3..=6).contains(&class) || number > 99 {
            return None;
        }
        let code = u16::from(class) * 100 + u16::from(number);
        Some(Self { family: AddressFamily::from_number(family)?, code, reason: text(reason, MAX_DECODED)? })
    }

    fn encoded_len(&self) -> usize {
        4 + self.reason.len()
    }

    fn encode(&self, out: &mut [u8], _: &TransactionId) {
        let Some((head, reason)) = out.split_first_chunk_mut::<4>() else { return };
        *head = [self.family.number(), 0, (self.code / 100) as u8 & 7, (self.code % 100) as u8];
        reason.copy_from_slice(self.reason.as_bytes());
    }
}

impl Attribute<'_> for Icmp {
    const TYPE: AttributeType = AttributeType::ICMP;

    fn decode(value: &[u8], _: &TransactionId) -> Option<Self> {
        let [_, _, kind, code, d0, d1, d2, d3]: [u8; 8] = value.try_into().ok()?;
        Some(Self { kind, code, data: u32::from_be_bytes([d0, d1, d2, d3]) })
    }

    fn encoded_len(&self) -> usize {
        8
    }

    fn encode(&self, out: &mut [u8], _: &TransactionId) {
        let [d0, d1, d2, d3] = self.data.to_be_bytes();
        out.copy_from_slice(&[0, 0, self.kind, self.code, d0, d1, d2, d3]);
    }
}
