//! Consent freshness: RFC 7675.

use core::time::Duration;

use weft_core::Layer as _;
use weft_ice::{Event, FailureReason, IceState, Role};
use weft_stun::{AttributeType, Class, Message};
use weft_testkit::{Loss, Side, for_seeds};

use super::support::{
    Check, Lone, REMOTE_PWD, both, class, connected, describe, link, ms, nominated, path, refusal, success,
};

//= rfc7675#5.1
//# To prevent synchronization of consent checks, each interval MUST be randomized from between 0.8 and 1.2 times the basic period.
//= rfc7675#5.1
//# Implementations MUST NOT set the period between checks to less than 4 seconds.
//= rfc7675#5.1
//# Each STUN binding request for consent MUST use a new STUN transaction identifier, as described in Section 6 of [RFC5389].
//= rfc8445#11
//# All endpoints MUST send keepalives for each data session.
//= rfc8445#11
//# ICE endpoints allow for STUN-based keepalives for UDP streams, and as such, STUN keepalives MUST be used when an ICE agent is a full ICE implementation and is communicating with a peer that supports ICE (lite or full).
//= rfc8445#11
//# An agent MUST send a keepalive on each candidate pair that is used for sending data if no packet has been sent on that pair in the last Tr seconds.
//= rfc8445#11
//# Agents MUST by default use STUN keepalives.
//= rfc8489#5
//# Resends of the same request reuse the same transaction ID, but the client MUST choose a new transaction ID for new transactions unless the new request is bit-wise identical to the previous request and sent from the same transport address to the same IP address.
#[test]
fn consent_is_renewed_at_random_intervals() {
    let mut lone = Lone::new(Role::Controlling, true);
    lone.connect();
    let (mut intervals, mut ids, mut last) = (Vec::new(), Vec::new(), lone.now);
    for _ in 0..200 {
        let sent = loop {
            let sent = lone.advance(ms(100));
            if !sent.is_empty() {
                break sent;
            }
        };
        assert_eq!(sent.len(), 1, "each is sent once only");
        let (at, to, bytes) = sent[0].clone();
        assert_eq!(at.as_millis() % 50, 0, "agents on one clock send in the same moments");
        intervals.push((at - last).as_millis());
        last = at;
        ids.push(Message::parse(&bytes).unwrap().transaction_id());
        lone.answer(&(to, bytes));
    }
    assert!(intervals.iter().all(|ms| (5000..=6000).contains(ms)), "{intervals:?}");
    assert!(*intervals.iter().min().unwrap() < 5150 && *intervals.iter().max().unwrap() > 5850);
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 200);
    assert_eq!(lone.agent.state(), IceState::Connected);
}

#[test]
fn a_check_leaves_with_the_response_to_the_peers() {
    let mut lone = Lone::new(Role::Controlled, true);
    lone.connect();
    // Far too soon, and after four fifths of the period and what is drawn.
    for (after, requests) in [(ms(3_900), 0), (ms(1_100), 1)] {
        assert_eq!(lone.advance(after), []);
        let check = lone.check();
        lone.receive(path(), &check.bytes());
        let sent = lone.drain();
        assert_eq!(sent.iter().filter(|(_, bytes)| class(bytes) == Class::Request).count(), requests);
        assert_eq!(sent.iter().filter(|(_, bytes)| class(bytes) == Class::Success).count(), 1);
        if let [first, _] = &sent[..] {
            assert_eq!(class(&first.1), Class::Request, "the longer one is first: both fit one run");
            lone.answer(first);
        }
    }
    let next = lone.agent.poll_timeout().unwrap();
    assert!(next >= lone.now + ms(4_000), "the period begins anew");
}

#[test]
fn a_nomination_is_said_again_until_the_peer_sends_data() {
    for role in [Role::Controlling, Role::Controlled] {
        let mut lone = Lone::new(role, true);
        lone.connect();
        // How many of the checks of 20 seconds, all answered at once, nominate; and how many do not.
        let said = |lone: &mut Lone| {
            let mut said = (0, 0);
            for sent in (0..200).flat_map(|_| lone.advance_and_answer(ms(100))) {
                let nominates = Message::parse(&sent).unwrap().has(AttributeType::USE_CANDIDATE);
                *if nominates { &mut said.0 } else { &mut said.1 } += 1;
            }
            said
        };
        let controls = role == Role::Controlling;
        let (nominations, others) = said(&mut lone);
        assert!(nominations + others == 3 && nominations == if controls { 3 } else { 0 });
        assert_eq!(lone.receive(path(), &[22, 1]), Some(vec![22, 1]));
        // When data end, that is looked into once, with a check that confirms the pair.
        assert_eq!(said(&mut lone).0, usize::from(controls));
        assert_eq!(said(&mut lone).0, 0);
    }
}

