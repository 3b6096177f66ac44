//! Two live ICE agents: bytes from the network, and calls of their owners, at any moment of their lives.
//!
//! The input is a script. Datagrams of its making reach one of the agents between steps: raw bytes, or changed copies of what
//! the agents really sent, by any path. Nothing of that may panic, send without end, grow a list beyond its limit or let a
//! byte through by a path that nobody authenticated; and afterwards the two must still find each other.

// A fault is reported by panicking; agents are numbered 0 and 1.
#![allow(clippy::indexing_slicing, clippy::panic)]

use std::net::SocketAddr;
use std::time::Duration;

use weft_core::{Datagram, Frame, Instant, Layer as _, Overhead, Path, Rng, Transport};
use weft_ice::{Agent, Candidate, CandidateKind, Config, Foundation, Host, LocalCandidate, Role, Server, TcpType};
use weft_stun::Credentials;

const ADDRESSES: [[u8; 4]; 2] = [[192, 0, 2, 1], [192, 0, 2, 2]];
const SERVER: ([u8; 4], u16) = ([203, 0, 113, 1], 3478);
/// Datagrams kept to be changed and sent again.
const KEPT: usize = 64;
/// Script steps run; the rest is ignored, so that one input ends in good time.
const MAX_STEPS: usize = 96;

struct Network {
    now: Instant,
    agents: [Agent; 2],
    sent: Vec<(usize, Path, Vec<u8>)>,
}

fn address(n: usize) -> SocketAddr {
    SocketAddr::from((ADDRESSES[n], 5000))
}

impl Network {
    fn new(seed: u64) -> Self {
        let agent = |role, n| Agent::new(Config::default(), role, Rng::from_test_seed(2 * seed + n));
        let mut network = Self {
            now: Instant::from_millis(1000),
            agents: [agent(Role::Controlling, 0), agent(Role::Controlled, 1)],
            sent: Vec::new(),
        };
        for n in 0..2 {
            let now = network.now;
            let _ = network.agents[n].add_local_candidate(now, LocalCandidate::host(address(n)));
        }
        network
    }

    fn describe(&mut self) {
        for n in 0..2 {
            let credentials = self.agents[n].local_credentials().clone();
            self.agents[1 - n].set_remote_credentials(self.now, &credentials);
            let candidates: Vec<Candidate> = self.agents[n].local_candidates().copied().collect();
            for candidate in candidates {
                let _ = self.agents[1 - n].add_remote_candidate(self.now, candidate);
            }
        }
    }

    /// What the agents have to send; if `arrives` to each other.
    fn exchange(&mut self, arrives: bool) {
        let mut buf = [0; 1500];
        for turn in 0..400 {
            let mut moved = false;
            for n in 0..2 {
                let mut frame = Frame::new(&mut buf, Overhead::NONE);
                while let Some(path) = self.agents[n].poll_transmit(self.now, &mut frame) {
                    moved = true;
                    let mut bytes = frame.content().to_vec();
                    frame.truncate(0);
                    if self.sent.len() < KEPT {
                        self.sent.push((n, path, bytes.clone()));
                    }
                    let reaches = path.transport == Transport::Udp && path.remote == address(1 - n);
                    if arrives && reaches && path.local == address(n) {
                        self.receive(1 - n, Path::udp(path.remote, path.local), &mut bytes);
                    }
                }
                while self.agents[n].poll_event().is_some() {}
            }
            if !moved {
                return;
            }
            assert!(turn < 399, "they send without end");
        }
    }

    fn receive(&mut self, n: usize, path: Path, bytes: &mut [u8]) {
        let validated = self.agents[n].is_validated(&path);
        match self.agents[n].handle_input(self.now, Datagram::new(path, bytes)) {
            Ok(yielded) => assert!(yielded.is_none_or(|d| validated || d.path != path), "payload by a strange path"),
            Err(error) => panic!("{error}"),
        }
        let agent = &self.agents[n];
        assert!(agent.remote_candidates().count() <= 100 && agent.local_candidates().count() <= 64);
    }

