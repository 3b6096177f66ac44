//! [Certificate](https://www.rfc-editor.org/rfc/rfc5246#section-7.4.2) of DTLS 1.2: `certificate_list <0..2^24-1>`, each
//! certificate with a length of three bytes in front; the sender's own comes first.

use super::codec::{DecodeError, Reader, put_u24_vector};

/// A certificate chain; empty from a client that has none.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CertificateMessage<'a>(&'a [u8]);

impl<'a> CertificateMessage<'a> {
    /// Reads the body of a Certificate.
    pub fn parse(body: &'a [u8]) -> Result<Self, DecodeError> {
        let mut r = Reader::new(body);
        let list = r.u24_vector()?;
        r.finish()?;
        let mut r = Reader::new(list);
        while !r.is_empty() {
            if r.u24_vector()?.is_empty() {
                return Err(DecodeError);
            }
        }
        Ok(Self(list))
    }

    /// The certificates in DER, the sender's own first.
    pub fn iter(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let mut r = Reader::new(self.0);
        core::iter::from_fn(move || r.u24_vector().ok())
    }

    /// Writes a chain, or none.
    pub(crate) fn write<'c>(chain: impl Iterator<Item = &'c [u8]>) -> Vec<u8> {
        let mut list = Vec::new();
        chain.for_each(|der| put_u24_vector(&mut list, der));
        let mut out = Vec::with_capacity(list.len().saturating_add(3));
        put_u24_vector(&mut out, &list);
        out
    }
}
