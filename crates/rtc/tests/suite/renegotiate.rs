//! Descriptions exchanged again: restarts of ICE, rollback, provisional answers, glare, new DTLS associations.

use std::time::Duration;

use bytes::Bytes;
use weft_rtc::dtls::HashAlgorithm;
use weft_rtc::sdp::jsep::Description;
use weft_rtc::{
    ChannelId, ChannelState, Config, ConnectionState, DataChannelInit, DtlsState, Event, GatheringState,
    IceConnectionState, MessageKind, OfferOptions, SctpState, SdpType, SignalingState,
};
use weft_testkit::{LinkConfig, Loss, Side, Verdict, for_seeds};

use crate::support::{Peer, Peers, connected, link, negotiate, peers, peers_with};

/// What a description says once.
fn value<'a>(sdp: &'a str, name: &str) -> &'a str {
    sdp.lines().find_map(|line| line.strip_prefix(name)).unwrap()
}

fn ufrag(description: &Description) -> &str {
    value(&description.sdp, "a=ice-ufrag:")
}

fn peer(pair: &mut Peers, side: Side) -> &mut Peer {
    match side {
        Side::A => &mut pair.a,
        Side::B => &mut pair.b,
    }
}

/// Two connected peers with a channel: its handles.
fn connected_pair(config: LinkConfig, seed: u64) -> (Peers, ChannelId, ChannelId) {
    let mut pair = peers(config, seed);
    let here = pair.a.pc.create_data_channel(pair.now(), DataChannelInit::new("x")).unwrap();
    negotiate(&mut pair);
    pair.run_until(Duration::from_secs(30), |p| connected(p) && p.b.incoming().is_some()).unwrap();
    let there = pair.b.incoming().unwrap();
    (pair, here, there)
}

/// `from` offers, the other side answers, with or without candidates in the descriptions.
fn exchange(pair: &mut Peers, from: Side, options: OfferOptions, whole: bool) {
    let now = pair.now();
    let offerer = &mut peer(pair, from).pc;
    let offer = offerer.create_offer_with(options).unwrap();
    offerer.set_local_description(now, Some(offer.clone())).unwrap();
    let offer = if whole { offerer.local_description().unwrap() } else { offer };
    let answerer = &mut peer(pair, from.other()).pc;
    answerer.set_remote_description(now, &offer).unwrap();
    let answer = answerer.create_answer().unwrap();
    answerer.set_local_description(now, Some(answer.clone())).unwrap();
    let answer = if whole { answerer.local_description().unwrap() } else { answer };
    peer(pair, from).pc.set_remote_description(now, &answer).unwrap();
}

/// Hands over the candidates found so far.
fn trickle(pair: &mut Peers) {
    let now = pair.now();
    for side in [Side::A, Side::B] {
        for candidate in std::mem::take(&mut peer(pair, side).candidates) {
            peer(pair, side.other()).pc.add_ice_candidate(now, &candidate).unwrap();
        }
    }
}

fn say(pair: &mut Peers, from: Side, channel: ChannelId, text: &str) {
    let now = pair.now();
    let text = Bytes::copy_from_slice(text.as_bytes());
    peer(pair, from).pc.send(now, channel, MessageKind::Text, text.clone()).unwrap();
    let heard = |p: &mut Peers| peer(p, from.other()).messages.iter().any(|(_, message)| message.data == text);
    pair.run_until(Duration::from_secs(30), heard).unwrap();
}

