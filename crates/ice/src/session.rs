//! What an ICE restart flushes.

use core::time::Duration;
use std::collections::VecDeque;

use weft_core::{Instant, Path, Rng};
use weft_stun::{IntegrityKey, TransactionId};

use crate::candidate::{Candidate, CandidateKind, same};
use crate::checklist::Checklist;
use crate::config::Config;
use crate::credentials::Credentials;
use crate::event::{PairInfo, RestartReason, Role};
use crate::pair::{PairId, PairState};
use crate::server::Nominates;

/// The peer's side of the credentials, ready for use.
#[derive(Debug)]
pub(crate) struct Remote {
    pub(crate) key: IntegrityKey,
    /// `RFRAG:LFRAG`, the USERNAME of our checks.
    pub(crate) username: Box<str>,
    /// How long the first of them is.
    pub(crate) ufrag_len: usize,
}

impl Remote {
    #[inline]
    pub(crate) fn ufrag(&self) -> &str {
        self.username.get(..self.ufrag_len).unwrap_or_default()
    }
}

/// A check that came before the peer's description did (RFC 8445 section 7.3).
#[derive(Debug)]
pub(crate) struct Early {
    pub(crate) path: Path,
    pub(crate) ufrag: String,
    pub(crate) priority: u32,
    pub(crate) nominates: Nominates,
}

/// Everything between two restarts.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) credentials: Credentials,
    pub(crate) key: IntegrityKey,
    pub(crate) remote: Option<Remote>,
    pub(crate) remotes: Vec<Candidate>,
    pub(crate) remote_ended: bool,
    pub(crate) checklist: Checklist,
    pub(crate) early: Vec<Early>,
    /// Paths that an authenticated check or response came by.
    pub(crate) validated: Vec<Path>,
    /// Until then nothing fails (RFC 8863).
    pub(crate) patience_ends: Option<Instant>,
    pub(crate) first_valid: Option<Instant>,
    /// The pair data takes.
    pub(crate) selected: Option<PairId>,
    /// The controlling side's choice, from the check with USE-CANDIDATE on.
    pub(crate) chosen: Option<PairId>,
    pub(crate) consent: Consent,
    /// The highest NOMINATION sent or taken so far.
    pub(crate) nomination: u32,
    /// Since the pair in use was lost: when a restart is asked for, and why.
    pub(crate) lost: Option<(Instant, RestartReason)>,
    /// The better pair that was told of last.
    pub(crate) better: Option<PairId>,
}

impl Session {
    pub(crate) fn new(config: &Config, credentials: Credentials) -> Self {
        Self {
            key: IntegrityKey::short_term(credentials.pwd()),
            credentials,
            remote: None,
            remotes: Vec::new(),
            remote_ended: false,
            checklist: Checklist::new(config.max_pairs),
            early: Vec::new(),
            validated: Vec::new(),
            patience_ends: None,
            first_valid: None,
            selected: None,
            chosen: None,
            consent: Consent::default(),
            nomination: 0,
            lost: None,
            better: None,
        }
    }

    pub(crate) fn shrink_to_fit(&mut self) {
        self.remotes.shrink_to_fit();
        self.early.shrink_to_fit();
        self.validated.shrink_to_fit();
        self.checklist.shrink_to_fit();
        self.consent.outstanding.reserve_exact(1);
        self.consent.outstanding.shrink_to(1);
    }

    /// Index of the remote candidate with this address.
    pub(crate) fn find_remote(&self, path: &Path) -> Option<usize> {
        self.remotes.iter().position(|remote| remote.transport == path.transport && same(remote.address, path.remote))
    }

    /// Room for a remote candidate where there is none: that of a peer-reflexive one which no pair works or may still work with.
    /// Translators that give every check another port bring forth such without end.
    pub(crate) fn recycle_remote(&mut self) -> Option<usize> {
        let pairs = &self.checklist.pairs;
        let is_used = |index| pairs.iter().any(|pair| pair.remote == index && pair.state != PairState::Failed);
        let mut remotes = self.remotes.iter().enumerate();
        let (index, _) =
            remotes.find(|(index, remote)| remote.kind == CandidateKind::PeerReflexive && !is_used(*index))?;
        self.checklist.forget_remote(index);
        Some(index)
    }

