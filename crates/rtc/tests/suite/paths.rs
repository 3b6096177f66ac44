//! Paths and addresses that change, names that stand for addresses, and what is told of all this.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use weft_rtc::ice::{CandidateKind, CheckResult, RestartReason};
use weft_rtc::sdp::Candidate;
use weft_rtc::{ChannelId, Config, Description, Event, IceCandidate, MdnsPolicy, MessageKind, Request, TcpCandidates};
use weft_testkit::{A_V4, B_V4, LinkConfig, Nat, NatConfig, for_seeds};

use crate::support::{Peer, Peers, connected, link, negotiate, peers, peers_with, send_some};

fn second() -> SocketAddr {
    "192.0.2.101:5001".parse().unwrap()
}

fn quiet() -> Config {
    Config::default().with_tcp_candidates(TcpCandidates::None)
}

fn open(pair: &mut Peers) -> (ChannelId, ChannelId) {
    let here = pair.a.pc.create_data_channel(pair.now(), weft_rtc::DataChannelInit::new("x")).unwrap();
    negotiate(pair);
    pair.run_until(Duration::from_secs(30), |p| connected(p) && p.b.incoming().is_some()).unwrap();
    (here, pair.b.incoming().unwrap())
}

fn local(peer: &Peer) -> SocketAddr {
    peer.pc.stats().selected_pair.unwrap().path.local
}

/// Sends messages of 1,000 bytes, one each 5 ms, from either side; gives the longest pause in what arrives at either.
fn longest_pause(pair: &mut Peers, channels: (ChannelId, ChannelId), time: Duration) -> Duration {
    let end = pair.now() + time;
    let (mut last, mut longest) = ([pair.now(); 2], Duration::ZERO);
    let mut seen = [pair.a.messages.len(), pair.b.messages.len()];
    let message = Bytes::from(vec![7; 1000]);
    while pair.now() < end {
        let now = pair.now();
        let _ = pair.a.pc.send(now, channels.0, MessageKind::Binary, message.clone());
        let _ = pair.b.pc.send(now, channels.1, MessageKind::Binary, message.clone());
        pair.run_for(Duration::from_millis(5));
        for (at, count) in [pair.a.messages.len(), pair.b.messages.len()].into_iter().enumerate() {
            longest = longest.max(pair.now() - last[at]);
            if count > seen[at] {
                (seen[at], last[at]) = (count, pair.now());
            }
        }
    }
    longest
}

//= rfc8261#6.1
//# If the SCTP layer is notified about a path change by its lower layers, SCTP SHOULD retest the path MTU and reset the congestion state to the initial state.
#[test]
fn another_pair_is_another_path_for_sctp() {
    let mut pair = peers_with(link(40), 1, quiet(), quiet());
    let now = pair.now();
    pair.a.pc.add_host_address(now, second());
    let (here, _) = open(&mut pair);
    let fresh = pair.a.pc.stats().sctp;
    let messages = vec![Bytes::from(vec![7; 60_000]); 100];
    let mut sent = 0;
    let mut transfer = |pair: &mut Peers| {
        let before = pair.b.messages.len();
        pair.run_until(Duration::from_secs(60), |p| {
            let now = p.now();
            sent += send_some(&mut p.a.pc, now, here, &messages[sent % messages.len()..]);
            p.b.messages.len() >= before + 60
        })
        .unwrap();
    };
    transfer(&mut pair);
    let grown = pair.a.pc.stats().sctp;
    assert!(grown.cwnd > 4 * fresh.cwnd && grown.mtu > fresh.mtu, "{grown:?}");

    let used = local(&pair.a);
    let now = pair.now();
    pair.a.pc.remove_host_address(now, used);
    pair.run_until(Duration::from_secs(5), |p| p.a.pc.stats().selected_pair.is_some_and(|new| new.path.local != used))
        .unwrap();
    let anew = pair.a.pc.stats().sctp;
    assert!(anew.cwnd <= fresh.cwnd && anew.mtu == 1160, "{anew:?}, at first {fresh:?}");
    transfer(&mut pair);
    pair.run_for(Duration::from_secs(5));
    let again = pair.a.pc.stats().sctp;
    assert!(again.cwnd > 4 * fresh.cwnd && again.mtu == grown.mtu, "{again:?}");
    assert!(!pair.a.saw(|event| matches!(event, Event::IceRestartNeeded(_))), "the agent moved by itself");
}

