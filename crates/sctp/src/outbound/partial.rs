//! Giving messages up ([RFC 3758 section 3.5](https://www.rfc-editor.org/rfc/rfc3758#section-3.5)).

use weft_core::{Serial16, Serial32};

use super::flight::{ChunkState, FAST_RETRANSMITTED, Flight};
use crate::wire::data;

impl Flight {
    /// Gives up the message that `tsn` is part of: all its chunks in the ring. What of it is still queued is found by
    /// [`open_abandoned`](Self::open_abandoned).
    pub(super) fn abandon(&mut self, tsn: Serial32) {
        let index = |t: Serial32, base: Serial32| t.since(base).saturating_sub(1) as usize;
        let mut first = index(tsn, self.cumulative_ack);
        while first > 0 && self.ring.get(first).is_some_and(|s| s.piece.flags & data::BEGIN == 0) {
            first -= 1;
        }
        for sent in self.ring.range_mut(first.min(self.ring.len())..) {
            if sent.state == ChunkState::InFlight {
                self.in_flight = self.in_flight.saturating_sub(sent.piece.payload.len());
                self.transmissions.leave(sent.transmission, 1);
            } else {
                sent.misses = FAST_RETRANSMITTED; // its loss is dealt with
            }
            sent.state = ChunkState::Abandoned;
            if sent.piece.flags & data::END != 0 {
                break;
            }
        }
        self.abandoned += 1;
        self.advance_ack_point();
    }

    /// Gives up the newest message, part of which was not sent yet.
    pub(crate) fn abandon_open(&mut self) {
        if self.last_is_open().is_some() && self.ring.back().is_some_and(|s| s.state != ChunkState::Abandoned) {
            self.abandon(self.next_tsn().previous());
        }
    }

    /// The stream of the newest message, if it was given up before all of it was sent: the rest must not follow.
    pub(crate) fn open_abandoned(&self) -> Option<u16> {
        let stream = self.last_is_open()?;
        self.ring.back().filter(|s| s.state == ChunkState::Abandoned).map(|_| stream)
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

    /// What a FORWARD TSN of at most `max` streams says: the new cumulative TSN, and the ordered messages it skips, the
    /// last of each stream.
    pub(crate) fn forward_tsn(&self, max: usize) -> Option<(Serial32, Vec<(u16, Serial16)>)> {
        let count = self.advanced_ack.since(self.cumulative_ack) as usize;
        if !self.advanced_ack.follows(self.cumulative_ack) {
            return None;
        }
        let mut skipped: Vec<(u16, Serial16)> = Vec::new();
        let mut reach = self.cumulative_ack;
        for sent in self.ring.iter().take(count) {
            let piece = &sent.piece;
            if sent.state == ChunkState::Abandoned && piece.flags & data::UNORDERED == 0 {
                if let Some(entry) = skipped.iter_mut().find(|(stream, _)| *stream == piece.stream) {
                    entry.1 = piece.ssn;
                } else if skipped.len() < max {
                    skipped.push((piece.stream, piece.ssn));
                } else {
                    break;
                }
            }
            reach = reach.next();
        }
        Some((reach, skipped))
    }
}
