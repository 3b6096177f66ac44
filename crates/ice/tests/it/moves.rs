//! Paths that die, addresses that come and go, better pairs.

use core::time::Duration;

use weft_ice::{CandidateKind, Config, Event, LocalCandidate, RestartReason, Role};
use weft_testkit::{NatConfig, for_seeds};

use super::support::{at, ms};
use super::world::World;

fn connected(seed: u64, nats: [Option<NatConfig>; 2], renomination: bool) -> World {
    let mut world = World::new(seed);
    for nat in nats {
        world.host(Config { renomination, ..Config::default() }, nat);
    }
    for n in 0..2 {
        world.agent(n).set_remote_renomination(renomination);
    }
    if nats.iter().flatten().count() == 2 {
        let now = world.now;
        for n in 0..2 {
            world.agent(n).add_server(now, at(super::world::SERVER).into()).unwrap();
        }
    }
    world.describe();
    world.run_until(Duration::from_secs(5), |world| world.nominated()).unwrap();
    world.run(ms(500));
    world
}

/// Sends from one side or both every 20 ms, the other side answering each; gives the longest pause in what arrives.
fn transfer(
    world: &mut World,
    senders: &[usize],
    time: Duration,
    mut meanwhile: impl FnMut(&mut World, u64),
) -> Duration {
    for host in &mut world.hosts {
        host.received.clear();
    }
    let start = world.now;
    let mut answered = [0; 2];
    for tick in 0..(time.as_millis() / 20) as u64 {
        meanwhile(world, tick * 20);
        for n in senders {
            world.data(*n, b"\x17data");
        }
        world.run(ms(20));
        for (n, answered) in answered.iter_mut().enumerate() {
            // What was received is acknowledged, as SCTP does.
            let new = world.hosts[n].received.len() - *answered;
            *answered += new;
            if new > 0 && !senders.contains(&n) {
                world.data(n, b"\x17sack");
            }
        }
    }
    let end = world.now;
    let receiver = 1 - senders[0];
    let times = world.hosts[receiver].received.iter().map(|(at, _)| *at).chain([end]);
    let mut last = start;
    let mut longest = Duration::ZERO;
    for at in times {
        longest = longest.max(at - last);
        last = at;
    }
    longest
}

#[test]
fn a_rebinding_translator_costs_less_than_five_seconds() {
    for_seeds("a_rebinding_translator_costs_less_than_five_seconds", 1_000, |seed| {
        for renomination in [false, true] {
            for (behind, senders) in
                [(0, vec![0]), (0, vec![1]), (1, vec![0]), (1, vec![1]), (0, vec![0, 1]), (1, vec![0, 1])]
            {
                let mut nats = [None, None];
                nats[behind] = Some(NatConfig::HOME);
                let mut world = connected(seed, nats, renomination);
                world.loss = if seed % 2 == 0 { 0.0 } else { 0.02 };
                let pause = transfer(&mut world, &senders, Duration::from_secs(20), |world, elapsed| {
                    if elapsed == 2_000 {
                        let address = format!("198.51.100.{}", behind + 1);
                        let mut nat = weft_testkit::Nat::new(address.parse().unwrap(), NatConfig::HOME);
                        // Another port than before.
                        for n in 0..7 {
                            nat.outbound(world.now, at_n(n), at("203.0.113.200:9"));
                        }
                        world.hosts[behind].nat = Some(nat);
                    }
                });
                assert!(pause <= Duration::from_secs(5), "{senders:?} behind {behind}: {pause:?}");
                assert!(!world.happened(0, |event| matches!(event, Event::Failed(_))));
            }
        }
    });
}

fn at_n(n: u16) -> core::net::SocketAddr {
    at(&format!("10.9.9.9:{}", 1000 + n))
}

#[test]
fn an_idle_connection_survives_a_rebinding_too() {
    for behind in 0..2 {
        let mut nats = [None, None];
        nats[behind] = Some(NatConfig::HOME);
        let mut world = connected(1, nats, true);
        world.run(Duration::from_secs(3));
        world.hosts[behind].nat.as_mut().unwrap().restart();
        world.run(Duration::from_secs(15));
        for n in 0..2 {
            world.data(n, b"\x17still there?");
        }
        world.run(ms(200));
        assert!(world.hosts.iter().all(|host| host.received.len() == 1), "behind {behind}");
    }
}

#[test]
fn an_interface_that_vanishes_is_left_without_a_restart() {
    for side in 0..2 {
        let mut world = World::new(7);
        for _ in 0..2 {
            world.host(Config::default(), None);
        }
        // Two interfaces on each side.
        for n in 0..2 {
            world.hosts[n].bases.push(at(&format!("192.0.2.{}:7000", n + 1)));
        }
        world.describe();
        world.run_until(Duration::from_secs(5), |world| world.nominated()).unwrap();
        world.run(ms(500));
        let used = world.agent(side).selected_path().unwrap().local;
        let pause = transfer(&mut world, &[side], Duration::from_secs(12), |world, elapsed| {
            if elapsed == 2_000 {
                let now = world.now;
                world.hosts[side].bases.retain(|base| *base != used);
                assert!(world.agent(side).remove_local_address(now, used) >= 1);
            }
        });
        assert!(pause <= ms(1500), "side {side}: {pause:?}");
        assert_ne!(world.agent(side).selected_path().unwrap().local, used);
        for n in 0..2 {
            assert!(
                !world.happened(n, |event| matches!(event, Event::RestartNeeded(_) | Event::Failed(_))),
                "side {side}"
            );
        }
        assert!(world.nominated());
    }
}

