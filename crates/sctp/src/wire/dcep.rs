//! DCEP: DATA_CHANNEL_OPEN and DATA_CHANNEL_ACK ([RFC 8832 section 5](https://www.rfc-editor.org/rfc/rfc8832#section-5)).
//!
//! ```text
//! | Message Type  |  Channel Type |            Priority           |
//! |                    Reliability Parameter                      |
//! |         Label Length          |       Protocol Length         |
//! |                            Label ...                          |
//! |                          Protocol ...                         |
//! ```

use super::{be16, be32, put16, put32};
use crate::Reliability;

/// DATA_CHANNEL_ACK.
pub const ACK: u8 = 0x02;
/// DATA_CHANNEL_OPEN.
pub const OPEN: u8 = 0x03;

/// The bit of a Channel Type that means unordered.
const UNORDERED: u8 = 0x80;

/// A DCEP message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Dcep<'a> {
    /// DATA_CHANNEL_OPEN.
    Open {
        /// Whether messages keep their order.
        ordered: bool,
        /// How hard delivery is tried.
        reliability: Reliability,
        /// Priority (RFC 8831 section 6.4: 128 below normal, 256 normal, 512 high, 1024 extra high).
        priority: u16,
        /// Label.
        label: &'a str,
        /// Subprotocol.
        protocol: &'a str,
    },
    /// DATA_CHANNEL_ACK.
    Ack,
}

impl<'a> Dcep<'a> {
    /// `None` when it is malformed, its text no UTF-8, or its type unknown.
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        match *bytes.first()? {
            ACK => Some(Self::Ack),
            OPEN => {
                let channel_type = *bytes.get(1)?;
                let parameter = be32(bytes, 4)?;
                let bounded = u16::try_from(parameter).unwrap_or(u16::MAX);
                let reliability = match channel_type & !UNORDERED {
                    0 => Reliability::Reliable,
                    1 => Reliability::MaxRetransmits(bounded),
                    2 => Reliability::MaxLifetime(bounded),
                    _ => return None,
                };
                let (label, rest) = bytes.get(12..)?.split_at_checked(usize::from(be16(bytes, 8)?))?;
                let protocol = rest.get(..usize::from(be16(bytes, 10)?))?;
                Some(Self::Open {
                    ordered: channel_type & UNORDERED == 0,
                    reliability,
                    priority: be16(bytes, 2)?,
                    label: core::str::from_utf8(label).ok()?,
                    protocol: core::str::from_utf8(protocol).ok()?,
                })
            }
            _ => None,
        }
    }

    /// Appends it. Label and protocol must be at most 65,535 bytes long.
    pub fn write(&self, out: &mut Vec<u8>) {
        let Self::Open { ordered, reliability, priority, label, protocol } = *self else {
            out.push(ACK);
            return;
        };
        let (kind, parameter) = match reliability {
            Reliability::Reliable => (0, 0),
            Reliability::MaxRetransmits(n) => (1, n),
            Reliability::MaxLifetime(millis) => (2, millis),
        };
        out.push(OPEN);
        out.push(if ordered { kind } else { kind | UNORDERED });
        put16(out, priority);
        put32(out, u32::from(parameter));
        put16(out, label.len() as u16);
        put16(out, protocol.len() as u16);
        out.extend_from_slice(label.as_bytes());
        out.extend_from_slice(protocol.as_bytes());
    }
}
