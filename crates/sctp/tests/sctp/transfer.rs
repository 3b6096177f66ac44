//! Reliable transfer: exactly once, in order, unaltered.

use bytes::Bytes;
use weft_core::Layer;
use weft_sctp::wire::kind;
use weft_sctp::{ChannelEvent, ChannelInit, Config, MessageKind, Reliability, SendError, SendOptions};
use weft_testkit::{LinkConfig, Loss, for_seeds};

use crate::common::{Duo, kinds, millis, number, open, packets, payload, peers, peers_with, read_all, secs, transfer};

#[test]
fn small_messages_over_a_clean_link() {
    transfer(&mut peers(&Config::rtc(), LinkConfig::with_delay_ms(10), 1), 2000, |n| 4 + n as usize % 200, 60);
}

#[test]
fn the_defaults_of_the_rfc_work_as_well() {
    let link = LinkConfig { loss: Loss::Random(0.02), ..LinkConfig::with_delay_ms(20) };
    transfer(&mut peers(&Config::default(), link, 5), 300, |n| 1 + n as usize * 37 % 5000, 600);
}

#[test]
fn sixteen_mebibytes_in_one_message() {
    let config = Config::rtc();
    transfer(&mut peers(&config, LinkConfig::with_delay_ms(5), 2), 2, |_| 16 << 20, 600);
}

/// A message larger than the receive buffer still gets through.
#[test]
fn a_message_larger_than_the_window_does_not_stall() {
    let config = Config { receive_buffer: 100_000, ..Config::rtc() };
    transfer(&mut peers(&config, LinkConfig::with_delay_ms(5), 2), 5, |_| 1_000_000, 600);
    let lossy = LinkConfig { loss: Loss::Random(0.05), ..LinkConfig::with_delay_ms(5) };
    transfer(&mut peers(&config, lossy, 3), 2, |_| 1_000_000, 600);
}

#[test]
fn loss_of_every_degree() {
    for (n, loss) in [0.001, 0.01, 0.05, 0.1, 0.2].into_iter().enumerate() {
        let link = LinkConfig { loss: Loss::Random(loss), ..LinkConfig::with_delay_ms(25) };
        transfer(&mut peers(&Config::rtc(), link, n as u64), 150, |n| 1 + n as usize * 131 % 9000, 1200);
    }
}

#[test]
fn impairment_matrix() {
    for_seeds("impairment_matrix", 1000, |seed| {
        let mut rng = weft_core::Rng::from_test_seed(seed);
        let link = LinkConfig::random(&mut rng, true);
        let config = Config {
            mtu: 508 + rng.below(700) as usize,
            receive_buffer: 20_000 << rng.below(8),
            initial_tsn: Some(0_u32.wrapping_sub(rng.below(100) as u32)),
            zero_checksum: false, // the link corrupts, and nothing below detects it
            ..Config::rtc()
        };
        transfer(&mut peers(&config, link, seed), 120, |n| 1 + (n as usize * 977) % 12_000, 3000);
    });
}

#[test]
fn corruption_is_caught_by_the_checksum() {
    //= rfc9260#6.8
    //# If it is not, the receiver MUST treat the packet as an invalid SCTP packet.
    let link = LinkConfig { corrupt: 0.2, ..LinkConfig::with_delay_ms(5) };
    let mut pair = peers(&Config { zero_checksum: false, ..Config::rtc() }, link, 4);
    transfer(&mut pair, 200, |_| 3000, 600);
    assert!(pair.b.layer.association().stats().packets_dropped > 0);
}

#[test]
fn reordering_and_duplication() {
    let link = LinkConfig { reorder: 0.2, reorder_delay: millis(30), duplicate: 0.1, ..LinkConfig::with_delay_ms(10) };
    let mut pair = peers(&Config::rtc(), link, 6);
    transfer(&mut pair, 400, |n| 4 + n as usize * 91 % 4000, 600);
    assert!(pair.b.layer.association().stats().duplicates_received > 0);
}

//= rfc9260#1.6
//# This space ranges from 0 to 2^32 - 1. Since the space is finite, all arithmetic dealing with Transmission Sequence Numbers MUST be performed modulo 2^32.
#[test]
fn tsns_wrap() {
    for back in [0, 1, 50, 1000] {
        let config = Config { initial_tsn: Some(0_u32.wrapping_sub(back)), ..Config::rtc() };
        let link = LinkConfig { loss: Loss::Random(0.05), ..LinkConfig::with_delay_ms(10) };
        transfer(&mut peers(&config, link, u64::from(back)), 300, |_| 5000, 600);
    }
}

