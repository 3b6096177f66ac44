//! Data over whole peer connections.

use std::time::Duration;

use bytes::Bytes;
use weft_core::Rng;
use weft_rtc::{ChannelState, Config, DataChannelInit, Error, Event, MessageKind};
use weft_testkit::{LinkConfig, Loss, for_seeds};

use crate::support::{link, negotiate, peers, peers_with, send_some};

fn messages(seed: u64, count: usize, max: u64) -> Vec<Bytes> {
    let mut rng = Rng::from_test_seed(seed);
    (0..count)
        .map(|_| {
            let mut data = vec![0; rng.below(max + 1) as usize];
            rng.fill(&mut data);
            Bytes::from(data)
        })
        .collect()
}

#[test]
fn both_directions_arrive_in_order_and_unaltered() {
    for_seeds("both_directions_arrive_in_order_and_unaltered", 2_000, |seed| {
        let bad = LinkConfig {
            delay: Duration::from_millis(5),
            jitter: Duration::from_millis(3),
            loss: Loss::Random(0.03),
            duplicate: 0.03,
            ..LinkConfig::default()
        };
        let mut pair = peers(bad, seed);
        let id = pair.a.pc.create_data_channel(pair.now(), DataChannelInit::new("x")).unwrap();
        negotiate(&mut pair);
        pair.run_until(Duration::from_secs(30), |p| p.b.incoming().is_some()).unwrap();
        let there = pair.b.incoming().unwrap();
        // Handshake messages in the clear cannot be told from changed ones; records under keys can.
        pair.change_links(|link| link.corrupt = 0.01);
        let (to_b, to_a) = (messages(seed, 60, 20_000), messages(!seed, 60, 20_000));
        let (mut sent_a, mut sent_b) = (0, 0);
        pair.run_until(Duration::from_secs(300), |p| {
            let now = p.now();
            sent_a += send_some(&mut p.a.pc, now, id, &to_b[sent_a..]);
            sent_b += send_some(&mut p.b.pc, now, there, &to_a[sent_b..]);
            p.a.messages.len() == to_a.len() && p.b.messages.len() == to_b.len()
        })
        .unwrap();
        assert!(pair.b.messages.iter().map(|(_, m)| &m.data).eq(to_b.iter()));
        assert!(pair.a.messages.iter().map(|(_, m)| &m.data).eq(to_a.iter()));
    });
}

#[test]
fn text_binary_and_empty_messages_keep_their_kind() {
    let mut pair = peers(link(10), 1);
    let id = pair.a.pc.create_data_channel(pair.now(), DataChannelInit::new("x")).unwrap();
    negotiate(&mut pair);
    pair.run_until(Duration::from_secs(5), |p| p.b.incoming().is_some()).unwrap();
    let now = pair.now();
    let all: [(MessageKind, &'static [u8]); 4] = [
        (MessageKind::Text, "grüße\0!".as_bytes()),
        (MessageKind::Binary, b"\x00\xff"),
        (MessageKind::Text, b""),
        (MessageKind::Binary, b""),
    ];
    for (kind, data) in all {
        pair.a.pc.send(now, id, kind, Bytes::from_static(data)).unwrap();
    }
    pair.run_until(Duration::from_secs(5), |p| p.b.messages.len() == all.len()).unwrap();
    for ((kind, data), (_, message)) in all.iter().zip(&pair.b.messages) {
        assert_eq!((message.kind, &message.data[..]), (*kind, *data));
    }
}

#[test]
fn an_oversize_message_is_refused_and_the_channel_lives() {
    let small = Config::default().with_max_message_size(1000);
    let mut pair = peers_with(link(10), 2, Config::default(), small);
    let id = pair.a.pc.create_data_channel(pair.now(), DataChannelInit::new("x")).unwrap();
    negotiate(&mut pair);
    pair.run_until(Duration::from_secs(5), |p| p.b.incoming().is_some()).unwrap();
    let now = pair.now();
    let send =
        |p: &mut weft_rtc::sans_io::PeerConnection, n| p.send(now, id, MessageKind::Binary, Bytes::from(vec![0; n]));
    assert!(matches!(send(&mut pair.a.pc, 1001), Err(Error::Send(weft_rtc::SendError::TooLarge { .. }))));
    send(&mut pair.a.pc, 1000).unwrap();
    pair.run_until(Duration::from_secs(5), |p| p.b.messages.len() == 1).unwrap();
}

#[test]
fn closing_delivers_what_was_queued() {
    let mut pair = peers(link(10), 3);
    let id = pair.a.pc.create_data_channel(pair.now(), DataChannelInit::new("x")).unwrap();
    negotiate(&mut pair);
    pair.run_until(Duration::from_secs(5), |p| p.b.incoming().is_some()).unwrap();
    let now = pair.now();
    let sent = messages(9, 20, 30_000);
    assert_eq!(send_some(&mut pair.a.pc, now, id, &sent), sent.len());
    pair.a.pc.close_data_channel(now, id);
    let there = pair.b.incoming().unwrap();
    pair.run_until(Duration::from_secs(30), |p| {
        p.a.saw(|e| matches!(e, Event::Closed(x, _) if *x == id))
            && p.b.saw(|e| matches!(e, Event::Closed(x, _) if *x == there))
    })
    .unwrap();
    assert!(pair.b.messages.iter().map(|(_, m)| &m.data).eq(sent.iter()));
    assert!(pair.a.pc.data_channel(id).is_none_or(|i| i.state == ChannelState::Closed));
}

#[test]
fn a_slow_reader_slows_the_sender() {
    let mut pair = peers(link(2), 4);
    pair.b.read = false;
    let id = pair.a.pc.create_data_channel(pair.now(), DataChannelInit::new("x")).unwrap();
    negotiate(&mut pair);
    pair.run_until(Duration::from_secs(5), |p| p.b.incoming().is_some()).unwrap();
    let there = pair.b.incoming().unwrap();
    let chunk = vec![Bytes::from(vec![7; 60_000]); 400];
    let mut sent = 0;
    let stalled = pair.run_until(Duration::from_secs(20), |p| {
        let now = p.now();
        sent += send_some(&mut p.a.pc, now, id, &chunk[sent..]);
        sent == chunk.len()
    });
    // 24 MB do not fit into the receive buffer and the send buffer together: the sender has to wait.
    assert!(stalled.is_err() && sent * 60_000 < 8 << 20, "{sent}");
    let mut read = 0;
    pair.run_until(Duration::from_secs(60), |p| {
        let now = p.now();
        while p.b.pc.receive(there).is_some() {
            read += 1;
        }
        sent += send_some(&mut p.a.pc, now, id, &chunk[sent..]);
        read == chunk.len()
    })
    .unwrap();
}
