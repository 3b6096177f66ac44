//! What many agents behind one socket cost, each and for one more packet.

use std::hint::black_box;
use std::net::SocketAddr;

use criterion::{BatchSize, Criterion, Throughput};
use weft_core::{Datagram, Frame, Instant, Layer, Overhead, Path, Rng};
use weft_ice::{Agent, Config, Demultiplexer, LocalCandidate, Role, Route};

const AGENTS: usize = 10_000;

/// A socket with many agents, and their peers elsewhere, all connected.
struct Shared {
    now: Instant,
    socket: SocketAddr,
    demux: Demultiplexer<usize>,
    agents: Vec<Agent>,
    peers: Vec<Agent>,
}

fn peer_address(n: usize) -> SocketAddr {
    SocketAddr::from(([10, 1, (n / 250) as u8, (n % 250) as u8 + 1], 5000))
}

impl Shared {
    fn agent(&mut self, n: usize) {
        let mut agent = Agent::new(Config::default(), Role::Controlled, Rng::from_test_seed(2 * n as u64));
        agent.add_local_candidate(self.now, LocalCandidate::host(self.socket)).unwrap();
        self.demux.add_ufrag(n, agent.local_credentials().ufrag()).unwrap();
        self.agents.push(agent);
    }

    fn new(count: usize) -> Self {
        let socket = SocketAddr::from(([192, 0, 2, 1], 3478));
        let now = Instant::from_millis(1000);
        let mut shared = Self { now, socket, demux: Demultiplexer::new(), agents: Vec::new(), peers: Vec::new() };
        for n in 0..count {
            let mut peer = Agent::new(Config::default(), Role::Controlling, Rng::from_test_seed(2 * n as u64 + 1));
            peer.add_local_candidate(now, LocalCandidate::host(peer_address(n))).unwrap();
            shared.peers.push(peer);
        }
        // Only what the socket's side holds is counted.
        let before = allocation_counter::measure(|| {
            for n in 0..count {
                shared.agent(n);
                let credentials = shared.peers[n].local_credentials().clone();
                let now = shared.now;
                shared.agents[n].set_remote_credentials(now, &credentials);
                for candidate in shared.peers[n].local_candidates().copied().collect::<Vec<_>>() {
                    shared.agents[n].add_remote_candidate(now, candidate).unwrap();
                }
            }
        });
        println!(
            "{count} agents that wait: {} bytes of heap each",
            before.bytes_current / i64::try_from(count).unwrap()
        );
        for n in 0..count {
            let credentials = shared.agents[n].local_credentials().clone();
            let candidate = *shared.agents[n].local_candidates().next().unwrap();
            shared.peers[n].set_remote_credentials(now, &credentials);
            shared.peers[n].add_remote_candidate(now, candidate).unwrap();
        }
        let connecting = allocation_counter::measure(|| {
            for _ in 0..10 {
                for n in 0..count {
                    shared.exchange(n);
                }
                shared.now += std::time::Duration::from_millis(50);
            }
        });
        assert!(
            shared.agents.iter().chain(&shared.peers).all(|agent| agent.selected_pair().is_some_and(|p| p.nominated))
        );
        let both = connecting.bytes_current / i64::try_from(count).unwrap();
        println!("{count} agents connected: at most {both} bytes more each, its peer's share included");
        println!("an agent itself: {} bytes", size_of::<Agent>());
        shared
    }

    fn exchange(&mut self, n: usize) {
        let mut buf = [0; 1200];
        for _ in 0..8 {
            let mut frame = Frame::new(&mut buf, Overhead::NONE);
            self.agents[n].handle_timeout(self.now).unwrap();
            self.peers[n].handle_timeout(self.now).unwrap();
            while let Some(path) = self.peers[n].poll_transmit(self.now, &mut frame) {
                let path = Path::udp(path.remote, path.local);
                if let Route::Agent(to) = self.demux.route(&path, frame.content()) {
                    self.agents[to].handle_input(self.now, Datagram::new(path, frame.content_mut())).unwrap();
                    if self.agents[to].is_validated(&path) {
                        self.demux.claim(to, path).unwrap();
                    }
                }
                frame.truncate(0);
            }
            while let Some(path) = self.agents[n].poll_transmit(self.now, &mut frame) {
                self.demux.note_sent(n, frame.content());
                let path = Path::udp(path.remote, path.local);
                self.peers[n].handle_input(self.now, Datagram::new(path, frame.content_mut())).unwrap();
                frame.truncate(0);
            }
            while self.agents[n].poll_event().is_some() || self.peers[n].poll_event().is_some() {}
        }
    }
}

pub(crate) fn one_more_packet(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("ice_demux");
    group.throughput(Throughput::Elements(1));
    for count in [1, 100, AGENTS] {
        let mut shared = Shared::new(count);
        let now = shared.now;
        let mut payload = [23; 1200];
        let mut n = 0;
        group.bench_function(format!("data_{count}"), |bencher| {
            bencher.iter(|| {
                n = (n + 7919) % count;
                let path = Path::udp(shared.socket, peer_address(n));
                let Route::Agent(to) = shared.demux.route(&path, &payload) else { panic!("{n} is known") };
                let yielded = shared.agents[to].handle_input(now, Datagram::new(path, &mut payload)).unwrap();
                black_box(yielded.is_some())
            });
        });
        // A consent check of each peer, answered.
        let mut buf = [0; 1200];
        shared.now += std::time::Duration::from_secs(7);
        let checks: Vec<Vec<u8>> = (0..count)
            .map(|n| {
                let mut frame = Frame::new(&mut buf, Overhead::NONE);
                shared.peers[n].handle_timeout(shared.now).unwrap();
                shared.peers[n].poll_transmit(shared.now, &mut frame).unwrap();
                frame.content().to_vec()
            })
            .collect();
        group.bench_function(format!("check_answered_{count}"), |bencher| {
            bencher.iter_batched(
                || {
                    n = (n + 7919) % count;
                    (n, checks[n].clone())
                },
                |(n, mut check)| {
                    let path = Path::udp(shared.socket, peer_address(n));
                    let Route::Agent(to) = shared.demux.route(&path, &check) else { panic!("{n} is known") };
                    shared.agents[to].handle_input(now, Datagram::new(path, &mut check)).unwrap();
                    let mut frame = Frame::new(&mut buf, Overhead::NONE);
                    black_box(shared.agents[to].poll_transmit(now, &mut frame).is_some())
                },
                BatchSize::SmallInput,
            );
        });
    }
    group.finish();
}