#[test]
fn stream_sequence_numbers_wrap() {
    //= rfc9260#6.5
    //# In particular, when the Stream Sequence Number reaches the value 65535, the next Stream Sequence Number MUST be set to 0.
    let link = LinkConfig::with_delay_ms(1);
    transfer(&mut peers(&Config::rtc(), link, 8), 70_000, |_| 4, 600);
}

#[test]
fn unordered_messages_all_arrive_once() {
    let link = LinkConfig { loss: Loss::Random(0.1), ..LinkConfig::with_delay_ms(20) };
    let mut pair = peers(&Config::rtc(), link, 9);
    let (a, b) = open(&mut pair, ChannelInit { ordered: false, ..ChannelInit::default() });
    pair.run_for(secs(5));
    for n in 0..500 {
        pair.a.layer.send(pair.now(), a, MessageKind::Binary, payload(n, 100 + n as usize * 13 % 3000)).unwrap();
    }
    let mut seen = vec![false; 500];
    let mut overtaken = false;
    let mut last = 0;
    pair.run_until(secs(300), |pair| {
        for message in read_all(&mut pair.b.layer, b) {
            let n = number(&message.data);
            assert!(message.data == payload(n, message.data.len()));
            assert!(!core::mem::replace(&mut seen[n as usize], true), "twice");
            overtaken |= n < last;
            last = n;
        }
        seen.iter().all(|s| *s)
    })
    .unwrap();
    assert!(overtaken, "with loss, some overtake others");
}

#[test]
fn unreliable_messages_never_arrive_twice_and_never_stall() {
    for (seed, reliability) in
        [Reliability::MaxRetransmits(0), Reliability::MaxRetransmits(1), Reliability::MaxLifetime(50)]
            .into_iter()
            .enumerate()
    {
        for ordered in [true, false] {
            let link = LinkConfig { loss: Loss::Random(0.1), ..LinkConfig::with_delay_ms(20) };
            let mut pair = peers(&Config::rtc(), link, seed as u64);
            let init = ChannelInit { ordered, reliability, ..ChannelInit::default() };
            let (a, b) = open(&mut pair, init);
            pair.run_for(secs(3));
            let mut seen = vec![0_u32; 1000];
            let mut last = None;
            for n in 0..1000 {
                pair.a.layer.send(pair.now(), a, MessageKind::Binary, payload(n, 20 + n as usize % 3000)).unwrap();
                pair.run_for(millis(5));
                for message in read_all(&mut pair.b.layer, b) {
                    let n = number(&message.data);
                    assert!(message.data == payload(n, message.data.len()));
                    seen[n as usize] += 1;
                    assert!(!ordered || last.is_none_or(|l| l < n), "order");
                    last = Some(n);
                }
            }
            pair.run_for(secs(20));
            for message in read_all(&mut pair.b.layer, b) {
                seen[number(&message.data) as usize] += 1;
            }
            assert!(seen.iter().all(|n| *n <= 1), "never twice");
            let arrived = seen.iter().filter(|n| **n == 1).count();
            assert!((500..1000).contains(&arrived), "{arrived} arrived, {reliability:?} ordered {ordered}");
            let stats = pair.a.layer.association().stats();
            assert!(stats.messages_abandoned > 0 && stats.buffered == 0, "{stats:?}");
            // A reliable channel beside it is none the worse.
            let (c, d) = open(&mut pair, ChannelInit::default());
            pair.a.layer.send(pair.now(), c, MessageKind::Text, payload(7, 50_000)).unwrap();
            pair.run_until(secs(60), |pair| !read_all(&mut pair.b.layer, d).is_empty()).unwrap();
        }
    }
}

#[test]
fn both_directions_at_once() {
    let mut pair = peers(&Config::rtc(), LinkConfig { loss: Loss::Random(0.01), ..LinkConfig::with_delay_ms(15) }, 3);
    let (a, b) = open(&mut pair, ChannelInit::default());
    for n in 0..400 {
        pair.a.layer.send(pair.now(), a, MessageKind::Binary, payload(n, 4000)).unwrap();
        pair.b.layer.send(pair.now(), b, MessageKind::Binary, payload(n, 4000)).unwrap();
    }
    let (mut at_a, mut at_b) = (0, 0);
    pair.run_until(secs(200), |pair| {
        for message in read_all(&mut pair.b.layer, b) {
            assert_eq!(number(&message.data), at_b);
            at_b += 1;
        }
        for message in read_all(&mut pair.a.layer, a) {
            assert_eq!(number(&message.data), at_a);
            at_a += 1;
        }
        (at_a, at_b) == (400, 400)
    })
    .unwrap();
}

