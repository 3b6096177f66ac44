//! [use_srtp](https://www.rfc-editor.org/rfc/rfc5764#section-4.1.1): `profiles <2..2^16-1> | srtp_mki <0..255>`.

use super::codec::{DecodeError, Reader, put_u8_vector};
use super::extensions::{Numbers, number_list};
use super::registry::SrtpProfile;

/// The protection profiles that a client offers, or the one that a server chose.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct UseSrtp<'a> {
    /// Profiles, the preferred first.
    pub profiles: Numbers<'a>,
    /// The master key identifier.
    pub mki: &'a [u8],
}

impl<'a> UseSrtp<'a> {
    /// Reads the extension.
    pub fn parse(data: &'a [u8]) -> Result<Self, DecodeError> {
        let mut r = Reader::new(data);
        let profiles = Numbers::over(r.u16_vector()?)?;
        let mki = r.u8_vector()?;
        r.finish()?;
        Ok(Self { profiles, mki })
    }

    /// Writes the extension, without a master key identifier.
    pub(crate) fn write(profiles: &[SrtpProfile]) -> Vec<u8> {
        let mut out = number_list(profiles.iter().map(|profile| profile.0));
        put_u8_vector(&mut out, &[]);
        out
    }
}
