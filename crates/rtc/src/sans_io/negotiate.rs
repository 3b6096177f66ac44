//! Descriptions and candidates: what negotiation says, told to the layers.

use std::net::SocketAddr;
use std::sync::Arc;

use weft_core::Instant;
use weft_dtls::{Certificate, HashAlgorithm, Role};
use weft_ice::{Credentials, LocalCandidate};
use weft_sdp::jsep::{Description, IceCandidate, LocalParameters, RemoteParameters, SdpType, SignalingState, Trickled};
use weft_sdp::{DtlsRole, IceOptions, MaxMessageSize};

use super::{Dtls, PeerConnection};
use crate::config::Config;
use crate::convert;
use crate::error::Error;
use crate::event::{Event, GatheringState, SctpState};

/// Candidates kept until their description comes; more are dropped.
const MAX_EARLY_CANDIDATES: usize = 100;

impl PeerConnection {
    /// Makes an offer (W3C `createOffer`). Nothing starts before it is applied.
    ///
    /// # Errors
    /// [`Error::Closed`]; [`Error::Negotiation`] in a state that allows no offer.
    pub fn create_offer(&mut self) -> Result<Description, Error> {
        self.ensure_open()?;
        Ok(self.negotiator.create_offer(&self.local)?)
    }

    /// Makes an answer to the offer that was applied (W3C `createAnswer`).
    ///
    /// # Errors
    /// [`Error::Closed`]; [`Error::Negotiation`] without an offer to answer.
    pub fn create_answer(&mut self) -> Result<Description, Error> {
        self.ensure_open()?;
        Ok(self.negotiator.create_answer(&self.local)?)
    }

    /// Applies a local description (W3C `setLocalDescription`): one created before, or with `None` whichever fits the
    /// state, created now. Gathering starts: [`Event::IceCandidate`]s follow.
    ///
    /// # Errors
    /// [`Error::Closed`]; [`Error::Negotiation`] when the state does not allow it or it is not what was created.
    pub fn set_local_description(&mut self, now: Instant, description: Option<Description>) -> Result<(), Error> {
        self.ensure_open()?;
        let description = match description {
            Some(description) => description,
            None if matches!(
                self.states.signaling,
                SignalingState::HaveRemoteOffer | SignalingState::HaveLocalPrAnswer
            ) =>
            {
                self.create_answer()?
            }
            None => self.create_offer()?,
        };
        let applied = self.negotiator.set_local(&description)?;
        if description.kind == SdpType::Offer && self.negotiator.remote().is_none() {
            self.ice.set_role(now, weft_ice::Role::Controlling);
        }
        self.negotiated(now);
        if applied.data && description.kind != SdpType::Rollback {
            self.start_gathering(now);
        }
        self.settle(now);
        Ok(())
    }

    /// Applies a description of the peer's (W3C `setRemoteDescription`).
    ///
    /// # Errors
    /// [`Error::Closed`]; [`Error::Negotiation`], which names line and reason of a malformed one. The connection is then
    /// as it was.
    pub fn set_remote_description(&mut self, now: Instant, description: &Description) -> Result<(), Error> {
        self.ensure_open()?;
        let before = self.negotiator.clone();
        let applied = self.negotiator.set_remote(description)?;
        if applied.ice_restart || applied.data.as_ref().is_some_and(|remote| self.renews_dtls(remote)) {
            self.negotiator = before;
            return Err(Error::Unsupported("the description restarts ICE or DTLS"));
        }
        if let Some(remote) = &applied.data {
            if description.kind == SdpType::Offer && self.timeline.negotiated.is_none() {
                // RFC 8445 section 6.1.1: the side that made the offer controls, unless the other is a lite agent.
                let role = if remote.ice_lite { weft_ice::Role::Controlling } else { weft_ice::Role::Controlled };
                self.ice.set_role(now, role);
            }
            self.apply_remote(now, remote);
        }
        self.negotiated(now);
        for candidate in std::mem::take(&mut self.early_candidates) {
            // It was for another description if this fails, and then concerns nobody.
            let _ = self.apply_candidate(now, &candidate);
        }
        self.settle(now);
        Ok(())
    }

