//! Gathering candidates from STUN and TURN servers: RFC 8445 section 5.1.1.2. Every server is asked from every address of
//! ours that fits, each by itself, so that none waits for another.

mod anew;
mod reflexive;
mod relayed;
mod server;

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use weft_core::{Frame, Instant, Layer, Path, Transport};
use weft_stun::{Message, Step, TransactionId};

use crate::agent::Agent;
use crate::candidate::{Candidate, CandidateKind, DISCARD, LocalCandidate};
use crate::config::Policy;
use crate::event::{Event, GatheringError};
use anew::Next;
pub(crate) use anew::Stay;
use reflexive::{Asking, Reflexive};
use relayed::Relay;
pub(crate) use server::Known;
pub use server::{Host, Server, ServerError, ServerId, ServerKind};

/// How often a server may send us to another one.
const MAX_REDIRECTS: u8 = 3;

/// The servers, and what is under way with them.
#[derive(Debug, Default)]
pub(crate) struct Gatherer {
    pub(crate) servers: Vec<Known>,
    /// Addresses of ours that datagrams are sent from.
    pub(crate) bases: Vec<SocketAddr>,
    pub(crate) jobs: Vec<Job>,
    made: u32,
    /// What is gathered from the next time.
    next_servers: Option<Box<Next>>,
    /// When the next transaction may start.
    next: Option<Instant>,
    announced: bool,
}

impl Gatherer {
    pub(crate) fn shrink_to_fit(&mut self) {
        self.servers.shrink_to_fit();
        self.bases.shrink_to_fit();
        self.jobs.shrink_to_fit();
    }

    fn new_id(&mut self) -> ServerId {
        let id = ServerId(self.made);
        self.made = self.made.wrapping_add(1);
        id
    }

    fn next(&self) -> Instant {
        self.next.unwrap_or(Instant::ORIGIN)
    }
}

/// One server asked from one address.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) server: ServerId,
    pub(crate) path: Path,
    turn: bool,
    redirects: u8,
    pub(crate) state: JobState,
    stay: Stay,
}

#[derive(Debug)]
pub(crate) enum JobState {
    /// It has not been its turn yet.
    Waiting,
    /// The server has been asked what it sees.
    Asking(Asking),
    /// It has answered.
    Reflexive(Reflexive),
    /// A TURN server: its connection is being opened.
    Connecting(Instant),
    /// A TURN server.
    Relay(Box<Relay>),
    /// It was given up.
    Failed,
}

impl Job {
    /// The way to the server, which may have sent us elsewhere.
    fn route(&self) -> Path {
        match &self.state {
            JobState::Relay(relay) => relay.client.path(),
            _ => self.path,
        }
    }

    /// Whether a candidate may still come of it.
    fn is_open(&self) -> bool {
        self.stay == Stay::Stays && self.may_bring()
    }

    fn may_bring(&self) -> bool {
        match &self.state {
            JobState::Waiting | JobState::Connecting(_) => true,
            JobState::Asking(asking) => asking.known.is_none(),
            JobState::Relay(relay) => relay.is_open(),
            JobState::Reflexive(_) | JobState::Failed => false,
        }
    }

    /// Whether it has led to this candidate of ours.
    fn has_brought(&self, candidate: &Candidate) -> bool {
        match (&self.state, candidate.kind) {
            (JobState::Reflexive(reflexive), CandidateKind::ServerReflexive) => reflexive.mapped == candidate.address,
            (JobState::Relay(relay), kind) => relay.client.allocation().is_some_and(|allocation| match kind {
                CandidateKind::ServerReflexive => allocation.mapped == candidate.address,
                CandidateKind::Relayed => {
                    [Some(allocation.relayed), allocation.additional].contains(&Some(candidate.address))
                }
                CandidateKind::Host | CandidateKind::PeerReflexive => false,
            }),
            _ => false,
        }
    }

    /// When it wants attention.
    fn deadline(&self, next: Instant, keep: bool) -> Option<Instant> {
        match &self.state {
            JobState::Waiting => Some(next),
            JobState::Asking(asking) => Some(asking.deadline()),
            JobState::Reflexive(reflexive) => keep.then_some(reflexive.refresh.max(next)),
            JobState::Connecting(give_up) => Some(*give_up),
            JobState::Relay(relay) => relay.deadline(),
            JobState::Failed => None,
        }
    }
}

