//! Relayed pairs.

use core::time::Duration;

use weft_core::{Datagram, Layer as _, Overhead, Path, Transport};
use weft_ice::{CandidateKind, Config, Event, Policy};
use weft_testkit::{NatConfig, for_seeds};

use super::support::{at, ms};
use super::world::{World, server_of};

fn relay_only() -> Config {
    Config { policy: Policy::Relay, ..Config::default() }
}

fn talk(world: &mut World) {
    for host in &mut world.hosts {
        host.received.clear();
    }
    for n in 0..2 {
        assert!(world.data(n, b"\x17something longer than a header"));
    }
    world.run(ms(400));
    for host in &world.hosts {
        assert_eq!(host.received.iter().map(|(_, bytes)| bytes.len()).collect::<Vec<_>>(), [31]);
    }
}

//= rfc8445#7.2.1
//# If the connectivity check is being sent using a relayed local candidate, the client MUST create a permission first if it has not already created one previously.
//# The permission MUST be created towards the IP address of the remote candidate.
//# Once established, the agent MUST keep the permission active until ICE concludes.
#[test]
fn symmetric_translators_are_crossed_by_a_relay_over_each_transport() {
    for transport in [Transport::Udp, Transport::Tcp, Transport::Tls] {
        let mut world = World::new(1);
        for _ in 0..2 {
            world.host(Config::default(), Some(NatConfig::SYMMETRIC));
        }
        let now = world.now;
        for n in 0..2 {
            world.agent(n).add_server(now, server_of(transport)).unwrap();
        }
        world.describe();
        let took = world.run_until(Duration::from_secs(5), |world| world.usable()).unwrap();
        assert!(took <= ms(700), "{transport:?}: {took:?}");
        world.run_until(Duration::from_secs(5), |world| world.nominated()).unwrap();
        let (a, b) = (world.kinds(0).unwrap(), world.kinds(1).unwrap());
        assert!([a.0, a.1, b.0, b.1].contains(&CandidateKind::Relayed), "{a:?} {b:?}");
        talk(&mut world);
        // Not a check was refused for want of a permission, and half an hour later everything still works.
        let refused = world.server.relayed.2;
        assert_eq!(refused, 0);
        world.run(Duration::from_secs(1800));
        talk(&mut world);
        // A channel carries the data.
        let sending = (0..2).find(|n| world.kinds(*n).unwrap().0 == CandidateKind::Relayed).unwrap();
        let tail = if transport == Transport::Udp { 0 } else { 3 };
        assert_eq!(world.agent(sending).overhead(), Overhead { head: 4, tail });
    }
}

#[test]
fn where_udp_is_blocked_the_relay_is_reached_by_tcp() {
    let mut world = World::new(2);
    for _ in 0..2 {
        let n = world.host(Config::default(), Some(NatConfig::HOME));
        world.hosts[n].udp_blocked = true;
    }
    let now = world.now;
    for n in 0..2 {
        for transport in [Transport::Udp, Transport::Tcp, Transport::Tls] {
            world.agent(n).add_server(now, server_of(transport)).unwrap();
        }
    }
    world.describe();
    let took = world.run_until(Duration::from_secs(5), |world| world.usable()).unwrap();
    assert!(took <= ms(800), "{took:?}");
    talk(&mut world);
}

#[test]
fn a_lost_allocation_is_replaced() {
    let mut world = World::new(3);
    for _ in 0..2 {
        world.host(relay_only(), None);
    }
    let now = world.now;
    for n in 0..2 {
        world.agent(n).add_server(now, server_of(Transport::Udp)).unwrap();
    }
    world.describe();
    world.run_until(Duration::from_secs(5), |world| world.nominated()).unwrap();
    talk(&mut world);
    // The server forgets everything. Both sides have other addresses then, which candidates that have ended cannot tell: a
    // restart is asked for as soon as the silence shows.
    world.server.restart();
    let asks = |world: &World, n| world.happened(n, |event| matches!(event, Event::RestartNeeded(_)));
    let took = world.run_until(Duration::from_secs(20), |world| {
        let _ = (world.data(0, b"\x17tick"), world.data(1, b"\x17tick"));
        asks(world, 0) && asks(world, 1)
    });
    assert!(took.unwrap() <= Duration::from_secs(8), "{took:?}");
    world.restart();
    world.run(Duration::from_secs(3));
    talk(&mut world);
}

#[test]
fn a_connection_that_ends_is_opened_again() {
    let mut world = World::new(4);
    for _ in 0..2 {
        world.host(relay_only(), None);
    }
    let now = world.now;
    for n in 0..2 {
        world.agent(n).add_server(now, server_of(Transport::Tls)).unwrap();
    }
    world.describe();
    world.run_until(Duration::from_secs(5), |world| world.nominated()).unwrap();
    world.cut_connections(0);
    world.run_until(Duration::from_secs(5), |world| world.nominated() && world.usable()).unwrap();
    world.run(Duration::from_secs(3));
    talk(&mut world);
    // Closing gives the allocation back.
    let allocations = world.server.allocations();
    let now = world.now;
    for n in 0..2 {
        world.agent(n).close(now);
    }
    world.run(Duration::from_secs(2));
    assert!(world.server.allocations() < allocations && world.server.allocations() <= 1, "the cut one expires");
    assert_eq!(world.open_connections(), 0);
    assert!(world.hosts.iter().all(|host| host.agent.poll_timeout_is_none()));
}

