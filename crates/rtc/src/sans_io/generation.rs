//! Generations of ICE: which credentials and candidates are ours, and when the agent goes from one to the next.
//!
//! The agent runs one generation. An offer that restarts ICE announces the next, and the agent changes over when it is
//! answered, so that taking the offer back costs nothing.

use weft_core::Instant;
use weft_dtls::{Certificate, HashAlgorithm};
use weft_ice::{Credentials, LocalCandidate};
use weft_sdp::jsep::{LocalParameters, RemoteParameters, SignalingState};
use weft_sdp::{IceOptions, MaxMessageSize};

use super::PeerConnection;
use super::candidates::Unresolved;
use crate::config::Config;
use crate::convert;
use crate::event::{Event, GatheringState};

/// Our parameters in one generation of ICE.
#[derive(Debug)]
pub(super) struct Generation {
    pub(super) local: LocalParameters,
    /// Its candidates are being signalled, or all were.
    begun: bool,
}

/// The generation in use and those that may follow.
#[derive(Debug)]
pub(super) struct Generations {
    /// That of the agent.
    pub(super) current: Generation,
    /// That of an offer which restarts ICE, until it is answered.
    pub(super) offered: Option<Box<Generation>>,
    /// That of an answer to an offer which restarts ICE, until it is applied.
    pub(super) answered: Option<Box<Generation>>,
    /// The peer's user name fragment and password that the agent was told.
    remote: Option<(String, String)>,
}

impl Generations {
    pub(super) fn new(local: LocalParameters) -> Self {
        Self { current: Generation::new(local), offered: None, answered: None, remote: None }
    }

    pub(super) fn shrink_to_fit(&mut self) {
        self.all_mut().for_each(|generation| generation.local.candidates.shrink_to_fit());
    }

    /// The peer's user name fragment that the agent was told.
    pub(super) fn remote_ufrag(&self) -> Option<&str> {
        self.remote.as_ref().map(|(ufrag, _)| ufrag.as_str())
    }

    /// Whether candidates are being gathered, or were.
    pub(super) fn has_begun(&self) -> bool {
        let others = [&self.offered, &self.answered];
        self.current.begun || others.into_iter().flatten().any(|generation| generation.begun)
    }

    fn all_mut(&mut self) -> impl Iterator<Item = &mut Generation> {
        [Some(&mut self.current), self.offered.as_deref_mut(), self.answered.as_deref_mut()].into_iter().flatten()
    }

    fn get_mut(&mut self, ufrag: &str) -> Option<&mut Generation> {
        self.all_mut().find(|generation| generation.local.ufrag == ufrag)
    }

    /// Takes out a generation that is to become the current one.
    fn take_next(&mut self, ufrag: &str) -> Option<Generation> {
        let is_it = |slot: &&mut Option<Box<Generation>>| slot.as_ref().is_some_and(|next| next.local.ufrag == ufrag);
        [&mut self.offered, &mut self.answered].into_iter().find(is_it)?.take().map(|next| *next)
    }
}

impl Generation {
    fn new(local: LocalParameters) -> Self {
        Self { local, begun: false }
    }
}

impl PeerConnection {
    fn new_generation(&mut self) -> Generation {
        let credentials = Credentials::random(&mut self.seed.rng());
        Generation::new(parameters(&self.config, &self.certificate, &credentials))
    }

    /// What an offer says: the generation of the latest description, or with `ice_restart` a new one.
    pub(super) fn offer_parameters(&mut self, ice_restart: bool) -> LocalParameters {
        let latest = self.negotiator.local_credentials().map(|(ufrag, _)| ufrag.to_owned());
        let Some(latest) = latest else { return self.generations.current.local.clone() };
        let replaced = |ufrag: &String| self.to_replace.contains(ufrag) || self.outdated.contains(ufrag);
        let owed = !self.to_replace.is_empty() || !self.outdated.is_empty();
        let announced = self.generations.offered.as_ref().filter(|offered| !replaced(&offered.local.ufrag));
        if !ice_restart
            && owed
            && let Some(announced) = announced
        {
            return announced.local.clone();
        }
        if ice_restart || owed {
            let next = Box::new(self.new_generation());
            return self.generations.offered.insert(next).local.clone();
        }
        match self.generations.get_mut(&latest) {
            Some(generation) => generation.local.clone(),
            None => self.generations.current.local.clone(),
        }
    }

