//! The client: what its owner calls.

use core::convert::Infallible;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;
use std::collections::VecDeque;

use weft_core::{Datagram, Frame, Instant, Layer, Path, Rng, Transport};

use super::config::Config;
use super::event::{Allocation, Event, Failure, LostReason};
use super::peers::{Grant, PERMISSIONS_A_REQUEST, Peers};
use super::request::{Kind, Request};
use crate::credentials::Credentials;
use crate::long_term::LongTerm;
use crate::wire::{Class, MessageBuilder, Method};
use crate::{AddressFamily, RtoEstimator, Step, Timing, TransactionId};

/// How far a client has come.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum State {
    /// It asks for an allocation.
    Allocating,
    /// The server relays for us.
    Allocated,
    /// It was redirected, or its connection ended, and waits for [`Client::connect`].
    AwaitingConnection,
    /// It gives the allocation back.
    Closing,
    /// It has none and wants none.
    Closed,
    /// It gave up.
    Failed,
}

/// What the owner asked for and cannot have.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// As many permissions or channels as [`Config`] allows, or no channel number left.
    #[error("too many permissions or channels")]
    TooMany,
    /// The client is closed or has failed.
    #[error("the client is closed or has failed")]
    Closed,
}

/// What a client did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Stats {
    /// Requests sent, repetitions included.
    pub requests: u64,
    /// Requests that were repetitions.
    pub retransmissions: u64,
    /// Responses taken.
    pub responses: u64,
    /// Responses that were ignored because their integrity is missing or does not hold.
    pub unauthentic: u64,
    /// Datagrams of ours that were wrapped.
    pub wrapped: u64,
    /// Datagrams of peers that were yielded.
    pub relayed: u64,
    /// What came from the server and could not be used: no such channel, no permission, malformed.
    pub dropped: u64,
    /// Requests that did not fit into the frame.
    pub unsendable: u64,
    /// Events dropped because nobody polled.
    pub events_lost: u64,
}

