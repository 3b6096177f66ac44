//! A client's [server_name](https://www.rfc-editor.org/rfc/rfc6066#section-3):
//! `server_name_list <1..2^16-1>`, each entry `name_type(1) | name <1..2^16-1>`, the only type there is being host_name (0).

use super::codec::{DecodeError, Reader, put_u16_vector};

const HOST_NAME: u8 = 0;

/// The DNS name that a client told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HostName<'a>(pub &'a str);

impl<'a> HostName<'a> {
    /// Reads the extension: one name, and nothing beside it, because nobody could read past a type of another form.
    pub fn parse(data: &'a [u8]) -> Result<Self, DecodeError> {
        let mut r = Reader::new(data);
        let mut list = Reader::new(r.u16_vector()?);
        r.finish()?;
        if list.u8()? != HOST_NAME {
            return Err(DecodeError);
        }
        let name = core::str::from_utf8(list.u16_vector()?).map_err(|_| DecodeError)?;
        list.finish()?;
        // RFC 1035 section 2.3.4 has no longer ones.
        if (1..=255).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_graphic()) {
            Ok(Self(name))
        } else {
            Err(DecodeError)
        }
    }

    /// Writes the extension.
    pub(crate) fn write(self) -> Vec<u8> {
        let mut entry = vec![HOST_NAME];
        put_u16_vector(&mut entry, self.0.as_bytes());
        let mut data = Vec::with_capacity(entry.len().saturating_add(2));
        put_u16_vector(&mut data, &entry);
        data
    }
}