    /// What an answer says: a new generation if the offer restarts ICE and no provisional answer has announced it already.
    pub(super) fn answer_parameters(&mut self) -> LocalParameters {
        let in_force = self.negotiator.current_local_credentials().map(|(ufrag, _)| ufrag);
        let is_new = in_force != Some(self.generations.current.local.ufrag.as_str());
        if !self.negotiator.answer_restarts_ice() || is_new {
            return self.generations.current.local.clone();
        }
        if let Some(answered) = &self.generations.answered {
            return answered.local.clone();
        }
        let next = Box::new(self.new_generation());
        self.generations.answered.insert(next).local.clone()
    }

    /// Whether the layers act on the latest remote description: an offer that changes what was agreed waits for its answer.
    pub(super) fn remote_is_in_use(&self) -> bool {
        let latest = self.negotiator.remote();
        latest.zip(self.generations.remote.as_ref()).is_some_and(|(latest, known)| is_of(latest, known))
    }

    /// Tells the layers what the descriptions say, as far as it is in force.
    pub(super) fn take_agreement(&mut self, now: Instant) {
        let state = self.negotiator.signaling_state();
        let settled = !matches!(state, SignalingState::HaveLocalOffer | SignalingState::HaveRemoteOffer);
        let first = !self.negotiator.is_negotiated();
        if settled || first {
            self.change_generation(now);
        }
        let Some(remote) = self.negotiator.remote().cloned() else { return };
        let news = self.generations.remote.as_ref().is_some_and(|known| !is_of(&remote, known));
        if !settled && !first && news {
            return;
        }
        if news {
            // Another peer than the one before answers, or offers: only the agent's view of the peer starts over, and what
            // was to come of the names of the one before is not this one's.
            self.unresolved = Unresolved::default();
            if let Ok(credentials) = self.credentials_of_current() {
                self.ice.restart_with(now, credentials);
            }
            self.generations.remote = None;
        }
        self.take_remote(now, &remote);
        if settled {
            self.take_association(now, &remote);
        }
    }

    /// Lets the agent run the generation of the latest local description.
    fn change_generation(&mut self, now: Instant) {
        let Some((ufrag, _)) = self.negotiator.local_credentials() else { return };
        if self.generations.current.local.ufrag == ufrag {
            return;
        }
        let ufrag = ufrag.to_owned();
        if let Some(next) = self.generations.take_next(&ufrag) {
            self.run_generation(now, next);
        }
    }

    fn run_generation(&mut self, now: Instant, next: Generation) {
        self.generations.current = next;
        self.generations.remote = None;
        // What was to come of names belongs to the session before, the end of its candidates, too.
        self.unresolved = Unresolved::default();
        if let Ok(credentials) = self.credentials_of_current() {
            self.ice.restart_with(now, credentials);
        }
    }

    fn credentials_of_current(&self) -> Result<Credentials, weft_ice::CredentialsError> {
        let local = &self.generations.current.local;
        Credentials::new(local.ufrag.as_str(), local.pwd.as_str())
    }

    fn take_remote(&mut self, now: Instant, remote: &RemoteParameters) {
        // The parser has checked their form (RFC 8839 section 5.4), so there is nothing to refuse here.
        if let Ok(credentials) = Credentials::new(remote.ufrag.as_str(), remote.pwd.as_str()) {
            self.ice.set_remote_credentials(now, &credentials);
            self.generations.remote = Some((remote.ufrag.clone(), remote.pwd.clone()));
        }
        self.ice.set_remote_renomination(remote.ice_options.contains(RENOMINATION));
        for candidate in &remote.candidates {
            self.add_remote(now, candidate);
        }
        if remote.end_of_candidates {
            self.end_remote(now);
        }
    }

    /// The pending offer was taken back. What was agreed before still holds; if nothing was, ICE starts from nothing.
    pub(super) fn rolled_back(&mut self, now: Instant) {
        self.generations.answered = None;
        if self.negotiator.is_negotiated() {
            return;
        }
        self.generations.offered = None;
        self.draw_again(now);
        self.set_gathering(GatheringState::New);
    }