/// What became of a datagram that was handed in.
#[derive(Debug)]
pub enum Received<'d> {
    /// It was for the client.
    Taken,
    /// A peer sent it to our relayed address: `path` is from the one to the other, `payload` what the peer sent.
    Relayed(Datagram<'d>),
    /// It is none of the client's: it came from elsewhere, or is no TURN.
    NotOurs(Datagram<'d>),
}

/// A TURN client with one allocation on one server. See [the module](super).
#[derive(Debug)]
pub struct Client {
    pub(super) config: Config,
    pub(super) rng: Rng,
    pub(super) path: Path,
    pub(super) state: State,
    pub(super) long_term: LongTerm,
    pub(super) requests: Vec<Request>,
    pub(super) peers: Peers,
    /// Credentials for the next allocation: those of the present one stay with it.
    pub(super) next_credentials: Option<Credentials>,
    /// A Refresh tells the server of a new access token; nothing else is asked before it is answered.
    pub(super) renewing: bool,
    /// An allocation may exist whose making was not confirmed to us.
    pub(super) unconfirmed: bool,
    pub(super) allocation: Option<Allocation>,
    pub(super) expires: Instant,
    pub(super) refresh_at: Instant,
    /// REQUESTED-ADDRESS-FAMILY is left out: the server does not know it, and what was asked for is its default.
    pub(super) plain: bool,
    /// Servers we were sent to, and when.
    pub(super) visited: Vec<(SocketAddr, Instant)>,
    pub(super) rto: RtoEstimator,
    pub(super) keepalive_at: Instant,
    /// Something went to the server since the keep-alive was last looked at.
    pub(super) active: bool,
    pub(super) events: VecDeque<Event>,
    pub(super) stats: Stats,
}

impl Client {
    /// A client that asks for an allocation at once, by `path`: from our address to that of the server. The connection of a
    /// TCP or TLS path is open already. `rng` must be seeded from the system's entropy.
    pub fn new(now: Instant, config: Config, path: Path, rng: Rng) -> Self {
        let mut client = Self {
            long_term: long_term(&config),
            config,
            rng,
            path,
            state: State::Closed,
            requests: Vec::new(),
            peers: Peers::default(),
            next_credentials: None,
            renewing: false,
            unconfirmed: false,
            allocation: None,
            expires: Instant::FAR_FUTURE,
            refresh_at: Instant::FAR_FUTURE,
            plain: false,
            visited: Vec::new(),
            rto: RtoEstimator::default(),
            keepalive_at: Instant::FAR_FUTURE,
            active: false,
            events: VecDeque::new(),
            stats: Stats::default(),
        };
        client.connect(now, path);
        client
    }

    /// Begins anew by `path`, in whatever state it is: after [`Event::Redirected`] over TCP and TLS, with another local port
    /// after [`Failure::AllocationMismatch`], or because the network has changed. Permissions and channels that were asked for
    /// are asked for again; an allocation it has is left to expire.
    pub fn connect(&mut self, now: Instant, path: Path) {
        if path.remote != self.path.remote {
            self.rto = RtoEstimator::default();
        }
        self.path = path;
        self.long_term = long_term(&self.config);
        self.next_credentials = None;
        self.visited.retain(|(_, at)| now - *at < REDIRECTION_MEMORY);
        self.visited.push((path.remote, now));
        self.allocate(now);
    }

    /// The TCP or TLS connection has ended, and the allocation with it. The client waits for [`connect`](Self::connect).
    pub fn disconnected(&mut self, now: Instant) {
        match self.state {
            State::Allocated => {
                self.forget_allocation(now);
                self.requests.clear();
                self.state = State::AwaitingConnection;
                self.emit(Event::Lost(LostReason::Disconnected));
            }
            State::Allocating => self.fail(Failure::Disconnected),
            State::Closing => self.finish_closing(),
            State::AwaitingConnection | State::Closed | State::Failed => {}
        }
    }

    /// The way to the server.
    pub fn path(&self) -> Path {
        self.path
    }

    /// How far it has come.
    pub fn state(&self) -> State {
        self.state
    }

    /// What the server allocated, while it lasts.
    pub fn allocation(&self) -> Option<&Allocation> {
        self.allocation.as_ref()
    }

    /// Our relayed address of this family, while there is one.
    pub fn relayed(&self, family: AddressFamily) -> Option<SocketAddr> {
        let allocation = self.allocation.as_ref()?;
        let both = [Some(allocation.relayed), allocation.additional];
        both.into_iter().flatten().find(|address| AddressFamily::of(address.ip()) == family)
    }

    /// The smoothed round trip time to the server, once it was measured.
    pub fn rtt(&self) -> Option<Duration> {
        self.rto.smoothed()
    }

    /// The counters.
    pub fn stats(&self) -> Stats {
        self.stats
    }

    /// Lets datagrams from and to this address pass, whatever their port (RFC 8656 section 9), and keeps it so. It may be asked
    /// before there is an allocation. [`Event::Permitted`] or [`Event::PermissionRefused`] follows; what is sent once the request has
    /// left usually passes, too. Asking again is harmless.
    ///
    /// # Errors
    /// [`RequestError::TooMany`] beyond [`Config::max_permissions`]; [`RequestError::Closed`].
    pub fn permit(&mut self, now: Instant, peer: IpAddr) -> Result<(), RequestError> {
        self.check_open()?;
        if self.peers.permission(peer).is_some() {
            return Ok(());
        }
        if self.peers.permissions.len() >= self.config.max_permissions {
            return Err(RequestError::TooMany);
        }
        self.peers.add_permission(now, peer);
        self.advance(now);
        Ok(())
    }

    /// Binds a channel to this peer, which saves 32 bytes or more a datagram, and keeps it up; permits its address, too.
    /// [`Event::ChannelBound`] or [`Event::ChannelRefused`] follows; until then datagrams go in Send indications.
    ///
    /// # Errors
    /// [`RequestError::TooMany`] beyond [`Config::max_channels`]; as [`permit`](Self::permit).
    pub fn bind_channel(&mut self, now: Instant, peer: SocketAddr) -> Result<(), RequestError> {
        self.permit(now, peer.ip())?;
        if let Some(channel) = self.peers.channel_mut(peer) {
            if !channel.wanted {
                (channel.wanted, channel.due) = (true, now);
            }
        } else if self.peers.channels.len() >= self.config.max_channels || !self.peers.add_channel(now, peer) {
            return Err(RequestError::TooMany);
        }
        self.advance(now);
        Ok(())
    }

    /// Lets the permission for this address and the channels to it run out: they are not refreshed any more, and what still
    /// comes from there is dropped.
    pub fn revoke(&mut self, now: Instant, peer: IpAddr) {
        self.peers.permissions.retain(|permission| permission.ip != peer);
        self.peers.channels.retain_mut(|channel| {
            if channel.peer.ip() == peer {
                (channel.wanted, channel.bound) = (false, false);
                if channel.expires == Instant::FAR_FUTURE {
                    channel.expires = now + super::peers::PERMISSION_LIFETIME * 2;
                }
            }
            channel.wanted || channel.asked
        });
    }

    /// Refreshes the allocation at once: to learn whether the server still has it when peers fall silent.
    pub fn refresh(&mut self, now: Instant) {
        if self.state == State::Allocated && !self.requests.iter().any(|request| request.kind == Kind::Refresh) {
            self.refresh_at = now;
            self.advance(now);
        }
    }

    /// Uses other credentials from now on. A new access token takes the place of the old one at once, also for the allocation there
    /// is, which is refreshed with it (RFC 7635 section 9): call this before the old one expires, or when
    /// [`Event::TokenRequired`] says that it has. A username and password are for the next allocation, as no server takes others
    /// than those that the present one was made with (RFC 8656 section 5); it is asked for when the present one is lost, or the server
    /// no longer takes the old ones. A client that has failed begins anew with
    /// [`connect`](Self::connect).
    pub fn set_credentials(&mut self, now: Instant, credentials: Credentials) {
        self.config.credentials = Some(credentials.clone());
        if !self.long_term.is_authenticating() {
            return self.long_term.set_credentials(credentials);
        }
        if !self.long_term.uses_token() || credentials.token().is_none() {
            self.next_credentials = Some(credentials);
            return;
        }
        self.long_term.set_credentials(credentials);
        match self.state {
            State::Allocated => {
                self.requests.clear();
                self.peers.ask_again(now);
                (self.renewing, self.refresh_at) = (true, now);
                self.advance(now);
            }
            State::Allocating | State::Closing => {
                // What is under way was signed with the old key.
                self.unconfirmed |= self.state == State::Allocating;
                let kinds: Vec<_> = self.requests.drain(..).map(|request| request.kind).collect();
                for kind in kinds {
                    self.start(now, kind);
                }
            }
            State::AwaitingConnection | State::Closed | State::Failed => {}
        }
    }

    /// Gives the allocation back: a Refresh with a lifetime of zero, repeated until the server has confirmed it, then
    /// [`Event::Closed`]. Who cannot wait drops the client: the allocation then expires by itself.
    pub fn close(&mut self, now: Instant) {
        let asked = self.requests.iter().any(|r| r.kind == Kind::Allocate && r.transaction.sent() > 0);
        let maybe_allocated = self.allocation.is_some() || (asked && self.long_term.is_authenticating());
        match self.state {
            State::Closing | State::Closed => {}
            State::Allocated | State::Allocating if maybe_allocated => {
                self.requests.clear();
                self.forget_allocation(now);
                self.state = State::Closing;
                self.start(now, Kind::Deallocate);
            }
            _ => self.finish_closing(),
        }
    }

    fn check_open(&self) -> Result<(), RequestError> {
        let dead = matches!(self.state, State::Closing | State::Closed | State::Failed);
        if dead { Err(RequestError::Closed) } else { Ok(()) }
    }

    pub(super) fn emit(&mut self, event: Event) {
        tracing::debug!(server = %self.path.remote, ?event);
        if self.events.len() < self.config.max_events {
            self.events.push_back(event);
        } else {
            self.stats.events_lost += 1;
        }
    }

    /// Asks for an allocation.
    pub(super) fn allocate(&mut self, now: Instant) {
        self.requests.clear();
        self.forget_allocation(now);
        if let Some(credentials) = self.next_credentials.take() {
            self.long_term.set_credentials(credentials);
        }
        self.unconfirmed = false;
        self.state = State::Allocating;
        self.keepalive_at = self.config.keepalive.map_or(Instant::FAR_FUTURE, |interval| now + interval);
        self.start(now, Kind::Allocate);
    }

    pub(super) fn forget_allocation(&mut self, now: Instant) {
        self.allocation = None;
        self.renewing = false;
        (self.expires, self.refresh_at) = (Instant::FAR_FUTURE, Instant::FAR_FUTURE);
        self.peers.reset(now);
    }

    /// The allocation is gone; another is asked for.
    pub(super) fn lose(&mut self, now: Instant, reason: LostReason) {
        self.emit(Event::Lost(reason));
        self.allocate(now);
    }

    pub(super) fn fail(&mut self, failure: Failure) {
        self.requests.clear();
        self.allocation = None;
        (self.expires, self.refresh_at) = (Instant::FAR_FUTURE, Instant::FAR_FUTURE);
        self.keepalive_at = Instant::FAR_FUTURE;
        self.state = State::Failed;
        self.emit(Event::Failed(failure));
    }

    pub(super) fn finish_closing(&mut self) {
        self.requests.clear();
        self.peers = Peers::default();
        self.keepalive_at = Instant::FAR_FUTURE;
        self.state = State::Closed;
        self.emit(Event::Closed);
    }

    /// Puts a request on its way.
    pub(super) fn start(&mut self, now: Instant, kind: Kind) {
        let timing = match (self.path.transport, self.rto.smoothed()) {
            (Transport::Udp, Some(_)) => Timing { rto: self.rto.rto(now), ..self.config.timing },
            (Transport::Udp, None) => self.config.timing,
            _ => Timing::RELIABLE,
        };
        let id = TransactionId::random(&mut self.rng);
        self.requests.push(Request::new(now, kind, id, timing));
    }

    /// Starts what is due while there is an allocation.
    pub(super) fn advance(&mut self, now: Instant) {
        if self.state != State::Allocated {
            return;
        }
        if self.refresh_at <= now {
            self.refresh_at = Instant::FAR_FUTURE;
            self.start(now, Kind::Refresh);
        }
        if self.renewing {
            return;
        }
        self.refuse_other_families();
        let channels = self.peers.channels.iter_mut().filter(|channel| channel.wanted && channel.due <= now);
        let mut binds = Vec::new();
        for channel in channels {
            (channel.due, channel.asked) = (Instant::FAR_FUTURE, true);
            binds.push(Kind::Bind(channel.number, channel.peer));
        }
        let mut families = [Vec::new(), Vec::new()];
        for permission in &mut self.peers.permissions {
            if permission.due <= now && permission.grant != Grant::Asked {
                permission.grant = Grant::Asked;
                let [v4, v6] = &mut families;
                if permission.ip.is_ipv4() { v4 } else { v6 }.push(permission.ip);
            }
        }
        for ips in &families {
            for chunk in ips.chunks(PERMISSIONS_A_REQUEST) {
                self.start(now, Kind::Permit(chunk.to_vec()));
            }
        }
        for bind in binds {
            self.start(now, bind);
        }
    }

    /// Peers of a family that the server relays for at no address of ours are not asked for (RFC 8656 sections 10.1 and 12.1).
    fn refuse_other_families(&mut self) {
        let has = [AddressFamily::V4, AddressFamily::V6].map(|family| self.relayed(family).is_some());
        if has == [true, true] {
            return;
        }
        let reaches = |ip: IpAddr| if ip.is_ipv4() { has[0] } else { has[1] };
        let reason = || "no relayed address of this family".to_owned();
        let mut refused = Vec::new();
        self.peers.permissions.retain(|permission| {
            let stays = reaches(permission.ip);
            if !stays {
                refused.push(Event::PermissionRefused { peer: permission.ip, code: 443, reason: reason() });
            }
            stays
        });
        self.peers.channels.retain(|channel| {
            let stays = reaches(channel.peer.ip());
            if !stays {
                refused.push(Event::ChannelRefused { peer: channel.peer, code: 443, reason: reason() });
            }
            stays
        });
        for event in refused {
            self.emit(event);
        }
    }

    /// Writes the request that is due, if one is.
    fn transmit_request(&mut self, now: Instant, frame: &mut Frame<'_>) -> bool {
        let due = |request: &&mut Request| request.transaction.step(now) == Step::Send;
        let Some(request) = self.requests.iter_mut().find(due) else { return false };
        let written = request.write(&self.config, self.plain, &self.long_term, frame);
        let too_large = self.path.transport == Transport::Udp && frame.len() > self.config.max_datagram;
        self.stats.retransmissions += u64::from(request.transaction.sent() > 0);
        request.transaction.on_sent(now);
        if let Kind::Permit(ips) = &request.kind {
            for permission in &mut self.peers.permissions {
                permission.sent |= ips.contains(&permission.ip);
            }
        }
        if written.is_err() || too_large {
            frame.truncate(0);
            self.stats.unsendable += 1;
            if too_large {
                self.fail(Failure::TooLarge);
            }
            return false;
        }
        self.stats.requests += 1;
        self.active = true;
        true
    }

    /// Keeps the NAT's mapping (RFC 8445 section 11).
    fn transmit_keepalive(&mut self, now: Instant, frame: &mut Frame<'_>) -> bool {
        let Some(interval) = self.config.keepalive else { return false };
        let wanted = self.path.transport == Transport::Udp && self.state == State::Allocated;
        if self.keepalive_at > now || !wanted {
            return false;
        }
        self.keepalive_at = now + interval;
        if core::mem::take(&mut self.active) {
            return false;
        }
        let id = TransactionId::random(&mut self.rng);
        let written =
            MessageBuilder::new(frame, Class::Indication, Method::BINDING, id).and_then(|mut i| i.fingerprint());
        if written.is_err() {
            frame.truncate(0);
        }
        written.is_ok()
    }

    fn expire_requests(&mut self, now: Instant) {
        let timed_out = |request: &Request| request.transaction.step(now) == Step::TimedOut;
        while let Some(at) = self.requests.iter().position(timed_out) {
            let request = self.requests.remove(at);
            self.on_no_response(now, request);
        }
    }
}

/// Credentials as TURN uses them.
fn long_term(config: &Config) -> LongTerm {
    LongTerm::new(config.credentials.clone()).preferring_sha256()
}

/// A redirection to a server visited so long ago is followed (RFC 8489 section 10).
pub(super) const REDIRECTION_MEMORY: Duration = Duration::from_secs(300);

impl Layer for Client {
    /// What arrived on the socket or connection of [`Client::path`]: over TCP and TLS one message cut out of the stream
    /// ([`stream_message_len`](crate::stream_message_len)).
    type Input<'d> = Datagram<'d>;
    type Yield<'s> = Received<'s>;
    type Route = Path;
    type Event = Event;
    type Error = Infallible;

    fn handle_input<'s>(&'s mut self, now: Instant, input: Datagram<'s>) -> Result<Received<'s>, Infallible> {
        Ok(self.receive(now, input))
    }

    fn handle_timeout(&mut self, now: Instant) -> Result<(), Infallible> {
        self.expire_requests(now);
        if self.state == State::Allocated {
            if self.expires <= now {
                self.lose(now, LostReason::Expired);
            } else {
                self.peers.expire(now);
                self.advance(now);
            }
        }
        Ok(())
    }

    fn poll_transmit(&mut self, now: Instant, frame: &mut Frame<'_>) -> Option<Path> {
        let sent = self.transmit_request(now, frame) || self.transmit_keepalive(now, frame);
        sent.then_some(self.path)
    }

    fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let requests = self.requests.iter().map(|request| request.transaction.deadline());
        let allocated = self.state == State::Allocated;
        let own = allocated.then(|| self.expires.min(self.refresh_at)).into_iter();
        let keepalive = (allocated && self.path.transport == Transport::Udp).then_some(self.keepalive_at);
        let peers = if allocated && !self.renewing { self.peers.deadline() } else { None };
        let next = requests.chain(own).chain(keepalive).chain(peers).min();
        next.filter(|at| *at != Instant::FAR_FUTURE)
    }
}
