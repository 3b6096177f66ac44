//! Candidates from STUN and TURN servers.

use core::time::Duration;

use weft_core::Transport;
use weft_ice::{CandidateKind, Config, Event, GatheringError, Host, LocalCandidate, Policy, Server, ServerError};
use weft_stun::Credentials;
use weft_testkit::NatConfig;

use super::support::{at, ms};
use super::world::{SERVER, World, server_of};

fn stun() -> Server {
    Server::from(at(SERVER))
}

fn errors(world: &World, host: usize) -> Vec<GatheringError> {
    let errors = world.hosts[host].events.iter().filter_map(|(_, event)| match event {
        Event::GatheringError(error) => Some(error.clone()),
        _ => None,
    });
    errors.collect()
}

//= rfc8445#5.1.1.2
//# If a relayed candidate is identical to a host candidate (which can happen in rare cases), the relayed candidate MUST be discarded.
//= rfc8839#5.1
//# <rel-addr> and <rel-port> MUST be present for server-reflexive, peer-reflexive, and relayed candidates.
//= rfc8839#5.1
//# If the candidate is a host candidate, <rel-addr> and <rel-port> MUST be omitted.
#[test]
fn servers_tell_candidates_and_what_is_known_already_is_left_out() {
    let mut world = World::new(1);
    world.host(Config::default(), Some(NatConfig::HOME));
    let now = world.now;
    world.agent(0).add_server(now, stun()).unwrap();
    world.agent(0).add_server(now, server_of(Transport::Udp)).unwrap();
    world.add_local(0, LocalCandidate::host(at("10.0.0.2:5000")));
    world.agent(0).end_of_local_candidates(now);
    world.run(ms(500));
    // The reflexive address is told by both servers, which are one: once.
    assert_eq!(world.kinds_gathered(0), [CandidateKind::ServerReflexive, CandidateKind::Relayed]);
    let candidates: Vec<_> = world.agent(0).local_candidates().copied().collect();
    assert_eq!(candidates[0].related, None);
    assert_eq!(candidates[1].related, Some(at("10.0.0.2:5000")));
    assert_eq!(candidates[2].related, Some(candidates[1].address), "the mapped address");
    assert_eq!(candidates[1].priority >> 24, 100);
    assert_eq!(candidates[2].priority >> 24, 0);
    assert!(world.happened(0, |event| *event == Event::GatheringComplete) && world.agent(0).is_gathering_complete());
    // A relayed address that is one of the host's: nothing new.
    let mut world = World::new(1);
    world.host(Config::default(), None);
    world.agent(0).add_local_candidate(now, LocalCandidate::host(at("203.0.113.101:50000"))).unwrap();
    world.agent(0).add_server(now, server_of(Transport::Udp)).unwrap();
    world.add_local(0, LocalCandidate::host(at("198.51.100.1:5000")));
    world.run(ms(500));
    let relayed = world.agent(0).local_candidates().filter(|c| c.kind == CandidateKind::Relayed).count();
    assert_eq!((relayed, world.server.allocations()), (0, 1));
}

