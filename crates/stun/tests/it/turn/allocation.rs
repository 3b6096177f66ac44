//! Allocations: made, refreshed, lost, given back.

use core::time::Duration;

use weft_core::{Frame, Layer as _, Overhead, Path, Transport};
use weft_stun::turn::{Event, Failure, LostReason, RelayFamily, State};
use weft_stun::{AddressFamily, CredentialError, Credentials, Message, Method, RequestedTransport, Timing};
use weft_testkit::{TurnServerConfig, for_seeds};

use super::world::{CLIENT, OTHER_SERVER, World, address, config};

const SECOND: Duration = Duration::from_secs(1);

//= rfc8656#7.1
//# The client MUST include a REQUESTED-TRANSPORT attribute in the request.
//= rfc8489#9.2.3.1
//# If the client has not completed a successful request/response transaction with the server, it MUST omit the USERNAME, USERHASH, MESSAGE-INTEGRITY, MESSAGE-INTEGRITY-SHA256, REALM, NONCE, PASSWORD-ALGORITHMS, and PASSWORD-ALGORITHM attributes.
#[test]
fn an_allocation_takes_two_round_trips() {
    let mut world = World::new(1, config(), TurnServerConfig::default());
    world.run(SECOND);
    let Some((100, Event::Allocated(allocation))) = world.events.first() else { panic!("{:?}", world.events) };
    assert_eq!(allocation.relayed, address("198.51.100.101:50000"));
    assert_eq!(allocation.mapped, address(CLIENT));
    assert_eq!(world.client.rtt(), Some(Duration::from_millis(50)));
    let first = Message::parse(&world.sent[0]).unwrap();
    assert_eq!(first.get(), Ok(Some(RequestedTransport::UDP)));
    let kinds: Vec<_> = first.attributes().map(|raw| format!("{:?}", raw.kind)).collect();
    assert_eq!(kinds, ["REQUESTED-TRANSPORT", "SOFTWARE", "FINGERPRINT"]);
}

#[test]
fn a_server_that_asks_nobody() {
    let mut world =
        World::new(1, weft_stun::turn::Config::default(), TurnServerConfig { user: None, ..Default::default() });
    world.run(SECOND);
    assert!(matches!(world.events[..], [(50, Event::Allocated(_))]), "{:?}", world.events);
}

//= rfc8656#5
//# TURN servers and clients MUST implement this mechanism, and the authentication options are discussed in Section 7.2.
#[test]
fn all_kinds_of_credentials() {
    for (algorithms, anonymous) in [(false, false), (false, true), (true, false), (true, true)] {
        let server = TurnServerConfig { algorithms, anonymous, ..Default::default() };
        let mut world = World::new(2, config(), server);
        world.run(SECOND);
        assert!(world.has(|event| matches!(event, Event::Allocated(_))), "{algorithms} {anonymous} {:?}", world.events);
        // And after the first: refreshes, permissions.
        world.client.permit(world.now, "203.0.113.9".parse().unwrap()).unwrap();
        world.run(SECOND * 1000);
        assert_eq!(world.count(|event| matches!(event, Event::Permitted(_))), 1);
        assert!(!world.has(|event| matches!(event, Event::Lost(_))));
    }
}

//= rfc8656#8
//# If a client wishes to continue using an allocation, then the client MUST refresh it before it expires.
#[test]
fn it_is_refreshed_for_hours_with_loss_and_stale_nonces() {
    for_seeds("it_is_refreshed_for_hours_with_loss_and_stale_nonces", 200, |seed| {
        let server = TurnServerConfig { nonce_lifetime: SECOND * 37, ..Default::default() };
        let mut world = World::new(seed, config(), server);
        world.loss = 0.1;
        world.client.bind_channel(world.now, address("203.0.113.9:7000")).unwrap();
        world.run(SECOND * 4 * 3600);
        assert_eq!(world.client.state(), State::Allocated, "{:?}", world.events);
        assert!(!world.has(|event| matches!(event, Event::Lost(_))), "{:?}", world.events);
        assert_eq!(world.count(|event| matches!(event, Event::ChannelBound(_))), 1);
    });
}

