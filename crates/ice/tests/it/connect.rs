//! Two agents find each other.

use core::time::Duration;

use weft_core::Instant;
use weft_ice::{Agent, CandidateKind, Event, IceState, LocalCandidate, Role};
use weft_testkit::{Behaviour, LinkConfig, Loss, Nat, NatConfig, Pair, Verdict, for_seeds};

use super::support::{
    A, B, agent, at, both, connected, describe, link, ms, nominated, peer, peers, peers_of, signal, signal_candidates,
};

fn usable(agent: &Agent) -> bool {
    agent.selected_path().is_some()
}

//= rfc8445#8.1.1
//# The only requirement is that the agent MUST eventually pick one and only one candidate pair and generate a check for that pair with the USE-CANDIDATE attribute set.
#[test]
fn a_pair_is_usable_within_one_round_trip_and_nominated_within_two() {
    let mut pair = peers(link(50), 1);
    describe(&mut pair);
    let usable = pair.run_until(ms(1000), |pair| both(pair, usable)).unwrap();
    assert!(usable <= ms(110), "{usable:?}");
    let nominated = pair.run_until(ms(1000), |pair| both(pair, nominated)).unwrap();
    assert!(usable + nominated <= ms(210), "{nominated:?}");
    pair.run_for(Duration::from_secs(60));
    assert!(both(&pair, |agent| agent.state() == IceState::Completed));
    assert_eq!(pair.a.layer.selected_path().unwrap().remote, at(B));
    assert_eq!(pair.b.layer.selected_path().unwrap().remote, at(A));
    assert_eq!(pair.a.layer.rtt(), Some(ms(100)));
    let info = pair.a.layer.selected_pair().unwrap();
    assert_eq!((info.local.kind, info.remote.kind), (CandidateKind::Host, CandidateKind::Host));
}

#[test]
fn on_loopback_the_pair_is_selected_within_a_millisecond() {
    let fast = LinkConfig { delay: Duration::from_micros(40), ..LinkConfig::default() };
    let (mut a, mut b) = (agent(Role::Controlling, 1), agent(Role::Controlled, 2));
    let now = Instant::ORIGIN;
    for (n, ip) in ["[::1]", "127.0.0.1", "[2001:db8::7]", "192.0.2.7", "10.0.0.7"].iter().enumerate() {
        a.add_local_candidate(now, LocalCandidate::host(at(&format!("{ip}:{}", 5000 + n)))).unwrap();
        b.add_local_candidate(now, LocalCandidate::host(at(&format!("{ip}:{}", 6000 + n)))).unwrap();
    }
    let mut pair = Pair::new(peer(a), peer(b), fast, 1);
    describe(&mut pair);
    let took = pair.run_until(ms(100), |pair| both(pair, nominated)).unwrap();
    assert!(took <= ms(1), "{took:?}");
    assert_eq!(pair.a.layer.selected_path().unwrap().remote, at("[::1]:6000"));
}

#[test]
fn nothing_is_late_when_the_descriptions_are() {
    // The answerer has both descriptions at once; the offerer gets the answer 300 ms later.
    for offerer in [Role::Controlling, Role::Controlled] {
        let mut pair = peers_of(agent(offerer, 1), agent(offerer.other(), 2), link(20), 1);
        signal(&pair.a.layer, &mut pair.b.layer, Instant::ORIGIN);
        pair.run_for(ms(300));
        assert!(usable(&pair.b.layer), "the offerer answers checks before it has the answer");
        assert!(!usable(&pair.a.layer));
        let now = pair.now();
        signal(&pair.b.layer, &mut pair.a.layer, now);
        let took = pair.run_until(ms(1000), |pair| both(pair, nominated)).unwrap();
        assert!(took <= ms(90), "{offerer:?}: {took:?}");
    }
}

//= rfc8445#7.3
//# Once the answer is received, it MUST proceed with the remaining steps required; namely, see Sections 7.3.1.3, 7.3.1.4, and 7.3.1.5 for full implementations.
#[test]
fn names_that_cannot_be_resolved_do_not_matter() {
    // B's candidates are `.local` names: A never hears of an address, but B knows A's.
    for role in [Role::Controlling, Role::Controlled] {
        let mut pair = peers_of(agent(role, 1), agent(role.other(), 2), link(20), 1);
        let now = Instant::ORIGIN;
        let b_credentials = pair.b.layer.local_credentials().clone();
        pair.a.layer.set_remote_credentials(now, &b_credentials);
        signal(&pair.a.layer, &mut pair.b.layer, now);
        let took = pair.run_until(ms(1000), |pair| both(pair, nominated)).unwrap();
        assert!(took <= ms(110), "{took:?}");
        assert_eq!(pair.a.layer.selected_pair().unwrap().remote.kind, CandidateKind::PeerReflexive);
        assert!(pair.a.take_event(|e| matches!(e, Event::RemotePeerReflexive(c) if c.address == at(B))).is_some());
    }
}

