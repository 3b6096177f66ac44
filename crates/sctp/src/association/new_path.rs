//! Another path, of which the layer below tells ([RFC 8261 section 6.1](https://www.rfc-editor.org/rfc/rfc8261#section-6.1),
//! [RFC 8831 section 5](https://www.rfc-editor.org/rfc/rfc8831#section-5)).

use core::time::Duration;

use weft_core::Instant;

use super::{Association, Timer};
use crate::event::State;
use crate::rto::Rto;

/// Timers that wait for an answer of the peer's by the path.
const WAIT_FOR_THE_PEER: [Timer; 5] =
    [Timer::T1Init, Timer::T1Cookie, Timer::T2Shutdown, Timer::T3Rtx, Timer::Reconfig];

impl Association {
    /// Packets go by another path from now on: what was learnt of the one before is forgotten. "SCTP SHOULD retest the path
    /// MTU and reset the congestion state to the initial state." `rtt` is the round-trip time of the new path, where the layer
    /// below has measured it.
    ///
    /// What is on its way by the old path may still arrive: it is sent again when the new path's time for an answer is over,
    /// or at once if answers had stopped coming already.
    pub fn change_path(&mut self, now: Instant, rtt: Option<Duration>) {
        self.controller.restart();
        self.rto = Rto::new(&self.config);
        if let Some(rtt) = rtt {
            self.rto.sample(rtt);
        }
        self.errors = 0;
        self.heartbeat = None;
        self.moved = !self.flight.is_empty();
        self.flight.change_path(now);
        if core::mem::take(&mut self.timed_out) {
            self.flight.lose_all();
        }
        let latest = now + self.rto.get();
        for timer in WAIT_FOR_THE_PEER {
            // It may have been backed off for a path that is no more.
            if self.timers.get(timer).is_some_and(|at| at > latest) {
                self.timers.set(timer, latest);
            }
        }
        self.set_recovery_timer();
        if matches!(self.state, State::Established | State::ShutdownPending | State::ShutdownReceived) {
            self.retest_path_mtu(now);
        }
        self.burst = self.burst_allowance();
        self.set_pacing_rate();
    }
}