impl Agent {
    /// Gathers from one more server. A name is resolved by the driver, which [`Event::Resolve`] asks for it.
    ///
    /// # Errors
    /// [`ServerError`] if there are too many already, or it is of a kind that does not exist.
    pub fn add_server(&mut self, now: Instant, server: Server) -> Result<ServerId, ServerError> {
        server.check()?;
        if self.gatherer.servers.iter().filter(|known| !known.retired).count() >= self.config.max_servers {
            return Err(ServerError::TooMany);
        }
        let id = self.gatherer.new_id();
        self.gatherer.announced = false;
        self.take_in(id, server);
        self.form_jobs();
        self.settle(now);
        Ok(id)
    }

    /// A server is one of ours from now on.
    fn take_in(&mut self, id: ServerId, server: Server) {
        let addresses = match &server.host {
            Host::Ip(ip) => vec![*ip],
            Host::Name(name) => {
                self.emit(Event::Resolve(id, name.as_str().into()));
                Vec::new()
            }
        };
        self.gatherer.servers.push(Known { id, resolved: !addresses.is_empty(), retired: false, server, addresses });
    }

    /// The addresses of a server's name, or of one family of them; may be called more than once. None at all mean that it
    /// has none, or was not resolved.
    pub fn server_resolved(&mut self, now: Instant, id: ServerId, addresses: &[IpAddr]) {
        let known = self.gatherer.servers.iter_mut().find(|known| known.id == id && !known.retired);
        let Some(known) = known else { return };
        known.resolved = true;
        known.take(addresses);
        let nothing = known.addresses.is_empty();
        self.form_jobs();
        if nothing {
            self.gathering_failed(id, None, GatheringError::UNREACHABLE, "the name was not resolved");
        }
        self.settle(now);
    }

    /// Other credentials for a TURN server, from now on: a new access token before the old one expires (RFC 7635), or what a TURN
    /// REST service has given out anew. Where it has failed, it is asked again.
    pub fn set_server_credentials(&mut self, now: Instant, id: ServerId, credentials: &weft_stun::Credentials) {
        let Some(known) = self.gatherer.servers.iter_mut().find(|known| known.id == id && known.server.is_turn())
        else {
            return;
        };
        known.server.kind = ServerKind::Turn(Some(credentials.clone()));
        if let Some(next) = &mut self.gatherer.next_servers {
            next.set_credentials(id, &known.server.kind);
        }
        for job in self.gatherer.jobs.iter_mut().filter(|job| job.server == id) {
            match &mut job.state {
                JobState::Relay(relay) => relay.client.set_credentials(now, credentials.clone()),
                state @ JobState::Failed => {
                    *state = JobState::Waiting;
                    self.gatherer.announced = false;
                }
                _ => {}
            }
        }
        self.settle(now);
    }

    /// The server that a candidate of ours is from; `None` for one of no server, or of one that no longer answers for it.
    pub fn server_of(&self, candidate: &Candidate) -> Option<ServerId> {
        self.gatherer.jobs.iter().find(|job| job.has_brought(candidate)).map(|job| job.server)
    }

    /// The server with this id.
    pub fn server(&self, id: ServerId) -> Option<&Server> {
        self.gatherer.servers.iter().find(|known| known.id == id).map(|known| &known.server)
    }

    /// Whether nothing more will be gathered.
    pub fn is_gathering_complete(&self) -> bool {
        self.locals_ended
            && self.gatherer.servers.iter().all(|known| known.resolved || known.retired)
            && !self.gatherer.jobs.iter().any(Job::is_open)
    }

    /// One more address to ask from.
    pub(crate) fn add_base(&mut self, base: SocketAddr) {
        if !self.gatherer.bases.contains(&base) && self.gatherer.bases.len() < self.config.max_local_candidates {
            self.gatherer.bases.push(base);
            self.form_jobs();
        }
    }

    /// Addresses are gone, and with them what was asked from them. Gives the relayed addresses that went with them.
    pub(crate) fn remove_bases(&mut self, gone: &impl Fn(SocketAddr) -> bool) -> Vec<SocketAddr> {
        self.gatherer.bases.retain(|base| !gone(*base));
        let bases = &self.gatherer.bases;
        // A connection has the IP address of the base it was made for.
        let lost = |job: &Job| match job.path.transport {
            Transport::Udp => gone(job.path.local),
            _ => !bases.iter().any(|base| base.ip() == job.path.local.ip()),
        };
        let relayed = self.gatherer.jobs.iter().filter(|job| lost(job)).flat_map(Job::relayed).collect();
        self.gatherer.jobs.retain(|job| !lost(job));
        relayed
    }

