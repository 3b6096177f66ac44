//! [ACK](https://www.rfc-editor.org/rfc/rfc9147#section-7): `record_numbers <0..2^16-1>`, each `epoch 8 | sequence 8`.

use super::codec::{DecodeError, Reader, put_u16_vector};

/// Bytes of one record number.
pub const RECORD_NUMBER: usize = 16;

/// Which records arrived.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ack<'a>(&'a [u8]);

impl<'a> Ack<'a> {
    /// Reads the content of an ACK record.
    pub fn parse(content: &'a [u8]) -> Result<Self, DecodeError> {
        let mut r = Reader::new(content);
        let list = r.u16_vector()?;
        r.finish()?;
        if list.len().is_multiple_of(RECORD_NUMBER) { Ok(Self(list)) } else { Err(DecodeError) }
    }

    /// Epoch and sequence number of each record.
    pub fn iter(&self) -> impl Iterator<Item = (u64, u64)> + use<'a> {
        let mut r = Reader::new(self.0);
        core::iter::from_fn(move || Some((u64::from_be_bytes(r.array().ok()?), u64::from_be_bytes(r.array().ok()?))))
    }

    /// Writes an ACK of these records.
    pub(crate) fn write(numbers: &[(u16, u64)]) -> Vec<u8> {
        let list: Vec<u8> = numbers
            .iter()
            .flat_map(|(epoch, sequence)| [u64::from(*epoch).to_be_bytes(), sequence.to_be_bytes()].concat())
            .collect();
        let mut out = Vec::with_capacity(list.len().saturating_add(2));
        put_u16_vector(&mut out, &list);
        out
    }
}
