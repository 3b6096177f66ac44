//! Messages given and read in pieces; delivery notices; priority; `finish` and `abort` beside `close`.

use bytes::Bytes;
use weft_sctp::{
    ChannelEvent, ChannelId, ChannelInit, ChannelPiece, CloseReason, Config, MessageKind, Part, Reliability, SendError,
};
use weft_testkit::{LinkConfig, Loss, for_seeds};

use crate::common::{Peers, millis, open, payload, peers, peers_with, read_all, secs};

fn link() -> LinkConfig {
    LinkConfig::with_delay_ms(10)
}

fn pieces(pair: &mut Peers, b: ChannelId) -> Vec<ChannelPiece> {
    core::iter::from_fn(|| pair.b.layer.receive_piece(b)).collect()
}

fn event(pair: &mut Peers, wanted: &ChannelEvent) {
    pair.run_until(secs(60), |pair| pair.a.take_event(|e| e == wanted).is_some())
        .unwrap_or_else(|stalled| panic!("{wanted:?} never comes: {stalled}"));
}

/// A message of 20 MiB passes through buffers of a hundredth of that, on both sides.
#[test]
fn a_message_larger_than_memory() {
    for (interleaving, loss) in [(true, 0.01), (false, 0.01), (true, 0.0)] {
        let config = Config {
            interleaving,
            send_buffer: 200_000,
            max_send_buffer: 200_000,
            receive_buffer: 200_000,
            max_receive_buffer: 200_000,
            max_message_size: 200_000,
            ..Config::rtc()
        };
        let mut pair = peers(&config, LinkConfig { loss: Loss::Random(loss), ..link() }, 4);
        let (a, b) = open(&mut pair, ChannelInit::default());
        pair.b.layer.set_piecewise(pair.now(), b, true);
        pair.a.layer.begin_message(a, MessageKind::Binary).unwrap();
        assert_eq!(pair.a.layer.begin_message(a, MessageKind::Binary), Err(SendError::Unfinished));
        let refused = pair.a.layer.send(pair.now(), a, MessageKind::Text, Bytes::from("x"));
        assert_eq!(refused, Err(SendError::Unfinished));
        let (total, step) = (20 << 20, 10_000);
        let (mut sent, mut got, mut parts) = (0, 0, 0);
        let mut ended = false;
        pair.run_until(secs(600), |pair| {
            while sent < total {
                let len = step.min(total - sent);
                let last = sent + len == total;
                if pair.a.layer.send_piece(pair.now(), a, payload(sent as u32, len), last).is_err() {
                    break;
                }
                sent += len;
            }
            for piece in pieces(pair, b) {
                let expected = match parts {
                    0 => Part::First,
                    _ if got + piece.data.len() == total => Part::Last,
                    _ => Part::Next,
                };
                assert_eq!((piece.part, piece.kind), (expected, MessageKind::Binary));
                let mut data = &piece.data[..];
                while !data.is_empty() {
                    let (block, at) = (got / step * step, got % step);
                    let whole = payload(block as u32, step.min(total - block));
                    let len = data.len().min(whole.len() - at);
                    assert!(data[..len] == whole[at..at + len], "byte {got}");
                    got += len;
                    data = &data[len..];
                }
                parts += 1;
                ended |= piece.part == Part::Last;
            }
            let (a, b) = (pair.a.layer.association().stats(), pair.b.layer.association().stats());
            assert!(a.buffered <= 200_000 && b.a_rwnd <= 200_000, "{a:?}");
            ended
        })
        .unwrap();
        assert_eq!(got, total);
        // Whole messages go on as ever.
        pair.a.layer.send(pair.now(), a, MessageKind::Text, Bytes::from("after")).unwrap();
        pair.run_for(secs(2));
        assert_eq!(read_all(&mut pair.b.layer, b)[0].as_text(), Some("after"));
        pair.run_for(secs(1));
        assert_eq!(pair.b.layer.association().stats().a_rwnd, 200_000);
    }
}

#[test]
fn pieces_arrive_whole_where_nobody_asked_for_pieces() {
    for interleaving in [true, false] {
        let mut pair = peers(&Config { interleaving, ..Config::rtc() }, link(), 1);
        let (a, b) = open(&mut pair, ChannelInit { ordered: false, ..ChannelInit::default() });
        for (kind, sizes) in [
            (MessageKind::Text, vec![5, 0, 3000, 1]),
            (MessageKind::Binary, vec![0, 0]),
            (MessageKind::Binary, vec![1]),
            (MessageKind::Text, vec![2, 0]),
        ] {
            pair.a.layer.begin_message(a, kind).unwrap();
            let mut whole = Vec::new();
            for (n, len) in sizes.iter().enumerate() {
                let piece = payload(7, *len);
                whole.extend_from_slice(&piece);
                pair.a.layer.send_piece(pair.now(), a, piece, n + 1 == sizes.len()).unwrap();
                pair.run_for(millis(100));
                if n + 1 < sizes.len() {
                    assert!(read_all(&mut pair.b.layer, b).is_empty());
                }
            }
            pair.run_for(secs(1));
            let got = read_all(&mut pair.b.layer, b);
            assert_eq!((got.len(), got[0].kind, &got[0].data[..]), (1, kind, &whole[..]));
            assert_eq!(pair.a.layer.send_piece(pair.now(), a, payload(0, 1), true), Err(SendError::NotBegun));
        }
    }
}