    /// Adds a candidate of the peer's (W3C `addIceCandidate`); one with an empty text is the end of them. One that comes
    /// before any description is kept, up to 100.
    ///
    /// # Errors
    /// [`Error::Closed`]; [`Error::Negotiation`] when it is malformed or for a section or generation there is not.
    pub fn add_ice_candidate(&mut self, now: Instant, candidate: &IceCandidate) -> Result<(), Error> {
        self.ensure_open()?;
        if self.negotiator.remote_description().is_none() {
            if self.early_candidates.len() < MAX_EARLY_CANDIDATES {
                self.early_candidates.push(candidate.clone());
            } else {
                self.counters.ignored_candidates += 1;
            }
            return Ok(());
        }
        self.apply_candidate(now, candidate)?;
        self.settle(now);
        Ok(())
    }

    /// The local description, pending or else current, with the candidates gathered so far.
    pub fn local_description(&self) -> Option<Description> {
        self.negotiator.local_description()
    }

    /// The peer's description, pending or else current.
    pub fn remote_description(&self) -> Option<Description> {
        self.negotiator.remote_description()
    }

    /// What was negotiated, and all four descriptions of webrtc-pc.
    pub fn negotiator(&self) -> &weft_sdp::jsep::Negotiator {
        &self.negotiator
    }

    /// Our DTLS role, once an answer was applied.
    pub fn dtls_role(&self) -> Option<Role> {
        self.negotiator.dtls_role().map(|role| match role {
            DtlsRole::Client => Role::Client,
            DtlsRole::Server => Role::Server,
        })
    }

    fn apply_candidate(&mut self, now: Instant, candidate: &IceCandidate) -> Result<(), Error> {
        match self.negotiator.add_remote_candidate(candidate)? {
            Trickled::Candidate(candidate) => self.add_remote(now, &candidate),
            Trickled::EndOfCandidates => self.ice.end_of_remote_candidates(now),
            Trickled::Ignored => {}
        }
        Ok(())
    }

    fn add_remote(&mut self, now: Instant, candidate: &weft_sdp::Candidate) {
        // A `.local` name is not resolved: the browser behind it is learnt from its own checks.
        let added = convert::from_sdp(candidate).map(|candidate| self.ice.add_remote_candidate(now, candidate));
        if !matches!(added, Some(Ok(()))) {
            self.counters.ignored_candidates += 1;
        }
    }

    fn apply_remote(&mut self, now: Instant, remote: &RemoteParameters) {
        // The parser has checked their form (RFC 8839 section 5.4), so there is nothing to refuse here.
        if let Ok(credentials) = Credentials::new(&remote.ufrag, &remote.pwd) {
            self.ice.set_remote_credentials(now, &credentials);
        }
        for candidate in &remote.candidates {
            self.add_remote(now, candidate);
        }
        if remote.end_of_candidates {
            self.ice.end_of_remote_candidates(now);
        }
        let max = match remote.max_message_size {
            MaxMessageSize::Bytes(bytes) => Some(bytes),
            MaxMessageSize::Unlimited => None,
        };
        self.channels.set_remote_max_message_size(max);
        self.channels.set_remote_port(remote.sctp_port);
    }

    /// Reports the signaling state; when an answer was applied, roles are fixed.
    fn negotiated(&mut self, now: Instant) {
        let state = self.negotiator.signaling_state();
        if let Some(role) = self.dtls_role() {
            self.timeline.negotiated.get_or_insert(now);
            self.channels.set_role(now, Self::sctp_role(role));
            if self.states.sctp.is_none() {
                self.set_sctp_state(SctpState::Connecting);
            }
            self.states.negotiation_needed = false;
        }
        if state != self.states.signaling {
            self.states.signaling = state;
            self.events.push_back(Event::SignalingState(state));
        }
    }

