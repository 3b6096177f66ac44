//! Many agents behind one socket.

use weft_core::{Datagram, Frame, Instant, Layer, Overhead, Path};
use weft_ice::{Agent, Demultiplexer, LocalCandidate, Role, Route};

use super::support::{A, Check, Lone, agent, at, refusal, signal, success};

/// A socket with many agents, whose peers each have a socket of their own.
struct Shared {
    now: Instant,
    demux: Demultiplexer<usize>,
    agents: Vec<Agent>,
    peers: Vec<Agent>,
    stray: usize,
    payload: Vec<(usize, Vec<u8>)>,
}

fn peer_address(n: usize) -> String {
    format!("198.51.{}.{}:{}", n / 200, n % 200 + 1, 10_000 + n)
}

impl Shared {
    fn new(n: usize) -> Self {
        let now = Instant::ORIGIN;
        let mut shared =
            Self { now, demux: Demultiplexer::new(), agents: vec![], peers: vec![], stray: 0, payload: vec![] };
        for i in 0..n {
            let (mut a, mut b) = (agent(Role::Controlled, 2 * i as u64), agent(Role::Controlling, 2 * i as u64 + 1));
            a.add_local_candidate(now, LocalCandidate::host(at(A))).unwrap();
            b.add_local_candidate(now, LocalCandidate::host(at(&peer_address(i)))).unwrap();
            shared.demux.add_ufrag(i, a.local_credentials().ufrag()).unwrap();
            signal(&b, &mut a, now);
            signal(&a, &mut b, now);
            shared.agents.push(a);
            shared.peers.push(b);
        }
        shared
    }

    fn arrive(&mut self, path: Path, bytes: &mut [u8]) {
        let Route::Agent(i) = self.demux.route(&path, bytes) else {
            self.stray += 1;
            return;
        };
        let agent = &mut self.agents[i];
        if let Some(datagram) = agent.handle_input(self.now, Datagram::new(path, bytes)).unwrap() {
            self.payload.push((i, datagram.payload.to_vec()));
        }
        if agent.is_validated(&path) {
            self.demux.claim(i, path).unwrap();
        }
    }

    /// Everything that anybody has to send arrives at once.
    fn exchange(&mut self) {
        let mut buf = [0; 1500];
        loop {
            let mut moved = false;
            for i in 0..self.agents.len() {
                self.agents[i].handle_timeout(self.now).unwrap();
                self.peers[i].handle_timeout(self.now).unwrap();
                let mut frame = Frame::new(&mut buf, Overhead::NONE);
                while let Some(path) = self.agents[i].poll_transmit(self.now, &mut frame) {
                    self.demux.note_sent(i, frame.content());
                    let to = (0..self.peers.len()).find(|n| at(&peer_address(*n)) == path.remote).unwrap();
                    let path = Path::udp(path.remote, path.local);
                    self.peers[to].handle_input(self.now, Datagram::new(path, frame.content_mut())).unwrap();
                    frame.truncate(0);
                    moved = true;
                }
                let mut frame = Frame::new(&mut buf, Overhead::NONE);
                while let Some(path) = self.peers[i].poll_transmit(self.now, &mut frame) {
                    let mut bytes = frame.content().to_vec();
                    self.arrive(Path::udp(path.remote, path.local), &mut bytes);
                    frame.truncate(0);
                    moved = true;
                }
            }
            if !moved {
                return;
            }
        }
    }
}

#[test]
fn each_datagram_finds_its_agent() {
    let mut shared = Shared::new(300);
    for _ in 0..20 {
        shared.exchange();
        shared.now += super::support::ms(50);
    }
    assert!(shared.agents.iter().chain(&shared.peers).all(|agent| agent.selected_path().is_some()));
    assert_eq!(shared.stray, 0);
    for i in 0..300 {
        let path = Path::udp(at(A), at(&peer_address(i)));
        assert_eq!(shared.demux.owner(&path), Some(i));
        shared.arrive(path, &mut [22, i as u8]);
        assert_eq!(shared.payload.pop(), Some((i, vec![22, i as u8])));
    }
    // What is nobody's is nobody's.
    shared.arrive(Path::udp(at(A), at("203.0.113.1:1")), &mut [22; 30]);
    assert_eq!((shared.stray, shared.demux.stats().unknown_path), (1, 1));
    // An agent that leaves takes nothing with it but its own.
    shared.demux.remove(7);
    shared.arrive(Path::udp(at(A), at(&peer_address(7))), &mut [22; 30]);
    shared.arrive(Path::udp(at(A), at(&peer_address(8))), &mut [22, 8]);
    assert_eq!((shared.stray, shared.payload.pop()), (2, Some((8, vec![22, 8]))));
    assert_eq!(shared.demux.len(), 299);
}