/// What idle connections keep in little room is told again, whoever offers, and by a restart of ICE, too.
#[test]
fn descriptions_after_idleness_repeat_all_candidates() {
    let (mut pair, here, _) = connected_pair(link(5), 3);
    let told = |pair: &Peers| {
        [&pair.a, &pair.b].map(|peer| {
            let sdp = peer.pc.local_description().unwrap().sdp;
            let wanted = |line: &&str| ["a=candidate:", "a=end-of", "a=ice-"].iter().any(|name| line.starts_with(name));
            sdp.lines().filter(wanted).map(str::to_owned).collect::<Vec<_>>()
        })
    };
    trickle(&mut pair);
    let before = told(&pair);
    assert!(before.iter().flatten().filter(|line| line.starts_with("a=candidate:")).count() >= 2, "{before:?}");
    for from in [Side::A, Side::B, Side::A] {
        pair.run_for(Duration::from_secs(20));
        let now = pair.now();
        let offerer = &mut peer(&mut pair, from).pc;
        offerer.set_local_description(now, None).unwrap();
        offerer.set_local_description(now, Some(Description::rollback())).unwrap();
        pair.run_for(Duration::from_secs(20));
        exchange(&mut pair, from, OfferOptions::default(), false);
        assert_eq!(told(&pair), before);
        say(&mut pair, Side::A, here, &format!("{from:?} {now:?}"));
    }
    pair.run_for(Duration::from_secs(20));
    exchange(&mut pair, Side::B, OfferOptions::ICE_RESTART, true);
    let candidates = |told: [Vec<String>; 2]| told.map(|lines| lines.iter().filter(|l| !l.contains("ice-")).count());
    assert_eq!(candidates(told(&pair)), candidates(before));
    say(&mut pair, Side::A, here, "restarted");
}

#[test]
fn ice_restarts_from_either_side_while_data_flows() {
    for_seeds("ice_restarts_from_either_side_while_data_flows", 2_000, |seed| {
        let bad = LinkConfig {
            delay: Duration::from_millis(10 + seed % 30),
            loss: Loss::Random(0.05),
            ..LinkConfig::default()
        };
        let (mut pair, here, there) = connected_pair(bad, seed);
        let from = if seed % 2 == 0 { Side::A } else { Side::B };
        let before = [pair.a.pc.local_description().unwrap(), pair.b.pc.local_description().unwrap()];
        trickle(&mut pair);
        let selected = |peer: &Peer| peer.events.iter().filter(|e| matches!(e, Event::SelectedPair(_))).count();
        let seen = [selected(&pair.a), selected(&pair.b)];
        exchange(&mut pair, from, OfferOptions::ICE_RESTART, seed % 4 < 2);
        let after = [pair.a.pc.local_description().unwrap(), pair.b.pc.local_description().unwrap()];
        for (before, after) in before.iter().zip(&after) {
            assert_ne!(ufrag(before), ufrag(after));
            assert_ne!(value(&before.sdp, "a=ice-pwd:"), value(&after.sdp, "a=ice-pwd:"));
            // Identifiers stay.
            for name in ["a=mid:", "a=fingerprint:", "a=group:", "a=sctp-port:"] {
                assert_eq!(value(&before.sdp, name), value(&after.sdp, name));
            }
            assert!(after.sdp.contains("a=candidate:") && after.sdp.contains("a=end-of-candidates"));
        }
        // The old pair carries data before the new one works, and nothing is interrupted.
        say(&mut pair, Side::A, here, "during");
        trickle(&mut pair);
        pair.run_until(Duration::from_secs(30), |p| selected(&p.a) > seen[0] && selected(&p.b) > seen[1]).unwrap();
        pair.run_until(Duration::from_secs(30), |p| {
            [&p.a.pc, &p.b.pc].iter().all(|pc| pc.ice_connection_state() == IceConnectionState::Completed)
        })
        .unwrap();
        say(&mut pair, Side::B, there, "after");
        for peer in [&pair.a, &pair.b] {
            assert!(!peer.saw(|e| matches!(e, Event::Closed(..) | Event::Failed(_))), "{:?}", peer.events);
            assert!(!peer.saw(|e| matches!(e, Event::DtlsState(DtlsState::Closed | DtlsState::Failed))));
            assert_eq!(peer.pc.connection_state(), ConnectionState::Connected);
            assert_eq!(peer.pc.gathering_state(), GatheringState::Complete);
        }
    });
}

