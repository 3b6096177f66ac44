//! A message waiting to be sent.

use std::collections::VecDeque;

use bytes::Bytes;
use weft_core::{Instant, Serial32};

/// A message on its way out.
#[derive(Debug)]
pub(crate) struct OutMessage {
    /// What of it is not sent yet; of a message given in pieces, the first of them.
    pub(crate) payload: Bytes,
    /// The pieces after the first, of a message given in pieces.
    pub(crate) pieces: Option<Box<Pieces>>,
    pub(crate) ppid: u32,
    pub(crate) ordered: bool,
    pub(crate) counted: bool,
    /// Retransmissions allowed; `u16::MAX` for any number.
    pub(crate) max_retransmits: u16,
    /// Given up from then on.
    pub(crate) expires: Instant,
    /// To be told of when it was delivered or given up.
    pub(crate) notice: Option<u64>,
    /// Part of it was sent.
    pub(crate) begun: bool,
    /// Once begun.
    pub(crate) mid: Serial32,
    /// Fragment Sequence Number of the next piece.
    pub(crate) fsn: u32,
    /// Its place among all messages of the association.
    pub(crate) turn: u64,
}

/// A message given in pieces.
#[derive(Debug, Default)]
pub(crate) struct Pieces {
    rest: VecDeque<Bytes>,
    rest_len: usize,
    /// The last piece was given.
    pub(crate) complete: bool,
    /// Nothing of it may leave before it is complete.
    pub(crate) withheld: bool,
}

impl Pieces {
    pub(crate) fn new(withheld: bool) -> Self {
        Self { withheld, ..Self::default() }
    }
}

impl OutMessage {
    /// Bytes not sent yet.
    #[inline]
    pub(crate) fn remaining(&self) -> usize {
        self.payload.len() + self.pieces.as_ref().map_or(0, |p| p.rest_len)
    }

    /// Whether all of it was given.
    #[inline]
    pub(crate) fn is_complete(&self) -> bool {
        self.pieces.as_ref().is_none_or(|p| p.complete)
    }

    /// Whether nothing was given of it that is not sent.
    pub(crate) fn is_blank(&self) -> bool {
        self.remaining() == 0 && !self.begun
    }

    pub(crate) fn is_withheld(&self) -> bool {
        self.pieces.as_ref().is_some_and(|p| p.withheld)
    }

    /// Bytes that may be sent now. Until a message is complete one byte stays back, because its last chunk cannot be
    /// empty.
    #[inline]
    pub(crate) fn available(&self) -> usize {
        match &self.pieces {
            None => self.payload.len(),
            Some(pieces) if pieces.complete => self.remaining(),
            Some(pieces) if pieces.withheld => 0,
            Some(_) => self.remaining().saturating_sub(1),
        }
    }

    /// One more piece of a message that is not complete.
    pub(crate) fn add(&mut self, piece: Bytes) {
        let Some(pieces) = &mut self.pieces else { return };
        if self.payload.is_empty() {
            self.payload = piece;
        } else if !piece.is_empty() {
            pieces.rest_len += piece.len();
            pieces.rest.push_back(piece);
        }
    }

    /// Cuts at most `len` bytes off the front, all from one piece.
    #[inline]
    pub(crate) fn cut(&mut self, len: usize) -> Bytes {
        if len < self.payload.len() {
            return self.payload.split_to(len);
        }
        let next = self.pieces.as_mut().and_then(|pieces| {
            let next = pieces.rest.pop_front()?;
            pieces.rest_len -= next.len();
            Some(next)
        });
        core::mem::replace(&mut self.payload, next.unwrap_or_default())
    }
}
