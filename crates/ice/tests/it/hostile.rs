//! What an attacker can and cannot do.

use proptest::prelude::*;
use weft_core::{Frame, Overhead, Path, Rng};
use weft_ice::{Config, IceState, Role};
use weft_stun::{Class, IntegrityKey, MessageBuilder, Method, TransactionId, Username};
use weft_testkit::{Packet, Side, for_seeds};

use super::support::{A, B, Check, Lone, at, both, class, connected, describe, link, ms, nominated, path, peers};

#[test]
fn replayed_and_forged_packets_never_move_a_pair() {
    for_seeds("replayed_and_forged_packets_never_move_a_pair", 2_000, |seed| {
        let mut pair = peers(link(5), seed);
        pair.capture();
        describe(&mut pair);
        pair.run_until(ms(2000), |pair| both(pair, nominated)).unwrap();
        let paths = (pair.a.layer.selected_path(), pair.b.layer.selected_path());
        let heard: Vec<_> = pair.trace().iter().map(|t| (t.from, t.packet.clone())).collect();
        let mut rng = Rng::from_test_seed(seed);
        for _ in 0..200 {
            let (from, mut packet) = heard[rng.below(heard.len() as u64) as usize].clone();
            if rng.chance(0.7) {
                packet.path.local = at(&format!("203.0.113.{}:{}", rng.below(250), 1 + rng.below(60_000)));
            }
            if rng.chance(0.3) {
                let bit = rng.below(packet.payload.len() as u64 * 8) as usize;
                packet.payload[bit / 8] ^= 1 << (bit % 8);
            }
            pair.inject(from.other(), packet);
            pair.run_for(ms(rng.below(40)));
            assert_eq!((pair.a.layer.selected_path(), pair.b.layer.selected_path()), paths);
        }
        pair.run_for(ms(60_000));
        assert_eq!((pair.a.layer.selected_path(), pair.b.layer.selected_path()), paths);
        assert!(both(&pair, |agent| agent.state() == IceState::Completed));
    });
}

#[test]
fn a_replayed_nomination_from_elsewhere_moves_nothing() {
    let mut lone = Lone::new(Role::Controlled, true);
    lone.connect();
    let check = Check { use_candidate: true, ..lone.check() };
    // The reply goes to where the replay claims to come from, and nobody there can answer our own check.
    let elsewhere = Path::udp(at(A), at("203.0.113.9:9"));
    lone.receive(elsewhere, &check.bytes());
    lone.advance(ms(3_000));
    assert_eq!(lone.agent.selected_path(), Some(path()));
}

#[test]
fn responses_never_outweigh_requests() {
    let mut lone = Lone::new(Role::Controlled, false);
    let good = lone.check();
    let mut variants = vec![
        good.clone(),
        Check { use_candidate: true, ..good.clone() },
        Check { sha256: true, ..good.clone() },
        Check { priority: None, ..good.clone() },
        Check { extra: (0x7000..0x7010).map(|kind| (kind, Vec::new())).collect(), ..good.clone() },
    ];
    variants.extend((0..4).map(|n| Check { key: None, username: Some("u".repeat(n * 9)), ..good.clone() }));
    for check in variants {
        for family in [path(), Path::udp(at(A), at("[2001:db8::9]:9"))] {
            let request = check.bytes();
            lone.receive(family, &request);
            let (_, response) = lone.transmit().unwrap();
            assert!(response.len() * 2 <= request.len() * 3, "{} for {}", response.len(), request.len());
        }
    }
    // The shortest there is: a header and a fingerprint.
    let shortest = Check { key: None, username: None, priority: None, ..good };
    assert!(shortest.bytes().len() <= 40);
    lone.receive(path(), &shortest.bytes());
    assert_eq!(lone.transmit().unwrap().1.len(), 36);
}

//= rfc8489#9.1.3
//# If the message is an indication, the agent MUST silently discard the indication.
#[test]
fn indications_and_strays_have_no_effect() {
    let mut lone = Lone::new(Role::Controlled, true);
    for (username, pwd) in [(None, None), (Some("x:y"), Some("pwd")), (Some("x:y"), None)] {
        let mut buf = [0; 256];
        let mut frame = Frame::new(&mut buf, Overhead::NONE);
        let id = TransactionId([3; 12]);
        let mut indication = MessageBuilder::new(&mut frame, Class::Indication, Method::BINDING, id).unwrap();
        if let Some(username) = username {
            indication.attribute(&Username(username)).unwrap();
        }
        if let Some(pwd) = pwd {
            indication.integrity(&IntegrityKey::short_term(pwd)).unwrap();
        }
        indication.fingerprint().unwrap();
        lone.receive(path(), frame.content());
        assert_eq!(lone.drain(), []);
    }
    let mut no_fingerprint = lone.check();
    no_fingerprint.fingerprint = false;
    lone.receive(path(), &no_fingerprint.bytes());
    assert_eq!(lone.drain(), []);
    assert_eq!(lone.agent.stats().malformed, 1);
    let check = lone.check();
    lone.receive(Path::udp(at("192.0.2.99:1"), at(B)), &check.bytes());
    assert_eq!(lone.drain(), []);
    assert_eq!(lone.agent.stats().unknown_local, 1);
    assert_eq!(lone.receive(path(), &[22, 254, 253]), None);
    assert_eq!(lone.agent.stats().unvalidated, 1);
}