#[test]
fn both_sides_restart_at_once() {
    for_seeds("both_sides_restart_at_once", 1_000, |seed| {
        let (mut pair, here, there) = connected_pair(link(10 + seed % 50), seed);
        let now = pair.now();
        pair.a.pc.restart_ice().unwrap();
        pair.b.pc.restart_ice().unwrap();
        for peer in [&mut pair.a, &mut pair.b] {
            assert!(peer.pc.negotiation_needed());
            peer.pc.set_local_description(now, None).unwrap();
        }
        trickle_into_nothing(&mut pair);
        pair.run_for(Duration::from_millis(seed % 20));
        // A is polite: it takes its offer back for B's.
        let now = pair.now();
        let offer = pair.b.pc.local_description().unwrap();
        let own = pair.a.pc.local_description().unwrap();
        pair.a.pc.set_remote_description(now, &offer).unwrap();
        pair.a.pc.set_local_description(now, None).unwrap();
        let answer = pair.a.pc.local_description().unwrap();
        assert_ne!(ufrag(&own), ufrag(&answer), "what was taken back is not used again");
        pair.b.pc.set_remote_description(now, &answer).unwrap();
        for peer in [&pair.a, &pair.b] {
            assert_eq!(peer.pc.signaling_state(), SignalingState::Stable);
            assert!(!peer.pc.negotiation_needed(), "both have new credentials");
        }
        say(&mut pair, Side::A, here, "one");
        say(&mut pair, Side::B, there, "two");
        pair.run_until(Duration::from_secs(10), |p| {
            [&p.a.pc, &p.b.pc].iter().all(|pc| pc.ice_connection_state() == IceConnectionState::Completed)
        })
        .unwrap();
    });
}

/// Candidates of offers that nobody will answer.
fn trickle_into_nothing(pair: &mut Peers) {
    pair.a.candidates.clear();
    pair.b.candidates.clear();
}

#[test]
fn a_restart_brings_a_failed_connection_back_with_its_channels() {
    let (mut pair, here, there) = connected_pair(link(10), 5);
    pair.set_filter(|_, _, _| Verdict::Drop);
    pair.run_until(Duration::from_secs(60), |p| {
        [&p.a.pc, &p.b.pc].iter().all(|pc| pc.connection_state() == ConnectionState::Failed)
    })
    .unwrap();
    let now = pair.now();
    pair.a.pc.send(now, here, MessageKind::Text, "kept".into()).unwrap();
    pair.clear_filter();
    pair.run_for(Duration::from_secs(10));
    assert!(pair.b.messages.is_empty(), "nothing may be sent without consent");
    exchange(&mut pair, Side::B, OfferOptions::ICE_RESTART, true);
    pair.run_until(Duration::from_secs(10), |p| connected(p) && p.b.messages.len() == 1).unwrap();
    assert_eq!(pair.b.messages[0].1.data, "kept");
    say(&mut pair, Side::B, there, "back");
    for peer in [&pair.a, &pair.b] {
        assert_eq!(peer.pc.sctp_state(), Some(SctpState::Connected));
    }
}

#[test]
fn without_a_restart_channels_end_in_time() {
    let mut config = Config::default();
    config.restart_timeout = Duration::from_secs(7);
    let mut pair = peers_with(link(10), 6, config.clone(), config);
    let here = pair.a.pc.create_data_channel(pair.now(), DataChannelInit::new("x")).unwrap();
    negotiate(&mut pair);
    pair.run_until(Duration::from_secs(5), |p| p.b.incoming().is_some()).unwrap();
    pair.kill(Side::B);
    pair.run_until(Duration::from_secs(60), |p| p.a.pc.connection_state() == ConnectionState::Failed).unwrap();
    assert_eq!(pair.a.pc.data_channel(here).unwrap().state, ChannelState::Open);
    let took = pair
        .run_until(Duration::from_secs(60), |p| p.a.saw(|e| matches!(e, Event::Closed(x, _) if *x == here)))
        .unwrap();
    assert!((6_900..=7_100).contains(&took.as_millis()), "{took:?}");
    assert_eq!(pair.a.pc.sctp_state(), Some(SctpState::Closed));
}

