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

//= rfc6544#7.1
//# If the local candidate is tcp-active, the agent MUST open a connection from the interface associated with that local candidate.
//= rfc6544#7.2
//# An ICE TCP agent, full or lite, MUST be prepared to receive incoming TCP connection requests on the base of any TCP candidate that is simultaneous-open or passive.
//= rfc6544#7.2
//# When the connection request is received, the agent MUST accept it.
//= rfc6544#10.1
//# When sending media, if the selected candidate pair matches an existing TCP connection, that connection MUST be used for sending media.
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

//= rfc6544#11.1
//# If the agent's local candidate is tcp-active or tcp-so, it MUST reopen a connection to the remote candidate of the selected pair.
//= rfc6544#11.1
//# If the agent's local candidate is tcp-passive, the agent MUST await an incoming connection request and, consequently, will not be able to send media until it has been opened.
//= rfc6544#11.1
//# If the agent opened the connection and is a full agent, it MUST send a STUN connectivity check.
//= rfc6544#11.1
//# An agent MUST be prepared to receive a connectivity check over a connection it opened or accepted (note that this is true in general; ICE requires that an agent be prepared to receive a connectivity check at any time, even after ICE processing completes).
//= rfc6544#11.1
//# If a full agent receives a connectivity check after re-establishment of the connection, it MUST generate a triggered check over that connection in response if it has not already sent a check.
#[test]
fn a_connection_that_ends_is_opened_again_by_the_active_side_and_checked() {
    let mut world = tcp_world(6, false);
    world.run_until(Duration::from_secs(5), |world| world.nominated()).unwrap();
    world.run(Duration::from_secs(1));
    let sent: Vec<_> = (0..2).map(|n| world.agent(n).stats().checks_sent).collect();
    world.cut_connections(0);
    assert!(!world.data(0, b"\x17no way") && !world.data(1, b"\x17nor back"));
    let took = world.run_until(Duration::from_secs(5), |world| world.nominated()).unwrap();
    assert!(took <= ms(400), "{took:?}");
    for (n, sent) in sent.into_iter().enumerate() {
        assert!(world.agent(n).stats().checks_sent > sent, "both have checked anew");
        assert!(!world.happened(n, |event| matches!(event, Event::RestartNeeded(_))));
    }
    assert!(!world.happened(1, |event| matches!(event, Event::OpenStream(..))), "the passive side waits");
    assert!(world.data(0, b"\x17again") && world.data(1, b"\x17and back"));
    world.run(ms(100));
    assert!(world.hosts.iter().all(|host| host.received.len() == 1));
}

//= rfc6544#9.2
//# If an ICE restart occurs for a media stream with TCP candidate pairs that have been selected by ICE, the agents MUST NOT close the connections after the restart.
//= rfc6544#9.2
//# In this case, the agents MUST NOT attempt to open a new connection (or start new TLS or DTLS-SRTP procedures).
#[test]
fn a_restart_keeps_the_connection() {
    let mut world = tcp_world(7, false);
    world.run_until(Duration::from_secs(5), |world| world.nominated()).unwrap();
    world.run(Duration::from_secs(1));
    let opened = |world: &World| {
        let of =
            |(_, event): &&(weft_core::Instant, Event)| matches!(event, Event::OpenStream(..) | Event::CloseStream(_));
        world.hosts.iter().flat_map(|host| host.events.iter().filter(of)).count()
    };
    let before = opened(&world);
    world.restart();
    assert!(world.data(0, b"\x17meanwhile"), "data keeps flowing");
    world.run_until(Duration::from_secs(5), |world| world.nominated()).unwrap();
    world.run(Duration::from_secs(60));
    assert_eq!((opened(&world), world.open_connections()), (before, 1));
    assert!(world.data(1, b"\x17after"));
    world.run(ms(100));
    assert!(world.hosts.iter().all(|host| host.received.len() == 1));
}

