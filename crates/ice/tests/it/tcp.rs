//! TCP candidates: RFC 6544.

use core::time::Duration;

use weft_core::{Path, Transport};
use weft_ice::{CandidateKind, Config, Event, LocalCandidate, Role, TcpType};
use weft_testkit::NatConfig;

use super::support::{Check, Lone, at, ms};
use super::world::World;

/// Host 0 opens connections, host 1 takes them; UDP is blocked unless `udp`.
fn tcp_world(seed: u64, udp: bool) -> World {
    let mut world = World::new(seed);
    for _ in 0..2 {
        world.host(Config { report_checks: true, ..Config::default() }, None);
    }
    for n in 0..2 {
        world.hosts[n].udp_blocked = !udp;
    }
    world.hosts[1].listens.push(at("198.51.100.2:9000"));
    world.describe();
    // Listening is told at once; connecting needs no telling.
    let now = world.now;
    let passive = *world
        .agent(1)
        .add_local_candidate(now, LocalCandidate::tcp_passive(at("198.51.100.2:9000")))
        .unwrap()
        .unwrap();
    let active = *world
        .agent(0)
        .add_local_candidate(now, LocalCandidate::tcp_active(at("198.51.100.1:0").ip()))
        .unwrap()
        .unwrap();
    assert_eq!((passive.tcp_type, active.tcp_type), (Some(TcpType::Passive), Some(TcpType::Active)));
    assert_eq!((passive.address.port(), active.address.port()), (9000, 9));
    // RFC 6544 section 4.2: below all UDP host candidates, active before passive.
    assert!(passive.priority < active.priority && active.priority >> 24 == 90);
    world.agent(0).add_remote_candidate(now, passive).unwrap();
    world.agent(1).add_remote_candidate(now, active).unwrap();
    world
}

#[test]
fn where_udp_is_blocked_peers_meet_over_tcp() {
    let mut world = tcp_world(1, false);
    let took = world.run_until(Duration::from_secs(5), |world| world.usable()).unwrap();
    // A connection and a check, and the pace of one pair before it.
    assert!(took <= ms(200), "{took:?}");
    world.run_until(Duration::from_secs(5), |world| world.nominated()).unwrap();
    for n in 0..2 {
        let path = world.agent(n).selected_path().unwrap();
        assert_eq!(path.transport, Transport::Tcp);
    }
    assert_eq!(
        world.agent(0).selected_path().unwrap(),
        Path { transport: Transport::Tcp, local: at("198.51.100.1:0"), remote: at("198.51.100.2:9000") }
    );
    assert_eq!(world.kinds(0), Some((CandidateKind::Host, CandidateKind::Host)));
    assert_eq!(world.kinds(1), Some((CandidateKind::Host, CandidateKind::PeerReflexive)));
    for n in 0..2 {
        assert!(world.data(n, b"\x17over tcp"));
    }
    world.run(ms(100));
    assert!(world.hosts.iter().all(|host| host.received.len() == 1));
    assert_eq!(world.open_connections(), 1);
}

//= rfc7675#5.1
//# To prevent such an attack, consent checks MUST be performed over all transport connections, including TCP.
#[test]
fn consent_is_asked_for_over_tcp() {
    let mut world = tcp_world(2, false);
    world.run_until(Duration::from_secs(5), |world| world.nominated()).unwrap();
    let before = world.agent(0).stats().consent_sent;
    world.run(Duration::from_secs(100));
    assert!(world.agent(0).stats().consent_sent >= before + 15);
    assert!(world.usable());
    world.cut_connections(0);
    // The ends of the connection are told, and a new one is opened.
    world.run_until(Duration::from_secs(5), |world| world.usable()).unwrap();
}

#[test]
fn udp_is_preferred_and_connections_that_lose_are_closed() {
    let mut world = tcp_world(3, true);
    world.run_until(Duration::from_secs(5), |world| world.nominated()).unwrap();
    world.run(Duration::from_secs(2));
    assert_eq!(world.agent(0).selected_path().unwrap().transport, Transport::Udp);
    assert_eq!(world.open_connections(), 0);
}

#[test]
fn a_connection_that_is_refused_fails_its_pair() {
    let mut world = tcp_world(4, false);
    world.hosts[1].listens.clear();
    world.run(Duration::from_secs(1));
    let refused = |event: &Event| matches!(event, Event::Check(path, weft_ice::CheckResult::NotConnected) if path.transport == Transport::Tcp);
    assert!(world.happened(0, refused));
    assert!(!world.usable());
}

