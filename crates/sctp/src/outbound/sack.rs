//! What a SACK does to what is outstanding ([RFC 9260 sections 6.2.1, 7.2.4](https://www.rfc-editor.org/rfc/rfc9260#section-6.2.1)).
//!
//! The cost is that of what it newly acknowledges: blocks already known are compared range by range, holes are looked at
//! until they are dealt with.

use core::time::Duration;

use weft_core::{Instant, Serial32};

use super::flight::{ChunkState, FAST_RETRANSMITTED, Flight};
use crate::congestion::RateSample;
use crate::recovery::{Newest, Transmissions};
use crate::wire::Sack;

/// "DATA chunks that have been reported as missing three times" (section 7.2.4).
const MISS_LIMIT: u8 = 3;

/// What a SACK meant, or the time that passed.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SackOutcome {
    /// User bytes newly acknowledged.
    pub(crate) acked: usize,
    pub(crate) flight_before: usize,
    /// The Cumulative TSN Ack Point moved.
    pub(crate) advanced: bool,
    /// Round-trip time of a chunk sent once, one a round trip.
    pub(crate) rtt: Option<Duration>,
    /// The same of the newest transmission, each time.
    pub(crate) latest_rtt: Option<Duration>,
    /// Fast Recovery began.
    pub(crate) loss: bool,
    /// User bytes newly found lost.
    pub(crate) lost: usize,
    /// What was taken for lost had arrived.
    pub(crate) spurious: bool,
    /// A large packet arrived, and so many were lost.
    pub(crate) large_arrived: bool,
    pub(crate) large_lost: u32,
    /// Delivery rate.
    pub(crate) rate: Option<RateSample>,
    newest: Option<Newest>,
    /// The transmission that chunks were acknowledged of last, and how many.
    batch: Option<(u32, u16)>,
}

impl Flight {
    /// Whether it acknowledges what was never sent. One out of date says nothing of the kind.
    pub(crate) fn acks_unsent(&self, sack: &Sack<'_>) -> bool {
        let (cumulative, last_sent) = (sack.cumulative_tsn_ack, self.next_tsn().previous());
        cumulative.follows(last_sent)
            || (!cumulative.precedes(self.cumulative_ack) && sack.gap_blocks().any(|(_, last)| last.follows(last_sent)))
    }

