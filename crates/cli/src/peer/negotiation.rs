//! Commands about descriptions and candidates.

use serde_json::{Value, json};
use weft_rtc::{Description, Error, IceCandidate, NegotiationError, OfferOptions, SdpType};

use super::command::{Candidate, DescriptionType, Local, Remote};
use super::refusal::Refusal;
use super::session::{Outcome, Session};

impl Session {
    pub(super) fn offer(&mut self, ice_restart: bool, id: Option<Value>) -> Result<Outcome, Refusal> {
        let options = if ice_restart { OfferOptions::ICE_RESTART } else { OfferOptions::default() };
        let offer = self.open_link()?.pc.create_offer_with(options)?;
        self.created = Some(offer.clone());
        if self.settings.manual {
            return Ok(Outcome::with(json!({"description": described(&offer)})));
        }
        self.apply_local(Some(offer))?;
        Ok(self.local_applied(id, true))
    }

    pub(super) fn restart_ice(&mut self) -> Result<Outcome, Refusal> {
        self.open_link()?.pc.restart_ice()?;
        Ok(Outcome::nothing())
    }

    pub(super) fn answer(&mut self) -> Result<Outcome, Refusal> {
        let answer = self.open_link()?.pc.create_answer()?;
        self.created = Some(answer.clone());
        Ok(Outcome::with(json!({"description": described(&answer)})))
    }

    pub(super) fn remote(&mut self, asked: Remote, id: Option<Value>) -> Result<Outcome, Refusal> {
        let now = self.now();
        let is_offer = asked.kind == DescriptionType::Offer;
        let description = description(asked.kind, asked.sdp);
        self.open_link()?.pc.set_remote_description(now, &description)?;
        if !is_offer || self.settings.manual {
            return Ok(Outcome::nothing());
        }
        // The moment between the two descriptions is a state of its own.
        self.settle_command();
        let answer = self.open_link()?.pc.create_answer()?;
        self.created = Some(answer.clone());
        self.apply_local(Some(answer))?;
        Ok(self.local_applied(id, false))
    }

    pub(super) fn local(&mut self, asked: Local, id: Option<Value>) -> Result<Outcome, Refusal> {
        let description = match (asked.kind, asked.sdp) {
            (Some(DescriptionType::Rollback), _) => Some(Description::rollback()),
            (Some(kind), Some(sdp)) => Some(description(kind, sdp)),
            (Some(kind), None) => Some(self.created_as(kind)?),
            (None, Some(_)) => return Err(Refusal::type_error("an SDP needs a type")),
            (None, None) => None,
        };
        let rollback = description.as_ref().is_some_and(|d| d.kind == SdpType::Rollback);
        self.apply_local(description)?;
        if rollback { Ok(Outcome::nothing()) } else { Ok(self.local_applied(id, false)) }
    }

    /// The last created description, if it is of this kind; an answer may also serve as a provisional one.
    fn created_as(&self, kind: DescriptionType) -> Result<Description, Refusal> {
        let kind = sdp_type(kind);
        match &self.created {
            Some(created) if created.kind == kind => Ok(created.clone()),
            Some(created) if created.kind == SdpType::Answer && kind == SdpType::PrAnswer => {
                Ok(created.clone().provisional())
            }
            _ => Err(Refusal::invalid_modification(format!("no {kind} was created"))),
        }
    }

    fn apply_local(&mut self, description: Option<Description>) -> Result<(), Refusal> {
        let now = self.now();
        self.open_link()?.pc.set_local_description(now, description)?;
        Ok(())
    }

    /// What follows a local description: its announcement, after its candidates when they do not trickle.
    fn local_applied(&mut self, id: Option<Value>, in_result: bool) -> Outcome {
        if !self.settings.manual {
            self.reporter.announce_description = true;
        }
        if !self.settings.trickle {
            return self.wait_for_candidates(id, in_result);
        }
        // What was not announced yet is hidden, here as in the state.
        self.collect();
        match self.visible_local_description() {
            Some(description) if in_result => Outcome::with(json!({"description": description})),
            _ => Outcome::nothing(),
        }
    }

    pub(super) fn candidate(&mut self, asked: Candidate) -> Result<Outcome, Refusal> {
        let (now, manual) = (self.now(), self.settings.manual);
        let pc = &mut self.open_link()?.pc;
        if manual && pc.remote_description().is_none() {
            return Err(Refusal::invalid_state("there is no remote description"));
        }
        if !asked.text.is_empty() && asked.mid.is_none() && asked.index.is_none() {
            return Err(Refusal::type_error("a candidate needs a mid or an index"));
        }
        let candidate = IceCandidate {
            candidate: asked.text,
            sdp_mid: asked.mid,
            sdp_mline_index: asked.index,
            username_fragment: asked.ufrag,
        };
        match pc.add_ice_candidate(now, &candidate) {
            Ok(()) => Ok(Outcome::nothing()),
            // Of descriptions this is an RTCError; of candidates it is not.
            Err(Error::Negotiation(NegotiationError::Parse(error))) => Err(Refusal::operation(error.to_string())),
            Err(error) => Err(error.into()),
        }
    }
}

fn sdp_type(kind: DescriptionType) -> SdpType {
    match kind {
        DescriptionType::Offer => SdpType::Offer,
        DescriptionType::Answer => SdpType::Answer,
        DescriptionType::Pranswer => SdpType::PrAnswer,
        DescriptionType::Rollback => SdpType::Rollback,
    }
}

fn description(kind: DescriptionType, sdp: String) -> Description {
    Description { kind: sdp_type(kind), sdp }
}

fn described(description: &Description) -> Value {
    json!({"type": description.kind.to_string(), "sdp": description.sdp})
}