#[test]
fn an_active_candidate_behind_a_translator_connects() {
    let mut world = World::new(5);
    world.host(Config::default(), Some(NatConfig::SYMMETRIC));
    world.host(Config::default(), None);
    for n in 0..2 {
        world.hosts[n].udp_blocked = true;
    }
    world.hosts[1].listens.push(at("198.51.100.2:9000"));
    world.describe();
    world.add_local(1, LocalCandidate::tcp_passive(at("198.51.100.2:9000")));
    world.add_local(0, LocalCandidate::tcp_active(at("10.0.0.2:0").ip()));
    world.run_until(Duration::from_secs(5), |world| world.nominated()).unwrap();
    assert_eq!(world.kinds(0).unwrap().0, CandidateKind::PeerReflexive);
}

#[test]
fn a_check_over_tcp_is_sent_once_and_waits_long() {
    let mut lone = Lone::new(Role::Controlling, true);
    lone.agent.add_local_candidate(lone.now, LocalCandidate::tcp_active(at("192.0.2.1:0").ip())).unwrap();
    let remote = weft_ice::Candidate {
        transport: Transport::Tcp,
        tcp_type: Some(TcpType::Passive),
        ..super::support::candidate("198.51.100.2:9000", 0x5A00_FFFF)
    };
    lone.agent.add_remote_candidate(lone.now, remote).unwrap();
    assert_eq!(lone.advance(ms(1000)).len(), 0, "there is no connection yet");
    let path = Path { transport: Transport::Tcp, local: at("192.0.2.1:0"), remote: at("198.51.100.2:9000") };
    assert!(
        lone.events()
            .iter()
            .any(|event| matches!(event, Event::OpenStream(asked, weft_ice::StreamKind::Peer) if *asked == path))
    );
    lone.agent.stream_opened(lone.now, &path);
    assert_eq!(lone.advance(Duration::from_secs(39)).len(), 1);
    assert!(lone.events().is_empty());
    lone.advance(Duration::from_secs(1));
    assert!(lone.events().contains(&Event::Check(path, weft_ice::CheckResult::TimedOut)));
}

//= rfc8489#9.1.4
//# If the request was sent over a reliable transport, the response MUST be discarded, and the layer MUST immediately end the transaction and signal that the integrity protection was violated.
#[test]
fn a_forged_answer_over_tcp_ends_the_check() {
    let mut lone = Lone::new(Role::Controlling, true);
    lone.agent.add_local_candidate(lone.now, LocalCandidate::tcp_active(at("192.0.2.1:0").ip())).unwrap();
    let remote = weft_ice::Candidate {
        transport: Transport::Tcp,
        tcp_type: Some(TcpType::Passive),
        ..super::support::candidate("198.51.100.2:9000", 0x5A00_FFFF)
    };
    lone.agent.add_remote_candidate(lone.now, remote).unwrap();
    lone.drain();
    let path = Path { transport: Transport::Tcp, local: at("192.0.2.1:0"), remote: at("198.51.100.2:9000") };
    lone.agent.stream_opened(lone.now, &path);
    let sent = lone.drain();
    let forged = super::support::success(&sent[0].1, at("192.0.2.1:4000"), "wrongwrongwrongwrongwrong");
    lone.receive(path, &forged);
    assert!(lone.events().contains(&Event::Check(path, weft_ice::CheckResult::Unauthentic)));
    assert_eq!(lone.agent.selected_path(), None);
}

#[test]
fn strangers_on_a_listening_port_cost_nothing() {
    // What comes by connections that nobody has authenticated on leaves no trace.
    let mut lone = Lone::new(Role::Controlled, true);
    lone.agent.add_local_candidate(lone.now, LocalCandidate::tcp_passive(at("192.0.2.1:9000"))).unwrap();
    let check = lone.check();
    for port in 1..1000 {
        let path =
            Path { transport: Transport::Tcp, local: at("192.0.2.1:9000"), remote: at(&format!("203.0.113.9:{port}")) };
        let forged = Check { key: None, ..check.clone() };
        lone.receive(path, &forged.bytes());
        lone.receive(path, b"\x16 hello");
        assert!(!lone.agent.is_validated(&path));
    }
    assert_eq!(lone.agent.remote_candidates().count(), 0);
    // And one who has: a candidate is learnt, and checked by its own connection.
    let path = Path { transport: Transport::Tcp, local: at("192.0.2.1:9000"), remote: at("203.0.113.9:77") };
    lone.now += Duration::from_secs(5);
    lone.receive(path, &check.bytes());
    assert!(lone.agent.is_validated(&path));
    assert!(lone.drain().iter().filter(|(to, _)| *to == path).count() >= 2, "an answer and a triggered check");
}
