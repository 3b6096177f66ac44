//! The agent: what the application calls.

use core::time::Duration;
use std::collections::VecDeque;

use weft_core::{Datagram, Frame, Instant, Layer, Path, Rng, Transport};
use weft_stun::{IntegrityKey, Message};

use crate::candidate::{COMPONENT, Candidate, CandidateKind, LocalCandidate, Locals, check_address, same};
use crate::config::Config;
use crate::credentials::Credentials;
use crate::error::{CandidateError, Error};
use crate::event::{Event, IceState, PairInfo, Role};
use crate::pace::Bucket;
use crate::pair::{Pair, PairId};
use crate::session::{InUse, Previous, Remote, Session};
use crate::stats::Stats;
use crate::wire::Response;

/// Triggered checks that may leave at once, before they are paced.
const TRIGGERED_BURST: u32 = 8;
/// The closest pace of all checks (RFC 8445 section 14.2).
const TRIGGERED_PERIOD: Duration = Duration::from_millis(5);

/// An ICE agent for one data stream with one component. See the [crate's documentation](crate).
#[derive(Debug)]
pub struct Agent {
    pub(crate) config: Config,
    pub(crate) rng: Rng,
    pub(crate) role: Role,
    pub(crate) tie_breaker: u64,
    pub(crate) state: IceState,
    /// Consent was lost: nothing is sent before a restart.
    pub(crate) mute: bool,
    pub(crate) locals: Locals,
    pub(crate) locals_ended: bool,
    pub(crate) session: Session,
    pub(crate) previous: Option<Previous>,
    pub(crate) responses: VecDeque<(Response, ResponseKey)>,
    pub(crate) events: VecDeque<Event>,
    pub(crate) announced: Option<(Path, bool)>,
    pub(crate) stats: Stats,
    pub(crate) next_ordinary: Instant,
    pub(crate) triggered_pace: Bucket,
    pub(crate) unauthenticated_pace: Bucket,
    pub(crate) last_heard: Instant,
    pub(crate) deadline: Option<Instant>,
}

/// What protects a response.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ResponseKey {
    /// Nothing: the request was not authenticated.
    None,
    /// The password of this session.
    Current,
    /// The password before the restart.
    Previous,
}

impl Agent {
    /// An agent in `role`, which is that of the signalling: who offers is controlling (RFC 8445 section 6.1.1). It draws its
    /// credentials from `rng`, which must be seeded from the system's entropy.
    pub fn new(config: Config, role: Role, mut rng: Rng) -> Self {
        let config = config.bounded();
        let session = Session::new(&config, Credentials::random(&mut rng));
        let per_error = Duration::from_secs(1) / config.max_unauthenticated_errors.max(1);
        Self {
            role: if config.lite { Role::Controlled } else { role },
            tie_breaker: rng.u64(),
            state: IceState::New,
            mute: false,
            locals: Locals::default(),
            locals_ended: false,
            session,
            previous: None,
            responses: VecDeque::new(),
            events: VecDeque::new(),
            announced: None,
            stats: Stats::default(),
            next_ordinary: Instant::ORIGIN,
            triggered_pace: Bucket::new(TRIGGERED_BURST, TRIGGERED_PERIOD),
            unauthenticated_pace: Bucket::new(config.max_unauthenticated_errors, per_error),
            last_heard: Instant::ORIGIN,
            deadline: None,
            config,
            rng,
        }
    }

    /// Our username fragment and password, for the description.
    pub fn local_credentials(&self) -> &Credentials {
        &self.session.credentials
    }

