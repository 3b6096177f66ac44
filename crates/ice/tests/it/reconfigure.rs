//! Other servers and another policy: RFC 8829 section 4.1.18.

use core::time::Duration;

use weft_core::Transport;
use weft_ice::{CandidateKind, Config, Host as ServerHost, Policy, Server, ServerError};
use weft_stun::Credentials;
use weft_testkit::NatConfig;

use super::support::{at, ms};
use super::world::{RELAY, SERVER, World, server_of};

/// Two hosts that reach each other directly, connected; `config` is of the first, which has `servers`.
fn connected(config: Config, servers: &[Server]) -> World {
    let mut world = World::new(11);
    world.host(config, None);
    world.host(Config::default(), None);
    let now = world.now;
    for server in servers {
        world.agent(0).add_server(now, server.clone()).unwrap();
    }
    world.describe();
    world.run_until(Duration::from_secs(5), |world| world.nominated()).unwrap();
    world
}

fn relay_only() -> Config {
    Config { policy: Policy::Relay, ..Config::default() }
}

fn kind(world: &World) -> CandidateKind {
    world.kinds(0).unwrap().0
}

fn told(world: &mut World) -> Vec<CandidateKind> {
    world.agent(0).candidates_to_signal().map(|candidate| candidate.kind).collect()
}

/// Data passes both ways.
fn talk(world: &mut World) {
    for host in &mut world.hosts {
        host.received.clear();
    }
    assert!(world.data(0, b"\x16there") && world.data(1, b"\x16back"));
    world.run(ms(200));
    assert!(world.hosts.iter().all(|host| host.received.len() == 1));
}

/// Restarts both, and lets nothing stop meanwhile.
fn restart(world: &mut World) {
    world.restart();
    talk(world);
    world.run_until(Duration::from_secs(5), |world| world.nominated()).unwrap();
    talk(world);
}

#[test]
fn other_servers_are_asked_from_the_next_gathering_on() {
    let mut world = connected(Config::default(), &[]);
    world.agent(0).set_servers(Policy::All, &[server_of(Transport::Udp)]).unwrap();
    world.run(Duration::from_secs(1));
    assert!(world.server.requests.is_empty(), "gathering is over");
    let now = world.now;
    world.agent(0).gather_anew(now);
    assert!(!world.agent(0).is_gathering_complete());
    world.run(Duration::from_secs(1));
    assert!(world.agent(0).is_gathering_complete());
    assert_eq!(told(&mut world), [CandidateKind::Host, CandidateKind::Relayed], "the mapping is the host's own");
    assert_eq!(kind(&world), CandidateKind::Host);
    restart(&mut world);
    // Without a word about gathering a restart has it begin.
    world.agent(0).set_servers(Policy::All, &[]).unwrap();
    assert_eq!(told(&mut world).len(), 2);
    restart(&mut world);
    assert_eq!(told(&mut world), [CandidateKind::Host]);
    world.run(Duration::from_secs(2));
    assert_eq!(world.server.allocations(), 0, "it is given back");
}

#[test]
fn relays_alone_from_the_restart_on() {
    let mut world = connected(Config::default(), &[server_of(Transport::Udp)]);
    world.run(Duration::from_secs(1));
    let relayed =
        world.agent(0).local_candidates().find(|known| known.kind == CandidateKind::Relayed).copied().unwrap();
    assert_eq!(relayed.related, Some(at("198.51.100.1:5000")));
    world.agent(0).set_servers(Policy::Relay, &[server_of(Transport::Udp)]).unwrap();
    let now = world.now;
    world.agent(0).gather_anew(now);
    assert_eq!(told(&mut world), [CandidateKind::Relayed]);
    let hidden = world.agent(0).candidates_to_signal().next().copied().unwrap();
    assert_eq!(
        (hidden.address, hidden.related),
        (relayed.address, Some(at("0.0.0.0:9"))),
        "the allocation is the same"
    );
    world.run(Duration::from_secs(10));
    assert_eq!(kind(&world), CandidateKind::Host, "until then nothing changes");
    restart(&mut world);
    assert_eq!(kind(&world), CandidateKind::Relayed);
    let relay: core::net::IpAddr = RELAY.parse().unwrap();
    assert!(world.agent(1).remote_candidates().all(|remote| remote.address.ip() == relay));
    // The way before is over: a check by it has no answer.
    world.run(Duration::from_secs(60));
    assert!(world.agent(1).remote_candidates().all(|remote| remote.address.ip() == relay));
    talk(&mut world);
}

