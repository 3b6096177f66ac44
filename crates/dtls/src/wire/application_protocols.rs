//! [application_layer_protocol_negotiation](https://www.rfc-editor.org/rfc/rfc7301#section-3.1):
//! `protocol_name_list <2..2^16-1>`, each name `<1..2^8-1>`.

use super::codec::{DecodeError, Reader, put_u8_vector, put_u16_vector};

/// The protocols that a client offers, or the one that a server chose.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ApplicationProtocols<'a>(&'a [u8]);

impl<'a> ApplicationProtocols<'a> {
    /// Reads the extension.
    pub fn parse(data: &'a [u8]) -> Result<Self, DecodeError> {
        let mut r = Reader::new(data);
        let list = r.u16_vector()?;
        r.finish()?;
        let mut names = Reader::new(list);
        loop {
            if names.u8_vector()?.is_empty() {
                return Err(DecodeError);
            }
            if names.is_empty() {
                return Ok(Self(list));
            }
        }
    }

    /// The names in the order sent.
    pub fn iter(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let mut r = Reader::new(self.0);
        core::iter::from_fn(move || r.u8_vector().ok())
    }

    /// Writes the extension.
    pub(crate) fn write<'n>(names: impl IntoIterator<Item = &'n [u8]>) -> Vec<u8> {
        let mut list = Vec::new();
        names.into_iter().for_each(|name| put_u8_vector(&mut list, name));
        let mut out = Vec::with_capacity(list.len().saturating_add(2));
        put_u16_vector(&mut out, &list);
        out
    }
}
