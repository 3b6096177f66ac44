//! Candidates: what the driver tells of sockets, names and connections, and what the peer signals.

use std::net::{IpAddr, SocketAddr};

use weft_core::{Instant, Path};
use weft_ice::LocalCandidate;
use weft_sdp::Address;

use super::PeerConnection;
use crate::config::{MdnsPolicy, TcpCandidates};
use crate::convert;
use crate::event::{Event, GatheringState, Request};

/// What we are reached at.
#[derive(Debug, Default)]
pub(super) struct Sockets {
    /// UDP sockets.
    pub(super) udp: Vec<SocketAddr>,
    /// TCP listeners.
    listeners: Vec<SocketAddr>,
    /// Names that are signalled in place of addresses.
    names: Vec<(IpAddr, String)>,
}

impl Sockets {
    pub(super) fn shrink_to_fit(&mut self) {
        self.udp.shrink_to_fit();
        self.listeners.shrink_to_fit();
        self.names.shrink_to_fit();
    }

    fn name_of(&self, ip: IpAddr) -> Option<&str> {
        self.names.iter().find(|(hidden, _)| *hidden == ip).map(|(_, name)| name.as_str())
    }
}

/// Candidates of the peer's, of the session there is, whose names are being resolved.
#[derive(Debug, Default)]
pub(super) struct Unresolved {
    waiting: Vec<weft_sdp::Candidate>,
    /// The end of its candidates came, and takes effect after them.
    end: bool,
}

impl PeerConnection {
    /// Tells the connection an address it can be reached at: that of a bound socket. Candidates are made of it when a
    /// local description is set; once all candidates of a generation were signalled none may follow (RFC 8838 section 13),
    /// so an address that comes later is used from the next [restart of ICE](Self::restart_ice) on. While no path works, one
    /// is asked for at once.
    pub fn add_host_address(&mut self, now: Instant, address: SocketAddr) {
        if self.states.closed || self.sockets.udp.contains(&address) {
            return;
        }
        self.sockets.udp.push(address);
        if self.states.gathering == GatheringState::Gathering {
            self.gather_host(now, address);
        }
        self.address_appeared();
        self.settle(now);
    }

    /// As [`add_host_address`](Self::add_host_address), signalled by `name`, which a responder of multicast DNS answers for
    /// ([`MdnsPolicy::Hide`]).
    pub fn add_hidden_host_address(&mut self, now: Instant, address: SocketAddr, name: impl Into<String>) {
        if self.sockets.name_of(address.ip()).is_none() {
            self.sockets.names.push((address.ip(), name.into()));
        }
        self.add_host_address(now, address);
    }

    /// Tells the connection of a listening TCP socket: a passive candidate (RFC 6544), if
    /// [`Config::tcp_candidates`](crate::Config::tcp_candidates) wants such. What comes by connections to it is handed in with
    /// a path over TCP, `local` being this address; the driver frames it (RFC 4571), and closes connections that
    /// [`is_validated`](Self::is_validated) does not come to know.
    pub fn add_tcp_listener(&mut self, now: Instant, address: SocketAddr) {
        let wanted = self.config.tcp_candidates == TcpCandidates::ActiveAndPassive;
        if self.states.closed || !wanted || self.sockets.listeners.contains(&address) {
            return;
        }
        self.sockets.listeners.push(address);
        if self.states.gathering == GatheringState::Gathering {
            self.gather(now, LocalCandidate::tcp_passive(address));
        }
        self.settle(now);
    }

    /// A socket is gone, and the candidates with it: its interface vanished. Data goes another way if one works; if none
    /// does, [`Event::IceRestartNeeded`] and [`Event::NegotiationNeeded`] follow.
    pub fn remove_host_address(&mut self, now: Instant, address: SocketAddr) {
        if self.states.closed {
            return;
        }
        self.sockets.udp.retain(|known| *known != address);
        let ip = address.ip();
        if self.sockets.udp.iter().any(|other| other.ip() == ip) {
            self.ice.remove_local_address(now, address);
        } else {
            self.sockets.listeners.retain(|listener| listener.ip() != ip);
            self.sockets.names.retain(|(hidden, _)| *hidden != ip);
            self.ice.remove_local_ip(now, ip);
        }
        self.settle(now);
    }

    /// The UDP addresses it was told of.
    pub fn host_addresses(&self) -> &[SocketAddr] {
        &self.sockets.udp
    }

    /// What the driver is to do: resolve a name, open or close a connection.
    pub fn poll_request(&mut self) -> Option<Request> {
        self.requests.pop_front()
    }

    /// Whether [`poll_request`](Self::poll_request) has something.
    pub fn has_requests(&self) -> bool {
        !self.requests.is_empty()
    }

    /// What a server is called in [`Config::ice_servers`](crate::Config::ice_servers).
    pub fn ice_server(&self, server: weft_ice::ServerId) -> Option<&weft_stun::ServerUrl> {
        self.servers.iter().find(|(id, _)| *id == server).map(|(_, url)| url)
    }

    /// The URL of the server that one of our candidates, as it was signalled, is from (`RTCIceCandidate.url`); `None` for a
    /// candidate of no server.
    pub fn candidate_server(&self, candidate: &weft_sdp::jsep::IceCandidate) -> Option<&weft_stun::ServerUrl> {
        let signalled = |known: &&weft_ice::Candidate| self.to_sdp(known).to_string() == candidate.candidate;
        self.server_of(self.ice.local_candidates().find(signalled)?)
    }

