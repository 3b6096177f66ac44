//! The checks an agent makes, and what becomes of their responses.

use weft_core::{Instant, Path};
use weft_ice::{CheckResult, Event, FailureReason, IceState, LocalCandidate, Role};
use weft_stun::{
    AttributeType, Class, IceControlled, IceControlling, Integrity, IntegrityKey, Message, Method, Priority, Username,
};

use super::support::{A, B, Check, Lone, REMOTE_PWD, REMOTE_UFRAG, at, class, ms, nominated, path, refusal, success};

//= rfc8445#7.1.1
//# The PRIORITY attribute MUST be included in a Binding request and be set to the value computed by the algorithm in Section 5.1.2 for the local candidate, but with the candidate type preference of peer- reflexive candidates.
//= rfc8445#7.1.2
//# The controlled agent MUST NOT include the USE-CANDIDATE attribute in a Binding request.
//= rfc8445#7.1.3
//# The controlling agent MUST include the ICE-CONTROLLING attribute in a Binding request.
//= rfc8445#7.1.3
//# The controlled agent MUST include the ICE- CONTROLLED attribute in a Binding request.
//= rfc8445#7.2.2
//# A connectivity-check Binding request MUST utilize the STUN short-term credential mechanism.
//= rfc8445#7.2.4
//# The FINGERPRINT mechanism MUST be used for connectivity checks.
//= rfc8489#9.1.2
//# In this case, either MESSAGE-INTEGRITY or MESSAGE-INTEGRITY-SHA256 MUST be included in addition to USERNAME.
//= rfc8489#6.1
//# In addition, the message class MUST be either "Request" or "Indication" (as appropriate), and the method must be either Binding or some method defined in another document.
#[test]
fn what_a_check_looks_like() {
    for role in [Role::Controlling, Role::Controlled] {
        let mut lone = Lone::new(role, true);
        lone.remote_candidate(B, 0x7E00_FFFF);
        let sent = lone.drain();
        assert_eq!(sent.len(), 1, "the first check goes out at once");
        let message = Message::parse(&sent[0].1).unwrap();
        assert_eq!((message.class(), message.method()), (Class::Request, Method::BINDING));
        let username = format!("{REMOTE_UFRAG}:{}", lone.agent.local_credentials().ufrag());
        assert_eq!(message.get(), Ok(Some(Username(&username))));
        assert_eq!(message.check_integrity(&IntegrityKey::short_term(REMOTE_PWD)), Integrity::Sha1);
        assert!(message.has_valid_fingerprint());
        // 110, the preference of the only IPv4 address, component 1.
        assert_eq!(message.get(), Ok(Some(Priority((110 << 24) | (65534 << 8) | 255))));
        assert_eq!(message.get::<IceControlling>().unwrap().is_some(), role == Role::Controlling);
        assert_eq!(message.get::<IceControlled>().unwrap().is_some(), role == Role::Controlled);
        assert!(!message.has(AttributeType::USE_CANDIDATE), "nobody nominates aggressively");
        assert!(!message.has(AttributeType::SOFTWARE));
    }
}

//= rfc8445#7.1.2
//# The controlling agent MUST include the USE-CANDIDATE attribute in order to nominate a candidate pair (Section 8.1.1).
//= rfc8445#8.1.1
//# Once the controlling agent has successfully nominated a candidate pair (Section 7.2.5.3.4), the agent MUST NOT nominate another pair for same component of the data stream within the ICE session.
#[test]
fn one_pair_is_nominated_and_no_other() {
    let mut lone = Lone::new(Role::Controlling, true);
    lone.remote_candidate(B, 0x7E00_FFFF);
    let first = lone.drain();
    lone.answer(&first[0]);
    assert_eq!(lone.agent.selected_path(), Some(path()), "usable before it is nominated");
    assert!(!nominated(&lone.agent));
    let second = lone.drain();
    assert_eq!(second.len(), 1);
    assert!(Message::parse(&second[0].1).unwrap().has(AttributeType::USE_CANDIDATE));
    lone.answer(&second[0]);
    assert!(nominated(&lone.agent));
    // A better candidate turns up, and its checks arrive: they are answered and checked back, but not nominated.
    lone.remote_candidate("203.0.113.7:1", 0x7EFF_FFFF);
    let from = Path::udp(at(A), at("203.0.113.7:1"));
    let check = lone.check();
    lone.receive(from, &check.bytes());
    for _ in 0..5 {
        for (now, to, bytes) in lone.advance(ms(300)) {
            assert!(now <= lone.now);
            let message = Message::parse(&bytes).unwrap();
            assert!(!message.has(AttributeType::USE_CANDIDATE));
            if message.class() == Class::Request {
                lone.answer(&(to, bytes));
            }
        }
    }
    assert_eq!(lone.agent.selected_path(), Some(path()));
}

