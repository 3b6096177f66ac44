//! What users of other stacks suffer on networks that delay, reorder, lose the end of what was sent, or stand still while
//! the application thinks. Named after their threads.

use std::collections::BTreeSet;

use weft_core::{Instant, Rng, Serial32};
use weft_sctp::wire::{Data, ForwardTsn, Packet, kind};
use weft_sctp::{Association, Config, ControllerKind, Reliability, SendOptions, State};
use weft_testkit::{LinkConfig, Loss, Node, Pair, Side, Verdict, for_seeds};

use crate::common::{millis, payload, secs};

type Ends = Pair<Node<Association>, Node<Association>>;

fn connected(kind: ControllerKind, link: LinkConfig, seed: u64) -> Ends {
    let mut rng = Rng::from_test_seed(seed);
    let config = Config { controller: kind, path_mtu_discovery: false, ..Config::rtc() };
    let mut a = Association::new(config.clone(), rng.fork());
    a.connect(Instant::ORIGIN);
    let mut pair = Pair::new(Node::new(a), Node::new(Association::new(config, rng.fork())), link, seed);
    pair.run_until(secs(5), |pair| pair.b.layer.state() == State::Established).unwrap();
    pair.run_for(millis(500));
    pair
}

/// `count` messages of 20,000 bytes from A to B, whole and in order; how long it took.
fn burst(pair: &mut Ends, count: u32) -> core::time::Duration {
    let (began, mut sent, mut received) = (pair.now(), 0, 0);
    pair.run_until(secs(120), |pair| {
        let now = pair.now();
        while sent < count && pair.a.layer.send(now, 1, 53, payload(sent, 20_000), SendOptions::default()).is_ok() {
            sent += 1;
        }
        while let Some(message) = pair.b.layer.receive() {
            assert!(message.payload == payload(received, 20_000), "message {received}");
            received += 1;
        }
        received == count
    })
    .unwrap();
    pair.now() - began
}

/// usrsctp#728, pion/sctp#206: reordering is taken for loss, and throughput falls.
#[test]
fn usrsctp_728_pion_sctp_206_reordering_is_no_loss() {
    for kind in ControllerKind::ALL {
        let clean = LinkConfig { queue: 400_000, ..LinkConfig::bottleneck(50_000_000, 20) };
        let reorders = LinkConfig { reorder: 0.05, reorder_delay: millis(8), ..clean.clone() };
        let plain = burst(&mut connected(kind, clean, 1), 400);
        let mut pair = connected(kind, reorders, 1);
        let took = burst(&mut pair, 400);
        let stats = pair.a.layer.stats();
        assert!(took < plain * 5 / 4, "{kind:?}: {took:?}, {plain:?} without reordering");
        assert!(pair.a_to_b.stats().held_back > 200);
        // The first ones teach the reordering window.
        let lost = pair.a_to_b.stats().queue_drops;
        assert!(stats.retransmissions <= lost + stats.data_chunks_sent / 100, "{kind:?}: {lost} lost, {stats:?}");
        assert_eq!(stats.timeouts, 0, "{kind:?}");
    }
}

/// usrsctp#459, #297: the end of a message is lost, nothing follows that would show it, and only T3-rtx repairs it.
#[test]
fn usrsctp_459_297_a_lost_tail_waits_for_no_timeout() {
    for (lost, within) in [(1, 400), (2, 250), (5, 250)] {
        let mut pair = connected(ControllerKind::default(), LinkConfig::with_delay_ms(20), 1);
        burst(&mut pair, 20);
        pair.run_for(secs(1));
        // 20,000 bytes are 18 packets of up to 1,188 bytes.
        let mut count = 0;
        pair.set_filter(move |_, from, packet| {
            count += u32::from(from == Side::A && packet.payload.len() > 200);
            if from == Side::A && (18 - lost..18).contains(&(count - 1)) { Verdict::Drop } else { Verdict::Pass }
        });
        let before = pair.a.layer.stats();
        let took = burst(&mut pair, 1);
        let stats = pair.a.layer.stats();
        assert!(stats.retransmissions > before.retransmissions, "{lost} were lost");
        assert!(stats.tail_probes > before.tail_probes, "{lost}: {stats:?}");
        assert_eq!(stats.timeouts, 0, "{lost}");
        assert!(took < millis(within), "{lost}: {took:?}");
    }
}

