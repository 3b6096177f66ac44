//! [CertificateRequest](https://www.rfc-editor.org/rfc/rfc5246#section-7.4.4).
//!
//! ```text
//! certificate_types <1..2^8-1> | supported_signature_algorithms <2..2^16-2> | certificate_authorities <0..2^16-1>
//! ```

use super::codec::{DecodeError, Reader, put_u8_vector, put_u16_vector};
use super::extensions::{Numbers, number_list};
use super::registry::{ClientCertificateType, SignatureScheme};

/// The server wants a certificate of the client.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CertificateRequest<'a> {
    /// Kinds of certificates it takes.
    pub certificate_types: &'a [u8],
    /// Signature schemes it can verify.
    pub signature_schemes: Numbers<'a>,
    /// Distinguished names of authorities it trusts, not taken apart.
    pub certificate_authorities: &'a [u8],
}

impl<'a> CertificateRequest<'a> {
    /// Reads the body of a CertificateRequest.
    pub fn parse(body: &'a [u8]) -> Result<Self, DecodeError> {
        let mut r = Reader::new(body);
        let certificate_types = r.u8_vector()?;
        let signature_schemes = Numbers::over(r.u16_vector()?)?;
        let certificate_authorities = r.u16_vector()?;
        r.finish()?;
        if certificate_types.is_empty() {
            return Err(DecodeError);
        }
        Ok(Self { certificate_types, signature_schemes, certificate_authorities })
    }

    /// Writes a request for any authority.
    pub(crate) fn write(types: &[ClientCertificateType], schemes: &[SignatureScheme]) -> Vec<u8> {
        let mut out = Vec::with_capacity(48);
        put_u8_vector(&mut out, &types.iter().map(|t| t.0).collect::<Vec<_>>());
        out.extend_from_slice(&number_list(schemes.iter().map(|s| s.0)));
        put_u16_vector(&mut out, &[]);
        out
    }
}
