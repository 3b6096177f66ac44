//! Relayed candidates: a TURN client for each server and each address of ours (RFC 8445 section 5.1.1.2, RFC 8656).

use core::net::SocketAddr;

use weft_core::{Datagram, Frame, Instant, Layer, Overhead, Path, Transport};
use weft_stun::turn::{self, Client, Received, RelayFamily};

use super::{Host, Job, JobState, ServerKind, Stay};
use crate::agent::Agent;
use crate::candidate::{CandidateKind, LocalCandidate, same};
use crate::config::Policy;
use crate::event::{CheckResult, Event, GatheringError, IceState, RestartReason};
use crate::pair::{Pair, PairId, PairState};
use crate::stream::StreamKind;

/// How far the preferences of relayed candidates by UDP, TCP and TLS lie apart: what has fewer detours comes first.
const BAND: u16 = 0x2000;
/// Connections to one server that are opened one after another, because the last one has ended.
const MAX_RECONNECTIONS: u8 = 3;

/// A TURN client, and what is known of its allocation.
#[derive(Debug)]
pub(crate) struct Relay {
    pub(crate) client: Client,
    /// When it counts as out of reach.
    pub(crate) give_up: Instant,
    /// Relayed addresses that are candidates now.
    addresses: Vec<SocketAddr>,
    reconnections: u8,
    /// Nobody waits for it any more. What still comes of it is used all the same.
    pub(super) late: bool,
}

impl Relay {
    /// Whether a first candidate may still come.
    pub(super) fn is_open(&self) -> bool {
        !self.late && self.addresses.is_empty() && self.client.state() == turn::State::Allocating
    }

    /// Gives the allocation back.
    pub(super) fn give_back(&mut self, now: Instant) {
        self.addresses.clear();
        self.client.close(now);
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        let give_up = self.is_open().then_some(self.give_up);
        Instant::earliest([self.client.poll_timeout(), give_up])
    }
}

impl Job {
    pub(super) fn relayed(&self) -> impl Iterator<Item = SocketAddr> {
        let addresses = match &self.state {
            JobState::Relay(relay) => relay.addresses.as_slice(),
            _ => &[],
        };
        addresses.iter().copied()
    }
}

impl super::Gatherer {
    /// Whether a TURN server is reached by this connection.
    pub(crate) fn uses_stream(&self, path: &Path) -> bool {
        let used = |job: &Job| job.turn && !matches!(job.state, JobState::Failed | JobState::Waiting);
        self.jobs.iter().any(|job| used(job) && job.route() == *path)
    }

    /// The client whose relayed address is the local end of `path`.
    fn relay(&self, path: &Path) -> Option<&Client> {
        self.jobs.iter().find_map(|job| match &job.state {
            JobState::Relay(relay) if is_of(relay, path) => Some(&relay.client),
            _ => None,
        })
    }

    fn relay_mut(&mut self, path: &Path) -> Option<&mut Client> {
        self.jobs.iter_mut().find_map(|job| match &mut job.state {
            JobState::Relay(relay) if is_of(relay, path) => Some(&mut relay.client),
            _ => None,
        })
    }

    /// Whether `path` leads to a TURN server that is in use.
    pub(crate) fn is_way_to_relay(&self, path: &Path) -> bool {
        self.jobs.iter().any(|job| matches!(&job.state, JobState::Relay(relay) if relay.client.path() == *path))
    }
}

pub(super) fn is_of(relay: &Relay, path: &Path) -> bool {
    path.transport == Transport::Udp && relay.addresses.iter().any(|relayed| same(*relayed, path.local))
}

impl Agent {
    /// Asks a TURN server for an allocation, or first for a connection to it.
    pub(super) fn begin_relay(&mut self, now: Instant, index: usize, frame: &mut Frame<'_>) -> bool {
        self.gatherer.next = Some(now + self.config.ta);
        let give_up = now + self.config.gathering_timeout;
        let Some(job) = self.gatherer.jobs.get_mut(index) else { return false };
        let path = job.path;
        if path.transport != Transport::Udp {
            job.state = JobState::Connecting(give_up);
            let kind = self.relay_stream_kind(index, None);
            self.open_stream(path, kind);
            return false;
        }
        self.make_client(now, index, give_up);
        match self.gatherer.jobs.get_mut(index).map(|job| &mut job.state) {
            Some(JobState::Relay(relay)) => relay.client.poll_transmit(now, frame).is_some(),
            _ => false,
        }
    }

