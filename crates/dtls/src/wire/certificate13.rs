//! [Certificate](https://www.rfc-editor.org/rfc/rfc8446#section-4.4.2) of DTLS 1.3:
//! `certificate_request_context <0..255> | certificate_list <0..2^24-1>`, each entry
//! `cert_data <1..2^24-1> | extensions <0..2^16-1>`; and
//! [CertificateRequest](https://www.rfc-editor.org/rfc/rfc8446#section-4.3.2):
//! `certificate_request_context <0..255> | extensions <2..2^16-1>`.

use super::codec::{DecodeError, Reader, put_u8_vector, put_u16_vector, put_u24_vector};
use super::extensions::{Extensions, Numbers, number_list, put_extension};
use super::registry::{ExtensionType, SignatureScheme};

/// A certificate chain; empty from a client that has none.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Certificate13<'a> {
    /// What the request said.
    pub context: &'a [u8],
    list: &'a [u8],
}

impl<'a> Certificate13<'a> {
    /// Reads the body of a Certificate.
    pub fn parse(body: &'a [u8]) -> Result<Self, DecodeError> {
        let mut r = Reader::new(body);
        let context = r.u8_vector()?;
        let list = r.u24_vector()?;
        r.finish()?;
        let mut r = Reader::new(list);
        while !r.is_empty() {
            if r.u24_vector()?.is_empty() {
                return Err(DecodeError);
            }
            r.u16_vector()?;
        }
        Ok(Self { context, list })
    }

    /// The certificates in DER, the sender's own first.
    pub fn iter(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let mut r = Reader::new(self.list);
        core::iter::from_fn(move || {
            let certificate = r.u24_vector().ok()?;
            r.u16_vector().ok()?;
            Some(certificate)
        })
    }

    /// Writes a chain, or none.
    pub(crate) fn write<'c>(context: &[u8], chain: impl Iterator<Item = &'c [u8]>) -> Vec<u8> {
        let mut list = Vec::new();
        chain.for_each(|der| {
            put_u24_vector(&mut list, der);
            put_u16_vector(&mut list, &[]);
        });
        let mut out = Vec::with_capacity(list.len().saturating_add(8));
        put_u8_vector(&mut out, context);
        put_u24_vector(&mut out, &list);
        out
    }
}

/// The server wants a certificate of the client.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CertificateRequest13<'a> {
    /// To be repeated in the answer.
    pub context: &'a [u8],
    /// Signature schemes the server can verify.
    pub signature_schemes: Numbers<'a>,
}

impl<'a> CertificateRequest13<'a> {
    /// Reads the body of a CertificateRequest; `signature_algorithms` must be there.
    pub fn parse(body: &'a [u8]) -> Result<Self, DecodeError> {
        let mut r = Reader::new(body);
        let context = r.u8_vector()?;
        let extensions = Extensions::parse_tail(r)?;
        extensions.check_authorities()?;
        let signature_schemes = extensions.numbers(ExtensionType::SIGNATURE_ALGORITHMS)?.ok_or(DecodeError)?;
        Ok(Self { context, signature_schemes })
    }

    /// Writes a request for any authority.
    pub(crate) fn write(schemes: &[SignatureScheme]) -> Vec<u8> {
        let mut block = Vec::with_capacity(48);
        put_extension(&mut block, ExtensionType::SIGNATURE_ALGORITHMS, &number_list(schemes.iter().map(|s| s.0)));
        let mut out = Vec::with_capacity(64);
        put_u8_vector(&mut out, &[]);
        put_u16_vector(&mut out, &block);
        out
    }
}