/// Interleaved, an unfinished message keeps nobody waiting, and a piece larger than the peer takes is refused alone.
#[test]
fn an_unfinished_message_keeps_no_other_channel_waiting() {
    let mut pair = peers(&Config::rtc(), link(), 1);
    let (slow, slow_b) = open(&mut pair, ChannelInit::new("slow"));
    let (other, other_b) = open(&mut pair, ChannelInit::new("other"));
    pair.a.layer.set_remote_max_message_size(Some(10_000));
    pair.a.layer.begin_message(slow, MessageKind::Binary).unwrap();
    pair.a.layer.send_piece(pair.now(), slow, payload(0, 6000), false).unwrap();
    let refused = pair.a.layer.send_piece(pair.now(), slow, payload(0, 4001), false);
    assert_eq!(refused, Err(SendError::TooLarge { limit: 10_000 }));
    for _ in 0..5 {
        pair.a.layer.send(pair.now(), other, MessageKind::Binary, payload(1, 5000)).unwrap();
        pair.run_for(secs(1));
        assert_eq!(read_all(&mut pair.b.layer, other_b).len(), 1);
    }
    pair.a.layer.send_piece(pair.now(), slow, payload(0, 4000), true).unwrap();
    pair.run_for(secs(1));
    assert_eq!(read_all(&mut pair.b.layer, slow_b)[0].data.len(), 10_000);
}

/// A message that is not completed is given up with its channel, and those who read it in pieces learn so.
#[test]
fn closing_gives_up_a_message_that_is_not_complete() {
    for interleaving in [true, false] {
        for pause in [0, 500] {
            let mut pair = peers(&Config { interleaving, ..Config::rtc() }, link(), 1);
            let (a, b) = open(&mut pair, ChannelInit::default());
            pair.b.layer.set_piecewise(pair.now(), b, true);
            pair.a.layer.send(pair.now(), a, MessageKind::Binary, payload(0, 5000)).unwrap();
            pair.a.layer.begin_message(a, MessageKind::Binary).unwrap();
            pair.a.layer.send_piece(pair.now(), a, payload(1, 3000), false).unwrap();
            pair.run_for(millis(pause));
            pair.a.layer.close(pair.now(), a);
            event(&mut pair, &ChannelEvent::Closed(a, CloseReason::Local));
            let got = pieces(&mut pair, b);
            let first: usize = got.iter().take_while(|p| p.part != Part::Last).map(|p| p.data.len()).sum();
            assert!(first <= 5000 && got.iter().filter(|p| p.part == Part::Last).count() == 1);
            if pause > 0 {
                assert_eq!(got.last().unwrap().part, Part::Abandoned, "{interleaving}");
            }
            assert_eq!(got.iter().filter(|p| p.part == Part::First).count(), if pause > 0 { 2 } else { 1 });
            pair.run_for(secs(1));
            assert_eq!(pair.b.layer.association().stats().a_rwnd, 5 << 20);
            assert_eq!(pair.a.layer.association().stats().buffered, 0);
        }
    }
}