//= rfc6544#6.2
//# When the agent prunes the check list, it MUST also remove any pair for which the local candidate is a passive TCP candidate.
//= rfc6544#8
//# If there are TCP candidates for a media stream, a controlling agent MUST use the regular selection algorithm.
//= rfc6544#4.5
//# The connection-address encoded into the candidate-attribute for active candidates MUST be set to the IP address that will be used for the attempt, but the port(s) MUST be set to 9 (i.e., Discard).
#[test]
fn passive_candidates_check_nothing_and_nomination_is_regular() {
    let mut lone = Lone::new(Role::Controlling, true);
    let passive = LocalCandidate::tcp_passive(at("192.0.2.1:9000"));
    lone.agent.add_local_candidate(lone.now, passive).unwrap();
    let tcp = |address: &str, tcp_type| weft_ice::Candidate {
        transport: Transport::Tcp,
        tcp_type: Some(tcp_type),
        ..super::support::candidate(address, 0x5A00_FFFF)
    };
    lone.agent.add_remote_candidate(lone.now, tcp("198.51.100.2:9", TcpType::Active)).unwrap();
    assert_eq!(lone.advance(Duration::from_secs(5)), []);
    assert!(
        !lone.events().iter().any(|event| matches!(event, Event::OpenStream(..))),
        "no connection is opened either"
    );
    // An active one.
    let active = LocalCandidate::tcp_active(at("192.0.2.1:0").ip());
    let told = *lone.agent.add_local_candidate(lone.now, active).unwrap().unwrap();
    assert_eq!(told.address, at("192.0.2.1:9"));
    lone.agent.add_remote_candidate(lone.now, tcp("198.51.100.2:9000", TcpType::Passive)).unwrap();
    lone.drain();
    let path = Path { transport: Transport::Tcp, local: at("192.0.2.1:0"), remote: at("198.51.100.2:9000") };
    lone.agent.stream_opened(lone.now, &path);
    let nominates =
        |bytes: &[u8]| weft_stun::Message::parse(bytes).unwrap().has(weft_stun::AttributeType::USE_CANDIDATE);
    let first = lone.drain();
    assert_eq!((first.len(), nominates(&first[0].1)), (1, false));
    let answer = super::support::success(&first[0].1, at("192.0.2.1:4321"), super::support::REMOTE_PWD);
    lone.receive(path, &answer);
    let second = lone.drain();
    assert_eq!((second.len(), nominates(&second[0].1)), (1, true));
}

//= rfc6544#4.2
//# The direction-pref MUST be between 0 and 7 (both inclusive), with 7 being the most preferred.
//= rfc6544#4.2
//# The other-pref MUST be between 0 and 8191 (both inclusive), with 8191 being the most preferred.
//= rfc6544#4.2
//# If any two candidates have the same type-preference and direction-pref, they MUST have a unique other-pref.
#[test]
fn preferences_of_tcp_candidates() {
    let mut lone = Lone::new(Role::Controlling, false);
    let mut of_kind = std::collections::BTreeMap::new();
    for n in 1..=20_u16 {
        for ip in [format!("192.0.2.{n}"), format!("[2001:db8::{n}]")] {
            let base = at(&format!("{ip}:9000"));
            for candidate in [LocalCandidate::tcp_active(base.ip()), LocalCandidate::tcp_passive(base)] {
                // Some are wished for, beyond what there is room for.
                let candidate = LocalCandidate { preference: (n % 7 == 0).then_some(60_000 + n), ..candidate };
                let Ok(Some(told)) = lone.agent.add_local_candidate(lone.now, candidate).map(Option::<&_>::copied)
                else {
                    continue;
                };
                let local = told.priority >> 8 & 0xFFFF;
                let (direction, other) = (local >> 13, local & 0x1FFF);
                assert_eq!(direction, if told.tcp_type == Some(TcpType::Active) { 6 } else { 4 });
                if n % 7 != 0 {
                    assert!(of_kind.entry(direction).or_insert_with(Vec::new).iter().all(|known| *known != other));
                    of_kind.get_mut(&direction).unwrap().push(other);
                }
            }
        }
    }
    assert_eq!(of_kind.len(), 2);
}

#[test]
fn udp_is_preferred_and_connections_that_lose_are_closed() {
    let mut world = tcp_world(3, true);
    world.run_until(Duration::from_secs(5), |world| world.nominated()).unwrap();
    world.run(Duration::from_secs(2));
    assert_eq!(world.agent(0).selected_path().unwrap().transport, Transport::Udp);
    assert_eq!(world.open_connections(), 0);
}

//= rfc6544#7.1
//# If the TCP connection cannot be established, the check is considered to have failed, and a full-mode agent MUST update the pair state to Failed in the check list.
#[test]
fn a_connection_that_is_refused_fails_its_pair() {
    let mut world = tcp_world(4, false);
    world.hosts[1].listens.clear();
    world.run(Duration::from_secs(1));
    let refused = |event: &Event| matches!(event, Event::Check(path, weft_ice::CheckResult::NotConnected) if path.transport == Transport::Tcp);
    assert!(world.happened(0, refused));
    assert!(!world.usable());
}

//= rfc6544#6.1
//# Consequently, the answerer MUST still accept incoming TCP connections to any of the passive candidates it listed in the answer, from any of the IP addresses the offerer listed in the initial offer.
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