//= rfc8445#7.2.5.3.1
//# The ICE agent MUST check the mapped address from the STUN response.
#[test]
fn through_a_translator() {
    for (mapping, role) in
        [(Behaviour::EndpointIndependent, Role::Controlling), (Behaviour::AddressAndPortDependent, Role::Controlled)]
    {
        let mut pair = peers_of(agent(role, 1), agent(role.other(), 2), link(20), 1);
        let outside = at("203.0.113.9:0").ip();
        let config = NatConfig { mapping, filtering: Behaviour::AddressAndPortDependent, ..NatConfig::FULL_CONE };
        pair.a_nat = Some(Nat::new(outside, config));
        describe(&mut pair);
        pair.run_until(ms(1000), |pair| both(pair, nominated)).unwrap();
        let info = pair.a.layer.selected_pair().unwrap();
        assert_eq!((info.local.kind, info.local.address.ip()), (CandidateKind::PeerReflexive, outside));
        assert_eq!(info.local.related, Some(at(A)));
        assert_eq!(info.path.local, at(A), "data leaves from the base");
        let info = pair.b.layer.selected_pair().unwrap();
        assert_eq!((info.remote.kind, info.remote.address.ip()), (CandidateKind::PeerReflexive, outside));
        let learnt = pair.a.take_event(|e| matches!(e, Event::LocalPeerReflexive(c) if c.address.ip() == outside));
        assert!(learnt.is_some());
    }
}

#[test]
fn both_families_and_a_dead_one() {
    for dead_v6 in [false, true] {
        let (mut a, mut b) = (agent(Role::Controlling, 1), agent(Role::Controlled, 2));
        for (agent, v4, v6) in [(&mut a, A, "[2001:db8::1]:5000"), (&mut b, B, "[2001:db8::2]:6000")] {
            agent.add_local_candidate(Instant::ORIGIN, LocalCandidate::host(at(v4))).unwrap();
            agent.add_local_candidate(Instant::ORIGIN, LocalCandidate::host(at(v6))).unwrap();
        }
        let mut pair = Pair::new(peer(a), peer(b), link(10), 1);
        if dead_v6 {
            pair.set_filter(|_, _, packet| if packet.path.local.is_ipv6() { Verdict::Drop } else { Verdict::Pass });
        }
        describe(&mut pair);
        let first = pair.run_until(ms(1000), |pair| both(pair, usable)).unwrap();
        assert!(first <= ms(if dead_v6 { 72 } else { 22 }), "{first:?}");
        let took = first + pair.run_until(ms(1000), |pair| both(pair, nominated)).unwrap();
        assert!(took <= ms(if dead_v6 { 300 } else { 50 }), "{took:?}");
        let v6 = pair.a.layer.selected_path().unwrap().remote.is_ipv6();
        assert_eq!(v6, !dead_v6, "IPv6 is preferred where it works");
    }
}

//= rfc8445#12.1
//# Once selected pairs have been produced for a data stream, an agent MUST send data on those pairs only.
// RFC 8445 section 12.1: An ICE agent MAY send data on any valid pair before selected pairs have been produced for the data stream.
#[test]
fn data_flows_by_the_valid_pair_and_then_by_the_nominated_one() {
    // A has two addresses. The better pair is slow to answer, so the other carries data first.
    let (mut a, mut b) = (agent(Role::Controlling, 1), agent(Role::Controlled, 2));
    a.add_local_candidate(Instant::ORIGIN, LocalCandidate::host(at(A))).unwrap();
    a.add_local_candidate(Instant::ORIGIN, LocalCandidate::host(at("10.0.0.1:5001"))).unwrap();
    b.add_local_candidate(Instant::ORIGIN, LocalCandidate::host(at(B))).unwrap();
    let mut pair = Pair::new(peer(a), peer(b), link(5), 1);
    pair.set_filter(|_, _, packet| {
        let better = packet.path.local == at(A) || packet.path.remote == at(A);
        if better { Verdict::Delay(ms(60)) } else { Verdict::Pass }
    });
    describe(&mut pair);
    pair.run_until(ms(1000), |pair| pair.a.layer.selected_path().is_some()).unwrap();
    assert_eq!(pair.a.layer.selected_path().unwrap().local, at("10.0.0.1:5001"));
    assert!(!nominated(&pair.a.layer));
    pair.run_until(ms(1000), |pair| both(pair, nominated)).unwrap();
    assert_eq!(pair.a.layer.selected_path().unwrap().local, at(A));
    assert_eq!(pair.b.layer.selected_path().unwrap().remote, at(A));
    pair.run_for(Duration::from_secs(3));
    assert_eq!(pair.a.layer.selected_path().unwrap().local, at(A));
}