//= rfc8261#4
//# An implementation of SCTP over DTLS MUST implement and use a path maximum transmission unit (MTU) discovery method that functions without ICMP to provide SCTP/DTLS with an MTU estimate.
//= rfc8261#5
//# The DTLS MUST support sending messages larger than the current path MTU.
//= rfc8261#6.2
//# When the SCTP layer performs path MTU discovery as specified in [RFC4821], the padding extension defined in [RFC4820] MUST be supported and used for probe packets (HEARTBEAT chunks bundled with PADDING chunks [RFC4820]).
//= rfc8831#5
//# Therefore, SCTP MUST support performing Path MTU discovery without relying on ICMP or ICMPv6 as specified in [RFC4821] by using probing messages specified in [RFC4820].
#[test]
fn the_first_pair_and_its_nomination_disturb_nothing() {
    let mut pair = peers_with(link(40), 2, quiet(), quiet());
    open(&mut pair);
    pair.run_for(Duration::from_secs(5));
    let stats = pair.a.pc.stats().sctp;
    assert_eq!(stats.mtu, 1432, "tested once, and kept");
}

/// A translator that forgets its mappings in the middle of a transfer.
#[test]
fn a_rebinding_nat_costs_less_than_five_seconds() {
    for_seeds("a_rebinding_nat_costs_less_than_five_seconds", 400, |seed| {
        let behind_a = seed % 2 == 0;
        let mut pair = peers_with(link(30), seed, quiet(), quiet());
        let nat = |n: u64| {
            let address = if behind_a { "203.0.113.1" } else { "203.0.113.2" };
            let mut nat = Nat::new(address.parse().unwrap(), NatConfig::HOME);
            // Other ports than before.
            for port in 0..n {
                nat.outbound(weft_core::Instant::ORIGIN, SocketAddr::new(A_V4.ip(), 40_000 + port as u16), B_V4);
            }
            Some(nat)
        };
        *(if behind_a { &mut pair.a_nat } else { &mut pair.b_nat }) = nat(0);
        let channels = open(&mut pair);
        let before = longest_pause(&mut pair, channels, Duration::from_secs(2));
        assert!(before < Duration::from_millis(500), "{before:?} before");
        *(if behind_a { &mut pair.a_nat } else { &mut pair.b_nat }) = nat(1 + seed % 100);
        let pause = longest_pause(&mut pair, channels, Duration::from_secs(12));
        assert!(pause <= Duration::from_secs(5), "behind {}: {pause:?}", if behind_a { "a" } else { "b" });
        for peer in [&pair.a, &pair.b] {
            assert!(!peer.saw(|event| matches!(event, Event::Failed(_) | Event::IceRestartNeeded(_))));
        }
    });
}

#[test]
fn an_address_that_vanishes_without_another_asks_for_a_restart() {
    let mut pair = peers_with(link(20), 3, quiet(), quiet());
    let (here, _) = open(&mut pair);
    let now = pair.now();
    pair.a.pc.remove_host_address(now, A_V4);
    pair.run_for(Duration::from_secs(1));
    let needed = |peer: &Peer| peer.events.iter().filter(|event| matches!(event, Event::NegotiationNeeded)).count();
    assert!(pair.a.saw(|event| matches!(event, Event::IceRestartNeeded(RestartReason::AddressGone))));
    assert_eq!((needed(&pair.a), pair.a.pc.negotiation_needed()), (2, true), "the first was for the channel");

    // The offer comes too early: there is no address yet. The one that comes then asks for another.
    negotiate(&mut pair);
    assert!(!pair.a.pc.negotiation_needed());
    let now = pair.now();
    pair.a.pc.add_host_address(now, second());
    pair.run_for(Duration::from_millis(10));
    assert!(pair.a.pc.negotiation_needed());
    negotiate(&mut pair);
    assert!(pair.a.pc.local_description().unwrap().sdp.contains("192.0.2.101"));
    assert!(!pair.a.pc.local_description().unwrap().sdp.contains("192.0.2.1 "));
    let now = pair.now();
    pair.a.pc.send(now, here, MessageKind::Text, Bytes::from_static(b"moved")).unwrap();
    pair.run_until(Duration::from_secs(10), |p| p.b.messages.iter().any(|(_, m)| &m.data[..] == b"moved")).unwrap();
    assert_eq!(local(&pair.a), second());
}

