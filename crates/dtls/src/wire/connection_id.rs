//! [NewConnectionId and RequestConnectionId](https://www.rfc-editor.org/rfc/rfc9147#section-9):
//! `cids <0..2^16-1>`, each `<0..2^8-1>`, then `usage 1`; and `num_cids 1`.

use super::codec::{DecodeError, Reader, put_u8_vector, put_u16_vector};

/// Connection ids that the sender wants to find in the records it receives.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NewConnectionId<'a> {
    list: &'a [u8],
    /// Whether one of them is to be used from now on; else they are for later.
    pub immediate: bool,
}

impl<'a> NewConnectionId<'a> {
    /// Reads the body of a NewConnectionId. Empty ids are an error: they would ask for none, in the middle of a
    /// connection that has them.
    pub fn parse(body: &'a [u8]) -> Result<Self, DecodeError> {
        let mut r = Reader::new(body);
        let list = r.u16_vector()?;
        let immediate = match r.u8()? {
            0 => true,
            1 => false,
            _ => return Err(DecodeError),
        };
        r.finish()?;
        let mut r = Reader::new(list);
        while !r.is_empty() {
            if r.u8_vector()?.is_empty() {
                return Err(DecodeError);
            }
        }
        if immediate && list.is_empty() { Err(DecodeError) } else { Ok(Self { list, immediate }) }
    }

    /// The ids, in the order to be used.
    pub fn iter(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let mut r = Reader::new(self.list);
        core::iter::from_fn(move || r.u8_vector().ok())
    }

    /// Writes the body.
    pub(crate) fn write<'i>(ids: impl Iterator<Item = &'i [u8]>, immediate: bool) -> Vec<u8> {
        let mut list = Vec::new();
        ids.for_each(|id| put_u8_vector(&mut list, id));
        let mut out = Vec::with_capacity(list.len().saturating_add(3));
        put_u16_vector(&mut out, &list);
        out.push(u8::from(!immediate));
        out
    }
}

/// The sender wants that many ids for later.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RequestConnectionId(pub u8);

impl RequestConnectionId {
    /// Reads the body of a RequestConnectionId.
    pub fn parse(body: &[u8]) -> Result<Self, DecodeError> {
        let mut r = Reader::new(body);
        let number = r.u8()?;
        r.finish()?;
        Ok(Self(number))
    }
}
