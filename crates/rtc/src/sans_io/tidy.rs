//! Room that only setting up takes, given back.

use std::time::Duration;

use weft_core::Instant;

use super::{Dtls, PeerConnection};
use crate::event::{GatheringState, SctpState};

/// So long after the last description or candidate nothing more is expected of signalling.
const CALM: Duration = Duration::from_secs(1);

impl PeerConnection {
    /// Something was signalled: descriptions are taken apart, and lists have grown.
    pub(super) fn stirred(&mut self, now: Instant) {
        self.tidy_at = Some(now + CALM);
    }

    /// Once connected, gives back what setting up took, as soon as signalling is calm. It costs a few microseconds and waits
    /// for a timer of another's.
    pub(super) fn tidy_when_calm(&mut self, now: Instant) {
        if self.tidy_at.is_some_and(|at| at <= now) && self.states.sctp == Some(SctpState::Connected) {
            self.tidy_at = None;
            self.tidy();
            if !self.ice.is_busy() {
                self.rest();
            }
        }
    }

    /// The first channel is open: with candidates all known, setting up is over, but for checks that are still under way.
    pub(super) fn tidy_when_open(&mut self, now: Instant) {
        if self.states.gathering == GatheringState::Complete {
            self.tidy();
            self.stirred(now);
        }
    }

    /// Gives back what traffic took, keys included: they are derived again when it comes back.
    pub(super) fn rest(&mut self) {
        self.channels.shrink_to_fit();
        if let Dtls::Running(dtls) = &mut self.dtls {
            dtls.shrink_to_fit();
        }
    }

    fn tidy(&mut self) {
        self.negotiator.pack();
        self.put_candidates_by();
        self.ice.shrink_to_fit();
        self.sockets.shrink_to_fit();
        self.events.shrink_to_fit();
        self.requests.shrink_to_fit();
        self.tally.shrink_to_fit();
    }
}
