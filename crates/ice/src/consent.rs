//! Consent freshness: RFC 7675 section 5.

use core::time::Duration;

use weft_core::{Frame, Instant, Path};
use weft_stun::{Class, ErrorCode, Integrity, IntegrityKey, Message, TransactionId};

use crate::agent::Agent;
use crate::candidate::same;
use crate::event::{Event, FailureReason, IceState, Role};
use crate::session::{Consent, Outstanding, Remote};
use crate::wire::Request;

/// A consent check without an answer for so long counts as lost.
const OVERDUE: Duration = Duration::from_secs(1);

impl Agent {
    /// Writes a consent check if one is due: with the selected pair, or after a restart with the one before.
    pub(crate) fn transmit_consent(&mut self, now: Instant, frame: &mut Frame<'_>) -> Option<Path> {
        if self.config.lite {
            return None;
        }
        let (role, tie_breaker) = (self.role, self.tie_breaker);
        if self.session.consent.next.is_some_and(|at| at <= now) {
            let mut rng = self.seed.rng();
            let id = TransactionId::random(&mut rng);
            let selected = self.session.selected?;
            let pair = self.session.checklist.get(selected)?;
            let (path, priority) = (pair.path, self.check_priority(pair));
            let remote = self.session.remote.as_ref()?;
            // A peer that did not take the nomination for one sends no data, and would wait for ever.
            let nominates = role == Role::Controlling && pair.nominated && !self.peer_uses_pair;
            let sent = write(id, remote, (role, tie_breaker), priority, nominates, frame);
            self.session.consent.on_sent(Outstanding { id, sent: now, role });
            self.session.consent.schedule(now, &self.config, &mut rng);
            self.stats.consent_sent += 1;
            self.owed_since.get_or_insert(now);
            if let Some(pair) = self.session.checklist.get_mut(selected) {
                pair.counts.consent_requests_sent += 1;
            }
            return sent.then_some(path);
        }
        let in_use = self.previous.as_mut()?.in_use.as_mut()?;
        if in_use.consent.next.is_some_and(|at| at <= now) {
            let mut rng = self.seed.rng();
            let id = TransactionId::random(&mut rng);
            let sent = write(id, &in_use.remote, (role, tie_breaker), in_use.priority, false, frame);
            in_use.consent.on_sent(Outstanding { id, sent: now, role });
            in_use.consent.schedule(now, &self.config, &mut rng);
            self.stats.consent_sent += 1;
            return sent.then_some(in_use.info.path);
        }
        None
    }

    /// Whether `message` answers a consent check, and is authentic.
    pub(crate) fn on_consent_response(&mut self, now: Instant, path: Path, message: &Message<'_>) -> bool {
        let expires = now + self.config.consent_timeout;
        let authentic = |key: &IntegrityKey| message.check_integrity(key) == Integrity::Sha1;
        let is_of = |consent: &Consent| consent.outstanding.iter().any(|check| check.id == message.transaction_id());
        let by = |of: Path| same(of.local, path.local) && same(of.remote, path.remote);

        if is_of(&self.session.consent) {
            let Some(pair) = self.session.selected.and_then(|id| self.session.checklist.get_mut(id)) else {
                return false;
            };
            if !by(pair.path) || !self.session.remote.as_ref().is_some_and(|remote| authentic(&remote.key)) {
                return false;
            }
            let Some(check) = self.session.consent.answered(message.transaction_id()) else { return false };
            pair.counts.responses_received += 1;
            match message.class() {
                Class::Success => {
                    pair.consent_expires = expires;
                    (pair.suspect, pair.probed) = (false, None);
                    pair.answered(now, now - check.sent);
                }
                _ => self.on_consent_error(message, check.role),
            }
            return true;
        }
        let Some(in_use) = self.previous.as_mut().and_then(|previous| previous.in_use.as_mut()) else { return false };
        if !is_of(&in_use.consent) || !by(in_use.info.path) || !authentic(&in_use.remote.key) {
            return false;
        }
        let Some(check) = in_use.consent.answered(message.transaction_id()) else { return false };
        match message.class() {
            Class::Success => in_use.consent_expires = expires,
            _ => self.on_consent_error(message, check.role),
        }
        true
    }

    /// 403 takes consent back (RFC 7675 section 5.2), 487 is a role conflict; other errors are no consent either, but time
    /// will tell.
    fn on_consent_error(&mut self, message: &Message<'_>, role: Role) {
        match message.get::<ErrorCode<'_>>() {
            Ok(Some(code)) if code.code == ErrorCode::FORBIDDEN.code => {
                self.lose_consent(FailureReason::ConsentRevoked);
            }
            Ok(Some(code)) if code.code == ErrorCode::ROLE_CONFLICT.code => self.yield_role(role),
            _ => {}
        }
    }

    /// Consent that was not renewed in time is gone (RFC 7675 section 5.1).
    pub(crate) fn expire_consent(&mut self, now: Instant) {
        if self.selected().is_some_and(|pair| pair.consent_expires <= now) {
            return self.lose_consent(FailureReason::ConsentExpired);
        }
        let in_doubt = self.doubt_at().is_some_and(|at| at <= now);
        if let Some(id) = self.session.selected.filter(|_| in_doubt) {
            self.session.checklist.trigger(id);
        }
        if let Some(previous) = &mut self.previous {
            previous.in_use.take_if(|in_use| in_use.consent_expires <= now);
        }
    }

    /// When half of the time is over without a response, a connectivity check helps: it is sent again when it is lost, as
    /// consent checks are not.
    pub(crate) fn doubt_at(&self) -> Option<Instant> {
        let pair = self.selected().filter(|pair| pair.check.is_none() && !self.config.lite)?;
        Some(pair.consent_expires - self.config.consent_timeout / 2)
    }

    /// Nothing is sent any more with these credentials; only a restart helps.
    fn lose_consent(&mut self, reason: FailureReason) {
        self.silence();
        if let Some(previous) = &mut self.previous {
            previous.in_use = None;
        }
        self.mute = true;
        self.emit(Event::Failed(reason));
        self.set_state(IceState::Failed);
    }

    /// Whether the selected pair may have died: a consent check is overdue, or it is being asked.
    pub(crate) fn is_silent(&self, now: Instant) -> bool {
        self.session.consent.outstanding.front().is_some_and(|check| now - check.sent >= OVERDUE)
            || self.selected().is_some_and(|pair| pair.suspect || pair.probed.is_some())
    }
}

fn write(
    id: TransactionId,
    remote: &Remote,
    (role, tie_breaker): (Role, u64),
    priority: u32,
    use_candidate: bool,
    frame: &mut Frame<'_>,
) -> bool {
    let request = Request {
        id,
        username: &remote.username,
        key: &remote.key,
        role,
        tie_breaker,
        priority,
        use_candidate,
        nomination: None,
    };
    let written = request.write(frame).is_ok();
    if !written {
        frame.truncate(0);
    }
    written
}
