//! Path MTU discovery (RFC 8899) over links that drop what is too long, or fragment it.

use weft_core::Instant;
use weft_sctp::{AssociationError, ChannelInit, Config, MessageKind};
use weft_testkit::{Fragments, LinkConfig, Loss};

use crate::common::{open, payload, peers, read_all, secs, transfer};

fn link(mtu: usize) -> LinkConfig {
    LinkConfig { mtu, ..LinkConfig::with_delay_ms(10) }
}

/// IP and UDP headers.
const HEADERS: usize = 28;

#[test]
fn packets_grow_to_what_the_path_takes() {
    for (mtu, least) in [(1500, 1432), (1400, 1350), (1280, 1230), (1216, 1188)] {
        let mut pair = peers(&Config::rtc(), link(mtu), 1);
        transfer(&mut pair, 50, |_| 20_000, 60);
        pair.run_for(secs(60));
        let stats = pair.a.layer.association().stats();
        assert!((least..=mtu - HEADERS).contains(&stats.mtu), "{mtu}: {}", stats.mtu);
        transfer(&mut pair, 50, |_| 20_000, 60);
        assert_eq!(pair.a.layer.association().stats().black_holes, 0);
    }
}

#[test]
fn rtc_178_a_tunnel_below_the_base_is_survived() {
    for mtu in [1150, 900, 576] {
        let mut pair = peers(&Config::rtc(), link(mtu), 1);
        transfer(&mut pair, 20, |_| 20_000, 120);
        let stats = pair.a.layer.association().stats();
        assert!(stats.mtu <= mtu - HEADERS, "{mtu}: {}", stats.mtu);
    }
}

#[test]
fn a_path_that_shrinks_under_way_is_survived() {
    for (mtu, loss) in [(1300, 0.0), (1150, 0.0), (700, 0.0), (700, 0.05)] {
        let mut pair = peers(&Config::rtc(), link(1500), 1);
        transfer(&mut pair, 20, |_| 20_000, 60);
        pair.run_for(secs(60));
        assert_eq!(pair.a.layer.association().stats().mtu, 1432);
        let (a, b) = open(&mut pair, ChannelInit::default());
        pair.change_links(|link| {
            link.mtu = mtu;
            link.loss = Loss::Random(loss);
        });
        for n in 0..20 {
            pair.a.layer.send(pair.now(), a, MessageKind::Binary, payload(n, 20_000)).unwrap();
        }
        let mut received = 0;
        let took = pair.run_until(secs(60), |pair| {
            for message in read_all(&mut pair.b.layer, b) {
                assert!(message.data == payload(received, 20_000));
                received += 1;
            }
            received == 20
        });
        pair.run_for(secs(10));
        let stats = pair.a.layer.association().stats();
        assert!(took.is_ok_and(|took| took < secs(30)), "{mtu}: {received} arrived, {stats:?}");
        assert!(stats.black_holes > 0 && stats.mtu <= mtu - HEADERS, "{stats:?}");
        assert!(pair.a_to_b.stats().fragmented > 0, "what was under way went in fragments");
    }
}

#[test]
fn fragments_that_vanish_are_an_error_and_no_stall() {
    let mut pair = peers(&Config::rtc(), link(1500), 1);
    transfer(&mut pair, 20, |_| 20_000, 60);
    pair.run_for(secs(60));
    let (a, _) = open(&mut pair, ChannelInit::default());
    pair.change_links(|link| {
        link.mtu = 1000;
        link.fragments = Fragments::Vanish;
    });
    pair.a.layer.send(pair.now(), a, MessageKind::Binary, payload(1, 200_000)).unwrap();
    let start = pair.now();
    pair.run_until(secs(60), |pair| pair.a.error.is_some()).unwrap();
    assert!(matches!(pair.a.error, Some(AssociationError::PathTooSmall { .. })), "{:?}", pair.a.error);
    assert!(pair.now() - start < secs(60) && start > Instant::ORIGIN);
}

#[test]
fn loss_alone_is_no_black_hole() {
    let mut pair = peers(&Config::rtc(), LinkConfig { loss: Loss::Random(0.1), ..link(1500) }, 3);
    transfer(&mut pair, 100, |_| 20_000, 120);
    pair.run_for(secs(30));
    let stats = pair.a.layer.association().stats();
    assert!(stats.mtu >= 1188 && stats.black_holes == 0, "{stats:?}");
}
