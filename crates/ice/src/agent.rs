//! The agent: what the application calls.

use core::time::Duration;
use std::collections::VecDeque;
use std::sync::Arc;

use weft_core::{Datagram, Frame, Instant, Layer, Overhead, Path, Rng, Seed};
use weft_stun::{IntegrityKey, Message};

use crate::candidate::Candidate;
use crate::config::{Config, Policy};
use crate::credentials::Credentials;
use crate::error::Error;
use crate::event::{Event, IceState, PairInfo, Role};
use crate::gather::Gatherer;
use crate::locals::{Locals, Term};
use crate::pace::Bucket;
use crate::pair::{Pair, PairId};
use crate::session::{InUse, Previous, Remote, Session};
use crate::stats::Stats;
use crate::stream::Stream;
use crate::wire::Response;

/// Triggered checks that may leave at once, before they are paced.
const TRIGGERED_BURST: u32 = 8;
/// The closest pace of all checks (RFC 8445 section 14.2).
const TRIGGERED_PERIOD: Duration = Duration::from_millis(5);

/// Peer-reflexive candidates that may take the place of failed ones at once, when there are as many as may be, and how long until
/// the next.
const RECYCLING_BURST: u32 = 4;
const RECYCLING_PERIOD: Duration = Duration::from_millis(500);

/// An ICE agent for one data stream with one component. See the [crate's documentation](crate).
#[derive(Debug)]
pub struct Agent {
    pub(crate) config: Arc<Config>,
    pub(crate) seed: Seed,
    pub(crate) role: Role,
    pub(crate) tie_breaker: u64,
    pub(crate) state: IceState,
    /// Consent was lost: nothing is sent before a restart.
    pub(crate) mute: bool,
    pub(crate) locals: Locals,
    pub(crate) locals_ended: bool,
    /// Which candidates are gathered now.
    pub(crate) policy: Policy,
    /// Which candidates this session uses.
    pub(crate) session_policy: Policy,
    pub(crate) gatherer: Gatherer,
    pub(crate) streams: Vec<Stream>,
    /// Paths that belong to other agents.
    pub(crate) forbidden: Vec<Path>,
    pub(crate) remote_renomination: bool,
    pub(crate) session: Session,
    pub(crate) previous: Option<Box<Previous>>,
    pub(crate) responses: VecDeque<(Response, ResponseKey)>,
    pub(crate) events: VecDeque<Event>,
    pub(crate) announced: Option<(Path, bool)>,
    pub(crate) stats: Stats,
    pub(crate) next_ordinary: Instant,
    pub(crate) triggered_pace: Bucket,
    pub(crate) unauthenticated_pace: Bucket,
    pub(crate) recycling_pace: Bucket,
    pub(crate) last_heard: Instant,
    /// Since when the peer owes us an answer.
    pub(crate) owed_since: Option<Instant>,
    /// When data came last, if it may be that more was to follow.
    pub(crate) last_data: Option<Instant>,
    /// Data has come from the peer since the pair in use was selected.
    pub(crate) peer_uses_pair: bool,
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
    ///
    /// Many may share their settings: give each a clone of one `Arc<Config>`.
    pub fn new(config: impl Into<Arc<Config>>, role: Role, mut rng: Rng) -> Self {
        let mut config = config.into();
        let bounded = Config::clone(&config).bounded();
        if *config != bounded {
            config = Arc::new(bounded);
        }
        let session = Session::new(&config, Credentials::random(&mut rng));
        let per_error = Duration::from_secs(1) / config.max_unauthenticated_errors.max(1);
        Self {
            role: if config.lite { Role::Controlled } else { role },
            tie_breaker: rng.u64(),
            state: IceState::New,
            mute: false,
            locals: Locals::default(),
            locals_ended: false,
            policy: config.policy,
            session_policy: config.policy,
            gatherer: Gatherer::default(),
            streams: Vec::new(),
            forbidden: Vec::new(),
            remote_renomination: false,
            session,
            previous: None,
            responses: VecDeque::new(),
            events: VecDeque::new(),
            announced: None,
            stats: Stats::default(),
            next_ordinary: Instant::ORIGIN,
            triggered_pace: Bucket::new(TRIGGERED_BURST, TRIGGERED_PERIOD),
            unauthenticated_pace: Bucket::new(config.max_unauthenticated_errors, per_error),
            recycling_pace: Bucket::new(RECYCLING_BURST, RECYCLING_PERIOD),
            last_heard: Instant::ORIGIN,
            owed_since: None,
            last_data: None,
            peer_uses_pair: false,
            deadline: None,
            config,
            seed: Seed::draw(&mut rng),
        }
    }

