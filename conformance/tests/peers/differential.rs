//! The same packets to both: what one delivers and acknowledges, the other does, too.
//!
//! Each stack is set up by a peer that the test plays, with the same tags and TSNs. Then both get the same random packets:
//! DATA near the expected TSN in and out of order, whole and in fragments, FORWARD TSN, heartbeats, stream resets, unknown
//! chunks, and now and then a few wrong bytes under a right checksum. Compared are the messages delivered, the cumulative
//! TSN and gaps last acknowledged, and whether the association lives.

use std::time::Duration;

use dcsctp::api::{DcSctpSocket, SocketEvent, SocketTime};
use weft_core::{Frame, Instant, Layer as _, Overhead, Rng};
use weft_sctp::wire::{self, Init, Packet, Sack, kind, param};
use weft_sctp::{Association, Config};
use weft_testkit::for_seeds;

/// The tag and first TSN of the peer that the test plays.
const TAG: u32 = 0x1234_5678;
const TSN: u32 = 0xFFFF_FFF0;

/// What a stack has shown so far.
#[derive(Default)]
struct Seen {
    messages: Vec<(u16, u32, Vec<u8>)>,
    /// Cumulative TSN and gaps of the last SACK.
    sack: Option<(u32, Vec<(u32, u32)>)>,
    dead: bool,
}

impl Seen {
    fn packet(&mut self, packet: &[u8]) {
        let packet = Packet::parse(packet).expect("well formed");
        for chunk in packet.chunks() {
            match chunk.kind {
                kind::SACK => {
                    let sack = Sack::parse(chunk.value).unwrap();
                    let gaps = sack.gap_blocks().map(|(a, b)| (a.0, b.0)).collect();
                    self.sack = Some((sack.cumulative_tsn_ack.0, gaps));
                }
                kind::ABORT => self.dead = true,
                _ => {}
            }
        }
    }
}

/// One of the two, with its tag.
trait Stack {
    fn input(&mut self, now: Instant, packet: &[u8]) -> Vec<Vec<u8>>;
    fn seen(&mut self) -> &mut Seen;
}

struct Ours(Association, Seen);

impl Stack for Ours {
    fn input(&mut self, now: Instant, packet: &[u8]) -> Vec<Vec<u8>> {
        let _ = self.0.handle_timeout(now);
        let _ = self.0.handle_input(now, packet);
        let mut buffer = [0; 2000];
        let mut packets = Vec::new();
        loop {
            let mut frame = Frame::new(&mut buffer, Overhead::NONE);
            if self.0.poll_transmit(now, &mut frame).is_none() {
                break;
            }
            packets.push(frame.content().to_vec());
        }
        while self.0.poll_event().is_some() {}
        while let Some(message) = self.0.receive() {
            self.1.messages.push((message.stream, message.ppid, message.payload.to_vec()));
        }
        packets
    }

    fn seen(&mut self) -> &mut Seen {
        &mut self.1
    }
}

struct Theirs(Box<dyn DcSctpSocket>, Seen);

impl Stack for Theirs {
    fn input(&mut self, now: Instant, packet: &[u8]) -> Vec<Vec<u8>> {
        self.0.advance_time(SocketTime::zero() + Duration::from_nanos(now.as_nanos()));
        self.0.handle_input(packet);
        let mut packets = Vec::new();
        while let Some(event) = self.0.poll_event() {
            match event {
                SocketEvent::SendPacket(packet) => packets.push(packet),
                SocketEvent::OnAborted(..) | SocketEvent::OnClosed() => self.1.dead = true,
                _ => {}
            }
        }
        while let Some(message) = self.0.get_next_message() {
            self.1.messages.push((message.stream_id.0, message.ppid.0, message.payload));
        }
        packets
    }

    fn seen(&mut self) -> &mut Seen {
        &mut self.1
    }
}

fn packet(tag: u32, chunks: &[Vec<u8>]) -> Vec<u8> {
    let mut out = vec![0x13, 0x88, 0x13, 0x88];
    out.extend(tag.to_be_bytes());
    out.extend([0; 4]);
    for chunk in chunks {
        out.extend(chunk);
    }
    seal(&mut out);
    out
}

fn seal(packet: &mut [u8]) {
    let sum = wire::crc(packet);
    packet[8..12].copy_from_slice(&sum.to_le_bytes());
}

fn chunk(kind: u8, flags: u8, value: &[u8]) -> Vec<u8> {
    let mut out = vec![kind, flags];
    out.extend((value.len() as u16 + 4).to_be_bytes());
    out.extend(value);
    out.resize(out.len().next_multiple_of(4), 0);
    out
}

/// Sets the stack up; gives its tag and first TSN.
fn set_up(stack: &mut dyn Stack) -> (u32, u32) {
    let mut init = TAG.to_be_bytes().to_vec();
    init.extend(1_000_000_u32.to_be_bytes());
    init.extend([0, 8, 0, 8]);
    init.extend(TSN.to_be_bytes());
    init.extend([0xC0, 0, 0, 4, 0x80, 8, 0, 6, 0xC0, 0x82, 0, 0]);
    init.truncate(init.len() - 2);
    let now = Instant::from_millis(1);
    let answer = stack.input(now, &packet(0, &[chunk(kind::INIT, 0, &init)])).remove(0);
    let answer = Packet::parse(&answer).unwrap();
    let ack = Init::parse(answer.chunks().next().unwrap().value).unwrap();
    let cookie = ack.params.find(param::STATE_COOKIE).unwrap();
    let answer = stack.input(now, &packet(ack.initiate_tag, &[chunk(kind::COOKIE_ECHO, 0, cookie)]));
    assert_eq!(Packet::parse(&answer[0]).unwrap().chunks().next().unwrap().kind, kind::COOKIE_ACK);
    (ack.initiate_tag, ack.initial_tsn.0)
}

