//! The behaviours of RFC 4787.

use std::net::SocketAddr;
use std::time::Duration;

use weft_core::Instant;
use weft_testkit::{Behaviour, Nat, NatConfig};

const T: Instant = Instant::ORIGIN;

fn addr(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn nat(mapping: Behaviour, filtering: Behaviour) -> Nat {
    Nat::new(addr("203.0.113.9:0").ip(), NatConfig { mapping, filtering, ..NatConfig::FULL_CONE })
}

/// For every behaviour: do the same host's other port, and another host, share the mapping of (or get in like) the
/// endpoint that was sent to?
const TABLE: [(Behaviour, bool, bool); 3] = [
    (Behaviour::EndpointIndependent, true, true),
    (Behaviour::AddressDependent, true, false),
    (Behaviour::AddressAndPortDependent, false, false),
];

#[test]
fn mappings_depend_on_what_they_should() {
    for (mapping, same_host, other_host) in TABLE {
        let mut nat = nat(mapping, Behaviour::EndpointIndependent);
        let inside = addr("10.0.0.1:1000");
        let first = nat.outbound(T, inside, addr("192.0.2.1:1"));
        assert_eq!(first.ip(), addr("203.0.113.9:0").ip());
        assert_eq!(nat.outbound(T, inside, addr("192.0.2.1:1")), first);
        assert_eq!(nat.outbound(T, inside, addr("192.0.2.1:2")) == first, same_host, "{mapping:?}");
        assert_eq!(nat.outbound(T, inside, addr("192.0.2.2:1")) == first, other_host, "{mapping:?}");
        assert_ne!(nat.outbound(T, addr("10.0.0.1:1001"), addr("192.0.2.1:1")), first);
    }
}

#[test]
fn filters_depend_on_what_they_should() {
    for (filtering, same_host, other_host) in TABLE {
        let mut nat = nat(Behaviour::EndpointIndependent, filtering);
        let inside = addr("10.0.0.1:1000");
        let mapped = nat.outbound(T, inside, addr("192.0.2.1:1"));
        assert_eq!(nat.inbound(T, mapped, addr("192.0.2.1:1")), Some(inside));
        assert_eq!(nat.inbound(T, mapped, addr("192.0.2.1:2")).is_some(), same_host, "{filtering:?}");
        assert_eq!(nat.inbound(T, mapped, addr("192.0.2.2:1")).is_some(), other_host, "{filtering:?}");
        assert_eq!(nat.inbound(T, addr("203.0.113.9:1"), addr("192.0.2.1:1")), None);
        assert_eq!(nat.refused(), 1 + u64::from(!same_host) + u64::from(!other_host));
    }
}

#[test]
fn two_home_routers_can_be_punched_through_two_symmetric_ones_cannot() {
    for (config, works) in [(NatConfig::HOME, true), (NatConfig::SYMMETRIC, false)] {
        let mut left = Nat::new(addr("203.0.113.1:0").ip(), config);
        let mut right = Nat::new(addr("203.0.113.2:0").ip(), config);
        let (a, b, server) = (addr("10.0.0.1:1000"), addr("10.0.0.1:2000"), addr("192.0.2.1:3478"));
        // Each learns its outside address from a server, then both send there.
        let (a_seen, b_seen) = (left.outbound(T, a, server), right.outbound(T, b, server));
        let a_source = left.outbound(T, a, b_seen);
        right.outbound(T, b, a_seen);
        assert_eq!(right.inbound(T, b_seen, a_source) == Some(b), works, "{config:?}");
    }
}

#[test]
fn mappings_are_forgotten_in_silence_and_at_restart() {
    let mut nat = Nat::new(addr("203.0.113.9:0").ip(), NatConfig::HOME);
    let (inside, outside) = (addr("10.0.0.1:1000"), addr("192.0.2.1:1"));
    let mapped = nat.outbound(T, inside, outside);
    let later = T + Duration::from_secs(119);
    assert_eq!(nat.outbound(later, inside, outside), mapped);
    assert_eq!(nat.inbound(later + Duration::from_secs(119), mapped, outside), Some(inside));
    assert_eq!(nat.inbound(later + Duration::from_secs(120), mapped, outside), None);
    let again = nat.outbound(later + Duration::from_secs(121), inside, outside);
    assert_ne!(again, mapped);
    nat.restart();
    assert_eq!(nat.inbound(later + Duration::from_secs(121), again, outside), None);
}
