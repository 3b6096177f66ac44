//! Saving SCTP's handshake (draft-hancke-tsvwg-snap-00): INIT chunks in descriptions.

use weft_core::Instant;
use weft_sctp::{Association, InitError, State};
use weft_sdp::SctpInit;
use weft_sdp::jsep::{LocalParameters, RemoteParameters};

use super::PeerConnection;
use crate::error::Error;

impl PeerConnection {
    /// Puts our INIT chunk into a description to be. Later ones repeat it, or go on without where the peer did.
    pub(super) fn add_init(&self, local: &mut LocalParameters) {
        let without = self.negotiator.agreed().is_some_and(|remote| remote.sctp_init.is_none());
        local.sctp_init = self.own_init.clone().filter(|_| !without || self.dtls_terms.is_none());
    }

    /// Our INIT chunk, where SNAP is spoken.
    pub(super) fn init_of(config: &crate::Config, channels: &weft_sctp::DataChannels) -> Option<SctpInit> {
        config.snap.then(|| SctpInit(channels.local_init()))
    }

    /// Whether what the peer says of its INIT chunk can be.
    pub(super) fn check_init(&self, remote: &RemoteParameters) -> Result<(), Error> {
        let Some(text) = remote.sctp_init.as_ref().filter(|_| self.own_init.is_some()) else { return Ok(()) };
        let init: SctpInit = text.parse().map_err(|_| InitError::Malformed("not base64"))?;
        Association::check_init(&init.0)?;
        // An association that has begun keeps what it began with; a new DTLS association brings a new one.
        let known = self.negotiator.agreed().filter(|_| self.dtls_terms.is_some());
        match known {
            Some(known) if known.fingerprints == remote.fingerprints && known.sctp_init != remote.sctp_init => {
                Err(InitError::Begun.into())
            }
            _ => Ok(()),
        }
    }

    /// The peer's INIT chunk, if both sides exchanged theirs and the association has not begun. A peer that sent ours back
    /// copies attributes it does not know.
    pub(super) fn peer_init(&self) -> Option<SctpInit> {
        let own = self.own_init.as_ref()?;
        if self.channels.association().state() != State::Closed || self.channels.association().is_over() {
            return None;
        }
        let remote: SctpInit = self.negotiator.agreed()?.sctp_init.as_ref()?.parse().ok()?;
        Some(remote).filter(|remote| remote != own)
    }

    /// DTLS is up: the association is set up by what was exchanged, or by its handshake.
    pub(super) fn connect_channels(&mut self, now: Instant) {
        let done = self.peer_init().is_some_and(|init| self.channels.connect_with_init(now, &init.0).is_ok());
        if !done {
            self.channels.connect(now);
        }
    }
}
