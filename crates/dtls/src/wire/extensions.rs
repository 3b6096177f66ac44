//! [Hello extensions](https://www.rfc-editor.org/rfc/rfc5246#section-7.4.1.4): type, length, data, in a row.

use super::codec::{DecodeError, Reader, put_u8_vector, put_u16_vector};
use super::registry::ExtensionType;

/// The most extensions a hello may carry; browsers send about fifteen. Bounds the search for duplicates.
pub const MAX_EXTENSIONS: usize = 64;

/// The extensions of a hello, checked to be well-formed and each there once. An empty block is like none.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Extensions<'a>(&'a [u8]);

impl<'a> Extensions<'a> {
    /// Reads what follows the fixed fields of a hello: nothing, or one vector of extensions.
    pub(super) fn parse_tail(mut r: Reader<'a>) -> Result<Self, DecodeError> {
        if r.is_empty() {
            return Ok(Self(&[]));
        }
        let block = r.u16_vector()?;
        r.finish()?;
        let mut seen = Vec::with_capacity(MAX_EXTENSIONS);
        let mut r = Reader::new(block);
        while !r.is_empty() {
            let extension_type = r.u16()?;
            r.u16_vector()?;
            if seen.len() == MAX_EXTENSIONS || seen.contains(&extension_type) {
                return Err(DecodeError);
            }
            seen.push(extension_type);
        }
        Ok(Self(block))
    }

    /// All extensions, in the order sent.
    pub fn iter(&self) -> impl Iterator<Item = (ExtensionType, &'a [u8])> + use<'a> {
        let mut r = Reader::new(self.0);
        core::iter::from_fn(move || Some((ExtensionType(r.u16().ok()?), r.u16_vector().ok()?)))
    }

    /// The data of one extension.
    pub fn get(&self, wanted: ExtensionType) -> Option<&'a [u8]> {
        self.iter().find(|(t, _)| *t == wanted).map(|(_, data)| data)
    }

    /// Whether `certificate_authorities`, which is of no use here, is well-formed if it is there: names of one byte and
    /// more, one at least (RFC 8446 section 4.2.4).
    pub(super) fn check_authorities(&self) -> Result<(), DecodeError> {
        let Some(data) = self.get(ExtensionType::CERTIFICATE_AUTHORITIES) else { return Ok(()) };
        let mut r = Reader::new(data);
        let mut names = Reader::new(r.u16_vector()?);
        r.finish()?;
        loop {
            if names.u16_vector()?.is_empty() {
                return Err(DecodeError);
            }
            if names.is_empty() {
                return Ok(());
            }
        }
    }

    /// The numbers of an extension that is a list of two-byte numbers with a two-byte length in front
    /// (`supported_groups`, `signature_algorithms`).
    pub fn numbers(&self, wanted: ExtensionType) -> Result<Option<Numbers<'a>>, DecodeError> {
        self.get(wanted).map(Numbers::parse).transpose()
    }
}

/// A list of two-byte numbers.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Numbers<'a>(&'a [u8]);

impl<'a> Numbers<'a> {
    fn parse(data: &'a [u8]) -> Result<Self, DecodeError> {
        let mut r = Reader::new(data);
        let list = r.u16_vector()?;
        r.finish()?;
        Self::over(list)
    }

    /// Over the list itself, without a length in front.
    pub(super) fn over(list: &'a [u8]) -> Result<Self, DecodeError> {
        if list.is_empty() || !list.len().is_multiple_of(2) { Err(DecodeError) } else { Ok(Self(list)) }
    }

    /// The numbers in the order sent.
    pub fn iter(&self) -> impl Iterator<Item = u16> + use<'a> {
        self.0.chunks_exact(2).filter_map(|pair| pair.try_into().ok().map(u16::from_be_bytes))
    }

    /// Whether `n` is among them.
    pub fn contains(&self, n: u16) -> bool {
        self.iter().any(|m| m == n)
    }
}

/// Appends one extension.
pub(super) fn put_extension(out: &mut Vec<u8>, extension_type: ExtensionType, data: &[u8]) {
    out.extend_from_slice(&extension_type.0.to_be_bytes());
    put_u16_vector(out, data);
}

/// Data of an extension that is a list of two-byte numbers.
pub(super) fn number_list(numbers: impl IntoIterator<Item = u16>) -> Vec<u8> {
    let list: Vec<u8> = numbers.into_iter().flat_map(u16::to_be_bytes).collect();
    let mut data = Vec::with_capacity(list.len().saturating_add(2));
    put_u16_vector(&mut data, &list);
    data
}

/// Appends extensions.
pub(super) fn put_extensions(out: &mut Vec<u8>, extensions: &[(ExtensionType, Vec<u8>)]) {
    for (extension_type, data) in extensions {
        put_extension(out, *extension_type, data);
    }
}

/// Reads [connection_id](https://www.rfc-editor.org/rfc/rfc9146#section-3): `cid <0..2^8-1>`.
pub(crate) fn connection_id(data: &[u8]) -> Result<&[u8], DecodeError> {
    let mut r = Reader::new(data);
    let id = r.u8_vector()?;
    r.finish()?;
    Ok(id)
}

/// Data of connection_id.
pub(crate) fn put_connection_id(id: &[u8]) -> Vec<u8> {
    let mut data = Vec::with_capacity(id.len().saturating_add(1));
    put_u8_vector(&mut data, id);
    data
}

/// Data of [cookie](https://www.rfc-editor.org/rfc/rfc8446#section-4.2.2).
pub(crate) fn put_cookie(cookie: &[u8]) -> Vec<u8> {
    let mut data = Vec::with_capacity(cookie.len().saturating_add(2));
    put_u16_vector(&mut data, cookie);
    data
}