    /// A job for every server and every address of ours that it can be asked from.
    fn form_jobs(&mut self) {
        let Gatherer { servers, bases, jobs, .. } = &mut self.gatherer;
        for known in servers.iter().filter(|known| !known.retired) {
            if self.policy == Policy::Relay && known.server.kind == ServerKind::Stun {
                continue;
            }
            for ip in &known.addresses {
                let remote = SocketAddr::new(*ip, known.server.port);
                for base in bases.iter().filter(|base| reaches(**base, *ip)) {
                    let path = known.server.path(*base, remote);
                    // One allocation is all that a server gives one address of ours (RFC 8656 section 5).
                    let alike =
                        |job: &Job| job.path == path && (job.server == known.id || known.server.is_turn() && job.turn);
                    if !jobs.iter().any(alike) {
                        let turn = known.server.is_turn();
                        jobs.push(Job {
                            server: known.id,
                            path,
                            turn,
                            redirects: 0,
                            state: JobState::Waiting,
                            stay: Stay::Stays,
                        });
                    }
                }
            }
        }
    }

    /// Writes the next request to a server that is due.
    pub(crate) fn transmit_gathering(&mut self, now: Instant, frame: &mut Frame<'_>) -> Option<Path> {
        let keep = !self.is_concluded();
        let due = |job: &Job, next| job.deadline(next, keep).is_some_and(|at| at <= now);
        for index in 0..self.gatherer.jobs.len() {
            let next = self.gatherer.next();
            let Some(job) = self.gatherer.jobs.get_mut(index).filter(|job| due(job, next)) else { continue };
            let sent = match &mut job.state {
                JobState::Asking(asking) if asking.transaction.step(now) == Step::Send => asking.send(now, frame),
                JobState::Waiting if job.turn => self.begin_relay(now, index, frame),
                JobState::Waiting => self.ask(now, index, None, frame),
                JobState::Relay(relay) => relay.client.poll_transmit(now, frame).is_some(),
                JobState::Reflexive(reflexive) => {
                    let known = reflexive.mapped;
                    self.ask(now, index, Some(known), frame)
                }
                JobState::Asking(_) | JobState::Connecting(_) | JobState::Failed => false,
            };
            if sent {
                self.start_permitted(index);
                return self.gatherer.jobs.get(index).map(Job::route);
            }
        }
        None
    }

    /// Asks a STUN server, and lets others wait for Ta (RFC 8445 section 14.2).
    fn ask(&mut self, now: Instant, index: usize, known: Option<SocketAddr>, frame: &mut Frame<'_>) -> bool {
        let open = self.gatherer.jobs.iter().filter(|job| job.is_open()).count();
        let timing = self.config.timing(open);
        self.gatherer.next = Some(now + self.config.ta);
        let id = TransactionId::random(&mut self.seed.rng());
        let give_up = now + self.config.gathering_timeout;
        let Some(job) = self.gatherer.jobs.get_mut(index) else { return false };
        let mut asking = Asking::new(now, id, timing, give_up, known);
        let sent = asking.send(now, frame);
        job.state = JobState::Asking(asking);
        sent
    }

    /// Gives up servers that do not answer.
    pub(crate) fn expire_gathering(&mut self, now: Instant) {
        for index in 0..self.gatherer.jobs.len() {
            let Some(job) = self.gatherer.jobs.get_mut(index) else { return };
            if let JobState::Relay(relay) = &mut job.state {
                // A client never dies of the network.
                let _ = relay.client.handle_timeout(now);
            }
            let failed = match &job.state {
                JobState::Asking(asking) => asking.has_failed(now),
                JobState::Connecting(give_up) => *give_up <= now,
                JobState::Relay(relay) => relay.is_open() && relay.give_up <= now,
                JobState::Waiting | JobState::Reflexive(_) | JobState::Failed => false,
            };
            if failed {
                let (server, path) = (job.server, job.route());
                let reason = if matches!(job.state, JobState::Connecting(_)) { "no connection" } else { "no answer" };
                match &mut job.state {
                    JobState::Relay(relay) => relay.late = true,
                    state => *state = JobState::Failed,
                }
                if reason == "no connection" {
                    self.close_stream(&path);
                }
                self.gathering_failed(server, Some(path), GatheringError::UNREACHABLE, reason);
            }
            self.take_relay_events(now, index);
        }
    }