    fn make_client(&mut self, now: Instant, index: usize, give_up: Instant) {
        let open = self.gatherer.jobs.iter().filter(|job| job.is_open()).count();
        let timing = self.config.timing(open);
        let rng = self.seed.rng().fork();
        let Some(job) = self.gatherer.jobs.get_mut(index) else { return };
        let known = self.gatherer.servers.iter().find(|known| known.id == job.server);
        let mut config = turn::Config::default().with_timing(timing).with_family(RelayFamily::Both);
        config.credentials = known.and_then(|known| match &known.server.kind {
            ServerKind::Turn(credentials) => credentials.clone(),
            ServerKind::Stun => None,
        });
        let client = Client::new(now, config, job.path, rng);
        job.state =
            JobState::Relay(Box::new(Relay { client, give_up, addresses: Vec::new(), reconnections: 0, late: false }));
    }

    /// What a connection to the server of a job carries; `domain` is the name it sent us to.
    fn relay_stream_kind(&self, index: usize, domain: Option<String>) -> StreamKind {
        let Some(job) = self.gatherer.jobs.get(index).filter(|job| job.path.transport == Transport::Tls) else {
            return StreamKind::Turn;
        };
        let known = self.gatherer.servers.iter().find(|known| known.id == job.server);
        let name = domain.or_else(|| match &known?.server.host {
            Host::Name(name) => Some(name.clone()),
            Host::Ip(ip) => Some(ip.to_string()),
        });
        StreamKind::TurnTls(name.unwrap_or_default().into())
    }

    /// The connection to a TURN server is open.
    pub(crate) fn relay_stream_opened(&mut self, now: Instant, path: &Path) {
        let Some(index) = self.gatherer.jobs.iter().position(|job| job.turn && job.path == *path) else { return };
        match self.gatherer.jobs.get_mut(index).map(|job| &mut job.state) {
            Some(JobState::Connecting(give_up)) => {
                let give_up = *give_up;
                self.make_client(now, index, give_up);
            }
            Some(JobState::Relay(relay)) => relay.client.connect(now, *path),
            _ => {}
        }
    }

    /// The connection to a TURN server has ended, or was never there.
    pub(crate) fn relay_stream_closed(&mut self, now: Instant, path: &Path) {
        let Some(index) = self.gatherer.jobs.iter().position(|job| job.turn && job.path == *path) else { return };
        let Some(job) = self.gatherer.jobs.get_mut(index) else { return };
        match &mut job.state {
            JobState::Connecting(_) => {
                job.state = JobState::Failed;
                let server = job.server;
                self.gathering_failed(server, Some(*path), GatheringError::UNREACHABLE, "no connection");
            }
            JobState::Relay(relay) if relay.client.state() == turn::State::AwaitingConnection => {
                // The one that was to replace the last one has not come about.
                self.reconnect(index);
            }
            JobState::Relay(relay) => relay.client.disconnected(now),
            _ => {}
        }
        self.take_relay_events(now, index);
    }

    /// Opens a connection in place of one that has ended, a few times.
    fn reconnect(&mut self, index: usize) {
        let Some(job) = self.gatherer.jobs.get_mut(index) else { return };
        let (server, path) = (job.server, job.path);
        let JobState::Relay(relay) = &mut job.state else { return };
        relay.reconnections += 1;
        if relay.reconnections > MAX_RECONNECTIONS {
            job.state = JobState::Failed;
            self.gathering_failed(server, Some(path), GatheringError::UNREACHABLE, "the connection ended");
            return;
        }
        let kind = self.relay_stream_kind(index, None);
        self.open_stream(path, kind);
    }

    /// Takes what the TURN clients have to tell.
    pub(crate) fn take_relay_events(&mut self, now: Instant, index: usize) {
        loop {
            let event = match self.gatherer.jobs.get_mut(index).map(|job| &mut job.state) {
                Some(JobState::Relay(relay)) => relay.client.poll_event(),
                _ => None,
            };
            let Some(event) = event else { return };
            // Nobody asks any more what becomes of one that is given back.
            if self.gatherer.jobs.get(index).is_some_and(|job| job.stay != Stay::Released) {
                self.on_relay_event(now, index, event);
            }
        }
    }