#[test]
fn short_allocations_are_refreshed_at_half_their_time() {
    let mut world = World::new(3, config(), TurnServerConfig { lifetime: SECOND * 10, ..Default::default() });
    world.run(SECOND * 100);
    assert!(!world.has(|event| matches!(event, Event::Lost(_))));
    let refreshes = world.servers[0].requests[&Method::REFRESH.number()];
    assert!((18..=21).contains(&refreshes), "{refreshes}");
}

//= rfc8656#5
//# A client receiving a 437 error response to a request other than Allocate MUST assume the allocation no longer exists.
#[test]
fn a_server_that_forgot_gives_another() {
    let mut world = World::new(4, config(), TurnServerConfig::default());
    let peer = address("203.0.113.9:7000");
    world.client.bind_channel(world.now, peer).unwrap();
    world.run(SECOND);
    world.server().restart();
    world.run(SECOND * 600);
    let lost = |event: &Event| matches!(event, Event::Lost(LostReason::Forgotten));
    assert!(world.has(lost), "{:?}", world.events);
    assert_eq!(world.count(|event| matches!(event, Event::Allocated(_))), 2);
    assert_eq!(world.count(|event| matches!(event, Event::ChannelBound(_))), 2);
    assert_eq!(world.servers[0].allocations(), 1);
    world.send(peer, b"again");
    world.run(SECOND);
    assert_eq!(world.at_peer.last().unwrap().2, b"again");
}

/// coturn answers 400 in place of 437 to CreatePermission and ChannelBind.
#[test]
fn a_server_that_forgot_is_found_out_by_a_bad_request() {
    let peer = address("203.0.113.9:7000");
    for bind in [false, true] {
        let mut world =
            World::new(4, config(), TurnServerConfig { mismatch_is_bad_request: true, ..Default::default() });
        world.run(SECOND);
        world.server().restart();
        if bind {
            world.client.bind_channel(world.now, peer).unwrap();
        } else {
            world.client.permit(world.now, peer.ip()).unwrap();
        }
        world.run(SECOND * 2);
        let lost = |event: &Event| matches!(event, Event::Lost(LostReason::Forgotten));
        assert!(world.has(lost), "{:?}", world.events);
        assert!(world.has(|event| matches!(event, Event::Permitted(_))), "{:?}", world.events);
        assert!(!world.has(|event| matches!(event, Event::PermissionRefused { .. } | Event::ChannelRefused { .. })));
    }
}

#[test]
fn what_cannot_be_refreshed_expires_and_comes_back() {
    let mut world = World::new(5, config(), TurnServerConfig::default());
    world.run(SECOND);
    world.dead = true;
    world.run(SECOND * 610);
    assert!(world.has(|event| matches!(event, Event::Lost(LostReason::Expired))), "{:?}", world.events);
    world.dead = false;
    world.run(SECOND * 10);
    assert_eq!(world.client.state(), State::Allocated);
}

#[test]
fn a_dead_server_is_given_up() {
    let mut world = World::new(6, config(), TurnServerConfig::default());
    world.dead = true;
    world.run(SECOND * 60);
    assert_eq!(world.events, [(39_500, Event::Failed(Failure::TimedOut))]);
    assert_eq!(world.sent.len(), 7);
    let quick = config().with_timing(Timing { max_requests: 3, last_wait: 4, ..Timing::default() });
    let mut world = World::new(6, quick, TurnServerConfig::default());
    world.dead = true;
    world.run(SECOND * 60);
    assert_eq!(world.events, [(3_500, Event::Failed(Failure::TimedOut))]);
    assert_eq!(world.client.poll_timeout(), None);
    // It can be tried again.
    world.dead = false;
    let path = world.client.path();
    world.client.connect(world.now, path);
    world.run(SECOND);
    assert_eq!(world.client.state(), State::Allocated);
}

