//! [EncryptedExtensions](https://www.rfc-editor.org/rfc/rfc8446#section-4.3.1): `extensions <0..2^16-1>`.

use super::codec::{DecodeError, Reader, put_u16_vector};
use super::extensions::{Extensions, put_extension};
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

    /// Writes it, with the longest record that we take if the client told its own.
    pub(crate) fn write(record_size_limit: Option<u16>) -> Vec<u8> {
        let mut block = Vec::with_capacity(8);
        if let Some(limit) = record_size_limit {
            put_extension(&mut block, ExtensionType::RECORD_SIZE_LIMIT, &limit.to_be_bytes());
        }
        let mut out = Vec::with_capacity(8);
        put_u16_vector(&mut out, &block);
        out
    }
}
