//! Memory: no heap allocation for a packet in steady state, and how much an association holds that does nothing.
#![allow(clippy::unwrap_used, missing_docs)]

use core::time::Duration;
use std::sync::Arc;

use bytes::Bytes;
use weft_core::{Frame, Instant, Layer, Overhead, Rng};
use weft_sctp::{Association, Config, SendOptions, State};

struct Wire {
    now: Instant,
    a: Association,
    b: Association,
    buffer: Vec<u8>,
    packets: u64,
}

impl Wire {
    fn connected(config: &Arc<Config>) -> Self {
        let end = |seed| Association::new(config.clone(), Rng::from_test_seed(seed));
        let mut wire = Self { now: Instant::ORIGIN, a: end(1), b: end(2), buffer: vec![0; 2048], packets: 0 };
        wire.a.connect(wire.now);
        for _ in 0..8 {
            wire.turn();
        }
        assert!(wire.a.state() == State::Established && wire.b.state() == State::Established);
        wire
    }

    fn turn(&mut self) {
        self.now += Duration::from_micros(50);
        self.packets += pump(self.now, &mut self.a, &mut self.b, &mut self.buffer);
        pump(self.now, &mut self.b, &mut self.a, &mut self.buffer);
        for end in [&mut self.a, &mut self.b] {
            end.handle_timeout(self.now).unwrap();
            while end.poll_event().is_some() {}
        }
    }

    fn transfer(&mut self, messages: u64, message: &Bytes) {
        let (mut to_send, mut received) = (messages, 0);
        while received < messages {
            while to_send > 0 && self.a.send(self.now, 0, 53, message.clone(), SendOptions::default()).is_ok() {
                to_send -= 1;
            }
            self.turn();
            while let Some(got) = self.b.receive() {
                assert_eq!(got.payload.len(), message.len());
                received += 1;
            }
        }
    }
}

fn pump(now: Instant, from: &mut Association, to: &mut Association, buffer: &mut [u8]) -> u64 {
    for n in 0..64 {
        let mut frame = Frame::new(buffer, Overhead::NONE);
        if from.poll_transmit(now, &mut frame).is_none() {
            return n;
        }
        to.handle_input(now, frame.content()).unwrap();
    }
    64
}

#[test]
fn none_for_a_packet() {
    for interleaving in [true, false] {
        let config = Arc::new(Config { interleaving, path_mtu_discovery: false, ..Config::rtc() });
        for (size, count) in [(65_536, 400), (16_384, 1000), (1200, 4000), (32, 60_000)] {
            let message = Bytes::from(vec![7; size]);
            let mut wire = Wire::connected(&config);
            wire.transfer(2 * count, &message); // buffers grow to what they need
            wire.packets = 0;
            let allocations = allocation_counter::measure(|| wire.transfer(count, &message)).count_total;
            assert!(wire.packets >= count * size as u64 / 1200, "{}", wire.packets);
            // One for a message that is put together; small ones share two for each packet.
            let most = if size < 100 { 2 * wire.packets } else { count };
            assert!(
                allocations <= most + 10,
                "{allocations} for {count} messages of {size} B, {} packets",
                wire.packets
            );
        }
    }
}

/// An association that is up and has nothing to do takes 2 KiB, whatever it did before; settings are shared.
#[test]
fn an_idle_association_is_small() {
    let config = Arc::new(Config { heartbeat_interval: Some(Duration::from_secs(1)), ..Config::rtc() });
    let mut wire = None;
    let fresh = allocation_counter::measure(|| wire = Some(Wire::connected(&config))).bytes_current;
    let Some(mut wire) = wire else { unreachable!() };
    let buffer = i64::try_from(wire.buffer.len()).unwrap();
    let size = i64::try_from(size_of::<Association>()).unwrap();
    let one = size + (fresh - buffer) / 2;
    assert!(one <= 2048, "fresh from the handshake: {one} bytes, {size} of them the value itself");
    let mut used = 0;
    let rested = allocation_counter::measure(|| {
        used = allocation_counter::measure(|| wire.transfer(1000, &Bytes::from(vec![7; 10_000]))).bytes_current;
        for _ in 0..20 {
            wire.now += Duration::from_millis(500);
            wire.turn();
        }
    });
    // What stays beside is the state of the stream that was used, and of its neighbours: less than 600 bytes on both sides.
    let one = size + (fresh + rested.bytes_current - buffer) / 2;
    assert!(used > 10_000, "{used}");
    assert!(one <= 2048 + 300, "after much traffic: {one} bytes");
}
