//! ChannelData, [RFC 8656 section 12.4](https://www.rfc-editor.org/rfc/rfc8656#section-12.4).
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |         Channel Number        |            Length             |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! /                       Application Data                        /
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! ```

use core::ops::RangeInclusive;

use weft_core::{Frame, Full};

use super::header::HEADER_LEN;

/// A ChannelData message, checked and borrowed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ChannelData<'a> {
    /// The channel, 0x4000 to 0x4FFF.
    pub number: u16,
    /// The application data, without padding.
    pub data: &'a [u8],
}

impl<'a> ChannelData<'a> {
    /// Length of the header in bytes.
    pub const HEADER_LEN: usize = 4;
    /// The channel numbers there are.
    pub const NUMBERS: RangeInclusive<u16> = 0x4000..=0x4FFF;

    /// Checks `bytes`, which are a datagram or one message cut out of a stream. What follows the data is padding.
    /// `None` if it is no ChannelData message or shorter than it claims.
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        let (&[n0, n1, l0, l1], rest) = bytes.split_first_chunk::<4>()?;
        let number = u16::from_be_bytes([n0, n1]);
        let data = rest.get(..usize::from(u16::from_be_bytes([l0, l1])))?;
        Self::NUMBERS.contains(&number).then_some(Self { number, data })
    }

    /// Whether a datagram is a ChannelData message where protocols share a port: its first byte is 64 to 79 (RFC 7983
    /// section 7).
    pub fn claims(bytes: &[u8]) -> bool {
        bytes.first().is_some_and(|first| (64..80).contains(first))
    }

    /// Makes a message of what `frame` holds, in place: the header goes into the head room, and with `padded` (over TCP
    /// and TLS) up to three zeros into the tail room.
    pub fn wrap(number: u16, padded: bool, frame: &mut Frame<'_>) -> Result<(), Full> {
        let len = u16::try_from(frame.len()).map_err(|_| Full)?;
        let padding = if padded { usize::from(len.wrapping_neg() % 4) } else { 0 };
        if frame.head_room() < Self::HEADER_LEN || frame.tail_room() < padding {
            return Err(Full);
        }
        frame.claim_tail(padding)?.fill(0);
        let ([n0, n1], [l0, l1]) = (number.to_be_bytes(), len.to_be_bytes());
        frame.claim_head(Self::HEADER_LEN)?.copy_from_slice(&[n0, n1, l0, l1]);
        Ok(())
    }
}

/// Length of the STUN or ChannelData message that `bytes`, of a TURN connection over TCP or TLS, begin with, padding
/// included; `Ok(None)` until four bytes are there.
///
/// # Errors
/// If they begin neither: the stream is out of step and cannot go on.
pub fn stream_message_len(bytes: &[u8]) -> Result<Option<usize>, NotTurn> {
    let Some((&[first, _, l0, l1], _)) = bytes.split_first_chunk::<4>() else { return Ok(None) };
    let length = usize::from(u16::from_be_bytes([l0, l1]));
    match first {
        0..64 => Ok(Some(HEADER_LEN + length)),
        64..80 => Ok(Some(ChannelData::HEADER_LEN + length.next_multiple_of(4))),
        _ => Err(NotTurn),
    }
}

/// The bytes are neither a STUN nor a ChannelData message.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("neither a STUN nor a ChannelData message")]
pub struct NotTurn;