//= rfc8656#7.4
//# If the client receives an Allocate error response with the 440 (Address Family not Supported) error code, the client MUST NOT retry the request.
#[test]
fn refusals_are_told_apart() {
    let fails = |config, server: TurnServerConfig| {
        let mut world = World::new(7, config, server);
        world.run(SECOND * 50);
        let failed = world.events.iter().find_map(|(at, event)| match event {
            Event::Failed(failure) => Some((*at, failure.clone())),
            _ => None,
        });
        assert_eq!(world.client.state(), State::Failed);
        let (at, failure) = failed.unwrap();
        assert!(at <= 200, "{at} ms");
        assert!(world.sent.len() <= 2, "it is not asked again");
        failure
    };
    let server = TurnServerConfig::default;
    let wrong = weft_stun::turn::Config::new(Credentials::new("alice", "wrong"));
    assert_eq!(fails(wrong, server()), Failure::Credentials(CredentialError::Wrong));
    let nobody = weft_stun::turn::Config::default();
    assert_eq!(fails(nobody, server()), Failure::Credentials(CredentialError::Required));
    let quota = fails(config(), TurnServerConfig { quota: 0, ..server() });
    assert_eq!((quota.code(), quota.retry_after()), (Some(486), Some(SECOND * 60)));
    let v6 = config().with_family(RelayFamily::Only(AddressFamily::V6));
    assert_eq!(fails(v6, server()), Failure::FamilyNotSupported);
}

// RFC 8656 section 7.4: "437 … The client SHOULD pick another client transport address and retry".
#[test]
fn an_address_in_use_asks_for_another_port() {
    let mut world = World::new(8, config(), TurnServerConfig::default());
    world.run(SECOND);
    let path = world.client.path();
    // As a client that crashed and starts again on its old port.
    world.client.connect(world.now, path);
    world.run(SECOND);
    assert!(world.has(|event| *event == Event::Failed(Failure::AllocationMismatch)), "{:?}", world.events);
    world.client.connect(world.now, Path { local: address("192.0.2.1:5001"), ..path });
    world.run(SECOND);
    assert_eq!(world.client.state(), State::Allocated);
}

/// The answer to an Allocate request is lost, and the nonce runs out before it is sent again: with the new nonce the server sees
/// another request, and answers that there is an allocation (437). It is the client's own, and makes way.
#[test]
fn an_allocation_whose_answer_was_lost_is_not_in_our_way() {
    for_seeds("an_allocation_whose_answer_was_lost_is_not_in_our_way", 10_000, |seed| {
        let nonce_lifetime = Duration::from_millis(200 + seed % 1000);
        let mut world = World::new(seed, config(), TurnServerConfig { nonce_lifetime, ..Default::default() });
        world.loss = 0.3;
        world.run(SECOND * 20);
        world.loss = 0.0;
        world.run(SECOND * 25);
        let failed = |event: &Event| matches!(event, Event::Failed(Failure::AllocationMismatch));
        assert!(!world.has(failed), "seed {seed}: {:?}", world.events);
    });
    // The very case: all three answers of the server but the second are lost.
    let nonce_lifetime = Duration::from_millis(300);
    let mut world = World::new(1, config(), TurnServerConfig { nonce_lifetime, ..Default::default() });
    world.run(Duration::from_millis(60));
    world.loss_to_client = true;
    world.run(Duration::from_millis(400));
    assert_eq!((world.servers[0].allocations(), world.client.state()), (1, State::Allocating));
    world.loss_to_client = false;
    world.run(SECOND);
    assert_eq!(world.client.state(), State::Allocated, "{:?}", world.events);
    assert_eq!(world.servers[0].allocations(), 1);
}

#[test]
fn both_families_in_one_allocation() {
    let v6 = "2001:db8::101".parse().unwrap();
    let server = TurnServerConfig { relay_v6: Some(v6), ..Default::default() };
    let mut world = World::new(9, config().with_family(RelayFamily::Both), server.clone());
    let (four, six) = (address("203.0.113.9:7000"), address("[2001:db8::9]:7000"));
    world.client.permit(world.now, four.ip()).unwrap();
    world.client.permit(world.now, six.ip()).unwrap();
    world.run(SECOND);
    let allocation = world.allocation();
    assert!(allocation.relayed.is_ipv4() && allocation.additional.unwrap().is_ipv6());
    assert!(world.send(four, b"four") && world.send(six, b"six"));
    world.peer_sends(six, b"back");
    world.run(SECOND);
    let to: Vec<_> = world.at_peer.iter().map(|(from, to, _)| (from.is_ipv4(), *to)).collect();
    assert_eq!(to, [(true, four), (false, six)]);
    assert_eq!(world.received, [(six, b"back".to_vec())]);
    // A server without IPv6 gives what it has.
    let mut world = World::new(9, config().with_family(RelayFamily::Both), TurnServerConfig::default());
    world.run(SECOND);
    assert_eq!(world.allocation().additional, None);
    assert!(!world.send(six, b"no"));
    // IPv6 alone.
    let mut world = World::new(9, config().with_family(RelayFamily::Only(AddressFamily::V6)), server);
    world.run(SECOND);
    assert!(world.allocation().relayed.is_ipv6());
}