    /// Notes that something authenticated came by `path`. Bounded: the oldest that is not in use gives way.
    pub(crate) fn validate(&mut self, path: Path, max: usize) {
        if self.validated.contains(&path) {
            return;
        }
        if self.validated.len() >= max {
            let used = self.selected.and_then(|id| self.checklist.get(id)).map(|pair| pair.path);
            if let Some(oldest) = self.validated.iter().position(|path| Some(*path) != used) {
                self.validated.remove(oldest);
            }
        }
        self.validated.push(path);
    }
}

/// A consent check that may still be answered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outstanding {
    pub(crate) id: TransactionId,
    pub(crate) sent: Instant,
    /// The role it was sent in.
    pub(crate) role: Role,
}

/// Consent checks on the pair in use (RFC 7675 section 5.1).
#[derive(Debug, Default)]
pub(crate) struct Consent {
    /// When the next check is due.
    pub(crate) next: Option<Instant>,
    /// From when on it may leave beside a response.
    rides_from: Option<Instant>,
    /// Checks that may still be answered, oldest first.
    pub(crate) outstanding: VecDeque<Outstanding>,
}

impl Consent {
    /// As many as fit between the last response and expiry, at the shortest period.
    pub(crate) const MAX_OUTSTANDING: usize = 8;

    /// Agents that share a clock send the checks of so long together: thousands of them wake a machine that often and no more.
    const TICK: Duration = Duration::from_millis(50);

    /// Sets the next check: the basic period times 1.0 to 1.2, drawn anew each time, in whole ticks of the clock; a fifth of the
    /// period sooner if a check of the peer comes then. All intervals are so random, and 0.8 to 1.2 times the period.
    pub(crate) fn schedule(&mut self, now: Instant, config: &Config, rng: &mut Rng) {
        let window = config.consent_interval.mul_f64(0.2);
        let drawn = window.saturating_sub(Self::TICK).mul_f64(rng.unit());
        self.rides_from = Some(now + config.consent_interval.saturating_sub(window) + drawn);
        self.next = Some((now + config.consent_interval + drawn).round_up(Self::TICK));
    }

    /// A response is about to be sent on the pair: a check that may leave now does, in the same call and with one wake-up of
    /// either side.
    pub(crate) fn ride(&mut self, now: Instant) {
        if self.rides_from.is_some_and(|from| from <= now) {
            self.next = self.next.map(|at| at.min(now));
        }
    }

    /// A check was sent.
    pub(crate) fn on_sent(&mut self, check: Outstanding) {
        if self.outstanding.len() >= Self::MAX_OUTSTANDING {
            self.outstanding.pop_front();
        }
        self.outstanding.push_back(check);
    }

    /// Takes the check that `id` answers, and those before it.
    pub(crate) fn answered(&mut self, id: TransactionId) -> Option<Outstanding> {
        let index = self.outstanding.iter().position(|check| check.id == id)?;
        self.outstanding.drain(..=index).next_back()
    }

    /// Puts everything to rest.
    pub(crate) fn stop(&mut self) {
        self.next = None;
        self.outstanding.clear();
    }
}

/// The session before a restart: it carries data until the new one has a pair (RFC 8445 section 9).
#[derive(Debug)]
pub(crate) struct Previous {
    pub(crate) credentials: Credentials,
    pub(crate) key: IntegrityKey,
    /// What was in use, if anything.
    pub(crate) in_use: Option<InUse>,
    /// The path that was in use, also when it no longer is.
    pub(crate) path: Option<Path>,
}

impl Previous {
    /// Whether a check for the username fragment `ours` is one of this session that has an answer still: consent of the pair
    /// that was in use, if any was (RFC 8445 section 12.1, RFC 7675 section 5.1). On another path a peer that has not seen our
    /// new description yet would find a pair that works, whose data we do not take, and may never check it anew.
    pub(crate) fn is_for(&self, ours: &str, path: &Path) -> bool {
        ours == self.credentials.ufrag() && self.path == Some(*path)
    }
}

/// The pair of the session before.
#[derive(Debug)]
pub(crate) struct InUse {
    pub(crate) remote: Remote,
    pub(crate) info: PairInfo,
    pub(crate) priority: u32,
    pub(crate) consent: Consent,
    pub(crate) consent_expires: Instant,
}
