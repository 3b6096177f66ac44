//! Nomination, the pair in use, and the state: RFC 8445 sections 8 and 12, RFC 8863.

use weft_core::{Instant, Path};

use crate::agent::Agent;
use crate::candidate::CandidateKind;
use crate::event::{Event, FailureReason, IceState, RestartReason, Role};
use crate::pair::{Pair, PairId, PairState, pair_priority};

impl Agent {
    /// Whether a pair is nominated: ordinary checks are over.
    pub(crate) fn is_concluded(&self) -> bool {
        self.session.checklist.pairs.iter().any(|pair| pair.nominated && !pair.suspect)
    }

    /// The priority of a pair on the valid list (RFC 8445 section 7.2.5.3.2); `None` if it is not on it, or has no consent.
    fn valid_priority(&self, pair: &Pair, now: Instant) -> Option<u64> {
        let local = self.locals.get(pair.valid?)?.candidate.priority;
        let remote = self.session.remotes.get(pair.remote)?.priority;
        (pair.consent_expires > now).then(|| pair_priority(self.role, local, remote))
    }

    fn best_valid(&self, now: Instant, nominated: bool) -> Option<&Pair> {
        let wanted = |pair: &&Pair| !nominated || pair.nominated && !pair.suspect;
        let pairs = self.session.checklist.pairs.iter().filter(wanted);
        // One that may have died is better than nothing. Of nominated ones the last counts, if they are told apart.
        let rank = |pair: &Pair| {
            Some((!pair.suspect, if nominated { pair.nomination } else { 0 }, self.valid_priority(pair, now)?))
        };
        pairs.filter_map(|pair| Some((rank(pair)?, pair))).max_by_key(|(rank, _)| *rank).map(|(_, pair)| pair)
    }

    /// What a pair has to be better than to be checked still: the nominated one, if there is one.
    pub(crate) fn floor(&self) -> u64 {
        let nominated = self.session.checklist.pairs.iter().filter(|pair| pair.nominated && !pair.suspect);
        nominated.map(|pair| pair.priority).max().unwrap_or(0)
    }

    /// The NOMINATION for a check that nominates, where the peer understands it.
    pub(crate) fn next_nomination(&self) -> Option<u32> {
        let agreed = self.config.renomination && self.remote_renomination;
        // 24 bits (draft-thatcher-ice-renomination-01 section 2).
        agreed.then(|| (self.session.nomination + 1).min(0x00FF_FFFF))
    }

    /// A better pair than the nominated one has come to work: the controlling side moves to it where the peer knows
    /// renomination, and else tells of it (RFC 8445 section 8.1.1 lets only a restart change the nomination).
    pub(crate) fn consider_better(&mut self, now: Instant) {
        if self.role != Role::Controlling || self.config.lite || !self.is_concluded() {
            return;
        }
        let valid = |pair: &Pair| self.valid_priority(pair, now).filter(|_| !pair.suspect);
        let Some(current) = self.selected().filter(|pair| pair.nominated).and_then(valid) else { return };
        let Some((id, info)) = self.best_valid(now, false).and_then(|best| {
            let better = valid(best)? > current && !best.nominated && !best.nominate;
            let new = self.session.better != Some(best.id);
            (better && new).then(|| (best.id, self.info(best)))
        }) else {
            return;
        };
        self.session.better = Some(id);
        if self.next_nomination().is_some() {
            self.choose(id);
        } else if let Some(info) = info {
            self.emit(Event::BetterPair(info));
        }
    }

    /// Whether data by this pair goes through a relay of either side.
    fn is_relayed(&self, pair: &Pair) -> bool {
        let local = self.locals.get(pair.local).map(|local| local.candidate.kind);
        let remote = self.session.remotes.get(pair.remote).map(|remote| remote.kind);
        local == Some(CandidateKind::Relayed) || remote == Some(CandidateKind::Relayed)
    }