//= rfc7675#5.1
//# That is, if a valid STUN binding response has not been received from the remote peer's transport address in 30 seconds, the endpoint MUST cease transmission on that 5-tuple.
//= rfc7675#5.1
//# After consent is lost, the same ICE credentials MUST NOT be used on the affected 5-tuple again.
//= rfc7675#5.1
//# All outstanding STUN consent transactions for a candidate pair MUST be discarded when consent expires.
//= rfc7675#5.1
//# An endpoint MUST NOT send data other than the messages used to establish consent unless the receiving endpoint has consented to receive data.
//= rfc7675#5.1
//# However, an endpoint MUST regain consent before it resumes sending application data.
#[test]
fn consent_expires() {
    let mut lone = Lone::new(Role::Controlling, true);
    lone.connect();
    let sent = lone.advance(ms(29_999));
    // Consent checks once each 4 to 6 s, and since the first one is overdue a connectivity check each 2 s with its repetitions.
    assert!((30..=60).contains(&sent.len()), "{}", sent.len());
    assert!(lone.agent.selected_path().is_some());
    assert_eq!(lone.agent.state(), IceState::Disconnected);
    lone.advance(ms(1));
    assert_eq!((lone.agent.selected_path(), lone.agent.state()), (None, IceState::Failed));
    assert!(lone.events().contains(&Event::Failed(FailureReason::ConsentExpired)));
    // Late answers, checks and data: nothing comes back to life.
    for (_, to, bytes) in sent {
        lone.answer(&(to, bytes));
    }
    let check = lone.check();
    lone.receive(path(), &check.bytes());
    assert_eq!(lone.receive(path(), &[22, 1]), None);
    assert_eq!(lone.advance(ms(100_000)), []);
    assert_eq!(lone.agent.state(), IceState::Failed);
}

#[test]
fn the_peers_checks_and_data_do_not_renew_consent() {
    let mut lone = Lone::new(Role::Controlled, true);
    lone.connect();
    for _ in 0..31 {
        let check = Check { use_candidate: true, ..lone.check() };
        lone.receive(path(), &check.bytes());
        lone.receive(path(), &[22, 1]);
        lone.advance(ms(1000));
    }
    assert_eq!(lone.agent.state(), IceState::Failed);
}

// RFC 7675 section 5.2: Consent for sending application data is immediately revoked by receipt of an authenticated message that closes the connection (e.g., a Transport Layer Security (TLS) fatal alert) or receipt of a valid and authenticated STUN response with error code Forbidden (403).
#[test]
fn consent_is_revoked_by_an_authentic_403_alone() {
    let mut lone = Lone::new(Role::Controlling, true);
    lone.connect();
    let sent = lone.advance(ms(6_100));
    let request = &sent[0].2;
    lone.receive(path(), &refusal(request, 403, None));
    lone.receive(path(), &refusal(request, 403, Some("wrongwrongwrongwrongwrong")));
    let elsewhere = weft_core::Path::udp(path().local, "203.0.113.9:9".parse().unwrap());
    lone.receive(elsewhere, &refusal(request, 403, Some(REMOTE_PWD)));
    lone.receive(elsewhere, &success(request, path().local, REMOTE_PWD));
    assert_eq!(lone.agent.state(), IceState::Connected);
    lone.receive(path(), &refusal(request, 403, Some(REMOTE_PWD)));
    assert_eq!((lone.agent.state(), lone.agent.selected_path()), (IceState::Failed, None));
    assert!(lone.events().contains(&Event::Failed(FailureReason::ConsentRevoked)));
    assert_eq!(lone.advance(ms(10_000)), []);
}

//= rfc8445#12.1
//# Unless an agent is able to produce a selected pair for each component associated with a data stream, the agent MUST NOT continue sending data for any component associated with that data stream.
#[test]
fn a_dead_peer_is_noticed_and_one_that_comes_back_too() {
    let mut pair = connected(link(20), 3);
    pair.kill(Side::B);
    let took = pair.run_until(Duration::from_secs(40), |p| p.a.layer.state() == IceState::Disconnected).unwrap();
    assert!((ms(9_000)..=ms(16_000)).contains(&took), "{took:?}");
    pair.revive(Side::B);
    pair.run_until(Duration::from_secs(10), |p| p.a.layer.state() == IceState::Completed).unwrap();
    pair.run_for(Duration::from_secs(7));
    pair.kill(Side::B);
    let took = pair.run_until(Duration::from_secs(40), |p| p.a.layer.state() == IceState::Failed).unwrap();
    assert!((ms(23_900)..=ms(30_000)).contains(&took), "{took:?}");
    pair.run_for(Duration::from_secs(100));
    assert_eq!(pair.a.layer.selected_path(), None);
}

#[test]
fn a_lossy_link_keeps_consent() {
    for_seeds("a_lossy_link_keeps_consent", 1_000, |seed| {
        let mut pair = connected(link(20), seed);
        pair.change_links(|link| link.loss = Loss::Random(0.1));
        pair.run_for(Duration::from_secs(300));
        assert!(both(&pair, nominated));
    });
}

//= rfc8839#6
//# All the ICE agents MUST follow the procedures defined in Section 11 of [RFC8445] for sending keepalives.
#[test]
fn an_idle_pair_costs_little() {
    let mut pair = connected(link(20), 1);
    pair.capture();
    pair.run_for(Duration::from_secs(60));
    let requests = pair.trace().iter().filter(|t| class(&t.packet.payload) == Class::Request).count();
    assert!((20..=30).contains(&requests), "{requests}");
    assert_eq!(pair.trace().len(), 2 * requests);
}

#[test]
fn restart_brings_a_failed_pair_back() {
    let mut pair = connected(link(20), 5);
    pair.change_links(|link| link.loss = Loss::Random(1.0));
    pair.run_until(Duration::from_secs(40), |p| both(p, |agent| agent.state() == IceState::Failed)).unwrap();
    pair.change_links(|link| link.loss = Loss::None);
    let now = pair.now();
    pair.a.layer.restart(now);
    pair.b.layer.restart(now);
    describe(&mut pair);
    pair.run_until(ms(500), |pair| both(pair, nominated)).unwrap();
}
