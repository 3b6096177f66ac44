//! ICE restarts: RFC 8445 section 9.

use core::time::Duration;

use weft_ice::{Event, IceState, Role};
use weft_stun::{Class, Message};
use weft_testkit::for_seeds;

use super::support::{Lone, both, connected, describe, error_code, link, ms, nominated, path, signal};

//= rfc8445#9
//# To restart ICE, an agent MUST change both the password and the username fragment for the data stream(s) being restarted.
//= rfc8445#9
//# As described in Section 6.1.1, agents MUST NOT redetermine the roles as part as an ICE restart, unless certain criteria that require the roles to be redetermined are fulfilled.
//= rfc8445#6.1.1
//# The roles can be redetermined as part of an ICE restart (Section 9), but an ICE agent MUST NOT redetermine the role as part of an ICE restart unless one or more of the following criteria is fulfilled:
//= rfc8839#5.4
//# The "ice-ufrag" and "ice-pwd" attributes MUST be chosen randomly at the beginning of a session (the same applies when ICE is restarting for an agent).
#[test]
fn a_restart_changes_the_credentials_and_keeps_the_role() {
    let mut lone = Lone::new(Role::Controlling, true);
    let before = lone.agent.local_credentials().clone();
    let after = lone.agent.restart(lone.now).clone();
    assert_ne!(before.ufrag(), after.ufrag());
    assert_ne!(before.pwd(), after.pwd());
    assert_eq!(lone.agent.role(), Role::Controlling);
    assert_eq!(lone.agent.state(), IceState::New);
    assert_eq!(lone.agent.remote_candidates().count(), 0);
    assert_eq!(lone.agent.local_candidates().count(), 1);
}

//= rfc8839#4.4.3.1.1
//# The agent MUST remember the nominated pair in the valid list for each component of the data stream, called the "previous selected pair", prior to the restart.
//= rfc8839#4.4.3.1.1
//# Once these destinations are noted, the agent MUST flush the valid lists and checklists, and then recompute the checklist and its states, thus triggering the candidate processing procedures [RFC8445].
//= rfc8839#4.4.3.1
//# If the offer was a restart, the agent MUST perform ICE restart procedures as specified in Section 4.4.3.1.1.
#[test]
fn data_never_stops() {
    for_seeds("data_never_stops", 2_000, |seed| {
        let mut pair = connected(link(seed % 40), seed);
        pair.run_for(ms(seed * 13 % 7000));
        // One side or both restart; descriptions arrive at odd times.
        let now = pair.now();
        pair.a.layer.restart(now);
        if seed % 2 == 0 {
            pair.b.layer.restart(now);
        }
        pair.run_for(ms(seed % 300));
        assert!(both(&pair, |agent| agent.selected_path().is_some()));
        if seed % 2 == 1 {
            let now = pair.now();
            pair.b.layer.restart(now);
        }
        let now = pair.now();
        signal(&pair.a.layer, &mut pair.b.layer, now);
        pair.run_for(ms(seed % 70));
        assert!(both(&pair, |agent| agent.selected_path().is_some()));
        let now = pair.now();
        signal(&pair.b.layer, &mut pair.a.layer, now);
        pair.a.events.clear();
        pair.run_until(Duration::from_secs(3), |pair| {
            assert!(both(pair, |agent| agent.selected_path().is_some()));
            both(pair, nominated)
                && pair.a.events.iter().any(|e| matches!(e, Event::SelectedPair(info) if info.nominated))
        })
        .unwrap();
        pair.run_for(Duration::from_secs(60));
        assert!(both(&pair, |agent| agent.state() == IceState::Connected));
    });
}

//= rfc7675#5.1
//# To prevent attacks on the peer during ICE restart, an endpoint that continues to send traffic on the previously validated candidate pair during ICE restart MUST continue to perform consent freshness on that candidate pair as described earlier.
#[test]
fn consent_goes_on_during_a_restart() {
    let mut lone = Lone::new(Role::Controlling, true);
    lone.connect();
    let old = lone.agent.local_credentials().clone();
    lone.agent.restart(lone.now);
    // With the credentials of before.
    for _ in 0..10 {
        let sent = lone.advance(ms(6_100));
        assert!(!sent.is_empty());
        for (_, to, bytes) in sent {
            let message = Message::parse(&bytes).unwrap();
            assert_eq!(message.class(), Class::Request);
            let username = message.get::<weft_stun::Username<'_>>().unwrap().unwrap();
            assert!(username.0.ends_with(old.ufrag()));
            lone.answer(&(to, bytes));
        }
        assert_eq!(lone.agent.selected_path(), Some(path()));
    }
    // Without answers it ends.
    lone.advance(ms(30_000));
    assert_eq!(lone.agent.selected_path(), None);
    assert_eq!(lone.advance(ms(30_000)), []);
    assert_eq!(lone.agent.state(), IceState::New);
}

