//! [KeyUpdate](https://www.rfc-editor.org/rfc/rfc8446#section-4.6.3): one byte.

use super::codec::{DecodeError, Reader};

/// The sender changes to new keys.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct KeyUpdate {
    /// The receiver is to do so, too.
    pub update_requested: bool,
}

impl KeyUpdate {
    /// Reads the body of a KeyUpdate.
    pub fn parse(body: &[u8]) -> Result<Self, DecodeError> {
        let mut r = Reader::new(body);
        let update_requested = match r.u8()? {
            0 => false,
            1 => true,
            _ => return Err(DecodeError),
        };
        r.finish()?;
        Ok(Self { update_requested })
    }

    pub(crate) fn write(self) -> Vec<u8> {
        vec![u8::from(self.update_requested)]
    }
}
