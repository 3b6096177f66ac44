//! State Cookies (RFC 9260 sections 5.1.3 and 5.2.4): what is in them, and which of them still count.

use weft_core::{Instant, Layer, Rng};
use weft_sctp::wire::kind;
use weft_sctp::{Association, Config, Event, SendOptions, State};

use crate::common::{
    Answered, OUR_TAG, Victim, answer_to_init, data_value, echo, events, init_value, kinds, packet, packets, payload,
    sack_value, tag_of,
};

/// Every byte of the body follows from the two chunks, the settings and the clock.
#[test]
fn a_cookie_is_what_both_said_and_no_address() {
    let config = Config { out_streams: 300, in_streams: 200, ..Config::rtc() };
    let now = Instant::from_millis(1234);
    // With the addresses a multihomed peer names, its extensions, and its window.
    let init = |address: u8| {
        let mut value = init_value(0x0A0B_0C0D, 0x7172_7374, &[0, 5, 0, 8, 10, 0, 0, address]);
        value.extend([0, 6, 0, 20]);
        value.extend([address; 16]);
        value.extend([0xC0, 0, 0, 4, 0x80, 8, 0, 6, 0xC0, 0x82]);
        value
    };
    let mut it = Association::new(config.clone(), Rng::from_test_seed(9));
    let answer = answer_to_init(&mut it, now, &init(1));
    let mut body = now.as_nanos().to_be_bytes().to_vec();
    for field in [answer.tag, 0x0A0B_0C0D, answer.its_tsn, 0x7172_7374, 1_000_000] {
        body.extend(field.to_be_bytes());
    }
    body.extend(300_u16.to_be_bytes());
    body.extend(200_u16.to_be_bytes());
    // FORWARD TSN and RE-CONFIG agreed; no association existed.
    body.push(3);
    body.extend([0; 8]);
    assert_eq!(answer.cookie[..body.len()], body);
    assert_eq!(answer.cookie.len(), body.len() + 32, "and a MAC");
    // Other addresses of the peer, and other places in memory, change nothing of it, nor of the MAC over it.
    let others: Vec<Box<Association>> =
        (0..8).map(|_| Box::new(Association::new(config.clone(), Rng::from_test_seed(9)))).collect();
    for (mut other, address) in others.into_iter().zip(2..) {
        assert_eq!(answer_to_init(&mut other, now, &init(address)), answer);
    }
}

/// One made while an association exists names it by a random number, which says nothing of its tags.
#[test]
fn a_cookie_names_an_association_by_a_random_number() {
    let mut victims = [(); 2].map(|()| Victim::new(Config::rtc()));
    let [one, other] = victims.each_mut().map(|it| answer_to_init(&mut it.it, it.now, &init_value(9, 9, &[])).cookie);
    let tie = &one[33..41];
    assert_ne!(tie, [0; 8]);
    let tags = [victims[0].tag, OUR_TAG].map(u32::to_be_bytes);
    assert!(!tie.windows(4).any(|part| tags.iter().any(|tag| part == tag)));
    assert_eq!(one, other, "it comes from the seed, and not from where in memory something lies");
}

#[test]
fn a_repeated_cookie_is_answered_and_changes_nothing() {
    let now = Instant::from_millis(5);
    let mut it = Association::new(Config { path_mtu_discovery: false, ..Config::rtc() }, Rng::from_test_seed(3));
    let Answered { tag, its_tsn, cookie } = answer_to_init(&mut it, now, &init_value(OUR_TAG, 1000, &[]));
    echo(&mut it, now, tag, &cookie);
    assert_eq!((events(&mut it), kinds(&packets(&mut it, now)[0])), (vec![Event::Established], vec![kind::COOKIE_ACK]));
    it.handle_input(now, &packet(tag, &[(kind::DATA, 3, &data_value(1000, 0, 0, 53, b"first"))])).unwrap();
    it.send(now, 0, 53, payload(0, 3000), SendOptions::default()).unwrap();
    packets(&mut it, now);
    events(&mut it);
    let before = it.stats();
    for _ in 0..3 {
        echo(&mut it, now, tag, &cookie);
        let out = packets(&mut it, now);
        assert_eq!((out.len(), kinds(&out[0]), tag_of(&out[0])), (1, vec![kind::COOKIE_ACK], OUR_TAG));
    }
    let after = it.stats();
    assert_eq!((after.in_flight, after.buffered, after.cwnd), (before.in_flight, before.buffered, before.cwnd));
    assert!(it.state() == State::Established && events(&mut it).is_empty());
    // Numbers go on where they were, both ways.
    it.handle_input(now, &packet(tag, &[(kind::DATA, 3, &data_value(1001, 0, 1, 53, b"second"))])).unwrap();
    let got: Vec<_> = core::iter::from_fn(|| it.receive()).map(|message| message.payload).collect();
    assert_eq!(got, ["first", "second"]);
    let sack = sack_value(its_tsn.wrapping_add(2), 1 << 20, &[]);
    it.handle_input(now, &packet(tag, &[(kind::SACK, 0, &sack)])).unwrap();
    assert_eq!(it.stats().buffered, 0);
}

/// Action C, and what fits no action: silence, and nothing changes.
#[test]
fn cookies_that_fit_no_association_any_more_are_dropped() {
    let now = Instant::from_millis(5);
    let mut it = Association::new(Config { path_mtu_discovery: false, ..Config::rtc() }, Rng::from_test_seed(3));
    let old = answer_to_init(&mut it, now, &init_value(OUR_TAG, 1000, &[]));
    echo(&mut it, now, old.tag, &old.cookie);
    // The tag is the peer's, ours is a new one: an INIT that was late.
    let late = answer_to_init(&mut it, now, &init_value(OUR_TAG, 1000, &[]));
    assert_ne!(late.tag, old.tag);
    // Two of a peer that started anew, of which the first is used.
    let (anew, spare) =
        (answer_to_init(&mut it, now, &init_value(7, 70, &[])), answer_to_init(&mut it, now, &init_value(8, 80, &[])));
    packets(&mut it, now);
    events(&mut it);
    let dropped = |it: &mut Association, made: &Answered| {
        let before = it.stats().chunks_dropped;
        echo(it, now, made.tag, &made.cookie);
        assert!(packets(it, now).is_empty() && events(it).is_empty());
        assert_eq!((it.state(), it.stats().chunks_dropped), (State::Established, before + 1));
    };
    dropped(&mut it, &late);
    echo(&mut it, now, anew.tag, &anew.cookie);
    assert_eq!(events(&mut it), [Event::Restarted, Event::Established]);
    assert_eq!(tag_of(&packets(&mut it, now)[0]), 7);
    // What was made for the association before restarts this one no more.
    for cookie in [&old, &late, &spare] {
        dropped(&mut it, cookie);
    }
    it.handle_input(now, &packet(anew.tag, &[(kind::DATA, 3, &data_value(70, 0, 0, 53, b"alive"))])).unwrap();
    assert_eq!(&it.receive().unwrap().payload[..], b"alive");
}
