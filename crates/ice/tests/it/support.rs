//! Two agents over a link, and messages made by hand.

use core::net::SocketAddr;
use core::time::Duration;

use weft_core::{Datagram, Frame, Instant, Layer, Overhead, Path, Rng};
use weft_ice::{Agent, Candidate, Config, Credentials, Event, IceState, LocalCandidate, Role};
use weft_stun::{
    AttributeType, Class, ErrorCode, IceControlled, IceControlling, IntegrityKey, Message, MessageBuilder, Method,
    Priority, TransactionId, UseCandidate, Username, XorMappedAddress,
};
use weft_testkit::{LinkConfig, Node, Pair};

pub(super) type Peer = Node<Agent, Vec<Vec<u8>>>;
pub(super) type Peers = Pair<Peer, Peer>;

pub(super) const A: &str = "192.0.2.1:5000";
pub(super) const B: &str = "198.51.100.2:6000";

pub(super) fn at(address: &str) -> SocketAddr {
    address.parse().unwrap()
}

pub(super) fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

pub(super) fn agent(role: Role, seed: u64) -> Agent {
    Agent::new(Config { report_checks: true, ..Config::default() }, role, Rng::from_test_seed(seed))
}

pub(super) fn peer(agent: Agent) -> Peer {
    Node::collecting(agent, Vec::new(), |collected: &mut Vec<Vec<u8>>, _, datagram: Option<Datagram<'_>>| {
        collected.extend(datagram.map(|d| d.payload.to_vec()));
    })
}

pub(super) fn link(one_way: u64) -> LinkConfig {
    LinkConfig { delay: ms(one_way), ..LinkConfig::default() }
}

/// A is controlling, B controlled; each has one address and knows nothing of the other.
pub(super) fn peers(link: LinkConfig, seed: u64) -> Peers {
    peers_of(agent(Role::Controlling, 2 * seed), agent(Role::Controlled, 2 * seed + 1), link, seed)
}

pub(super) fn peers_of(mut a: Agent, mut b: Agent, link: LinkConfig, seed: u64) -> Peers {
    a.add_local_candidate(Instant::ORIGIN, LocalCandidate::host(at(A))).unwrap().unwrap();
    b.add_local_candidate(Instant::ORIGIN, LocalCandidate::host(at(B))).unwrap().unwrap();
    Pair::new(peer(a), peer(b), link, seed)
}

/// What one agent signals to the other.
pub(super) fn signal(from: &Agent, to: &mut Agent, now: Instant) {
    to.set_remote_credentials(now, from.local_credentials());
    signal_candidates(from, to, now);
}

pub(super) fn signal_candidates(from: &Agent, to: &mut Agent, now: Instant) {
    for candidate in from.local_candidates() {
        to.add_remote_candidate(now, *candidate).unwrap();
    }
}

/// Both descriptions arrive now, complete.
pub(super) fn describe(pair: &mut Peers) {
    let now = pair.now();
    signal(&pair.b.layer, &mut pair.a.layer, now);
    signal(&pair.a.layer, &mut pair.b.layer, now);
    for agent in [&mut pair.a.layer, &mut pair.b.layer] {
        agent.end_of_local_candidates(now);
        agent.end_of_remote_candidates(now);
    }
}

pub(super) fn nominated(agent: &Agent) -> bool {
    agent.selected_pair().is_some_and(|pair| pair.nominated)
}

pub(super) fn both(pair: &Peers, is: impl Fn(&Agent) -> bool) -> bool {
    is(&pair.a.layer) && is(&pair.b.layer)
}

/// Two agents with a nominated pair.
pub(super) fn connected(link: LinkConfig, seed: u64) -> Peers {
    let mut pair = peers(link, seed);
    describe(&mut pair);
    pair.run_until(Duration::from_secs(20), |pair| both(pair, nominated)).unwrap();
    pair
}

/// A lone agent, driven by hand, and what it sends.
pub(super) struct Lone {
    pub(super) agent: Agent,
    pub(super) now: Instant,
    /// The far side's credentials.
    pub(super) remote: Credentials,
    pub(super) rng: Rng,
}

pub(super) const REMOTE_UFRAG: &str = "peer";
pub(super) const REMOTE_PWD: &str = "passwordpasswordpassword";

