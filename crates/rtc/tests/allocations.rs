//! Heap allocations of the whole stack in steady state, counted: none for a packet, one for a message that is handed over,
//! none for a message that is read in place. And the bytes that an idle connection keeps.

#[allow(dead_code)] // shared with tests of metrics
mod memory;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use memory::Pair;
use weft_rtc::{Certificate, SharedConfig};

/// Heap allocations of a transfer, and the packets it took.
fn count(pair: &mut Pair, messages: u64, size: usize) -> (u64, u64) {
    let message = Bytes::from(vec![0x5A; size]);
    pair.transfer(messages, &message);
    let before = pair.sent();
    let counted = allocation_counter::measure(|| pair.transfer(messages, &message));
    (counted.count_total, pair.sent() - before)
}

#[test]
fn a_message_read_in_place_costs_no_allocation() {
    let mut pair = Pair::connected();
    pair.in_place = true;
    for (messages, size) in [(400, 65_536), (4000, 5000), (8000, 1150), (40_000, 100)] {
        let (allocations, packets) = count(&mut pair, messages, size);
        println!("{size} B in place: {messages} messages, {packets} packets, {allocations} allocations");
        assert!(allocations <= packets / 100, "{size} B: {allocations} for {messages} messages, {packets} packets");
    }
}

#[test]
fn a_packet_costs_no_allocation_and_a_message_one() {
    let mut pair = Pair::connected();
    for (messages, size) in [(400, 65_536), (8000, 1150), (40_000, 100)] {
        let (allocations, packets) = count(&mut pair, messages, size);
        println!("{size} B: {messages} messages, {packets} packets, {allocations} allocations");
        assert!(
            allocations <= messages + packets / 100,
            "{size} B: {allocations} for {messages} messages, {packets} packets"
        );
    }
}

#[test]
fn what_traffic_took_is_given_back_soon() {
    let mut pair = Pair::connected();
    pair.run(Duration::from_secs(20));
    let mut used = 0;
    let rested = allocation_counter::measure(|| {
        used = allocation_counter::measure(|| pair.transfer(400, &Bytes::from(vec![0x5A; 65_536]))).bytes_current;
        pair.run(Duration::from_secs(10));
    });
    println!("{used} bytes after the transfer, {} ten seconds later", rested.bytes_current);
    assert!(used > 50_000, "{used}");
    assert!(rested.bytes_current < 4_000, "{} bytes stay", rested.bytes_current);
}

/// Bytes on the heap that a connection with one open channel may have once it has been idle for a while, itself included.
/// What the C library under the cryptography allocates is not among them; keys that rest have none of it.
/// Certificates vary by a few bytes.
const IDLE_BYTES: i64 = 10_200;

#[test]
fn an_idle_connection_keeps_few_bytes() {
    const PAIRS: i64 = 20;
    let certificate = Arc::new(Certificate::generate().unwrap());
    let config: SharedConfig = memory::config().with_certificate(certificate).into();
    let idle = || Pair::connected_with([config.clone(), config.clone()]).idle(Duration::from_secs(120));
    // What is made once for all.
    let warm = idle();
    let mut pairs = Vec::with_capacity(32);
    let counted = allocation_counter::measure(|| pairs.extend((0..PAIRS).map(|_| idle())));
    let each = counted.bytes_current / (2 * PAIRS);
    println!("an idle connection keeps {each} bytes");
    assert!(each <= IDLE_BYTES, "{each} bytes for each");
    drop((warm, pairs));
}
