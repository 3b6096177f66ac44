//! Properties of one link.

use std::time::Duration;

use proptest::prelude::*;
use weft_core::{Instant, Path, Rng};
use weft_testkit::{A_V4, A_V6, B_V4, B_V6, Fate, Fragments, Link, LinkConfig, Loss, Packet};

fn packet(len: usize) -> Packet {
    Packet::new(Path::udp(A_V4, B_V4), vec![0; len])
}

fn numbered(n: u32) -> Packet {
    Packet::new(Path::udp(A_V4, B_V4), n.to_be_bytes())
}

fn number(packet: &Packet) -> u32 {
    u32::from_be_bytes(packet.payload[..4].try_into().unwrap())
}

/// Sends numbered packets a millisecond apart; gives (arrival, number, payload) in the order they arrive.
fn run(config: LinkConfig, seed: u64, packets: u32) -> (Link, Vec<(Instant, Packet)>) {
    let mut link = Link::new(config, Rng::from_test_seed(seed));
    for n in 0..packets {
        link.send(Instant::from_millis(u64::from(n)), numbered(n));
    }
    let mut out = Vec::new();
    while let Some(at) = link.next_arrival() {
        assert!(link.receive(at - Duration::from_nanos(1)).is_none());
        out.push((at, link.receive(at).unwrap()));
    }
    (link, out)
}

fn configs() -> impl Strategy<Value = LinkConfig> {
    any::<u64>().prop_map(|seed| LinkConfig::random(&mut Rng::from_test_seed(seed), seed % 2 == 0))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_seed_decides_everything(config in configs(), seed: u64) {
        let (one, first) = run(config.clone(), seed, 500);
        let (two, second) = run(config, seed, 500);
        prop_assert_eq!(first, second);
        prop_assert_eq!(one.stats(), two.stats());
    }

    #[test]
    fn every_packet_is_accounted_for(config in configs(), seed: u64) {
        let (link, out) = run(config, seed, 500);
        let stats = link.stats();
        prop_assert_eq!(stats.sent, 500);
        prop_assert_eq!(stats.delivered, out.len() as u64);
        prop_assert_eq!(stats.delivered, 500 + stats.duplicated - stats.lost - stats.queue_drops - stats.too_big);
    }

    #[test]
    fn jitter_alone_keeps_the_order(jitter_ms in 0_u64..200, delay_ms in 0_u64..100, seed: u64) {
        let config = LinkConfig { jitter: Duration::from_millis(jitter_ms), ..LinkConfig::with_delay_ms(delay_ms) };
        let (_, out) = run(config, seed, 300);
        prop_assert!(out.iter().map(|(_, p)| number(p)).eq(0..300));
        for (at, p) in &out {
            let sent = Instant::from_millis(u64::from(number(p)));
            prop_assert!(*at >= sent + Duration::from_millis(delay_ms));
            // Behind one that took the whole jitter, at worst.
            prop_assert!(*at <= sent + Duration::from_millis(delay_ms + jitter_ms));
        }
    }

    #[test]
    fn bandwidth_is_exact(bandwidth in 1_000_u64..10_000_000_000, lens in prop::collection::vec(0_usize..1_400, 1..200)) {
        let config = LinkConfig { bandwidth: Some(bandwidth), overhead: 38, delay: Duration::ZERO, ..LinkConfig::default() };
        let mut link = Link::new(config, Rng::from_test_seed(0));
        let mut bits = 0_u128;
        for len in lens {
            bits += (len as u128 + 28 + 38) * 8;
            let expected = Instant::from_nanos(u64::try_from(bits * 1_000_000_000 / u128::from(bandwidth)).unwrap());
            prop_assert_eq!(link.send(Instant::ORIGIN, packet(len)), Fate::Arrives(expected));
        }
    }

    #[test]
    fn corruption_flips_one_to_three_bits(seed: u64, len in 1_usize..100) {
        let mut link = Link::new(LinkConfig { corrupt: 1.0, ..LinkConfig::default() }, Rng::from_test_seed(seed));
        link.send(Instant::ORIGIN, packet(len));
        let out = link.receive(Instant::FAR_FUTURE).unwrap();
        let flipped: u32 = out.payload.iter().map(|b| b.count_ones()).sum();
        prop_assert!((1..=3).contains(&flipped), "{}", flipped);
        prop_assert_eq!(out.payload.len(), len);
    }
}