#[test]
fn floods_are_bounded() {
    let mut lone = Lone::new(Role::Controlled, false);
    for n in 0..10_000_u32 {
        let check = lone.check();
        let from = Path::udp(at(A), at(&format!("203.0.113.{}:{}", n % 250 + 1, 1 + n)));
        lone.receive(from, &check.bytes());
    }
    let config = Config::default();
    assert_eq!(lone.drain().len(), config.max_responses);
    assert_eq!(lone.agent.stats().limited, 10_000 - config.max_responses as u64);
    lone.describe();
    assert_eq!(lone.agent.remote_candidates().count(), config.max_early_checks);
    for n in 0..10_000_u32 {
        let check = lone.check();
        let from = Path::udp(at(A), at(&format!("203.0.113.{}:{}", n % 250 + 1, 1 + n)));
        lone.receive(from, &check.bytes());
        lone.drain();
    }
    assert_eq!(lone.agent.remote_candidates().count(), config.max_remote_candidates);
    assert!(lone.events().len() <= config.max_events);
}

#[test]
fn a_stranger_cannot_keep_a_pair_from_connecting() {
    let mut pair = peers(link(5), 1);
    for n in 0..1000_u64 {
        let junk = [0, 1, 0, 0, 0x21, 0x12, 0xA4, 0x42, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, (n >> 8) as u8, n as u8];
        pair.inject(Side::A, Packet::new(Path::udp(at("203.0.113.1:1"), at(A)), junk));
    }
    describe(&mut pair);
    let took = pair.run_until(ms(1000), |pair| both(pair, nominated)).unwrap();
    assert!(took <= ms(25), "{took:?}");
}

proptest! {
    #[test]
    fn arbitrary_datagrams_change_nothing(
        datagrams in proptest::collection::vec((any::<bool>(), proptest::collection::vec(any::<u8>(), 0..120)), 1..20)
    ) {
        let mut lone = Lone::new(Role::Controlled, true);
        lone.connect();
        for (stun, mut bytes) in datagrams {
            if stun && bytes.len() >= 20 {
                let length = ((bytes.len() - 20) as u16 & !3).to_be_bytes();
                bytes.truncate(20 + usize::from(u16::from_be_bytes(length)));
                bytes[..8].copy_from_slice(&[0, 1, length[0], length[1], 0x21, 0x12, 0xA4, 0x42]);
            }
            lone.receive(path(), &bytes);
        }
        prop_assert!(lone.drain().iter().all(|s| class(&s.1) != Class::Request));
        prop_assert_eq!(lone.agent.selected_path(), Some(path()));
    }

    #[test]
    fn every_cut_and_flip_of_a_check_is_survived(len in 0_usize..120, bit in 0_usize..960) {
        let mut lone = Lone::new(Role::Controlled, true);
        let mut bytes = Check { use_candidate: true, ..lone.check() }.bytes();
        let count = bytes.len() * 8;
        bytes[bit % count / 8] ^= 1 << (bit % 8);
        lone.receive(path(), &bytes);
        bytes.truncate(len);
        lone.receive(path(), &bytes);
        prop_assert_eq!(lone.drain(), []);
        prop_assert_eq!(lone.agent.remote_candidates().count(), 0);
    }
}

#[test]
fn connected_pairs_survive_the_noise_of_each_other() {
    // Two sessions on the same addresses: what belongs to the other is refused, and nothing more.
    let mut one = connected(link(5), 1);
    let mut two = connected(link(5), 2);
    two.capture();
    two.run_for(ms(12_000));
    let foreign: Vec<_> = two.trace().iter().map(|t| (t.from, t.packet.clone())).collect();
    assert!(!foreign.is_empty());
    for (from, packet) in foreign {
        one.inject(from.other(), packet);
    }
    one.run_for(ms(60_000));
    assert!(both(&one, nominated));
    assert!(one.a.layer.stats().unauthenticated + one.b.layer.stats().unauthenticated > 0);
}
