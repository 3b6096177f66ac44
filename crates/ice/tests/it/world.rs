//! Hosts behind translators, STUN and TURN servers, TCP connections and a network between them, in virtual time.

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;
use std::collections::BTreeMap;

use weft_core::{Datagram, Frame, Instant, Layer, Overhead, Path, Rng, Transport};
use weft_ice::{Agent, CandidateKind, Config, Event, Host as ServerHost, LocalCandidate, Role, Server, StreamKind};
use weft_stun::Credentials;
use weft_testkit::{Nat, NatConfig, TurnServer, TurnServerConfig};

use super::support::{at, ms};

pub(super) const SERVER: &str = "203.0.113.1:3478";
pub(super) const RELAY: &str = "203.0.113.101";

/// One agent, its addresses and what stands before them.
pub(super) struct Host {
    pub(super) agent: Agent,
    pub(super) bases: Vec<SocketAddr>,
    pub(super) listens: Vec<SocketAddr>,
    pub(super) nat: Option<Nat>,
    pub(super) events: Vec<(Instant, Event)>,
    pub(super) received: Vec<(Instant, Vec<u8>)>,
    pub(super) udp_blocked: bool,
    /// What the peer is told at once; else the test tells it.
    pub(super) signals: bool,
    pub(super) sent: u64,
    next_port: u16,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum End {
    Host(usize),
    Server,
}

/// A TCP connection: who, and by which path it is named there.
#[derive(Clone, Copy, Debug)]
struct Connection {
    ends: [(End, Path); 2],
    open: bool,
}

enum Flight {
    Udp { from: SocketAddr, to: SocketAddr, bytes: Vec<u8> },
    Tcp { connection: usize, to: usize, bytes: Vec<u8> },
    Opened { connection: usize },
    Refused { host: usize, path: Path },
}

pub(super) struct World {
    pub(super) now: Instant,
    pub(super) hosts: Vec<Host>,
    pub(super) server: TurnServer,
    pub(super) server_dead: bool,
    pub(super) delay: Duration,
    pub(super) loss: f64,
    /// Addresses that nothing comes from or goes to.
    pub(super) black_holes: Vec<IpAddr>,
    connections: Vec<Connection>,
    in_flight: BTreeMap<(Instant, u64), Flight>,
    order: u64,
    rng: Rng,
}

pub(super) fn server_of(transport: Transport) -> Server {
    let address = at(SERVER);
    Server::turn(ServerHost::Ip(address.ip()), address.port(), transport, Credentials::new("alice", "secret"))
}

pub(super) fn host_address(n: usize, nat: bool) -> SocketAddr {
    if nat { at(&format!("10.0.{n}.2:5000")) } else { at(&format!("198.51.100.{}:5000", n + 1)) }
}

impl World {
    pub(super) fn new(seed: u64) -> Self {
        let mut rng = Rng::from_test_seed(seed);
        let server = TurnServer::new(at(SERVER), RELAY.parse().unwrap(), TurnServerConfig::default(), rng.fork());
        Self {
            now: Instant::from_millis(1000),
            hosts: Vec::new(),
            server,
            server_dead: false,
            delay: ms(25),
            loss: 0.0,
            black_holes: Vec::new(),
            connections: Vec::new(),
            in_flight: BTreeMap::new(),
            order: 0,
            rng,
        }
    }

    /// One more host, with a UDP address of its own, or behind a translator.
    pub(super) fn host(&mut self, config: Config, nat: Option<NatConfig>) -> usize {
        let n = self.hosts.len();
        let base = host_address(n, nat.is_some());
        let role = if n == 0 { Role::Controlling } else { Role::Controlled };
        let agent = Agent::new(config, role, self.rng.fork());
        let nat = nat.map(|config| Nat::new(format!("198.51.100.{}", n + 1).parse().unwrap(), config));
        self.hosts.push(Host {
            agent,
            bases: vec![base],
            listens: Vec::new(),
            nat,
            events: Vec::new(),
            received: Vec::new(),
            udp_blocked: false,
            signals: true,
            sent: 0,
            next_port: 30_000,
        });
        n
    }