    fn on_relay_event(&mut self, now: Instant, index: usize, event: turn::Event) {
        match event {
            turn::Event::Allocated(allocation) => self.on_allocated(now, index, &allocation),
            turn::Event::Permitted(_) => self.start_permitted(index),
            // Without an answer there is nothing to act on: checks tell whether datagrams pass.
            turn::Event::PermissionRefused { peer, code, .. } if code != 0 => {
                let Some(job) = self.gatherer.jobs.get(index) else { return };
                let relayed: Vec<SocketAddr> = job.relayed().collect();
                let refused = |pair: &&Pair| relayed.contains(&pair.path.local) && pair.path.remote.ip() == peer;
                let pairs: Vec<PairId> =
                    self.session.checklist.pairs.iter().filter(refused).map(|pair| pair.id).collect();
                for id in pairs {
                    self.fail(id, CheckResult::Refused(code));
                }
            }
            turn::Event::Redirected { server, domain } => {
                let Some(job) = self.gatherer.jobs.get_mut(index) else { return };
                let old = job.path;
                job.path.remote = server;
                let path = job.path;
                if path.transport != Transport::Udp {
                    let kind = self.relay_stream_kind(index, domain);
                    self.close_stream(&old);
                    self.open_stream(path, kind);
                }
            }
            turn::Event::Lost(reason) => {
                self.forget_relayed(now, index);
                if reason == turn::LostReason::Disconnected {
                    self.reconnect(index);
                }
            }
            turn::Event::TokenRequired { server: name } => {
                let Some(job) = self.gatherer.jobs.get(index) else { return };
                let (server, path) = (job.server, job.route());
                let failure = turn::Failure::TokenRequired { server: name };
                self.gathering_failed(server, Some(path), 401, &failure.to_string());
            }
            turn::Event::Failed(failure) => {
                self.forget_relayed(now, index);
                let Some(job) = self.gatherer.jobs.get_mut(index) else { return };
                let (server, path) = (job.server, job.route());
                job.state = JobState::Failed;
                self.close_stream(&path);
                let code = failure.code().unwrap_or(GatheringError::UNREACHABLE);
                self.gathering_failed(server, Some(path), code, &failure.to_string());
            }
            _ => {}
        }
    }

    /// The server relays for us: its addresses are candidates, and so is what it saw of us.
    fn on_allocated(&mut self, now: Instant, index: usize, allocation: &turn::Allocation) {
        self.forget_relayed(now, index);
        let Some(job) = self.gatherer.jobs.get_mut(index) else { return };
        let (path, server) = (job.route(), job.route().remote.ip());
        let JobState::Relay(relay) = &mut job.state else { return };
        relay.addresses = [Some(allocation.relayed), allocation.additional].into_iter().flatten().collect();
        let addresses = relay.addresses.clone();
        if path.transport == Transport::Udp && self.policy == Policy::All {
            let reflexive = LocalCandidate::server_reflexive(allocation.mapped, path.local, server);
            self.gathered(reflexive, path.local, u16::MAX);
        }
        let detours = match path.transport {
            Transport::Udp => 0,
            Transport::Tcp => 1,
            _ => 2,
        };
        for address in addresses {
            let candidate = LocalCandidate {
                kind: CandidateKind::Relayed,
                ..LocalCandidate::server_reflexive(address, address, server)
            };
            self.gathered(candidate, allocation.mapped, u16::MAX - detours * BAND);
        }
    }

    /// The relayed addresses of a job are gone.
    fn forget_relayed(&mut self, now: Instant, index: usize) {
        let Some(JobState::Relay(relay)) = self.gatherer.jobs.get_mut(index).map(|job| &mut job.state) else { return };
        let gone = core::mem::take(&mut relay.addresses);
        if !gone.is_empty() {
            self.forget_locals(now, |local| gone.contains(&local), RestartReason::AddressGone);
        }
    }

    /// Asks for a permission for a peer, if `path` is relayed. True if checks may leave by it already.
    pub(crate) fn permit(&mut self, now: Instant, path: &Path) -> bool {
        let Some(client) = self.gatherer.relay_mut(path) else { return true };
        if client.overhead(path.remote).is_some() {
            return true;
        }
        // More than the client takes: the pair never starts, and others are there.
        let _ = client.permit(now, path.remote.ip());
        false
    }

    /// The session ends: permissions are asked for anew, which also tells whether a server still knows its allocation. Not for
    /// the peer of a pair that works and goes on being used.
    pub(crate) fn renew_permissions(&mut self, now: Instant) {
        let working = self.selected().filter(|pair| !pair.suspect).map(|pair| pair.path.remote.ip());
        let remotes = self.session.remotes.iter().map(|remote| remote.address.ip());
        for ip in remotes.filter(|ip| Some(*ip) != working) {
            for job in &mut self.gatherer.jobs {
                if let JobState::Relay(relay) = &mut job.state {
                    relay.client.revoke(now, ip);
                }
            }
        }
    }