#[test]
fn without_another_way_a_restart_is_asked_for() {
    let mut world = connected(8, [None, None], true);
    let now = world.now;
    let used = world.agent(0).selected_path().unwrap().local;
    world.hosts[0].bases.clear();
    world.agent(0).remove_local_ip(now, used.ip());
    assert_eq!(world.agent(0).selected_path(), None);
    world.flush();
    assert!(world.happened(0, |event| *event == Event::RestartNeeded(RestartReason::AddressGone)));
    // The new network is there a second later: the agent goes on by itself, restart or not.
    world.run(Duration::from_secs(1));
    world.hosts[0].bases.push(at("192.0.2.77:5000"));
    world.add_local(0, LocalCandidate::host(at("192.0.2.77:5000")));
    let took = world.run_until(Duration::from_secs(5), |world| world.hosts[0].agent.selected_path().is_some()).unwrap();
    assert!(took <= ms(200), "{took:?}");
    let pause = transfer(&mut world, &[0], Duration::from_secs(8), |_, _| {});
    assert!(pause <= Duration::from_secs(5), "{pause:?}");
}

#[test]
fn a_new_interface_is_moved_to_if_it_is_better() {
    for renomination in [true, false] {
        let mut world = connected(9, [Some(NatConfig::HOME), None], renomination);
        assert_eq!(world.kinds(0).unwrap().0, CandidateKind::PeerReflexive);
        // A cable is plugged in: a host address without a translator.
        world.hosts[0].bases.push(at("192.0.2.50:5000"));
        world.hosts[0].nat = None;
        let now = world.now;
        world
            .agent(0)
            .add_local_candidate(
                now,
                LocalCandidate { preference: Some(65_535), ..LocalCandidate::host(at("192.0.2.50:5000")) },
            )
            .unwrap();
        world.run(Duration::from_secs(2));
        let told = world.happened(0, |event| matches!(event, Event::BetterPair(_)));
        let moved = world.agent(0).selected_path().unwrap().local == at("192.0.2.50:5000");
        assert_eq!((moved, told), (renomination, !renomination));
        if renomination {
            assert_eq!(world.agent(1).selected_path().unwrap().remote, at("192.0.2.50:5000"));
            assert!(world.nominated());
        }
    }
}

//= rfc8839#4.3.4
//# As described in [RFC8445], once the controlling agent has nominated a candidate pair for a checklist, the agent MUST NOT nominate another pair for that checklist during the lifetime of the ICE session (i.e., until ICE is restarted).
#[test]
fn a_nomination_stands_while_its_pair_works() {
    let mut world = connected(10, [Some(NatConfig::HOME), None], false);
    let used = world.agent(1).selected_path();
    world.hosts[0].bases.push(at("192.0.2.50:5000"));
    let now = world.now;
    world
        .agent(0)
        .add_local_candidate(
            now,
            LocalCandidate { preference: Some(65_535), ..LocalCandidate::host(at("192.0.2.50:5000")) },
        )
        .unwrap();
    world.run(Duration::from_secs(60));
    assert_eq!(world.agent(1).selected_path(), used);
}

#[test]
fn old_nominations_move_nothing() {
    use super::support::{Check, Lone, path};
    use weft_core::Path;
    let mut lone = Lone::new(Role::Controlled, true);
    lone.agent.set_remote_renomination(true);
    lone.remote_candidate(super::support::B, 0x7E00_FFFF);
    lone.remote_candidate("198.51.100.3:6000", 0x7E00_FFFE);
    let other = Path::udp(path().local, at("198.51.100.3:6000"));
    let nominate = |lone: &mut Lone, path: Path, value: u32| {
        let check = Check { extra: vec![(0xC001, value.to_be_bytes().to_vec())], ..lone.check() };
        lone.receive(path, &check.bytes());
        lone.now += ms(100);
        for sent in lone.drain() {
            if super::support::class(&sent.1) == weft_stun::Class::Request {
                lone.answer(&sent);
            }
        }
        lone.agent.selected_path().unwrap()
    };
    assert_eq!(nominate(&mut lone, path(), 1), path());
    assert_eq!(nominate(&mut lone, other, 3), other);
    assert_eq!(nominate(&mut lone, path(), 2), other, "an older one that comes late");
    assert_eq!(nominate(&mut lone, path(), 4), path());
    // Without an agreement the attribute means nothing.
    let mut plain = Lone::new(Role::Controlled, true);
    plain.remote_candidate(super::support::B, 0x7E00_FFFF);
    nominate(&mut plain, path(), 1);
    assert!(!super::support::nominated(&plain.agent));
}

#[test]
fn interfaces_that_come_and_go_for_ever_leave_nothing_behind() {
    let mut world = connected(11, [None, None], true);
    let before = world.agent(0).local_candidates().count();
    for round in 0..200 {
        let base = at(&format!("192.0.2.{}:{}", round % 200 + 20, 7000 + round));
        world.hosts[0].bases.push(base);
        let now = world.now;
        world
            .agent(0)
            .add_local_candidate(now, LocalCandidate { preference: Some(10), ..LocalCandidate::host(base) })
            .unwrap();
        world.run(ms(100));
        world.hosts[0].bases.pop();
        let now = world.now;
        world.agent(0).remove_local_address(now, base);
    }
    world.run(ms(500));
    assert_eq!(world.agent(0).local_candidates().count(), before);
    assert!(world.nominated() && !world.happened(0, |event| matches!(event, Event::RestartNeeded(_))));
    let foundation = world.agent(0).local_candidates().next().unwrap().foundation;
    assert_eq!(foundation.as_str(), "1");
}