    fn advance(&mut self, by: Duration, arrives: bool) {
        let end = self.now + by;
        for _ in 0..10_000 {
            self.exchange(arrives);
            let next = self.agents.iter().filter_map(weft_core::Layer::poll_timeout).min().unwrap_or(end);
            self.now = next.clamp(self.now, end);
            for agent in &mut self.agents {
                let _ = agent.handle_timeout(self.now);
            }
            if self.now >= end {
                return self.exchange(arrives);
            }
        }
        panic!("time stands still at {:?}", self.now);
    }

    /// One step of the script.
    fn step(&mut self, [what, a, b, c]: [u8; 4], bytes: &[u8]) {
        let n = usize::from(a & 1);
        let strange = SocketAddr::from(([198, 51, 100, b], 1000 + u16::from(c)));
        let transport = if a & 4 == 0 { Transport::Udp } else { Transport::Tcp };
        let path = Path { transport, local: address(n), remote: if a & 2 == 0 { address(1 - n) } else { strange } };
        let now = self.now;
        match what % 12 {
            0 => self.receive(n, path, &mut bytes.to_vec()),
            1 | 2 => {
                // A copy of something real, changed in one byte or none.
                let index = usize::from(b) % self.sent.len().max(1);
                let Some((from, _, mut copy)) = self.sent.get(index).cloned() else { return };
                let at = usize::from(c) % copy.len().max(1);
                if let Some(byte) = copy.get_mut(at).filter(|_| a & 8 != 0) {
                    *byte ^= bytes.first().copied().unwrap_or(1);
                }
                let n = if a & 16 == 0 { 1 - from } else { from };
                self.receive(n, Path { local: address(n), ..path }, &mut copy);
            }
            3 => self.advance(Duration::from_millis(u64::from(b) * 40), a & 2 == 0),
            4 => self.describe(),
            5 => {
                let candidate = Candidate {
                    foundation: Foundation::new("fuzz").unwrap_or_else(|| panic!("sound")),
                    component: 1 + u16::from(a >> 7),
                    transport,
                    priority: u32::from_be_bytes([a, b, c, 1]),
                    address: strange,
                    kind: CandidateKind::ServerReflexive,
                    related: None,
                    tcp_type: (transport == Transport::Tcp).then_some(TcpType::Passive),
                };
                let _ = self.agents[n].add_remote_candidate(now, candidate);
            }
            6 => {
                let base = SocketAddr::from(([10, 0, b, c], 7000));
                let _ = self.agents[n].add_local_candidate(now, LocalCandidate::host(base));
                if a & 2 != 0 {
                    self.agents[n].remove_local_address(now, base);
                }
            }
            7 => {
                self.agents[n].restart(now);
            }
            8 => {
                let kind = [Transport::Udp, Transport::Tcp, Transport::Tls][usize::from(b) % 3];
                let credentials = Credentials::new("user", "password");
                let server = Server::turn(Host::Ip(SERVER.0.into()), SERVER.1, kind, credentials);
                let _ = self.agents[n].add_server(now, server);
            }
            9 => {
                let stream = Path { transport, local: SocketAddr::from((ADDRESSES[n], 0)), remote: strange };
                if a & 2 == 0 {
                    self.agents[n].stream_opened(now, &stream);
                } else {
                    self.agents[n].stream_closed(now, &stream);
                }
            }
            10 => self.agents[n].on_data_sent(now),
            _ => self.receive(n, Path { remote: SERVER.into(), ..path }, &mut bytes.to_vec()),
        }
        self.exchange(false);
    }
}

pub(crate) fn run(data: &[u8]) {
    let Some((&[seed], mut script)) = data.split_first_chunk::<1>() else { return };
    let mut network = Network::new(u64::from(seed));
    for _ in 0..MAX_STEPS {
        let Some((&step, rest)) = script.split_first_chunk::<5>() else { break };
        let [head @ .., len] = step;
        let (bytes, rest) = rest.split_at(usize::from(len).min(rest.len()));
        network.step(head, bytes);
        script = rest;
    }
    // Whatever has happened: a restart, and they find each other.
    for n in 0..2 {
        let now = network.now;
        network.agents[n].restart(now);
    }
    network.describe();
    network.advance(Duration::from_secs(20), true);
    for n in 0..2 {
        assert!(
            network.agents[n].selected_path().is_some(),
            "agent {n} is not connected: {:?}",
            network.agents[n].state()
        );
    }
}
