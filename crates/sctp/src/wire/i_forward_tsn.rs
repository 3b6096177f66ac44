//! I-FORWARD-TSN ([RFC 8260 section 2.3.1](https://www.rfc-editor.org/rfc/rfc8260#section-2.3.1)).
//!
//! ```text
//! |   Type = 194  | Flags = 0x00  |      Length = Variable        |
//! |                       New Cumulative TSN                      |
//! |       Stream Identifier       |          Reserved           |U|  repeated
//! |                       Message Identifier                      |
//! ```

use weft_core::{Frame, Full, Serial32};

use super::{be16, be32, kind};

/// The messages of a stream that are skipped: all up to this one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Skipped {
    /// Stream Identifier.
    pub stream: u16,
    /// Whether it speaks of the unordered messages of the stream, or of the ordered ones.
    pub unordered: bool,
    /// Largest Message Identifier skipped.
    pub mid: Serial32,
}

/// An I-FORWARD-TSN chunk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct IForwardTsn<'a> {
    /// Everything up to here is to be taken as received.
    pub new_cumulative_tsn: Serial32,
    skipped: &'a [u8],
}

impl<'a> IForwardTsn<'a> {
    /// `None` when too short.
    pub fn parse(value: &'a [u8]) -> Option<Self> {
        Some(Self { new_cumulative_tsn: Serial32(be32(value, 0)?), skipped: value.get(4..)? })
    }

    /// What is skipped.
    pub fn skipped(&self) -> impl Iterator<Item = Skipped> + use<'a> {
        self.skipped.chunks_exact(8).filter_map(|entry| {
            Some(Skipped {
                stream: be16(entry, 0)?,
                unordered: be16(entry, 2)? & 1 != 0,
                mid: Serial32(be32(entry, 4)?),
            })
        })
    }

    /// Bytes the chunk takes with `n` entries.
    pub const fn wire_len(n: usize) -> usize {
        n.saturating_mul(8).saturating_add(8)
    }
}

/// Appends an I-FORWARD-TSN.
pub(crate) fn write(frame: &mut Frame<'_>, cumulative: Serial32, skipped: &[Skipped]) -> Result<(), Full> {
    if frame.remaining() < IForwardTsn::wire_len(skipped.len()) {
        return Err(Full);
    }
    frame.push(&[kind::I_FORWARD_TSN, 0])?;
    frame.push_u16(IForwardTsn::wire_len(skipped.len()) as u16)?;
    frame.push_u32(cumulative.0)?;
    for entry in skipped {
        frame.push_u16(entry.stream)?;
        frame.push_u16(u16::from(entry.unordered))?;
        frame.push_u32(entry.mid.0)?;
    }
    Ok(())
}
