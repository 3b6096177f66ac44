//! More of what users of other stacks suffered, by the name of the thread: channels, resets, sizes, partial reliability.

use bytes::Bytes;
use weft_sctp::wire::kind;
use weft_sctp::{
    ChannelEvent, ChannelId, ChannelInit, ChannelState, Config, MessageKind, OpenError, Reliability, SendError,
};
use weft_testkit::{LinkConfig, Loss, Side, for_seeds};

use crate::common::{Peers, kinds, millis, number, open, payload, peers, read_all, secs};

fn link() -> LinkConfig {
    LinkConfig::with_delay_ms(10)
}

fn gone(pair: &mut Peers, a: ChannelId) {
    pair.run_until(secs(60), |pair| {
        pair.a.take_event(|e| matches!(e, ChannelEvent::Closed(id, _) if *id == a)).is_some()
    })
    .unwrap();
}

/// webrtc-rs#468, rust-libp2p#4333, pion/sctp#238: the far side stayed in "closing", and then no channel could be opened.
#[test]
fn webrtc_rs_468_libp2p_4333_both_sides_close_and_ids_come_back() {
    let mut pair = peers(&Config { max_channels: 2, ..Config::rtc() }, link(), 1);
    for n in 0..200_u32 {
        let (a, b) = open(&mut pair, ChannelInit::default());
        assert_eq!((pair.a.layer.stream(a), pair.b.layer.stream(b)), (Some(0), Some(0)), "the id is free again");
        pair.a.layer.send(pair.now(), a, MessageKind::Binary, payload(n, 100)).unwrap();
        if n % 2 == 0 {
            pair.a.layer.close(pair.now(), a);
        } else {
            pair.run_for(millis(30));
            pair.b.layer.close(pair.now(), b);
        }
        gone(&mut pair, a);
        pair.run_for(millis(50));
        assert_eq!(read_all(&mut pair.b.layer, b).len(), 1);
        assert!(pair.b.layer.info(b).is_none(), "{n}: {:?}", pair.b.layer.info(b));
    }
}

/// str0m#469, sctp-proto#30, #37: an id was used again before the reset had gone both ways.
#[test]
fn str0m_469_1010_sctp_proto_30_37_an_id_waits_for_both_resets() {
    let mut pair = peers(&Config::rtc(), link(), 1);
    let (a, _) = open(&mut pair, ChannelInit::default());
    // The answer to our reset does not come through.
    pair.link_to(Side::A).config_mut().loss = Loss::Random(1.0);
    pair.a.layer.close(pair.now(), a);
    pair.run_for(secs(2));
    assert_eq!(pair.a.layer.info(a).unwrap().state, ChannelState::Closing);
    let next = pair.a.layer.open(pair.now(), ChannelInit::default()).unwrap();
    assert_eq!(pair.a.layer.stream(next), Some(2), "0 is not free yet");
    let taken = pair.a.layer.open(pair.now(), ChannelInit { negotiated: Some(0), ..ChannelInit::default() });
    assert_eq!(taken, Err(OpenError::IdTaken));
    pair.link_to(Side::A).config_mut().loss = Loss::Random(0.0);
    gone(&mut pair, a);
    let again = pair.a.layer.open(pair.now(), ChannelInit::default()).unwrap();
    assert_eq!(pair.a.layer.stream(again), Some(0));
}