#[test]
fn all_candidates_from_the_restart_on() {
    let stun = Server::stun(ServerHost::Ip(at(SERVER).ip()), at(SERVER).port());
    let mut world = connected(relay_only(), &[server_of(Transport::Tcp)]);
    assert_eq!(kind(&world), CandidateKind::Relayed);
    world.agent(0).set_servers(Policy::All, &[server_of(Transport::Tcp), stun]).unwrap();
    let now = world.now;
    world.agent(0).gather_anew(now);
    world.add_local(0, weft_ice::LocalCandidate::host(at("198.51.100.1:5000")));
    world.run(Duration::from_secs(10));
    assert_eq!(kind(&world), CandidateKind::Relayed, "until then nothing changes");
    assert!(told(&mut world).contains(&CandidateKind::Host));
    restart(&mut world);
    assert_eq!(kind(&world), CandidateKind::Host);
}

#[test]
fn the_relay_in_use_is_given_back_once_it_has_served() {
    for transport in [Transport::Udp, Transport::Tcp] {
        let mut world = connected(relay_only(), &[server_of(transport)]);
        world.agent(0).set_servers(Policy::All, &[]).unwrap();
        let now = world.now;
        world.agent(0).gather_anew(now);
        world.add_local(0, weft_ice::LocalCandidate::host(at("198.51.100.1:5000")));
        world.run(Duration::from_secs(1));
        talk(&mut world);
        assert_eq!((kind(&world), world.server.allocations()), (CandidateKind::Relayed, 1));
        restart(&mut world);
        world.run(Duration::from_secs(2));
        assert_eq!((kind(&world), world.server.allocations()), (CandidateKind::Host, 0));
        assert_eq!(world.open_connections(), 0);
        let server = world.agent(0).candidates_to_signal().copied().collect::<Vec<_>>();
        assert!(server.iter().all(|candidate| candidate.kind == CandidateKind::Host));
    }
}

/// What a service for TURN credentials gives out anew is for the allocation there is.
#[test]
fn other_credentials_keep_the_allocation() {
    let mut world = World::new(12);
    for _ in 0..2 {
        world.host(relay_only(), Some(NatConfig::SYMMETRIC));
    }
    let now = world.now;
    let first = world.agent(0).add_server(now, server_of(Transport::Udp)).unwrap();
    world.agent(1).add_server(now, server_of(Transport::Udp)).unwrap();
    world.describe();
    world.run_until(Duration::from_secs(5), |world| world.nominated()).unwrap();
    let before = told(&mut world);
    let anew = Server::turn(
        ServerHost::Ip(at(SERVER).ip()),
        at(SERVER).port(),
        Transport::Udp,
        Credentials::new("alice", "secret"),
    );
    assert_eq!(world.agent(0).set_servers(Policy::Relay, &[anew]).unwrap(), [first]);
    let now = world.now;
    world.agent(0).gather_anew(now);
    world.run(Duration::from_secs(1));
    assert_eq!((told(&mut world), world.server.allocations()), (before, 2));
    restart(&mut world);
    assert_eq!(world.server.allocations(), 2);
}

#[test]
fn a_configuration_that_cannot_be_changes_nothing() {
    let mut world = connected(Config { max_servers: 2, ..Config::default() }, &[server_of(Transport::Udp)]);
    let agent = world.agent(0);
    let many = [server_of(Transport::Udp), server_of(Transport::Tcp), server_of(Transport::Tls)];
    assert_eq!(agent.set_servers(Policy::Relay, &many), Err(ServerError::TooMany));
    let nowhere = Server::stun(ServerHost::Ip(at(SERVER).ip()), 0);
    assert_eq!(agent.set_servers(Policy::Relay, &[nowhere]), Err(ServerError::Port));
    restart(&mut world);
    assert_eq!(kind(&world), CandidateKind::Host);
}