//= rfc8445#7.2.5.2.1
//# The ICE agent MUST check that the source and destination transport addresses in the Binding request and response are symmetric.
//= rfc8445#7.2.5.2.1
//# If the addresses are not symmetric, the agent MUST set the candidate pair state to Failed.
//= rfc8445#7.2.5.2.1
//# That is, the source IP address and port of the response MUST be equal to the destination IP address and port to which the Binding request was sent, and the destination IP address and port of the response MUST be equal to the source IP address and port from which the Binding request was sent.
#[test]
fn a_response_from_elsewhere_fails_the_pair() {
    for elsewhere in [Path::udp(at(A), at("203.0.113.7:6000")), Path::udp(at(A), at("198.51.100.2:6001"))] {
        let mut lone = Lone::new(Role::Controlling, true);
        lone.remote_candidate(B, 0x7E00_FFFF);
        let sent = lone.drain();
        lone.receive(elsewhere, &success(&sent[0].1, at(A), REMOTE_PWD));
        assert!(lone.events().contains(&Event::Check(path(), CheckResult::NotSymmetric)));
        assert_eq!(lone.agent.selected_path(), None);
        assert_eq!(lone.advance(ms(5_000)), []);
    }
}

//= rfc8489#9.1.4
//# If the request was sent over an unreliable transport, the response MUST be discarded, as if it had never been received.
//= rfc8489#9.1.4
//# If present and if the client only sent one of the MESSAGE-INTEGRITY or MESSAGE-INTEGRITY-SHA256 attributes in the request (because of the external indication in Section 9.1.2 or because this is a subsequent request as defined in Section 9.1.5), the algorithm in the response has to match; otherwise, the response MUST be discarded.
#[test]
fn responses_without_the_right_integrity_have_not_come() {
    let mut lone = Lone::new(Role::Controlling, true);
    lone.remote_candidate(B, 0x7E00_FFFF);
    let sent = lone.drain();
    for bytes in [
        success(&sent[0].1, at(A), "wrongwrongwrongwrongwrong"),
        refusal(&sent[0].1, 487, None),
        refusal(&sent[0].1, 400, None),
        refusal(&sent[0].1, 403, Some("wrongwrongwrongwrongwrong")),
        success_sha256(&sent[0].1),
    ] {
        lone.receive(path(), &bytes);
    }
    assert_eq!(lone.agent.stats().stray_responses, 5);
    assert_eq!(lone.agent.role(), Role::Controlling);
    assert_eq!(lone.agent.selected_path(), None);
    lone.answer(&sent[0]);
    assert_eq!(lone.agent.selected_path(), Some(path()));
    // The transaction is over: the same response again is a stray.
    lone.answer(&sent[0]);
    assert_eq!(lone.agent.stats().stray_responses, 6);
}

//= rfc8489#9.1.4
//# If all the responses received are discarded, then instead of signaling a timeout after ending the transaction, the layer MUST signal that the integrity protection was violated.
//= rfc8489#9.1.5
//# A client sending subsequent requests to the same server MUST send only the MESSAGE-INTEGRITY-SHA256 or the MESSAGE-INTEGRITY attribute that matches the attribute that was received in the response to the initial request.
#[test]
fn a_check_that_only_forgers_have_answered_says_so() {
    for (forged, expected) in [(true, CheckResult::Unauthentic), (false, CheckResult::TimedOut)] {
        let mut lone = Lone::new(Role::Controlling, true);
        lone.remote_candidate(B, 0x7E00_FFFF);
        let sent = lone.drain();
        if forged {
            lone.receive(path(), &success(&sent[0].1, at(A), "wrongwrongwrongwrongwrong"));
            // Nor does an answer count that has the other hash: checks have MESSAGE-INTEGRITY, first and last.
            lone.receive(path(), &success_sha256(&sent[0].1));
        }
        let sent = lone.advance(std::time::Duration::from_secs(40));
        for (_, _, bytes) in &sent {
            let message = Message::parse(bytes).unwrap();
            assert!(message.has(AttributeType::MESSAGE_INTEGRITY));
            assert!(!message.has(AttributeType::MESSAGE_INTEGRITY_SHA256));
        }
        assert_eq!(sent.len(), 6);
        assert!(lone.events().contains(&Event::Check(path(), expected)));
    }
}