/// The path becomes slower than T3-rtx waits; nothing was lost, and the window comes back at once.
#[test]
fn a_timeout_that_was_none_is_undone() {
    for kind in [ControllerKind::NewReno, ControllerKind::Cubic] {
        let mut pair = connected(kind, LinkConfig::bottleneck(50_000_000, 20), 1);
        burst(&mut pair, 200);
        let mut sent = 0;
        let mut feed = move |pair: &mut Ends| {
            let now = pair.now();
            while pair.a.layer.send(now, 1, 53, payload(sent, 20_000), SendOptions::default()).is_ok() {
                sent += 1;
            }
            while pair.b.layer.receive().is_some() {}
        };
        let _ = pair.run_until(millis(300), |pair| {
            feed(pair);
            false
        });
        let window = pair.a.layer.stats().cwnd;
        assert!(window > 100_000, "{kind:?}: {window}");
        pair.change_links(|link| link.delay = secs(1));
        pair.run_until(secs(2), |pair| {
            feed(pair);
            pair.a.layer.stats().timeouts > 0
        })
        .unwrap();
        assert!(pair.a.layer.stats().cwnd < window / 10, "{kind:?}: the timeout shuts it");
        // What was in flight is acknowledged, and what was sent meanwhile is a packet or two.
        pair.run_until(secs(2), |pair| pair.a.layer.stats().cwnd >= window)
            .unwrap_or_else(|_| panic!("{kind:?}: {} of {window}", pair.a.layer.stats().cwnd));
    }
}

/// libdatachannel#832: a bulk sender that pauses between bursts never gets its window back.
#[test]
fn libdatachannel_832_a_pause_does_not_cost_the_window() {
    for kind in ControllerKind::ALL {
        let link = LinkConfig { queue: 500_000, ..LinkConfig::bottleneck(50_000_000, 30) };
        let mut pair = connected(kind, link, 1);
        let first = burst(&mut pair, 300);
        for pause in [1, 5, 30] {
            pair.run_for(secs(pause));
            let later = burst(&mut pair, 300);
            assert!(later <= first * 21 / 20, "{kind:?}: {later:?} after {pause} s, at first {first:?}");
            // 6 MB at 50 Mbit/s, headers and all.
            assert!(later < millis(1600), "{kind:?}: {later:?} after {pause} s");
        }
    }
}

/// pion/sctp#104, usrsctp#592, #597: a receiver that sees the rest of a message whose beginning was skipped takes it for a
/// breach of the protocol. We give it no reason: once a FORWARD TSN has passed any piece of a message, none of it leaves.
#[test]
fn pion_sctp_104_usrsctp_592_597_nothing_of_a_skipped_message_leaves() {
    //= rfc3758#3.5
    //# A3) When a TSN is "abandoned", if it is part of a fragmented message, all other TSN's within that fragmented message MUST be abandoned at the same time.
    for_seeds("pion_sctp_104_usrsctp_592_597_nothing_of_a_skipped_message_leaves", 300, |seed| {
        let link = LinkConfig { loss: Loss::Random(0.03), jitter: millis(5), ..LinkConfig::with_delay_ms(10) };
        let mut rng = Rng::from_test_seed(seed);
        let config = Config { interleaving: false, ..Config::rtc() };
        let mut a = Association::new(config.clone(), rng.fork());
        a.connect(Instant::ORIGIN);
        let mut pair = Pair::new(Node::new(a), Node::new(Association::new(config, rng.fork())), link, seed);
        pair.run_until(secs(60), |pair| pair.a.layer.state() == State::Established).unwrap();
        pair.capture();
        let reliability = if seed % 2 == 0 { Reliability::MaxRetransmits(0) } else { Reliability::MaxLifetime(15) };
        let options = SendOptions { ordered: false, reliability, ..SendOptions::default() };
        for n in 0..300 {
            let message = payload(n, 1 + rng.below(9_000) as usize);
            let _ = pair.a.layer.send(pair.now(), (n % 2) as u16, 53, message, options);
            pair.run_for(millis(2));
        }
        pair.run_for(secs(30));
        assert!(pair.a.layer.stats().messages_abandoned > 5);
        let (mut begins, mut skipped, mut forwards) = (BTreeSet::new(), None::<Serial32>, 0);
        for sent in pair.trace().iter().filter(|t| t.from == Side::A) {
            for chunk in Packet::parse(&sent.packet.payload).unwrap().chunks() {
                if chunk.kind == kind::FORWARD_TSN {
                    let to = ForwardTsn::parse(chunk.value).unwrap().new_cumulative_tsn;
                    skipped = Some(skipped.map_or(to, |before| before.later(to)));
                    forwards += 1;
                } else if chunk.kind == kind::DATA {
                    let data = Data::parse(chunk.flags, chunk.value).unwrap();
                    let mut first = data.tsn;
                    if chunk.flags & 2 != 0 {
                        begins.insert(first.0);
                    }
                    while !begins.contains(&first.0) {
                        first = first.previous();
                    }
                    assert!(
                        skipped.is_none_or(|to| first.follows(to)),
                        "TSN {} of a message at {}",
                        data.tsn.0,
                        first.0
                    );
                }
            }
        }
        assert!(forwards > 0);
    });
}