    /// Takes the peer's username fragment and password: checks begin. The same ones again change nothing; others mean
    /// that the peer has restarted, so call [`restart`](Self::restart) first.
    pub fn set_remote_credentials(&mut self, now: Instant, credentials: &Credentials) {
        let known = self.session.remote.as_ref().is_some_and(|remote| remote.ufrag == credentials.ufrag());
        if known || self.state == IceState::Closed {
            return;
        }
        self.session.remote = Some(Remote {
            ufrag: credentials.ufrag().to_owned(),
            key: IntegrityKey::short_term(credentials.pwd()),
            username: format!("{}:{}", credentials.ufrag(), self.session.credentials.ufrag()),
        });
        self.session.patience_ends = Some(now + self.config.patience);
        self.next_ordinary = now;
        for early in core::mem::take(&mut self.session.early) {
            if early.ufrag == credentials.ufrag() {
                self.on_check(now, early.path, early.priority, early.use_candidate);
            }
        }
        self.settle(now);
    }

    /// Takes in a candidate of ours and returns it as it is to be signalled; `None` if it is redundant
    /// (RFC 8445 section 5.1.3). A peer must be told before checks may go out from it (RFC 8838 section 10), so add it when
    /// it is signalled.
    pub fn add_local_candidate(
        &mut self,
        now: Instant,
        candidate: LocalCandidate,
    ) -> Result<Option<&Candidate>, CandidateError> {
        if self.state == IceState::Closed {
            return Err(CandidateError::Closed);
        }
        check_address(candidate.address)?;
        check_address(candidate.base)?;
        if self.locals.list.len() >= self.config.max_local_candidates {
            return Err(CandidateError::TooMany);
        }
        let Some(index) = self.locals.add(candidate) else { return Ok(None) };
        for remote in 0..self.session.remotes.len() {
            self.pair_up(index, remote);
        }
        self.settle(now);
        Ok(self.locals.get(index).map(|local| &local.candidate))
    }

    /// Takes in a candidate of the peer. Ignored without an error are duplicates, components other than 1, transports
    /// other than UDP, and whatever comes after the end of candidates (RFC 8838 section 14).
    pub fn add_remote_candidate(&mut self, now: Instant, candidate: Candidate) -> Result<(), CandidateError> {
        if self.state == IceState::Closed {
            return Err(CandidateError::Closed);
        }
        if candidate.component != COMPONENT || candidate.transport != Transport::Udp || self.session.remote_ended {
            return Ok(());
        }
        check_address(candidate.address)?;
        if candidate.priority == 0 || candidate.priority > i32::MAX as u32 {
            return Err(CandidateError::Priority);
        }
        let known = self.session.remotes.iter().position(|remote| same(remote.address, candidate.address));
        let index = match known {
            Some(index) => {
                if !self.upgrade_peer_reflexive(index, candidate) {
                    return Ok(());
                }
                index
            }
            None if self.session.remotes.len() >= self.config.max_remote_candidates => {
                self.stats.discarded += 1;
                return Err(CandidateError::TooMany);
            }
            None => {
                self.session.remotes.push(candidate);
                self.session.remotes.len() - 1
            }
        };
        for local in 0..self.locals.list.len() {
            self.pair_up(local, index);
        }
        if self.session.patience_ends.is_some() {
            self.session.patience_ends = Some(now + self.config.patience);
        }
        self.settle(now);
        Ok(())
    }

    /// A candidate known from the peer's checks is now signalled: it takes on what the signal says
    /// (RFC 8838 section 11, 4.A). False if it was signalled before.
    fn upgrade_peer_reflexive(&mut self, index: usize, candidate: Candidate) -> bool {
        let Some(known) = self.session.remotes.get_mut(index) else { return false };
        if known.kind != CandidateKind::PeerReflexive {
            return false;
        }
        *known = candidate;
        self.session.checklist.reprioritise(self.role, &self.locals, &self.session.remotes);
        true
    }

    /// No more local candidates will be added.
    pub fn end_of_local_candidates(&mut self, now: Instant) {
        self.locals_ended = true;
        self.settle(now);
    }

    /// The peer has signalled that it has no more candidates.
    pub fn end_of_remote_candidates(&mut self, now: Instant) {
        self.session.remote_ended = true;
        self.settle(now);
    }