#[test]
fn an_interface_that_appears_and_one_that_vanishes_need_no_restart_if_a_pair_works() {
    let mut pair = peers_with(link(20), 4, quiet(), quiet());
    let now = pair.now();
    pair.a.pc.add_host_address(now, second());
    let channels = open(&mut pair);
    let used = local(&pair.a);
    let now = pair.now();
    pair.a.pc.remove_host_address(now, used);
    let pause = longest_pause(&mut pair, channels, Duration::from_secs(5));
    assert!(pause < Duration::from_millis(1500), "{pause:?}");
    assert_ne!(local(&pair.a), used);
    assert!(!pair.a.pc.negotiation_needed() && !pair.b.pc.negotiation_needed());
}

/// What A signals, but with `name` in place of its address.
fn named(candidate: &IceCandidate, name: &str) -> IceCandidate {
    IceCandidate { candidate: candidate.candidate.replace("192.0.2.1", name), ..candidate.clone() }
}

#[test]
fn names_of_candidates_are_resolved_and_hold_up_nothing() {
    for resolves in [true, false] {
        let mut pair = peers_with(link(20), 5, quiet(), quiet());
        let now = pair.now();
        pair.a.pc.create_data_channel(now, weft_rtc::DataChannelInit::new("x")).unwrap();
        let offer = pair.a.pc.create_offer().unwrap();
        pair.a.pc.set_local_description(now, Some(offer.clone())).unwrap();
        answer(&mut pair, &offer);
        pair.flush();
        let name = "5b8f8a52-2b3a-4c1e-9d4b-2f0d9f4a3c11.local";
        for candidate in std::mem::take(&mut pair.a.candidates) {
            pair.b.pc.add_ice_candidate(now, &named(&candidate, name)).unwrap();
        }
        assert_eq!(pair.b.pc.poll_request(), Some(Request::ResolveCandidate(name.to_owned())));
        assert_eq!(pair.b.pc.poll_request(), None, "each name once");
        if resolves {
            // A knows nothing of B: only B can begin.
            pair.b.pc.candidate_resolved(now, name, &[A_V4.ip()]);
        } else {
            // B can do nothing, and A's own checks do.
            for candidate in std::mem::take(&mut pair.b.candidates) {
                pair.a.pc.add_ice_candidate(now, &candidate).unwrap();
            }
            pair.b.pc.candidate_resolved(now, name, &[]);
        }
        pair.run_until(Duration::from_millis(500), connected).unwrap();
        let remote = pair.b.pc.stats().selected_pair.unwrap().remote;
        assert_eq!(remote.kind, if resolves { CandidateKind::Host } else { CandidateKind::PeerReflexive });
        assert_eq!(pair.b.pc.stats().counters.ignored_candidates, u64::from(!resolves));
    }
}

#[test]
fn the_end_of_candidates_waits_for_names() {
    let mut pair = peers_with(link(20), 6, quiet(), quiet());
    let now = pair.now();
    pair.a.pc.create_data_channel(now, weft_rtc::DataChannelInit::new("x")).unwrap();
    negotiate_named(&mut pair, "9b36eaac-bb2e-49bb-bb78-21c41c499900.local");
    assert_eq!(pair.b.pc.stats().counters.ignored_candidates, 0);
    pair.b.pc.candidate_resolved(now, "9b36eaac-bb2e-49bb-bb78-21c41c499900.local", &[A_V4.ip()]);
    pair.run_until(Duration::from_secs(1), connected).unwrap();
}