fn success_sha256(request: &[u8]) -> Vec<u8> {
    let id = Message::parse(request).unwrap().transaction_id();
    let mut buf = [0; 256];
    let mut frame = weft_core::Frame::new(&mut buf, weft_core::Overhead::NONE);
    let mut message = weft_stun::MessageBuilder::new(&mut frame, Class::Success, Method::BINDING, id).unwrap();
    message.attribute(&weft_stun::XorMappedAddress(at(A))).unwrap();
    message.integrity_sha256(&IntegrityKey::short_term(REMOTE_PWD)).unwrap().fingerprint().unwrap();
    frame.content().to_vec()
}

//= rfc8445#7.2.5.2.3
//# If the Binding request transaction times out, the ICE agent MUST set the candidate pair state to Failed.
//= rfc8445#14.3
//# Agents MUST NOT use an RTO value smaller than 500 ms.
//= rfc8489#6.3.1
//# The latter technique MUST only be applied to requests that are idempotent (a request is considered idempotent when the same request can be safely repeated without impacting the overall state of the system) and result in the same success response for the same request.
#[test]
fn a_check_is_sent_seven_times_alike_and_then_given_up() {
    let mut lone = Lone::new(Role::Controlling, true);
    lone.remote_candidate(B, 0x7E00_FFFF);
    let start = lone.now;
    let sent = lone.advance(ms(60_000));
    let times: Vec<_> = sent.iter().map(|(at, ..)| (*at - start).as_millis()).collect();
    assert_eq!(times, [0, 500, 1500, 3500, 7500, 15500, 31500]);
    assert!(sent.iter().all(|(_, to, bytes)| (*to, bytes) == (path(), &sent[0].2)));
    let events = lone.events();
    assert!(events.contains(&Event::Check(path(), CheckResult::TimedOut)));
    assert!(events.contains(&Event::Failed(FailureReason::ChecksFailed)));
    assert_eq!(lone.agent.state(), IceState::Failed);
}

//= rfc8445#14.2
//# ICE agents SHOULD use a default Ta value, 50 ms, but MAY use another value based on the characteristics of the associated data.
#[test]
fn ordinary_checks_are_paced_and_go_by_priority() {
    let mut lone = Lone::new(Role::Controlling, true);
    for n in 1..=10_u32 {
        lone.remote_candidate(&format!("198.51.100.{n}:6000"), 0x7E00_00FF + (n << 8));
    }
    let start = lone.now;
    let sent = lone.advance(ms(480));
    let times: Vec<_> = sent.iter().map(|(at, ..)| (*at - start).as_millis()).collect();
    assert_eq!(times, (0..10).map(|n| n * 50).collect::<Vec<_>>());
    let order: Vec<_> = sent.iter().map(|(_, to, _)| to.remote.ip().to_string()).collect();
    assert_eq!(order, (1..=10).rev().map(|n| format!("198.51.100.{n}")).collect::<Vec<_>>());
}

#[test]
fn every_pair_is_checked_once_before_any_is_checked_again() {
    let mut lone = Lone::new(Role::Controlling, true);
    for n in 1..=40 {
        lone.remote_candidate(&format!("198.51.100.{n}:6000"), 0x7E00_FFFF);
    }
    let sent = lone.advance(ms(1_999));
    let mut remotes: Vec<_> = sent.iter().map(|(_, to, _)| to.remote).collect();
    assert_eq!(remotes.len(), 40);
    remotes.sort();
    remotes.dedup();
    assert_eq!(remotes.len(), 40);
}

