//! [CertificateVerify](https://www.rfc-editor.org/rfc/rfc5246#section-7.4.8), which is one
//! [digitally-signed struct](https://www.rfc-editor.org/rfc/rfc5246#section-4.7):
//! `algorithm 2 | signature <0..2^16-1>`.

use super::codec::{DecodeError, Reader, put_u16_vector};
use super::registry::SignatureScheme;

/// A signature with the scheme it was made by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DigitallySigned<'a> {
    /// How it was made.
    pub scheme: SignatureScheme,
    /// The signature.
    pub signature: &'a [u8],
}

impl<'a> DigitallySigned<'a> {
    /// Reads the body of a CertificateVerify.
    pub fn parse(body: &'a [u8]) -> Result<Self, DecodeError> {
        let mut r = Reader::new(body);
        let signed = Self::read(&mut r)?;
        r.finish()?;
        Ok(signed)
    }

    pub(super) fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Self { scheme: SignatureScheme(r.u16()?), signature: r.u16_vector()? })
    }

    /// Appends the struct.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.scheme.0.to_be_bytes());
        put_u16_vector(out, self.signature);
    }
}
