//! [ServerKeyExchange](https://www.rfc-editor.org/rfc/rfc8422#section-5.4) of ECDHE.
//!
//! ```text
//! curve_type 1 (3 = named_curve) | named_curve 2 | public <1..2^8-1> | algorithm 2 | signature <0..2^16-1>
//! '------------------------- params, signed -----------------------'
//! ```

use super::certificate_verify::DigitallySigned;
use super::codec::{DecodeError, Reader, put_u8_vector};
use super::registry::NamedGroup;

const NAMED_CURVE: u8 = 3;

/// The server's ephemeral key, signed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ServerKeyExchange<'a> {
    /// The group of the key.
    pub group: NamedGroup,
    /// The public key.
    pub public: &'a [u8],
    /// The bytes that are signed, after both randoms.
    pub params: &'a [u8],
    /// The signature.
    pub signed: DigitallySigned<'a>,
}

impl<'a> ServerKeyExchange<'a> {
    /// Reads the body of a ServerKeyExchange.
    pub fn parse(body: &'a [u8]) -> Result<Self, DecodeError> {
        let mut r = Reader::new(body);
        if r.u8()? != NAMED_CURVE {
            return Err(DecodeError);
        }
        let group = NamedGroup(r.u16()?);
        let public = r.u8_vector()?;
        let params = body.get(..public.len().saturating_add(4)).ok_or(DecodeError)?;
        let signed = DigitallySigned::read(&mut r)?;
        r.finish()?;
        if public.is_empty() {
            return Err(DecodeError);
        }
        Ok(Self { group, public, params, signed })
    }

    /// Writes the part that is to be signed.
    pub(crate) fn write_params(group: NamedGroup, public: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(256);
        out.push(NAMED_CURVE);
        out.extend_from_slice(&group.0.to_be_bytes());
        put_u8_vector(&mut out, public);
        out
    }
}
