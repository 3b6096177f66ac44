//! Transport addresses, [RFC 8489 sections 14.1, 14.2 and 14.15](https://www.rfc-editor.org/rfc/rfc8489#section-14.1).
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |0 0 0 0 0 0 0 0|    Family     |           Port                |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |                 Address (32 bits or 128 bits)                 |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! ```
//! XOR-MAPPED-ADDRESS hides port and address from address-rewriting NATs by XOR with the magic cookie and, for IPv6, the
//! transaction id.

use core::net::{IpAddr, SocketAddr};

use super::{Attribute, AttributeType};
use crate::wire::header::{MAGIC_COOKIE, TransactionId};

/// The request's source, in the clear: for clients of RFC 3489.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct MappedAddress(pub SocketAddr);

/// The request's source as the server saw it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct XorMappedAddress(pub SocketAddr);

/// The peer of a TURN message (RFC 8656 section 18.3).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct XorPeerAddress(pub SocketAddr);

/// The transport address that the TURN server allocated (RFC 8656 section 18.5).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct XorRelayedAddress(pub SocketAddr);

/// Where the response was sent from (RFC 5780 section 7.3).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ResponseOrigin(pub SocketAddr);

/// The server's other address and port (RFC 5780 section 7.4).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct OtherAddress(pub SocketAddr);

/// Another server to try.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct AlternateServer(pub SocketAddr);

const FAMILY_V4: u8 = 1;
const FAMILY_V6: u8 = 2;

fn decode(value: &[u8], mask: &[u8; 16]) -> Option<SocketAddr> {
    let (&[_, family, p0, p1], address) = value.split_first_chunk::<4>()?;
    let [m0, m1, ..] = *mask;
    let port = u16::from_be_bytes([p0 ^ m0, p1 ^ m1]);
    let ip = match family {
        FAMILY_V4 => {
            let mut octets: [u8; 4] = address.try_into().ok()?;
            octets.iter_mut().zip(mask).for_each(|(byte, mask)| *byte ^= mask);
            IpAddr::from(octets)
        }
        FAMILY_V6 => {
            let mut octets: [u8; 16] = address.try_into().ok()?;
            octets.iter_mut().zip(mask).for_each(|(byte, mask)| *byte ^= mask);
            IpAddr::from(octets)
        }
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

fn encoded_len(address: &SocketAddr) -> usize {
    if address.is_ipv4() { 8 } else { 20 }
}

fn encode(address: &SocketAddr, out: &mut [u8], mask: &[u8; 16]) {
    let Some((head, body)) = out.split_first_chunk_mut::<4>() else { return };
    let ([p0, p1], [m0, m1, ..]) = (address.port().to_be_bytes(), *mask);
    let family = if address.is_ipv4() { FAMILY_V4 } else { FAMILY_V6 };
    *head = [0, family, p0 ^ m0, p1 ^ m1];
    let mut write =
        |octets: &[u8]| body.iter_mut().zip(octets).zip(mask).for_each(|((out, byte), mask)| *out = byte ^ mask);
    match address.ip() {
        IpAddr::V4(ip) => write(&ip.octets()),
        IpAddr::V6(ip) => write(&ip.octets()),
    }
}

fn xor_mask(id: &TransactionId) -> [u8; 16] {
    let mut mask = [0; 16];
    let (cookie, rest) = mask.split_at_mut(4);
    cookie.copy_from_slice(&MAGIC_COOKIE.to_be_bytes());
    rest.copy_from_slice(&id.0);
    mask
}

macro_rules! address {
    ($name:ident, $kind:ident, $mask:expr) => {
        impl Attribute<'_> for $name {
            const TYPE: AttributeType = AttributeType::$kind;

            fn decode(value: &[u8], id: &TransactionId) -> Option<Self> {
                decode(value, &$mask(id)).map(Self)
            }

            fn encoded_len(&self) -> usize {
                encoded_len(&self.0)
            }

            fn encode(&self, out: &mut [u8], id: &TransactionId) {
                encode(&self.0, out, &$mask(id));
            }
        }
    };
}

const fn no_mask(_: &TransactionId) -> [u8; 16] {
    [0; 16]
}

address!(MappedAddress, MAPPED_ADDRESS, no_mask);
address!(XorMappedAddress, XOR_MAPPED_ADDRESS, xor_mask);
address!(XorPeerAddress, XOR_PEER_ADDRESS, xor_mask);
address!(XorRelayedAddress, XOR_RELAYED_ADDRESS, xor_mask);
address!(AlternateServer, ALTERNATE_SERVER, no_mask);
address!(ResponseOrigin, RESPONSE_ORIGIN, no_mask);
address!(OtherAddress, OTHER_ADDRESS, no_mask);