    /// Our role.
    pub fn role(&self) -> Role {
        self.role
    }

    /// Takes another role, as signalling decides it. A lite agent stays controlled.
    pub fn set_role(&mut self, now: Instant, role: Role) {
        if self.role != role && !self.config.lite {
            self.switch_role();
            self.settle(now);
        }
    }

    /// Restarts (RFC 8445 section 9): new credentials, which are returned, and everything of the peer forgotten. Data keeps
    /// flowing on the pair in use, with consent, until the new session has one. Local candidates stay.
    pub fn restart(&mut self, now: Instant) -> &Credentials {
        let credentials = Credentials::random(&mut self.rng);
        self.restart_with(now, credentials);
        &self.session.credentials
    }

    /// As [`restart`](Self::restart), with credentials that were drawn before ([`Credentials::random`]): an offer that may
    /// be taken back announces them first, and the restart follows its answer. With the credentials of this session only the
    /// peer is forgotten: another one answers the same offer.
    pub fn restart_with(&mut self, now: Instant, credentials: Credentials) {
        if self.state == IceState::Closed {
            return;
        }
        let in_use = self.in_use();
        self.locals.flush_peer_reflexive();
        let old = core::mem::replace(&mut self.session, Session::new(&self.config, credentials));
        let in_use = in_use.zip(old.remote).map(|((info, priority, consent_expires), remote)| InUse {
            remote,
            info,
            priority,
            consent: old.consent,
            consent_expires,
        });
        // Restarted twice before the first was answered: what still carries data stays.
        let carried = self.previous.take().and_then(|previous| previous.in_use);
        let in_use = in_use.or(carried).filter(|_| !self.mute);
        self.previous = Some(Previous { credentials: old.credentials, key: old.key, in_use });
        self.responses.clear();
        self.mute = false;
        self.announced = None;
        self.settle(now);
    }

    /// The pair in use, for a restart.
    fn in_use(&self) -> Option<(PairInfo, u32, Instant)> {
        let pair = self.selected()?;
        Some((self.info(pair)?, self.check_priority(pair), pair.consent_expires))
    }

    /// Where to send data now: by the nominated pair, or while there is none by the best valid one
    /// (RFC 8445 section 12.1); after a restart by the pair of the session before. `None` without consent.
    pub fn selected_path(&self) -> Option<Path> {
        self.selected().map(|pair| pair.path).or_else(|| self.previous_in_use().map(|in_use| in_use.info.path))
    }

    /// The pair of [`selected_path`](Self::selected_path).
    pub fn selected_pair(&self) -> Option<PairInfo> {
        self.selected().and_then(|pair| self.info(pair)).or_else(|| self.previous_in_use().map(|in_use| in_use.info))
    }

    /// The smoothed round trip time of the pair in use.
    pub fn rtt(&self) -> Option<Duration> {
        self.selected_pair()?.rtt
    }

    /// The state.
    pub fn state(&self) -> IceState {
        self.state
    }

    /// Whether an authenticated check or response has come by `path`. Nothing else that comes by a path is to be acted on
    /// before.
    pub fn is_validated(&self, path: &Path) -> bool {
        self.selected().is_some_and(|pair| pair.path == *path)
            || self.session.validated.contains(path)
            || self.session.early.iter().any(|early| early.path == *path)
            || self.previous_in_use().is_some_and(|in_use| in_use.info.path == *path)
    }

    /// The counters.
    pub fn stats(&self) -> Stats {
        self.stats
    }

    /// Our candidates, those learnt from the peer's responses included.
    pub fn local_candidates(&self) -> impl Iterator<Item = &Candidate> {
        self.locals.list.iter().map(|local| &local.candidate)
    }

    /// The peer's candidates, those learnt from its checks included.
    pub fn remote_candidates(&self) -> impl Iterator<Item = &Candidate> {
        self.session.remotes.iter()
    }

