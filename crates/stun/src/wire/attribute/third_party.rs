//! Third-party authorization, [RFC 7635 section 6](https://www.rfc-editor.org/rfc/rfc7635#section-6).

use super::text::{MAX_DECODED, text};
use super::{Attribute, AttributeType};
use crate::wire::header::TransactionId;

/// The server takes access tokens: under this name authorization servers know it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ThirdPartyAuthorization<'a>(pub &'a str);

impl<'a> Attribute<'a> for ThirdPartyAuthorization<'a> {
    const TYPE: AttributeType = AttributeType::THIRD_PARTY_AUTHORIZATION;

    fn decode(value: &'a [u8], _: &TransactionId) -> Option<Self> {
        text(value, MAX_DECODED).map(Self)
    }

    fn encoded_len(&self) -> usize {
        self.0.len()
    }

    fn encode(&self, out: &mut [u8], _: &TransactionId) {
        out.copy_from_slice(self.0.as_bytes());
    }
}

/// What the authorization server made for the server. To a client it is opaque.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct AccessToken<'a>(pub &'a [u8]);

impl<'a> Attribute<'a> for AccessToken<'a> {
    const TYPE: AttributeType = AttributeType::ACCESS_TOKEN;

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

impl core::fmt::Debug for AccessToken<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "AccessToken({} bytes)", self.0.len())
    }
}