#[test]
fn notices_tell_what_became_of_messages() {
    for interleaving in [true, false] {
        let mut pair = peers(&Config { interleaving, ..Config::rtc() }, link(), 1);
        let (a, b) = open(&mut pair, ChannelInit::default());
        let init = ChannelInit { reliability: Reliability::MaxRetransmits(0), ..ChannelInit::default() };
        let (lossy, _) = open(&mut pair, init);
        for n in 0..3 {
            pair.a.layer.send_with_notice(pair.now(), a, MessageKind::Binary, payload(0, 3000), 100 + n).unwrap();
        }
        pair.a.layer.send_with_notice(pair.now(), a, MessageKind::Text, Bytes::new(), 7).unwrap();
        for (at, number) in [(a, 100), (a, 101), (a, 102), (a, 7)] {
            event(&mut pair, &ChannelEvent::Delivered(at, number));
        }
        assert_eq!(read_all(&mut pair.b.layer, b).len(), 4, "delivered means delivered");
        // Lost, and not sent again.
        pair.link_to(weft_testkit::Side::B).config_mut().loss = Loss::Random(1.0);
        pair.a.layer.send_with_notice(pair.now(), lossy, MessageKind::Binary, payload(0, 3000), 1).unwrap();
        pair.run_for(millis(50));
        pair.link_to(weft_testkit::Side::B).config_mut().loss = Loss::Random(0.0);
        event(&mut pair, &ChannelEvent::Abandoned(lossy, 1));
        pair.a.layer.send_with_notice(pair.now(), lossy, MessageKind::Binary, payload(0, 3000), 2).unwrap();
        event(&mut pair, &ChannelEvent::Delivered(lossy, 2));
        // What is queued or under way when the association ends was not delivered, for all we know.
        for n in 0..40 {
            pair.a.layer.send_with_notice(pair.now(), a, MessageKind::Binary, payload(0, 3000), n).unwrap();
        }
        pair.run_for(millis(5));
        pair.a.layer.abort(pair.now());
        for n in 0..40 {
            assert!(
                pair.a.take_event(|e| *e == ChannelEvent::Abandoned(a, n)).is_some() || {
                    pair.run_for(millis(1));
                    pair.a.take_event(|e| *e == ChannelEvent::Abandoned(a, n)).is_some()
                }
            );
        }
    }
}

/// libp2p/specs#575, rust-libp2p#4600: closing dropped what was under way; `finish` tells when nothing is.
#[test]
fn libp2p_specs_575_finish_waits_for_everything() {
    for_seeds("libp2p_specs_575_finish_waits_for_everything", 100, |seed| {
        let mut pair = peers(&Config::rtc(), LinkConfig { loss: Loss::Random(0.05), ..link() }, seed);
        let (a, b) = open(&mut pair, ChannelInit::default());
        for n in 0..30 {
            pair.a.layer.send(pair.now(), a, MessageKind::Binary, payload(n, 5000)).unwrap();
        }
        pair.a.layer.finish(pair.now(), a);
        assert_eq!(pair.a.layer.send(pair.now(), a, MessageKind::Text, Bytes::from("x")), Err(SendError::Closed));
        pair.b.layer.send(pair.now(), b, MessageKind::Text, Bytes::from("still heard")).unwrap();
        event(&mut pair, &ChannelEvent::Finished(a));
        assert_eq!(read_all(&mut pair.b.layer, b).len(), 30, "all of it is there when that is told");
        event(&mut pair, &ChannelEvent::Closed(a, CloseReason::Local));
        assert_eq!(read_all(&mut pair.a.layer, a)[0].as_text(), Some("still heard"));
    });
}

#[test]
fn abort_drops_what_is_queued() {
    for interleaving in [true, false] {
        let config = Config { interleaving, ..Config::rtc() };
        let slow = LinkConfig { bandwidth: Some(500_000), queue: 20_000, ..link() };
        let mut pair = peers(&config, slow, 1);
        let (a, b) = open(&mut pair, ChannelInit::default());
        let (other, other_b) = open(&mut pair, ChannelInit::default());
        for n in 0..50 {
            pair.a
                .layer
                .send_with_notice(pair.now(), a, MessageKind::Binary, payload(n, 20_000), u64::from(n))
                .unwrap();
        }
        pair.b.layer.send(pair.now(), b, MessageKind::Text, Bytes::from("unread")).unwrap();
        pair.run_for(millis(300));
        let at = pair.now();
        pair.a.layer.abort_channel(at, a);
        event(&mut pair, &ChannelEvent::Closed(a, CloseReason::Local));
        assert!(pair.now() < at + secs(3), "a megabyte would take 16 s: {:?}", pair.now() - at);
        assert!(read_all(&mut pair.b.layer, b).len() < 10);
        assert!(pair.a.take_event(|e| *e == ChannelEvent::Abandoned(a, 49)).is_some());
        assert!(pair.a.layer.info(a).is_none(), "what was not read is gone");
        // The other channel is as it was, and the stream can be used anew.
        pair.a.layer.send(pair.now(), other, MessageKind::Binary, payload(0, 10_000)).unwrap();
        pair.run_for(secs(3));
        assert_eq!(read_all(&mut pair.b.layer, other_b).len(), 1);
        let (again, again_b) = open(&mut pair, ChannelInit::default());
        assert_eq!(pair.a.layer.stream(again), Some(0));
        pair.a.layer.send(pair.now(), again, MessageKind::Binary, payload(0, 10_000)).unwrap();
        pair.run_for(secs(3));
        assert_eq!(read_all(&mut pair.b.layer, again_b).len(), 1);
        assert_eq!(pair.b.layer.association().stats().a_rwnd, 5 << 20);
    }
}

