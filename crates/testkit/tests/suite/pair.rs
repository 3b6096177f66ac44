//! The driver.

use std::time::Duration;

use weft_core::{Datagram, Instant, Path};
use weft_testkit::{
    A_V4, A_V6, B_V4, B_V6, Fate, Fragments, Host, LinkConfig, Loss, Nat, NatConfig, Node, Packet, Pair, Side, Verdict,
    for_seeds, pcap,
};

use crate::layers::{Bytes, InPlace, Plain, Poisoned, Routed, Shape, Shared, Talker, Whole};

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

fn plain_pair(link: LinkConfig, seed: u64) -> Pair<Node<Plain>, Node<Plain>> {
    Pair::new(Node::new(Plain::new(())), Node::new(Plain::new(())), link, seed)
}

/// A layer of any shape, its yields collected.
fn keeping<S: Shape>() -> Node<Talker<S, ()>, Vec<Vec<u8>>> {
    Node::collecting(Talker::new(()), Vec::new(), |all: &mut Vec<Vec<u8>>, _, yielded: S::Of<'_>| {
        all.push(yielded.bytes().to_vec());
    })
}

fn hears<S: Shape>() {
    let mut pair = Pair::new(Node::new(Plain::new(())), keeping::<S>(), LinkConfig::with_delay_ms(20), 1);
    pair.a.layer.say(b"one");
    pair.a.layer.say(b"two");
    let took = pair.run_until(ms(100), |pair| pair.b.layer.received == 2).unwrap();
    assert_eq!(took, ms(20));
    assert_eq!(pair.b.collected, [b"one", b"two"]);
    assert_eq!(pair.b.events, [3, 3]);
    assert_eq!(pair.b.take_event(|len| *len == 3), Some(3));
    assert_eq!(pair.b.take_event(|len| *len == 4), None);
    // They arrived at one instant, so no transmit call came between them.
    assert_eq!(pair.b.layer.largest_burst, 2);
}

#[test]
fn nodes_serve_every_shape_of_input() {
    hears::<Shared>();
    hears::<InPlace>();
    hears::<Whole>();
}

#[test]
fn routed_layers_choose_the_path_and_see_the_one_taken() {
    let mut a = Routed::new(Path::udp(A_V6, B_V6));
    a.say(b"hello");
    let b = Node::collecting(
        Routed::new(Path::udp(B_V4, A_V4)),
        Vec::new(),
        |paths: &mut Vec<Path>, _, d: Datagram<'_>| {
            paths.push(d.path);
        },
    );
    let mut pair = Pair::new(Node::new(a), b, LinkConfig::default(), 1);
    pair.run_for(ms(10));
    assert_eq!(pair.b.collected, [Path::udp(B_V6, A_V6)]);
    assert_eq!(pair.now(), Instant::from_millis(10));
}

#[test]
fn unrouted_layers_take_the_assigned_path() {
    let mut pair = plain_pair(LinkConfig::default(), 1);
    pair.capture();
    pair.a.layer.say(b"four");
    pair.flush();
    pair.assign_v6();
    pair.b.layer.say(b"six");
    pair.flush();
    let paths: Vec<Path> = pair.trace().iter().map(|t| t.packet.path).collect();
    assert_eq!(paths, [Path::udp(A_V4, B_V4), Path::udp(B_V6, A_V6)]);
}

#[test]
fn timers_fire_when_due_and_loss_is_survived() {
    for_seeds("timers_fire_when_due_and_loss_is_survived", 2_000, |seed| {
        let mut pair = plain_pair(LinkConfig { loss: Loss::Random(0.3), ..LinkConfig::with_delay_ms(10) }, seed);
        let now = pair.now();
        pair.a.layer.ask(now, b"?");
        let took = pair.run_until(ms(60_000), |pair| pair.b.layer.received > 0).unwrap();
        let tries = pair.a_to_b.stats().sent;
        assert_eq!(took, ms(100 * (tries - 1) + 10));
    });
}

