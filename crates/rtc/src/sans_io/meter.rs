//! Figures handed on to the crate `metrics`.

use weft_core::Instant;

use super::{Dtls, PeerConnection};
use crate::metrics::Totals;

impl PeerConnection {
    /// After anything happened.
    pub(super) fn measure(&mut self, now: Instant) {
        self.meter.state(self.states.connection);
        if self.meter.is_due(now) {
            self.tell(now);
        }
    }

    /// The association is about to be replaced, and what it has counted is gone with it.
    pub(super) fn measure_last(&mut self, now: Instant) {
        self.tell(now);
        self.meter.renew();
    }

    pub(super) fn tell(&mut self, now: Instant) {
        let stats = self.channels.association().stats();
        let forged = match &self.dtls {
            Dtls::Running(dtls) | Dtls::Ended(Some(dtls)) => dtls.counters().forged_records,
            Dtls::Waiting | Dtls::Ended(None) => 0,
        };
        let totals = Totals {
            counters: self.counters,
            traffic: self.tally.total(),
            retransmissions: stats.retransmissions,
            timeouts: stats.timeouts,
            abandoned: stats.messages_abandoned,
            forged,
            opened: self.tally.opened,
            closed: self.tally.closed,
        };
        self.meter.tell(now, &totals, stats.srtt);
    }
}

impl Drop for PeerConnection {
    fn drop(&mut self) {
        // What has come since the last time; when that was does not matter any more.
        self.tell(self.timeline.created);
    }
}