//= rfc8445#5.3
//# Once an agent has sent its candidate information, it MUST be prepared to receive both STUN and data packets on each candidate.
#[test]
fn payload_passes_only_by_validated_paths() {
    let mut pair = connected(link(5), 1);
    let path = pair.a.layer.selected_path().unwrap();
    let b_path = pair.b.layer.selected_path().unwrap();
    assert!(pair.b.layer.is_validated(&b_path));
    pair.inject(weft_testkit::Side::B, weft_testkit::Packet::new(path, [22, 254, 253, 1]));
    pair.inject(weft_testkit::Side::B, weft_testkit::Packet::new(path, []));
    let elsewhere = weft_core::Path::udp(at("203.0.113.66:1"), at(B));
    pair.inject(weft_testkit::Side::B, weft_testkit::Packet::new(elsewhere, [22, 254, 253, 2]));
    pair.run_for(ms(1));
    assert_eq!(pair.b.collected, [vec![22, 254, 253, 1], vec![]]);
    assert_eq!(pair.b.layer.stats().unvalidated, 1);
}

#[test]
fn over_bad_links() {
    for_seeds("over_bad_links", 100_000, |seed| {
        let bad = LinkConfig {
            delay: ms(50),
            jitter: ms(20),
            loss: Loss::Random(0.1),
            reorder: 0.05,
            duplicate: 0.05,
            corrupt: 0.02,
            ..LinkConfig::default()
        };
        let a = agent(if seed % 2 == 0 { Role::Controlling } else { Role::Controlled }, 2 * seed);
        // One in eight begins with a role conflict.
        let role = if seed % 8 == 7 { a.role() } else { a.role().other() };
        let mut pair = peers_of(a, agent(role, 2 * seed + 1), bad, seed);
        if seed % 3 == 0 {
            pair.a_nat = Some(Nat::new(at("203.0.113.9:0").ip(), NatConfig::HOME));
        }
        signal(&pair.a.layer, &mut pair.b.layer, Instant::ORIGIN);
        let credentials = pair.b.layer.local_credentials().clone();
        if seed % 5 != 0 {
            pair.a.layer.set_remote_credentials(Instant::ORIGIN, &credentials);
        }
        pair.run_for(ms(seed % 400));
        let now = pair.now();
        signal(&pair.b.layer, &mut pair.a.layer, now);
        pair.run_until(Duration::from_secs(45), |pair| both(pair, nominated)).unwrap();
        pair.run_for(Duration::from_secs(40));
        assert!(both(&pair, nominated));
        assert_ne!(pair.a.layer.role(), pair.b.layer.role());
        assert!(both(&pair, |agent| agent.state() != IceState::Failed));
    });
}

#[test]
fn at_a_tenth_of_loss_most_pairs_are_usable_within_a_second() {
    let mut times = Vec::new();
    for_seeds("at_a_tenth_of_loss_most_pairs_are_usable_within_a_second", 20_000, |seed| {
        let lossy = LinkConfig { delay: ms(50), loss: Loss::Random(0.1), ..LinkConfig::default() };
        let mut pair = peers(lossy, seed);
        describe(&mut pair);
        times.push(pair.run_until(Duration::from_secs(20), |pair| both(pair, usable)).unwrap());
    });
    times.sort();
    let p95 = times[times.len() * 95 / 100];
    println!("median {:?}, p95 {p95:?}, of {}", times[times.len() / 2], times.len());
    assert!(p95 < ms(1000) || times.len() < 20, "{p95:?}");
}

#[test]
fn a_controlled_agent_tolerates_every_order_of_signalling() {
    for_seeds("a_controlled_agent_tolerates_every_order_of_signalling", 10_000, |seed| {
        let mut pair = peers(link(seed % 30), seed);
        let mut steps: Vec<u8> = vec![0, 1, 2, 3];
        let mut rng = weft_core::Rng::from_test_seed(seed);
        for i in (1..steps.len()).rev() {
            steps.swap(i, rng.below(i as u64 + 1) as usize);
        }
        for step in steps {
            let now = pair.now();
            let (a, b) = (&mut pair.a.layer, &mut pair.b.layer);
            match step {
                0 => a.set_remote_credentials(now, b.local_credentials()),
                1 => b.set_remote_credentials(now, a.local_credentials()),
                2 => signal_candidates(a, b, now),
                _ => signal_candidates(b, a, now),
            }
            pair.run_for(ms(rng.below(80)));
        }
        let took = pair.run_until(ms(2000), |pair| both(pair, nominated)).unwrap();
        assert!(took <= ms(600), "{took:?}");
    });
}