    /// Our username fragment and password, for the description.
    pub fn local_credentials(&self) -> &Credentials {
        &self.session.credentials
    }

    /// Takes the peer's username fragment and password: checks begin. The same ones again change nothing; others mean
    /// that the peer has restarted, so call [`restart`](Self::restart) first.
    pub fn set_remote_credentials(&mut self, now: Instant, credentials: &Credentials) {
        let known = self.session.remote.as_ref().is_some_and(|remote| remote.ufrag() == credentials.ufrag());
        if known || self.state == IceState::Closed {
            return;
        }
        self.session.remote = Some(Remote {
            key: IntegrityKey::short_term(credentials.pwd()),
            username: format!("{}:{}", credentials.ufrag(), self.session.credentials.ufrag()).into(),
            ufrag_len: credentials.ufrag().len(),
        });
        self.session.patience_ends = Some(now + self.config.patience);
        self.next_ordinary = now;
        for early in core::mem::take(&mut self.session.early) {
            if early.ufrag == credentials.ufrag() {
                self.on_check(now, early.path, early.priority, early.nominates);
            }
        }
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
    /// flowing on the pair in use, with consent, until the new session has one. Local candidates stay, but for those of servers
    /// that are no longer ours and those that the policy rules out ([`set_servers`](Self::set_servers)).
    pub fn restart(&mut self, now: Instant) -> &Credentials {
        self.gather_anew(now);
        let credentials = Credentials::random(&mut self.seed.rng());
        self.restart_with(now, credentials);
        &self.session.credentials
    }

    /// As [`restart`](Self::restart), with credentials that were drawn before ([`Credentials::random`]): an offer that may
    /// be taken back announces them first, with what [`gather_anew`](Self::gather_anew) gives for it, and the restart follows its
    /// answer. With the credentials of this session only the
    /// peer is forgotten: another one answers the same offer.
    pub fn restart_with(&mut self, now: Instant, credentials: Credentials) {
        if self.state == IceState::Closed {
            return;
        }
        let in_use = self.in_use();
        self.renew_permissions(now);
        self.end_terms();
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
        let path = in_use.as_ref().map(|in_use| in_use.info.path);
        self.previous = Some(Box::new(Previous { credentials: old.credentials, key: old.key, in_use, path }));
        self.responses.clear();
        self.gather_again();
        self.mute = false;
        self.announced = None;
        (self.owed_since, self.last_data) = (None, None);
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

    /// The room that [`wrap`](Self::wrap) takes of a frame with data for the peer. It changes with the selected pair.
    pub fn overhead(&self) -> Overhead {
        if self.gatherer.jobs.is_empty() {
            return Overhead::NONE;
        }
        self.selected_path().map_or(Overhead::NONE, |path| self.overhead_of(&path))
    }

    /// Whether [`poll_transmit`](Layer::poll_transmit) may have something to write at `now`; if not, it gives `None`.
    pub fn wants_transmit(&self, now: Instant) -> bool {
        self.state == IceState::Closed || !self.responses.is_empty() || self.deadline.is_some_and(|at| at <= now)
    }

    /// Makes the data in `frame` ready to leave, and gives the way it leaves: the selected path, or if that is relayed the
    /// way to the TURN server, with the data wrapped for it. `None` without a selected path. Data is expected to be
    /// answered: [`on_data_sent`](Self::on_data_sent) is noted.
    pub fn wrap(&mut self, now: Instant, frame: &mut Frame<'_>) -> Option<Path> {
        let path = self.selected_path().filter(|_| !frame.is_empty())?;
        self.on_data_sent(now);
        self.ship(path, frame)
    }

    /// The smoothed round trip time of the pair in use.
    pub fn rtt(&self) -> Option<Duration> {
        self.selected_pair()?.rtt
    }

    /// The state.
    pub fn state(&self) -> IceState {
        self.state
    }

    /// Whether an authenticated check or response has come by `path`, or it leads to a TURN server of ours. Nothing else that
    /// comes by a path is to be acted on before.
    pub fn is_validated(&self, path: &Path) -> bool {
        self.is_from_peer(path) || self.gatherer.is_way_to_relay(path)
    }

    /// Whether an authenticated check or response of the peer has come by `path`.
    fn is_from_peer(&self, path: &Path) -> bool {
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

    /// Ends it: nothing is yielded any more. What is still sent, and timed, gives allocations on TURN servers back; who cannot
    /// wait for that drops the agent.
    pub fn close(&mut self, now: Instant) {
        if self.state == IceState::Closed {
            return;
        }
        self.silence();
        self.previous = None;
        self.release_relays(now);
        self.set_state(IceState::Closed);
        self.expire_farewells(now);
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

    /// Whether our other addresses are left out of what is signalled.
    pub(crate) fn hides(&self) -> bool {
        self.config.hide_addresses || self.policy == Policy::Relay
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.mute || self.state == IceState::Closed
    }

    /// Gives back memory that was needed to find a pair and is not needed to keep it: for who has thousands of agents. All
    /// goes on as before.
    pub fn shrink_to_fit(&mut self) {
        self.locals.shrink_to_fit();
        self.gatherer.shrink_to_fit();
        self.session.shrink_to_fit();
        self.streams.shrink_to_fit();
        self.forbidden.shrink_to_fit();
        // One at a time is what keeping a pair takes.
        self.responses.reserve_exact(1);
        self.responses.shrink_to(1);
        self.events.shrink_to_fit();
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
        if self.locals.get(local)?.term == Term::Waits {
            return None;
        }
        let id = checklist.form(self.role, &self.locals, remotes, local, remote)?;
        if !self.forbidden.is_empty() && checklist.get(id).is_some_and(|pair| self.forbidden.contains(&pair.path)) {
            checklist.remove(id);
            return None;
        }
        Some(id)
    }

    pub(crate) fn emit(&mut self, event: Event) {
        tracing::debug!(?event);
        if matches!(event, Event::Check(..)) && !self.config.report_checks {
            return;
        }
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
        self.consider_better(now);
        self.release_served(now);
        self.close_unused_streams();
        self.announce_gathering();
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
        if self.state == IceState::Closed {
            self.unwrap(now, input);
            self.expire_farewells(now);
            return Ok(None);
        }
        if self.is_dead() {
            return Ok(None);
        }
        let Some(input) = self.unwrap(now, input) else { return Ok(None) };
        if Message::claims(input.payload) {
            self.handle_stun(now, input.path, input.payload);
            return Ok(None);
        }
        // What a TURN server sends that is not TURN is nobody's (RFC 8656 section 12).
        if !self.is_from_peer(&input.path) {
            self.stats.unvalidated += 1;
            return Ok(None);
        }
        self.heard(now, &input.path);
        (self.last_data, self.peer_uses_pair) = (Some(now), true);
        Ok(Some(input))
    }

    fn handle_timeout(&mut self, now: Instant) -> Result<(), Error> {
        if self.state == IceState::Closed {
            self.expire_farewells(now);
        } else if !self.is_dead() && self.deadline.is_some_and(|at| at <= now) {
            self.expire_checks(now);
            self.expire_consent(now);
            self.expire_gathering(now);
            self.watch_path(now);
            self.settle(now);
        }
        Ok(())
    }

    fn poll_transmit(&mut self, now: Instant, frame: &mut Frame<'_>) -> Option<Path> {
        if !self.wants_transmit(now) {
            return None;
        }
        if self.state == IceState::Closed {
            return self.transmit_farewell(now, frame);
        }
        if self.is_dead() {
            return None;
        }
        let due = self.deadline.is_some_and(|at| at <= now);
        // A consent check is longer than a response: before one, both fit one run.
        while let Some(path) =
            due.then(|| self.transmit_consent(now, frame)).flatten().or_else(|| self.transmit_response(frame))
        {
            if let Some(route) = self.ship(path, frame) {
                return Some(route);
            }
            frame.truncate(0);
        }
        if !due {
            return None;
        }
        let sent = loop {
            // First what servers are to be told, so that a permission is asked for before it is used.
            if let Some(route) = self.transmit_gathering(now, frame) {
                break Some(route);
            }
            let Some(path) = self.transmit_check(now, frame) else { break None };
            if let Some(route) = self.ship(path, frame) {
                break Some(route);
            }
            frame.truncate(0);
        };
        self.deadline = self.next_deadline(now);
        sent
    }

    fn poll_event(&mut self) -> Option<Event> {
        let event = self.events.pop_front();
        if self.events.is_empty() && self.events.capacity() > 0 {
            // Events are large, and once a pair is in use there are hardly any.
            self.events = VecDeque::new();
        }
        event
    }

    fn poll_timeout(&self) -> Option<Instant> {
        if self.responses.is_empty() { self.deadline } else { Some(Instant::ORIGIN) }
    }
}
