//! Connections that rest: what they gave back comes again with the next record.

use std::time::Duration;

use weft_core::Layer as _;
use weft_dtls::Role;
use weft_dtls::wire::UnifiedHeader;

use crate::link::{PERFECT, Pair, config, config_any, connected};

const SHORT: Duration = Duration::from_millis(100);

fn rest(pair: &mut Pair) {
    pair.ends.iter_mut().for_each(weft_dtls::Connection::shrink_to_fit);
}

/// Either end speaks and is heard.
fn talk(pair: &mut Pair) {
    let before = [0, 1].map(|end| pair.received[end].len());
    for end in 0..2 {
        pair.send_data(end, b"data");
    }
    pair.run_for(SHORT);
    assert_eq!([0, 1].map(|end| pair.received[end].len()), before.map(|n| n + 1));
}

#[test]
fn data_flows_after_rest() {
    let of_1_2 = Pair::new(config(Role::Client), config(Role::Server), PERFECT, 1);
    let of_1_3 = Pair::new(config_any(Role::Client), config_any(Role::Server), PERFECT, 1);
    for mut pair in [of_1_2, of_1_3] {
        // Nothing is disturbed by it before there are keys, and in the midst of the handshake.
        rest(&mut pair);
        pair.ends[0].start(pair.now);
        while !pair.both_connected() {
            pair.run_for(Duration::from_millis(1));
            rest(&mut pair);
        }
        for _ in 0..3 {
            talk(&mut pair);
            rest(&mut pair);
            rest(&mut pair);
        }
    }
}

#[test]
fn replays_are_known_after_rest() {
    let mut pair = connected();
    let [seen, late] = [b"seen", b"late"].map(|data| pair.seal(0, data));
    pair.inject(1, &seen);
    rest(&mut pair);
    pair.inject(1, &seen);
    assert_eq!((pair.received[1].len(), pair.ends[1].counters().replayed_records), (1, 1));
    pair.inject(1, &late);
    assert_eq!(pair.received[1].last().map(Vec::as_slice), Some(&b"late"[..]));
}

#[test]
fn forged_records_are_dropped_after_rest() {
    let mut pair = connected();
    let mut forged = pair.seal(0, b"data");
    *forged.last_mut().unwrap() ^= 1;
    rest(&mut pair);
    pair.inject(1, &forged);
    assert_eq!((pair.received[1].len(), pair.ends[1].counters().forged_records), (0, 1));
    talk(&mut pair);
}

#[test]
fn keys_change_after_rest_and_late_records_are_opened() {
    let mut pair = connected();
    for bits in [0, 1, 2] {
        let late = pair.seal(0, b"late");
        rest(&mut pair);
        pair.ends[0].update_keys(true).unwrap();
        pair.run_for(SHORT);
        rest(&mut pair);
        let seals = [0, 1].map(|end| UnifiedHeader::parse(&pair.seal(end, b"?")).unwrap().epoch_bits);
        assert_eq!(seals, [bits, bits]);
        talk(&mut pair);
        rest(&mut pair);
        pair.inject(1, &late);
        assert_eq!(pair.received[1].last().map(Vec::as_slice), Some(&b"late"[..]));
    }
}

/// The server's ACK is lost: the client's last flight comes again, under keys that the server has put by.
#[test]
fn a_repeated_flight_is_answered_after_rest() {
    let mut pair = Pair::new(config_any(Role::Client), config_any(Role::Server), PERFECT, 1);
    pair.ends[0].start(pair.now);
    while !pair.both_connected() {
        pair.run_for(Duration::from_millis(1));
        if pair.ends[1].is_connected() {
            pair.lose_what_is_on_its_way();
        }
    }
    assert!(pair.ends[0].poll_timeout().is_some(), "the client waits for the ACK");
    rest(&mut pair);
    pair.run_for(Duration::from_secs(3));
    assert_eq!([0, 1].map(|end| pair.ends[end].poll_timeout()), [None, None]);
    assert_eq!(pair.ends[0].counters().retransmissions, 1);
    talk(&mut pair);
}
