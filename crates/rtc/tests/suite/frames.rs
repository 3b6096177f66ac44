//! What a game pays for its peers in each frame: processor time of the thread, which other programs do not add to.

use std::time::Duration;

use bytes::Bytes;
use weft_core::{Batch, Datagram, Instant, Limits, Path, Rng};
use weft_rtc::polled::{ChannelOptions, ChannelState, DataChannel, PeerConnection, Signal};
use weft_rtc::sans_io;
use weft_rtc::{ChannelId, Config, DataChannelInit, Event, MessageKind, Reliability};
use weft_testkit::{Link, LinkConfig, Loss, Packet};

use crate::processor::by_thread;
use crate::support::{connected, negotiate, peers};

const PEERS: usize = 32;
const FRAME: Duration = Duration::from_micros(16_667);
/// Ten seconds.
const FRAMES: usize = 600;

/// A connected peer connection, driven once a frame as the polled driver does it.
struct Player {
    pc: Box<sans_io::PeerConnection>,
    channel: ChannelId,
    batch: Batch<Path>,
    out: Link,
    arrived: Vec<Packet>,
    received: usize,
}

impl Player {
    fn put(&mut self, now: Instant) {
        let message = Bytes::from_static(&[7; 60]);
        self.pc.send(now, self.channel, MessageKind::Binary, message).unwrap();
    }

    fn poll(&mut self, now: Instant) {
        for packet in &mut self.arrived {
            let path = packet.arrival_path();
            self.pc.handle_input(now, Datagram { path, ecn: packet.ecn, payload: &mut packet.payload });
        }
        if self.pc.poll_timeout().is_some_and(|at| at <= now) {
            self.pc.handle_timeout(now);
        }
        self.pc.poll_transmit(now, &mut self.batch);
        while let Some(event) = self.pc.poll_event() {
            assert!(!matches!(event, Event::Failed(_)), "{event:?}");
        }
    }

    /// What a frame does besides: the network, and the game that reads.
    fn rest(&mut self, now: Instant) {
        self.arrived.clear();
        while let Some((run, bytes)) = self.batch.front() {
            for datagram in bytes.chunks(run.segment_size) {
                self.out.send(now, Packet::new(run.route, datagram));
            }
            self.batch.sent();
        }
        while self.pc.receive(self.channel).is_some() {
            self.received += 1;
        }
    }
}

/// Two players with 250 ms and 2 % loss between them.
fn players(seed: u64) -> ([Player; 2], Instant) {
    let config = LinkConfig { delay: Duration::from_millis(125), loss: Loss::Random(0.02), ..LinkConfig::default() };
    let mut pair = peers(config.clone(), seed);
    let init = DataChannelInit {
        ordered: false,
        reliability: Reliability::MaxRetransmits(0),
        negotiated: Some(1),
        ..DataChannelInit::new("positions")
    };
    let now = pair.now();
    let hers = pair.a.pc.create_data_channel(now, init.clone()).unwrap();
    let his = pair.b.pc.create_data_channel(now, init).unwrap();
    negotiate(&mut pair);
    let open = |event: &Event| matches!(event, Event::Open(_));
    pair.run_until(Duration::from_secs(30), |p| connected(p) && p.a.saw(open) && p.b.saw(open)).unwrap();
    let now = pair.now();
    let mut rng = Rng::from_test_seed(seed);
    let mut player = |pc, channel| Player {
        pc: Box::new(pc),
        channel,
        batch: Batch::new(8192, Limits::SINGLE),
        out: Link::new(config.clone(), rng.fork()),
        arrived: Vec::new(),
        received: 0,
    };
    ([player(pair.a.pc, hers), player(pair.b.pc, his)], now)
}

