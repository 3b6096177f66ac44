//! Heap allocations of the whole stack in steady state, counted: none for a packet, one for a message that is handed over,
//! none for a message that is read in place.

mod memory;

use bytes::Bytes;
use memory::Pair;

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