    /// The same for a candidate of ours as the agent knows it, as that of a pair.
    pub fn server_of(&self, candidate: &weft_ice::Candidate) -> Option<&weft_stun::ServerUrl> {
        self.ice_server(self.ice.server_of(candidate)?)
    }

    /// The addresses of a server's name; none if it has none.
    pub fn server_resolved(&mut self, now: Instant, server: weft_ice::ServerId, addresses: &[IpAddr]) {
        self.ice.server_resolved(now, server, addresses);
        self.settle(now);
    }

    /// The addresses of a name of the peer's that [`Request::ResolveCandidate`] asked for; none if nobody answers for it. May
    /// come late or never: the peer's own checks tell its address, too.
    pub fn candidate_resolved(&mut self, now: Instant, name: &str, addresses: &[IpAddr]) {
        let is_it =
            |candidate: &weft_sdp::Candidate| matches!(&candidate.address, Address::Name(known) if known == name);
        let found: Vec<_> = self.unresolved.waiting.extract_if(.., |candidate| is_it(candidate)).collect();
        for candidate in found {
            if addresses.is_empty() {
                self.counters.ignored_candidates += 1;
            }
            for ip in addresses {
                self.add_remote(now, &weft_sdp::Candidate { address: Address::Ip(*ip), ..candidate.clone() });
            }
        }
        if self.unresolved.waiting.is_empty() && std::mem::take(&mut self.unresolved.end) {
            self.ice.end_of_remote_candidates(now);
        }
        self.settle(now);
    }

    /// The connection that [`Request::OpenStream`] asked for is open.
    pub fn stream_opened(&mut self, now: Instant, path: &Path) {
        self.ice.stream_opened(now, path);
        self.settle(now);
    }

    /// A connection was not opened, or has ended, whoever opened it.
    pub fn stream_closed(&mut self, now: Instant, path: &Path) {
        self.ice.stream_closed(now, path);
        self.settle(now);
    }

    /// All candidates of a socket.
    pub(super) fn gather_host(&mut self, now: Instant, address: SocketAddr) {
        if self.config.mdns == MdnsPolicy::Hide && self.sockets.name_of(address.ip()).is_none() {
            tracing::warn!(%address, "left out: it has no name to hide behind");
            return;
        }
        self.gather(now, LocalCandidate::host(address));
        if self.config.tcp_candidates != TcpCandidates::None {
            // One for each IP address: a second one is redundant.
            self.gather(now, LocalCandidate::tcp_active(address.ip()));
        }
    }

    /// Candidates of all sockets that were told of so far.
    pub(super) fn gather_all(&mut self, now: Instant) {
        // Those by UDP first: they are preferred.
        for address in self.sockets.udp.clone() {
            self.gather_host(now, address);
        }
        for listener in self.sockets.listeners.clone() {
            self.gather(now, LocalCandidate::tcp_passive(listener));
        }
    }

    /// As the peer is to see it.
    pub(super) fn to_sdp(&self, candidate: &weft_ice::Candidate) -> weft_sdp::Candidate {
        let own = matches!(candidate.kind, weft_ice::CandidateKind::Host);
        convert::to_sdp(candidate, self.sockets.name_of(candidate.address.ip()).filter(|_| own))
    }

    /// A candidate of the peer's.
    pub(super) fn add_remote(&mut self, now: Instant, candidate: &weft_sdp::Candidate) {
        if self.await_name(candidate) {
            return;
        }
        let added = convert::from_sdp(candidate).map(|candidate| self.ice.add_remote_candidate(now, candidate));
        if !matches!(added, Some(Ok(()))) {
            self.counters.ignored_candidates += 1;
        }
    }

    /// Whether the candidate has a name that is resolved first.
    fn await_name(&mut self, candidate: &weft_sdp::Candidate) -> bool {
        let Address::Name(name) = &candidate.address else { return false };
        if !candidate.address.is_mdns()
            || self.generations.remote_ufrag().is_none()
            || self.config.mdns == MdnsPolicy::Off
            || self.unresolved.waiting.len() >= self.config.max_remote_candidates
        {
            return false;
        }
        let known = self.unresolved.waiting.iter().any(|other| other.address == candidate.address);
        self.unresolved.waiting.push(candidate.clone());
        if !known {
            self.requests.push_back(Request::ResolveCandidate(name.clone()));
        }
        true
    }

    /// The peer has no more candidates, but for those whose names are being resolved.
    pub(super) fn end_remote(&mut self, now: Instant) {
        if self.unresolved.waiting.is_empty() {
            self.ice.end_of_remote_candidates(now);
        } else {
            self.unresolved.end = true;
        }
    }

    /// The pair in use is lost and the agent has found no other.
    pub(super) fn restart_needed(&mut self, reason: weft_ice::RestartReason) {
        self.events.push_back(Event::IceRestartNeeded(reason));
        self.demand_restart();
    }

    /// An address came too late to be signalled. It is what a restart was missing if nothing works without.
    fn address_appeared(&mut self) {
        let late = self.states.gathering == GatheringState::Complete && self.generations.remote_ufrag().is_some();
        if late && self.timeline.pair_selected.is_some() && self.ice.selected_path().is_none() {
            self.demand_restart();
        }
    }

    fn demand_restart(&mut self) {
        // It is refused when the connection is closed, and then nobody needs one.
        let _ = self.restart_ice();
    }
}