/// pion/sctp#485: a repeated reset request killed the channel that had the id next.
#[test]
fn pion_sctp_485_a_repeated_request_spares_the_new_channel() {
    let mut pair = peers(&Config::rtc(), link(), 1);
    let (a, _) = open(&mut pair, ChannelInit::default());
    pair.capture();
    pair.a.layer.close(pair.now(), a);
    gone(&mut pair, a);
    let of_reset = |t: &&weft_testkit::Traced| kinds(&t.packet.payload).contains(&kind::RE_CONFIG);
    let old: Vec<_> = pair.trace().iter().filter(of_reset).map(|t| (t.from, t.packet.clone())).collect();
    assert!(old.len() >= 2);
    let (a, b) = open(&mut pair, ChannelInit::default());
    for (from, packet) in old {
        let to = if from == Side::A { Side::B } else { Side::A };
        pair.inject(to, packet);
    }
    pair.run_for(secs(5));
    for (side, id) in [(&pair.a.layer, a), (&pair.b.layer, b)] {
        assert_eq!(side.info(id).unwrap().state, ChannelState::Open);
    }
    pair.a.layer.send(pair.now(), a, MessageKind::Text, Bytes::from("alive")).unwrap();
    pair.run_for(secs(1));
    assert_eq!(read_all(&mut pair.b.layer, b).len(), 1);
}

/// livekit rust-sdks#1137, swift#1031: an oversize send returned true and tore the channel down.
#[test]
fn livekit_1137_an_oversize_send_is_an_error_and_the_channel_lives() {
    let mut pair = peers(&Config::rtc(), link(), 1);
    let (a, b) = open(&mut pair, ChannelInit::default());
    pair.a.layer.set_remote_max_message_size(Some(65_536));
    for _ in 0..3 {
        let refused = pair.a.layer.send(pair.now(), a, MessageKind::Binary, payload(0, 65_537));
        assert_eq!(refused, Err(SendError::TooLarge { limit: 65_536 }));
        pair.a.layer.send(pair.now(), a, MessageKind::Binary, payload(1, 65_536)).unwrap();
    }
    pair.run_for(secs(5));
    assert_eq!(read_all(&mut pair.b.layer, b).len(), 3);
    assert_eq!(pair.a.layer.info(a).unwrap().state, ChannelState::Open);
}

/// libdatachannel#244, #497, #702: three different limits. One that is not told is 64 KiB, and none is none.
#[test]
fn libdatachannel_244_497_limits_on_messages() {
    let mut pair = peers(&Config { max_message_size: 4 << 20, ..Config::rtc() }, link(), 1);
    let (a, b) = open(&mut pair, ChannelInit::default());
    pair.a.layer.set_remote_max_message_size(None);
    for len in [65_537, 256 << 10, 1 << 20, 4 << 20] {
        pair.a.layer.send(pair.now(), a, MessageKind::Binary, payload(2, len)).unwrap();
        pair.run_for(secs(10));
        assert_eq!(read_all(&mut pair.b.layer, b)[0].data, payload(2, len));
    }
    let fresh = weft_sctp::DataChannels::new(Config::rtc(), weft_core::Rng::from_test_seed(1));
    let mut untold = fresh;
    untold.set_role(pair.now(), weft_sctp::Role::Client);
    let id = untold.open(pair.now(), ChannelInit::default()).unwrap();
    untold.send(pair.now(), id, MessageKind::Binary, payload(0, 65_536)).unwrap();
    let refused = untold.send(pair.now(), id, MessageKind::Binary, payload(0, 65_537));
    assert_eq!(refused, Err(SendError::TooLarge { limit: 65_536 }));
}

/// str0m#976, #996: frames of 256 KiB did not fit.
#[test]
fn str0m_976_frames_of_256_kib() {
    let mut pair = peers(&Config::rtc(), LinkConfig { loss: Loss::Random(0.02), ..link() }, 2);
    let (a, b) = open(&mut pair, ChannelInit { ordered: false, ..ChannelInit::default() });
    for n in 0..20 {
        pair.a.layer.send(pair.now(), a, MessageKind::Binary, payload(n, 256 << 10)).unwrap();
    }
    let mut got = 0;
    pair.run_until(secs(120), |pair| {
        for message in read_all(&mut pair.b.layer, b) {
            assert_eq!(message.data, payload(number(&message.data), 256 << 10));
            got += 1;
        }
        got == 20
    })
    .unwrap();
}

