//! What a SACK does to what is outstanding ([RFC 9260 sections 6.2.1, 7.2.4](https://www.rfc-editor.org/rfc/rfc9260#section-6.2.1)).
//!
//! The cost is that of what it newly acknowledges: blocks already known are compared range by range, holes are looked at
//! until they are dealt with.

use core::time::Duration;

use weft_core::{Instant, Serial32};

use super::flight::{ChunkState, FAST_RETRANSMITTED, Flight};
use crate::wire::Sack;

/// "DATA chunks that have been reported as missing three times" (section 7.2.4).
const MISS_LIMIT: u8 = 3;

/// What a SACK meant.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SackOutcome {
    /// User bytes newly acknowledged.
    pub(crate) acked: usize,
    pub(crate) flight_before: usize,
    /// The Cumulative TSN Ack Point moved.
    pub(crate) advanced: bool,
    /// Round-trip time of a chunk sent once.
    pub(crate) rtt: Option<Duration>,
    /// Fast Recovery began.
    pub(crate) loss: bool,
}

impl Flight {
    /// Whether it acknowledges what was never sent. One out of date says nothing of the kind.
    pub(crate) fn acks_unsent(&self, sack: &Sack<'_>) -> bool {
        let (cumulative, last_sent) = (sack.cumulative_tsn_ack, self.next_tsn().previous());
        cumulative.follows(last_sent)
            || (!cumulative.precedes(self.cumulative_ack) && sack.gap_blocks().any(|(_, last)| last.follows(last_sent)))
    }

    /// Takes a SACK in; `None` when it is out of date or acknowledges what was never sent.
    pub(crate) fn on_sack(&mut self, now: Instant, sack: &Sack<'_>) -> Option<SackOutcome> {
        let cumulative = sack.cumulative_tsn_ack;
        let last_sent = self.next_tsn().previous();
        if cumulative.precedes(self.cumulative_ack) || cumulative.follows(last_sent) {
            return None;
        }
        let mut outcome = SackOutcome { flight_before: self.in_flight, ..SackOutcome::default() };
        let shut = self.a_rwnd;
        self.a_rwnd = sack.a_rwnd as usize;
        let mut highest_new = self.take_cumulative(now, cumulative, &mut outcome);
        let mut highest_seen = cumulative;
        for (first, last) in sack.gap_blocks() {
            if first == cumulative.next() || last.follows(last_sent) {
                continue;
            }
            highest_seen = highest_seen.later(last);
            if let Some(tsn) = self.take_block(now, first, last, &mut outcome) {
                highest_new = Some(highest_new.map_or(tsn, |h| h.later(tsn)));
            }
        }
        self.resend_reneged(sack);
        if self.recovery_exit.is_some_and(|exit| exit.precedes_or_is(cumulative)) {
            self.recovery_exit = None;
        }
        if !sack.is_contiguous() {
            // "If an endpoint is in Fast Recovery and a SACK chunk arrives that advances the Cumulative TSN Ack Point, the
            // miss indications are incremented for all TSNs reported missing in the SACK chunk"; else by HTNA.
            let bound = if self.in_recovery() && outcome.advanced { Some(highest_seen) } else { highest_new };
            if let Some(bound) = bound {
                self.count_misses(bound, &mut outcome);
            }
        }
        if !outcome.advanced && self.ring.front().is_some_and(|s| (shut..self.a_rwnd).contains(&s.piece.payload.len()))
        {
            // The window had no room for what was sent, and has it now: the receiver dropped it, not the network. It
            // need not wait for a timer that many probes have backed off.
            self.lose_all();
        }
        if self.can_abandon {
            self.advance_ack_point();
        }
        Some(outcome)
    }

    /// A cumulative acknowledgement alone (SHUTDOWN carries one).
    pub(crate) fn on_cumulative(&mut self, now: Instant, cumulative: Serial32) -> Option<SackOutcome> {
        if cumulative.precedes(self.cumulative_ack) || cumulative.follows(self.next_tsn().previous()) {
            return None;
        }
        let mut outcome = SackOutcome { flight_before: self.in_flight, ..SackOutcome::default() };
        self.take_cumulative(now, cumulative, &mut outcome);
        Some(outcome)
    }