    /// Takes a SACK in; `None` when it is out of date or acknowledges what was never sent.
    pub(crate) fn on_sack(&mut self, now: Instant, sack: &Sack<'_>, srtt: Option<Duration>) -> Option<SackOutcome> {
        let cumulative = sack.cumulative_tsn_ack;
        let last_sent = self.next_tsn().previous();
        if cumulative.precedes(self.cumulative_ack) || cumulative.follows(last_sent) {
            return None;
        }
        let mut outcome = SackOutcome { flight_before: self.in_flight, ..SackOutcome::default() };
        self.undo.on_sack();
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
        self.settle(&mut outcome);
        if self.rack.enabled {
            self.detect_by_time(now, sack, srtt, &mut outcome);
        }
        if self.recovery_exit.is_some_and(|exit| exit.precedes_or_is(cumulative)) {
            self.recovery_exit = None;
        }
        if !sack.is_contiguous() && !self.rack.enabled {
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
        outcome.rate = self.delivery.sample(now, outcome.acked, self.rack.min_rtt(), outcome.newest);
        Some(outcome)
    }

    /// A cumulative acknowledgement alone (SHUTDOWN carries one).
    pub(crate) fn on_cumulative(&mut self, now: Instant, cumulative: Serial32) -> Option<SackOutcome> {
        if cumulative.precedes(self.cumulative_ack) || cumulative.follows(self.next_tsn().previous()) {
            return None;
        }
        let mut outcome = SackOutcome { flight_before: self.in_flight, ..SackOutcome::default() };
        self.take_cumulative(now, cumulative, &mut outcome);
        self.settle(&mut outcome);
        outcome.rate = self.delivery.sample(now, outcome.acked, self.rack.min_rtt(), outcome.newest);
        Some(outcome)
    }

    fn take_cumulative(&mut self, now: Instant, cumulative: Serial32, outcome: &mut SackOutcome) -> Option<Serial32> {
        let mut highest_new = None;
        let count = (cumulative.since(self.cumulative_ack) as usize).min(self.ring.len());
        let (mut outstanding, mut in_flight, mut acked) = (0, 0, 0);
        let mut ring = core::mem::take(&mut self.ring);
        for sent in ring.drain(..count) {
            let tsn = self.cumulative_ack.next();
            self.cumulative_ack = tsn;
            let len = sent.piece.payload.len();
            outstanding += len;
            match sent.state {
                ChunkState::InFlight => {
                    in_flight += len;
                    self.on_arrival(now, tsn, sent.transmission, outcome);
                }
                ChunkState::Lost => outcome.spurious |= self.undo.on_arrived(tsn),
                ChunkState::Acked => {
                    self.rack.sacked = self.rack.sacked.saturating_sub(1);
                    continue;
                }
                ChunkState::Abandoned => continue,
            }
            acked += len;
            highest_new = Some(tsn);
        }
        self.ring = ring;
        self.outstanding = self.outstanding.saturating_sub(outstanding);
        self.in_flight = self.in_flight.saturating_sub(in_flight);
        outcome.acked += acked;
        outcome.advanced |= count > 0;
        if outcome.rtt.is_some() {
            self.sample_from = self.next_tsn();
        }
        self.acked.trim(cumulative);
        self.scan_from = self.scan_from.later(cumulative.next());
        highest_new
    }

    /// A chunk in flight by transmission `number` was acknowledged. What that means is the same for all chunks of the
    /// transmission.
    #[inline]
    fn on_arrival(&mut self, now: Instant, tsn: Serial32, number: u32, outcome: &mut SackOutcome) {
        match &mut outcome.batch {
            Some((same, count)) if *same == number => *count += 1,
            _ => self.on_new_arrival(now, tsn, number, outcome),
        }
    }

    fn on_new_arrival(&mut self, now: Instant, tsn: Serial32, number: u32, outcome: &mut SackOutcome) {
        self.settle(outcome);
        outcome.batch = Some((number, 1));
        let Some(transmission) = self.transmissions.get(number) else { return };
        let (again, sent) = (transmission.again, transmission.sent);
        self.rack.on_arrival(tsn, again);
        if !self.rack.on_ack(now, number, sent, again) {
            outcome.spurious |= self.undo.on_arrived(tsn);
            return;
        }
        outcome.large_arrived |= transmission.bytes > self.large;
        self.delivery.on_ack(transmission, &mut outcome.newest);
        if again {
            self.undo.on_repaired();
            return;
        }
        if self.delivery.is_current(sent) {
            outcome.latest_rtt = Some(now - sent);
        }
        if transmission.first.follows_or_is(self.sample_from) {
            outcome.rtt = Some(now - sent);
        }
    }

    /// The chunks counted so far are no longer in flight.
    fn settle(&mut self, outcome: &mut SackOutcome) {
        if let Some((number, count)) = outcome.batch.take() {
            self.transmissions.leave(number, count);
            self.transmissions.prune();
        }
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
        let Some(sent) = self.get_mut(tsn) else { return };
        let (state, len, transmission) = (sent.state, sent.piece.payload.len(), sent.transmission);
        if state == ChunkState::Abandoned {
            return;
        }
        sent.state = ChunkState::Acked;
        outcome.acked += len;
        self.rack.sacked += 1;
        if state == ChunkState::InFlight {
            self.in_flight = self.in_flight.saturating_sub(len);
            let sampled = outcome.rtt.is_some();
            self.on_arrival(now, tsn, transmission, outcome);
            if outcome.rtt.is_some() && !sampled {
                self.sample_from = self.next_tsn();
            }
        } else {
            outcome.spurious |= self.undo.on_arrived(tsn);
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
                self.rack.sacked = self.rack.sacked.saturating_sub(1);
            }
        }
        self.lost.make_contiguous().sort_unstable_by_key(|tsn| tsn.since(base));
    }

