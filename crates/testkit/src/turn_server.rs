//! A STUN and TURN server (RFC 8489, RFC 8656) in virtual time.

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;
use std::collections::BTreeMap;
use std::fmt::Write as _;

use weft_core::{Frame, Full, Instant, Overhead, Rng};
use weft_stun::{
    AccessToken, AddressFamily, AlternateDomain, AlternateServer, AttributeType, ChannelData, ChannelNumber, Class,
    Data, ErrorCode, IntegrityKey, Lifetime, Message, MessageBuilder, Method, Nonce, PasswordAlgorithmId, Realm,
    RequestedAddressFamily, RequestedTransport, ThirdPartyAuthorization, TransactionId, Userhash, Username,
    XorMappedAddress, XorPeerAddress, XorRelayedAddress, userhash,
};

/// How a [`TurnServer`] behaves.
#[derive(Clone, Debug)]
pub struct TurnServerConfig {
    /// Who may allocate, and the password. Nobody is asked when `None`.
    pub user: Option<(String, String)>,
    /// The realm.
    pub realm: String,
    /// A nonce is stale after so long.
    pub nonce_lifetime: Duration,
    /// Offer SHA-256 and MD5 (RFC 8489 section 9.2), with the nonce cookie.
    pub algorithms: bool,
    /// Ask for USERHASH in place of USERNAME, with the nonce cookie.
    pub anonymous: bool,
    /// The lifetime of every allocation.
    pub lifetime: Duration,
    /// Allocations that may exist at a time.
    pub quota: usize,
    /// Send everybody there.
    pub alternate: Option<SocketAddr>,
    /// And name it in ALTERNATE-DOMAIN.
    pub alternate_domain: Option<String>,
    /// Answer every Allocate request with this error.
    pub refuses: Option<u16>,
    /// Peers nobody may reach.
    pub denied: Vec<IpAddr>,
    /// Answer 400 in place of 437 to CreatePermission and ChannelBind, as coturn does.
    pub mismatch_is_bad_request: bool,
    /// Takes access tokens (RFC 7635), and nothing else unless there is a `user`, too.
    pub third_party: Option<ThirdParty>,
    /// Relayed IPv6 addresses, where it has them.
    pub relay_v6: Option<IpAddr>,
}

impl Default for TurnServerConfig {
    /// `alice` with `secret` in `test`, as RFC 5766 has it: MD5 and nonces that last an hour.
    fn default() -> Self {
        Self {
            user: Some(("alice".to_owned(), "secret".to_owned())),
            realm: "test".to_owned(),
            nonce_lifetime: Duration::from_secs(3600),
            algorithms: false,
            anonymous: false,
            lifetime: Duration::from_secs(600),
            quota: usize::MAX,
            alternate: None,
            alternate_domain: None,
            refuses: None,
            denied: Vec::new(),
            mismatch_is_bad_request: false,
            third_party: None,
            relay_v6: None,
        }
    }
}

/// What a server has agreed on with an authorization server.
#[derive(Clone, Debug)]
pub struct ThirdParty {
    /// Under which name it is known there.
    pub server_name: String,
    /// The tokens that are good, and the session key in each.
    pub tokens: Vec<(Vec<u8>, Vec<u8>)>,
}

#[derive(Debug)]
struct Allocation {
    relayed: Vec<SocketAddr>,
    expires: Instant,
    permissions: BTreeMap<IpAddr, Instant>,
    channels: BTreeMap<u16, (SocketAddr, Instant)>,
    /// The session key of the access token it belongs to.
    mac_key: Option<Vec<u8>>,
    /// The request that made it, whose repetitions get the same answer.
    made_by: TransactionId,
}

/// A datagram to be sent: from, to, content.
pub type Sent = (SocketAddr, SocketAddr, Vec<u8>);

/// The server: datagrams go in, datagrams come out.
#[derive(Debug)]
pub struct TurnServer {
    /// How it behaves; may be changed while it runs.
    pub config: TurnServerConfig,
    address: SocketAddr,
    relay: IpAddr,
    allocations: BTreeMap<SocketAddr, Allocation>,
    nonces: BTreeMap<String, Instant>,
    next_port: u16,
    rng: Rng,
    /// Requests it has seen, by method.
    pub requests: BTreeMap<u16, u64>,
    /// Send indications and ChannelData messages that were relayed, and those dropped for want of a permission.
    pub relayed: (u64, u64, u64),
}