/// A reader that does not read stops the sender, and nothing is lost when it goes on.
#[test]
fn a_slow_reader_slows_the_sender() {
    let config = Config {
        receive_buffer: 100_000,
        max_receive_buffer: 100_000,
        send_buffer: 50_000,
        max_send_buffer: 50_000,
        ..Config::rtc()
    };
    let mut pair = peers(&config, LinkConfig::with_delay_ms(5), 3);
    let (a, b) = open(&mut pair, ChannelInit::default());
    let mut sent = 0;
    let mut fill = |pair: &mut crate::common::Peers| {
        while pair.a.layer.send(pair.now(), a, MessageKind::Binary, payload(sent, 3000)).is_ok() {
            sent += 1;
        }
        sent
    };
    for _ in 0..300 {
        fill(&mut pair);
        pair.run_for(millis(100));
    }
    let stuck = fill(&mut pair);
    assert!((30..70).contains(&stuck), "window and send buffer hold about 50 messages, not {stuck}");
    //= rfc9260#6.1
    //# At any given time, the data sender MUST NOT transmit new data to any destination transport address if its peer's rwnd indicates that the peer has no buffer space
    let before = pair.a.layer.association().stats().data_chunks_sent;
    pair.run_for(secs(60));
    let probes = pair.a.layer.association().stats().data_chunks_sent - before;
    assert!((1..30).contains(&probes), "only window probes go out: {probes}");
    assert!(pair.b.layer.association().stats().a_rwnd < 4000);
    assert!(pair.a.error.is_none(), "window probes never end an association");
    pair.a.events.clear();
    let stuck = fill(&mut pair);
    let mut received = 0;
    pair.run_until(secs(60), |pair| {
        for message in read_all(&mut pair.b.layer, b) {
            assert!(message.data == payload(received, 3000));
            received += 1;
        }
        received == stuck
    })
    .unwrap();
    assert!(pair.a.take_event(|e| *e == ChannelEvent::Writable(a)).is_some());
}

/// Reading a window that was shut open again is told at once: the sender need not wait for its probe.
#[test]
fn an_opened_window_is_announced() {
    let config = Config { receive_buffer: 60_000, ..Config::rtc() };
    let mut pair = peers(&config, LinkConfig::with_delay_ms(5), 3);
    let (a, b) = open(&mut pair, ChannelInit::default());
    for n in 0..100 {
        pair.a.layer.send(pair.now(), a, MessageKind::Binary, payload(n, 3000)).unwrap();
    }
    pair.run_for(secs(30));
    let started = pair.now();
    let mut received = 0;
    pair.run_until(secs(20), |pair| {
        received += read_all(&mut pair.b.layer, b).len();
        received == 100
    })
    .unwrap();
    assert!(pair.now() - started < millis(500), "{:?}", pair.now() - started);
}

#[test]
fn tiny_window_and_many_small_messages() {
    let config = Config { receive_buffer: 5_000, ..Config::rtc() };
    let link = LinkConfig { loss: Loss::Random(0.05), ..LinkConfig::with_delay_ms(5) };
    transfer(&mut peers(&config, link, 12), 3000, |_| 8, 3000);
}

/// Over a short path.
#[test]
fn long_bursts_handed_in_together_are_acknowledged_once() {
    let mut duo = Duo::connected(&Config::rtc());
    duo.b.send(duo.now, 0, 53, payload(0, 100), SendOptions::default()).unwrap();
    duo.settle();
    duo.b.send(duo.now, 0, 53, payload(0, 100), SendOptions::default()).unwrap();
    duo.settle();
    for n in 0..200 {
        duo.a.send(duo.now, 0, 53, payload(n, 1160), SendOptions::default()).unwrap();
    }
    for round in 0..5 {
        let burst = packets(&mut duo.a, duo.now);
        assert!(burst.len() > 2, "round {round}");
        for packet in &burst {
            duo.b.handle_input(duo.now, packet).unwrap();
        }
        let answers = packets(&mut duo.b, duo.now);
        // The first of eight packets shows that they come.
        let expected = if round < 2 { burst.len() / 2 } else { 1 };
        assert_eq!(answers.len(), expected, "SACKs for {} packets, round {round}", burst.len());
        for answer in &answers {
            assert_eq!(kinds(answer), [kind::SACK]);
            duo.a.handle_input(duo.now, answer).unwrap();
        }
    }
}