/// The path from the lone agent to its peer.
pub(super) fn path() -> Path {
    Path::udp(at(A), at(B))
}

/// A request to be changed before it is sent.
#[derive(Clone)]
pub(super) struct Check {
    pub(super) id: TransactionId,
    pub(super) username: Option<String>,
    pub(super) role: Role,
    pub(super) tie_breaker: u64,
    pub(super) use_candidate: bool,
    pub(super) priority: Option<u32>,
    pub(super) key: Option<IntegrityKey>,
    pub(super) sha256: bool,
    pub(super) fingerprint: bool,
    /// More attributes before the integrity.
    pub(super) extra: Vec<(u16, Vec<u8>)>,
}

impl Lone {
    /// Has a local candidate, and if `described` the peer's description.
    pub(super) fn new(role: Role, described: bool) -> Self {
        Self::with(Config { report_checks: true, ..Config::default() }, role, described)
    }

    pub(super) fn with(config: Config, role: Role, described: bool) -> Self {
        let mut agent = Agent::new(config, role, Rng::from_test_seed(77));
        let now = Instant::from_millis(1000);
        agent.add_local_candidate(now, LocalCandidate::host(at(A))).unwrap();
        let remote = Credentials::new(REMOTE_UFRAG, REMOTE_PWD).unwrap();
        let mut lone = Self { agent, now, remote, rng: Rng::from_test_seed(78) };
        if described {
            lone.describe();
        }
        lone
    }

    pub(super) fn describe(&mut self) {
        let remote = self.remote.clone();
        self.agent.set_remote_credentials(self.now, &remote);
    }

    /// The peer signals a host candidate.
    pub(super) fn remote_candidate(&mut self, address: &str, priority: u32) {
        self.agent.add_remote_candidate(self.now, candidate(address, priority)).unwrap();
    }

    /// What a peer in the other role would send.
    pub(super) fn check(&mut self) -> Check {
        Check {
            id: TransactionId::random(&mut self.rng),
            username: Some(format!("{}:{REMOTE_UFRAG}", self.agent.local_credentials().ufrag())),
            role: self.agent.role().other(),
            tie_breaker: 1,
            use_candidate: false,
            priority: Some(0x6E00_01FF),
            key: Some(IntegrityKey::short_term(self.agent.local_credentials().pwd())),
            sha256: false,
            fingerprint: true,
            extra: Vec::new(),
        }
    }

    pub(super) fn receive(&mut self, path: Path, bytes: &[u8]) -> Option<Vec<u8>> {
        let mut bytes = bytes.to_vec();
        self.agent.handle_input(self.now, Datagram::new(path, &mut bytes)).unwrap().map(|d| d.payload.to_vec())
    }

    /// The next datagram it sends.
    pub(super) fn transmit(&mut self) -> Option<(Path, Vec<u8>)> {
        let mut buf = [0xEE; 1400];
        let mut frame = Frame::new(&mut buf, Overhead::NONE);
        let path = self.agent.poll_transmit(self.now, &mut frame)?;
        Some((path, frame.content().to_vec()))
    }

    pub(super) fn drain(&mut self) -> Vec<(Path, Vec<u8>)> {
        core::iter::from_fn(|| self.transmit()).collect()
    }

    pub(super) fn events(&mut self) -> Vec<Event> {
        core::iter::from_fn(|| self.agent.poll_event()).collect()
    }

    /// Lets time pass as a driver would, collecting what is sent.
    pub(super) fn advance(&mut self, by: Duration) -> Vec<(Instant, Path, Vec<u8>)> {
        let end = self.now + by;
        let mut sent = Vec::new();
        loop {
            while let Some((path, bytes)) = self.transmit() {
                sent.push((self.now, path, bytes));
            }
            match self.agent.poll_timeout() {
                Some(next) if next <= end => {
                    assert!(next > self.now || next == Instant::ORIGIN || sent.len() < 100_000);
                    self.now = next.max(self.now);
                    self.agent.handle_timeout(self.now).unwrap();
                }
                _ => break,
            }
        }
        self.now = end;
        sent
    }

    /// Answers a check of the agent with success, from where it was sent to.
    pub(super) fn answer(&mut self, request: &(Path, Vec<u8>)) {
        let bytes = success(&request.1, request.0.local, REMOTE_PWD);
        self.receive(request.0, &bytes);
    }

