//! Local candidates and credentials: RFC 8445 section 5.

use std::collections::BTreeSet;

use weft_ice::{Agent, CandidateKind, Config, Credentials, CredentialsError, Foundation, LocalCandidate, Role};

use super::support::{Lone, agent, at};

fn add(agent: &mut Agent, candidate: LocalCandidate) -> Option<weft_ice::Candidate> {
    agent.add_local_candidate(weft_core::Instant::ORIGIN, candidate).unwrap().copied()
}

//= rfc8445#5.3
//# The values MUST be unguessable, with at least 128 bits of random number generator output used to generate the password, and at least 24 bits of output to generate the username fragment.
#[test]
fn credentials_have_enough_entropy() {
    let mut seen = BTreeSet::new();
    for seed in 0..1000 {
        let agent = agent(Role::Controlling, seed);
        let credentials = agent.local_credentials();
        // 6 bits a character.
        assert!(credentials.ufrag().len() * 6 >= 24 && credentials.pwd().len() * 6 >= 128);
        assert!(Credentials::new(credentials.ufrag(), credentials.pwd()).is_ok());
        assert!(seen.insert(credentials.ufrag().to_owned()) && seen.insert(credentials.pwd().to_owned()));
        assert!(!format!("{credentials:?}").contains(credentials.pwd()));
    }
    let chars: BTreeSet<char> = seen.iter().flat_map(|s| s.chars()).collect();
    assert_eq!(chars.len(), 64);
}

#[test]
fn malformed_credentials_are_refused() {
    let pwd = "a".repeat(22);
    assert!(Credentials::new("abcd", pwd.clone()).is_ok());
    assert!(Credentials::new("a".repeat(256), "b".repeat(256)).is_ok());
    for ufrag in ["", "abc", "ab:cd", "abc d", "abcé", &"a".repeat(257)] {
        assert_eq!(Credentials::new(ufrag, pwd.clone()), Err(CredentialsError::UsernameFragment));
    }
    for pwd in ["", &"a".repeat(21), &"a".repeat(257), &format!("{}:", "a".repeat(22))] {
        assert_eq!(Credentials::new("abcd", pwd), Err(CredentialsError::Password));
    }
}

//= rfc8445#5.1.2
//# Each candidate for a data stream MUST have a unique priority that MUST be a positive integer between 1 and (2**31 - 1).
//= rfc8445#5.1.2.1
//# The type preference MUST be an integer from 0 (lowest preference) to 126 (highest preference) inclusive, MUST be identical for all candidates of the same type, and MUST be different for candidates of different types.
//= rfc8445#5.1.2.1
//# The type preference for peer-reflexive candidates MUST be higher than that of server-reflexive candidates.
//= rfc8445#5.1.2.1
//# The local preference MUST be an integer from 0 (lowest preference) to 65535 (highest preference) inclusive.
//= rfc8445#5.1.2.1
//# If there are multiple candidates for a particular component for a particular data stream that have the same type, the local preference MUST be unique for each one.
//= rfc8445#5.1.2.1
//# The component ID MUST be an integer between 1 and 256 inclusive.
//= rfc8445#5.2
//# In addition, each candidate MUST be assigned a unique priority amongst all candidates for the same data stream.
//= rfc8421#5
//# It is worth mentioning that Section 5.1.2.1 of [RFC8445] states that "if there are multiple candidates for a particular component for a particular data stream that have the same type, the local preference MUST be unique for each one".
#[test]
fn priorities() {
    let mut agent = agent(Role::Controlling, 1);
    let mut list = Vec::new();
    for n in 1..=10 {
        list.push(add(&mut agent, LocalCandidate::host(at(&format!("192.0.2.{n}:5000")))).unwrap());
        list.push(add(&mut agent, LocalCandidate::host(at(&format!("[2001:db8::{n}]:5000")))).unwrap());
        let (address, base) = (at(&format!("203.0.113.{n}:1")), at(&format!("192.0.2.{n}:5000")));
        let reflexive = LocalCandidate::server_reflexive(address, base, at("198.51.100.1:1").ip());
        list.push(add(&mut agent, reflexive).unwrap());
    }
    let unique: BTreeSet<_> = list.iter().map(|c| c.priority).collect();
    assert_eq!(unique.len(), 30);
    for candidate in &list {
        assert!(candidate.priority >= 1 && candidate.priority < 1 << 31);
        assert_eq!(candidate.component, 1);
        assert_eq!(candidate.priority & 0xFF, 255);
        assert_eq!(candidate.priority >> 24, candidate.kind.preference());
    }
    // IPv6 and IPv4 in turns (RFC 8421 section 4).
    list.retain(|c| c.kind == CandidateKind::Host);
    list.sort_by_key(|c| core::cmp::Reverse(c.priority));
    assert!(list.iter().enumerate().all(|(n, c)| c.address.is_ipv6() == (n % 2 == 0)), "{list:?}");
    let preferences = [
        CandidateKind::Host.preference(),
        CandidateKind::PeerReflexive.preference(),
        CandidateKind::ServerReflexive.preference(),
        CandidateKind::Relayed.preference(),
    ];
    assert_eq!(preferences, [126, 110, 100, 0]);
}

