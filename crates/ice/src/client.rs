//! The STUN client of an agent: its own checks. RFC 8445 sections 6.1.4 and 7.2.

use core::time::Duration;

use weft_core::{Frame, Instant, Path, Transport};
use weft_stun::{
    Class, ErrorCode, Integrity, IntegrityKey, Message, Step, Timing, Transaction, TransactionId, XorMappedAddress,
};

use crate::agent::{Agent, ResponseKey};
use crate::candidate::{CandidateKind, priority, same};
use crate::event::{CheckResult, Event, Role};
use crate::pair::{Check, Pair, PairId, PairState};
use crate::stream::Readiness;
use crate::wire::Request;

/// Ti: how long a request over TCP waits for its answer (RFC 8489 section 6.2.2).
const ONCE: Timing = Timing { rto: Duration::from_millis(39_500), max_requests: 1, last_wait: 1 };

impl Agent {
    /// Writes the next response that waits.
    pub(crate) fn transmit_response(&mut self, frame: &mut Frame<'_>) -> Option<Path> {
        while let Some((response, key)) = self.responses.pop_front() {
            let key: Option<&IntegrityKey> = match key {
                ResponseKey::None => None,
                ResponseKey::Current => Some(&self.session.key),
                ResponseKey::Previous => self.previous.as_ref().map(|previous| &previous.key),
            };
            if response.write(frame, key).is_ok() {
                self.stats.responses_sent += 1;
                let of = self.session.checklist.pairs.iter_mut().find(|pair| pair.path == response.path);
                if let Some(pair) = of {
                    pair.counts.responses_sent += 1;
                }
                return Some(response.path);
            }
            frame.truncate(0);
        }
        None
    }

    /// Writes the next check that is due: triggered ones first, then what has to be sent again, then ordinary ones at the
    /// pace of Ta.
    pub(crate) fn transmit_check(&mut self, now: Instant, frame: &mut Frame<'_>) -> Option<Path> {
        if self.config.lite || self.session.remote.is_none() {
            return None;
        }
        while self.session.checklist.has_triggered() && self.triggered_pace.take(now) {
            let id = self.session.checklist.next_triggered()?;
            let sent = self.start_check(now, id, frame);
            if sent.is_some() {
                return sent;
            }
        }
        if let Some(sent) = self.retransmit(now, frame) {
            return Some(sent);
        }
        if now < self.next_ordinary {
            return None;
        }
        let floor = self.floor();
        let id = self.session.checklist.next_ordinary(floor)?;
        self.next_ordinary = now + self.config.ta;
        self.start_check(now, id, frame)
    }

    /// Starts a check of a pair (RFC 8445 section 7.2.4).
    fn start_check(&mut self, now: Instant, id: PairId, frame: &mut Frame<'_>) -> Option<Path> {
        let timing = self.config.timing(self.session.checklist.open());
        let transaction_id = TransactionId::random(&mut self.seed.rng());
        let (role, tie_breaker) = (self.role, self.tie_breaker);
        self.session.checklist.untrigger(id);
        let path = self.session.checklist.get(id)?.path;
        match self.readiness(now, &path) {
            Readiness::Open => {}
            Readiness::Opening => {
                let pair = self.session.checklist.get_mut(id)?;
                pair.state = PairState::InProgress;
                return None;
            }
            Readiness::Never => {
                self.fail(id, CheckResult::NotConnected);
                return None;
            }
        }
        // TCP delivers by itself (RFC 8489 section 6.2.2).
        let timing = if path.transport == Transport::Udp { timing } else { ONCE };
        let nomination = self.next_nomination();
        let pair = self.session.checklist.get_mut(id)?;
        pair.cancel();
        if pair.state != PairState::Succeeded {
            pair.state = PairState::InProgress;
        }
        let mut transaction = Transaction::new(now, transaction_id, timing);
        transaction.on_sent(now);
        let use_candidate = role == Role::Controlling && pair.nominate;
        let nomination = nomination.filter(|_| use_candidate);
        pair.check = Some(Check { transaction, role, tie_breaker, use_candidate, nomination, tainted: false });
        pair.counts.requests_sent += 1;
        self.session.nomination = nomination.unwrap_or(self.session.nomination);
        self.write_check(id, frame)
    }