    /// Lets time pass and answers each check at its end.
    pub(super) fn advance_and_answer(&mut self, by: Duration) -> Vec<Vec<u8>> {
        let sent = self.advance(by).into_iter().map(|(_, to, bytes)| (to, bytes));
        sent.map(|sent| {
            self.answer(&sent);
            sent.1
        })
        .collect()
    }

    /// A pair that the peer answers and, if the agent is controlled, nominates.
    pub(super) fn connect(&mut self) {
        self.remote_candidate(B, 0x7E00_FFFF);
        for _ in 0..4 {
            if self.agent.role() == Role::Controlled {
                let check = Check { use_candidate: true, ..self.check() };
                self.receive(path(), &check.bytes());
            }
            for sent in self.drain() {
                if Message::parse(&sent.1).unwrap().class() == Class::Request {
                    self.answer(&sent);
                }
            }
        }
        assert!(nominated(&self.agent));
        assert_eq!(self.agent.state(), IceState::Connected);
    }
}

impl Check {
    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut buf = [0; 2048];
        let mut frame = Frame::new(&mut buf, Overhead::NONE);
        let mut message = MessageBuilder::new(&mut frame, Class::Request, Method::BINDING, self.id).unwrap();
        if let Some(username) = &self.username {
            message.attribute(&Username(username)).unwrap();
        }
        match self.role {
            Role::Controlling => message.attribute(&IceControlling(self.tie_breaker)).unwrap(),
            Role::Controlled => message.attribute(&IceControlled(self.tie_breaker)).unwrap(),
        };
        if self.use_candidate {
            message.attribute(&UseCandidate).unwrap();
        }
        if let Some(priority) = self.priority {
            message.attribute(&Priority(priority)).unwrap();
        }
        for (kind, value) in &self.extra {
            message.raw(AttributeType(*kind), value).unwrap();
        }
        if let Some(key) = &self.key {
            if self.sha256 { message.integrity_sha256(key) } else { message.integrity(key) }.unwrap();
        }
        if self.fingerprint {
            message.fingerprint().unwrap();
        }
        frame.content().to_vec()
    }
}

pub(super) fn candidate(address: &str, priority: u32) -> Candidate {
    Candidate {
        // Each has its own, so that no pair is frozen.
        foundation: weft_ice::Foundation::new(&address.replace(|c: char| !c.is_ascii_alphanumeric(), "+")).unwrap(),
        component: 1,
        transport: weft_core::Transport::Udp,
        priority,
        address: at(address),
        kind: weft_ice::CandidateKind::Host,
        related: None,
        tcp_type: None,
    }
}

/// A success response to `request`, with the password of the agent that was asked.
pub(super) fn success(request: &[u8], mapped: SocketAddr, pwd: &str) -> Vec<u8> {
    let id = Message::parse(request).unwrap().transaction_id();
    let mut buf = [0; 256];
    let mut frame = Frame::new(&mut buf, Overhead::NONE);
    let mut message = MessageBuilder::new(&mut frame, Class::Success, Method::BINDING, id).unwrap();
    message.attribute(&XorMappedAddress(mapped)).unwrap();
    message.integrity(&IntegrityKey::short_term(pwd)).unwrap().fingerprint().unwrap();
    frame.content().to_vec()
}

/// An error response to `request`; with a password it is authentic.
pub(super) fn refusal(request: &[u8], code: u16, pwd: Option<&str>) -> Vec<u8> {
    let id = Message::parse(request).unwrap().transaction_id();
    let mut buf = [0; 256];
    let mut frame = Frame::new(&mut buf, Overhead::NONE);
    let mut message = MessageBuilder::new(&mut frame, Class::Error, Method::BINDING, id).unwrap();
    message.attribute(&ErrorCode { code, reason: "" }).unwrap();
    if let Some(pwd) = pwd {
        message.integrity(&IntegrityKey::short_term(pwd)).unwrap();
    }
    message.fingerprint().unwrap();
    frame.content().to_vec()
}

pub(super) fn error_code(bytes: &[u8]) -> Option<u16> {
    Message::parse(bytes).unwrap().get::<ErrorCode<'_>>().unwrap().map(|code| code.code)
}

pub(super) fn class(bytes: &[u8]) -> Class {
    Message::parse(bytes).unwrap().class()
}
