//! Two associations in memory: what SCTP alone costs, both ends, without sockets and encryption.
#![allow(clippy::unwrap_used, missing_docs)]

use std::time::Duration;

use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use weft_core::{Frame, Instant, Layer, Overhead, Rng};
use weft_sctp::{Association, Config, SendOptions};

/// Two associations and the wire between them, which loses nothing and takes a microsecond a burst.
struct Wire {
    now: Instant,
    a: Association,
    b: Association,
    buffer: Vec<u8>,
}

impl Wire {
    fn connected() -> Self {
        let config = || Config { zero_checksum: true, ..Config::rtc() };
        let a = Association::new(config(), Rng::from_test_seed(1));
        let b = Association::new(config(), Rng::from_test_seed(2));
        let mut wire = Self { now: Instant::ORIGIN, a, b, buffer: vec![0; 2048] };
        wire.a.connect(wire.now);
        for _ in 0..8 {
            wire.turn();
        }
        while wire.a.poll_event().is_some() {}
        wire
    }

    /// Everything A has to send, then everything B has to answer.
    fn turn(&mut self) {
        self.now += Duration::from_micros(1);
        pump(self.now, &mut self.a, &mut self.b, &mut self.buffer);
        pump(self.now, &mut self.b, &mut self.a, &mut self.buffer);
        if self.a.poll_timeout().is_some_and(|at| at <= self.now) {
            self.a.handle_timeout(self.now).unwrap();
        }
    }

    fn transfer(&mut self, total: usize, message: &Bytes) {
        let mut to_send = total / message.len();
        let mut to_receive = to_send;
        while to_receive > 0 {
            while to_send > 0 && self.a.send(self.now, 1, 53, message.clone(), SendOptions::default()).is_ok() {
                to_send -= 1;
            }
            self.turn();
            while let Some(received) = self.b.receive() {
                assert_eq!(received.payload.len(), message.len());
                to_receive -= 1;
            }
            while self.a.poll_event().is_some() || self.b.poll_event().is_some() {}
        }
    }
}

fn pump(now: Instant, from: &mut Association, to: &mut Association, buffer: &mut [u8]) {
    loop {
        let mut frame = Frame::new(buffer, Overhead::NONE);
        if from.poll_transmit(now, &mut frame).is_none() {
            return;
        }
        to.handle_input(now, frame.content()).unwrap();
    }
}

fn transfer(c: &mut Criterion) {
    let mut group = c.benchmark_group("sctp/transfer");
    group.sample_size(20).measurement_time(Duration::from_secs(5));
    for (size, total) in [(65_536, 16 << 20), (16_384, 16 << 20), (1200, 4 << 20), (32, 1 << 19)] {
        let total = total / size * size;
        let message = Bytes::from(vec![0x5A; size]);
        let mut wire = Wire::connected();
        group.throughput(Throughput::Bytes(total as u64));
        group.bench_function(BenchmarkId::from_parameter(size), |b| b.iter(|| wire.transfer(total, &message)));
    }
    group.finish();
}

criterion_group!(benches, transfer);
criterion_main!(benches);