    /// Whether `message` answers a request to a server.
    pub(crate) fn on_gathering_response(&mut self, now: Instant, path: &Path, message: &Message<'_>) -> bool {
        let id = message.transaction_id();
        let asked = |job: &Job| {
            job.path == *path && matches!(&job.state, JobState::Asking(asking) if asking.transaction.id() == id)
        };
        let Some(index) = self.gatherer.jobs.iter().position(asked) else { return false };
        self.on_reflexive(now, index, message);
        self.settle(now);
        true
    }

    /// Takes in a gathered candidate and tells of it, unless it is redundant (RFC 8445 section 5.1.3).
    pub(crate) fn gathered(&mut self, candidate: LocalCandidate, related: SocketAddr, band: u16) {
        if self.locals.list.len() >= self.config.max_local_candidates {
            self.stats.discarded += 1;
            return;
        }
        let (hides, term) = (self.hides(), self.term_of(candidate.kind));
        let Some(index) = self.locals.add(candidate, band, term) else { return };
        let Some(local) = self.locals.list.get_mut(index) else { return };
        local.candidate.related = Some(if hides { hidden(related) } else { related });
        let candidate = local.candidate;
        for remote in 0..self.session.remotes.len() {
            self.pair_up(index, remote);
        }
        self.emit(Event::LocalCandidate(candidate));
    }

    pub(crate) fn gathering_failed(&mut self, server: ServerId, path: Option<Path>, code: u16, reason: &str) {
        let (base, address) = (path.map(|path| path.local), path.map(|path| path.remote));
        self.emit(Event::GatheringError(GatheringError { server, address, base, code, reason: reason.into() }));
    }

    /// What failed is tried again, as for a new session.
    pub(crate) fn gather_again(&mut self) {
        let failed = |job: &&mut Job| job.stay == Stay::Stays && matches!(job.state, JobState::Failed);
        for job in self.gatherer.jobs.iter_mut().filter(failed) {
            job.state = JobState::Waiting;
            self.gatherer.announced = false;
        }
    }

    /// Tells once that gathering is complete.
    pub(crate) fn announce_gathering(&mut self) {
        if !self.gatherer.announced && self.is_gathering_complete() {
            self.gatherer.announced = true;
            self.emit(Event::GatheringComplete);
        }
    }

    /// When gathering wants attention.
    pub(crate) fn gathering_deadline(&self) -> Option<Instant> {
        let (next, keep) = (self.gatherer.next(), !self.is_concluded());
        self.gatherer.jobs.iter().filter_map(|job| job.deadline(next, keep)).min()
    }
}

/// What is signalled in place of an address that is to stay unknown (RFC 8839 section 5.1).
fn hidden(address: SocketAddr) -> SocketAddr {
    let ip = match address {
        SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        SocketAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    };
    SocketAddr::new(ip, DISCARD)
}

/// Whether a server at `ip` can be asked from `base`: the same family, and neither loopback nor link-local to elsewhere.
fn reaches(base: SocketAddr, ip: IpAddr) -> bool {
    let link_local = |ip: IpAddr| match ip {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    };
    base.is_ipv4() == ip.is_ipv4()
        && base.ip().is_loopback() == ip.is_loopback()
        && link_local(base.ip()) == link_local(ip)
}

impl crate::Config {
    /// RTO: long enough that each of `open` transactions is sent once before any is sent again.
    ///
    /// RFC 8445 section 14.3 multiplies Ta with the number of checks squared and lets agents use other mechanisms; one factor is
    /// enough for its purpose, and a lost check does not cost many seconds then.
    pub(crate) fn timing(&self, open: usize) -> weft_stun::Timing {
        let open = u32::try_from(open).unwrap_or(u32::MAX);
        let rto = self.min_rto.max(self.ta.saturating_mul(open));
        weft_stun::Timing { rto, max_requests: self.max_requests, last_wait: self.last_wait }
    }
}