    pub(super) fn agent(&mut self, host: usize) -> &mut Agent {
        &mut self.hosts[host].agent
    }

    pub(super) fn add_local(&mut self, host: usize, candidate: LocalCandidate) {
        let now = self.now;
        let added = self.agent(host).add_local_candidate(now, candidate).unwrap().copied();
        if let Some(candidate) = added {
            self.signal(host, candidate);
        }
    }

    fn signal(&mut self, from: usize, candidate: weft_ice::Candidate) {
        let now = self.now;
        if self.hosts.len() == 2 && self.hosts[from].signals {
            self.agent(1 - from).add_remote_candidate(now, candidate).unwrap();
        }
    }

    /// Credentials go both ways, hosts tell their UDP addresses, and nothing else will come but from servers.
    pub(super) fn describe(&mut self) {
        let now = self.now;
        for n in 0..2 {
            let credentials = self.hosts[n].agent.local_credentials().clone();
            self.agent(1 - n).set_remote_credentials(now, &credentials);
        }
        for n in 0..2 {
            for base in self.hosts[n].bases.clone() {
                self.add_local(n, LocalCandidate::host(base));
            }
            self.agent(n).end_of_local_candidates(now);
        }
    }

    /// Both restart at once and tell each other anew.
    pub(super) fn restart(&mut self) {
        let now = self.now;
        for n in 0..2 {
            self.agent(n).restart(now);
        }
        for n in 0..2 {
            let credentials = self.hosts[n].agent.local_credentials().clone();
            self.agent(1 - n).set_remote_credentials(now, &credentials);
        }
        for n in 0..2 {
            let candidates: Vec<_> = self.hosts[n].agent.local_candidates().copied().collect();
            for candidate in candidates {
                self.signal(n, candidate);
            }
        }
    }

    fn launch(&mut self, flight: Flight) {
        let lossy = matches!(flight, Flight::Udp { .. });
        if !(lossy && self.rng.chance(self.loss)) {
            self.order += 1;
            self.in_flight.insert((self.now + self.delay, self.order), flight);
        }
    }

    /// A datagram leaves `host` by `path`.
    pub(super) fn send(&mut self, host: usize, path: Path, bytes: &[u8]) {
        let now = self.now;
        self.hosts[host].sent += 1;
        if path.transport != Transport::Udp {
            let named = |c: &Connection| (0..2).find(|end| c.ends[*end] == (End::Host(host), path));
            if let Some((connection, end)) =
                self.connections.iter().enumerate().find_map(|(n, c)| Some((n, named(c).filter(|_| c.open)?)))
            {
                self.launch(Flight::Tcp { connection, to: 1 - end, bytes: bytes.to_vec() });
            }
            return;
        }
        let sender = &mut self.hosts[host];
        if sender.udp_blocked || !sender.bases.contains(&path.local) {
            return;
        }
        let from = match &mut sender.nat {
            Some(nat) => nat.outbound(now, path.local, path.remote),
            None => path.local,
        };
        self.launch(Flight::Udp { from, to: path.remote, bytes: bytes.to_vec() });
    }

    /// Data for the peer, by the selected path. False without one.
    pub(super) fn data(&mut self, host: usize, content: &[u8]) -> bool {
        let now = self.now;
        let agent = &mut self.hosts[host].agent;
        let mut buf = [0; 1500];
        let mut frame = Frame::new(&mut buf, agent.overhead());
        frame.push(content).unwrap();
        let Some(path) = agent.wrap(now, &mut frame) else { return false };
        let bytes = frame.content().to_vec();
        self.send(host, path, &bytes);
        true
    }