//= rfc8445#14.2
//# Regardless of the Ta value chosen for each agent, the combination of all transactions from all agents (if a given implementation runs several concurrent agents) MUST NOT be sent more often than once every 5 ms (as though there were one global Ta value for pacing all agents).
#[test]
fn a_flood_of_triggered_checks_is_paced() {
    let mut lone = Lone::new(Role::Controlled, true);
    let mut checks = 0;
    for n in 0..64 {
        let check = lone.check();
        let from = Path::udp(at(A), at(&format!("203.0.113.{}:7", n + 1)));
        lone.receive(from, &check.bytes());
        checks += lone.drain().iter().filter(|s| class(&s.1) == Class::Request).count();
    }
    assert_eq!(checks, 9, "a few go out at once, and an ordinary one");
    let sent = lone.advance(ms(200));
    assert!((35..=45).contains(&sent.len()), "then one each 5 ms, and the ordinary ones: {}", sent.len());
}

//= rfc8445#7.2.5.3.3
//# The agent MUST set the states for all other Frozen candidate pairs in all checklists with the same foundation to Waiting.
#[test]
fn pairs_of_one_foundation_wait_for_the_first() {
    // Two sockets on one address share a foundation, and so do the peer's two.
    let mut lone = Lone::new(Role::Controlling, true);
    lone.agent.add_local_candidate(lone.now, LocalCandidate::host(at("192.0.2.1:5001"))).unwrap();
    lone.remote_candidate(B, 0x7E00_FFFF);
    let sent = lone.advance(ms(400));
    assert_eq!(sent.len(), 1, "the second pair is frozen");
    lone.answer(&(sent[0].1, sent[0].2.clone()));
    assert_eq!(lone.agent.state(), IceState::Connected);

    let mut lone = Lone::new(Role::Controlled, true);
    lone.agent.add_local_candidate(lone.now, LocalCandidate::host(at("192.0.2.1:5001"))).unwrap();
    lone.remote_candidate(B, 0x7E00_FFFF);
    let sent = lone.drain();
    lone.answer(&sent[0]);
    let sent = lone.advance(ms(60));
    assert_eq!(sent.iter().map(|(_, to, _)| to.local).collect::<Vec<_>>(), [at("192.0.2.1:5001")]);
}

//= rfc8445#8.1.2
//# Once a candidate pair for a component of a data stream has been nominated, and the state of the checklist associated with the data stream is Running, the ICE agent MUST remove all candidate pairs for the same component from the checklist and from the triggered- check queue.
#[test]
fn after_nomination_nothing_else_is_checked() {
    let mut lone = Lone::new(Role::Controlling, true);
    for n in 1..=10 {
        lone.remote_candidate(&format!("203.0.113.{n}:6000"), 0x6400_00FF);
    }
    lone.connect();
    let sent = lone.advance(ms(4_000));
    assert_eq!(sent, []);
}

//= rfc8445#8.1.2
//# Once a candidate pair for a component of a data stream has been nominated, an agent MUST continue to respond to any Binding request it might still receive for the nominated pair and for any remaining candidate pairs in the checklist associated with the data stream.
//= rfc8445#11
//# Though Binding Indications are used for keepalives, an agent MUST be prepared to receive a connectivity check as well.
#[test]
fn after_nomination_checks_are_still_answered() {
    let mut lone = Lone::new(Role::Controlled, true);
    lone.connect();
    for remote in [B, "203.0.113.9:1"] {
        let check = lone.check();
        lone.receive(Path::udp(at(A), at(remote)), &check.bytes());
        assert_eq!(class(&lone.transmit().unwrap().1), Class::Success);
        lone.drain();
    }
}

