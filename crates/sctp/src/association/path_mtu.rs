//! The path MTU: what [`crate::path_mtu`] decides is done here.

use weft_core::Instant;

use super::{Association, Timer, chunk_size};
use crate::error::AssociationError;
use crate::outbound::SackOutcome;
use crate::wire::packet;

impl Association {
    /// The largest packet it will ever send, in bytes: frames given to
    /// [`poll_transmit`](weft_core::Layer::poll_transmit) should have room for it. One that is smaller bounds what is
    /// found.
    pub fn max_packet(&self) -> usize {
        self.path_mtu.most()
    }

    pub(super) fn start_path_mtu(&mut self, now: Instant) {
        if let Some(at) = self.path_mtu.start(now) {
            self.set_probe_timer(now, at);
        }
        let large = self.path_mtu.least().saturating_sub(packet::HEADER_LEN);
        self.flight.large = u32::try_from(large).unwrap_or(u32::MAX);
    }

    /// A probe is given up no sooner than an answer may come: "the interval between probe packets MUST be at least one RTT"
    /// (RFC 8899 section 3). That T3-rtx was backed off meanwhile says nothing about the round trip.
    fn set_probe_timer(&mut self, now: Instant, at: Instant) {
        self.timers.set(Timer::PathMtu, at.max(now + self.rto.measured()));
    }

    /// It is another path now.
    pub(super) fn retest_path_mtu(&mut self, now: Instant) {
        if let Some(at) = self.path_mtu.retest(now) {
            self.set_probe_timer(now, at);
            self.adopt_mtu();
        }
    }

    /// `true`: the HEARTBEAT ACK answers a probe.
    pub(super) fn on_probe_answer(&mut self, now: Instant, nonce: u64) -> bool {
        let was_alive = self.path_mtu.is_alive();
        let Some(at) = self.path_mtu.on_answer(now, nonce) else { return false };
        self.set_probe_timer(now, at);
        self.adopt_mtu();
        if !was_alive && self.timed_out && !self.flight.is_empty() {
            // The path works again: what was lost with it need not wait for a timer that was backed off all the while.
            self.flight.lose_all();
            self.timers.set(Timer::T3Rtx, now + self.rto.get());
        }
        true
    }

    pub(super) fn on_path_mtu_timer(&mut self, now: Instant) -> Result<(), AssociationError> {
        let at = self.path_mtu.on_timer(now);
        self.set_probe_timer(now, at);
        self.adopt_mtu();
        if self.path_mtu.is_hopeless() {
            return Err(AssociationError::PathTooSmall { size: self.mtu });
        }
        Ok(())
    }

    pub(super) fn watch_large_packets(&mut self, now: Instant, outcome: &SackOutcome) {
        if outcome.large_arrived {
            self.path_mtu.on_large_arrived();
        } else if outcome.large_lost > 0 && self.path_mtu.on_large_lost(outcome.large_lost) {
            self.on_black_hole(now);
        }
        if outcome.advanced {
            self.path_mtu.on_fragments_arrived();
        }
    }

    pub(super) fn on_black_hole(&mut self, now: Instant) {
        let at = self.path_mtu.on_black_hole(now);
        self.set_probe_timer(now, at);
        self.stats.black_holes += 1;
        self.adopt_mtu();
    }

    fn adopt_mtu(&mut self) {
        let mtu = self.path_mtu.size();
        if mtu != self.mtu {
            self.mtu = mtu;
            self.controller.set_chunk_size(chunk_size(mtu));
        }
    }
}