    /// Relayed pairs that waited for a permission are checked once it was asked for.
    pub(super) fn start_permitted(&mut self, index: usize) {
        let Some(JobState::Relay(relay)) = self.gatherer.jobs.get(index).map(|job| &job.state) else { return };
        let waits = |pair: &&Pair| {
            pair.state == PairState::InProgress
                && pair.check.is_none()
                && is_of(relay, &pair.path)
                && relay.client.overhead(pair.path.remote).is_some()
        };
        let pairs: Vec<PairId> = self.session.checklist.pairs.iter().filter(waits).map(|pair| pair.id).collect();
        for id in pairs {
            self.session.checklist.trigger(id);
        }
    }

    /// The selected pair deserves a channel.
    pub(crate) fn bind_channel(&mut self, now: Instant, path: &Path) {
        if let Some(client) = self.gatherer.relay_mut(path) {
            // Without a channel Send indications carry the data.
            let _ = client.bind_channel(now, path.remote);
        }
    }

    /// What a TURN client adds to data by `path`.
    pub(crate) fn overhead_of(&self, path: &Path) -> Overhead {
        self.gatherer.relay(path).and_then(|client| client.overhead(path.remote)).unwrap_or(Overhead::NONE)
    }

    /// Makes a datagram for `path` ready to leave: by `path` itself, or wrapped for a TURN server. `None` if it cannot.
    pub(crate) fn ship(&mut self, path: Path, frame: &mut Frame<'_>) -> Option<Path> {
        if self.gatherer.jobs.is_empty() {
            return Some(path);
        }
        let Some(client) = self.gatherer.relay_mut(&path) else { return Some(path) };
        let head = client.overhead(path.remote)?.head;
        let missing = head.saturating_sub(frame.head_room());
        if missing > 0 {
            frame.make_head_room(missing).ok()?;
        }
        client.wrap(path.remote, frame).ok()
    }

    /// What a TURN server sent: unwrapped if a peer sent it, `None` if the server did.
    pub(crate) fn unwrap<'d>(&mut self, now: Instant, mut input: Datagram<'d>) -> Option<Datagram<'d>> {
        for index in 0..self.gatherer.jobs.len() {
            let Some(JobState::Relay(relay)) = self.gatherer.jobs.get_mut(index).map(|job| &mut job.state) else {
                continue;
            };
            match relay.client.receive(now, input) {
                Received::Relayed(datagram) => return Some(datagram),
                Received::NotOurs(datagram) => input = datagram,
                Received::Taken => {
                    if self.state != IceState::Closed {
                        self.take_relay_events(now, index);
                        self.settle(now);
                    }
                    return None;
                }
            }
        }
        Some(input)
    }

    /// Gives all allocations back.
    pub(crate) fn release_relays(&mut self, now: Instant) {
        self.gatherer.jobs.retain_mut(|job| match &mut job.state {
            JobState::Relay(relay) => {
                relay.client.close(now);
                relay.client.state() == turn::State::Closing
            }
            _ => false,
        });
    }

    /// After [`close`](Self::close): the next word to a TURN server.
    pub(crate) fn transmit_farewell(&mut self, now: Instant, frame: &mut Frame<'_>) -> Option<Path> {
        self.gatherer.jobs.iter_mut().find_map(|job| match &mut job.state {
            JobState::Relay(relay) => relay.client.poll_transmit(now, frame),
            _ => None,
        })
    }

    /// After [`close`](Self::close): lets go of TURN servers that have answered, or never will.
    pub(crate) fn expire_farewells(&mut self, now: Instant) {
        self.gatherer.jobs.retain_mut(|job| match &mut job.state {
            JobState::Relay(relay) => {
                let _ = relay.client.handle_timeout(now);
                relay.client.state() == turn::State::Closing
            }
            _ => false,
        });
        let gatherer = &self.gatherer;
        let mut closed: Vec<Event> = Vec::new();
        self.streams.retain(|stream| {
            let needed = gatherer.uses_stream(&stream.path);
            if !needed {
                closed.push(Event::CloseStream(stream.path));
            }
            needed
        });
        for event in closed {
            self.emit(event);
        }
        self.deadline = self.gatherer.jobs.iter().filter_map(|job| job.deadline(Instant::ORIGIN, false)).min();
    }
}
