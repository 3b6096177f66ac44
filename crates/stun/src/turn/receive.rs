//! What comes from the server: [RFC 8656 sections 7.3, 7.4, 8.3, 10.3, 11.4, 11.6, 12.3 and 12.6](https://www.rfc-editor.org/rfc/rfc8656#section-7.3).

use core::net::SocketAddr;
use core::ops::Range;
use core::time::Duration;

use weft_core::{Datagram, Instant, Path, Transport};

use super::client::{Client, REDIRECTION_MEMORY, Received, State};
use super::config::RelayFamily;
use super::event::{Allocation, Event, Failure, LostReason};
use super::peers::Grant;
use super::request::{Kind, Request};
use crate::long_term::{CredentialError, Verdict};
use crate::wire::attribute::{
    AddressErrorCode, AddressFamily, AlternateDomain, AlternateServer, Attribute as _, AttributeType, ErrorCode, Icmp,
    Lifetime, UnknownAttributes, XorMappedAddress, XorPeerAddress, XorRelayedAddress,
};
use crate::wire::{ChannelData, Class, Message, Method};

/// coturn answers 400 where there is no allocation. Whether there is one is asked first; what was refused is asked for again
/// after so long.
const DOUBT: Duration = Duration::from_secs(1);

/// Where a peer's data lies in a datagram of the server, and whose it is.
type Payload = (SocketAddr, Range<usize>);

