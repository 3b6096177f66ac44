//! Many associations at once, all of one process with all of another: a processor for each side, of which the receiving one
//! is the slower, a socket for each that holds so much and drops the rest, and a timer of whole milliseconds.

use core::time::Duration;
use std::collections::VecDeque;

use bytes::Bytes;
use weft_core::{Frame, Instant, Layer, Overhead, Rng};
use weft_sctp::{Association, Config, SendOptions, State};

use crate::common::millis;

/// What a call of the system costs that sends, and one that receives; what a packet costs on either side.
const SENDING: Duration = Duration::from_micros(6);
const RECEIVING: Duration = Duration::from_micros(2);
const PACKET: [Duration; 2] = [Duration::from_nanos(600), Duration::from_nanos(1400)];

/// Packets that one call takes.
const SEGMENTS: usize = 44;

/// What Linux gives a socket unless asked for more, and what a process with leave to do so asks for.
const DEFAULT_SOCKET: usize = 212_992;
const LARGE_SOCKET: usize = 4 << 20;

#[derive(Debug, Default)]
struct Counts {
    /// User bytes that arrived.
    bytes: usize,
    /// Calls that sent data.
    calls: usize,
    /// Packets that found no room in the socket.
    dropped: usize,
}

/// Packets of one association that arrive together.
struct Run {
    at: Instant,
    of: usize,
    packets: Vec<Vec<u8>>,
}

/// One process: an end of each association, and its socket.
struct Side {
    now: Instant,
    ends: Vec<Association>,
    inbox: VecDeque<Run>,
    held: usize,
    room: usize,
    packet: Duration,
    sends: bool,
    /// Whose turn it is.
    turn: Vec<usize>,
}

impl Side {
    fn new(count: usize, room: usize, sends: bool) -> Self {
        let end = |n| {
            let mut it = Association::new(Config::rtc(), Rng::from_test_seed(2 * n as u64 + u64::from(sends)));
            if sends {
                it.connect(Instant::ORIGIN);
            }
            it
        };
        Self {
            now: Instant::from_millis(1),
            ends: (0..count).map(end).collect(),
            inbox: VecDeque::new(),
            held: 0,
            room,
            packet: PACKET[usize::from(!sends)],
            sends,
            turn: (0..count).collect(),
        }
    }

    /// When there is something to do.
    fn wakes(&self) -> Instant {
        if !self.turn.is_empty() {
            return self.now;
        }
        let timer = self.ends.iter().filter_map(Layer::poll_timeout).min();
        let timer = timer.map_or(Instant::FAR_FUTURE, |at| Instant::from_millis(at.as_nanos().div_ceil(1_000_000)));
        self.inbox.front().map_or(timer, |run| run.at.min(timer))
    }

    fn take_in(&mut self) {
        let mut taken = 0;
        while taken < 64
            && self.inbox.front().is_some_and(|run| run.at <= self.now)
            && let Some(run) = self.inbox.pop_front()
        {
            taken += run.packets.len();
            for packet in &run.packets {
                self.held -= packet.len();
                self.ends[run.of].handle_input(self.now, packet).unwrap();
            }
            self.now += RECEIVING + self.packet * run.packets.len() as u32;
            self.turn.push(run.of);
        }
        let tick = Instant::from_millis(self.now.as_nanos() / 1_000_000);
        for (n, end) in self.ends.iter_mut().enumerate() {
            if end.poll_timeout().is_some_and(|at| at <= tick) {
                end.handle_timeout(self.now).unwrap();
                self.turn.push(n);
            }
        }
    }

    /// One call's worth of an association.
    fn call(&mut self, of: usize) -> Vec<Vec<u8>> {
        let mut buffer = [0; 2048];
        let mut packets = Vec::new();
        while packets.len() < SEGMENTS {
            let mut frame = Frame::new(&mut buffer, Overhead::NONE);
            if self.ends[of].poll_transmit(self.now, &mut frame).is_none() {
                break;
            }
            packets.push(frame.content().to_vec());
        }
        if !packets.is_empty() {
            self.now += SENDING + self.packet * packets.len() as u32;
        }
        packets
    }

    fn step(&mut self, other: &mut Self, message: &Bytes, counts: &mut Counts) {
        let wakes = self.wakes();
        if wakes > self.now {
            // Not past what the other may still send.
            self.now = wakes.min(other.now + Duration::from_micros(20));
            return;
        }
        self.take_in();
        let mut turn = core::mem::take(&mut self.turn);
        turn.sort_unstable();
        turn.dedup();
        for of in turn {
            let it = &mut self.ends[of];
            while self.sends
                && it.state() == State::Established
                && it.send(self.now, 0, 53, message.clone(), SendOptions::default()).is_ok()
            {}
            counts.bytes += core::iter::from_fn(|| it.receive()).map(|message| message.payload.len()).sum::<usize>();
            while it.poll_event().is_some() {}
            loop {
                let packets = self.call(of);
                let (count, bytes) = (packets.len(), packets.iter().map(Vec::len).sum::<usize>());
                counts.calls += usize::from(self.sends && count > 0);
                if other.held + bytes > other.room {
                    counts.dropped += count;
                } else if count > 0 {
                    other.held += bytes;
                    other.inbox.push_back(Run { at: self.now, of, packets });
                }
                if count < SEGMENTS {
                    break;
                }
            }
        }
    }
}

/// What so many associations do in 200 ms, once they have had 300 to find out how fast they may be.
fn run(count: usize, room: usize) -> Counts {
    let (mut a, mut b) = (Side::new(count, room, true), Side::new(count, room, false));
    let message = Bytes::from(vec![7; 65_536]);
    let mut counts = Counts::default();
    for end in [300, 500] {
        counts = Counts::default();
        while a.now.min(b.now) < Instant::ORIGIN + millis(end) {
            let (side, other) = if a.now <= b.now { (&mut a, &mut b) } else { (&mut b, &mut a) };
            side.step(other, &message, &mut counts);
        }
    }
    eprintln!("{count} with {room} B: {counts:?}, {} B a call", counts.bytes / counts.calls);
    counts
}

/// Each call costs something, and so does the SACK that answers it: what leaves in one must be worth it, however many share
/// the processor.
#[test]
fn a_hundred_associations_are_nearly_as_fast_as_one() {
    let one = run(1, LARGE_SOCKET);
    for (count, least) in [(10, 0.85), (30, 0.85), (100, 0.75)] {
        let many = run(count, LARGE_SOCKET);
        let share = many.bytes as f64 / one.bytes as f64;
        assert!(share >= least, "{count}: {share:.3}, {many:?}");
        assert!(many.bytes / many.calls >= 20_000, "{count}: {many:?}");
    }
}

/// A socket that nobody may enlarge holds two kilobytes of each of a hundred. They lose some of what they send, and get on all the
/// same.
#[test]
fn a_hundred_associations_share_a_default_socket() {
    let one = run(1, DEFAULT_SOCKET);
    let many = run(100, DEFAULT_SOCKET);
    let share = many.bytes as f64 / one.bytes as f64;
    assert!(share >= 0.85, "{share:.3}, {many:?}");
}

/// pion/sctp#218, webrtc-rs: a burst larger than the socket loses its end, each time.
#[test]
fn what_leaves_at_once_fits_a_default_socket() {
    let one = run(1, DEFAULT_SOCKET);
    assert_eq!(one.dropped, 0, "{one:?}");
}
