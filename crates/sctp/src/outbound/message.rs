//! A message waiting to be sent.

use std::collections::VecDeque;

use bytes::Bytes;

use super::chunk::Piece;
use crate::wire::data;

/// A message on its way out.
#[derive(Debug)]
pub(crate) struct OutMessage {
    /// What of it is not sent yet (of a message given in pieces, the first of them), and what its next chunk says. The
    /// Message Identifier is there once it is begun, [`data::BEGIN`] until then.
    pub(crate) piece: Piece,
    /// The pieces after the first, of a message given in pieces.
    pub(crate) pieces: Option<Box<Pieces>>,
    pub(crate) counted: bool,
    /// To be told of when it was delivered or given up.
    pub(crate) notice: Option<u64>,
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
        self.piece.payload.len() + self.pieces.as_ref().map_or(0, |p| p.rest_len)
    }

    /// Whether all of it was given.
    #[inline]
    pub(crate) fn is_complete(&self) -> bool {
        self.pieces.as_ref().is_none_or(|p| p.complete)
    }

    /// Whether part of it was sent.
    #[inline]
    pub(crate) fn begun(&self) -> bool {
        self.piece.flags & data::BEGIN == 0
    }

    #[inline]
    pub(crate) fn is_unordered(&self) -> bool {
        self.piece.flags & data::UNORDERED != 0
    }

    /// Whether nothing was given of it that is not sent.
    pub(crate) fn is_blank(&self) -> bool {
        self.remaining() == 0 && !self.begun()
    }

    pub(crate) fn is_withheld(&self) -> bool {
        self.pieces.as_ref().is_some_and(|p| p.withheld)
    }

    /// Bytes that may be sent now. Until a message is complete one byte stays back, because its last chunk cannot be
    /// empty.
    #[inline]
    pub(crate) fn available(&self) -> usize {
        match &self.pieces {
            None => self.piece.payload.len(),
            Some(pieces) if pieces.complete => self.remaining(),
            Some(pieces) if pieces.withheld => 0,
            Some(_) => self.remaining().saturating_sub(1),
        }
    }

    /// One more piece of a message that is not complete.
    pub(crate) fn add(&mut self, piece: Bytes) {
        let Some(pieces) = &mut self.pieces else { return };
        if self.piece.payload.is_empty() {
            self.piece.payload = piece;
        } else if !piece.is_empty() {
            pieces.rest_len += piece.len();
            pieces.rest.push_back(piece);
        }
    }

    /// Cuts at most `len` bytes off the front, all from one piece.
    #[inline]
    pub(crate) fn cut(&mut self, len: usize) -> Bytes {
        if len < self.piece.payload.len() {
            return self.piece.payload.split_to(len);
        }
        let next = self.pieces.as_mut().and_then(|pieces| {
            let next = pieces.rest.pop_front()?;
            pieces.rest_len -= next.len();
            Some(next)
        });
        core::mem::replace(&mut self.piece.payload, next.unwrap_or_default())
    }
}