impl ThirdParty {
    fn key(&self, token: &[u8]) -> Option<&Vec<u8>> {
        self.tokens.iter().find(|(known, _)| known == token).map(|(_, key)| key)
    }
}

/// An error response.
struct Refusal(ErrorCode<'static>);

type Outcome<T> = Result<T, Refusal>;

impl TurnServer {
    /// A server at `address`, whose relayed addresses are ports of `relay`.
    pub fn new(address: SocketAddr, relay: IpAddr, config: TurnServerConfig, rng: Rng) -> Self {
        Self {
            config,
            address,
            relay,
            allocations: BTreeMap::new(),
            nonces: BTreeMap::new(),
            next_port: 50_000,
            rng,
            requests: BTreeMap::new(),
            relayed: (0, 0, 0),
        }
    }

    /// Whether what is sent to `to` arrives here.
    pub fn is_at(&self, to: SocketAddr) -> bool {
        to == self.address || to.ip() == self.relay || self.config.relay_v6 == Some(to.ip())
    }

    /// How many allocations there are.
    pub fn allocations(&self) -> usize {
        self.allocations.len()
    }

    /// Forgets everything, as a server that was restarted.
    pub fn restart(&mut self) {
        self.allocations.clear();
        self.nonces.clear();
    }

    /// Handles a datagram and says what is to be sent.
    pub fn handle(&mut self, now: Instant, from: SocketAddr, to: SocketAddr, bytes: &[u8]) -> Vec<Sent> {
        self.expire(now);
        if to != self.address {
            return self.relay_in(from, to, bytes).into_iter().collect();
        }
        if let Some(message) = ChannelData::parse(bytes) {
            let peer = self.allocations.get(&from).and_then(|a| a.channels.get(&message.number)).map(|&(peer, _)| peer);
            self.relayed.1 += u64::from(peer.is_some());
            return peer.and_then(|peer| self.relay_out(from, peer, message.data)).into_iter().collect();
        }
        let Ok(message) = Message::parse(bytes) else { return Vec::new() };
        match message.class() {
            Class::Request => {
                *self.requests.entry(message.method().number()).or_default() += 1;
                self.request(now, from, &message).map(|reply| (self.address, from, reply)).into_iter().collect()
            }
            Class::Indication if message.method() == Method::SEND => {
                let (Ok(Some(XorPeerAddress(peer))), Ok(Some(Data(data)))) = (message.get(), message.get()) else {
                    return Vec::new();
                };
                self.relayed.0 += 1;
                self.relay_out(from, peer, data).into_iter().collect()
            }
            _ => Vec::new(),
        }
    }

    fn expire(&mut self, now: Instant) {
        self.allocations.retain(|_, allocation| allocation.expires > now);
        for allocation in self.allocations.values_mut() {
            allocation.permissions.retain(|_, expires| *expires > now);
            allocation.channels.retain(|_, (_, expires)| *expires > now);
        }
        let lifetime = self.config.nonce_lifetime;
        self.nonces.retain(|_, made| now - *made < lifetime);
    }

    fn relay_out(&mut self, client: SocketAddr, peer: SocketAddr, data: &[u8]) -> Option<Sent> {
        let allocation = self.allocations.get(&client)?;
        if !allocation.permissions.contains_key(&peer.ip()) {
            self.relayed.2 += 1;
            return None;
        }
        let relayed = allocation.relayed.iter().find(|relayed| relayed.is_ipv4() == peer.is_ipv4())?;
        Some((*relayed, peer, data.to_vec()))
    }

    fn relay_in(&mut self, peer: SocketAddr, relayed: SocketAddr, data: &[u8]) -> Option<Sent> {
        let (client, allocation) = self.allocations.iter().find(|(_, a)| a.relayed.contains(&relayed))?;
        if !allocation.permissions.contains_key(&peer.ip()) {
            return None;
        }
        let channel = allocation.channels.iter().find(|(_, (bound, _))| *bound == peer);
        let mut buf = vec![0; data.len() + 64];
        let mut frame = Frame::new(&mut buf, Overhead { head: 4, tail: 0 });
        if let Some((number, _)) = channel {
            frame.push(data).ok()?;
            ChannelData::wrap(*number, false, &mut frame).ok()?;
        } else {
            let id = TransactionId::random(&mut self.rng);
            let mut message = MessageBuilder::new(&mut frame, Class::Indication, Method::DATA, id).ok()?;
            message.attribute(&XorPeerAddress(peer)).ok()?.attribute(&Data(data)).ok()?;
        }
        Some((self.address, *client, frame.content().to_vec()))
    }

    fn request(&mut self, now: Instant, from: SocketAddr, request: &Message<'_>) -> Option<Vec<u8>> {
        let mut buf = [0; 1024];
        let mut frame = Frame::new(&mut buf, Overhead::NONE);
        let key = if request.method() == Method::BINDING { Ok(None) } else { self.authenticate(from, request) };
        let (id, method) = (request.transaction_id(), request.method());
        let outcome = match &key {
            Ok(_) => self.grant(now, from, request),
            Err(Refusal(error)) => Err(Refusal(*error)),
        };
        let written = match outcome {
            Ok(attributes) => {
                let builder = MessageBuilder::new(&mut frame, Class::Success, method, id);
                builder.and_then(|mut reply| {
                    self.success(from, attributes, &mut reply)?;
                    sign(&mut reply, key.as_ref().ok().and_then(Option::as_ref), self.config.algorithms)
                })
            }
            Err(Refusal(error)) => {
                let builder = MessageBuilder::new(&mut frame, Class::Error, method, id);
                builder.and_then(|mut reply| {
                    reply.attribute(&error)?;
                    if let (300, Some(server)) = (error.code, self.config.alternate) {
                        reply.attribute(&AlternateServer(server))?;
                        if let Some(domain) = &self.config.alternate_domain {
                            reply.attribute(&AlternateDomain(domain))?;
                        }
                    }
                    if matches!(error.code, 401 | 438) {
                        self.challenge(now, &mut reply)?;
                    }
                    sign(&mut reply, key.as_ref().ok().and_then(Option::as_ref), self.config.algorithms)
                })
            }
        };
        written.is_ok().then(|| frame.content().to_vec())
    }

    fn challenge(&mut self, now: Instant, reply: &mut MessageBuilder<'_, '_>) -> Result<(), Full> {
        let mut nonce = String::new();
        if self.config.algorithms || self.config.anonymous {
            nonce.push_str("obMatJos2");
            nonce.push_str(match (self.config.algorithms, self.config.anonymous) {
                (true, true) => "wAAA",
                (true, false) => "gAAA",
                _ => "QAAA",
            });
        }
        let _ = write!(nonce, "{:016x}", self.rng.u64());
        reply.attribute(&Realm(&self.config.realm))?.attribute(&Nonce(&nonce))?;
        if let Some(third_party) = &self.config.third_party {
            reply.attribute(&ThirdPartyAuthorization(&third_party.server_name))?;
        }
        self.nonces.insert(nonce, now);
        if self.config.algorithms {
            reply.raw(AttributeType::PASSWORD_ALGORITHMS, &[0, 2, 0, 0, 0, 1, 0, 0])?;
        }
        Ok(())
    }

    /// RFC 8489 section 9.2.4.
    fn authenticate(&self, from: SocketAddr, request: &Message<'_>) -> Outcome<Option<(IntegrityKey, bool)>> {
        if self.config.user.is_none() && self.config.third_party.is_none() {
            return Ok(None);
        }
        let sha256 = request.has(AttributeType::MESSAGE_INTEGRITY_SHA256);
        if !sha256 && !request.has(AttributeType::MESSAGE_INTEGRITY) {
            return Err(Refusal(ErrorCode::UNAUTHENTICATED));
        }
        let bad = || Refusal(ErrorCode::BAD_REQUEST);
        let realm = request.get::<Realm<'_>>().ok().flatten().ok_or_else(bad)?.0;
        let nonce = request.get::<Nonce<'_>>().ok().flatten().ok_or_else(bad)?.0;
        if !self.nonces.contains_key(nonce) {
            return Err(Refusal(ErrorCode::STALE_NONCE));
        }
        if let Some(key) = self.session_key(from, request)? {
            return Ok(Some((key, false)));
        }
        let Some((user, password)) = &self.config.user else { return Err(Refusal(ErrorCode::UNAUTHENTICATED)) };
        if request.has(AttributeType::PASSWORD_ALGORITHMS) != self.config.algorithms || sha256 != self.config.algorithms
        {
            return Err(bad());
        }
        let named = if self.config.anonymous {
            request.get::<Userhash>().ok().flatten() == Some(Userhash(userhash(user, realm)))
        } else {
            request.get::<Username<'_>>().ok().flatten() == Some(Username(user))
        };
        let algorithm = if sha256 { PasswordAlgorithmId::Sha256 } else { PasswordAlgorithmId::Md5 };
        let key = IntegrityKey::long_term(algorithm, user, realm, password);
        if !named || realm != self.config.realm || !request.check_integrity(&key).holds() {
            return Err(Refusal(ErrorCode::UNAUTHENTICATED));
        }
        Ok(Some((key, sha256)))
    }

    /// The key of the access token in the request, or of the one that the allocation was made with (RFC 7635 sections 7 and 9).
    fn session_key(&self, from: SocketAddr, request: &Message<'_>) -> Outcome<Option<IntegrityKey>> {
        let Some(third_party) = &self.config.third_party else { return Ok(None) };
        let made_with = self.allocations.get(&from).and_then(|allocation| allocation.mac_key.as_ref());
        let mac_key = match request.get::<AccessToken<'_>>() {
            Ok(Some(_)) if !matches!(request.method(), Method::ALLOCATE | Method::REFRESH) => {
                return Err(Refusal(ErrorCode::BAD_REQUEST));
            }
            Ok(Some(AccessToken(token))) => third_party.key(token),
            _ => made_with,
        };
        let Some(mac_key) = mac_key else { return Ok(None) };
        let key = IntegrityKey::mac_key(mac_key);
        let holds = request.check_integrity(&key).holds();
        if holds { Ok(Some(key)) } else { Err(Refusal(ErrorCode::UNAUTHENTICATED)) }
    }

    /// Does what is asked for, and gives the lifetime to answer with.
    fn grant(&mut self, now: Instant, from: SocketAddr, request: &Message<'_>) -> Outcome<Option<Lifetime>> {
        let lifetime = Lifetime(self.config.lifetime.as_secs() as u32);
        match request.method() {
            Method::BINDING => return Ok(None),
            Method::ALLOCATE => {
                self.allocate(now, from, request)?;
                return Ok(Some(lifetime));
            }
            _ => {}
        }
        let bad = Refusal(ErrorCode::BAD_REQUEST);
        let expires = now + self.config.lifetime;
        let token_key = self.token_key(request);
        let denied = self.config.denied.clone();
        let odd = self.config.mismatch_is_bad_request && request.method() != Method::REFRESH;
        let mismatch = if odd { ErrorCode::BAD_REQUEST } else { ErrorCode::ALLOCATION_MISMATCH };
        let allocation = self.allocations.get_mut(&from).ok_or(Refusal(mismatch))?;
        match request.method() {
            Method::REFRESH if request.get::<Lifetime>() == Ok(Some(Lifetime(0))) => {
                self.allocations.remove(&from);
                Ok(Some(Lifetime(0)))
            }
            Method::REFRESH => {
                allocation.expires = expires;
                allocation.mac_key = token_key.or(allocation.mac_key.take());
                Ok(Some(lifetime))
            }
            Method::CREATE_PERMISSION => {
                let id = request.transaction_id();
                let peers = request.attributes().filter(|raw| raw.kind == AttributeType::XOR_PEER_ADDRESS);
                let peers: Vec<_> = peers
                    .filter_map(|raw| <XorPeerAddress as weft_stun::Attribute<'_>>::decode(raw.value, &id))
                    .map(|peer| peer.0.ip())
                    .collect();
                if peers.is_empty() {
                    return Err(bad);
                }
                if peers.iter().any(|ip| denied.contains(ip)) {
                    return Err(Refusal(ErrorCode::FORBIDDEN));
                }
                if peers.iter().any(|ip| !allocation.relayed.iter().any(|r| r.is_ipv4() == ip.is_ipv4())) {
                    return Err(Refusal(ErrorCode::PEER_ADDRESS_FAMILY_MISMATCH));
                }
                allocation.permissions.extend(peers.into_iter().map(|ip| (ip, now + Duration::from_secs(300))));
                Ok(None)
            }
            Method::CHANNEL_BIND => {
                let (Ok(Some(ChannelNumber(number))), Ok(Some(XorPeerAddress(peer)))) = (request.get(), request.get())
                else {
                    return Err(bad);
                };
                let clash = allocation.channels.iter().any(|(n, (p, _))| (*n == number) != (*p == peer));
                if clash || !ChannelData::NUMBERS.contains(&number) {
                    return Err(bad);
                }
                if denied.contains(&peer.ip()) {
                    return Err(Refusal(ErrorCode::FORBIDDEN));
                }
                allocation.channels.insert(number, (peer, now + Duration::from_secs(600)));
                allocation.permissions.insert(peer.ip(), now + Duration::from_secs(300));
                Ok(None)
            }
            _ => Err(bad),
        }
    }

    fn token_key(&self, request: &Message<'_>) -> Option<Vec<u8>> {
        let AccessToken(token) = request.get().ok()??;
        self.config.third_party.as_ref()?.key(token).cloned()
    }

    fn allocate(&mut self, now: Instant, from: SocketAddr, request: &Message<'_>) -> Outcome<()> {
        if let Some(known) = self.allocations.get(&from) {
            let same = known.made_by == request.transaction_id();
            return if same { Ok(()) } else { Err(Refusal(ErrorCode::ALLOCATION_MISMATCH)) };
        }
        if request.get::<RequestedTransport>() != Ok(Some(RequestedTransport::UDP)) {
            return Err(Refusal(ErrorCode::UNSUPPORTED_TRANSPORT));
        }
        if let Some(code) = self.config.refuses {
            return Err(Refusal(ErrorCode { code, reason: "" }));
        }
        if self.config.alternate.is_some() {
            return Err(Refusal(ErrorCode::TRY_ALTERNATE));
        }
        if self.allocations.len() >= self.config.quota {
            return Err(Refusal(ErrorCode::ALLOCATION_QUOTA_REACHED));
        }
        let mut ips = Vec::new();
        match request.get::<RequestedAddressFamily>() {
            Ok(Some(RequestedAddressFamily(AddressFamily::V6))) => {
                ips.push(self.config.relay_v6.ok_or(Refusal(ErrorCode::ADDRESS_FAMILY_NOT_SUPPORTED))?);
            }
            _ => ips.push(self.relay),
        }
        if request.has(AttributeType::ADDITIONAL_ADDRESS_FAMILY) {
            // As coturn, which repeats the address it has.
            ips.push(self.config.relay_v6.unwrap_or(self.relay));
        }
        let port = self.next_port;
        self.next_port = self.next_port.checked_add(1).unwrap_or(50_000);
        let allocation = Allocation {
            relayed: ips.into_iter().map(|ip| SocketAddr::new(ip, port)).collect(),
            expires: now + self.config.lifetime,
            permissions: BTreeMap::new(),
            channels: BTreeMap::new(),
            mac_key: self.token_key(request),
            made_by: request.transaction_id(),
        };
        self.allocations.insert(from, allocation);
        Ok(())
    }

    fn success(
        &self,
        from: SocketAddr,
        lifetime: Option<Lifetime>,
        reply: &mut MessageBuilder<'_, '_>,
    ) -> Result<(), Full> {
        reply.attribute(&XorMappedAddress(from))?;
        if let Some(lifetime) = lifetime {
            for relayed in self.allocations.get(&from).map_or(&[][..], |allocation| &allocation.relayed) {
                reply.attribute(&XorRelayedAddress(*relayed))?;
            }
            reply.attribute(&lifetime)?;
        }
        Ok(())
    }
}

fn sign(reply: &mut MessageBuilder<'_, '_>, key: Option<&(IntegrityKey, bool)>, algorithms: bool) -> Result<(), Full> {
    match key {
        Some((key, _)) if algorithms => reply.integrity_sha256(key)?.fingerprint(),
        Some((key, _)) => reply.integrity(key)?.fingerprint(),
        None => reply.fingerprint(),
    }
}
