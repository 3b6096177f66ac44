//! Several records in a datagram, sizes, and steady state.

use std::time::Duration;

use weft_core::{Frame, Spent, Wrap};
use weft_dtls::wire::{ContentType, MAX_CIPHERTEXT, MAX_PLAINTEXT};

use crate::link::Pair;
use crate::pitfalls::plaintext;

#[test]
fn several_records_in_a_datagram() {
    let mut pair = Pair::connected(1);
    let records = [pair.seal(0, b"one"), pair.seal(0, b"two"), pair.seal(0, b""), pair.seal(0, b"three")];
    pair.inject(1, &records.concat());
    assert_eq!(pair.received[1], [b"one".to_vec(), b"two".to_vec(), b"three".to_vec()]);
}

#[test]
fn a_bad_record_does_not_spoil_its_neighbours() {
    let mut pair = Pair::connected(2);
    let mut records = [pair.seal(0, b"one"), pair.seal(0, b"two"), pair.seal(0, b"three")];
    let last = records[1].len() - 1;
    records[1][last] ^= 1;
    pair.inject(1, &records.concat());
    assert_eq!(pair.received[1], [b"one".to_vec(), b"three".to_vec()]);
}

//= rfc6347#4.1.1.1
//# However, the upper layer protocol MUST NOT write any record that exceeds the maximum record size of 2^14 bytes.
//= rfc5246#6.2.1
//# The length MUST NOT exceed 2^14.
#[test]
fn the_longest_record_passes() {
    let mut pair = Pair::connected(3);
    let data = vec![7; MAX_PLAINTEXT];
    pair.send_data(1, &data);
    pair.run_for(Duration::from_secs(1));
    assert_eq!(pair.received[0], [data]);
    let room = pair.ends[1].overhead().unwrap();
    let mut buffer = vec![0; MAX_PLAINTEXT + 100];
    let mut frame = Frame::new(&mut buffer, room);
    frame.push_zeros(MAX_PLAINTEXT + 1).unwrap();
    assert_eq!(pair.ends[1].wrap(&mut frame), Err(Spent::NoRoom));
}

#[test]
fn counters_tell_what_passed() {
    let mut pair = Pair::connected(4);
    let before = [0, 1].map(|end| pair.ends[end].counters());
    for _ in 0..10 {
        pair.send_data(0, b"x");
    }
    pair.run_for(Duration::from_secs(1));
    assert_eq!(pair.ends[0].counters().records_sent - before[0].records_sent, 10);
    assert_eq!(pair.ends[1].counters().records_received - before[1].records_received, 10);
}

//= rfc5246#6.2.3
//# The length MUST NOT exceed 2^14 + 2048.
#[test]
fn longer_records_than_allowed_are_dropped() {
    let mut pair = Pair::connected(5);
    let forged = plaintext(ContentType::APPLICATION_DATA, 1, 9, &vec![0; MAX_CIPHERTEXT + 1]);
    pair.inject(1, &forged);
    assert_eq!((pair.ends[1].counters().malformed_records, pair.ends[1].counters().forged_records), (1, 0));
}