/// A sender that keeps to the protocol, whose packets are lost, doubled and overtaken; and now and then a stranger's.
struct Sender {
    rng: Rng,
    /// Chunks made and not yet sent for good, with their TSNs.
    queue: Vec<(u32, Vec<u8>)>,
    next_tsn: u32,
    ssn: [u16; 4],
}

impl Sender {
    /// A message in one to three fragments, whole in the queue.
    fn message(&mut self) {
        let (stream, unordered) = (self.rng.below(4) as u16, self.rng.chance(0.3));
        let fragments = 1 + self.rng.below(3);
        for n in 0..fragments {
            let flags = u8::from(n + 1 == fragments) | u8::from(n == 0) << 1 | u8::from(unordered) << 2;
            let ssn = if unordered { 0 } else { self.ssn[usize::from(stream)] };
            let mut value = self.next_tsn.to_be_bytes().to_vec();
            value.extend(stream.to_be_bytes());
            value.extend(ssn.to_be_bytes());
            value.extend(53_u32.to_be_bytes());
            value.extend(self.next_tsn.to_be_bytes().iter().cycle().take(1 + self.rng.below(40) as usize));
            self.queue.push((self.next_tsn, chunk(kind::DATA, flags, &value)));
            self.next_tsn = self.next_tsn.wrapping_add(1);
        }
        if !unordered {
            self.ssn[usize::from(stream)] += 1;
        }
    }

    /// The chunks of the next packet.
    fn chunks(&mut self) -> Vec<Vec<u8>> {
        while self.queue.len() < 12 {
            self.message();
        }
        let mut chunks = Vec::new();
        for _ in 0..=self.rng.below(2) {
            match self.rng.below(20) {
                0 => chunks.push(chunk(kind::HEARTBEAT, 0, &[0, 1, 0, 8, 1, 2, 3, 4])),
                1 => chunks.push(chunk([0x3F, 0xBF, 0x7F, 0xFF][self.rng.below(4) as usize], 0, &[1, 2, 3])),
                _ => {
                    let at = self.rng.below(6) as usize;
                    chunks.push(self.queue[at].1.clone());
                    if self.rng.chance(0.8) {
                        self.queue.remove(at);
                    }
                }
            }
        }
        chunks
    }
}

fn run(seed: u64, damage: f64) {
    let mut rng = Rng::from_test_seed(seed);
    let config = Config { zero_checksum: false, heartbeat_interval: None, ..Config::default() };
    let mut ours = Ours(Association::new(config, rng.fork()), Seen::default());
    let mut theirs = Theirs(dcsctp::new_socket("it", &dcsctp::api::Options::default()), Seen::default());
    let tags = [set_up(&mut ours).0, set_up(&mut theirs).0];
    let mut sender = Sender { rng: rng.fork(), queue: Vec::new(), next_tsn: TSN, ssn: [0; 4] };
    for step in 0..120_u64 {
        let now = Instant::from_millis(10 + step * 250);
        let mut chunks = sender.chunks();
        if rng.chance(damage)
            && let Some(chunk) = chunks.last_mut()
        {
            // A field of a DATA chunk that both must look at: flags, stream, SSN, or bytes that say nothing.
            let at = [1, 9, 11, chunk.len() - 1][rng.below(4) as usize].min(chunk.len() - 1);
            chunk[at] ^= 1 << rng.below(3);
        }
        let stacks: [&mut dyn Stack; 2] = [&mut ours, &mut theirs];
        for (stack, tag) in stacks.into_iter().zip(tags) {
            let mut out = stack.input(now, &packet(tag, &chunks));
            // The delayed acknowledgement, too.
            out.extend(stack.input(now + Duration::from_millis(240), &[]));
            for packet in &out {
                stack.seen().packet(packet);
            }
        }
        assert_eq!(ours.1.dead, theirs.1.dead, "step {step}: {chunks:02x?}");
        if ours.1.dead {
            return;
        }
        if damage == 0.0 {
            assert_eq!(ours.1.sack, theirs.1.sack, "step {step}: {chunks:02x?}");
            assert_eq!(ours.1.messages.len(), theirs.1.messages.len(), "step {step}: {chunks:02x?}");
        }
        assert!(ours.1.sack.as_ref().map(|s| s.0) == theirs.1.sack.as_ref().map(|s| s.0), "step {step}: {chunks:02x?}");
    }
    if damage == 0.0 {
        ours.1.messages.sort();
        theirs.1.messages.sort();
        assert!(ours.1.messages == theirs.1.messages && ours.1.messages.len() > 20);
    }
}

#[test]
fn what_a_peer_sends_is_taken_alike() {
    for_seeds("what_a_peer_sends_is_taken_alike", 20_000, |seed| run(seed, 0.0));
}

/// With wrong flags, streams and numbers: both acknowledge the same, and live or die alike.
#[test]
fn what_a_broken_peer_sends_is_acknowledged_alike() {
    for_seeds("what_a_broken_peer_sends_is_acknowledged_alike", 20_000, |seed| run(seed, 0.05));
}
