//! The STUN server of an agent: checks of the peer. RFC 8445 section 7.3, RFC 8489 section 9.1.3.

use weft_core::{Instant, Path};
use weft_stun::{
    AttributeType, Class, ErrorCode, IceControlled, IceControlling, Integrity, IntegrityKey, Message, Method, Priority,
    Username,
};

use crate::agent::{Agent, ResponseKey};
use crate::candidate::{COMPONENT, Candidate, CandidateKind, Foundation, TcpType};
use crate::event::{Event, Role};
use crate::pair::PairState;
use crate::session::Early;
use crate::wire::{NOMINATION, Outcome, Response, Unknown};

impl Agent {
    /// Handles a datagram that looks like STUN.
    pub(crate) fn handle_stun(&mut self, now: Instant, path: Path, bytes: &[u8]) {
        let Some(message) = Message::parse(bytes).ok().filter(|message| message.method() == Method::BINDING) else {
            self.stats.malformed += 1;
            return;
        };
        // FINGERPRINT is asked of the peer (RFC 8445 section 7.1.1, 7.3), not of servers, many of which have none: the
        // transaction tells what is theirs.
        let plain = !message.has(AttributeType::FINGERPRINT);
        let valid = message.has_valid_fingerprint();
        if (plain || valid) && message.class() != Class::Request && self.on_gathering_response(now, &path, &message) {
            return;
        }
        if !valid {
            self.stats.malformed += 1;
            return;
        }
        let is_ours = self.locals.list.iter().any(|local| local.is_at(&path));
        if !is_ours && self.previous.as_ref().is_none_or(|previous| previous.path != Some(path)) {
            self.stats.unknown_local += 1;
            return;
        }
        match message.class() {
            Class::Request => self.handle_request(now, path, &message, is_ours),
            Class::Success | Class::Error => self.handle_response(now, path, &message),
            // A keep-alive: its arrival was all it is for (RFC 8445 section 11).
            Class::Indication => {}
        }
    }

    /// A request that came to a candidate, or where `is_ours` is not set by the way of the session before alone.
    fn handle_request(&mut self, now: Instant, path: Path, message: &Message<'_>, is_ours: bool) {
        if self.responses.len() >= self.config.max_responses {
            self.stats.limited += 1;
            return;
        }
        let (key, username, integrity) = match self.authenticate(&path, message) {
            Ok((ResponseKey::Current | ResponseKey::None, ..)) | Err(_) if !is_ours => {
                self.stats.unknown_local += 1;
                return;
            }
            Ok(authentic) => authentic,
            Err(code) => return self.refuse_unauthenticated(now, path, message, code),
        };
        self.stats.requests_received += 1;
        let unknown = Unknown::of(message);
        let priority = message.get::<Priority>();
        let outcome = if !unknown.is_empty() {
            Outcome::Unknown(unknown)
        } else if key == ResponseKey::Previous {
            // Consent of the session before: answered, and otherwise of no effect.
            Outcome::Success(path.remote)
        } else if !matches!(priority, Ok(Some(_))) || username.len() > MAX_UFRAG {
            Outcome::Error(ErrorCode::BAD_REQUEST)
        } else {
            match self.examine_role(message) {
                Ok(()) => Outcome::Success(path.remote),
                Err(code) => Outcome::Error(code),
            }
        };
        let response = Response { path, id: message.transaction_id(), outcome, sha256: integrity == Integrity::Sha256 };
        self.responses.push_back((response, key));
        if let (Outcome::Success(_), ResponseKey::Current, Ok(Some(Priority(priority)))) = (outcome, key, priority) {
            let use_candidate = message.has(AttributeType::USE_CANDIDATE);
            let nomination = self.nomination_of(message);
            let nominates = Nominates { use_candidate, nomination };
            match &self.session.remote {
                Some(remote) if remote.ufrag() == username => {
                    self.on_check(now, path, priority, nominates);
                    if self.selected().is_some_and(|pair| pair.path == path) {
                        self.session.consent.ride(now);
                    }
                }
                // Somebody else who has our description (forking): there is no password to check back with.
                Some(_) => {}
                None => self.remember(path, username, priority, nominates),
            }
        }
        self.settle(now);
    }