#[test]
fn a_wished_preference_is_kept() {
    let mut agent = agent(Role::Controlling, 1);
    let wished = LocalCandidate { preference: Some(65_534), ..LocalCandidate::host(at("192.0.2.1:5000")) };
    assert_eq!(add(&mut agent, wished).unwrap().priority, (126 << 24) | (65_534 << 8) | 255);
    let other = add(&mut agent, LocalCandidate::host(at("192.0.2.2:5000"))).unwrap();
    assert_ne!(other.priority, (126 << 24) | (65_534 << 8) | 255);
}

//= rfc8445#5.2
//# The foundation MUST be different for two candidates allocated from different IP addresses; otherwise, it MUST be the same.
#[test]
fn foundations() {
    let mut agent = agent(Role::Controlling, 1);
    let server = at("198.51.100.1:1").ip();
    let host = add(&mut agent, LocalCandidate::host(at("192.0.2.1:5000"))).unwrap();
    let same_ip = add(&mut agent, LocalCandidate::host(at("192.0.2.1:5001"))).unwrap();
    let other_ip = add(&mut agent, LocalCandidate::host(at("192.0.2.2:5000"))).unwrap();
    let reflexive = LocalCandidate::server_reflexive(at("203.0.113.1:1"), at("192.0.2.1:5000"), server);
    let reflexive = add(&mut agent, reflexive).unwrap();
    assert_eq!(host.foundation, same_ip.foundation);
    let distinct: BTreeSet<_> = [host, other_ip, reflexive].iter().map(|c| c.foundation.to_string()).collect();
    assert_eq!(distinct.len(), 3);
    for foundation in distinct {
        assert!(Foundation::new(&foundation).is_some());
    }
    assert_eq!(Foundation::new(&"f".repeat(32)).unwrap().as_str().len(), 32);
    for bad in ["", "~1", "a b", &"f".repeat(33)] {
        assert!(Foundation::new(bad).is_none(), "{bad}");
    }
}

#[test]
fn redundant_candidates_are_dropped() {
    let mut agent = agent(Role::Controlling, 1);
    assert!(add(&mut agent, LocalCandidate::host(at("192.0.2.1:5000"))).is_some());
    assert!(add(&mut agent, LocalCandidate::host(at("192.0.2.1:5000"))).is_none());
    // Not behind a NAT, the server sees the host address.
    let server = at("198.51.100.1:1").ip();
    let reflexive = LocalCandidate::server_reflexive(at("192.0.2.1:5000"), at("192.0.2.1:5000"), server);
    assert!(add(&mut agent, reflexive).is_none());
    assert_eq!(agent.local_candidates().count(), 1);
}

#[test]
fn local_candidates_are_capped() {
    let mut lone = Lone::with(Config { max_local_candidates: 3, ..Config::default() }, Role::Controlling, false);
    let mut add =
        |n| lone.agent.add_local_candidate(lone.now, LocalCandidate::host(at(&format!("10.0.0.1:{n}")))).is_ok();
    assert!(add(1) && add(2) && !add(3));
}
