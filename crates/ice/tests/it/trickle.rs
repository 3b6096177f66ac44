//! Candidates that come one by one: RFC 8838.

use weft_core::Path;
use weft_ice::{CandidateError, CandidateKind, Config, IceState, LocalCandidate, Role};
use weft_stun::Class;

use super::support::{A, B, Check, Lone, at, candidate, class, ms, path};

//= rfc8838#8
//# Therefore, a Trickle ICE agent MUST keep each checklist in the Running state as long as it expects candidate pairs to be incrementally added to the checklist.
#[test]
fn late_candidates_are_checked_and_have_their_time() {
    let mut lone = Lone::new(Role::Controlling, true);
    lone.remote_candidate("203.0.113.1:1", 0x7E00_FFFF);
    lone.advance(ms(38_000));
    lone.remote_candidate(B, 0x7E00_FEFF);
    let sent = lone.drain();
    assert_eq!(sent.iter().map(|s| s.0).collect::<Vec<_>>(), [path()]);
    lone.advance(ms(39_000));
    assert_eq!(lone.agent.state(), IceState::Checking);
    lone.advance(ms(1_000));
    assert_eq!(lone.agent.state(), IceState::Failed);
    // Even then.
    lone.remote_candidate("203.0.113.2:1", 0x7E00_FDFF);
    assert_eq!(lone.agent.state(), IceState::Checking);
}

//= rfc8838#14
//# After an agent has received an end-of-candidates indication, it MUST ignore any newly received candidates for that data stream or data session.
#[test]
fn the_end_is_the_end() {
    let mut lone = Lone::new(Role::Controlling, true);
    lone.agent.end_of_remote_candidates(lone.now);
    lone.remote_candidate(B, 0x7E00_FFFF);
    assert_eq!(lone.agent.remote_candidates().count(), 0);
    assert_eq!(lone.drain(), []);
}

#[test]
fn candidates_before_the_credentials_wait() {
    let mut lone = Lone::new(Role::Controlling, false);
    lone.remote_candidate(B, 0x7E00_FFFF);
    assert_eq!(lone.advance(ms(100)), []);
    assert_eq!(lone.agent.state(), IceState::New);
    lone.describe();
    assert_eq!(lone.drain().len(), 1);
    assert_eq!(lone.agent.state(), IceState::Checking);
}

#[test]
fn what_a_check_told_is_corrected_by_the_signal() {
    let mut lone = Lone::new(Role::Controlled, true);
    let check = Check { priority: Some(5), ..lone.check() };
    lone.receive(path(), &check.bytes());
    let known: Vec<_> = lone.agent.remote_candidates().copied().collect();
    assert_eq!((known[0].kind, known[0].priority), (CandidateKind::PeerReflexive, 5));
    lone.remote_candidate(B, 0x7E00_FFFF);
    let known: Vec<_> = lone.agent.remote_candidates().copied().collect();
    assert_eq!(known, [candidate(B, 0x7E00_FFFF)]);
    // Signalled again with other values, it stays as it is.
    lone.remote_candidate(B, 77);
    assert_eq!(lone.agent.remote_candidates().next(), Some(&candidate(B, 0x7E00_FFFF)));
}

//= rfc8445#6.1.2.5
//# In order to limit the attacks described in Section 19.5.1, an ICE agent MUST limit the total number of connectivity checks the agent performs across all checklists in the checklist set.
//= rfc8445#6.1.2.5
//# The default limit of candidate pairs for the checklist set is 100, but the value MUST be configurable.
#[test]
fn candidates_and_pairs_are_capped() {
    let mut lone = Lone::new(Role::Controlling, true);
    for n in 0..100 {
        lone.remote_candidate(&format!("203.0.113.1:{}", 1000 + n), 0x6400_00FF + (n << 8));
    }
    let refused = lone.agent.add_remote_candidate(lone.now, candidate(B, 0x7E00_FFFF));
    assert_eq!(refused, Err(CandidateError::TooMany));
    // Peer-reflexive ones count, too; the check is answered all the same.
    let check = lone.check();
    lone.receive(path(), &check.bytes());
    assert_eq!(class(&lone.transmit().unwrap().1), Class::Success);
    assert_eq!(lone.agent.remote_candidates().count(), 100);

    let mut lone = Lone::with(Config { max_pairs: 10, ..Config::default() }, Role::Controlling, false);
    for n in 0..20 {
        lone.remote_candidate(&format!("203.0.113.1:{}", 1000 + n), 0x6400_00FF + (n << 8));
    }
    lone.describe();
    let sent = lone.advance(ms(700));
    let mut ports: Vec<_> = sent.iter().map(|s| s.1.remote.port()).collect();
    ports.sort_unstable();
    ports.dedup();
    assert_eq!(ports, (1010..1020).collect::<Vec<_>>(), "the best ten");
}