/// libdatachannel#1602: beside a bulk channel a small one waited a second and a half.
#[test]
fn libdatachannel_1602_a_small_channel_beside_a_bulk_one() {
    let p95 = |interleaving| {
        let bottleneck = LinkConfig { bandwidth: Some(20_000_000), queue: 100_000, ..LinkConfig::with_delay_ms(20) };
        let mut pair = peers(&Config { interleaving, ..Config::rtc() }, bottleneck, 7);
        let (bulk, bulk_b) = open(&mut pair, ChannelInit::new("bulk"));
        let (small, small_b) = open(&mut pair, ChannelInit::new("small"));
        let mut late = Vec::new();
        for n in 0..60 {
            while pair.a.layer.buffered_amount(bulk) < 2_000_000 {
                pair.a.layer.send(pair.now(), bulk, MessageKind::Binary, payload(0, 1_000_000)).unwrap();
            }
            let sent = pair.now();
            pair.a.layer.send(sent, small, MessageKind::Binary, payload(n, 100)).unwrap();
            pair.run_until(secs(30), |pair| {
                read_all(&mut pair.b.layer, bulk_b);
                !read_all(&mut pair.b.layer, small_b).is_empty()
            })
            .unwrap();
            late.push(pair.now() - sent);
            pair.run_for(millis(37));
        }
        late.sort_unstable();
        late[56]
    };
    let (with, without) = (p95(true), p95(false));
    assert!(with < millis(150), "interleaved: {with:?}");
    assert!(without > with * 2, "not interleaved: {without:?}, interleaved: {with:?}");
}

/// Fragmented messages given up by count and by time, on channels of every kind at once, interleaved and not: whole or not
/// at all, never twice, in order where that was promised, and reliable ones all.
#[test]
fn messages_are_given_up_whole() {
    for_seeds("messages_are_given_up_whole", 200, |seed| {
        let interleaving = seed % 2 == 0;
        let config = Config { interleaving, ..Config::rtc() };
        let mut pair = peers(&config, LinkConfig { loss: Loss::Random(0.1), jitter: millis(8), ..link() }, seed);
        let kinds = [
            (true, Reliability::Reliable),
            (true, Reliability::MaxRetransmits(0)),
            (false, Reliability::MaxRetransmits(1)),
            (true, Reliability::MaxLifetime(60)),
            (false, Reliability::MaxLifetime(30)),
        ];
        let channels: Vec<_> = kinds
            .iter()
            .map(|(ordered, reliability)| {
                open(&mut pair, ChannelInit { ordered: *ordered, reliability: *reliability, ..ChannelInit::default() })
            })
            .collect();
        let mut got = vec![Vec::new(); channels.len()];
        for n in 0..60_u32 {
            for (a, _) in &channels {
                let _ =
                    pair.a.layer.send(pair.now(), *a, MessageKind::Binary, payload(n, 4 + (n as usize * 977) % 9000));
            }
            pair.run_for(millis(15));
        }
        pair.run_for(secs(60));
        for (n, (_, b)) in channels.iter().enumerate() {
            for message in read_all(&mut pair.b.layer, *b) {
                let id = number(&message.data);
                assert_eq!(message.data, payload(id, 4 + (id as usize * 977) % 9000), "unaltered and whole");
                got[n].push(id);
            }
        }
        assert_eq!(got[0], (0..60).collect::<Vec<_>>());
        for (n, ids) in got.iter().enumerate() {
            let mut sorted = ids.clone();
            sorted.sort_unstable();
            assert!(!kinds[n].0 || *ids == sorted, "{n}: in order");
            sorted.dedup();
            assert_eq!(sorted.len(), ids.len(), "{n}: never twice");
        }
        let (a, b) = (pair.a.layer.association().stats(), pair.b.layer.association().stats());
        assert_eq!((a.buffered, b.a_rwnd), (0, 5 << 20), "nothing is left behind");
    });
}
