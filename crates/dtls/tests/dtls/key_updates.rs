//! Key updates that the application asks for.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use weft_core::Layer as _;
use weft_dtls::wire::UnifiedHeader;
use weft_dtls::{KeyUpdateError, Role};

use crate::link::{PERFECT, Pair, config, config_any, connected};

const SHORT: Duration = Duration::from_millis(100);

/// The low bits of the epoch in which an end seals now.
fn epoch_bits(pair: &mut Pair, end: usize) -> u8 {
    let sealed = pair.seal(end, b"?");
    UnifiedHeader::parse(&sealed).unwrap().epoch_bits
}

#[test]
fn keys_change_on_request() {
    for (asking, both, expected) in [(0, false, [0, 3]), (1, false, [3, 0]), (0, true, [0, 0]), (1, true, [0, 0])] {
        let mut pair = connected();
        pair.ends[asking].update_keys(both).unwrap();
        pair.send_data(asking, b"before");
        pair.run_for(SHORT);
        assert_eq!([0, 1].map(|end| epoch_bits(&mut pair, end)), expected, "{asking} {both}");
        let changed = expected.map(|bits| u64::from(bits == 0));
        for end in 0..2 {
            let counters = pair.ends[end].counters();
            assert_eq!([counters.key_updates, counters.peer_key_updates], [changed[end], changed[1 - end]]);
        }
        pair.send_data(0, b"ping");
        pair.send_data(1, b"pong");
        pair.run_for(SHORT);
        assert_eq!(pair.received[1 - asking].first().map(Vec::as_slice), Some(&b"before"[..]));
        assert!(pair.received[0].contains(&b"pong".to_vec()) && pair.received[1].contains(&b"ping".to_vec()));
        assert!(pair.ends.iter().all(|end| end.poll_timeout().is_none()), "no timer runs on");
    }
}

/// However often it is asked for, one update is under way, and one is what comes of it.
#[test]
fn asking_again_changes_nothing() {
    let mut pair = connected();
    let handshakes = Rc::new(RefCell::new(0));
    let seen = handshakes.clone();
    pair.filter = Box::new(move |from, _| {
        *seen.borrow_mut() += u32::from(from == 0);
        true
    });
    for _ in 0..5 {
        pair.ends[0].update_keys(false).unwrap();
        pair.run_for(Duration::from_millis(1));
    }
    pair.run_for(SHORT);
    assert_eq!(*handshakes.borrow(), 1);
    assert_eq!(epoch_bits(&mut pair, 0), 0);
    // The next is another one.
    pair.ends[0].update_keys(false).unwrap();
    pair.run_for(SHORT);
    assert_eq!(epoch_bits(&mut pair, 0), 1);
}

/// Both ask both at once: either answers the other's wish, and then it is over.
#[test]
fn updates_that_cross_on_the_way_come_to_an_end() {
    let mut pair = connected();
    for end in 0..2 {
        pair.ends[end].update_keys(true).unwrap();
    }
    pair.run_for(Duration::from_secs(1));
    let datagrams = pair.datagrams;
    pair.run_for(Duration::from_secs(100));
    assert_eq!(pair.datagrams, datagrams);
    pair.send_data(0, b"ping");
    pair.send_data(1, b"pong");
    pair.run_for(SHORT);
    assert_eq!(pair.received, [vec![b"pong".to_vec()], vec![b"ping".to_vec()]]);
}

#[test]
fn there_are_no_key_updates_without_1_3_or_a_connection() {
    let mut pair = Pair::new(config_any(Role::Client), config(Role::Server), PERFECT, 1);
    assert_eq!(pair.ends[0].update_keys(false), Err(KeyUpdateError::NotConnected));
    pair.connect(Duration::from_secs(5));
    assert_eq!(pair.ends[0].update_keys(false), Err(KeyUpdateError::NotConnected), "1.2");
    let mut pair = connected();
    pair.ends[0].close(pair.now);
    assert_eq!(pair.ends[0].update_keys(true), Err(KeyUpdateError::NotConnected), "closed");
}
