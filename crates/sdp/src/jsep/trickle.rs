//! Candidates that follow a description (RFC 8838, RFC 8840, RFC 8829 4.1.19), and the descriptions with them.

use super::build::Built;
use super::description::{Description, IceCandidate, SdpType, Trickled};
use super::error::{NegotiationError, Operation};
use super::known::{Known, end_candidates};
use super::negotiator::{Local, Negotiator, Remote};
use super::read;
use super::state::SignalingState;
use crate::wire::{Attribute, Candidate, Media};

impl Negotiator {
    /// Adds a gathered candidate to the local descriptions of its ICE generation, and returns it as it is to be sent
    /// to the peer: nothing when no description has these credentials.
    pub fn add_local_candidate(&mut self, ufrag: &str, candidate: &Candidate) -> Option<IceCandidate> {
        self.update_local(ufrag, Some(candidate))
    }

    /// Notes that no more candidates are gathered in an ICE generation, and returns what says so to the peer: nothing
    /// when no description has these credentials.
    pub fn end_of_local_candidates(&mut self, ufrag: &str) -> Option<IceCandidate> {
        self.update_local(ufrag, None)
    }

    /// A candidate, or the end of them.
    fn update_local(&mut self, ufrag: &str, candidate: Option<&Candidate>) -> Option<IceCandidate> {
        self.unpack();
        let mut sent = None;
        for local in [&mut self.local.current, &mut self.local.pending].into_iter().flatten() {
            if local.built.credentials().is_none_or(|(known, _)| known != ufrag) {
                continue;
            }
            let Local { built: Built { session, data: Some(index) }, known, .. } = &mut **local else { continue };
            let Some(media) = session.media.get_mut(*index) else { continue };
            match candidate {
                Some(candidate) => known_of(known, media).add(media, candidate),
                None => end_candidates(media),
            }
            sent = Some(IceCandidate {
                candidate: candidate.map(ToString::to_string).unwrap_or_default(),
                sdp_mid: media.mid().map(str::to_owned),
                sdp_mline_index: u16::try_from(*index).ok(),
                username_fragment: Some(ufrag.to_owned()),
            });
        }
        sent
    }

    /// Reads a candidate that the peer sent, and adds it to the remote description of its generation.
    ///
    /// # Errors
    /// The candidate is malformed, comes before any remote description, names no section or generation there is, or
    /// is one too many.
    pub fn add_remote_candidate(&mut self, candidate: &IceCandidate) -> Result<Trickled, NegotiationError> {
        if self.state == SignalingState::Closed {
            let operation = Operation::AddCandidate;
            return Err(NegotiationError::WrongState { operation, state: self.state });
        }
        self.unpack();
        let limit = self.limits().candidates;
        let latest = self.remote.latest().ok_or(NegotiationError::NoRemoteDescription)?;
        let ends = candidate.candidate.is_empty();
        let parsed = if ends { None } else { Some(candidate.candidate.parse::<Candidate>()?) };
        let index = section_index(latest, candidate, ends)?;
        let ufrag = candidate.username_fragment.as_deref();
        let ufrag = ufrag.or_else(|| parsed.as_ref().and_then(Candidate::ufrag)).map(str::to_owned);
        let Some(place) = self.generation(index, ufrag)? else { return Ok(Trickled::Ignored) };

        // A generation that a pending description replaces is on its way out.
        let in_force = place == Place::Pending || self.remote.pending.is_none();
        let slot = match place {
            Place::Current => &mut self.remote.current,
            Place::Pending => &mut self.remote.pending,
        };
        let Some(Remote { session, data: Some(data), known, .. }) = slot.as_deref_mut() else {
            return Ok(Trickled::Ignored);
        };
        let Some(media) = session.media.get_mut(data.mline_index) else { return Ok(Trickled::Ignored) };
        let Some(parsed) = parsed else {
            data.end_of_candidates = true;
            end_candidates(media);
            return Ok(if in_force { Trickled::EndOfCandidates } else { Trickled::Ignored });
        };
        let known = known_of(known, media);
        if !read::is_of_use(&parsed) || known.contains(&parsed) {
            return Ok(Trickled::Ignored);
        }
        if known.len() >= limit {
            return Err(NegotiationError::TooManyCandidates(limit));
        }
        known.add(media, &parsed);
        data.candidates.push(parsed.clone());
        Ok(if in_force { Trickled::Candidate(parsed) } else { Trickled::Ignored })
    }