    fn take_cumulative(&mut self, now: Instant, cumulative: Serial32, outcome: &mut SackOutcome) -> Option<Serial32> {
        let mut highest_new = None;
        let sample_from = self.sample_from;
        while self.cumulative_ack != cumulative {
            let Some(sent) = self.ring.pop_front() else { break };
            let tsn = self.cumulative_ack.next();
            self.cumulative_ack = tsn;
            outcome.advanced = true;
            let len = sent.piece.payload.len();
            self.outstanding = self.outstanding.saturating_sub(len);
            if sent.state == ChunkState::InFlight {
                self.in_flight = self.in_flight.saturating_sub(len);
            }
            if matches!(sent.state, ChunkState::InFlight | ChunkState::Lost) {
                outcome.acked += len;
                highest_new = Some(tsn);
                if sent.transmissions == 1 && tsn.follows_or_is(sample_from) {
                    outcome.rtt = Some(now - sent.at);
                }
            }
        }
        if outcome.rtt.is_some() {
            self.sample_from = self.next_tsn();
        }
        self.acked.trim(cumulative);
        self.scan_from = self.scan_from.later(cumulative.next());
        highest_new
    }

    /// Acknowledges what of `first..=last` was not yet; gives the highest such TSN.
    fn take_block(
        &mut self,
        now: Instant,
        first: Serial32,
        last: Serial32,
        outcome: &mut SackOutcome,
    ) -> Option<Serial32> {
        let mut highest_new = None;
        let mut at = first;
        while at.precedes_or_is(last) {
            let stop = match self.acked.next_from(at) {
                Some((start, end)) if start.precedes_or_is(at) => {
                    at = end.next();
                    continue;
                }
                Some((start, _)) if start.precedes_or_is(last) => start.previous(),
                _ => last,
            };
            while at.precedes_or_is(stop) {
                self.take_one(now, at, outcome);
                at = at.next();
            }
            highest_new = Some(stop);
        }
        if highest_new.is_some() {
            self.acked.insert(first, last);
        }
        highest_new
    }

    fn take_one(&mut self, now: Instant, tsn: Serial32, outcome: &mut SackOutcome) {
        let sample_from = self.sample_from;
        let Some(sent) = self.get_mut(tsn) else { return };
        let (state, len) = (sent.state, sent.piece.payload.len());
        if state != ChunkState::Abandoned {
            sent.state = ChunkState::Acked;
            outcome.acked += len;
        }
        if state == ChunkState::InFlight {
            if sent.transmissions == 1 && tsn.follows_or_is(sample_from) {
                outcome.rtt = Some(now - sent.at);
                self.sample_from = self.next_tsn();
            }
            self.in_flight = self.in_flight.saturating_sub(len);
        }
    }

    /// The first outstanding chunk was acknowledged by a block, yet the cumulative point stops before it: the receiver
    /// dropped it again. What it no longer reports is sent again.
    fn resend_reneged(&mut self, sack: &Sack<'_>) {
        if self.ring.front().is_none_or(|s| s.state != ChunkState::Acked) {
            return;
        }
        self.acked.clear();
        let last_sent = self.next_tsn().previous();
        let next = self.cumulative_ack.next();
        for (first, last) in sack.gap_blocks().filter(|(f, l)| *f != next && !l.follows(last_sent)) {
            self.acked.insert(first, last);
        }
        let base = self.cumulative_ack;
        for (n, sent) in self.ring.iter_mut().enumerate() {
            let tsn = base.plus(n as u32).next();
            if sent.state == ChunkState::Acked && !self.acked.contains(tsn) {
                sent.state = ChunkState::Lost;
                self.lost.push_back(tsn);
            }
        }
    }

    fn count_misses(&mut self, bound: Serial32, outcome: &mut SackOutcome) {
        let mut at = self.scan_from;
        while at.precedes(bound) {
            if let Some((start, end)) = self.acked.next_from(at)
                && start.precedes_or_is(at)
            {
                if self.scan_from == at {
                    self.scan_from = end.next();
                }
                at = end.next();
                continue;
            }
            let Some(sent) = self.get_mut(at) else { break };
            let mut settled = true;
            // What was given up in flight is not sent again, but its loss counts (RFC 3758 section 3.5, F5).
            let in_flight = sent.state == ChunkState::InFlight;
            if (in_flight || sent.state == ChunkState::Abandoned) && sent.misses != FAST_RETRANSMITTED {
                sent.misses += 1;
                settled = sent.misses >= MISS_LIMIT;
                if settled {
                    sent.misses = FAST_RETRANSMITTED;
                    if in_flight {
                        sent.state = ChunkState::Lost;
                        let len = sent.piece.payload.len();
                        self.in_flight = self.in_flight.saturating_sub(len);
                        self.lost.push_back(at);
                        self.fast_retransmitted += 1;
                    }
                    if self.recovery_exit.is_none() {
                        outcome.loss = true;
                        self.free_retransmit = in_flight;
                        self.recovery_exit = Some(self.next_tsn().previous());
                    }
                }
            }
            if settled && self.scan_from == at {
                self.scan_from = at.next();
            }
            at = at.next();
        }
    }
}