    /// The controlling side's choice: its next check says so.
    fn choose(&mut self, id: PairId) {
        self.session.chosen = Some(id);
        if let Some(pair) = self.session.checklist.get_mut(id) {
            pair.nominate = true;
        }
        self.session.checklist.trigger(id);
    }

    /// The controlling side picks a pair (RFC 8445 section 8.1.1): at once if no better one can come of the checklist as it
    /// is, else when it has waited for that a little.
    pub(crate) fn consider_nomination(&mut self, now: Instant) {
        if self.role != Role::Controlling || self.session.chosen.is_some() || self.is_concluded() {
            return;
        }
        let Some(first_valid) = self.session.first_valid else { return };
        let Some(best) = self.best_valid(now, false).filter(|best| !best.suspect) else { return };
        let mut better =
            self.session.checklist.pairs.iter().filter(|pair| pair.is_open() && pair.priority > best.priority);
        let wait = if self.is_relayed(best) && better.clone().any(|pair| !self.is_relayed(pair)) {
            self.config.relay_nomination_wait.max(self.config.nomination_wait)
        } else {
            self.config.nomination_wait
        };
        if better.next().is_some() && now < first_valid + wait {
            return;
        }
        let id = best.id;
        self.choose(id);
    }

    /// A pair is nominated (RFC 8445 sections 7.2.5.3.4 and 7.3.1.5).
    pub(crate) fn nominate(&mut self, now: Instant, id: PairId) {
        let renominates = self.session.checklist.get(id).is_some_and(|pair| pair.nomination > self.session.nomination);
        // The peer leaves a pair that has died; of several nominated ones the best would win otherwise. So it does if the
        // nominations are not told apart by a counter.
        let moves = renominates || self.role == Role::Controlling || self.is_silent(now);
        for old in self.session.checklist.pairs.iter_mut().filter(|old| old.id != id && moves) {
            old.nominated = false;
        }
        let first = !self.is_concluded();
        if let Some(pair) = self.session.checklist.get_mut(id) {
            (pair.nominated, pair.nominate) = (true, false);
            self.session.nomination = self.session.nomination.max(pair.nomination);
        }
        if first {
            self.session.checklist.conclude(id);
        }
    }

    /// A lite agent takes every pair the peer checks as valid (RFC 8445 section 7.3.2).
    pub(crate) fn accept_as_lite(&mut self, now: Instant, id: PairId) {
        let expires = now + self.config.consent_timeout;
        if let Some(pair) = self.session.checklist.get_mut(id) {
            pair.state = PairState::Succeeded;
            pair.valid = Some(pair.local);
            pair.consent_expires = expires;
        }
        self.session.first_valid.get_or_insert(now);
    }

    /// Which pair carries data: of the nominated ones the best (RFC 8445 section 8.1.1), or of all valid ones the best.
    pub(crate) fn update_selection(&mut self, now: Instant) {
        if self.is_dead() {
            return;
        }
        let best = self.best_valid(now, true).or_else(|| self.best_valid(now, false)).map(|pair| pair.id);
        if best != self.session.selected {
            let lost = best.is_none();
            self.session.selected = best;
            self.session.consent.stop();
            if best.is_some() {
                self.session.consent.schedule(now, &self.config, &mut self.seed.rng());
                // The new session has a pair: the old one has served.
                if let Some(previous) = &mut self.previous {
                    previous.in_use = None;
                }
                self.last_heard = self.last_heard.max(now);
                (self.owed_since, self.last_data, self.peer_uses_pair) = (None, None, false);
            }
            if lost {
                self.look_for_another(now, RestartReason::PathDead);
            }
        }
        if self.selected().is_some_and(|pair| !pair.suspect) {
            self.session.lost = None;
        }
        if let Some(path) = self.selected().map(|pair| pair.path) {
            self.bind_channel(now, &path);
        }
        let Some(pair) = self.selected() else { return };
        let announce = (pair.path, pair.nominated);
        if self.announced != Some(announce) {
            let info = self.info(pair);
            self.announced = Some(announce);
            if let Some(info) = info {
                self.emit(Event::SelectedPair(info));
            }
        }
    }