//= rfc8863#4
//# While the timer is still running, the ICE agent MUST NOT update a checklist state from Running to Failed, even if there are no pairs left in the checklist to check.
//= rfc8863#4
//# When the timer period eventually elapses, the ICE agent MUST resume typical ICE processing, including setting the state of any checklists to Failed if they have no pairs left to check and handling any consequences as indicated in [RFC8445], Section 8.1.2.
//= rfc8863#5
//# However, for the same reasons described above, the ICE agent may discover peer-reflexive candidates after it has received the end-of- candidates indication, and so the solution proposed by this document MUST still be used even when the ICE agent is using Trickle ICE.
//= rfc8863#4
//# Accordingly, when a full ICE implementation begins its ICE processing, as described in [RFC8445], Section 6.1, it MUST set a timer, henceforth known as the "PAC timer" (Patiently Awaiting Connectivity), to ensure that ICE will run for a minimum amount of time before determining failure.
#[test]
fn patience() {
    let mut lone = Lone::new(Role::Controlled, true);
    lone.agent.end_of_local_candidates(lone.now);
    lone.agent.end_of_remote_candidates(lone.now);
    assert_eq!(lone.advance(ms(39_499)), []);
    assert_eq!(lone.agent.state(), IceState::Checking);
    lone.advance(ms(1));
    assert_eq!(lone.agent.state(), IceState::Failed);
    assert!(lone.events().contains(&Event::Failed(FailureReason::NoPairs)));

    // A check that comes at the last moment is in time.
    let mut lone = Lone::new(Role::Controlled, true);
    lone.agent.end_of_remote_candidates(lone.now);
    lone.advance(ms(39_499));
    let check = lone.check();
    lone.receive(path(), &check.bytes());
    let sent = lone.drain();
    lone.advance(ms(100));
    assert_eq!(lone.agent.state(), IceState::Checking);
    lone.answer(&sent[1]);
    assert_eq!(lone.agent.state(), IceState::Connected);
}

// RFC 8489 section 6.3.3: If the success response contains unknown comprehension-required attributes, the response is discarded and the transaction is considered to have failed.
#[test]
fn a_refused_check_fails() {
    for (code, result) in [(400, CheckResult::Refused(400)), (500, CheckResult::Refused(500))] {
        let mut lone = Lone::new(Role::Controlling, true);
        lone.remote_candidate(B, 0x7E00_FFFF);
        let sent = lone.drain();
        lone.receive(path(), &refusal(&sent[0].1, code, Some(REMOTE_PWD)));
        assert!(lone.events().contains(&Event::Check(path(), result)));
        assert_eq!(lone.agent.state(), IceState::Checking, "patience");
    }
}

#[test]
fn a_nomination_that_fails_makes_way_for_another_pair() {
    let mut lone = Lone::new(Role::Controlling, true);
    let second = Path::udp(at(A), at("203.0.113.7:1"));
    lone.remote_candidate(B, 0x7E00_FFFF);
    lone.remote_candidate("203.0.113.7:1", 0x6400_00FF);
    for (_, to, bytes) in lone.advance(ms(60)) {
        if to == path() {
            lone.receive(path(), &success(&bytes, at(A), REMOTE_PWD));
        } else {
            lone.receive(second, &success(&bytes, at(A), REMOTE_PWD));
        }
    }
    let nomination = lone.drain();
    assert_eq!(nomination[0].0, path());
    lone.receive(path(), &refusal(&nomination[0].1, 400, Some(REMOTE_PWD)));
    assert_eq!(lone.agent.selected_path(), Some(second));
    let nomination = lone.drain();
    assert_eq!(nomination[0].0, second);
    lone.answer(&nomination[0]);
    assert!(nominated(&lone.agent));
}

//= rfc8445#11
//# An agent MUST stop sending keepalives on a data stream if the data stream is removed.
//= rfc8445#11
//# If the ICE session is terminated, an agent MUST stop sending keepalives on all data streams.
#[test]
fn closing_ends_everything() {
    let mut lone = Lone::new(Role::Controlling, true);
    lone.connect();
    lone.agent.close(lone.now);
    assert_eq!(lone.agent.state(), IceState::Closed);
    let check = Check { use_candidate: true, ..lone.check() };
    assert_eq!(lone.receive(path(), &check.bytes()), None);
    assert_eq!(lone.receive(path(), &[22, 1, 2]), None);
    assert_eq!(lone.advance(ms(100_000)), []);
    assert_eq!((lone.agent.poll_timeout_now(), lone.agent.selected_path()), (None, None));
    assert!(lone.agent.add_local_candidate(lone.now, LocalCandidate::host(at("10.0.0.1:1"))).is_err());
}

trait PollTimeout {
    fn poll_timeout_now(&self) -> Option<Instant>;
}

impl PollTimeout for weft_ice::Agent {
    fn poll_timeout_now(&self) -> Option<Instant> {
        weft_core::Layer::poll_timeout(self)
    }
}