/// The time of each frame that the polls of all peers took, ascending.
fn play(pairs: &mut [[Player; 2]], start: Instant) -> Vec<Duration> {
    let mut times = Vec::new();
    let mut now = start;
    for _ in 0..FRAMES {
        now += FRAME;
        for [a, b] in pairs.iter_mut() {
            while let Some(packet) = b.out.receive(now) {
                a.arrived.push(packet);
            }
            while let Some(packet) = a.out.receive(now) {
                b.arrived.push(packet);
            }
            a.put(now);
            b.put(now);
        }
        let before = by_thread();
        for [a, _] in pairs.iter_mut() {
            a.poll(now);
        }
        times.push(by_thread().saturating_sub(before));
        for [a, b] in pairs.iter_mut() {
            b.poll(now);
            a.rest(now);
            b.rest(now);
        }
    }
    times.sort();
    times
}

#[test]
fn thirty_two_peers_take_less_than_a_millisecond_of_a_frame() {
    let (mut pairs, begun): (Vec<_>, Vec<_>) = (0..PEERS as u64).map(players).unzip();
    let mut now = begun.into_iter().max().unwrap();
    let mut least = Duration::MAX;
    // What disturbs the processor (its other thread, its host) only ever adds: the least of three runs is the cost.
    for _ in 0..3 {
        let times = play(&mut pairs, now);
        now += FRAME * FRAMES as u32;
        let p99 = times[FRAMES * 99 / 100];
        println!("32 peers, a frame: median {:?}, p99 {p99:?}, worst {:?}", times[FRAMES / 2], times[FRAMES - 1]);
        least = least.min(p99);
    }
    let received: usize = pairs.iter().flatten().map(|player| player.received).sum();
    let sent = 3 * FRAMES * 2 * PEERS;
    assert!(received > sent * 9 / 10 && received < sent, "{received} of {sent} came");
    assert!(least < Duration::from_millis(1), "{least:?}");
}

/// A connected couple of polled peers on the loopback interface.
fn couple(config: &Config) -> ([PeerConnection; 2], [DataChannel; 2]) {
    let mut couple = [PeerConnection::with_config(config.clone()), PeerConnection::with_config(config.clone())];
    let options = ChannelOptions { negotiated: true, id: Some(1), ..ChannelOptions::default() };
    let channels = [0, 1].map(|n| couple[n].create_data_channel("x", &options).unwrap());
    couple[0].create_offer().unwrap();
    for _ in 0..100_000 {
        if channels.iter().all(|channel| channel.ready_state() == ChannelState::Open) {
            return (couple, channels);
        }
        for n in 0..2 {
            couple[n].poll().unwrap();
            while let Some(signal) = couple[n].next_signal() {
                match signal {
                    Signal::SessionDescriptionCreated { kind, sdp } => {
                        couple[n].set_local_description(&kind, &sdp).unwrap();
                        couple[1 - n].set_remote_description(&kind, &sdp).unwrap();
                    }
                    Signal::IceCandidateCreated { media, index, name } => {
                        couple[1 - n].add_ice_candidate(&media, index, &name).unwrap();
                    }
                    other => panic!("{other:?}"),
                }
            }
        }
        std::thread::park_timeout(Duration::from_micros(100));
    }
    panic!("never connected");
}

#[test]
fn an_idle_poll_takes_less_than_five_microseconds() {
    const POLLS: u32 = 200;
    let mut config = Config::default().with_loopback(true);
    config.interfaces = Some(vec!["lo".to_owned()]);
    let ([mut a, mut b], _channels) = couple(&config);
    let mut least = Duration::MAX;
    for _ in 0..50 {
        // Keep-alives and their answers are no idleness.
        for _ in 0..10 {
            a.poll().unwrap();
            b.poll().unwrap();
        }
        let before = by_thread();
        for _ in 0..POLLS {
            a.poll().unwrap();
        }
        least = least.min(by_thread().saturating_sub(before) / POLLS);
    }
    println!("an idle poll: {least:?}");
    assert!(least < Duration::from_micros(5), "{least:?}");
}