#[test]
fn a_path_has_one_owner() {
    let mut demux = Demultiplexer::new();
    let mut lone = Lone::new(Role::Controlled, true);
    demux.add_ufrag(1, lone.agent.local_credentials().ufrag()).unwrap();
    demux.add_ufrag(2, "other").unwrap();
    let path = super::support::path();
    demux.claim(2, path).unwrap();
    assert_eq!(demux.claim(1, path).unwrap_err().owner, 2);
    // A check that names one agent and comes by the path of another is told as such, and moves nothing by itself.
    let check = lone.check().bytes();
    assert_eq!(demux.route(&path, &check), Route::Conflict { agent: 1, owner: 2 });
    assert_eq!(demux.route(&path, &[23; 20]), Route::Agent(2));
    // The agent that may not use the path fails its pair, and does not learn it again.
    lone.remote_candidate(super::support::B, 0x7E00_FFFF);
    lone.agent.forbid_path(lone.now, path);
    lone.receive(path, &check);
    assert!(!lone.agent.is_validated(&path));
    assert!(lone.drain().iter().all(|(_, bytes)| super::support::class(bytes) != weft_stun::Class::Request));
    // The owner lets go.
    demux.release(&path);
    assert_eq!(demux.route(&path, &check), Route::Agent(1));
    demux.claim(1, path).unwrap();
    assert_eq!(demux.owner(&path), Some(1));
}

#[test]
fn responses_go_to_who_asked_even_by_one_path() {
    // Two agents check the same address of one peer machine before either owns the path.
    let mut demux = Demultiplexer::new();
    let mut lones = [Lone::new(Role::Controlling, true), Lone::new(Role::Controlling, true)];
    lones[1].agent.restart(Instant::from_millis(1000));
    lones[1].describe();
    let mut requests = Vec::new();
    for (i, lone) in lones.iter_mut().enumerate() {
        lone.remote_candidate(super::support::B, 0x7E00_FFFF);
        let (path, bytes) = lone.transmit().unwrap();
        demux.note_sent(i, &bytes);
        demux.note_sent(i, &bytes); // and again
        requests.push((path, bytes));
    }
    for (i, (path, request)) in requests.iter().enumerate().rev() {
        let response = success(request, path.local, super::support::REMOTE_PWD);
        assert_eq!(demux.route(path, &response), Route::Agent(i));
        assert_eq!(demux.route(path, &refusal(request, 400, None)), Route::Unknown, "it was answered");
    }
    assert_eq!(demux.stats().stray_responses, 2);
}

#[test]
fn what_names_nobody_goes_nowhere() {
    let mut demux = Demultiplexer::<u8>::new();
    let mut lone = Lone::new(Role::Controlled, true);
    let path = super::support::path();
    let check = lone.check();
    assert_eq!(demux.route(&path, &check.bytes()), Route::Unknown);
    let nameless = Check { username: None, ..check };
    assert_eq!(demux.route(&path, &nameless.bytes()), Route::Unknown);
    assert_eq!(demux.stats().unknown_ufrag, 2);
    assert_eq!(demux.route(&path, &[0, 1, 0, 0]), Route::Unknown);
    assert_eq!(demux.stats().malformed, 1);
    assert_eq!(demux.route(&path, &[]), Route::Unknown);
    // Nothing of that was kept.
    assert!(demux.is_empty());
}

#[test]
fn a_restart_keeps_the_old_name_and_names_are_unique() {
    let mut demux = Demultiplexer::new();
    for name in ["one!", "two!", "three", "four"] {
        demux.add_ufrag(1, name).unwrap();
        demux.add_ufrag(1, name).unwrap();
        assert_eq!(demux.add_ufrag(2, name).unwrap_err().owner, 1);
    }
    demux.add_ufrag(1, "five").unwrap();
    demux.add_ufrag(2, "one!").unwrap();
    demux.remove(1);
    demux.add_ufrag(2, "two!").unwrap();
}
