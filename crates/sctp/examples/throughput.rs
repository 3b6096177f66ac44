//! Two associations in memory: MiB for each CPU-second, both ends together, at several message sizes.
//!
//! `cargo run --release --example throughput -p weft-sctp [bytes per message ...]`
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods, clippy::panic)]

use std::time::Duration;

use bytes::Bytes;
use weft_core::{Frame, Instant, Layer, Overhead, Rng};
use weft_sctp::{Association, Config, SendError, SendOptions};

fn main() {
    let mut sizes: Vec<usize> = std::env::args().skip(1).filter_map(|arg| arg.parse().ok()).collect();
    if sizes.is_empty() {
        sizes = vec![65_536, 16_384, 1200, 32];
    }
    for zero_checksum in [true, false] {
        for &size in &sizes {
            let (mib, packets, messages) = run(size, zero_checksum);
            println!(
                "{size:>6} B, {}: {mib:>7.0} MiB/s, {packets:>9.0} data packets/s, {messages:>9.0} messages/s",
                if zero_checksum { "zero checksum" } else { "CRC32c       " },
            );
        }
    }
}

fn drain(from: &mut Association, to: &mut Association, now: Instant, buffer: &mut [u8]) -> u64 {
    let mut count = 0;
    loop {
        let mut frame = Frame::new(buffer, Overhead::NONE);
        if from.poll_transmit(now, &mut frame).is_none() {
            return count;
        }
        to.handle_input(now, frame.content()).expect("both live");
        count += 1;
        if count % 64 == 0 {
            return count; // as many as one segmentation offload call takes
        }
    }
}

fn run(size: usize, zero_checksum: bool) -> (f64, f64, f64) {
    let config = Config { zero_checksum, ..Config::rtc() };
    let mut a = Association::new(config.clone(), Rng::from_test_seed(1));
    let mut b = Association::new(config, Rng::from_test_seed(2));
    let mut now = Instant::ORIGIN;
    let mut buffer = vec![0; 1200];
    let payload = Bytes::from(vec![7; size]);
    let (mut received, mut packets, mut messages) = (0_u64, 0, 0_u64);
    a.connect(now);
    let total = if size < 1000 { 64 << 20 } else { 1 << 30 };
    let started = std::time::Instant::now();
    while received < total {
        loop {
            match a.send(now, 0, 53, payload.clone(), SendOptions::default()) {
                Ok(()) => {}
                Err(SendError::Full) => break,
                Err(error) => panic!("{error}"),
            }
        }
        packets += drain(&mut a, &mut b, now, &mut buffer);
        while let Some(message) = b.receive() {
            received += message.payload.len() as u64;
            messages += 1;
        }
        drain(&mut b, &mut a, now, &mut buffer);
        while a.poll_event().is_some() || b.poll_event().is_some() {}
        now += Duration::from_micros(100);
        for side in [&mut a, &mut b] {
            if side.poll_timeout().is_some_and(|at| at <= now) {
                side.handle_timeout(now).expect("both live");
            }
        }
    }
    let seconds = started.elapsed().as_secs_f64();
    (received as f64 / 1_048_576.0 / seconds, packets as f64 / seconds, messages as f64 / seconds)
}