    /// Whose password the request was made with, and the peer's username fragment.
    fn authenticate<'m>(
        &self,
        path: &Path,
        message: &Message<'m>,
    ) -> Result<(ResponseKey, &'m str, Integrity), ErrorCode<'static>> {
        let protected =
            message.has(AttributeType::MESSAGE_INTEGRITY) || message.has(AttributeType::MESSAGE_INTEGRITY_SHA256);
        let username = message.get::<Username<'m>>().ok().flatten();
        let Some((ours, theirs)) = username.filter(|_| protected).and_then(|Username(name)| name.split_once(':'))
        else {
            return Err(ErrorCode::BAD_REQUEST);
        };
        let (which, key): (_, &IntegrityKey) = if ours == self.session.credentials.ufrag() {
            (ResponseKey::Current, &self.session.key)
        } else if let Some(previous) = self.previous.as_ref().filter(|previous| previous.is_for(ours, path)) {
            (ResponseKey::Previous, &previous.key)
        } else {
            return Err(ErrorCode::UNAUTHENTICATED);
        };
        match message.check_integrity(key) {
            integrity if integrity.holds() => Ok((which, theirs, integrity)),
            _ => Err(ErrorCode::UNAUTHENTICATED),
        }
    }

    /// An error response without integrity; few of them in a second, and none longer than 36 bytes.
    fn refuse_unauthenticated(&mut self, now: Instant, path: Path, message: &Message<'_>, code: ErrorCode<'static>) {
        self.stats.unauthenticated += 1;
        if self.unauthenticated_pace.take(now) {
            let response =
                Response { path, id: message.transaction_id(), outcome: Outcome::Error(code), sha256: false };
            self.responses.push_back((response, ResponseKey::None));
        } else {
            self.stats.limited += 1;
        }
    }

    /// Detects and repairs role conflicts (RFC 8445 section 7.3.1.1); an error if the peer has to give way.
    fn examine_role(&mut self, message: &Message<'_>) -> Result<(), ErrorCode<'static>> {
        if self.config.lite {
            return Ok(());
        }
        let conflict = match self.role {
            Role::Controlling => message.get::<IceControlling>().ok().flatten().map(|IceControlling(theirs)| theirs),
            Role::Controlled => message.get::<IceControlled>().ok().flatten().map(|IceControlled(theirs)| theirs),
        };
        let Some(theirs) = conflict else { return Ok(()) };
        // The larger tie-breaker is to be controlling.
        let ours_is_controlling = self.tie_breaker >= theirs;
        if ours_is_controlling == (self.role == Role::Controlling) {
            return Err(ErrorCode::ROLE_CONFLICT);
        }
        self.switch_role();
        self.emit(Event::RoleChanged(self.role));
        Ok(())
    }

    /// Takes the other role; what depends on it is computed again.
    pub(crate) fn switch_role(&mut self) {
        self.role = self.role.other();
        self.session.chosen = None;
        for pair in &mut self.session.checklist.pairs {
            pair.nominate = false;
        }
        self.session.checklist.reprioritise(self.role, &self.locals, &self.session.remotes);
    }

    /// Keeps a check for when the peer's description arrives (RFC 8445 section 7.3).
    fn remember(&mut self, path: Path, ufrag: &str, priority: u32, nominates: Nominates) {
        if let Some(known) = self.session.early.iter_mut().find(|early| early.path == path && early.ufrag == ufrag) {
            known.nominates.use_candidate |= nominates.use_candidate;
            known.nominates.nomination = known.nominates.nomination.max(nominates.nomination);
            known.priority = priority;
        } else if self.session.early.len() < self.config.max_early_checks {
            self.session.early.push(Early { path, ufrag: ufrag.to_owned(), priority, nominates });
        } else {
            self.stats.discarded += 1;
        }
    }

    /// An authenticated check of the peer, whose description we have: RFC 8445 sections 7.3.1.3 to 7.3.1.5.
    pub(crate) fn on_check(&mut self, now: Instant, path: Path, priority: u32, nominates: Nominates) {
        if self.forbidden.contains(&path) || !self.note_accepted(&path) {
            self.stats.discarded += 1;
            return;
        }
        self.heard(now, &path);
        let Some(remote) = self.session.find_remote(&path).or_else(|| self.learn_remote(now, &path, priority)) else {
            self.stats.discarded += 1;
            return;
        };
        self.session.validate(path, self.config.max_pairs);
        let Some(local) = self.locals.at(&path) else { return };
        let known = self.session.checklist.find(path.local, remote);
        let Some(id) = known.or_else(|| self.pair_up(local, remote)) else {
            self.stats.discarded += 1;
            return;
        };
        if self.config.lite {
            self.accept_as_lite(now, id);
        }
        let Some(pair) = self.session.checklist.get_mut(id) else { return };
        pair.counts.requests_received += 1;
        let succeeded = pair.state == PairState::Succeeded;
        let nomination = nominates.nomination.filter(|_| self.role == Role::Controlled);
        // An older nomination that arrives late moves nothing.
        let outdated = nomination.is_some_and(|nomination| nomination < self.session.nomination);
        let nominated = (nominates.use_candidate || nomination.is_some()) && self.role == Role::Controlled && !outdated;
        if nominated {
            pair.nomination = pair.nomination.max(nomination.unwrap_or(0));
            pair.nominate |= !succeeded;
        }
        if !succeeded {
            self.session.checklist.trigger(id);
        } else if nominated {
            self.nominate(now, id);
        }
    }

    /// The value of NOMINATION, if the peer and we have agreed on renomination.
    fn nomination_of(&self, message: &Message<'_>) -> Option<u32> {
        let agreed = self.config.renomination && self.remote_renomination;
        let value = message.attributes().find(|attribute| attribute.kind == NOMINATION).filter(|_| agreed)?.value;
        value.try_into().ok().map(u32::from_be_bytes)
    }

    /// Learns a peer-reflexive remote candidate (RFC 8445 section 7.3.1.3).
    fn learn_remote(&mut self, now: Instant, path: &Path, priority: u32) -> Option<usize> {
        let mut index = self.session.remotes.len();
        if index >= self.config.max_remote_candidates {
            // Few in a second, or two translators that give every check another port would keep both sides busy for ever.
            if !self.recycling_pace.take(now) {
                return None;
            }
            index = self.session.recycle_remote()?;
        }
        let tcp_type = self.locals.at(path).and_then(|local| self.locals.get(local)?.candidate.tcp_type);
        let tcp_type = tcp_type.map(TcpType::opposite);
        let candidate = Candidate {
            foundation: Foundation::peer_reflexive(index),
            component: COMPONENT,
            transport: path.transport,
            priority,
            address: path.remote,
            kind: CandidateKind::PeerReflexive,
            related: None,
            tcp_type,
        };
        match self.session.remotes.get_mut(index) {
            Some(slot) => *slot = candidate,
            None => self.session.remotes.push(candidate),
        }
        self.emit(Event::RemotePeerReflexive(candidate));
        Some(index)
    }
}

/// How a check nominates its pair, if it does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Nominates {
    /// USE-CANDIDATE.
    pub(crate) use_candidate: bool,
    /// NOMINATION.
    pub(crate) nomination: Option<u32>,
}

/// The longest username fragment there is (RFC 8839 section 5.4).
const MAX_UFRAG: usize = 256;