#[test]
fn a_restart_that_is_taken_back_changes_nothing() {
    let (mut pair, here, _) = connected_pair(link(10), 7);
    let now = pair.now();
    let before = pair.a.pc.local_description().unwrap();
    let offer = pair.a.pc.create_offer_with(OfferOptions::ICE_RESTART).unwrap();
    assert_ne!(ufrag(&offer), ufrag(&before));
    pair.a.pc.set_local_description(now, Some(offer)).unwrap();
    pair.a.pc.set_local_description(now, Some(Description::rollback())).unwrap();
    assert_eq!(pair.a.pc.signaling_state(), SignalingState::Stable);
    assert_eq!(ufrag(&pair.a.pc.local_description().unwrap()), ufrag(&before));
    // Consent goes on with the old credentials, for longer than it lasts.
    pair.run_for(Duration::from_secs(60));
    assert!(connected(&mut pair));
    say(&mut pair, Side::A, here, "as ever");
    // An offer without a restart has what is in force, as does its answer.
    exchange(&mut pair, Side::B, OfferOptions::default(), true);
    assert_eq!(ufrag(&pair.a.pc.local_description().unwrap()), ufrag(&before));
    assert!(!pair.a.saw(|e| matches!(e, Event::IceConnectionState(IceConnectionState::Disconnected))));
}

#[test]
fn the_answerer_takes_a_restart_back_with_the_offer() {
    let (mut pair, here, _) = connected_pair(link(10), 8);
    let now = pair.now();
    let offer = pair.a.pc.create_offer_with(OfferOptions::ICE_RESTART).unwrap();
    pair.a.pc.set_local_description(now, Some(offer)).unwrap();
    let offer = pair.a.pc.local_description().unwrap();
    pair.b.pc.set_remote_description(now, &offer).unwrap();
    let unused = pair.b.pc.create_answer().unwrap();
    pair.b.pc.set_remote_description(now, &Description::rollback()).unwrap();
    pair.a.pc.set_local_description(now, Some(Description::rollback())).unwrap();
    assert!(pair.b.pc.set_local_description(now, Some(unused)).is_err());
    pair.run_for(Duration::from_secs(60));
    say(&mut pair, Side::A, here, "as ever");
}

/// Two offers meet before anything was agreed: the polite side's is as if it had never been.
#[test]
fn first_offers_meet() {
    for_seeds("first_offers_meet", 1_000, |seed| {
        let mut pair = peers(link(10 + seed % 50), seed);
        let now = pair.now();
        pair.a.pc.create_data_channel(now, DataChannelInit::new("a")).unwrap();
        pair.b.pc.create_data_channel(now, DataChannelInit::new("b")).unwrap();
        for peer in [&mut pair.a, &mut pair.b] {
            peer.pc.set_local_description(now, None).unwrap();
        }
        pair.run_for(Duration::from_millis(seed % 20));
        trickle_into_nothing(&mut pair);
        let now = pair.now();
        let (polite, offer) = (pair.a.pc.local_description().unwrap(), pair.b.pc.local_description().unwrap());
        pair.a.pc.set_remote_description(now, &offer).unwrap();
        assert_eq!(pair.a.pc.gathering_state(), GatheringState::New);
        pair.a.pc.set_local_description(now, None).unwrap();
        let answer = pair.a.pc.local_description().unwrap();
        assert_ne!(ufrag(&polite), ufrag(&answer));
        assert!(answer.sdp.contains("a=candidate:"));
        pair.b.pc.set_remote_description(now, &answer).unwrap();
        pair.run_until(Duration::from_secs(10), |p| {
            connected(p) && p.a.incoming().is_some() && p.b.incoming().is_some()
        })
        .unwrap();
        assert_eq!(pair.a.pc.ice_role(), weft_rtc::ice::Role::Controlled);
        assert_eq!(pair.b.pc.ice_role(), weft_rtc::ice::Role::Controlling);
    });
}

