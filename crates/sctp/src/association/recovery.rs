//! What acknowledgements and their absence mean for sending: timers, congestion control, pacing
//! ([RFC 9260 sections 6.3, 7](https://www.rfc-editor.org/rfc/rfc9260#section-6.3), [RFC
//! 8985](https://www.rfc-editor.org/rfc/rfc8985)).

use weft_core::Instant;

use super::{Association, Timer, chunk_size};
use crate::congestion::Acknowledged;
use crate::error::AssociationError;
use crate::outbound::SackOutcome;
use crate::recovery::Rack;
use crate::wire::packet;

impl Association {
    pub(super) fn after_ack(&mut self, now: Instant, outcome: &SackOutcome) {
        if let Some(rtt) = outcome.rtt {
            self.rto.sample(rtt);
        }
        if outcome.acked > 0 || outcome.advanced {
            self.timed_out = false;
            self.moved = false;
        }
        if outcome.acked > 0 {
            self.errors = 0;
            self.path_mtu.on_progress();
        }
        self.watch_large_packets(now, outcome);
        self.tell_controller(now, outcome);
        self.burst = self.burst_allowance();
        if self.config.pacing {
            // What was acknowledged pays for as much again and half as much more growth; Max.Burst comes on top.
            self.burst = self.burst.saturating_add(outcome.acked.saturating_mul(2)).min(self.config.max_burst_bytes);
        }
        let progress = outcome.advanced || (self.flight.rack.enabled && outcome.acked > 0);
        if self.flight.is_empty() {
            self.timers.stop(Timer::T3Rtx);
        } else if progress {
            self.timers.set(Timer::T3Rtx, now + self.rto.get());
        } else {
            self.timers.set_if_idle(Timer::T3Rtx, now + self.rto.get());
        }
        self.set_recovery_timer();
        self.progress_shutdown(now);
    }

    /// Max.Burst in bytes.
    pub(super) fn burst_allowance(&self) -> usize {
        self.config.max_burst.max(1) * chunk_size(self.mtu)
    }

    fn tell_controller(&mut self, now: Instant, outcome: &SackOutcome) {
        if outcome.spurious {
            self.controller.on_spurious_loss(now);
        }
        if outcome.acked > 0 || outcome.lost > 0 {
            let window_limited = if self.flight.rack.enabled {
                !self.flight.delivery.is_limited()
            } else {
                outcome.flight_before >= self.controller.window()
            };
            self.controller.on_ack(
                now,
                &Acknowledged {
                    bytes: outcome.acked,
                    flight_before: outcome.flight_before,
                    flight_after: self.flight.in_flight,
                    advanced: outcome.advanced,
                    in_recovery: self.flight.in_recovery() && !outcome.loss,
                    window_limited,
                    srtt: self.rto.srtt(),
                    rtt: outcome.latest_rtt,
                    delivered: self.flight.delivery.delivered,
                    lost: outcome.lost,
                    rate: outcome.rate,
                },
            );
        }
        if outcome.loss {
            self.controller.on_loss(now, outcome.flight_before);
        }
        self.set_pacing_rate();
    }

    pub(super) fn set_pacing_rate(&mut self) {
        let controller = &self.controller;
        let (own, window, slow_start) = (controller.pacing_rate(), controller.window(), controller.in_slow_start());
        self.pacer.set_rate(own, window, slow_start, self.rto.srtt());
        self.queue.set_turn(self.pacer.turn(window, self.rto.srtt()));
    }

    /// T3-rtx expired (section 6.3.3).
    pub(super) fn on_t3(&mut self, now: Instant) -> Result<(), AssociationError> {
        if self.flight.is_empty() {
            if self.is_shut_out() {
                self.window_probe = true;
                self.rto.back_off(); // "SHOULD increase the probe interval exponentially afterwards" (section 6.1, A)
            }
            return Ok(());
        }
        self.stats.timeouts += 1;
        // A probe of a closed window says nothing about the path.
        let probe = self.flight.a_rwnd == 0 && self.flight.len() == 1;
        // Nor does what was sent by another path say anything about this one.
        let moved = core::mem::take(&mut self.moved);
        // One that no longer fits says nothing about what does, and its loss nothing about congestion.
        let too_large = self.flight.oldest_len() + packet::HEADER_LEN > self.mtu;
        let tells = !moved && (!too_large || !self.path_mtu.is_alive());
        if tells {
            self.rto.back_off();
        }
        self.count_error()?;
        if self.path_mtu.is_hopeless() {
            return Err(AssociationError::PathTooSmall { size: self.mtu });
        }
        if !probe && !moved && !too_large && self.path_mtu.on_timeout() {
            self.on_black_hole(now);
        }
        if probe || moved {
            self.flight.lose_all();
        } else {
            self.controller.on_timeout(now);
            self.flight.time_out();
        }
        self.timed_out = true;
        self.burst = self.burst_allowance();
        self.timers.set(Timer::T3Rtx, now + self.rto.get());
        self.timers.stop(Timer::Recovery);
        Ok(())
    }

    /// One more retransmission without an answer (section 8.1).
    pub(super) fn count_error(&mut self) -> Result<(), AssociationError> {
        self.errors = self.errors.saturating_add(1);
        match self.config.max_retransmits {
            Some(max) if self.errors > max => Err(AssociationError::RetransmissionLimit),
            _ => Ok(()),
        }
    }

    /// Runs for the end of the reordering window, else for a tail loss probe (RFC 8985 section 8).
    pub(super) fn set_recovery_timer(&mut self) {
        let flight = &self.flight;
        if !flight.rack.enabled {
            return;
        }
        if let Some(deadline) = flight.rack.deadline {
            self.timers.set(Timer::Recovery, deadline);
            return;
        }
        // "The sender ... MUST NOT have ... a PTO" while it recovers: what is found lost then is sent anyway.
        let quiet = flight.rack.is_probing() || flight.in_recovery() || self.timed_out || flight.in_flight == 0;
        match flight.last_sent().filter(|_| !quiet) {
            Some(sent) => {
                let one_packet = flight.in_flight <= chunk_size(self.mtu);
                let pto = Rack::probe_timeout(self.rto.srtt(), one_packet);
                self.timers.set(Timer::Recovery, sent + pto);
            }
            None => self.timers.stop(Timer::Recovery),
        }
    }

    pub(super) fn on_recovery_timer(&mut self, now: Instant) {
        if self.flight.rack.deadline.take().is_some() {
            let outcome = self.flight.on_reordering_timer(now, self.rto.srtt());
            self.watch_large_packets(now, &outcome);
            self.tell_controller(now, &outcome);
            self.set_recovery_timer();
            return;
        }
        // PTO: new data makes the better probe, where there is any and the peer has room.
        self.stats.tail_probes += 1;
        let wants = self.queue.wants(chunk_size(self.mtu));
        if wants > 0 && self.flight.peer_room() >= wants {
            self.flight.rack.on_probe(None, self.flight.next_tsn());
            self.probe_new = true;
        } else if !self.flight.probe_tail() {
            return;
        }
        // T3-rtx is to find what the probe does not: a whole RTO from now.
        self.timers.set(Timer::T3Rtx, now + self.rto.get());
    }
}