trait Idle {
    fn poll_timeout_is_none(&self) -> bool;
}

impl Idle for weft_ice::Agent {
    fn poll_timeout_is_none(&self) -> bool {
        use weft_core::Layer;
        self.poll_timeout().is_none()
    }
}

#[test]
fn stale_nonces_and_loss_are_survived() {
    for_seeds("stale_nonces_and_loss_are_survived", 500, |seed| {
        let mut world = World::new(seed);
        world.server.config.nonce_lifetime = Duration::from_secs(30);
        world.loss = 0.1;
        for _ in 0..2 {
            world.host(relay_only(), None);
        }
        let now = world.now;
        for n in 0..2 {
            world.agent(n).add_server(now, server_of(Transport::Udp)).unwrap();
        }
        world.describe();
        world.run_until(Duration::from_secs(60), |world| world.nominated()).unwrap();
        world.run(Duration::from_secs(900));
        assert!(world.usable());
        assert!(!world.happened(0, |event| matches!(event, Event::Failed(_))));
    });
}

#[test]
fn peers_that_the_relay_forbids_fail_at_once() {
    let mut world = World::new(5);
    world.server.config.denied = vec!["198.51.100.2".parse().unwrap()];
    world.host(Config { report_checks: true, ..relay_only() }, None);
    world.host(Config::default(), None);
    let now = world.now;
    world.agent(0).add_server(now, server_of(Transport::Udp)).unwrap();
    world.describe();
    world.run(ms(500));
    assert!(world.happened(0, |event| matches!(event, Event::Check(_, weft_ice::CheckResult::Refused(403)))));
}

//= rfc8656#12
//# Others Reserved; MUST be dropped and an alert MAY be logged
#[test]
fn what_a_relay_sends_of_itself_is_dropped() {
    let mut world = World::new(6);
    for _ in 0..2 {
        world.host(relay_only(), None);
    }
    let now = world.now;
    for n in 0..2 {
        world.agent(n).add_server(now, server_of(Transport::Udp)).unwrap();
    }
    world.describe();
    world.run_until(Duration::from_secs(5), |world| world.nominated()).unwrap();
    let (now, before) = (world.now, world.agent(0).stats().unvalidated);
    let path = Path::udp(super::world::host_address(0, false), at(super::world::SERVER));
    for first in 80..=255 {
        let mut bytes = [first; 40];
        let yielded = world.agent(0).handle_input(now, Datagram::new(path, &mut bytes)).unwrap();
        assert!(yielded.is_none(), "{first}");
    }
    let mut record = [22, 254, 253, 0, 0];
    assert!(world.agent(0).handle_input(now, Datagram::new(path, &mut record)).unwrap().is_none());
    assert_eq!(world.agent(0).stats().unvalidated, before + 177);
    talk(&mut world);
}

//= rfc8489#10
//# If the attribute is found, the domain MUST be used to validate the certificate using the recommendations in [RFC6125].
//= rfc8489#10
//# If the attribute is not found, the same domain that was used for the original request MUST be used to validate the certificate.
#[test]
fn a_redirection_over_tls_says_whose_certificate_to_expect() {
    for domain in [None, Some("other.example")] {
        let mut world = World::new(7);
        world.server.config.alternate = Some(at("203.0.113.2:5349"));
        world.server.config.alternate_domain = domain.map(str::to_owned);
        world.host(Config::default(), None);
        let now = world.now;
        let server =
            weft_ice::Server { host: weft_ice::Host::Name("turn.example".into()), ..server_of(Transport::Tls) };
        let id = world.agent(0).add_server(now, server).unwrap();
        world.agent(0).server_resolved(now, id, &[at(super::world::SERVER).ip()]);
        world.add_local(0, weft_ice::LocalCandidate::host(super::world::host_address(0, false)));
        world.run(Duration::from_secs(2));
        let opened: Vec<_> = world.hosts[0]
            .events
            .iter()
            .filter_map(|(_, event)| match event {
                Event::OpenStream(path, weft_ice::StreamKind::TurnTls(name)) => Some((path.remote, name.to_string())),
                _ => None,
            })
            .collect();
        let expected = domain.unwrap_or("turn.example").to_owned();
        let first = (at(super::world::SERVER), "turn.example".to_owned());
        assert_eq!(opened[..2], [first, (at("203.0.113.2:5349"), expected)]);
    }
}

//= rfc6544#11.2
//# If the agent opened a connection to a TURN server for the purposes of gathering a relayed candidate, that connection MUST be kept open by the client for the duration of the media session if a relayed candidate from the TURN server was selected by ICE.
#[test]
fn the_connection_to_a_relay_in_use_is_kept() {
    let mut world = World::new(8);
    for _ in 0..2 {
        world.host(relay_only(), None);
    }
    let now = world.now;
    for n in 0..2 {
        world.agent(n).add_server(now, server_of(Transport::Tcp)).unwrap();
    }
    world.describe();
    world.run_until(Duration::from_secs(5), |world| world.nominated()).unwrap();
    world.run(Duration::from_secs(7200));
    assert!(!world.happened(0, |event| matches!(event, Event::CloseStream(_))));
    assert!(world.open_connections() >= 1);
    talk(&mut world);
}
