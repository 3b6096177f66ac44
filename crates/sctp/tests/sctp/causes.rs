//! Error causes (RFC 9260 section 3.3.10) as they go out: code, length, information.

use weft_core::{Instant, Layer, Rng};
use weft_sctp::wire::{Init, cause, kind};
use weft_sctp::{Association, Config};

use crate::common::{OUR_TAG, Victim, chunks, init_value, kinds, packet, packets, sack_value};

const HOST_NAME: [u8; 8] = [0, 11, 0, 8, 97, 98, 99, 0];
const COOKIE: [u8; 8] = [0, 7, 0, 8, 1, 2, 3, 4];

/// The only chunk it sends, an ABORT: code and information of its cause.
fn abort(out: &[Vec<u8>]) -> (u16, Vec<u8>) {
    assert_eq!((out.len(), kinds(&out[0])), (1, vec![kind::ABORT]));
    let (code, info) = cause::first(chunks(&out[0])[0].value).unwrap();
    (code, info.to_vec())
}

fn to_an_init(value: &[u8]) -> (u16, Vec<u8>) {
    let mut it = Association::new(Config::rtc(), Rng::from_test_seed(1));
    it.handle_input(Instant::ORIGIN, &packet(0, &[(kind::INIT, 0, value)])).unwrap();
    abort(&packets(&mut it, Instant::ORIGIN))
}

fn to_an_init_ack(value: &[u8]) -> (u16, Vec<u8>) {
    let mut it = Association::new(Config::rtc(), Rng::from_test_seed(1));
    it.connect(Instant::ORIGIN);
    let init = packets(&mut it, Instant::ORIGIN).remove(0);
    let tag = Init::parse(chunks(&init)[0].value).unwrap().initiate_tag;
    let _ = it.handle_input(Instant::ORIGIN, &packet(tag, &[(kind::INIT_ACK, 0, value)]));
    abort(&packets(&mut it, Instant::ORIGIN))
}

/// Those that end a set-up.
#[test]
fn what_cannot_be_set_up_is_told_why() {
    let value = |params: &[&[u8]]| init_value(OUR_TAG, 1, &params.concat());
    assert_eq!(
        to_an_init_ack(&value(&[])),
        (2, vec![0, 0, 0, 1, 0, 7]),
        "Missing Mandatory Parameter: one, the cookie"
    );
    for (name, answer) in
        [("INIT", to_an_init(&value(&[&HOST_NAME]))), ("INIT ACK", to_an_init_ack(&value(&[&COOKIE, &HOST_NAME])))]
    {
        assert_eq!(answer, (5, HOST_NAME.to_vec()), "Unresolvable Address with the parameter, to {name}");
    }
    // Invalid Mandatory Parameter: no streams, or a window below 1500 bytes.
    for (at, len) in [(8, 2), (10, 2), (4, 4)] {
        let mut bad = value(&[&COOKIE]);
        bad[at..at + len].fill(0);
        assert_eq!((to_an_init(&bad), to_an_init_ack(&bad)), ((7, vec![]), (7, vec![])), "{at}");
    }
    let (code, why) = to_an_init(&value(&[&[0x80, 99, 0, 3]]));
    assert!(code == 13 && !why.is_empty(), "Protocol Violation: a length that cannot be");
}

/// Those that end an association that is up.
#[test]
fn an_abort_says_who_broke_what() {
    let mut victim = Victim::new(Config::rtc());
    let far_ahead = sack_value(victim.its_tsn.wrapping_add(9), 1 << 20, &[]);
    assert!(victim.input(&[(kind::SACK, 0, &far_ahead)]).is_err());
    let (code, why) = abort(&victim.output());
    assert!(code == 13 && !why.is_empty(), "Protocol Violation: what was never sent is acknowledged");
    let mut victim = Victim::new(Config::rtc());
    victim.it.abort(victim.now);
    assert_eq!(abort(&victim.output()), (12, vec![]), "User-Initiated Abort");
}