#[test]
fn nothing_waits_for_a_dead_server() {
    // The IPv6 address of a server leads nowhere, another server is dead, one more has no name (term-llm#200,
    // simple-peer#382, matchbox#35): the pair is there as if they were not.
    let mut world = World::new(2);
    world.black_holes = vec!["2001:db8::53".parse().unwrap(), "192.0.2.99".parse().unwrap()];
    for _ in 0..2 {
        world.host(Config::default(), Some(NatConfig::HOME));
    }
    let now = world.now;
    for n in 0..2 {
        let mut ids = Vec::new();
        for name in ["dead.example", "stun.example", "nowhere.example"] {
            ids.push(world.agent(n).add_server(now, Server::stun(Host::Name(name.into()), 3478)).unwrap());
        }
        world.agent(n).add_local_candidate(now, LocalCandidate::host(at("[2001:db8::1]:5000"))).unwrap();
        world.flush();
        assert!(world.happened(
            n,
            |event| matches!(event, Event::Resolve(id, name) if *id == ids[1] && **name == *"stun.example")
        ));
        world.agent(n).server_resolved(now, ids[0], &["2001:db8::53".parse().unwrap(), "192.0.2.99".parse().unwrap()]);
        world.agent(n).server_resolved(now, ids[1], &["2001:db8::53".parse().unwrap(), at(SERVER).ip()]);
    }
    world.describe();
    let took = world.run_until(Duration::from_secs(5), |world| world.usable()).unwrap();
    // One round trip to the server, in the worst of four turns 50 ms apart, then one between the peers.
    assert!(took <= ms(400), "{took:?}");
    assert!(!world.agent(0).is_gathering_complete(), "the end of candidates is what waits");
    world.run(Duration::from_secs(12));
    assert!(!world.agent(0).is_gathering_complete(), "a name is still to be resolved");
    let now = world.now;
    let nowhere = weft_ice::Server::stun(Host::Name("nowhere.example".into()), 3478);
    let ids: Vec<_> = world.hosts[0]
        .events
        .iter()
        .filter_map(|(_, e)| match e {
            Event::Resolve(id, _) => Some(*id),
            _ => None,
        })
        .collect();
    assert_eq!(world.agent(0).server(ids[2]), Some(&nowhere));
    world.agent(0).server_resolved(now, ids[2], &[]);
    world.flush();
    assert!(world.happened(0, |event| *event == Event::GatheringComplete));
    let errors = errors(&world, 0);
    let mut unreached: Vec<_> = errors.iter().map(|error| (error.code, error.address)).collect();
    unreached.sort();
    assert_eq!(
        unreached,
        [
            (701, None),
            (701, Some(at("192.0.2.99:3478"))),
            (701, Some(at("[2001:db8::53]:3478"))),
            (701, Some(at("[2001:db8::53]:3478"))),
        ]
    );
    assert!(errors[0].base == Some(at("[2001:db8::1]:5000")) && *errors[0].reason == *"no answer");
}

#[test]
fn a_refusal_is_told_with_code_and_reason() {
    let mut world = World::new(3);
    world.host(Config::default(), None);
    let now = world.now;
    let wrong = Server::turn(Host::Ip(at(SERVER).ip()), 3478, Transport::Udp, Credentials::new("alice", "wrong"));
    let id = world.agent(0).add_server(now, wrong).unwrap();
    world.add_local(0, LocalCandidate::host(at("198.51.100.1:5000")));
    world.run(ms(500));
    let told = &errors(&world, 0)[0];
    assert_eq!((told.server, told.code, told.base), (id, 401, Some(at("198.51.100.1:5000"))));
    assert!(!told.reason.is_empty());
    // A quota, and a server that takes no connections.
    let mut world = World::new(3);
    world.server.config.quota = 0;
    world.host(Config::default(), None);
    world.agent(0).add_server(now, server_of(Transport::Udp)).unwrap();
    let elsewhere = Server { host: Host::Ip("203.0.113.77".parse().unwrap()), ..server_of(Transport::Tls) };
    world.agent(0).add_server(now, elsewhere).unwrap();
    world.add_local(0, LocalCandidate::host(at("198.51.100.1:5000")));
    world.run(ms(500));
    let codes: Vec<_> = errors(&world, 0).iter().map(|error| error.code).collect();
    assert!(codes.contains(&486) && codes.contains(&701), "{codes:?}");
}