    fn start_gathering(&mut self, now: Instant) {
        if self.states.gathering != GatheringState::New {
            return;
        }
        self.set_gathering(GatheringState::Gathering);
        for address in self.host_addresses.clone() {
            self.gather(now, address);
        }
        // Host candidates are known at once; nothing else is gathered yet.
        self.ice.end_of_local_candidates(now);
        self.local.end_of_candidates = true;
        if let Some(end) = self.negotiator.end_of_local_candidates(&self.local.ufrag) {
            self.events.push_back(Event::IceCandidate(end));
        }
        self.set_gathering(GatheringState::Complete);
    }

    /// One host candidate.
    pub(super) fn gather(&mut self, now: Instant, address: SocketAddr) {
        let candidate = match self.ice.add_local_candidate(now, LocalCandidate::host(address)) {
            Ok(Some(candidate)) => candidate,
            Ok(None) => return,
            Err(error) => {
                tracing::debug!(%address, %error, "not a candidate");
                return;
            }
        };
        self.timeline.first_candidate.get_or_insert(now);
        let candidate = convert::to_sdp(candidate);
        if let Some(candidate) = self.negotiator.add_local_candidate(&self.local.ufrag, &candidate) {
            self.events.push_back(Event::IceCandidate(candidate));
        }
        self.local.candidates.push(candidate);
    }

    fn set_gathering(&mut self, state: GatheringState) {
        self.states.gathering = state;
        self.events.push_back(Event::GatheringState(state));
    }

    /// Whether `remote` names other certificates than the one that the running DTLS connection was verified against.
    fn renews_dtls(&self, remote: &RemoteParameters) -> bool {
        let named = || remote.strongest_fingerprints().filter_map(convert::fingerprint_from_sdp);
        let same =
            named().all(|known| self.dtls_verified.contains(&known)) && named().count() == self.dtls_verified.len();
        !matches!(self.dtls, Dtls::Waiting) && !same
    }

    /// A DTLS connection for what was negotiated; `None` before that.
    pub(super) fn new_dtls(&mut self) -> Option<weft_dtls::Connection> {
        debug_assert!(matches!(self.dtls, Dtls::Waiting));
        let role = self.dtls_role()?;
        let remote = self.negotiator.remote()?;
        self.dtls_verified = remote.strongest_fingerprints().filter_map(convert::fingerprint_from_sdp).collect();
        let verifier = weft_dtls::Verifier::Fingerprints(self.dtls_verified.clone());
        let mut config = weft_dtls::Config::new(Arc::clone(&self.certificate), verifier);
        if let Some(versions) = &self.config.dtls_versions {
            config.versions.clone_from(versions);
        }
        if let Some(groups) = &self.config.dtls_groups {
            config.groups.clone_from(groups);
        }
        config.mtu = self.config.max_datagram;
        // Behind ICE the path is known to work: long pauses only delay what loss has delayed already.
        config.max_rto = std::time::Duration::from_secs(3);
        // The peer may still wait for our answer, which a human may carry: consent decides when to give up.
        config.handshake_timeout = std::time::Duration::from_secs(3600);
        Some(weft_dtls::Connection::new(Arc::new(config), role, self.rng.fork()))
    }
}

/// What goes into our descriptions.
pub(super) fn local_parameters(config: &Config, certificate: &Certificate, ice: &Credentials) -> LocalParameters {
    let fingerprint = convert::fingerprint_to_sdp(&certificate.fingerprint(HashAlgorithm::Sha256));
    let mut local = LocalParameters::new(ice.ufrag(), ice.pwd(), vec![fingerprint]);
    local.max_message_size = MaxMessageSize::Bytes(config.max_message_size.into());
    local.ice_options = if config.trickle { IceOptions::webrtc() } else { IceOptions::new(["ice2"]) };
    local
}
