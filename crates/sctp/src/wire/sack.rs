//! SACK ([RFC 9260 section 3.3.4](https://www.rfc-editor.org/rfc/rfc9260#section-3.3.4)).
//!
//! ```text
//! |   Type = 3    |  Chunk Flags  |         Chunk Length          |
//! |                      Cumulative TSN Ack                       |
//! |          Advertised Receiver Window Credit (a_rwnd)           |
//! | Number of Gap Ack Blocks = N  |  Number of Duplicate TSNs = M |
//! |    Gap Ack Block #1 Start     |     Gap Ack Block #1 End      |
//! |                       Duplicate TSN 1 ...                     |
//! ```

use weft_core::{Frame, Full, Serial32};

use super::{be16, be32, kind};

/// Bytes of a SACK without blocks and duplicates.
pub const SACK_LEN: usize = 16;

/// A SACK chunk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sack<'a> {
    /// Cumulative TSN Ack.
    pub cumulative_tsn_ack: Serial32,
    /// Advertised Receiver Window Credit, bytes.
    pub a_rwnd: u32,
    blocks: &'a [u8],
    duplicates: &'a [u8],
}

impl<'a> Sack<'a> {
    /// `None` when it is shorter than its counts say.
    pub fn parse(value: &'a [u8]) -> Option<Self> {
        let blocks_len = usize::from(be16(value, 8)?) * 4;
        let duplicates_len = usize::from(be16(value, 10)?) * 4;
        let (blocks, rest) = value.get(12..)?.split_at_checked(blocks_len)?;
        Some(Self {
            cumulative_tsn_ack: Serial32(be32(value, 0)?),
            a_rwnd: be32(value, 4)?,
            blocks,
            duplicates: rest.get(..duplicates_len)?,
        })
    }

    /// Gap Ack Blocks as first and last TSN. One whose start is 0 or after its end is left out.
    pub fn gap_blocks(&self) -> impl Iterator<Item = (Serial32, Serial32)> + 'a {
        let cumulative = self.cumulative_tsn_ack;
        self.blocks.chunks_exact(4).filter_map(move |block| {
            let (start, end) = (be16(block, 0)?, be16(block, 2)?);
            (start > 0 && start <= end).then(|| (cumulative.plus(u32::from(start)), cumulative.plus(u32::from(end))))
        })
    }

    /// Whether it has no Gap Ack Blocks.
    pub fn is_contiguous(&self) -> bool {
        self.blocks.is_empty()
    }

    /// TSNs that arrived more than once.
    pub fn duplicates(&self) -> impl Iterator<Item = Serial32> + 'a {
        self.duplicates.chunks_exact(4).filter_map(|tsn| Some(Serial32(be32(tsn, 0)?)))
    }
}

/// Appends a SACK with as many of the blocks and then duplicates as `frame` has room for.
pub(crate) fn write<'r>(
    frame: &mut Frame<'_>,
    cumulative: Serial32,
    a_rwnd: u32,
    blocks: impl ExactSizeIterator<Item = &'r (Serial32, Serial32)>,
    duplicates: &[Serial32],
) -> Result<(), Full> {
    let room = frame.remaining().checked_sub(SACK_LEN).ok_or(Full)? / 4;
    let block_count = blocks.len().min(room);
    let duplicate_count = duplicates.len().min(room - block_count);
    frame.push(&[kind::SACK, 0])?;
    frame.push_u16((SACK_LEN + 4 * (block_count + duplicate_count)) as u16)?;
    frame.push_u32(cumulative.0)?;
    frame.push_u32(a_rwnd)?;
    frame.push_u16(block_count as u16)?;
    frame.push_u16(duplicate_count as u16)?;
    for (first, last) in blocks.take(block_count) {
        frame.push_u16(first.since(cumulative) as u16)?;
        frame.push_u16(last.since(cumulative) as u16)?;
    }
    for tsn in duplicates.iter().take(duplicate_count) {
        frame.push_u32(tsn.0)?;
    }
    Ok(())
}