#[test]
fn stalls_say_whether_anything_would_ever_happen() {
    let mut pair = plain_pair(LinkConfig { loss: Loss::Random(1.0), ..LinkConfig::default() }, 1);
    pair.a.layer.say(b"lost");
    let stalled = pair.run_until(ms(500), |pair| pair.b.layer.received > 0).unwrap_err();
    assert!(stalled.idle && stalled.links[0].lost == 1, "{stalled}");
    assert!(!pair.step());
    let now = pair.now();
    pair.a.layer.ask(now, b"?");
    let stalled = pair.run_until(ms(450), |pair| pair.b.layer.received > 0).unwrap_err();
    assert_eq!((stalled.idle, stalled.at, stalled.links[0].lost), (false, now + ms(450), 6), "{stalled}");
    assert!(stalled.to_string().contains("out of time"));
    // The condition may do things: what it makes a host send counts.
    pair.change_links(|link| link.loss = Loss::None);
    let mut asked = false;
    let answered = pair.run_until(ms(1), |pair| {
        if !std::mem::replace(&mut asked, true) {
            pair.b.layer.say(b"!");
        }
        pair.a.layer.received > 0
    });
    assert_eq!(answered, Ok(ms(1)));
}

#[test]
fn a_dead_side_is_silent_and_may_come_back() {
    let mut pair = plain_pair(LinkConfig::default(), 1);
    pair.b.layer.ask(Instant::ORIGIN, b"?");
    pair.kill(Side::B);
    pair.a.layer.say(b"anybody there");
    pair.run_for(ms(1_000));
    assert_eq!((pair.b.layer.received, pair.b_to_a.stats().sent, pair.a_to_b.stats().delivered), (0, 0, 1));
    pair.revive(Side::B);
    pair.run_for(ms(1_000));
    assert!(pair.a.layer.received > 0);
}

#[test]
fn an_error_ends_input_and_timers() {
    let mut pair = plain_pair(LinkConfig::default(), 1);
    pair.b.layer.ask(Instant::ORIGIN, b"?");
    pair.inject(Side::B, Packet::new(Path::udp(A_V4, B_V4), *b"die"));
    pair.b.layer.say(b"farewell");
    pair.a.layer.say(b"more");
    pair.run_for(ms(1_000));
    assert_eq!((&pair.b.error, pair.b.layer.received), (&Some(Poisoned), 0));
    assert_eq!((pair.b.next_timeout(), pair.a.layer.received), (None, 1));
}

#[test]
fn filters_drop_double_delay_and_change() {
    let mut pair = Pair::new(Node::new(Plain::new(())), keeping::<Shared>(), LinkConfig::default(), 1);
    pair.set_filter(|_, from, packet| match packet.payload.as_slice() {
        _ if from == Side::B => Verdict::Pass,
        b"drop" => Verdict::Drop,
        b"twice" => Verdict::Twice,
        b"late" => Verdict::Delay(ms(50)),
        b"change" => {
            packet.payload = b"CHANGED".to_vec();
            Verdict::Pass
        }
        _ => Verdict::Pass,
    });
    pair.capture();
    for word in ["late", "drop", "twice", "change", "plain"] {
        pair.a.layer.say(word.as_bytes());
    }
    pair.run_for(ms(100));
    let heard: Vec<&str> = pair.b.collected.iter().map(|w| std::str::from_utf8(w).unwrap()).collect();
    assert_eq!(heard, ["twice", "twice", "CHANGED", "plain", "late"]);
    let fates: Vec<Fate> = pair.trace().iter().map(|t| t.fate).collect();
    assert_eq!(fates[0], Fate::Arrives(Instant::from_millis(51)));
    assert_eq!(fates[1], Fate::Dropped);
    pair.clear_filter();
    pair.a.layer.say(b"drop");
    pair.run_for(ms(100));
    assert_eq!(pair.b.collected.last().unwrap(), b"drop");
}

#[test]
fn links_may_change_midway_and_large_frames_may_be_fragmented() {
    let mut pair = plain_pair(LinkConfig::default(), 1);
    pair.max_datagram = 4_000;
    pair.a.layer.say(&[0; 3_000]);
    pair.run_for(ms(10));
    assert_eq!((pair.b.layer.received, pair.a_to_b.stats().too_big), (0, 1));
    pair.a.layer.may_fragment = true;
    pair.a.layer.say(&[0; 3_000]);
    pair.run_for(ms(10));
    assert_eq!(pair.b.layer.received, 1);
    pair.a_to_b.config_mut().fragments = Fragments::Vanish;
    pair.a.layer.say(&[0; 3_000]);
    pair.run_for(ms(10));
    assert_eq!(pair.b.layer.received, 1);
    pair.link_to(Side::B).config_mut().mtu = 4_000;
    pair.a.layer.say(&[0; 3_000]);
    pair.run_for(ms(10));
    assert_eq!(pair.b.layer.received, 2);
}