#[test]
fn consent_checks_of_the_session_before_are_answered() {
    let mut lone = Lone::new(Role::Controlled, true);
    lone.connect();
    let old = lone.check();
    lone.agent.restart(lone.now);
    lone.receive(path(), &old.bytes());
    let sent = lone.drain();
    assert_eq!(sent.len(), 1);
    let message = Message::parse(&sent[0].1).unwrap();
    assert!(message.class() == Class::Success && message.check_integrity(old.key.as_ref().unwrap()).holds());
    assert_eq!(lone.agent.remote_candidates().count(), 0, "and change nothing");
    // Those of two sessions before are not.
    lone.agent.restart(lone.now);
    lone.receive(path(), &old.bytes());
    assert_eq!(error_code(&lone.transmit().unwrap().1), Some(401));
}

// A browser that restarts opens other sockets, and pairs them with the candidates it has before it sees our new ones.
#[test]
fn checks_of_the_session_before_are_answered_on_the_pair_in_use_alone() {
    let mut lone = Lone::new(Role::Controlled, true);
    lone.connect();
    let old = lone.check();
    lone.agent.restart(lone.now);
    let mut elsewhere = path();
    elsewhere.remote.set_port(elsewhere.remote.port() + 1);
    lone.receive(elsewhere, &old.bytes());
    assert_eq!(error_code(&lone.transmit().unwrap().1), Some(401));
    assert_eq!(lone.agent.remote_candidates().count(), 0);
    lone.receive(path(), &old.bytes());
    assert_eq!(Message::parse(&lone.transmit().unwrap().1).unwrap().class(), Class::Success);
}

// Where no pair was in use there is no consent to give, and the other side may take any answer for a path that works.
#[test]
fn checks_of_a_session_that_had_no_pair_are_not_answered() {
    let mut lone = Lone::new(Role::Controlled, true);
    let old = lone.check();
    lone.agent.restart(lone.now);
    lone.receive(path(), &old.bytes());
    assert_eq!(error_code(&lone.transmit().unwrap().1), Some(401));
}

#[test]
fn a_second_restart_before_the_first_is_answered_keeps_the_pair() {
    let mut pair = connected(link(10), 1);
    for _ in 0..3 {
        let now = pair.now();
        pair.a.layer.restart(now);
        pair.run_for(ms(100));
        assert!(pair.a.layer.selected_path().is_some());
    }
    let now = pair.now();
    pair.b.layer.restart(now);
    describe(&mut pair);
    pair.run_until(ms(500), |pair| both(pair, |a| nominated(a) && a.state() == IceState::Completed)).unwrap();
}

//= rfc8839#4.4.3.1
//# If the ICE state is Completed, and the SDP answer conforms to Section 4.4.2, the agent MUST remain in the Completed ICE state.
#[test]
fn the_same_description_again_changes_nothing() {
    let mut pair = connected(link(20), 4);
    pair.run_for(ms(500));
    let before = (pair.a.layer.selected_path(), pair.a.layer.stats().checks_sent);
    describe(&mut pair);
    pair.run_for(ms(500));
    assert!(both(&pair, |agent| agent.state() == weft_ice::IceState::Completed));
    assert_eq!((pair.a.layer.selected_path(), pair.a.layer.stats().checks_sent), before);
}

#[test]
fn both_sides_may_restart_at_once() {
    let mut pair = connected(link(20), 5);
    let now = pair.now();
    pair.a.layer.restart(now);
    pair.b.layer.restart(now);
    // Each learns of the other's restart when its own is done already; data goes on.
    assert!(both(&pair, |agent| agent.selected_path().is_some()));
    describe(&mut pair);
    pair.run_for(ms(500));
    assert!(both(&pair, nominated) && both(&pair, |agent| agent.state() == weft_ice::IceState::Completed));
}
