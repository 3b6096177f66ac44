//! [ClientKeyExchange](https://www.rfc-editor.org/rfc/rfc8422#section-5.7) of ECDHE: `public <1..2^8-1>`.

use super::codec::{DecodeError, Reader, put_u8_vector};

/// The client's ephemeral key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ClientKeyExchange<'a> {
    /// The public key.
    pub public: &'a [u8],
}

impl<'a> ClientKeyExchange<'a> {
    /// Reads the body of a ClientKeyExchange.
    pub fn parse(body: &'a [u8]) -> Result<Self, DecodeError> {
        let mut r = Reader::new(body);
        let public = r.u8_vector()?;
        r.finish()?;
        if public.is_empty() { Err(DecodeError) } else { Ok(Self { public }) }
    }

    pub(crate) fn write(public: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(public.len().saturating_add(1));
        put_u8_vector(&mut out, public);
        out
    }
}