impl Client {
    /// As `handle_input`, for an owner that wants the client back while it still holds what came: a yield lends nothing of it.
    pub fn receive<'d>(&mut self, now: Instant, input: Datagram<'d>) -> Received<'d> {
        if !self.is_from_server(&input.path) {
            return Received::NotOurs(input);
        }
        let found = if ChannelData::claims(input.payload) {
            self.channel_data(input.payload)
        } else {
            match Message::parse(input.payload) {
                Ok(message) if message.class() == Class::Indication && message.method() == Method::DATA => {
                    self.data_indication(&message)
                }
                Ok(message) if matches!(message.class(), Class::Success | Class::Error) => {
                    let id = message.transaction_id();
                    let Some(at) = self.requests.iter().position(|r| r.transaction.id() == id) else {
                        return Received::NotOurs(input);
                    };
                    self.response(now, at, &message);
                    return Received::Taken;
                }
                _ => return Received::NotOurs(input),
            }
        };
        let local = found.as_ref().and_then(|(peer, _)| self.relayed(AddressFamily::of(peer.ip())));
        let (Some((peer, range)), Some(local)) = (found, local) else {
            self.stats.dropped += 1;
            return Received::Taken;
        };
        let Some(payload) = input.payload.get_mut(range) else { return Received::Taken };
        self.stats.relayed += 1;
        Received::Relayed(Datagram { path: Path::udp(local, peer), ecn: input.ecn, payload })
    }

    fn is_from_server(&self, path: &Path) -> bool {
        let ours = self.path.local;
        path.transport == self.path.transport
            && path.remote == self.path.remote
            && path.local.port() == ours.port()
            && (path.local.ip() == ours.ip() || ours.ip().is_unspecified())
    }

    fn channel_data(&self, bytes: &[u8]) -> Option<Payload> {
        let message = ChannelData::parse(bytes)?;
        let channel = self.peers.channel(message.number)?;
        let start = ChannelData::HEADER_LEN;
        self.peers.is_open(channel.peer.ip()).then(|| (channel.peer, start..start + message.data.len()))
    }

    fn data_indication(&mut self, message: &Message<'_>) -> Option<Payload> {
        if message.unknown_required().next().is_some() {
            return None;
        }
        let XorPeerAddress(peer) = message.get().ok()??;
        if !self.peers.is_open(peer.ip()) {
            return None;
        }
        if let Ok(Some(icmp)) = message.get::<Icmp>() {
            self.emit(Event::Unreachable { peer, icmp });
        }
        let data = message.attributes().find(|raw| raw.kind == AttributeType::DATA)?;
        let start = data.offset + 4;
        Some((peer, start..start + data.value.len()))
    }

    fn response(&mut self, now: Instant, at: usize, response: &Message<'_>) {
        let Some(request) = self.requests.get_mut(at) else { return };
        if request.kind.method() != response.method() || request.transaction.sent() == 0 {
            self.stats.dropped += 1;
            return;
        }
        if let Some(round_trip) = request.transaction.round_trip(now) {
            self.rto.on_round_trip(now, round_trip);
        }
        // A copy of it may have made an allocation before this one came too late for its nonce.
        let unconfirmed = self.long_term.is_authenticating() && request.transaction.sent() > 1;
        let verdict = self.long_term.judge(response);
        if verdict == Verdict::Discard {
            self.stats.unauthentic += 1;
            request.tainted = true;
            if self.path.transport != Transport::Udp {
                let request = self.requests.remove(at);
                self.on_no_response(now, request);
            }
            return;
        }
        self.stats.responses += 1;
        let Request { kind, .. } = self.requests.remove(at);
        match verdict {
            Verdict::Retry => {
                self.unconfirmed |= unconfirmed && kind == Kind::Allocate;
                // The nonce is another for all of them.
                let others: Vec<_> = self.requests.drain(..).map(|request| request.kind).collect();
                self.start(now, kind);
                for kind in others {
                    self.start(now, kind);
                }
            }
            Verdict::Refused(_) if self.state == State::Closing => self.finish_closing(),
            Verdict::Refused(error) => self.on_credentials_refused(now, kind, error),
            Verdict::Accept if response.class() == Class::Error => self.on_error(now, kind, response),
            _ => self.on_success(now, kind, response),
        }
    }

    fn on_credentials_refused(&mut self, now: Instant, kind: Kind, error: CredentialError) {
        let lacks_token = matches!(error, CredentialError::TokenRequired | CredentialError::TokenRefused);
        let server = self.long_term.third_party().filter(|_| lacks_token).map(str::to_owned);
        match (server, kind) {
            (Some(server), Kind::Allocate | Kind::Deallocate) => self.fail(Failure::TokenRequired { server }),
            (Some(server), kind) => {
                // What there is lasts until it expires; what was asked for is asked for again with a new token.
                self.emit(Event::TokenRequired { server });
                if kind == Kind::Refresh {
                    self.on_renewed(now);
                }
            }
            // There are others, which were kept for this moment.
            (None, Kind::Allocate) if self.next_credentials.is_some() => self.allocate(now),
            (None, _) if self.next_credentials.is_some() => self.lose(now, LostReason::Forgotten),
            (None, _) => self.fail(Failure::Credentials(error)),
        }
    }

    /// The Refresh that held up everything else has come to its end.
    fn on_renewed(&mut self, now: Instant) {
        if core::mem::take(&mut self.renewing) {
            self.advance(now);
        }
    }

    fn on_success(&mut self, now: Instant, kind: Kind, response: &Message<'_>) {
        if response.unknown_required().next().is_some() {
            return self.on_error_code(now, kind, 0, "the response has attributes that are not understood", None);
        }
        match kind {
            Kind::Allocate => self.on_allocated(now, response),
            Kind::Refresh => match response.get::<Lifetime>() {
                Ok(Some(lifetime)) if lifetime.0 > 0 => {
                    self.set_lifetime(now, lifetime);
                    self.on_renewed(now);
                }
                _ => self.lose(now, LostReason::Forgotten),
            },
            Kind::Deallocate => self.on_deallocated(now),
            Kind::Permit(ips) => {
                for ip in ips {
                    if self.peers.granted(now, ip) {
                        self.emit(Event::Permitted(ip));
                    }
                }
            }
            Kind::Bind(_, peer) => {
                if self.peers.bound(now, peer) {
                    self.emit(Event::ChannelBound(peer));
                }
                if self.peers.granted(now, peer.ip()) {
                    self.emit(Event::Permitted(peer.ip()));
                }
            }
        }
    }

    fn on_allocated(&mut self, now: Instant, response: &Message<'_>) {
        let mapped = response.get::<XorMappedAddress>().ok().flatten();
        let lifetime = response.get::<Lifetime>().ok().flatten().filter(|lifetime| lifetime.0 > 0);
        let v4 = self.granted(response, AddressFamily::V4);
        let v6 = self.granted(response, AddressFamily::V6);
        let (relayed, additional) = if v4.is_some() { (v4, v6) } else { (v6, None) };
        let (Some(relayed), Some(XorMappedAddress(mapped)), Some(lifetime)) = (relayed, mapped, lifetime) else {
            return self.give_back(now);
        };
        let refused = response.get::<AddressErrorCode<'_>>().ok().flatten().map(|error| (error.family, error.code));
        self.state = State::Allocated;
        self.set_lifetime(now, lifetime);
        let allocation = Allocation { relayed, additional, refused, mapped, lifetime: lifetime.duration() };
        self.allocation = Some(allocation);
        self.emit(Event::Allocated(allocation));
        self.advance(now);
    }

    /// The relayed address of this family, if it was asked for. coturn repeats the one it has in place of one it has not.
    fn granted(&self, response: &Message<'_>, family: AddressFamily) -> Option<SocketAddr> {
        let wanted = match self.config.family {
            RelayFamily::Unspecified => family == AddressFamily::V4,
            RelayFamily::Only(only) => family == only,
            RelayFamily::Both => true,
        };
        let id = response.transaction_id();
        let relayed = response.attributes().filter(|raw| raw.kind == AttributeType::XOR_RELAYED_ADDRESS);
        let mut relayed = relayed.filter_map(|raw| XorRelayedAddress::decode(raw.value, &id)).map(|address| address.0);
        let usable = |address: &SocketAddr| address.port() != 0 && !address.ip().is_unspecified();
        relayed.find(|address| wanted && AddressFamily::of(address.ip()) == family && usable(address))
    }

    /// An allocation we cannot use (RFC 8656 section 7.3).
    fn give_back(&mut self, now: Instant) {
        self.fail(Failure::Malformed);
        self.start(now, Kind::Deallocate);
    }

    fn on_deallocated(&mut self, now: Instant) {
        match self.state {
            State::Closing => self.finish_closing(),
            // It was out of step: another one.
            State::Allocating => self.allocate(now),
            _ => {}
        }
    }

    /// A minute before it ends it is refreshed (RFC 8656 section 8), a short one after half its time.
    fn set_lifetime(&mut self, now: Instant, lifetime: Lifetime) {
        let lifetime = lifetime.duration();
        self.expires = now + lifetime;
        self.refresh_at = self.expires - (lifetime / 2).min(Duration::from_secs(60));
    }

    fn on_error(&mut self, now: Instant, kind: Kind, response: &Message<'_>) {
        let Ok(Some(ErrorCode { code, reason })) = response.get() else { return };
        // Some servers count the zero that ends their string.
        let reason = reason.trim_end_matches('\0');
        let unknown = response.get::<UnknownAttributes<'_>>().ok().flatten();
        match code {
            300 => self.redirect(now, response),
            420 if kind == Kind::Allocate && !self.plain && self.may_be_plain(unknown) => {
                self.plain = true;
                self.start(now, kind);
            }
            _ => self.on_error_code(now, kind, code, reason, unknown.and_then(|list| list.iter().next())),
        }
    }

    /// Whether what the server does not understand is only said to be sure.
    fn may_be_plain(&self, unknown: Option<UnknownAttributes<'_>>) -> bool {
        self.config.family == RelayFamily::Only(AddressFamily::V4)
            && unknown.is_some_and(|list| list.iter().all(|kind| kind == AttributeType::REQUESTED_ADDRESS_FAMILY))
    }

    fn on_error_code(&mut self, now: Instant, kind: Kind, code: u16, reason: &str, unknown: Option<AttributeType>) {
        match kind {
            Kind::Deallocate => self.on_deallocated(now),
            // It is ours. The answer was lost, and with a new nonce came a new transaction id, by which the server no longer knows
            // it for a repetition (RFC 8656 section 7.2): another takes its place.
            Kind::Allocate if code == 437 && self.unconfirmed => self.start(now, Kind::Deallocate),
            Kind::Allocate => self.fail(Failure::of(code, reason, unknown)),
            _ if code == 437 => self.lose(now, LostReason::Forgotten),
            _ if code == 441 => self.fail(Failure::of(code, reason, unknown)),
            // It lasts until it expires.
            Kind::Refresh => self.on_renewed(now),
            Kind::Permit(ips) => self.on_permission_refused(now, &ips, code, reason),
            Kind::Bind(_, peer) => self.on_channel_refused(now, peer, code, reason),
        }
    }

    fn on_permission_refused(&mut self, now: Instant, ips: &[core::net::IpAddr], code: u16, reason: &str) {
        if let [ip] = ips {
            if code == 400
                && let Some(permission) = self.peers.permission(*ip).filter(|permission| !permission.doubted)
            {
                (permission.doubted, permission.grant, permission.due) = (true, Grant::Wanted, now + DOUBT);
                return self.refresh(now);
            }
            self.peers.permissions.retain(|permission| permission.ip != *ip);
            self.emit(Event::PermissionRefused { peer: *ip, code, reason: reason.to_owned() });
            return;
        }
        // One of them is to blame.
        for &ip in ips {
            self.start(now, Kind::Permit(vec![ip]));
        }
    }

    fn on_channel_refused(&mut self, now: Instant, peer: SocketAddr, code: u16, reason: &str) {
        let Some(channel) = self.peers.channel_mut(peer) else { return };
        if channel.bound && code == 400 {
            // Server and client mean different things (RFC 8656 section 12.3).
            self.emit(Event::Lost(LostReason::OutOfStep));
            self.requests.clear();
            self.forget_allocation(now);
            self.state = State::Allocating;
            return self.start(now, Kind::Deallocate);
        }
        if code == 400 && !channel.doubted {
            (channel.doubted, channel.due) = (true, now + DOUBT);
            return self.refresh(now);
        }
        (channel.wanted, channel.bound) = (false, false);
        channel.expires = now;
        self.emit(Event::ChannelRefused { peer, code, reason: reason.to_owned() });
    }

    /// RFC 8489 section 10.
    fn redirect(&mut self, now: Instant, response: &Message<'_>) {
        let id = response.transaction_id();
        let servers = response.attributes().filter(|raw| raw.kind == AttributeType::ALTERNATE_SERVER);
        let mut servers = servers.filter_map(|raw| AlternateServer::decode(raw.value, &id)).map(|server| server.0);
        let family = |server: &SocketAddr| server.is_ipv4() == self.path.remote.is_ipv4();
        let Some(server) = servers.find(family) else { return self.fail(Failure::Malformed) };
        if server.port() == 0 || server.ip().is_unspecified() || server.ip().is_multicast() {
            return self.fail(Failure::Malformed);
        }
        self.visited.retain(|(_, at)| now - *at < REDIRECTION_MEMORY);
        let again = self.visited.iter().any(|(visited, _)| *visited == server);
        if again || self.visited.len() > self.config.max_redirections {
            return self.fail(Failure::RedirectionLoop);
        }
        let domain = response.get::<AlternateDomain<'_>>().ok().flatten().map(|domain| domain.0.to_owned());
        self.emit(Event::Redirected { server, domain });
        if self.path.transport == Transport::Udp {
            self.connect(now, Path { remote: server, ..self.path });
        } else {
            self.requests.clear();
            self.forget_allocation(now);
            self.state = State::AwaitingConnection;
        }
    }

    /// Nothing came, or nothing that could be believed.
    pub(super) fn on_no_response(&mut self, now: Instant, request: Request) {
        let failure = if request.tainted { Failure::Integrity } else { Failure::TimedOut };
        match request.kind {
            Kind::Allocate => self.fail(failure),
            Kind::Deallocate => self.on_deallocated(now),
            // It lasts until it expires.
            Kind::Refresh => self.on_renewed(now),
            Kind::Permit(ips) => {
                for ip in ips {
                    self.on_permission_refused(now, &[ip], 0, "no answer");
                }
            }
            Kind::Bind(_, peer) => self.on_channel_refused(now, peer, 0, "no answer"),
        }
    }
}
