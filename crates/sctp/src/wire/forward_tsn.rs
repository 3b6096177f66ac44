//! FORWARD TSN ([RFC 3758 section 3.2](https://www.rfc-editor.org/rfc/rfc3758#section-3.2)).
//!
//! ```text
//! |   Type = 192  |  Flags = 0x00 |        Length = Variable      |
//! |                      New Cumulative TSN                       |
//! |         Stream-1              |       Stream Sequence-1       |
//! ```

use weft_core::{Frame, Full, Serial16, Serial32};

use super::{Skipped, be16, be32, kind};

/// A FORWARD TSN chunk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ForwardTsn<'a> {
    /// Everything up to here is to be taken as received.
    pub new_cumulative_tsn: Serial32,
    skipped: &'a [u8],
}

impl<'a> ForwardTsn<'a> {
    /// `None` when too short.
    pub fn parse(value: &'a [u8]) -> Option<Self> {
        Some(Self { new_cumulative_tsn: Serial32(be32(value, 0)?), skipped: value.get(4..)? })
    }

    /// Streams with the last Stream Sequence Number skipped on each.
    pub fn skipped(&self) -> impl Iterator<Item = (u16, Serial16)> + 'a {
        self.skipped.chunks_exact(4).filter_map(|pair| Some((be16(pair, 0)?, Serial16(be16(pair, 2)?))))
    }

    /// Bytes the chunk takes with `n` streams.
    pub const fn wire_len(n: usize) -> usize {
        n.saturating_mul(4).saturating_add(8)
    }
}

/// Appends a FORWARD TSN. A Stream Sequence Number is the lower half of what counts the messages of a stream.
pub(crate) fn write(frame: &mut Frame<'_>, cumulative: Serial32, skipped: &[Skipped]) -> Result<(), Full> {
    if frame.remaining() < ForwardTsn::wire_len(skipped.len()) {
        return Err(Full);
    }
    frame.push(&[kind::FORWARD_TSN, 0])?;
    frame.push_u16(ForwardTsn::wire_len(skipped.len()) as u16)?;
    frame.push_u32(cumulative.0)?;
    for entry in skipped {
        frame.push_u16(entry.stream)?;
        frame.push_u16(entry.mid.0 as u16)?;
    }
    Ok(())
}