#[test]
fn what_cannot_be_used_is_ignored_or_refused() {
    let mut lone = Lone::new(Role::Controlling, true);
    let now = lone.now;
    let mut add = |candidate| lone.agent.add_remote_candidate(now, candidate);
    let good = candidate(B, 0x7E00_FFFF);
    assert_eq!(add(weft_ice::Candidate { component: 2, ..good }), Ok(()));
    assert_eq!(add(weft_ice::Candidate { transport: weft_core::Transport::Tcp, ..good }), Ok(()));
    for address in ["198.51.100.2:0", "0.0.0.0:6000", "224.0.0.1:6000", "255.255.255.255:6000", "[::]:1", "[ff02::1]:1"]
    {
        assert_eq!(add(weft_ice::Candidate { address: at(address), ..good }), Err(CandidateError::Address));
    }
    for priority in [0, 1 << 31, u32::MAX] {
        assert_eq!(add(weft_ice::Candidate { priority, ..good }), Err(CandidateError::Priority));
    }
    assert_eq!((add(good), add(good)), (Ok(()), Ok(())));
    assert_eq!(lone.agent.remote_candidates().count(), 1);
    for address in ["0.0.0.0:5000", "10.0.0.1:0"] {
        let refused = lone.agent.add_local_candidate(now, LocalCandidate::host(at(address)));
        assert_eq!(refused, Err(CandidateError::Address));
    }
}

//= rfc8445#6.1.2.2
//# To keep the amount of resulting candidate pairs reasonable and to avoid candidate pairs that are highly unlikely to work, IPv6 link-local addresses MUST NOT be paired with other than link-local addresses.
#[test]
fn families_and_link_local_addresses_keep_to_themselves() {
    let mut lone = Lone::new(Role::Controlling, true);
    for address in ["[fe80::1%7]:5000", "[2001:db8::1]:5000"] {
        lone.agent.add_local_candidate(lone.now, LocalCandidate::host(at(address))).unwrap();
    }
    for (n, address) in [B, "[fe80::2]:6000", "[2001:db8::2]:6000"].into_iter().enumerate() {
        lone.remote_candidate(address, 0x7E00_FFFF - ((n as u32) << 8));
    }
    let mut paths: Vec<_> = lone.advance(ms(300)).into_iter().map(|(_, path, _)| path).collect();
    paths.sort();
    assert_eq!(
        paths,
        [
            Path::udp(at(A), at(B)),
            Path::udp(at("[2001:db8::1]:5000"), at("[2001:db8::2]:6000")),
            Path::udp(at("[fe80::1%7]:5000"), at("[fe80::2%7]:6000")),
        ]
    );
}

//= rfc8445#6.1.2.4
//# For each pair where the local candidate is reflexive, the candidate MUST be replaced by its base.
//= rfc8838#10
//# If a newly formed pair has a local candidate whose type is server-reflexive, the agent MUST replace the local candidate with its base before completing the relevant redundancy tests.
//= rfc8838#11
//# 3. If a newly formed pair has a local candidate whose type is server-reflexive, the agent MUST replace the local candidate with its base before completing the redundancy check in the next step.
#[test]
fn reflexive_candidates_make_no_pairs_of_their_own() {
    let mut lone = Lone::new(Role::Controlling, true);
    let server = at("203.0.113.53:3478").ip();
    let reflexive = LocalCandidate::server_reflexive(at("203.0.113.1:40000"), at(A), server);
    let signalled = *lone.agent.add_local_candidate(lone.now, reflexive).unwrap().unwrap();
    assert_eq!((signalled.kind, signalled.related), (CandidateKind::ServerReflexive, Some(at(A))));
    lone.remote_candidate(B, 0x7E00_FFFF);
    let sent = lone.advance(ms(400));
    assert_eq!(sent.iter().map(|s| s.1).collect::<Vec<_>>(), [path()]);
    // The response shows the address that the server has shown: that candidate is the pair's.
    let response = super::support::success(&sent[0].2, at("203.0.113.1:40000"), super::support::REMOTE_PWD);
    lone.receive(path(), &response);
    let info = lone.agent.selected_pair().unwrap();
    assert_eq!((info.local, info.path), (signalled, path()));
    assert_eq!(lone.agent.local_candidates().count(), 2);
}