#[test]
fn random_loss_has_its_rate() {
    for (seed, p) in [(1, 0.01), (2, 0.1), (3, 0.5)] {
        let (link, _) = run(LinkConfig { loss: Loss::Random(p), ..LinkConfig::default() }, seed, 50_000);
        let rate = link.stats().lost as f64 / 50_000.0;
        assert!((rate - p).abs() < 0.01, "seed {seed}: {rate} for {p}");
    }
    let (link, out) = run(LinkConfig { loss: Loss::Random(1.0), ..LinkConfig::default() }, 4, 100);
    assert_eq!((link.stats().lost, out.len()), (100, 0));
}

#[test]
fn burst_loss_has_its_rate_and_its_bursts() {
    let loss = Loss::Burst { enter: 0.02, leave: 0.2, good: 0.0, bad: 1.0 };
    let (link, out) = run(LinkConfig { loss, ..LinkConfig::default() }, 5, 100_000);
    let rate = link.stats().lost as f64 / 100_000.0;
    assert!((rate - 0.02 / 0.22).abs() < 0.01, "{rate}");
    let gaps: Vec<u32> = out.windows(2).map(|w| number(&w[1].1) - number(&w[0].1) - 1).filter(|g| *g > 0).collect();
    let mean = f64::from(gaps.iter().sum::<u32>()) / gaps.len() as f64;
    assert!((4.5..5.5).contains(&mean), "mean burst {mean}");
}

#[test]
fn reordering_and_duplication_have_their_rates() {
    let config = LinkConfig { reorder: 0.1, duplicate: 0.05, ..LinkConfig::default() };
    let (link, out) = run(config, 6, 20_000);
    let stats = link.stats();
    assert!((900..1_100).contains(&stats.duplicated), "{stats:?}");
    assert!((1_900..2_300).contains(&stats.held_back), "{stats:?}");
    let overtaken = out.windows(2).filter(|w| number(&w[1].1) < number(&w[0].1)).count();
    // Most of those held back (by 5 ms on average, others 1 ms apart) are overtaken.
    assert!(overtaken > 1_500, "{overtaken}");
}

#[test]
fn one_misfortune_does_not_change_another() {
    let numbers = |config| run(config, 7, 1_000).1.iter().map(|(_, p)| number(p)).collect::<Vec<_>>();
    let loss = Loss::Random(0.2);
    let plain = numbers(LinkConfig { loss, ..LinkConfig::default() });
    let jittery = numbers(LinkConfig { loss, jitter: Duration::from_millis(50), ..LinkConfig::default() });
    assert_eq!(plain, jittery);
    let jitter = Duration::from_millis(50);
    let (_, once) = run(LinkConfig { loss, jitter, ..LinkConfig::default() }, 7, 1_000);
    let (link, mut twice) = run(LinkConfig { loss, jitter, duplicate: 0.3, ..LinkConfig::default() }, 7, 1_000);
    assert!(link.stats().duplicated > 150);
    let mut seen = std::collections::BTreeSet::new();
    twice.retain(|(_, packet)| seen.insert(number(packet)));
    assert_eq!(once, twice);
    // Nor does one go with another: of the packets held back as many are doubled as of all.
    let config = LinkConfig { reorder: 0.3, reorder_delay: Duration::ZERO, duplicate: 0.3, ..LinkConfig::default() };
    let mut link = Link::new(config, Rng::from_test_seed(8));
    let (mut held, mut both) = (0, 0);
    for n in 0..1_000 {
        let before = link.stats();
        link.send(Instant::from_millis(n), packet(4));
        let after = link.stats();
        held += u32::from(after.held_back > before.held_back);
        both += u32::from(after.held_back > before.held_back && after.duplicated > before.duplicated);
    }
    assert!((250..350).contains(&held) && (60..130).contains(&both), "{held} {both}");
}

