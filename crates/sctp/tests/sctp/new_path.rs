//! The layer below takes another path (RFC 8261 section 6.1, RFC 8831 section 5).

use weft_core::Rng;
use weft_sctp::{Association, ChannelInit, Config, ControllerKind, MessageKind};
use weft_testkit::{LinkConfig, Loss};

use crate::common::{millis, open, payload, peers, read_all, secs, transfer};

//= rfc8261#6.1
//# If the SCTP layer is notified about a path change by its lower layers, SCTP SHOULD retest the path MTU and reset the congestion state to the initial state.
//= rfc8831#5
//# In this case, SCTP SHOULD retest the Path MTU and reset the congestion state to the initial state.
#[test]
fn window_and_path_mtu_begin_anew() {
    for controller in ControllerKind::ALL {
        let config = Config { controller, ..Config::rtc() };
        let fresh = Association::new(config.clone(), Rng::from_test_seed(9)).stats();
        let mut pair = peers(&config, LinkConfig::with_delay_ms(10), 1);
        transfer(&mut pair, 100, |_| 20_000, 60);
        let before = pair.a.layer.association().stats();
        assert!(before.cwnd > 2 * fresh.cwnd && before.mtu > fresh.mtu, "{controller:?}: {before:?}");

        let now = pair.now();
        pair.a.layer.change_path(now, None);
        let after = pair.a.layer.association().stats();
        assert_eq!(
            (after.cwnd, after.ssthresh, after.mtu, after.rto, after.srtt),
            (fresh.cwnd, fresh.ssthresh, fresh.mtu, fresh.rto, None),
            "{controller:?}"
        );

        // The new path takes less, and that is found out; the other one still takes all.
        pair.change_links(|link| link.mtu = 1400);
        transfer(&mut pair, 100, |_| 20_000, 60);
        pair.run_for(secs(10));
        let found = pair.a.layer.association().stats();
        assert!((1350..=1372).contains(&found.mtu), "{controller:?}: {found:?}");
        assert!(found.cwnd > 2 * fresh.cwnd, "{controller:?}: {found:?}");
    }
}

#[test]
fn the_layer_below_may_know_the_round_trip_time() {
    let mut pair = peers(&Config::rtc(), LinkConfig::with_delay_ms(10), 1);
    transfer(&mut pair, 10, |_| 20_000, 60);
    let now = pair.now();
    pair.a.layer.change_path(now, Some(millis(200)));
    let stats = pair.a.layer.association().stats();
    assert_eq!((stats.srtt, stats.rto), (Some(millis(200)), millis(600)));
}

/// From the change of path to the first message after it, when the old path has been dead for `dead` seconds.
fn pause(dead: u64, tells: bool) -> std::time::Duration {
    let mut pair = peers(&Config::rtc(), LinkConfig::with_delay_ms(10), 1);
    transfer(&mut pair, 50, |_| 20_000, 60);
    let (a, b) = open(&mut pair, ChannelInit::default());
    for n in 0..300 {
        pair.a.layer.send(pair.now(), a, MessageKind::Binary, payload(n, 20_000)).unwrap();
    }
    pair.run_for(millis(15));
    pair.change_links(|link| link.loss = Loss::Random(1.0));
    pair.run_for(secs(dead));
    let already = read_all(&mut pair.b.layer, b).len();
    pair.change_links(|link| link.loss = Loss::None);
    if tells {
        let now = pair.now();
        pair.a.layer.change_path(now, Some(millis(20)));
        pair.b.layer.change_path(now, Some(millis(20)));
    }
    let start = pair.now();
    let mut received = already;
    let mut first = None;
    pair.run_until(secs(60), |pair| {
        received += read_all(&mut pair.b.layer, b).len();
        if received > already {
            first.get_or_insert(pair.now());
        }
        received == 300
    })
    .unwrap();
    first.unwrap() - start
}

#[test]
fn timers_backed_off_for_a_dead_path_do_not_hold_up_the_new_one() {
    for dead in [0, 1, 3, 10] {
        let pause = pause(dead, true);
        assert!(pause < millis(400), "dead for {dead} s: {pause:?}");
    }
    assert!(pause(10, false) > secs(1), "the timers had been backed off");
}

#[test]
fn what_arrives_by_the_old_path_after_all_is_not_sent_again() {
    let mut pair = peers(&Config::rtc(), LinkConfig::with_delay_ms(100), 1);
    transfer(&mut pair, 50, |_| 20_000, 60);
    let (a, b) = open(&mut pair, ChannelInit::default());
    pair.a.layer.send(pair.now(), a, MessageKind::Binary, payload(0, 200_000)).unwrap();
    pair.run_for(millis(20));
    let before = pair.a.layer.association().stats();
    assert!(before.in_flight > 10_000);
    let now = pair.now();
    pair.a.layer.change_path(now, Some(millis(200)));
    pair.run_for(secs(5));
    let after = pair.a.layer.association().stats();
    assert_eq!((after.retransmissions, after.timeouts), (before.retransmissions, before.timeouts));
    assert_eq!(read_all(&mut pair.b.layer, b).len(), 1);
}