/// A is fed by hand; packets to B pass `filter`.
fn newreno(filter: impl FnMut(Instant, Side, &mut weft_testkit::Packet) -> Verdict + 'static) -> Ends {
    let mut pair = connected(ControllerKind::NewReno, LinkConfig::with_delay_ms(20), 1);
    burst(&mut pair, 30);
    pair.run_for(millis(50));
    pair.set_filter(filter);
    pair
}

#[test]
fn one_probe_of_the_tail_then_the_timeout() {
    //= rfc8985#7.3
    //# When the PTO timer expires, the sender MUST check whether both of the following conditions are met before sending a loss probe:
    //= rfc8985#7.3
    //# If either one of these two conditions is not met, then the sender MUST skip sending a loss probe and MUST proceed to re-arm the RTO timer, as specified at the end of this section.
    //= rfc8985#7.3
    //# After attempting to send a loss probe, regardless of whether a loss probe was sent, the sender MUST re-arm the RTO timer, not the PTO timer, if the FlightSize is not zero.
    let mut pair = newreno(|_, _, _| Verdict::Drop);
    let began = pair.now();
    pair.a.layer.send(began, 1, 53, payload(0, 5_000), SendOptions::default()).unwrap();
    let before = pair.a.layer.stats();
    pair.run_until(secs(5), |pair| pair.a.layer.stats().tail_probes > before.tail_probes).unwrap();
    let (probed, rto) = (pair.now(), pair.a.layer.stats().rto);
    assert!(probed - began < rto);
    pair.run_until(secs(5), |pair| pair.a.layer.stats().timeouts > before.timeouts).unwrap();
    assert_eq!(pair.now() - probed, rto);
    pair.run_for(secs(20));
    let stats = pair.a.layer.stats();
    assert_eq!(stats.tail_probes, before.tail_probes + 1, "none while nothing was heard of the first");
    assert!(stats.timeouts > before.timeouts + 2);
}

#[test]
fn a_loss_that_a_probe_repaired_still_counts() {
    //= rfc8985#7.4.2
    //# If the TLP sender does not receive such an indication, then it MUST assume that the original data segment, the TLP retransmission, or a corresponding ACK was lost for congestion control purposes.
    let mut count = 0;
    let mut pair = newreno(move |_, from, packet| {
        count += u32::from(from == Side::A && packet.payload.len() > 200);
        // The last of eighteen.
        if from == Side::A && count == 18 { Verdict::Drop } else { Verdict::Pass }
    });
    let window = pair.a.layer.stats().cwnd;
    burst(&mut pair, 1);
    // Until more is acknowledged, the peer might still report that the probe came twice.
    burst(&mut pair, 1);
    pair.run_for(millis(200));
    let stats = pair.a.layer.stats();
    assert_eq!((stats.timeouts, stats.tail_probes), (0, 1));
    assert!(stats.cwnd <= window / 2 + 2 * 1188, "{} of {window}", stats.cwnd);
}

/// The same chunk is lost twice.
#[test]
fn a_lost_retransmission_is_another_loss() {
    //= rfc8985#9.3
    //# In the absence of PRR [RFC6937], when RACK-TLP detects a lost retransmission, the congestion control MUST trigger an additional congestion response per the aforementioned principle in [RFC5681].
    for times in [1, 2] {
        let (mut lost, mut tsn) = (0, None);
        let mut pair = newreno(move |_, from, packet| {
            let found = Packet::parse(&packet.payload).ok();
            let first = found.and_then(|p| p.chunks().find(|c| c.kind == kind::I_DATA).map(|c| c.value[..4].to_vec()));
            let (Side::A, Some(first)) = (from, first) else { return Verdict::Pass };
            if lost < times && *tsn.get_or_insert_with(|| first.clone()) == first {
                lost += 1;
                return Verdict::Drop;
            }
            Verdict::Pass
        });
        let (mut window, mut reductions, mut sent) = (0, 0, 0);
        let _ = pair.run_until(secs(1), |pair| {
            let now = pair.now();
            while sent < 40 && pair.a.layer.send(now, 1, 53, payload(sent, 20_000), SendOptions::default()).is_ok() {
                sent += 1;
            }
            while pair.b.layer.receive().is_some() {}
            let stats = pair.a.layer.stats();
            // What was lost waits for room, but for the first of each recovery.
            //= rfc8985#9.3
            //# A segment marked as lost by RACK-TLP MUST NOT be retransmitted until congestion control deems this appropriate.
            let excess = stats.in_flight.saturating_sub(stats.cwnd);
            assert!(stats.retransmissions < 2 + times as u64 || excess <= 1188 * 2, "{stats:?}");
            reductions += u32::from(stats.cwnd < window * 3 / 4);
            window = stats.cwnd;
            false
        });
        assert_eq!(pair.a.layer.stats().timeouts, 0);
        assert_eq!(reductions, times as u32);
    }
}