#[test]
fn the_queue_drops_its_tail_and_drains() {
    // 1 Mbit/s: a packet of 1,000 bytes takes 8 ms. Three fit.
    let config = LinkConfig { bandwidth: Some(1_000_000), queue: 3_000, ..LinkConfig::default() };
    let mut link = Link::new(config, Rng::from_test_seed(0));
    let t = Instant::from_millis;
    for _ in 0..3 {
        assert!(matches!(link.send(t(0), packet(972)), Fate::Arrives(_)));
    }
    assert_eq!(link.queued_bytes(t(0)), 3_000);
    assert_eq!(link.send(t(7), packet(972)), Fate::QueueFull);
    // The first has left at 8 ms; the fourth leaves at 32 ms and arrives a millisecond later.
    assert_eq!(link.send(t(8), packet(972)), Fate::Arrives(t(33)));
    assert_eq!(link.send(t(8), packet(0)), Fate::QueueFull);
    assert_eq!((link.queued_bytes(t(31)), link.queued_bytes(t(32))), (1_000, 0));
    assert_eq!(link.stats().queue_drops, 2);
    // An empty queue takes anything.
    link.config_mut().queue = 0;
    assert!(matches!(link.send(t(100), packet(972)), Fate::Arrives(_)));
    assert_eq!(link.send(t(100), packet(972)), Fate::QueueFull);
}

#[test]
fn the_mtu_counts_ip_and_udp_headers() {
    let mut link = Link::new(LinkConfig::default(), Rng::from_test_seed(0));
    let v6 = |len| Packet::new(Path::udp(A_V6, B_V6), vec![0; len]);
    assert!(matches!(link.send(Instant::ORIGIN, packet(1_472)), Fate::Arrives(_)));
    assert_eq!(link.send(Instant::ORIGIN, packet(1_473)), Fate::TooBig);
    assert!(matches!(link.send(Instant::ORIGIN, v6(1_452)), Fate::Arrives(_)));
    assert_eq!(link.send(Instant::ORIGIN, v6(1_453)), Fate::TooBig);
    assert_eq!(link.stats().too_big, 2);
}

#[test]
fn fragments_pass_and_are_charged_or_vanish() {
    let big = Packet { may_fragment: true, ..packet(3_000) };
    let config = LinkConfig { bandwidth: Some(8_000_000), delay: Duration::ZERO, ..LinkConfig::default() };
    let mut link = Link::new(config, Rng::from_test_seed(0));
    // 3,008 bytes of UDP in fragments of at most 1,480: three, with three IP headers; a microsecond a byte.
    let expected = Instant::ORIGIN + Duration::from_micros(3_008 + 3 * 20);
    assert_eq!(link.send(Instant::ORIGIN, big.clone()), Fate::Arrives(expected));
    link.config_mut().fragments = Fragments::Vanish;
    assert_eq!(link.send(Instant::ORIGIN, big), Fate::TooBig);
    assert_eq!((link.stats().fragmented, link.stats().too_big), (1, 1));
}

#[test]
fn what_is_in_flight_can_be_seen_changed_and_lost() {
    let mut link = Link::new(LinkConfig::default(), Rng::from_test_seed(0));
    for n in 0..4 {
        link.send(Instant::ORIGIN, numbered(n));
    }
    for (_, packet) in link.in_flight_mut() {
        packet.payload[0] = 9;
    }
    link.retain(|packet| packet.payload[3] % 2 == 0);
    let left: Vec<u8> = std::iter::from_fn(|| link.receive(Instant::FAR_FUTURE)).map(|p| p.payload[3]).collect();
    assert_eq!((left, link.stats().lost), (vec![0, 2], 2));
}