//= rfc8489#10
//# If the client has been redirected to a server to which it has already sent this request within the last five minutes, it MUST ignore the redirection and consider the transaction to have failed.
#[test]
fn redirections_are_followed_but_not_in_circles() {
    let there = TurnServerConfig { alternate: Some(address(OTHER_SERVER)), ..Default::default() };
    let mut world = World::new(10, config(), there.clone());
    world.run(SECOND);
    assert_eq!(world.client.path().remote, address(OTHER_SERVER));
    assert_eq!(world.allocation().relayed.ip().to_string(), "198.51.100.102");
    let mut world = World::new(10, config(), there.clone());
    world.servers[1].config.alternate = Some(address(super::world::SERVER));
    world.run(SECOND);
    assert!(world.has(|event| *event == Event::Failed(Failure::RedirectionLoop)), "{:?}", world.events);
    // Over TCP the owner opens the connection.
    let mut world = World::over(Transport::Tcp, 10, config(), there);
    world.run(SECOND);
    assert!(
        world.has(
            |event| matches!(event, Event::Redirected { server, domain: None } if *server == address(OTHER_SERVER))
        )
    );
    assert_eq!(world.client.state(), State::AwaitingConnection);
    let path = Path { remote: address(OTHER_SERVER), ..world.client.path() };
    world.client.connect(world.now, path);
    world.run(SECOND);
    assert_eq!(world.client.state(), State::Allocated);
}

#[test]
fn over_tcp_nothing_is_sent_twice_and_an_end_is_told() {
    let mut world = World::over(Transport::Tcp, 11, config(), TurnServerConfig::default());
    world.dead = true;
    world.run(SECOND * 60);
    assert_eq!(world.sent.len(), 1);
    assert_eq!(world.events, [(39_500, Event::Failed(Failure::TimedOut))]);
    let mut world = World::over(Transport::Tls, 11, config(), TurnServerConfig::default());
    world.run(SECOND);
    world.client.disconnected(world.now);
    world.drain();
    assert!(world.has(|event| *event == Event::Lost(LostReason::Disconnected)));
    let path = world.client.path();
    world.client.connect(world.now, Path { local: address("192.0.2.1:5002"), ..path });
    world.run(SECOND);
    assert_eq!(world.count(|event| matches!(event, Event::Allocated(_))), 2);
}

#[test]
fn closing_gives_it_back() {
    for_seeds("closing_gives_it_back", 500, |seed| {
        let server = TurnServerConfig { nonce_lifetime: SECOND, ..Default::default() };
        let mut world = World::new(seed, config(), server);
        world.loss = 0.2;
        world.run(Duration::from_millis(seed % 400));
        world.client.close(world.now);
        world.client.close(world.now);
        world.run(SECOND * 45);
        assert_eq!(world.client.state(), State::Closed);
        assert_eq!(world.servers[0].allocations(), 0, "seed {seed}: {:?}", world.events);
        assert_eq!(world.count(|event| *event == Event::Closed), 1);
        assert_eq!(world.client.poll_timeout(), None);
    });
}

#[test]
fn a_mapping_is_kept_alive_while_nothing_is_sent() {
    let mut world = World::new(12, config(), TurnServerConfig::default());
    world.run(SECOND * 300);
    let keepalives = world.sent.iter().filter(|bytes| bytes[..2] == [0, 0x11]).count();
    assert!((18..=20).contains(&keepalives), "{keepalives}");
}

#[test]
fn what_does_not_fit_into_a_frame_is_not_sent() {
    let mut world = World::new(13, config(), TurnServerConfig::default());
    let mut buf = [0; 24];
    let mut frame = Frame::new(&mut buf, Overhead::NONE);
    assert_eq!(world.client.poll_transmit(world.now, &mut frame), None);
    assert!(frame.is_empty());
    assert_eq!(world.client.stats().unsendable, 1);
}