/// The end of candidates that waits for a name is that of its own session: after a restart it ends nothing.
#[test]
fn an_end_of_candidates_does_not_outlive_its_session() {
    let name = "9b36eaac-bb2e-49bb-bb78-21c41c499900.local";
    let mut pair = peers_with(link(20), 6, quiet(), quiet());
    let now = pair.now();
    pair.a.pc.create_data_channel(now, weft_rtc::DataChannelInit::new("x")).unwrap();
    negotiate_named(&mut pair, name);
    pair.flush();
    pair.a.candidates.clear();
    pair.a.pc.restart_ice().unwrap();
    let offer = pair.a.pc.create_offer().unwrap();
    pair.a.pc.set_local_description(now, Some(offer.clone())).unwrap();
    answer(&mut pair, &offer);
    pair.flush();
    pair.b.pc.candidate_resolved(now, name, &[]);
    let candidates = std::mem::take(&mut pair.a.candidates);
    assert!(!candidates.is_empty());
    for candidate in candidates {
        pair.b.pc.add_ice_candidate(now, &candidate).unwrap();
    }
    assert_eq!(pair.b.pc.stats().counters.ignored_candidates, 0);
    pair.run_until(Duration::from_secs(1), connected).unwrap();
}

/// So is a name: what is found of it is no candidate of another peer, who answered the same offer.
#[test]
fn names_and_the_end_of_candidates_are_those_of_the_peer_who_gave_them() {
    let name = "9b36eaac-bb2e-49bb-bb78-21c41c499900.local";
    let mut pair = peers_with(link(20), 6, quiet(), quiet());
    let mut fork = peers_with(link(20), 7, quiet(), quiet());
    let now = pair.now();
    pair.a.pc.create_data_channel(now, weft_rtc::DataChannelInit::new("x")).unwrap();
    let offer = pair.a.pc.create_offer().unwrap();
    pair.a.pc.set_local_description(now, Some(offer.clone())).unwrap();
    fork.b.pc.set_remote_description(now, &offer).unwrap();
    let early = fork.b.pc.create_answer().unwrap();
    let candidates = format!("a=candidate:1 1 udp 2130706431 {name} 4000 typ host\r\na=end-of-candidates\r\n");
    let early = Description::pranswer(format!("{}{candidates}", early.sdp));
    pair.a.pc.set_remote_description(now, &early).unwrap();
    answer(&mut pair, &offer);
    pair.flush();
    pair.a.pc.candidate_resolved(now, name, &[]);
    for candidate in std::mem::take(&mut pair.b.candidates) {
        pair.a.pc.add_ice_candidate(now, &candidate).unwrap();
    }
    assert_eq!(pair.a.pc.stats().counters.ignored_candidates, 0);
    pair.run_until(Duration::from_secs(1), connected).unwrap();
}

/// B answers an offer, and A hears of it.
fn answer(pair: &mut Peers, offer: &Description) {
    let now = pair.now();
    pair.b.pc.set_remote_description(now, offer).unwrap();
    let answer = pair.b.pc.create_answer().unwrap();
    pair.b.pc.set_local_description(now, Some(answer.clone())).unwrap();
    pair.a.pc.set_remote_description(now, &answer).unwrap();
}

/// B is told of A by name and with the end of candidates; A is told nothing of B's candidates.
fn negotiate_named(pair: &mut Peers, name: &str) {
    let now = pair.now();
    pair.a.pc.set_local_description(now, None).unwrap();
    let mut offer = pair.a.pc.local_description().unwrap();
    assert!(offer.sdp.contains("a=end-of-candidates"));
    offer.sdp = offer.sdp.replace("192.0.2.1 ", &format!("{name} "));
    answer(pair, &offer);
}

