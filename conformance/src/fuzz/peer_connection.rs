//! A whole live peer connection: bytes from the network at any moment of its life.
//!
//! The input is a script. Two real peers are brought as far as the script says, and datagrams of its making are thrown at
//! one of them between steps: raw bytes, or changed copies of what the peers really sent. After that the two must still
//! be able to exchange a message.

// A fault is reported by panicking; peers are numbered 0 and 1.
#![allow(clippy::indexing_slicing, clippy::panic)]

use std::net::SocketAddr;
use std::time::Duration;

use weft_core::{Batch, Datagram, Instant, Limits, Path, Rng};
use weft_rtc::sans_io::PeerConnection;
use weft_rtc::{ChannelId, Config, DataChannelInit, Event, MessageKind};

const ADDRESSES: [&str; 2] = ["192.0.2.1:1000", "192.0.2.2:2000"];
/// Datagrams kept to be changed and sent again.
const KEPT: usize = 64;
/// Script steps run; the rest is ignored, so that one input ends in good time.
const MAX_STEPS: usize = 64;

struct Network {
    now: Instant,
    peers: Vec<PeerConnection>,
    addresses: [SocketAddr; 2],
    batch: Batch<Path>,
    /// What was sent, and by whom.
    sent: Vec<(usize, Vec<u8>)>,
    incoming: Option<ChannelId>,
    received: Vec<Vec<u8>>,
}

impl Network {
    fn new(seed: u64) -> Option<Self> {
        let now = Instant::ORIGIN;
        let peer = |n: u64| PeerConnection::new(now, Config::default(), Rng::from_test_seed(seed ^ n)).ok();
        let mut network = Self {
            now,
            peers: vec![peer(1)?, peer(2)?],
            addresses: [ADDRESSES[0].parse().ok()?, ADDRESSES[1].parse().ok()?],
            batch: Batch::new(4096, Limits::SINGLE),
            sent: Vec::new(),
            incoming: None,
            received: Vec::new(),
        };
        for (peer, address) in network.peers.iter_mut().zip(network.addresses) {
            peer.add_host_address(now, address);
        }
        Some(network)
    }

    /// Offer, answer, and candidates in them.
    fn negotiate(&mut self) -> Result<ChannelId, weft_rtc::Error> {
        let now = self.now;
        let [a, b] = &mut self.peers[..] else { unreachable!("there are two") };
        let id = a.create_data_channel(now, DataChannelInit::new("fuzz"))?;
        a.set_local_description(now, None)?;
        let offer = a.local_description().ok_or(weft_rtc::Error::Closed)?;
        b.set_remote_description(now, &offer)?;
        b.set_local_description(now, None)?;
        let answer = b.local_description().ok_or(weft_rtc::Error::Closed)?;
        a.set_remote_description(now, &answer)?;
        Ok(id)
    }

    /// Lets the peers send what they have and hear it a millisecond later.
    fn exchange(&mut self) {
        let mut flying = Vec::new();
        for from in 0..2 {
            while self.peers[from].poll_transmit(self.now, &mut self.batch) > 0 {
                while let Some((run, bytes)) = self.batch.front() {
                    flying.push((from, run.route, bytes.to_vec()));
                    self.batch.sent();
                }
            }
        }
        self.now += Duration::from_millis(1);
        for (from, path, mut bytes) in flying {
            if self.sent.len() < KEPT {
                self.sent.push((from, bytes.clone()));
            }
            let back = Path::udp(path.remote, path.local);
            self.peers[1 - from].handle_input(self.now, Datagram::new(back, &mut bytes));
        }
        self.settle();
    }

    fn settle(&mut self) {
        for (n, peer) in self.peers.iter_mut().enumerate() {
            if peer.poll_timeout().is_some_and(|at| at <= self.now) {
                peer.handle_timeout(self.now);
            }
            while let Some(event) = peer.poll_event() {
                match event {
                    Event::DataChannel(id) if n == 1 => self.incoming = Some(id),
                    _ => {}
                }
            }
        }
        if let Some(id) = self.incoming {
            while let Some(message) = self.peers[1].receive(id) {
                self.received.push(message.data.to_vec());
            }
        }
    }

    /// Throws one datagram at a peer, from the other's address or a stranger's.
    fn throw(&mut self, to: usize, stranger: bool, bytes: &mut [u8]) {
        let mut remote = self.addresses[1 - to];
        if stranger {
            remote.set_port(9);
        }
        let path = Path::udp(self.addresses[to], remote);
        self.peers[to].handle_input(self.now, Datagram::new(path, bytes));
        self.settle();
    }

    /// One step of the script; what is left of it.
    fn step<'d>(&mut self, script: &'d [u8]) -> &'d [u8] {
        let [what, which, rest @ ..] = script else { return &[] };
        let (to, stranger) = (usize::from(what >> 7), what & 0x40 != 0);
        match what & 3 {
            0 => self.exchange(),
            1 => {
                let (raw, rest) = rest.split_at(rest.len().min(usize::from(*which)));
                self.throw(to, stranger, &mut raw.to_vec());
                return rest;
            }
            _ => {
                let from_other: Vec<&Vec<u8>> =
                    self.sent.iter().filter(|(from, _)| *from != to).map(|(_, b)| b).collect();
                let Some(&copy) = from_other.get(usize::from(*which) % from_other.len().max(1)) else { return rest };
                let mut copy = copy.clone();
                let [at_high, at_low, bits, rest @ ..] = rest else { return &[] };
                let at = usize::from(u16::from_be_bytes([*at_high, *at_low])) % copy.len().max(1);
                if what & 3 == 2 {
                    copy.truncate(at);
                } else if let Some(byte) = copy.get_mut(at) {
                    *byte ^= bits;
                }
                self.throw(to, stranger, &mut copy);
                return rest;
            }
        }
        rest
    }
}

/// Nothing in the script may keep two connected peers from exchanging a message. If the script begins before they are
/// connected (first byte odd) it can spoil a handshake, whose messages travel in the clear; then it may only not panic.
pub(super) fn run(data: &[u8]) {
    let seed = data.first().copied().unwrap_or_default();
    let Some(mut network) = Network::new(seed.into()) else { return };
    let Ok(id) = network.negotiate() else { unreachable!("two peers of the same make negotiate") };
    let live = seed & 1 == 0;
    for _ in 0..if live { 60 } else { 0 } {
        network.exchange();
    }
    let mut script = data.get(1..).unwrap_or_default();
    for _ in 0..MAX_STEPS {
        if script.is_empty() {
            break;
        }
        script = network.step(script);
    }
    if !live {
        return;
    }
    let mut asked = false;
    for _ in 0..60_000 {
        network.exchange();
        if !asked {
            let now = network.now;
            asked = network.peers[0].send(now, id, MessageKind::Binary, bytes::Bytes::from_static(b"alive")).is_ok();
        } else if network.received.iter().any(|message| message == b"alive") {
            return;
        }
    }
    let states: Vec<_> = network.peers.iter().map(PeerConnection::connection_state).collect();
    panic!("the peers no longer hear each other: {states:?}");
}
