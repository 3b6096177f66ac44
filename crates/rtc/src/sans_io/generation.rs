//! Generations of ICE: which credentials and candidates are ours, and when the agent goes from one to the next.
//!
//! The agent runs one generation. An offer that restarts ICE announces the next, and the agent changes over when it is
//! answered, so that taking the offer back costs nothing.

use weft_core::Instant;
use weft_dtls::HashAlgorithm;
use weft_ice::{Credentials, LocalCandidate};
use weft_sdp::jsep::{LocalParameters, RemoteParameters, SignalingState};
use weft_sdp::{IceOptions, MaxMessageSize};

use super::PeerConnection;
use super::candidates::Unresolved;
use crate::convert;
use crate::event::{Event, GatheringState};

/// Ours in one generation of ICE.
#[derive(Debug)]
pub(super) struct Generation {
    pub(super) credentials: Credentials,
    /// Those gathered so far; `None` while nobody needs them and they can be [recalled](PeerConnection::recall).
    candidates: Option<Vec<weft_sdp::Candidate>>,
    /// Its candidates are being signalled, or all were.
    begun: bool,
    /// No more candidates follow.
    ended: bool,
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
    /// What the agent was told of the peer.
    remote: Option<Credentials>,
}

impl Generations {
    pub(super) fn new(credentials: Credentials) -> Self {
        Self { current: Generation::new(credentials), offered: None, answered: None, remote: None }
    }

    /// The peer's user name fragment that the agent was told.
    pub(super) fn remote_ufrag(&self) -> Option<&str> {
        self.remote.as_ref().map(Credentials::ufrag)
    }

    /// Whether candidates are being gathered, or were.
    pub(super) fn has_begun(&self) -> bool {
        let others = [&self.offered, &self.answered];
        self.current.begun || others.into_iter().flatten().any(|generation| generation.begun)
    }

    fn get(&self, ufrag: &str) -> Option<&Generation> {
        let others = [&self.offered, &self.answered].into_iter().flatten().map(|generation| &**generation);
        std::iter::once(&self.current).chain(others).find(|generation| generation.credentials.ufrag() == ufrag)
    }

    fn all_mut(&mut self) -> impl Iterator<Item = &mut Generation> {
        [Some(&mut self.current), self.offered.as_deref_mut(), self.answered.as_deref_mut()].into_iter().flatten()
    }

    fn get_mut(&mut self, ufrag: &str) -> Option<&mut Generation> {
        self.all_mut().find(|generation| generation.credentials.ufrag() == ufrag)
    }

    /// Takes out a generation that is to become the current one.
    fn take_next(&mut self, ufrag: &str) -> Option<Generation> {
        let is_it =
            |slot: &&mut Option<Box<Generation>>| slot.as_ref().is_some_and(|next| next.credentials.ufrag() == ufrag);
        [&mut self.offered, &mut self.answered].into_iter().find(is_it)?.take().map(|next| *next)
    }
}

impl Generation {
    fn new(credentials: Credentials) -> Self {
        Self { credentials, candidates: Some(Vec::new()), begun: false, ended: false }
    }
}

impl PeerConnection {
    fn new_generation(&mut self) -> Generation {
        Generation::new(Credentials::random(&mut self.seed.rng()))
    }

    /// Our description in force has the candidates of the generation in use: one list of them is enough.
    pub(super) fn put_candidates_by(&mut self) {
        let in_force = self.negotiator.current_local_credentials().map(|(ufrag, _)| ufrag);
        let current = &mut self.generations.current;
        if self.states.signaling == SignalingState::Stable && in_force == Some(current.credentials.ufrag()) {
            current.candidates = None;
        }
    }

    /// Before descriptions or candidates change: what was put by.
    fn recall(&mut self) {
        let Self { generations, negotiator, .. } = self;
        generations.current.candidates.get_or_insert_with(|| negotiator.local_candidates());
    }

    /// What goes into the descriptions of one generation.
    fn parameters(&self, generation: &Generation) -> LocalParameters {
        let fingerprint = convert::fingerprint_to_sdp(&self.certificate.fingerprint(HashAlgorithm::Sha256));
        let credentials = &generation.credentials;
        let mut local = LocalParameters::new(credentials.ufrag(), credentials.pwd(), vec![fingerprint]);
        local.max_message_size = MaxMessageSize::Bytes(self.config.max_message_size.into());
        let trickle = self.config.trickle.then_some("trickle");
        local.ice_options = IceOptions::new(trickle.into_iter().chain(["ice2", RENOMINATION]));
        local.candidates = generation.candidates.clone().unwrap_or_default();
        local.end_of_candidates = generation.ended;
        local
    }

    /// What an offer says: the generation of the latest description, or with `ice_restart` a new one.
    pub(super) fn offer_parameters(&mut self, ice_restart: bool) -> LocalParameters {
        self.recall();
        let current = &self.generations.current;
        let Some((latest, _)) = self.negotiator.local_credentials() else { return self.parameters(current) };
        let replaced = |ufrag: &str| self.to_replace.iter().chain(&self.outdated).any(|old| old == ufrag);
        let owed = !self.to_replace.is_empty() || !self.outdated.is_empty();
        let announced = self.generations.offered.as_ref().filter(|offered| !replaced(offered.credentials.ufrag()));
        if !ice_restart
            && owed
            && let Some(announced) = announced
        {
            return self.parameters(announced);
        }
        if ice_restart || owed {
            let next = Box::new(self.new_generation());
            let parameters = self.parameters(&next);
            self.generations.offered = Some(next);
            return parameters;
        }
        self.parameters(self.generations.get(latest).unwrap_or(current))
    }

    /// What an answer says: a new generation if the offer restarts ICE and no provisional answer has announced it already.
    pub(super) fn answer_parameters(&mut self) -> LocalParameters {
        self.recall();
        let in_force = self.negotiator.current_local_credentials().map(|(ufrag, _)| ufrag);
        let is_new = in_force != Some(self.generations.current.credentials.ufrag());
        if !self.negotiator.answer_restarts_ice() || is_new {
            return self.parameters(&self.generations.current);
        }
        if let Some(answered) = &self.generations.answered {
            return self.parameters(answered);
        }
        let next = Box::new(self.new_generation());
        let parameters = self.parameters(&next);
        self.generations.answered = Some(next);
        parameters
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
            self.ice.restart_with(now, self.generations.current.credentials.clone());
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
        if self.generations.current.credentials.ufrag() == ufrag {
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
        self.ice.restart_with(now, self.generations.current.credentials.clone());
    }

    fn take_remote(&mut self, now: Instant, remote: &RemoteParameters) {
        // The parser has checked their form (RFC 8839 section 5.4), so there is nothing to refuse here.
        if let Ok(credentials) = Credentials::new(remote.ufrag.as_str(), remote.pwd.as_str()) {
            self.ice.set_remote_credentials(now, &credentials);
            self.generations.remote = Some(credentials);
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
            if !std::mem::replace(&mut generation.ended, true)
                && let Some(end) = self.negotiator.end_of_local_candidates(generation.credentials.ufrag())
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
        self.recall();
        let gathering = |generation: &&mut Generation| generation.begun && !generation.ended;
        for generation in self.generations.all_mut().filter(gathering) {
            generation.candidates.get_or_insert_default().push(candidate.clone());
            let ufrag = generation.credentials.ufrag();
            if let Some(signalled) = self.negotiator.add_local_candidate(ufrag, candidate) {
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

fn is_of(remote: &RemoteParameters, known: &Credentials) -> bool {
    remote.ufrag == known.ufrag() && remote.pwd == known.pwd()
}
