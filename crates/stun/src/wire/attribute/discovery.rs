//! NAT behaviour discovery, [RFC 5780 section 7](https://www.rfc-editor.org/rfc/rfc5780#section-7).

use super::{Attribute, AttributeType};
use crate::wire::header::TransactionId;

/// Asks the server to answer from another address, port or both.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct ChangeRequest {
    /// From its other IP address.
    pub ip: bool,
    /// From its other port.
    pub port: bool,
}

impl Attribute<'_> for ChangeRequest {
    const TYPE: AttributeType = AttributeType::CHANGE_REQUEST;

    fn decode(value: &[u8], _: &TransactionId) -> Option<Self> {
        let [_, _, _, bits]: [u8; 4] = value.try_into().ok()?;
        Some(Self { ip: bits & 4 != 0, port: bits & 2 != 0 })
    }

    fn encoded_len(&self) -> usize {
        4
    }

    fn encode(&self, out: &mut [u8], _: &TransactionId) {
        out.copy_from_slice(&[0, 0, 0, u8::from(self.ip) << 2 | u8::from(self.port) << 1]);
    }
}