    /// Ends it: nothing is sent or yielded any more.
    pub fn close(&mut self) {
        self.silence();
        self.previous = None;
        self.set_state(IceState::Closed);
        self.deadline = None;
    }

    /// Forgets all that would be sent.
    pub(crate) fn silence(&mut self) {
        self.responses.clear();
        let session = &mut self.session;
        session.checklist = crate::checklist::Checklist::new(self.config.max_pairs);
        session.consent.stop();
        session.validated.clear();
        session.early.clear();
        (session.selected, session.chosen, session.first_valid) = (None, None, None);
        self.announced = None;
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.mute || self.state == IceState::Closed
    }

    pub(crate) fn selected(&self) -> Option<&Pair> {
        self.session.checklist.get(self.session.selected?)
    }

    pub(crate) fn previous_in_use(&self) -> Option<&InUse> {
        self.previous.as_ref()?.in_use.as_ref()
    }

    pub(crate) fn info(&self, pair: &Pair) -> Option<PairInfo> {
        let local = self.locals.get(pair.valid.unwrap_or(pair.local))?;
        Some(PairInfo {
            local: local.candidate,
            remote: *self.session.remotes.get(pair.remote)?,
            path: pair.path,
            nominated: pair.nominated,
            rtt: pair.rto.smoothed(),
        })
    }

    pub(crate) fn pair_up(&mut self, local: usize, remote: usize) -> Option<PairId> {
        let Session { checklist, remotes, .. } = &mut self.session;
        checklist.form(self.role, &self.locals, remotes, local, remote)
    }

    #[allow(clippy::large_types_passed_by_value)] // it is moved into the queue
    pub(crate) fn emit(&mut self, event: Event) {
        tracing::debug!(?event);
        if self.events.len() < self.config.max_events {
            self.events.push_back(event);
        } else {
            self.stats.events_lost += 1;
        }
    }

    pub(crate) fn set_state(&mut self, state: IceState) {
        if self.state != state {
            self.state = state;
            self.emit(Event::State(state));
        }
    }

    /// After whatever changed something: nominate, select, find the state, set the alarm.
    pub(crate) fn settle(&mut self, now: Instant) {
        self.consider_nomination(now);
        self.update_selection(now);
        self.update_state(now);
        self.deadline = self.next_deadline(now);
    }
}

impl Layer for Agent {
    type Input<'d> = Datagram<'d>;
    /// What is not STUN, if its path is validated.
    type Yield<'s> = Option<Datagram<'s>>;
    type Route = Path;
    type Event = Event;
    type Error = Error;

    fn handle_input<'s>(&'s mut self, now: Instant, input: Datagram<'s>) -> Result<Option<Datagram<'s>>, Error> {
        if self.is_dead() {
            return Ok(None);
        }
        if Message::claims(input.payload) {
            self.handle_stun(now, input.path, input.payload);
            return Ok(None);
        }
        if !self.is_validated(&input.path) {
            self.stats.unvalidated += 1;
            return Ok(None);
        }
        self.heard(now);
        Ok(Some(input))
    }

    fn handle_timeout(&mut self, now: Instant) -> Result<(), Error> {
        if !self.is_dead() && self.deadline.is_some_and(|at| at <= now) {
            self.expire_checks(now);
            self.expire_consent(now);
            self.settle(now);
        }
        Ok(())
    }

    fn poll_transmit(&mut self, now: Instant, frame: &mut Frame<'_>) -> Option<Path> {
        if self.is_dead() {
            return None;
        }
        if let Some(path) = self.transmit_response(frame) {
            return Some(path);
        }
        if self.deadline.is_none_or(|at| at > now) {
            return None;
        }
        let sent = self.transmit_consent(now, frame).or_else(|| self.transmit_check(now, frame));
        self.deadline = self.next_deadline(now);
        sent
    }

    fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        if self.responses.is_empty() { self.deadline } else { Some(Instant::ORIGIN) }
    }
}
