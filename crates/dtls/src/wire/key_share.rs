//! [key_share](https://www.rfc-editor.org/rfc/rfc8446#section-4.2.8): in a ClientHello a list of
//! `group 2 | key_exchange <1..2^16-1>`, in a ServerHello one of them, in a HelloRetryRequest the group alone.

use super::codec::{DecodeError, Reader, put_u16_vector};
use super::registry::NamedGroup;

/// The shares a client offers, the preferred first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct KeyShares<'a>(&'a [u8]);

impl<'a> KeyShares<'a> {
    /// Reads the extension of a ClientHello. No group may come twice (RFC 8446 section 4.2.8).
    pub fn parse(data: &'a [u8]) -> Result<Self, DecodeError> {
        let mut r = Reader::new(data);
        let list = r.u16_vector()?;
        r.finish()?;
        let mut r = Reader::new(list);
        let mut seen = Vec::with_capacity(8);
        while !r.is_empty() {
            let (group, _) = entry(&mut r)?;
            if seen.len() == 64 || seen.contains(&group) {
                return Err(DecodeError);
            }
            seen.push(group);
        }
        Ok(Self(list))
    }

    /// Every share.
    pub fn iter(&self) -> impl Iterator<Item = (NamedGroup, &'a [u8])> + use<'a> {
        let mut r = Reader::new(self.0);
        core::iter::from_fn(move || entry(&mut r).ok())
    }

    /// The share of one group.
    pub fn get(&self, wanted: NamedGroup) -> Option<&'a [u8]> {
        self.iter().find(|(group, _)| *group == wanted).map(|(_, share)| share)
    }

    pub(crate) fn write<'b>(shares: impl Iterator<Item = (NamedGroup, &'b [u8])>) -> Vec<u8> {
        let mut list = Vec::with_capacity(1300);
        shares.for_each(|(group, share)| list.extend(write_key_share(group, share)));
        let mut out = Vec::with_capacity(list.len().saturating_add(2));
        put_u16_vector(&mut out, &list);
        out
    }
}

fn entry<'a>(r: &mut Reader<'a>) -> Result<(NamedGroup, &'a [u8]), DecodeError> {
    let group = NamedGroup(r.u16()?);
    let share = r.u16_vector()?;
    if share.is_empty() { Err(DecodeError) } else { Ok((group, share)) }
}

/// Reads the extension of a ServerHello.
pub fn parse_key_share(data: &[u8]) -> Result<(NamedGroup, &[u8]), DecodeError> {
    let mut r = Reader::new(data);
    let share = entry(&mut r)?;
    r.finish()?;
    Ok(share)
}

pub(crate) fn write_key_share(group: NamedGroup, share: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(share.len().saturating_add(4));
    out.extend_from_slice(&group.0.to_be_bytes());
    put_u16_vector(&mut out, share);
    out
}