    /// Something authentic, or data by a validated path, has come from the peer. What comes another way than it is sent says
    /// nothing of the way it is sent.
    pub(crate) fn heard(&mut self, now: Instant, path: &Path) {
        self.last_heard = now;
        if self.selected().is_none_or(|pair| pair.path == *path) {
            self.owed_since = None;
        }
        if self.state == IceState::Disconnected {
            self.update_state(now);
            self.deadline = self.next_deadline(now);
        }
    }

    /// Finds the state.
    pub(crate) fn update_state(&mut self, now: Instant) {
        if self.is_dead() {
            return;
        }
        let selected = self.selected().map(|pair| pair.nominated);
        let in_use = selected.is_some() || self.previous_in_use().is_some();
        let state = if in_use && now - self.last_heard >= self.config.disconnected_after {
            IceState::Disconnected
        } else if selected == Some(true) && self.is_gathering_complete() && self.session.remote_ended {
            IceState::Completed
        } else if in_use {
            IceState::Connected
        } else if self.session.remote.is_none() {
            IceState::New
        } else if self.has_failed(now) {
            IceState::Failed
        } else {
            IceState::Checking
        };
        if state == IceState::Failed && self.state != IceState::Failed {
            let nothing = self.session.checklist.pairs.is_empty();
            let reason = if nothing { FailureReason::NoPairs } else { FailureReason::ChecksFailed };
            self.emit(Event::Failed(reason));
        }
        self.set_state(state);
    }

    /// All checks have failed, and patience is at its end (RFC 8863 section 4). Without an end of candidates it counts from
    /// the last candidate (RFC 8863 section 5).
    fn has_failed(&self, now: Instant) -> bool {
        let patient = self.session.patience_ends.is_none_or(|ends| now < ends);
        !patient && (self.config.lite || !self.session.checklist.pairs.iter().any(Pair::is_open))
    }

    /// When something is due next.
    pub(crate) fn next_deadline(&self, now: Instant) -> Option<Instant> {
        if self.is_dead() {
            return None;
        }
        let session = &self.session;
        let checks = session.checklist.pairs.iter().flat_map(Pair::checks).map(|check| check.transaction.deadline());
        let can_check = session.remote.is_some() && !self.config.lite;
        let triggered = (can_check && session.checklist.has_triggered()).then(|| self.triggered_pace.ready_at());
        let ordinary = (can_check && session.checklist.has_ordinary(self.floor())).then_some(self.next_ordinary);
        let nomination = session
            .first_valid
            .filter(|_| self.role == Role::Controlling && session.chosen.is_none() && !self.is_concluded());
        let selected = self.selected().map(|pair| pair.consent_expires);
        let previous = self.previous_in_use();
        let in_use = selected.is_some() || previous.is_some();
        let silence =
            (in_use && self.state != IceState::Disconnected).then(|| self.last_heard + self.config.disconnected_after);
        let patience = session.patience_ends.filter(|ends| !in_use && *ends > now);
        checks
            .chain(triggered)
            .chain(ordinary)
            .chain(nomination.map(|first| first + self.config.nomination_wait).filter(|at| *at > now))
            .chain(nomination.map(|first| first + self.config.relay_nomination_wait).filter(|at| *at > now))
            .chain(selected)
            .chain(self.doubt_at().filter(|at| *at > now))
            .chain(session.consent.next.filter(|_| !self.config.lite))
            .chain(previous.map(|in_use| in_use.consent_expires))
            .chain(previous.and_then(|in_use| in_use.consent.next))
            .chain(silence)
            .chain(patience)
            .chain(self.gathering_deadline())
            .chain(self.watch_deadline())
            .min()
    }
}
