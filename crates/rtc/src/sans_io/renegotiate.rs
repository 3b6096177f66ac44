//! When descriptions have to be exchanged again (webrtc-pc section 4.7.3).

use weft_core::Instant;
use weft_sdp::jsep::SignalingState;

use super::PeerConnection;
use crate::error::Error;
use crate::event::Event;

impl PeerConnection {
    /// Asks for a restart of ICE (W3C `restartIce`): offers have new credentials until one is answered, and
    /// [`Event::NegotiationNeeded`] tells that one should be made. Data goes on by the pair in use, if there is one.
    ///
    /// # Errors
    /// [`Error::Closed`].
    pub fn restart_ice(&mut self) -> Result<(), Error> {
        self.ensure_open()?;
        let latest = [self.negotiator.current_local_credentials(), self.negotiator.local_credentials()];
        self.to_replace = latest.into_iter().flatten().map(|(ufrag, _)| ufrag.to_owned()).collect();
        self.update_negotiation_needed();
        Ok(())
    }

    /// Another connection behind the same socket has drawn the same user name fragment ([`ice_ufrag`](Self::ice_ufrag)), so
    /// that checks of the peers could not be told apart. Before a description was applied another one is drawn; after that a
    /// [restart](Self::restart_ice) is asked for, and until it is done the peer's checks do not come here.
    pub fn ufrag_taken(&mut self, now: Instant) {
        if self.states.closed {
            return;
        }
        if self.negotiator.local_credentials().is_none() {
            self.draw_again(now);
        } else {
            // Refused only when closed.
            let _ = self.restart_ice();
        }
    }

    /// The state is stable again: by an answer, or because an offer was taken back.
    pub(super) fn exchange_completed(&mut self) {
        let in_force = self.negotiator.current_local_credentials().map(|(ufrag, _)| ufrag);
        if in_force.is_some_and(|ufrag| !self.to_replace.iter().any(|old| old == ufrag)) {
            self.to_replace.clear();
        }
        if in_force.is_some_and(|ufrag| !self.outdated.iter().any(|old| old == ufrag)) {
            self.outdated.clear();
        }
        self.states.negotiation_needed = false;
        self.update_negotiation_needed();
    }

    /// Reports once that an offer should be made. While an exchange goes on the question waits for its end.
    pub(super) fn update_negotiation_needed(&mut self) {
        if self.states.signaling != SignalingState::Stable {
            return;
        }
        let wanted = self.channels_wanted && self.negotiator.current_local_credentials().is_none();
        let needed = wanted || !self.to_replace.is_empty();
        if needed && !self.states.negotiation_needed {
            self.events.push_back(Event::NegotiationNeeded);
        }
        self.states.negotiation_needed = needed;
    }
}