    /// Sends again what is due for it.
    fn retransmit(&mut self, now: Instant, frame: &mut Frame<'_>) -> Option<Path> {
        let due = |pair: &Pair| pair.check.as_ref().is_some_and(|check| check.transaction.step(now) == Step::Send);
        let pair = self.session.checklist.pairs.iter_mut().find(|pair| due(pair))?;
        let id = pair.id;
        pair.check.as_mut()?.transaction.on_sent(now);
        self.stats.checks_retransmitted += 1;
        self.write_check(id, frame)
    }

    /// Writes the check of a pair.
    fn write_check(&mut self, id: PairId, frame: &mut Frame<'_>) -> Option<Path> {
        let pair = self.session.checklist.get(id)?;
        let (check, remote) = (pair.check.as_ref()?, self.session.remote.as_ref()?);
        let request = Request {
            id: check.transaction.id(),
            username: &remote.username,
            key: &remote.key,
            role: check.role,
            tie_breaker: check.tie_breaker,
            priority: self.check_priority(pair),
            use_candidate: check.use_candidate,
            nomination: check.nomination,
        };
        if request.write(frame).is_err() {
            frame.truncate(0);
            return None;
        }
        let path = pair.path;
        self.stats.checks_sent += 1;
        Some(path)
    }

    /// PRIORITY: that of the local candidate if it were peer-reflexive (RFC 8445 section 7.1.1).
    pub(crate) fn check_priority(&self, pair: &Pair) -> u32 {
        let preference = self.locals.get(pair.local).map_or(0, |local| local.preference);
        priority(CandidateKind::PeerReflexive, pair.path.transport, preference)
    }

    /// A response: to a check, to a consent check, or to nothing.
    pub(crate) fn handle_response(&mut self, now: Instant, path: Path, message: &Message<'_>) {
        let id = message.transaction_id();
        let found = self.session.checklist.pairs.iter().find_map(|pair| {
            let check = pair.checks().find(|check| check.transaction.id() == id)?;
            Some((pair.id, *check))
        });
        let authentic = |key: &IntegrityKey| message.check_integrity(key) == Integrity::Sha1;
        match found {
            Some((pair, check)) => {
                // A response without the right integrity is as if it had not come (RFC 8489 section 9.1.4).
                if !self.session.remote.as_ref().is_some_and(|remote| authentic(&remote.key)) {
                    return self.discard_response(now, pair, id);
                }
                self.stats.responses_received += 1;
                self.heard(now, &path);
                self.on_check_response(now, path, pair, &check, message);
            }
            None if self.on_consent_response(now, path, message) => {
                self.stats.responses_received += 1;
                self.heard(now, &path);
            }
            None => {
                self.stats.stray_responses += 1;
                return;
            }
        }
        self.settle(now);
    }

    /// Somebody else's response to a check. Over TCP, where no other will come, the check ends with it (RFC 8489 section 9.1.4).
    fn discard_response(&mut self, now: Instant, id: PairId, of: TransactionId) {
        self.stats.stray_responses += 1;
        let Some(pair) = self.session.checklist.get_mut(id) else { return };
        pair.taint(of);
        if pair.path.transport != Transport::Udp {
            self.fail(id, CheckResult::Unauthentic);
            self.settle(now);
        }
    }

