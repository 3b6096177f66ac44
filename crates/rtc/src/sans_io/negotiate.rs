//! Descriptions and candidates: what negotiation says, told to the layers.

use weft_core::Instant;
use weft_dtls::Role;
use weft_sdp::DtlsRole;
use weft_sdp::jsep::{Description, IceCandidate, NegotiationError, SdpType, SignalingState, Trickled};

use super::PeerConnection;
use crate::error::Error;
use crate::event::Event;

impl PeerConnection {
    /// Makes an offer (W3C `createOffer`). Nothing starts before it is applied.
    ///
    /// # Errors
    /// [`Error::Closed`]; [`Error::Negotiation`] in a state that allows no offer.
    pub fn create_offer(&mut self) -> Result<Description, Error> {
        self.create_offer_with(OfferOptions::default())
    }

    /// As [`create_offer`](Self::create_offer), with options.
    ///
    /// # Errors
    /// As [`create_offer`](Self::create_offer).
    pub fn create_offer_with(&mut self, options: OfferOptions) -> Result<Description, Error> {
        self.ensure_open()?;
        let mut local = self.offer_parameters(options.ice_restart);
        self.add_init(&mut local);
        Ok(self.negotiator.create_offer(&local)?)
    }

    /// Makes an answer to the offer that was applied (W3C `createAnswer`); [`Description::provisional`] makes a provisional
    /// one of it. It restarts ICE if the offer does.
    ///
    /// # Errors
    /// [`Error::Closed`]; [`Error::Negotiation`] without an offer to answer.
    pub fn create_answer(&mut self) -> Result<Description, Error> {
        self.ensure_open()?;
        let mut local = self.answer_parameters();
        self.add_init(&mut local);
        Ok(self.negotiator.create_answer(&local)?)
    }

    /// Applies a local description (W3C `setLocalDescription`): one created before, or with `None` whichever fits the
    /// state, created now. Gathering starts: [`Event::IceCandidate`]s follow. [`Description::rollback`] takes the pending
    /// offer back.
    ///
    /// # Errors
    /// [`Error::Closed`]; [`Error::Negotiation`] when the state does not allow it or it is not what was created. The
    /// connection is then as it was.
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
        if description.kind == SdpType::Rollback {
            self.rolled_back(now);
        } else {
            if description.kind == SdpType::Offer && !self.negotiator.is_negotiated() {
                self.ice.set_role(now, weft_ice::Role::Controlling);
            }
            self.take_agreement(now);
        }
        self.negotiated(now);
        if applied.data && description.kind != SdpType::Rollback {
            self.start_gathering(now);
        }
        self.settle(now);
        Ok(())
    }

    /// Applies a description of the peer's (W3C `setRemoteDescription`). An offer takes a local one that waits for its
    /// answer back; [`Description::rollback`] takes the pending one back.
    ///
    /// # Errors
    /// [`Error::Closed`]; [`Error::Negotiation`], which names line and reason of a malformed one. The connection is then
    /// as it was.
    pub fn set_remote_description(&mut self, now: Instant, description: &Description) -> Result<(), Error> {
        self.ensure_open()?;
        let before = self.own_init.is_some().then(|| self.negotiator.clone());
        let applied = self.negotiator.set_remote(description)?;
        if let (Some(before), Some(remote)) = (before, &applied.data) {
            let after = std::mem::replace(&mut self.negotiator, before);
            self.check_init(remote)?;
            self.negotiator = after;
        }
        if applied.rolled_back || description.kind == SdpType::Rollback {
            self.rolled_back(now);
        }
        if description.kind != SdpType::Rollback {
            if description.kind == SdpType::Offer {
                self.generations.answered = None;
                if !self.negotiator.is_negotiated() {
                    // RFC 8445 section 6.1.1: the side that made the offer controls, unless the other is a lite agent.
                    let lite = applied.data.as_ref().is_some_and(|remote| remote.ice_lite);
                    let role = if lite { weft_ice::Role::Controlling } else { weft_ice::Role::Controlled };
                    self.ice.set_role(now, role);
                }
            }
            self.take_agreement(now);
        }
        self.negotiated(now);
        if description.kind != SdpType::Rollback {
            for candidate in std::mem::take(&mut self.early_candidates) {
                // It was for another description if this fails, and then concerns nobody.
                let _ = self.apply_candidate(now, &candidate);
            }
        }
        self.settle(now);
        Ok(())
    }

    /// Adds a candidate of the peer's (W3C `addIceCandidate`); one with an empty text is the end of them. One that comes
    /// before any description is kept. More than [`Config::max_remote_candidates`](crate::Config::max_remote_candidates) are
    /// ignored and counted.
    ///
    /// # Errors
    /// [`Error::Closed`]; [`Error::Negotiation`] when it is malformed or for a section or generation there is not.
    pub fn add_ice_candidate(&mut self, now: Instant, candidate: &IceCandidate) -> Result<(), Error> {
        self.ensure_open()?;
        if !self.negotiator.has_remote_description() {
            if !candidate.candidate.is_empty() {
                // Checked now: nobody would hear of it later.
                candidate.candidate.parse::<weft_sdp::Candidate>().map_err(NegotiationError::from)?;
            }
            if self.early_candidates.len() < self.config.max_remote_candidates {
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
        self.stirred(now);
        let trickled = match self.negotiator.add_remote_candidate(candidate) {
            Ok(trickled) => trickled,
            Err(NegotiationError::TooManyCandidates(_)) => {
                self.counters.ignored_candidates += 1;
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        };
        if !self.remote_is_in_use() {
            // It waits in the description until that is answered.
            return Ok(());
        }
        match trickled {
            Trickled::Candidate(candidate) => self.add_remote(now, &candidate),
            Trickled::EndOfCandidates => self.end_remote(now),
            Trickled::Ignored => {}
        }
        Ok(())
    }

    /// Reports the signaling state and whether another exchange is needed.
    fn negotiated(&mut self, now: Instant) {
        self.stirred(now);
        let state = self.negotiator.signaling_state();
        if self.dtls_role().is_some() {
            self.timeline.negotiated.get_or_insert(now);
        }
        if state != self.states.signaling {
            self.states.signaling = state;
            self.events.push_back(Event::SignalingState(state));
        }
        if state == SignalingState::Stable {
            self.exchange_completed();
        }
    }
}

/// How an offer is made (W3C `RTCOfferOptions`).
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
#[non_exhaustive]
pub struct OfferOptions {
    /// Asks for a restart of ICE: new credentials, new candidates and new checks, while data goes on by the pair in use.
    pub ice_restart: bool,
}

impl OfferOptions {
    /// Options with which an offer restarts ICE.
    pub const ICE_RESTART: Self = Self { ice_restart: true };
}