/// The parameters of a first offer that was taken back are forgotten: another may come, from another peer even.
#[test]
fn a_first_offer_is_taken_back_and_another_comes() {
    let mut pair = peers(link(10), 9);
    let mut other = Peer::new(99, Config::default());
    other.pc.add_host_address(pair.now(), "192.0.2.99:9".parse().unwrap());
    let now = pair.now();
    other.pc.create_data_channel(now, DataChannelInit::new("other")).unwrap();
    other.pc.set_local_description(now, None).unwrap();
    pair.b.pc.set_remote_description(now, &other.pc.local_description().unwrap()).unwrap();
    pair.b.pc.set_remote_description(now, &Description::rollback()).unwrap();
    assert!(pair.b.pc.remote_description().is_none());
    pair.a.pc.create_data_channel(now, DataChannelInit::new("x")).unwrap();
    negotiate(&mut pair);
    pair.run_until(Duration::from_secs(5), |p| p.b.incoming().is_some()).unwrap();
}

#[test]
fn another_offer_replaces_one_that_is_not_answered() {
    let mut pair = peers(link(10), 10);
    let mut other = Peer::new(98, Config::default());
    let now = pair.now();
    other.pc.set_local_description(now, None).unwrap();
    pair.b.pc.set_remote_description(now, &other.pc.local_description().unwrap()).unwrap();
    pair.a.pc.create_data_channel(now, DataChannelInit::new("x")).unwrap();
    negotiate(&mut pair);
    pair.run_until(Duration::from_secs(5), |p| p.b.incoming().is_some()).unwrap();
}

#[test]
fn a_provisional_answer_connects_and_a_final_one_confirms() {
    for restart in [false, true] {
        let mut pair = peers(link(10), 11);
        let here = pair.a.pc.create_data_channel(pair.now(), DataChannelInit::new("x")).unwrap();
        if restart {
            negotiate(&mut pair);
            pair.run_until(Duration::from_secs(5), connected).unwrap();
        }
        let now = pair.now();
        let offer = pair.a.pc.create_offer_with(OfferOptions::ICE_RESTART).unwrap();
        pair.a.pc.set_local_description(now, Some(offer)).unwrap();
        let offer = pair.a.pc.local_description().unwrap();
        pair.b.pc.set_remote_description(now, &offer).unwrap();
        let provisional = pair.b.pc.create_answer().unwrap().provisional();
        pair.b.pc.set_local_description(now, Some(provisional)).unwrap();
        let provisional = pair.b.pc.local_description().unwrap();
        assert_eq!(provisional.kind, SdpType::PrAnswer);
        pair.a.pc.set_remote_description(now, &provisional).unwrap();
        assert_eq!(pair.a.pc.signaling_state(), SignalingState::HaveRemotePrAnswer);
        assert_eq!(pair.b.pc.signaling_state(), SignalingState::HaveLocalPrAnswer);
        pair.run_until(Duration::from_secs(5), |p| connected(p) && p.b.incoming().is_some()).unwrap();
        say(&mut pair, Side::A, here, "early");
        let now = pair.now();
        pair.b.pc.set_local_description(now, None).unwrap();
        let answer = pair.b.pc.local_description().unwrap();
        assert_eq!((answer.kind, ufrag(&answer)), (SdpType::Answer, ufrag(&provisional)));
        pair.a.pc.set_remote_description(now, &answer).unwrap();
        assert_eq!(pair.a.pc.signaling_state(), SignalingState::Stable);
        say(&mut pair, Side::A, here, "late");
        assert!(!pair.a.saw(|e| matches!(e, Event::Closed(..) | Event::Failed(_))));
    }
}