/// RFC 7635: an access token through the agent, and the next one before the first expires.
#[test]
fn a_relay_that_takes_access_tokens() {
    use weft_stun::OAuthToken;
    use weft_testkit::ThirdParty;
    let accepts = |n: u8| {
        let tokens = vec![(vec![n; 100], vec![n; 20])];
        Some(ThirdParty { server_name: "turn1@example.com".to_owned(), tokens })
    };
    let token = |n: u8| Credentials::third_party(OAuthToken::new("kid", vec![n; 100], [n; 20]));
    let mut world = World::new(9);
    (world.server.config.user, world.server.config.third_party) = (None, accepts(1));
    world.host(Config { policy: Policy::Relay, ..Config::default() }, None);
    world.host(Config::default(), None);
    let now = world.now;
    let server = Server { kind: weft_ice::ServerKind::Turn(None), ..server_of(Transport::Udp) };
    let id = world.agent(0).add_server(now, server).unwrap();
    world.describe();
    world.run(ms(500));
    let told = errors(&world, 0)[0].clone();
    assert_eq!((told.server, told.code), (id, 401));
    assert!(told.reason.contains("turn1@example.com"), "{}", told.reason);
    // The application has asked for a token under that name.
    let now = world.now;
    world.agent(0).set_server_credentials(now, id, &token(1));
    world.run_until(Duration::from_secs(5), |world| world.nominated()).unwrap();
    assert_eq!(world.kinds(0).unwrap().0, CandidateKind::Relayed);
    world.server.config.third_party = accepts(2);
    let now = world.now;
    world.agent(0).set_server_credentials(now, id, &token(2));
    world.run(Duration::from_secs(1800));
    assert!(world.usable());
    assert_eq!(errors(&world, 0).len(), 1);
}

#[test]
fn servers_are_capped_and_checked() {
    let mut world = World::new(4);
    world.host(Config { max_servers: 2, ..Config::default() }, None);
    let now = world.now;
    let over_tcp = Server { transport: Transport::Tcp, ..stun() };
    assert_eq!(world.agent(0).add_server(now, over_tcp).unwrap_err(), ServerError::Transport);
    assert_eq!(world.agent(0).add_server(now, Server { port: 0, ..stun() }).unwrap_err(), ServerError::Port);
    for _ in 0..2 {
        world.agent(0).add_server(now, stun()).unwrap();
    }
    assert_eq!(world.agent(0).add_server(now, stun()).unwrap_err(), ServerError::TooMany);
    let url = "turns:turn.example.org".parse().unwrap();
    let server = Server::from_url(&url, Some(Credentials::new("a", "b"))).unwrap();
    assert_eq!((server.port, server.transport), (5349, Transport::Tls));
    assert_eq!(Server::from_url(&"stuns:a.example".parse().unwrap(), None).unwrap_err(), ServerError::Transport);
}

//= rfc8445#5.1.1.4
//# Once server-reflexive and relayed candidates are allocated, they MUST be kept alive until ICE processing has completed, as described in Section 8.3.
//# For server-reflexive candidates learned through a Binding request, the bindings MUST be kept alive by additional Binding requests to the server.
#[test]
fn candidates_are_kept_alive_until_there_is_a_pair() {
    let nat = NatConfig { lifetime: Duration::from_secs(30), ..NatConfig::HOME };
    let mut world = World::new(5);
    for _ in 0..2 {
        world.host(Config { patience: Duration::from_secs(10_000), ..Config::default() }, Some(nat));
    }
    world.server.config.lifetime = Duration::from_secs(600);
    let now = world.now;
    for n in 0..2 {
        world.agent(n).add_server(now, stun()).unwrap();
        world.hosts[n].signals = false;
    }
    world.agent(0).add_server(now, server_of(Transport::Udp)).unwrap();
    for n in 0..2 {
        let base = world.hosts[n].bases[0];
        world.add_local(n, LocalCandidate::host(base));
        world.agent(n).end_of_local_candidates(now);
    }
    // Half an hour passes before the descriptions are exchanged (rtc#164); the bindings of half a minute still hold.
    world.run(Duration::from_secs(1800));
    assert_eq!(world.kinds_gathered(0), [CandidateKind::ServerReflexive, CandidateKind::Relayed]);
    assert_eq!(world.server.allocations(), 1);
    let bindings = world.server.requests[&1];
    assert!((200..=280).contains(&bindings), "{bindings}");
    for n in 0..2 {
        world.hosts[n].signals = true;
        let now = world.now;
        let credentials = world.hosts[1 - n].agent.local_credentials().clone();
        world.agent(n).set_remote_credentials(now, &credentials);
        let candidates: Vec<_> = world.hosts[1 - n].agent.local_candidates().copied().collect();
        for candidate in candidates {
            world.agent(n).add_remote_candidate(now, candidate).unwrap();
        }
    }
    world.run_until(Duration::from_secs(2), |world| world.nominated()).unwrap();
    // And then the server is left alone.
    let before = world.server.requests[&1];
    world.run(Duration::from_secs(100));
    assert_eq!(world.server.requests[&1], before);
}