/// Even before the peer knew of the channel, and while it is being closed: both sides forget it.
#[test]
fn abort_works_in_every_state() {
    for_seeds("abort_works_in_every_state", 200, |seed| {
        let mut pair = peers(&Config::rtc(), LinkConfig { loss: Loss::Random(0.2), ..link() }, seed);
        let a = pair.a.layer.open(pair.now(), ChannelInit::default()).unwrap();
        pair.a.layer.send(pair.now(), a, MessageKind::Binary, payload(0, 50_000)).unwrap();
        pair.run_for(millis(seed * 7 % 200));
        if seed % 2 == 0 {
            pair.a.layer.close(pair.now(), a);
            pair.run_for(millis(seed * 3 % 50));
        }
        pair.a.layer.abort_channel(pair.now(), a);
        pair.run_until(secs(120), |pair| {
            for id in pair.b.layer.ids() {
                pair.b.layer.discard(id);
            }
            pair.a.layer.ids().is_empty() && pair.b.layer.ids().is_empty() && {
                let stats = pair.a.layer.association().stats();
                stats.buffered == 0
            }
        })
        .unwrap();
    });
}

#[test]
fn priority_weighs_channels() {
    //= rfc8831#6.4
    //# a priority, which is a 2-byte unsigned integer: These priorities MUST be interpreted as weighted-fair-queuing scheduling priorities per the definition of the corresponding stream scheduler supporting interleaving in [RFC8260].
    let config = Config { send_buffer: 4 << 20, ..Config::rtc() };
    let narrow = LinkConfig { bandwidth: Some(4_000_000), queue: 40_000, ..link() };
    let mut pair = peers(&config, narrow, 2);
    let (low, low_b) = open(&mut pair, ChannelInit { priority: 128, ..ChannelInit::default() });
    let (high, high_b) = open(&mut pair, ChannelInit { priority: 512, ..ChannelInit::default() });
    assert_eq!(pair.b.layer.info(high_b).unwrap().priority, 512);
    let seconds = |pair: &mut Peers| {
        let mut got = (0, 0);
        let end = pair.now() + secs(4);
        while pair.now() < end {
            for id in [low, high] {
                while pair.a.layer.buffered_amount(id) < 400_000 {
                    pair.a.layer.send(pair.now(), id, MessageKind::Binary, payload(0, 20_000)).unwrap();
                }
            }
            pair.run_for(millis(50));
            got.0 += read_all(&mut pair.b.layer, low_b).len();
            got.1 += read_all(&mut pair.b.layer, high_b).len();
        }
        got.1 as f64 / got.0 as f64
    };
    let ratio = seconds(&mut pair);
    assert!((3.0..5.0).contains(&ratio), "four times the weight: {ratio}");
    pair.a.layer.set_priority(high, 128);
    seconds(&mut pair);
    let ratio = seconds(&mut pair);
    assert!((0.8..1.25).contains(&ratio), "the same weight: {ratio}");
}

/// Without FORWARD TSN on the other side a message given in pieces leaves only once it is whole.
#[test]
fn pieces_wait_where_nothing_can_be_given_up() {
    let without = Config { partial_reliability: false, send_buffer: 50_000, ..Config::rtc() };
    let mut pair = peers_with(without, Config::rtc(), link(), 1);
    let (a, b) = open(&mut pair, ChannelInit::default());
    let (other, other_b) = open(&mut pair, ChannelInit::default());
    pair.run_for(secs(1));
    pair.a.layer.begin_message(a, MessageKind::Binary).unwrap();
    pair.a.layer.send_piece(pair.now(), a, payload(0, 20_000), false).unwrap();
    let refused = pair.a.layer.send_piece(pair.now(), a, payload(0, 40_000), false);
    assert_eq!(refused, Err(SendError::TooLarge { limit: 50_000 }));
    pair.a.layer.send(pair.now(), other, MessageKind::Text, Bytes::from("x")).unwrap();
    pair.run_for(secs(1));
    assert_eq!(read_all(&mut pair.b.layer, other_b).len(), 1);
    assert_eq!(pair.a.layer.buffered_amount(a), 20_000);
    pair.a.layer.send_piece(pair.now(), a, payload(0, 10_000), true).unwrap();
    pair.run_for(secs(1));
    assert_eq!(read_all(&mut pair.b.layer, b)[0].data.len(), 30_000);
    // And can be dropped as long as it is not.
    pair.a.layer.begin_message(a, MessageKind::Binary).unwrap();
    pair.a.layer.send_piece(pair.now(), a, payload(0, 20_000), false).unwrap();
    pair.a.layer.close(pair.now(), a);
    event(&mut pair, &ChannelEvent::Closed(a, CloseReason::Local));
    pair.run_for(secs(1));
    assert!(pair.b.layer.info(b).is_none());
    assert!(read_all(&mut pair.b.layer, b).is_empty());
}