    /// Other credentials, of which nobody has heard yet.
    pub(super) fn draw_again(&mut self, now: Instant) {
        let next = self.new_generation();
        self.run_generation(now, next);
    }

    /// Gathers candidates for the latest local description, unless that was done.
    pub(super) fn start_gathering(&mut self, now: Instant) {
        let Some((ufrag, _)) = self.negotiator.local_credentials() else { return };
        let ufrag = ufrag.to_owned();
        let Some(generation) = self.generations.get_mut(&ufrag) else { return };
        if std::mem::replace(&mut generation.begun, true) {
            return;
        }
        self.set_gathering(GatheringState::Gathering);
        self.ice.gather_anew(now);
        // Candidates of the generation before are as good in this one (RFC 8445 section 9).
        let known = self.ice.candidates_to_signal();
        for candidate in known.map(|candidate| self.to_sdp(candidate)).collect::<Vec<_>>() {
            self.announce(&candidate);
        }
        self.gather_all(now);
        // Host candidates are known at once; those of servers follow.
        self.ice.end_of_local_candidates(now);
        if self.ice.is_gathering_complete() {
            self.end_gathering();
        }
    }

    pub(super) fn end_gathering(&mut self) {
        for generation in self.generations.all_mut().filter(|generation| generation.begun) {
            if !std::mem::replace(&mut generation.local.end_of_candidates, true)
                && let Some(end) = self.negotiator.end_of_local_candidates(&generation.local.ufrag)
            {
                self.events.push_back(Event::IceCandidate(Box::new(end)));
            }
        }
        self.set_gathering(GatheringState::Complete);
    }

    /// One host candidate.
    pub(super) fn gather(&mut self, now: Instant, candidate: LocalCandidate) {
        match self.ice.add_local_candidate(now, candidate) {
            Ok(Some(added)) => {
                let added = *added;
                self.gathered(now, &added);
            }
            Ok(None) => {}
            Err(error) => tracing::debug!(address = %candidate.address, %error, "not a candidate"),
        }
    }

    /// One candidate, of a socket or a server.
    pub(super) fn gathered(&mut self, now: Instant, candidate: &weft_ice::Candidate) {
        let candidate = self.to_sdp(candidate);
        self.timeline.first_candidate.get_or_insert(now);
        self.announce(&candidate);
    }

    /// Signals a candidate in all generations that still gather.
    fn announce(&mut self, candidate: &weft_sdp::Candidate) {
        let gathering = |generation: &&mut Generation| generation.begun && !generation.local.end_of_candidates;
        for generation in self.generations.all_mut().filter(gathering) {
            generation.local.candidates.push(candidate.clone());
            if let Some(signalled) = self.negotiator.add_local_candidate(&generation.local.ufrag, candidate) {
                self.events.push_back(Event::IceCandidate(Box::new(signalled)));
            }
        }
    }

    fn set_gathering(&mut self, state: GatheringState) {
        if self.states.gathering != state {
            self.states.gathering = state;
            self.events.push_back(Event::GatheringState(state));
        }
    }
}

/// The ice-option of draft-thatcher-ice-renomination: a better pair that comes to work later is moved to.
const RENOMINATION: &str = "renomination";

fn is_of(remote: &RemoteParameters, (ufrag, pwd): &(String, String)) -> bool {
    remote.ufrag == *ufrag && remote.pwd == *pwd
}

/// What goes into the descriptions of one generation.
pub(super) fn parameters(config: &Config, certificate: &Certificate, ice: &Credentials) -> LocalParameters {
    let fingerprint = convert::fingerprint_to_sdp(&certificate.fingerprint(HashAlgorithm::Sha256));
    let mut local = LocalParameters::new(ice.ufrag(), ice.pwd(), vec![fingerprint]);
    local.max_message_size = MaxMessageSize::Bytes(config.max_message_size.into());
    let trickle = config.trickle.then_some("trickle");
    local.ice_options = IceOptions::new(trickle.into_iter().chain(["ice2", RENOMINATION]));
    local
}