//= rfc9260#6.2
//# An implementation MUST NOT allow the maximum delay (protocol parameter 'SACK.Delay') to be configured to be more than 500 ms.
#[test]
fn one_packet_is_acknowledged_after_a_delay_and_two_at_once() {
    let mut duo = Duo::connected(&Config { sack_delay: secs(3), ..Config::rtc() });
    duo.a.send(duo.now, 0, 53, payload(0, 100), SendOptions::default()).unwrap();
    duo.settle();
    duo.a.send(duo.now, 0, 53, payload(0, 100), SendOptions::default()).unwrap();
    for packet in packets(&mut duo.a, duo.now) {
        duo.b.handle_input(duo.now, &packet).unwrap();
    }
    assert!(packets(&mut duo.b, duo.now).is_empty(), "a single packet can wait");
    let at = duo.b.poll_timeout().unwrap();
    assert_eq!(at, duo.now + millis(500));
    duo.b.handle_timeout(at).unwrap();
    assert_eq!(kinds(&packets(&mut duo.b, at)[0]), [kind::SACK]);
}

#[test]
fn webrtc_rs_817_the_send_buffer_is_bounded_by_bytes_and_by_entries() {
    let mut duo = Duo::new(&Config { send_buffer: 10_000, max_send_entries: 20, ..Config::rtc() });
    let ordered = SendOptions::default();
    assert_eq!(duo.a.send(duo.now, 0, 53, payload(0, 50_000), ordered), Ok(()), "one large message is taken");
    assert_eq!(duo.a.send(duo.now, 0, 53, payload(0, 1), ordered), Err(SendError::Full));
    let mut duo = Duo::new(&Config { send_buffer: 10_000, max_send_entries: 20, ..Config::rtc() });
    for _ in 0..20 {
        assert_eq!(duo.a.send(duo.now, 0, 53, payload(0, 4), ordered), Ok(()));
    }
    assert_eq!(duo.a.send(duo.now, 0, 53, payload(0, 4), ordered), Err(SendError::Full));
    assert_eq!(duo.a.send(duo.now, 0, 53, Bytes::new(), ordered), Err(SendError::Empty));
    assert_eq!(duo.a.send(duo.now, 65_535, 53, payload(0, 4), ordered), Err(SendError::NotOpen));
}

#[test]
fn streams_take_turns() {
    let mut duo = Duo::connected(&Config::rtc());
    for n in 0..100 {
        duo.a.send(duo.now, 1, 53, payload(n, 5000), SendOptions::default()).unwrap();
    }
    duo.a.send(duo.now, 2, 53, payload(0, 10), SendOptions::default()).unwrap();
    duo.settle();
    let order: Vec<u16> = core::iter::from_fn(|| duo.b.receive()).map(|m| m.stream).collect();
    let place = order.iter().position(|s| *s == 2).unwrap();
    assert!(place <= 1, "the small message waits for one large one at most, not {place}");
}

/// Different MTUs on both sides, and packets that never exceed them (asserted for every packet in `packets`).
#[test]
fn mtus_differ() {
    //= rfc9260#6.10
    //# The total size of the resultant SCTP packet MUST be less that or equal to the current PMTU.
    for mtu in [508, 509, 600, 1187, 1188, 1400] {
        let a = Config { mtu, ..Config::rtc() };
        let mut pair = peers_with(a, Config::rtc(), LinkConfig::with_delay_ms(5), 4);
        transfer(&mut pair, 50, |n| 1 + n as usize * 400, 100);
    }
}

#[test]
fn heartbeats_measure_an_idle_path_and_find_it_dead() {
    let config = Config { heartbeat_interval: Some(secs(5)), ..Config::default() };
    let mut duo = Duo::connected(&config);
    duo.run(secs(60));
    assert!(duo.a.stats().srtt.is_some());
    // B falls silent.
    let mut result = Ok(());
    for _ in 0..100 {
        let Some(at) = duo.a.poll_timeout() else { break };
        duo.now = at;
        result = duo.a.handle_timeout(at);
        packets(&mut duo.a, at);
        if result.is_err() {
            break;
        }
    }
    assert_eq!(result, Err(weft_sctp::AssociationError::RetransmissionLimit));
}
