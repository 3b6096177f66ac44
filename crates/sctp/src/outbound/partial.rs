//! Giving messages up ([RFC 3758 section 3.5](https://www.rfc-editor.org/rfc/rfc3758#section-3.5),
//! [RFC 8260 section 2.3.1](https://www.rfc-editor.org/rfc/rfc8260#section-2.3.1)).

use bytes::Bytes;
use weft_core::Serial32;

use super::chunk::Piece;
use super::flight::{ChunkState, FAST_RETRANSMITTED, Flight, Sent};
use crate::wire::{Skipped, data};

impl Flight {
    /// Gives up the message that the chunk at `index` of the ring is part of: all its chunks in the ring. What of it is
    /// still queued is found in [`take_open_abandoned`](Self::take_open_abandoned).
    pub(super) fn abandon(&mut self, index: usize) {
        let first = self.first_of_message(index);
        let Some(start) = self.ring.get(first) else { return };
        let (stream, mid, unordered) = (start.piece.stream, start.piece.mid, start.piece.flags & data::UNORDERED);
        let mut end = None;
        for (n, sent) in self.ring.range_mut(first..).enumerate() {
            let piece = &sent.piece;
            if piece.stream != stream || piece.mid != mid || piece.flags & data::UNORDERED != unordered {
                continue;
            }
            if sent.state == ChunkState::InFlight {
                self.in_flight = self.in_flight.saturating_sub(piece.payload.len());
                self.transmissions.leave(sent.transmission, 1);
            } else {
                sent.misses = FAST_RETRANSMITTED; // its loss is dealt with
            }
            sent.state = ChunkState::Abandoned;
            if piece.flags & data::END != 0 {
                end = Some(first + n);
                break;
            }
        }
        if let Some(index) = end {
            self.note_abandoned(index);
        } else {
            self.end_unsent(first);
            self.open_abandoned.push(stream);
        }
        self.abandoned += 1;
        self.advance_ack_point();
    }

    /// The message that begins at `first` was given up before its end was sent. The receiver may hold all there is of it,
    /// and a FORWARD TSN that reaches no further would be out of date to it: the end gets a TSN, to be skipped.
    fn end_unsent(&mut self, first: usize) {
        let Some(start) = self.ring.get(first) else { return };
        let (begin, transmission) = (&start.piece, start.transmission);
        let piece =
            Piece { payload: Bytes::new(), flags: begin.flags & data::UNORDERED | data::END, fsn: u32::MAX, ..*begin };
        let (state, misses) = (ChunkState::Abandoned, FAST_RETRANSMITTED);
        self.ring.push_back(Sent { piece, state, misses, transmissions: 1, transmission });
    }

    fn first_of_message(&self, index: usize) -> usize {
        let Some(piece) = self.ring.get(index).map(|s| &s.piece) else { return index };
        let mut first = index;
        let mut at = index;
        while self.ring.get(first).is_some_and(|s| s.piece.flags & data::BEGIN == 0) && at > 0 {
            at -= 1;
            if self.ring.get(at).is_some_and(|s| s.piece.same_message(piece)) {
                first = at;
            }
        }
        first
    }

    /// Gives up a message of which part was sent and part was not. `false` when nothing of it is outstanding: then more
    /// of it has to be sent, for the receiver learns what is skipped by TSNs.
    pub(crate) fn abandon_open(&mut self, stream: u16, unordered: bool, mid: Serial32) -> bool {
        let found = self.ring.iter().rposition(|s| {
            s.piece.stream == stream && s.piece.mid == mid && (s.piece.flags & data::UNORDERED != 0) == unordered
        });
        let Some(index) = found else { return false };
        if self.ring.get(index).is_some_and(|s| s.state != ChunkState::Abandoned) {
            self.abandon(index);
        }
        true
    }

    /// Whether anything outstanding was given up.
    pub(crate) fn has_abandoned(&self) -> bool {
        self.ring.iter().any(|s| s.state == ChunkState::Abandoned)
    }

    /// Takes a TSN for a chunk that never leaves, of a message given up of which nothing else is outstanding.
    #[cold]
    pub(crate) fn push_abandoned(&mut self, piece: Piece) {
        self.ring.push_back(Sent {
            piece,
            state: ChunkState::Abandoned,
            misses: FAST_RETRANSMITTED,
            transmissions: 0,
            transmission: 0,
        });
        self.abandoned += 1;
        self.advance_ack_point();
    }

    /// Gives up everything outstanding on a stream, but messages of Payload Protocol Identifier `keep`.
    pub(crate) fn abandon_stream(&mut self, stream: u16, keep: Option<u32>) {
        let mut index = 0;
        while let Some(sent) = self.ring.get(index) {
            let theirs = sent.piece.stream == stream && Some(sent.piece.ppid) != keep;
            if theirs && sent.state != ChunkState::Abandoned {
                self.abandon(index);
            }
            index += 1;
        }
    }

    #[inline]
    pub(crate) fn has_open_abandoned(&self) -> bool {
        !self.open_abandoned.is_empty()
    }

    /// What was to follow on `stream` is known not to.
    pub(crate) fn forget_open_abandoned(&mut self, stream: u16) {
        self.open_abandoned.retain(|id| *id != stream);
    }

    /// A stream whose newest message was given up before all of it was sent: the rest must not follow.
    pub(crate) fn take_open_abandoned(&mut self) -> Option<u16> {
        self.open_abandoned.pop()
    }

    /// Rule C2: the point moves over everything that is acknowledged or given up.
    pub(super) fn advance_ack_point(&mut self) {
        self.advanced_ack = self.advanced_ack.later(self.cumulative_ack);
        loop {
            let at = self.advanced_ack.since(self.cumulative_ack) as usize;
            match self.ring.get(at) {
                Some(sent) if matches!(sent.state, ChunkState::Acked | ChunkState::Abandoned) => {
                    self.advanced_ack = self.advanced_ack.next();
                    self.ack_point_moved = true;
                }
                _ => break,
            }
        }
        if self.advanced_ack.follows(self.cumulative_ack) {
            self.forward_tsn_due = true;
        }
    }

    /// What a FORWARD TSN or I-FORWARD-TSN of at most `max` entries says: the new cumulative TSN, and the messages it
    /// skips, the last of each stream. Unordered ones are named in I-FORWARD-TSN alone.
    pub(crate) fn forward_tsn(&self, max: usize) -> Option<(Serial32, Vec<Skipped>)> {
        let count = self.advanced_ack.since(self.cumulative_ack) as usize;
        if !self.advanced_ack.follows(self.cumulative_ack) {
            return None;
        }
        let mut skipped: Vec<Skipped> = Vec::new();
        let mut reach = self.cumulative_ack;
        for sent in self.ring.iter().take(count) {
            let piece = &sent.piece;
            let unordered = piece.flags & data::UNORDERED != 0;
            if sent.state == ChunkState::Abandoned && (self.interleaving || !unordered) {
                let same = |entry: &&mut Skipped| entry.stream == piece.stream && entry.unordered == unordered;
                if let Some(entry) = skipped.iter_mut().find(same) {
                    entry.mid = piece.mid;
                } else if skipped.len() < max {
                    skipped.push(Skipped { stream: piece.stream, unordered, mid: piece.mid });
                } else {
                    break;
                }
            }
            reach = reach.next();
        }
        Some((reach, skipped))
    }
}
