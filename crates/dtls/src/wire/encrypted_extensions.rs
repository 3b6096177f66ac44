//! [EncryptedExtensions](https://www.rfc-editor.org/rfc/rfc8446#section-4.3.1): `extensions <0..2^16-1>`.

use super::codec::{DecodeError, Reader, put_u16_vector};
use super::extensions::{Extensions, put_extensions};
use super::registry::ExtensionType;

/// The server's answers that nobody else may read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EncryptedExtensions<'a> {
    /// The extensions.
    pub extensions: Extensions<'a>,
}

impl<'a> EncryptedExtensions<'a> {
    /// Reads the body of an EncryptedExtensions.
    pub fn parse(body: &'a [u8]) -> Result<Self, DecodeError> {
        if body.is_empty() {
            return Err(DecodeError);
        }
        Ok(Self { extensions: Extensions::parse_tail(Reader::new(body))? })
    }

    /// Writes it.
    pub(crate) fn write(extensions: &[(ExtensionType, Vec<u8>)]) -> Vec<u8> {
        let mut block = Vec::with_capacity(16);
        put_extensions(&mut block, extensions);
        let mut out = Vec::with_capacity(18);
        put_u16_vector(&mut out, &block);
        out
    }
}