    fn connect(&mut self, host: usize, path: Path, kind: &StreamKind) {
        let port = self.hosts[host].next_port;
        self.hosts[host].next_port += 1;
        let ip = match &self.hosts[host].nat {
            Some(_) => format!("198.51.100.{}", host + 1).parse().unwrap(),
            None => path.local.ip(),
        };
        let seen = SocketAddr::new(ip, port);
        let reached = if *kind == StreamKind::Peer {
            self.hosts.iter().position(|to| to.listens.contains(&path.remote)).map(End::Host)
        } else {
            (self.server.is_at(path.remote) && !self.server_dead).then_some(End::Server)
        };
        let hole = self.black_holes.contains(&path.remote.ip());
        match reached.filter(|_| !hole) {
            Some(end) => {
                let theirs = Path { local: path.remote, remote: seen, ..path };
                self.connections.push(Connection { ends: [(End::Host(host), path), (end, theirs)], open: false });
                let connection = self.connections.len() - 1;
                self.launch(Flight::Opened { connection });
            }
            None if hole => {}
            None => self.launch(Flight::Refused { host, path }),
        }
    }

    /// All connections of `host` end.
    pub(super) fn cut_connections(&mut self, host: usize) {
        let now = self.now;
        for n in 0..self.connections.len() {
            let Connection { ends, open } = self.connections[n];
            if open && ends.iter().any(|(end, _)| *end == End::Host(host)) {
                self.connections[n].open = false;
                for (end, path) in ends {
                    if let End::Host(host) = end {
                        self.agent(host).stream_closed(now, &path);
                    }
                }
            }
        }
    }

    pub(super) fn open_connections(&self) -> usize {
        self.connections.iter().filter(|connection| connection.open).count()
    }

    fn land(&mut self, flight: Flight) {
        let now = self.now;
        match flight {
            Flight::Udp { from, to, bytes } => self.land_udp(from, to, bytes),
            Flight::Tcp { connection, to, mut bytes } => {
                let Connection { ends, open } = self.connections[connection];
                match ends[to] {
                    _ if !open => {}
                    (End::Host(host), path) => self.input(host, path, &mut bytes),
                    (End::Server, path) => self.ask_server(path.remote, path.local, &bytes),
                }
            }
            Flight::Opened { connection } => {
                self.connections[connection].open = true;
                if let (End::Host(host), path) = self.connections[connection].ends[0] {
                    self.agent(host).stream_opened(now, &path);
                }
            }
            Flight::Refused { host, path } => self.agent(host).stream_closed(now, &path),
        }
    }

    fn ask_server(&mut self, from: SocketAddr, to: SocketAddr, bytes: &[u8]) {
        if self.server_dead {
            return;
        }
        for (from, to, bytes) in self.server.handle(self.now, from, to, bytes) {
            let over =
                self.connections.iter().position(|c| c.open && c.ends[1].0 == End::Server && c.ends[1].1.remote == to);
            match over {
                Some(connection) => self.launch(Flight::Tcp { connection, to: 0, bytes }),
                None => self.launch(Flight::Udp { from, to, bytes }),
            }
        }
    }

    fn land_udp(&mut self, from: SocketAddr, to: SocketAddr, mut bytes: Vec<u8>) {
        let now = self.now;
        if [from.ip(), to.ip()].iter().any(|ip| self.black_holes.contains(ip)) {
            return;
        }
        if self.server.is_at(to) {
            return self.ask_server(from, to, &bytes);
        }
        let found = self.hosts.iter_mut().enumerate().find_map(|(n, host)| {
            let inside = match &mut host.nat {
                Some(nat) => nat.inbound(now, to, from)?,
                None => to,
            };
            (host.bases.contains(&inside) && !host.udp_blocked).then_some((n, inside))
        });
        if let Some((host, inside)) = found {
            self.input(host, Path::udp(inside, from), &mut bytes);
        }
    }