    fn on_check_response(&mut self, now: Instant, path: Path, id: PairId, check: &Check, message: &Message<'_>) {
        let Some(pair) = self.session.checklist.get_mut(id) else { return };
        let current = pair.check.as_ref().is_some_and(|current| current.transaction.id() == check.transaction.id());
        pair.end_transaction(&check.transaction);
        pair.counts.responses_received += 1;
        if let (Class::Success, Some(round_trip)) = (message.class(), check.transaction.round_trip(now)) {
            pair.answered(now, round_trip);
        }
        let symmetric = same(pair.path.local, path.local) && same(pair.path.remote, path.remote);
        if pair.state == PairState::Succeeded && !current && (message.class() == Class::Error || !symmetric) {
            return; // a late answer to a cancelled check takes back nothing
        }
        if !symmetric {
            return self.fail(id, CheckResult::NotSymmetric);
        }
        let understood = message.unknown_required().next().is_none();
        match message.class() {
            Class::Success => match message.get::<XorMappedAddress>() {
                Ok(Some(XorMappedAddress(mapped))) if understood => self.on_success(now, path, id, check, mapped),
                _ => self.fail(id, CheckResult::Refused(0)),
            },
            _ => match message.get::<ErrorCode<'_>>() {
                Ok(Some(code)) if understood && code.code == ErrorCode::ROLE_CONFLICT.code => {
                    self.yield_role(check.role);
                    self.session.checklist.trigger(id);
                }
                code => self.fail(id, CheckResult::Refused(code.ok().flatten().map_or(0, |code| code.code))),
            },
        }
    }

    /// The peer has answered 487 to a check sent in `role` (RFC 8445 section 7.2.5.1).
    pub(crate) fn yield_role(&mut self, role: Role) {
        if role == self.role {
            self.switch_role();
            self.emit(Event::RoleChanged(self.role));
        }
        self.tie_breaker = self.seed.rng().u64();
    }

    /// A check has succeeded: RFC 8445 section 7.2.5.3.
    fn on_success(&mut self, now: Instant, path: Path, id: PairId, check: &Check, mapped: core::net::SocketAddr) {
        let Some(pair) = self.session.checklist.get_mut(id) else { return };
        pair.state = PairState::Succeeded;
        let (local, remote) = (pair.local, pair.remote);
        // A late answer to an earlier check does not stand for the nomination that waits.
        let nominating = self.role == Role::Controlling && pair.nominate;
        if !nominating {
            pair.cancel();
            self.session.checklist.untrigger(id);
        }
        self.session.validate(path, self.config.max_pairs);
        self.session.checklist.unfreeze(id);

        let base = self.locals.mapped(&path, mapped).and_then(|index| self.locals.get(index)).map(|local| local.base);
        let valid_local = self.valid_local(path, local, mapped);
        let other = base.and_then(|base| self.session.checklist.find(base, remote));
        let valid = other.unwrap_or(id);
        if let Some(pair) = self.session.checklist.get_mut(valid) {
            pair.state = PairState::Succeeded;
            pair.valid = Some(valid_local);
            pair.consent_expires = now + self.config.consent_timeout;
            (pair.suspect, pair.probed) = (false, None);
        }
        if let Some(pair) = self.session.checklist.get_mut(id) {
            (pair.suspect, pair.probed) = (false, None);
        }
        self.session.first_valid.get_or_insert(now);
        self.emit(Event::Check(path, CheckResult::Succeeded));

        let nominated = match self.role {
            Role::Controlling => check.use_candidate && check.role == self.role,
            Role::Controlled => self.session.checklist.get(id).is_some_and(|pair| pair.nominate),
        };
        if nominated {
            self.nominate(now, valid);
        }
    }

    /// The local candidate of the valid pair: the one the mapped address belongs to, learnt if it is new
    /// (RFC 8445 section 7.2.5.3.1).
    fn valid_local(&mut self, path: Path, local: usize, mapped: core::net::SocketAddr) -> usize {
        if let Some(known) = self.locals.mapped(&path, mapped) {
            return known;
        }
        match self.locals.add_peer_reflexive(mapped, local, self.config.max_local_candidates) {
            Some(index) => {
                if let Some(learnt) = self.locals.get(index) {
                    let candidate = learnt.candidate;
                    self.emit(Event::LocalPeerReflexive(candidate));
                }
                index
            }
            None => local,
        }
    }

    /// A check has failed: RFC 8445 section 7.2.5.2.
    pub(crate) fn fail(&mut self, id: PairId, result: CheckResult) {
        let Some(pair) = self.session.checklist.get_mut(id) else { return };
        pair.state = PairState::Failed;
        pair.end_all();
        (pair.valid, pair.nominate, pair.nominated) = (None, false, false);
        (pair.suspect, pair.probed) = (false, None);
        let path = pair.path;
        self.session.checklist.untrigger(id);
        if self.session.chosen == Some(id) {
            self.session.chosen = None;
        }
        self.emit(Event::Check(path, result));
    }

    /// Gives up what has waited long enough.
    pub(crate) fn expire_checks(&mut self, now: Instant) {
        let concluded = self.is_concluded();
        let mut index = 0;
        while let Some(pair) = self.session.checklist.pairs.get_mut(index) {
            let over = pair.check.as_ref().filter(|check| check.transaction.step(now) == Step::TimedOut);
            let result = over.map(|check| if check.tainted { CheckResult::Unauthentic } else { CheckResult::TimedOut });
            pair.drop_expired(now);
            let id = pair.id;
            let abandoned = concluded && pair.state == PairState::InProgress && pair.checks().next().is_none();
            if let Some(result) = result {
                self.fail(id, result);
            }
            if abandoned {
                self.session.checklist.pairs.remove(index);
            } else {
                index += 1;
            }
        }
    }
}