/// RFC 8842 section 5: an offer with other fingerprints and a restart of ICE asks for a new DTLS association. The peer at
/// the other end is another one, as when a call is transferred.
#[test]
fn a_new_dtls_association_replaces_the_old_one() {
    for_seeds("a_new_dtls_association_replaces_the_old_one", 500, |seed| {
        let (mut pair, _, there) = connected_pair(link(20), seed);
        let mut successor = Peer::new(seed ^ 0xC, Config::default());
        successor.pc.add_host_address(pair.now(), weft_testkit::A_V4);
        // It offers, and takes the place of A on the network. Its description continues that of A: the same section.
        let now = pair.now();
        successor.pc.create_data_channel(now, DataChannelInit::new("new")).unwrap();
        successor.pc.set_local_description(now, None).unwrap();
        let offer = successor.pc.local_description().unwrap();
        pair.a = successor;
        pair.b.events.clear();
        pair.b.pc.set_remote_description(now, &offer).unwrap();
        // Until it is answered the old one holds.
        assert_eq!(pair.b.pc.dtls_state(), DtlsState::Connected);
        pair.b.pc.set_local_description(now, None).unwrap();
        let answer = pair.b.pc.local_description().unwrap();
        pair.a.pc.set_remote_description(now, &answer).unwrap();
        let took = pair.run_until(Duration::from_secs(10), |p| {
            p.b.pc.dtls_state() == DtlsState::Connected && p.b.incoming().is_some()
        });
        assert!(took.is_ok(), "{took:?}\n{:?}\n{:?}", pair.a.events, pair.b.events);
        assert!(pair.b.saw(|e| matches!(e, Event::Closed(id, _) if *id == there)), "channels of the old one end");
        let new = pair.b.incoming().unwrap();
        assert_ne!(new, there);
        assert_eq!(pair.b.pc.data_channel(new).unwrap().label, "new");
        say(&mut pair, Side::B, new, "hello");
    });
}

/// Which certificate is taken the strongest hash says alone (RFC 8122 section 5.1); whether the association stays the one it was,
/// all of them (RFC 8842 section 3.1: "modified, added, or removed").
#[test]
fn fingerprints_are_verified_by_the_strongest_and_compared_whole() {
    let mut pair = peers(link(20), 1);
    let now = pair.now();
    pair.a.pc.create_data_channel(now, DataChannelInit::new("x")).unwrap();
    let strong = format!("a=fingerprint:{}\r\n", pair.a.pc.certificate().fingerprint(HashAlgorithm::Sha384));
    let by_sha_256 = |sdp: &str| format!("a=fingerprint:{}\r\n", value(sdp, "a=fingerprint:"));

    // The weaker one is of nobody.
    pair.a.pc.set_local_description(now, None).unwrap();
    let mut offer = pair.a.pc.local_description().unwrap();
    let known = by_sha_256(&offer.sdp);
    assert!(known.contains("sha-256"));
    let wrong = format!("a=fingerprint:sha-256 {}\r\n", ["00"; 32].join(":"));
    offer.sdp = offer.sdp.replace(&known, &format!("{wrong}{strong}"));
    let answer = |pair: &mut Peers, offer: &Description| {
        let now = pair.now();
        pair.b.pc.set_remote_description(now, offer).unwrap();
        pair.b.pc.set_local_description(now, None).unwrap();
        let answer = pair.b.pc.local_description().unwrap();
        pair.a.pc.set_remote_description(now, &answer).unwrap();
    };
    answer(&mut pair, &offer);
    pair.run_until(Duration::from_secs(10), |p| connected(p) && p.b.incoming().is_some()).unwrap();

    // Said again with a restart of ICE, the association goes on; with one fingerprint less it is another.
    for (said, goes_on) in [(format!("{strong}{wrong}"), true), (strong.clone(), false)] {
        let again = pair.a.pc.create_offer_with(OfferOptions::ICE_RESTART).unwrap();
        pair.a.pc.set_local_description(pair.now(), Some(again)).unwrap();
        let mut again = pair.a.pc.local_description().unwrap();
        again.sdp = again.sdp.replace(&known, &said);
        answer(&mut pair, &again);
        assert_eq!(pair.b.pc.dtls_state() == DtlsState::Connected, goes_on, "{said}");
        assert_eq!(pair.b.pc.sctp_state() == Some(SctpState::Connected), goes_on, "{said}");
        let _ = pair.run_until(Duration::from_secs(1), |_| false);
    }
}