#[test]
fn own_addresses_hide_behind_names() {
    let config = Config::default().with_mdns(MdnsPolicy::Hide);
    let mut peer = Peer::new(1, config);
    let now = weft_core::Instant::ORIGIN;
    peer.pc.add_hidden_host_address(now, A_V4, "0af3c1d2-0000-4000-8000-000000000001.local");
    peer.pc.create_data_channel(now, weft_rtc::DataChannelInit::new("x")).unwrap();
    peer.pc.set_local_description(now, None).unwrap();
    let sdp = peer.pc.local_description().unwrap().sdp;
    assert!(!sdp.contains("192.0.2.1"), "{sdp}");
    let candidates: Vec<Candidate> =
        sdp.lines().filter_map(|line| line.strip_prefix("a=candidate:")?.parse().ok()).collect();
    let named = sdp.lines().filter(|line| line.contains("0af3c1d2-0000-4000-8000-000000000001.local")).count();
    assert_eq!(named, 2, "UDP and TCP: {sdp} {candidates:?}");
}

#[test]
fn tcp_candidates_are_signalled_as_configured() {
    let listener: SocketAddr = "192.0.2.1:7000".parse().unwrap();
    for (tcp, active, passive) in [
        (TcpCandidates::None, false, false),
        (TcpCandidates::Active, true, false),
        (TcpCandidates::ActiveAndPassive, true, true),
    ] {
        let mut peer = Peer::new(1, Config::default().with_tcp_candidates(tcp));
        let now = weft_core::Instant::ORIGIN;
        peer.pc.add_host_address(now, A_V4);
        peer.pc.add_tcp_listener(now, listener);
        peer.pc.create_data_channel(now, weft_rtc::DataChannelInit::new("x")).unwrap();
        peer.pc.set_local_description(now, None).unwrap();
        let sdp = peer.pc.local_description().unwrap().sdp;
        assert_eq!(sdp.contains(" 192.0.2.1 9 typ host tcptype active"), active, "{sdp}");
        assert_eq!(sdp.contains(" 192.0.2.1 7000 typ host tcptype passive"), passive, "{sdp}");
    }
}

#[test]
fn checks_and_pairs_are_told_of() {
    let mut config = quiet();
    config.report_checks = true;
    let mut pair = peers_with(link(20), 7, config.clone(), config);
    open(&mut pair);
    pair.run_for(Duration::from_secs(1));
    assert!(pair.a.saw(|event| matches!(event, Event::IceCheck(path, CheckResult::Succeeded) if path.remote == B_V4)));
    let mut told = pair.a.events.iter().filter_map(|event| match event {
        Event::SelectedPair(pair) => Some(pair),
        _ => None,
    });
    let pair_told = told.next_back().unwrap();
    assert!(pair_told.nominated && pair_told.rtt.is_some_and(|rtt| rtt >= Duration::from_millis(20)), "{pair_told:?}");
    assert_eq!((pair_told.local.address, pair_told.remote.address), (A_V4, B_V4));

    let mut silent = peers(LinkConfig::default(), 8);
    open(&mut silent);
    assert!(!silent.a.saw(|event| matches!(event, Event::IceCheck(..))), "only when asked for");
}

//= rfc8839#4.4.1.1.1
//# The agent MUST NOT modify the SDP "ice-options", "ice-pacing", and "ice-lite" attributes in a subsequent offer unless the offer is sent in order to request an ICE restart.
//= rfc8839#4.4.2.1
//# The answerer MUST NOT modify the SDP "ice-options", "ice-pacing", and "ice-lite" attributes in a subsequent answer unless the answer is sent for an offer that was used to request an ICE restart (Section 4.4.1.1.1).
#[test]
fn renomination_is_offered_and_answered() {
    let mut pair = peers(link(10), 9);
    open(&mut pair);
    for exchange in 0..2 {
        for peer in [&pair.a, &pair.b] {
            let sdp = peer.pc.local_description().unwrap().sdp;
            assert!(sdp.contains("a=ice-options:trickle ice2 renomination\r\n"), "{exchange}: {sdp}");
            assert!(!sdp.contains("a=ice-lite") && !sdp.contains("a=ice-pacing"), "{exchange}: {sdp}");
        }
        negotiate(&mut pair);
    }
}
