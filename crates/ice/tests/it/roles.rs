//! Role conflicts: RFC 8445 sections 7.2.5.1 and 7.3.1.1.

use core::time::Duration;

use weft_ice::{Event, Role};
use weft_stun::{AttributeType, IceControlled, IceControlling, IntegrityKey, Message};
use weft_testkit::for_seeds;

use super::support::{
    B, Check, Lone, REMOTE_PWD, agent, both, describe, error_code, link, ms, nominated, path, peers_of, refusal,
};

#[test]
fn both_in_one_role() {
    for_seeds("both_in_one_role", 2_000, |seed| {
        for role in [Role::Controlling, Role::Controlled] {
            let mut pair = peers_of(agent(role, 2 * seed), agent(role, 2 * seed + 1), link(seed % 50), seed);
            describe(&mut pair);
            pair.run_until(Duration::from_secs(2), |pair| both(pair, nominated)).unwrap();
            assert_ne!(pair.a.layer.role(), pair.b.layer.role());
            pair.run_for(Duration::from_secs(20));
            assert!(both(&pair, nominated));
        }
    });
}

//= rfc8445#7.3.1.1
//# An agent MUST examine the Binding request for either the ICE- CONTROLLING or ICE-CONTROLLED attribute.
//= rfc8445#7.3.1.1
//# It MUST follow these procedures:
#[test]
fn the_larger_tie_breaker_controls() {
    for role in [Role::Controlling, Role::Controlled] {
        for larger in [false, true] {
            let mut lone = Lone::new(role, true);
            let tie_breaker = if larger { u64::MAX } else { 0 };
            let check = Check { role, tie_breaker, ..lone.check() };
            lone.receive(path(), &check.bytes());
            let (_, response) = lone.transmit().unwrap();
            // The peer is to control if it has the larger number.
            let peer_keeps = larger == (role == Role::Controlling);
            if peer_keeps {
                assert_eq!(error_code(&response), None);
                assert_eq!(lone.agent.role(), role.other());
                assert!(lone.events().contains(&Event::RoleChanged(role.other())));
            } else {
                assert_eq!(error_code(&response), Some(487));
                assert_eq!(lone.agent.role(), role);
                let key = IntegrityKey::short_term(lone.agent.local_credentials().pwd());
                assert!(Message::parse(&response).unwrap().check_integrity(&key).holds());
            }
        }
    }
}

//= rfc8445#7.2.5.1
//# If the Binding request generates a 487 (Role Conflict) error response (Section 7.3.1.1), and if the ICE agent included an ICE-CONTROLLED attribute in the request, the agent MUST switch to the controlling role.
//= rfc8445#7.2.5.1
//# If the agent included an ICE-CONTROLLING attribute in the request, the agent MUST switch to the controlled role.
//= rfc8445#7.2.5.1
//# Once the agent has switched its role, the agent MUST add the candidate pair whose check generated the 487 error response to the triggered-check queue associated with the checklist to which the pair belongs, and set the candidate pair state to Waiting.
//= rfc8445#7.2.5.1
//# The agent MUST change the tiebreaker value.
#[test]
fn a_refused_role_is_given_up() {
    let tie_breaker = |bytes: &[u8]| {
        let message = Message::parse(bytes).unwrap();
        let controlling = message.get::<IceControlling>().unwrap().map(|IceControlling(n)| n);
        controlling.or(message.get::<IceControlled>().unwrap().map(|IceControlled(n)| n)).unwrap()
    };
    for role in [Role::Controlling, Role::Controlled] {
        let mut lone = Lone::new(role, true);
        lone.remote_candidate(B, 0x7E00_FFFF);
        let first = lone.drain();
        lone.receive(path(), &refusal(&first[0].1, 487, Some(REMOTE_PWD)));
        assert_eq!(lone.agent.role(), role.other());
        let again = lone.drain();
        assert_eq!((again.len(), again[0].0), (1, path()), "at once");
        let message = Message::parse(&again[0].1).unwrap();
        assert_eq!(message.has(AttributeType::ICE_CONTROLLING), role == Role::Controlled);
        assert_ne!(tie_breaker(&first[0].1), tie_breaker(&again[0].1));
        lone.answer(&again[0]);
        assert!(lone.agent.selected_path().is_some());
    }
}

#[test]
fn a_nomination_from_the_wrong_role_does_not_count() {
    let mut lone = Lone::new(Role::Controlling, true);
    lone.remote_candidate(B, 0x7E00_FFFF);
    let check = Check { use_candidate: true, ..lone.check() };
    lone.receive(path(), &check.bytes());
    let sent = lone.drain();
    let last = sent.last().unwrap().clone();
    lone.answer(&last);
    assert!(!nominated(&lone.agent), "the peer is controlled and cannot nominate");
    lone.advance(ms(0));
}

//= rfc8445#6.1.1
//# An agent MUST accept if the peer initiates a redetermination of the roles even if the criteria for doing so are not fulfilled.
#[test]
fn roles_can_be_set_anew() {
    let mut lone = Lone::new(Role::Controlling, true);
    lone.agent.set_role(lone.now, Role::Controlled);
    lone.connect();
    lone.agent.restart(lone.now);
    assert_eq!(lone.agent.role(), Role::Controlled, "a restart keeps the role");
    lone.agent.set_role(lone.now, Role::Controlling);
    assert_eq!(lone.agent.role(), Role::Controlling);
}

//= rfc8445#16.1
//# An ICE agent MUST use the same number for all Binding requests, for all streams, within an ICE session, unless it has received a 487 response, in which case it MUST change the number (Section 7.2.5.1).
//= rfc8445#16.1
//# An agent MUST use the same number for all Binding requests, for all streams, within an ICE session, unless it has received a 487 response, in which case it MUST change the number (Section 7.2.5.1).
#[test]
fn the_tie_breaker_stays() {
    for role in [Role::Controlling, Role::Controlled] {
        let mut lone = Lone::new(role, true);
        for n in 1..=5 {
            lone.remote_candidate(&format!("203.0.113.{n}:6000"), 0x6400_00FF);
        }
        let mut numbers = std::collections::BTreeSet::new();
        for (_, _, bytes) in lone.advance(ms(3_000)) {
            let message = Message::parse(&bytes).unwrap();
            numbers.extend(message.get::<IceControlling>().unwrap().map(|IceControlling(n)| n));
            numbers.extend(message.get::<IceControlled>().unwrap().map(|IceControlled(n)| n));
        }
        assert_eq!(numbers.len(), 1);
    }
}