    fn input(&mut self, host: usize, path: Path, bytes: &mut [u8]) {
        let now = self.now;
        let host = &mut self.hosts[host];
        if let Some(datagram) = host.agent.handle_input(now, Datagram::new(path, bytes)).unwrap() {
            host.received.push((now, datagram.payload.to_vec()));
        }
    }

    /// Everything that wants to leave leaves, and events are acted on.
    pub(super) fn flush(&mut self) {
        let mut buf = [0; 1500];
        for _ in 0..1000 {
            let mut moved = false;
            for n in 0..self.hosts.len() {
                let mut frame = Frame::new(&mut buf, Overhead::NONE);
                let now = self.now;
                while let Some(path) = self.hosts[n].agent.poll_transmit(now, &mut frame) {
                    let bytes = frame.content().to_vec();
                    self.send(n, path, &bytes);
                    frame.truncate(0);
                    moved = true;
                }
                while let Some(event) = self.hosts[n].agent.poll_event() {
                    match &event {
                        Event::LocalCandidate(candidate) => self.signal(n, *candidate),
                        Event::GatheringComplete if self.hosts.len() == 2 && self.hosts[n].signals => {
                            self.agent(1 - n).end_of_remote_candidates(now);
                        }
                        Event::OpenStream(path, kind) => self.connect(n, *path, kind),
                        Event::CloseStream(path) => {
                            for connection in &mut self.connections {
                                connection.open &= !connection.ends.contains(&(End::Host(n), *path));
                            }
                        }
                        _ => {}
                    }
                    self.hosts[n].events.push((now, event));
                    moved = true;
                }
            }
            if !moved {
                return;
            }
        }
        panic!("they send without end");
    }

    /// Runs until `done`, for at most so long; gives how long it took.
    pub(super) fn run_until(&mut self, at_most: Duration, mut done: impl FnMut(&mut Self) -> bool) -> Option<Duration> {
        let (start, end) = (self.now, self.now + at_most);
        let mut still = 0;
        loop {
            self.flush();
            if done(self) {
                return Some(self.now - start);
            }
            let arrival = self.in_flight.first_key_value().map(|(key, _)| key.0);
            let timer = self.hosts.iter().filter_map(|host| host.agent.poll_timeout()).min();
            let next = [arrival, timer, Some(end)].into_iter().flatten().min().unwrap().max(self.now);
            still = if next > self.now { 0 } else { still + 1 };
            assert!(still < 10_000, "time stands still at {:?}", self.now);
            self.now = next;
            if next >= end {
                return None;
            }
            while let Some(entry) = self.in_flight.first_entry().filter(|entry| entry.key().0 <= next) {
                let flight = entry.remove();
                self.land(flight);
            }
            for host in &mut self.hosts {
                host.agent.handle_timeout(next).unwrap();
            }
        }
    }

    pub(super) fn run(&mut self, time: Duration) {
        self.run_until(time, |_| false);
    }

    pub(super) fn usable(&self) -> bool {
        self.hosts.iter().all(|host| host.agent.selected_path().is_some())
    }

    pub(super) fn nominated(&self) -> bool {
        self.hosts.iter().all(|host| super::support::nominated(&host.agent))
    }

    /// The kinds of the selected pair, as `host` sees it.
    pub(super) fn kinds(&self, host: usize) -> Option<(CandidateKind, CandidateKind)> {
        self.hosts[host].agent.selected_pair().map(|pair| (pair.local.kind, pair.remote.kind))
    }

    pub(super) fn happened(&self, host: usize, what: impl Fn(&Event) -> bool) -> bool {
        self.hosts[host].events.iter().any(|(_, event)| what(event))
    }

    pub(super) fn kinds_gathered(&self, host: usize) -> Vec<CandidateKind> {
        let gathered = self.hosts[host].events.iter().filter_map(|(_, event)| match event {
            Event::LocalCandidate(candidate) => Some(candidate.kind),
            _ => None,
        });
        gathered.collect()
    }
}