    /// Where the section's generation is: in the pending description or in the current one. Nothing when the section
    /// is not the one for data.
    fn generation(&self, index: Option<usize>, ufrag: Option<String>) -> Result<Option<Place>, NegotiationError> {
        let places = [(Place::Pending, &self.remote.pending), (Place::Current, &self.remote.current)];
        let mut known = places.into_iter().filter_map(|(place, slot)| {
            let data = slot.as_ref()?.data.as_ref()?;
            index.is_none_or(|index| index == data.mline_index).then_some((place, data))
        });
        let Some(ufrag) = ufrag else { return Ok(known.next().map(|(place, _)| place)) };
        let mut any = false;
        match known.inspect(|_| any = true).find(|(_, data)| data.ufrag == ufrag) {
            Some((place, _)) => Ok(Some(place)),
            None if any => Err(NegotiationError::UnknownGeneration(ufrag)),
            None => Ok(None),
        }
    }

    /// The local description in force, with the candidates gathered since.
    pub fn current_local_description(&self) -> Option<Description> {
        let packed = self.packed.as_ref().map(|packed| described(packed.local_kind, &packed.local));
        packed.or_else(|| self.local.current.as_deref().map(local_description))
    }

    /// The local description that waits for, or is, an answer.
    pub fn pending_local_description(&self) -> Option<Description> {
        self.local.pending.as_deref().map(local_description)
    }

    /// The pending local description, or else the current one.
    pub fn local_description(&self) -> Option<Description> {
        self.pending_local_description().or_else(|| self.current_local_description())
    }

    /// The remote description in force, with the candidates that came since.
    pub fn current_remote_description(&self) -> Option<Description> {
        let packed = self.packed.as_ref().map(|packed| described(packed.remote_kind, &packed.remote));
        packed.or_else(|| self.remote.current.as_deref().map(remote_description))
    }

    /// The remote description that waits for, or is, an answer.
    pub fn pending_remote_description(&self) -> Option<Description> {
        self.remote.pending.as_deref().map(remote_description)
    }

    /// Whether there is a remote description.
    pub fn has_remote_description(&self) -> bool {
        self.packed.is_some() || self.remote.latest().is_some()
    }

    /// The pending remote description, or else the current one.
    pub fn remote_description(&self) -> Option<Description> {
        self.pending_remote_description().or_else(|| self.current_remote_description())
    }

    /// Whether the peer takes candidates one by one (W3C `canTrickleIceCandidates`); unknown before its first
    /// description.
    pub fn can_trickle(&self) -> Option<bool> {
        if let Some(packed) = &self.packed {
            return Some(packed.can_trickle);
        }
        self.remote.latest().map(|remote| {
            let session = remote.session.attribute("ice-options").map(Attribute::parse::<crate::wire::IceOptions>);
            let session = session.is_some_and(|options| options.is_ok_and(|options| options.trickle()));
            session || remote.data.as_ref().is_some_and(|data| data.ice_options.trickle())
        })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Current,
    Pending,
}

/// The candidates of a section, looked at when the first one follows.
fn known_of<'a>(known: &'a mut Option<Box<Known>>, media: &Media) -> &'a mut Known {
    known.get_or_insert_with(|| Box::new(Known::of(media)))
}

/// The section a candidate belongs to: by name if it has one, else by number (RFC 8829 3.5.2.1). Only an end of
/// candidates may be for all.
fn section_index(remote: &Remote, candidate: &IceCandidate, ends: bool) -> Result<Option<usize>, NegotiationError> {
    let sections = &remote.session.media;
    let index = match (&candidate.sdp_mid, candidate.sdp_mline_index) {
        (Some(mid), _) => sections.iter().position(|media| media.mid() == Some(mid)),
        (None, Some(index)) => Some(usize::from(index)).filter(|index| *index < sections.len()),
        (None, None) if ends => return Ok(None),
        (None, None) => None,
    };
    index.map(Some).ok_or(NegotiationError::UnknownSection)
}

fn described(kind: SdpType, sdp: &str) -> Description {
    Description { kind, sdp: sdp.to_owned() }
}

fn local_description(local: &Local) -> Description {
    Description { kind: local.kind, sdp: local.built.session.to_string() }
}

fn remote_description(remote: &Remote) -> Description {
    Description { kind: remote.kind, sdp: remote.session.to_string() }
}