#[test]
fn negotiation_is_needed_when_w3c_says_so() {
    let mut pair = peers(link(10), 12);
    let now = pair.now();
    let needed = |pair: &mut Peers| {
        let mut count = 0;
        while let Some(event) = pair.a.pc.poll_event() {
            count += usize::from(matches!(event, Event::NegotiationNeeded));
            if let Event::IceCandidate(candidate) = event {
                pair.a.candidates.push(*candidate);
            }
        }
        count
    };
    assert!(!pair.a.pc.negotiation_needed());
    pair.a.pc.create_data_channel(now, DataChannelInit::new("x")).unwrap();
    pair.a.pc.create_data_channel(now, DataChannelInit::new("y")).unwrap();
    assert_eq!((needed(&mut pair), pair.a.pc.negotiation_needed()), (1, true), "once for the first channel");
    // It stays needed until an answer has come, and is said again after a rollback.
    pair.a.pc.set_local_description(now, None).unwrap();
    assert!(pair.a.pc.negotiation_needed());
    pair.a.pc.set_local_description(now, Some(Description::rollback())).unwrap();
    assert_eq!(needed(&mut pair), 1);
    negotiate(&mut pair);
    assert_eq!((needed(&mut pair), pair.a.pc.negotiation_needed()), (0, false));
    pair.a.pc.create_data_channel(now, DataChannelInit::new("z")).unwrap();
    assert!(!pair.a.pc.negotiation_needed(), "the section is there");
    // A restart that is asked for during an exchange waits for its end; an offer made before does not fulfil it.
    pair.a.pc.set_local_description(now, None).unwrap();
    pair.a.pc.restart_ice().unwrap();
    assert_eq!(needed(&mut pair), 0);
    let offer = pair.a.pc.local_description().unwrap();
    pair.b.pc.set_remote_description(now, &offer).unwrap();
    pair.b.pc.set_local_description(now, None).unwrap();
    let answer = pair.b.pc.local_description().unwrap();
    pair.a.pc.set_remote_description(now, &answer).unwrap();
    assert_eq!((needed(&mut pair), pair.a.pc.negotiation_needed()), (1, true));
    exchange(&mut pair, Side::A, OfferOptions::default(), true);
    assert_eq!((needed(&mut pair), pair.a.pc.negotiation_needed()), (0, false));
    assert_ne!(ufrag(&offer), ufrag(&pair.a.pc.local_description().unwrap()));
}

/// RFC 8838 section 13: after the end of candidates none follow in this generation.
#[test]
fn a_late_address_waits_for_the_next_generation() {
    let (mut pair, here, _) = connected_pair(link(10), 13);
    let now = pair.now();
    pair.a.candidates.clear();
    let late = "192.0.2.200:4000".parse().unwrap();
    pair.a.pc.add_host_address(now, late);
    pair.run_for(Duration::from_secs(1));
    assert!(pair.a.candidates.is_empty());
    assert!(!pair.a.pc.local_description().unwrap().sdp.contains("192.0.2.200"));
    exchange(&mut pair, Side::A, OfferOptions::ICE_RESTART, true);
    assert!(pair.a.pc.local_description().unwrap().sdp.contains("192.0.2.200"));
    say(&mut pair, Side::A, here, "still here");
}