    /// Losses by time, and what the SACK says of those found before ([`crate::recovery`]).
    fn detect_by_time(&mut self, now: Instant, sack: &Sack<'_>, srtt: Option<Duration>, outcome: &mut SackOutcome) {
        for tsn in sack.duplicates() {
            self.rack.on_duplicate(self.cumulative_ack, self.next_tsn());
            outcome.spurious |= self.undo.on_duplicate(tsn);
        }
        if outcome.spurious {
            self.recovering = false;
            self.unlose(now);
        }
        let ended = |newest| !Transmissions::before(newest, self.recovery_start);
        if self.recovering && self.rack.newest().is_some_and(ended) {
            self.recovering = false;
            self.rack.on_recovered();
        }
        if self.rack.probe_repaired(self.cumulative_ack, sack.duplicates(), !sack.is_contiguous()) {
            self.begin_recovery(outcome);
        }
        self.detect_losses(now, srtt, outcome);
    }

    /// RFC 8985 section 6.2, step 5: transmissions, oldest first, that left before one that arrived and whose time is up.
    fn detect_losses(&mut self, now: Instant, srtt: Option<Duration>, outcome: &mut SackOutcome) {
        let reo_wnd = self.rack.reordering_window(self.recovering, srtt);
        self.rack.deadline = None;
        while let Some((number, oldest)) = self.transmissions.oldest() {
            let (first, last, large) = (oldest.first, oldest.last, oldest.bytes > self.large);
            match self.rack.lost_at(number, oldest.sent, reo_wnd) {
                None => break,
                Some(at) if at > now => {
                    self.rack.deadline = Some(at);
                    break;
                }
                Some(_) => {}
            }
            if !self.recovering && !Transmissions::before(number, self.recovery_start) {
                self.begin_recovery(outcome);
            }
            outcome.large_lost += u32::from(large);
            let before = self.in_flight;
            let mut tsn = first;
            while tsn.precedes_or_is(last) {
                if self.get_mut(tsn).is_some_and(|s| s.state == ChunkState::InFlight && s.transmission == number) {
                    self.lose(tsn);
                    self.undo.on_lost(tsn);
                    self.fast_retransmitted += 1;
                }
                tsn = tsn.next();
            }
            outcome.lost += before - self.in_flight;
            // Whatever of it was given up meanwhile has left, too.
            self.transmissions.leave(number, u16::MAX);
        }
    }

    fn begin_recovery(&mut self, outcome: &mut SackOutcome) {
        outcome.loss = true;
        self.recovering = true;
        self.recovery_start = self.transmissions.next();
        self.free_retransmit = true;
        self.undo.begin(false);
    }

    /// The reordering window of the oldest suspect ended.
    pub(crate) fn on_reordering_timer(&mut self, now: Instant, srtt: Option<Duration>) -> SackOutcome {
        let mut outcome = SackOutcome { flight_before: self.in_flight, ..SackOutcome::default() };
        self.detect_losses(now, srtt, &mut outcome);
        outcome
    }

    /// Makes the newest chunk in flight go out again as a tail loss probe (RFC 8985 section 7.3). `false`: none is.
    pub(crate) fn probe_tail(&mut self) -> bool {
        let Some(at) = self.ring.iter().rposition(|s| s.state == ChunkState::InFlight) else { return false };
        let tsn = self.cumulative_ack.plus(at as u32).next();
        self.lose(tsn);
        self.free_retransmit = true;
        self.rack.on_probe(Some(tsn), self.next_tsn());
        true
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
                        self.lose(at);
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
