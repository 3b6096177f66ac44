//! SNAP (draft-hancke-tsvwg-snap-00): the association is up by INIT chunks exchanged otherwise.

use bytes::Bytes;
use weft_core::{Instant, Layer, Rng};
use weft_sctp::wire::kind;
use weft_sctp::{
    Association, ChannelEvent, ChannelInit, Config, DataChannels, Event, InitError, MessageKind, Role, SendOptions,
    State,
};
use weft_testkit::{LinkConfig, Node, Pair};

use crate::common::{Duo, Peers, events, kinds, millis, packets, payload, read_all, secs};

/// From the draft, section "Example negotiation"; the second is that of Chromium 156 with interleaving.
const DRAFT: [u8; 30] = [
    1, 0, 0, 30, 0x89, 0x6C, 0xDD, 0x1D, 0, 0x50, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0xE0, 0x79, 0x65, 0x1D, 0xC0, 0, 0, 4,
    0x80, 8, 0, 6, 0x82, 0xC0,
];
const INTERLEAVING: [u8; 32] = [
    1, 0, 0, 32, 0x3B, 0x26, 0xAE, 0x4F, 0, 0x50, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0xDE, 0x0D, 0xDC, 0xF7, 0xC0, 0, 0, 4,
    0x80, 8, 0, 8, 0x82, 0xC0, 0x40, 0xC2,
];

fn joined(config: &Config) -> Duo {
    let mut duo = Duo::new(config);
    let (a, b) = (duo.a.local_init(), duo.b.local_init());
    duo.a.connect_with_init(duo.now, &b).unwrap();
    duo.b.connect_with_init(duo.now, &a).unwrap();
    duo
}

#[test]
fn up_without_a_handshake() {
    for config in [Config::rtc(), Config::default(), Config { interleaving: false, ..Config::rtc() }] {
        let mut duo = joined(&config);
        assert_eq!((duo.a.state(), duo.b.state()), (State::Established, State::Established));
        assert_eq!(events(&mut duo.a), [Event::Established]);
        assert_eq!(duo.a.interleaves(), config.interleaving);
        assert!(packets(&mut duo.a, duo.now).is_empty(), "there is nothing to say");
        duo.a.send(duo.now, 7, 53, payload(0, 5000), SendOptions::default()).unwrap();
        duo.b.send(duo.now, 7, 53, payload(1, 5000), SendOptions::default()).unwrap();
        let first = packets(&mut duo.a, duo.now);
        let data = if config.interleaving { kind::I_DATA } else { kind::DATA };
        assert_eq!(kinds(&first[0])[0], data, "data goes first");
        for packet in &first {
            duo.b.handle_input(duo.now, packet).unwrap();
        }
        duo.run(secs(1));
        assert_eq!(duo.b.receive().unwrap().payload, payload(0, 5000));
        assert_eq!(duo.a.receive().unwrap().payload, payload(1, 5000));
        duo.a.shutdown(duo.now);
        duo.run(secs(1));
        assert!(events(&mut duo.b).contains(&Event::Closed));
    }
}

#[test]
fn what_is_exported_is_what_would_be_sent() {
    let mut duo = Duo::new(&Config::rtc());
    let init = duo.a.local_init();
    assert_eq!((init[0], usize::from(init[3])), (kind::INIT, init.len()), "without padding");
    assert_eq!(duo.a.state(), State::Closed, "nothing begins by it");
    assert_eq!(duo.a.poll_timeout(), None);
    assert_eq!(duo.a.local_init(), init, "the same each time");
    duo.a.connect(duo.now);
    let sent = packets(&mut duo.a, duo.now).remove(0);
    assert_eq!(sent[12..12 + init.len()], init);
}

#[test]
fn chromiums_inits_are_taken() {
    for (init, interleaves, tag) in [(&DRAFT[..], false, 0x896C_DD1D), (&INTERLEAVING[..], true, 0x3B26_AE4F)] {
        let mut duo = Duo::new(&Config::rtc());
        Association::check_init(init).unwrap();
        duo.a.connect_with_init(duo.now, init).unwrap();
        assert_eq!((duo.a.interleaves(), duo.a.out_streams(), duo.a.can_reset()), (interleaves, 65_535, true));
        duo.a.send(duo.now, 0, 53, Bytes::from_static(b"x"), SendOptions::default()).unwrap();
        let packet = packets(&mut duo.a, duo.now).remove(0);
        assert_eq!(crate::common::tag_of(&packet), tag);
        assert_ne!(packet[8..12], [0; 4], "its checksum is whole: the peer offered no zero one");
    }
}

#[test]
fn what_is_no_init_is_refused_and_changes_nothing() {
    let mut duo = Duo::new(&Config::rtc());
    let with = |at: usize, bytes: &[u8]| {
        let mut init = DRAFT.to_vec();
        init[at..at + bytes.len()].copy_from_slice(bytes);
        init
    };
    let bad = [
        vec![],
        DRAFT[..29].to_vec(),
        [&DRAFT[..], &[0; 4]].concat(),
        with(0, &[2]),
        with(3, &[19]),
        with(3, &[31]),
        with(4, &[0; 4]),
        with(8, &[0, 0, 5, 0]),
        with(12, &[0, 0]),
        with(14, &[0, 0]),
        with(27, &[99]),
        with(24, &[0, 11]),
        vec![1; 5000],
    ];
    for init in bad {
        let result = duo.a.connect_with_init(duo.now, &init);
        assert!(matches!(result, Err(InitError::Malformed(_))), "{init:?}: {result:?}");
        assert_eq!(duo.a.state(), State::Closed);
    }
    let mut rng = Rng::from_test_seed(3);
    for _ in 0..2000 {
        let at = rng.below(30) as usize;
        let _ = Association::check_init(&with(at, &[rng.u32() as u8]));
    }
    duo.a.connect_with_init(duo.now, &[&DRAFT[..], &[0, 0]].concat()).unwrap();
    assert_eq!(duo.a.connect_with_init(duo.now, &DRAFT), Err(InitError::Begun));
    let mut other = Duo::new(&Config::rtc());
    other.a.connect(other.now);
    assert_eq!(other.a.connect_with_init(other.now, &DRAFT), Err(InitError::Begun));
}

/// A channel opens and speaks after half a round trip; by the handshake it takes one and a half more.
#[test]
fn channels_open_two_round_trips_sooner() {
    let mut rng = Rng::from_test_seed(5);
    let mut a = DataChannels::new(Config::rtc(), rng.fork());
    let mut b = DataChannels::new(Config::rtc(), rng.fork());
    a.set_role(Instant::ORIGIN, Role::Client);
    b.set_role(Instant::ORIGIN, Role::Server);
    let inits = (a.local_init(), b.local_init());
    a.connect_with_init(Instant::ORIGIN, &inits.1).unwrap();
    b.connect_with_init(Instant::ORIGIN, &inits.0).unwrap();
    let mut pair: Peers = Pair::new(Node::new(a), Node::new(b), LinkConfig::with_delay_ms(50), 5);
    let chat = pair.a.layer.open(pair.now(), ChannelInit::new("chat")).unwrap();
    pair.a.layer.send(pair.now(), chat, MessageKind::Text, Bytes::from("hello")).unwrap();
    pair.run_for(millis(51));
    let incoming = pair.b.take_event(|e| matches!(e, ChannelEvent::Incoming(_)));
    let Some(ChannelEvent::Incoming(id)) = incoming else { panic!("{incoming:?}") };
    assert_eq!(read_all(&mut pair.b.layer, id)[0].as_text(), Some("hello"));
}