#[test]
fn another_mapping_is_another_candidate() {
    let mut world = World::new(6);
    world.host(Config::default(), Some(NatConfig::HOME));
    let now = world.now;
    world.agent(0).add_server(now, stun()).unwrap();
    world.add_local(0, LocalCandidate::host(at("10.0.0.2:5000")));
    world.run(Duration::from_secs(40));
    world.hosts[0].nat.as_mut().unwrap().restart();
    world.run(Duration::from_secs(40));
    assert_eq!(world.kinds_gathered(0), [CandidateKind::ServerReflexive; 2]);
}

#[test]
fn a_server_may_send_elsewhere() {
    let mut world = World::new(7);
    world.host(Config::default(), None);
    world.server.config.alternate = Some(at("203.0.113.2:3478"));
    let now = world.now;
    world.agent(0).add_server(now, server_of(Transport::Udp)).unwrap();
    world.add_local(0, LocalCandidate::host(at("198.51.100.1:5000")));
    world.run(ms(200));
    // It goes there; nobody answers.
    world.run(Duration::from_secs(12));
    let errors = errors(&world, 0);
    assert_eq!(errors[0].address, Some(at("203.0.113.2:3478")));
}

//= rfc8445#5.1.2.2
//# If multiple TURN servers are used, local priorities for the candidates obtained from the TURN servers are chosen in a similar fashion as for multihomed local candidates: the local preference value is used to indicate a preference among different servers, but the preference MUST be unique for each one.
#[test]
fn relays_have_preferences_of_their_own() {
    let mut world = World::new(8);
    world.host(Config::default(), None);
    let now = world.now;
    world.agent(0).add_server(now, server_of(Transport::Tls)).unwrap();
    world.agent(0).add_server(now, server_of(Transport::Tcp)).unwrap();
    world.agent(0).add_server(now, server_of(Transport::Udp)).unwrap();
    world.add_local(0, LocalCandidate::host(at("198.51.100.1:5000")));
    world.run(ms(800));
    let mut relayed: Vec<_> =
        world.agent(0).local_candidates().filter(|c| c.kind == CandidateKind::Relayed).copied().collect();
    assert_eq!(relayed.len(), 3);
    relayed.sort_by_key(|candidate| candidate.priority);
    relayed.dedup_by_key(|candidate| candidate.priority);
    assert_eq!(relayed.len(), 3, "unique");
    assert_eq!(world.open_connections(), 2);
}

//= rfc8839#5.1
//# In this case the address MUST be set to "0.0.0.0" (for IPv4 candidates) or "::" (for IPv6 candidates) and the port to "9".
#[test]
fn relay_only_tells_and_answers_nothing_else() {
    let mut world = World::new(9);
    world.host(Config { policy: Policy::Relay, ..Config::default() }, Some(NatConfig::HOME));
    world.host(Config::default(), None);
    let now = world.now;
    world.agent(0).add_server(now, stun()).unwrap();
    world.agent(0).add_server(now, server_of(Transport::Udp)).unwrap();
    world.describe();
    world.run_until(Duration::from_secs(3), |world| world.nominated()).unwrap();
    assert_eq!(world.kinds(0).unwrap().0, CandidateKind::Relayed);
    let candidates: Vec<_> = world.agent(0).local_candidates().copied().collect();
    assert_eq!(candidates.len(), 1);
    assert_eq!(candidates[0].related, Some(at("0.0.0.0:9")));
    // The STUN server was not even asked, and the other side saw relayed addresses alone.
    assert!(!world.server.requests.contains_key(&1));
    assert!(world.agent(1).remote_candidates().all(|remote| remote.address.ip() == world_relay()));
    assert!(world.data(0, b"\x16hello") && world.data(1, b"\x16hello"));
    world.run(ms(200));
    assert!(world.hosts.iter().all(|host| host.received.len() == 1));
}

fn world_relay() -> core::net::IpAddr {
    super::world::RELAY.parse().unwrap()
}