#[test]
fn translators_stand_between() {
    // B answers to wherever it heard from.
    let b = Node::collecting(
        Routed::new(Path::udp(B_V4, A_V4)),
        Vec::new(),
        |paths: &mut Vec<Path>, _, d: Datagram<'_>| {
            paths.push(d.path);
        },
    );
    let mut pair = Pair::new(Node::new(Plain::new(())), b, LinkConfig::default(), 1);
    pair.a_nat = Some(Nat::new("203.0.113.9".parse().unwrap(), NatConfig::HOME));
    pair.b.layer.say(b"too early");
    pair.run_for(ms(10));
    assert_eq!((pair.a.layer.received, pair.a_nat.as_ref().unwrap().refused()), (0, 1));
    pair.a.layer.say(b"hello");
    pair.run_for(ms(10));
    let outside = "203.0.113.9:40000".parse().unwrap();
    assert_eq!(pair.b.collected, [Path::udp(B_V4, outside)]);
    pair.b.layer.route = pair.b.collected[0];
    pair.b.layer.say(b"hello yourself");
    pair.run_for(ms(10));
    assert_eq!(pair.a.layer.received, 1);
    // A mapping that its owner does not use is gone in the end.
    pair.run_for(NatConfig::HOME.lifetime);
    pair.b.layer.say(b"still there?");
    pair.run_for(ms(10));
    assert_eq!((pair.a.layer.received, pair.a_nat.as_ref().unwrap().refused()), (1, 2));
}

#[test]
fn runs_are_equal_for_equal_seeds_and_differ_for_others() {
    let run = |seed| {
        let mut rng = weft_core::Rng::from_test_seed(seed);
        let mut pair = plain_pair(LinkConfig::random(&mut rng, true), seed);
        pair.capture();
        for _ in 0..100 {
            pair.a.layer.say(&rng.u64().to_be_bytes());
            pair.run_for(ms(5));
        }
        pair.run_for(ms(1_000));
        (pair.trace().to_vec(), pair.a_to_b.stats())
    };
    for seed in 0..10 {
        assert_eq!(run(seed), run(seed), "seed {seed}");
    }
    assert_ne!(run(1), run(2));
}

#[test]
#[should_panic(expected = "time does not move on")]
fn a_timer_that_stays_due_is_found_out() {
    struct Stuck;
    impl Host for Stuck {
        fn receive(&mut self, _: Instant, _: Datagram<'_>) {}
        fn transmit(&mut self, _: Instant, _: &mut weft_core::Frame<'_>) -> Option<Path> {
            None
        }
        fn timeout(&mut self, _: Instant) {}
        fn next_timeout(&self) -> Option<Instant> {
            Some(Instant::from_millis(5))
        }
    }
    Pair::new(Stuck, Stuck, LinkConfig::default(), 1).run_for(ms(10));
}

#[test]
fn pcap_files_hold_every_packet_with_sound_headers() {
    let mut pair = plain_pair(LinkConfig::default(), 1);
    pair.capture();
    pair.a.layer.say(b"odd");
    pair.run_for(ms(1_500));
    pair.assign_v6();
    pair.b.layer.say(b"even");
    pair.flush();
    let file = pcap::file(pair.trace());
    assert_eq!(file.len(), 24 + 16 + 31 + 16 + 52);
    let (four, six) = (&file[40..71], &file[87..]);
    assert_eq!(&file[71..79], [1, 0, 0, 0, 0, 0x65, 0xcd, 0x1d]); // 1 s and 500,000,000 ns
    let sum = |bytes: &[u8]| {
        let mut sum: u32 = bytes.chunks(2).map(|w| u32::from(w[0]) << 8 | u32::from(*w.get(1).unwrap_or(&0))).sum();
        while sum > 0xffff {
            sum = (sum & 0xffff) + (sum >> 16);
        }
        sum
    };
    // A sound checksum makes all sums come out as ones.
    assert_eq!(sum(&four[..20]), 0xffff);
    assert_eq!(sum(&[&four[12..20], &[0, 17, 0, 11], &four[20..]].concat()), 0xffff);
    assert_eq!(sum(&[&six[8..40], &[0, 17, 0, 12], &six[40..]].concat()), 0xffff);
    assert_eq!((&four[28..], &six[48..]), (&b"odd"[..], &b"even"[..]));
}
