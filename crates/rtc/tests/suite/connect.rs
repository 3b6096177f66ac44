//! From two descriptions to an open channel.

use std::time::Duration;

use bytes::Bytes;
use weft_dtls::ProtocolVersion;
use weft_rtc::{
    ChannelState, Config, ConnectionState, DataChannelInit, DtlsState, Error, Event, MessageKind, SctpState,
    SignalingState,
};
use weft_testkit::{LinkConfig, Loss, Side, Verdict, for_seeds};

use crate::support::{connected, link, negotiate, peers, peers_with};

//= rfc8261#6.1
//# A DTLS connection MUST be established before an SCTP association can be set up.
//= rfc8831#6.1
//# The DTLS encapsulation of SCTP packets as described in [RFC8261] MUST be used.
#[test]
fn sctp_waits_for_dtls() {
    let mut pair = peers(link(10), 1);
    pair.a.pc.create_data_channel(pair.now(), DataChannelInit::new("x")).unwrap();
    negotiate(&mut pair);
    pair.run_until(Duration::from_secs(5), |p| {
        for peer in [&p.a.pc, &p.b.pc] {
            let quiet = peer.stats().sctp.packets_sent == 0 && peer.stats().sctp.packets_received == 0;
            assert!(quiet || peer.dtls_state() == DtlsState::Connected);
        }
        [&p.a.pc, &p.b.pc].iter().all(|peer| peer.sctp_state() == Some(SctpState::Connected))
    })
    .unwrap();
    for peer in [&pair.a.pc, &pair.b.pc] {
        let timeline = peer.timeline();
        assert!(timeline.dtls_connected.unwrap() < timeline.sctp_connected.unwrap());
    }
}

#[test]
fn connects_and_opens_a_channel() {
    let mut pair = peers(link(10), 1);
    let id = pair.a.pc.create_data_channel(pair.now(), DataChannelInit::new("chat")).unwrap();
    negotiate(&mut pair);
    let took = pair
        .run_until(Duration::from_secs(5), |p| {
            connected(p) && p.a.saw(|e| matches!(e, Event::Open(x) if *x == id)) && p.b.incoming().is_some()
        })
        .unwrap();
    // Check, two DTLS round trips, INIT and COOKIE: no fixed wait on top.
    assert!(took < Duration::from_millis(60), "{took:?}");
    let there = pair.b.incoming().unwrap();
    assert_eq!(pair.b.pc.data_channel(there).unwrap().label, "chat");
    for peer in [&pair.a, &pair.b] {
        assert_eq!(peer.pc.dtls_state(), DtlsState::Connected);
        assert_eq!(peer.pc.sctp_state(), Some(SctpState::Connected));
        assert_eq!(peer.pc.signaling_state(), SignalingState::Stable);
        assert!(peer.pc.stats().selected_pair.is_some() && peer.pc.stats().dtls.is_some());
    }
}

#[test]
fn the_offerer_may_be_without_channels() {
    let mut pair = peers(link(10), 2);
    negotiate(&mut pair);
    pair.run_until(Duration::from_secs(5), connected).unwrap();
    let now = pair.now();
    let id = pair.b.pc.create_data_channel(now, DataChannelInit::new("late")).unwrap();
    pair.run_until(Duration::from_secs(5), |p| {
        p.a.incoming().is_some() && p.b.pc.data_channel(id).unwrap().state == ChannelState::Open
    })
    .unwrap();
}

#[test]
fn trickles_candidates_late() {
    let mut pair = peers(link(10), 3);
    pair.a.pc.create_data_channel(pair.now(), DataChannelInit::new("x")).unwrap();
    let now = pair.now();
    let offer = pair.a.pc.create_offer().unwrap();
    pair.a.pc.set_local_description(now, Some(offer.clone())).unwrap();
    // The offer travels without candidates.
    assert!(!offer.sdp.contains("a=candidate"));
    pair.b.pc.set_remote_description(now, &offer).unwrap();
    let answer = pair.b.pc.create_answer().unwrap();
    pair.b.pc.set_local_description(now, Some(answer.clone())).unwrap();
    pair.a.pc.set_remote_description(now, &answer).unwrap();
    pair.run_for(Duration::from_millis(500));
    assert_ne!(pair.a.pc.connection_state(), ConnectionState::Failed);
    let now = pair.now();
    for candidate in std::mem::take(&mut pair.a.candidates) {
        pair.b.pc.add_ice_candidate(now, &candidate).unwrap();
    }
    // B's candidates never travel: A learns B as peer-reflexive, as it learns a browser behind `.local` names.
    pair.run_until(Duration::from_secs(5), connected).unwrap();
}

#[test]
fn candidates_before_their_description_are_kept() {
    let mut pair = peers(link(10), 4);
    let now = pair.now();
    let offer = pair.a.pc.create_offer().unwrap();
    pair.a.pc.set_local_description(now, Some(offer.clone())).unwrap();
    pair.flush();
    for candidate in std::mem::take(&mut pair.a.candidates) {
        pair.b.pc.add_ice_candidate(now, &candidate).unwrap();
    }
    pair.b.pc.set_remote_description(now, &offer).unwrap();
    let answer = pair.b.pc.create_answer().unwrap();
    pair.b.pc.set_local_description(now, Some(answer.clone())).unwrap();
    pair.a.pc.set_remote_description(now, &answer).unwrap();
    pair.run_until(Duration::from_secs(5), connected).unwrap();
}

#[test]
fn connects_on_bad_networks() {
    for_seeds("connects_on_bad_networks", 5_000, |seed| {
        let bad = LinkConfig {
            delay: Duration::from_millis(25),
            jitter: Duration::from_millis(10),
            loss: Loss::Random(0.2),
            duplicate: 0.05,
            ..LinkConfig::default()
        };
        let mut pair = peers(bad, seed);
        pair.a.pc.create_data_channel(pair.now(), DataChannelInit::new("x")).unwrap();
        negotiate(&mut pair);
        let took = pair.run_until(Duration::from_secs(60), |p| p.b.incoming().is_some());
        assert!(took.is_ok(), "{took:?}\na: {:?}\nb: {:?}", pair.a.events, pair.b.events);
    });
}

#[test]
fn a_wrong_fingerprint_is_refused() {
    let mut pair = peers(link(10), 5);
    pair.a.pc.create_data_channel(pair.now(), DataChannelInit::new("x")).unwrap();
    let now = pair.now();
    let offer = pair.a.pc.create_offer().unwrap();
    pair.a.pc.set_local_description(now, Some(offer)).unwrap();
    let mut offer = pair.a.pc.local_description().unwrap();
    // Flip one digit of the fingerprint on its way.
    let at = offer.sdp.find("a=fingerprint:sha-256 ").unwrap() + "a=fingerprint:sha-256 ".len();
    let digit = if offer.sdp.as_bytes()[at] == b'0' { "1" } else { "0" };
    offer.sdp.replace_range(at..=at, digit);
    pair.b.pc.set_remote_description(now, &offer).unwrap();
    let answer = pair.b.pc.create_answer().unwrap();
    pair.b.pc.set_local_description(now, Some(answer)).unwrap();
    let answer = pair.b.pc.local_description().unwrap();
    pair.a.pc.set_remote_description(now, &answer).unwrap();
    pair.run_until(Duration::from_secs(10), |p| p.b.pc.connection_state() == ConnectionState::Failed).unwrap();
    pair.run_for(Duration::from_secs(2));
    assert_eq!(pair.b.pc.dtls_state(), DtlsState::Failed);
    assert!(pair.b.saw(|e| matches!(e, Event::Failed(_))) && pair.b.incoming().is_none());
    // Nobody waits in vain for a channel of a connection that failed.
    let now = pair.now();
    assert!(pair.b.pc.create_data_channel(now, DataChannelInit::new("late")).is_err());
    assert_ne!(pair.a.pc.connection_state(), ConnectionState::Connected);
}

#[test]
fn close_is_seen_by_the_other_side_at_once() {
    let mut pair = peers(link(10), 6);
    pair.a.pc.create_data_channel(pair.now(), DataChannelInit::new("x")).unwrap();
    negotiate(&mut pair);
    pair.run_until(Duration::from_secs(5), |p| p.b.incoming().is_some()).unwrap();
    let now = pair.now();
    pair.a.pc.close(now);
    let id = pair.b.incoming().unwrap();
    let took =
        pair.run_until(Duration::from_secs(5), |p| p.b.saw(|e| matches!(e, Event::Closed(x, _) if *x == id))).unwrap();
    assert!(took < Duration::from_millis(20), "{took:?}");
    assert_eq!(pair.b.pc.sctp_state(), Some(SctpState::Closed));
    let now = pair.now();
    assert!(matches!(pair.a.pc.create_offer(), Err(Error::Closed)));
    assert!(matches!(pair.a.pc.create_data_channel(now, DataChannelInit::new("y")), Err(Error::Closed)));
}

#[test]
fn a_peer_that_vanishes_is_noticed_within_consent_time() {
    let mut pair = peers(link(10), 7);
    pair.a.pc.create_data_channel(pair.now(), DataChannelInit::new("x")).unwrap();
    negotiate(&mut pair);
    pair.run_until(Duration::from_secs(5), connected).unwrap();
    pair.kill(Side::B);
    // RFC 7675 section 5.1: consent expires 30 seconds after the last answer.
    let took =
        pair.run_until(Duration::from_secs(60), |p| p.a.pc.connection_state() == ConnectionState::Failed).unwrap();
    assert!((25..=37).contains(&took.as_secs()), "{took:?}");
    assert!(pair.a.saw(|e| matches!(e, Event::ConnectionState(ConnectionState::Disconnected))));
}

/// aiortc says "DTLS handshake failed (no SRTP profile negotiated)" of a connection for data alone, as either side.
#[test]
fn an_srtp_profile_is_agreed_on_for_peers_that_insist() {
    for version in [ProtocolVersion::DTLS_1_2, ProtocolVersion::DTLS_1_3] {
        let mut config = Config::default();
        config.dtls_versions = Some(vec![version]);
        let mut pair = peers_with(link(10), 1, config.clone(), config);
        pair.a.pc.create_data_channel(pair.now(), DataChannelInit::new("x")).unwrap();
        negotiate(&mut pair);
        pair.run_until(Duration::from_secs(5), connected).unwrap();
        for peer in [&pair.a.pc, &pair.b.pc] {
            let dtls = peer.stats().dtls.unwrap();
            assert_eq!(dtls.version, version);
            assert!(dtls.srtp_profile.is_some(), "{version:?}");
        }
    }
}

/// RFC 9147 section 5.8.2: the first timeout of DTLS is one and a half times the round trip that ICE measured, and doubles.
#[test]
fn dtls_repeats_itself_by_the_round_trip_of_ice() {
    for rtt in [60, 100, 400] {
        let mut pair = peers(link(rtt), 1);
        pair.a.pc.create_data_channel(pair.now(), DataChannelInit::new("x")).unwrap();
        let hellos = std::rc::Rc::new(std::cell::RefCell::new(Vec::new()));
        let seen = hellos.clone();
        // The client is the answerer; none of its hellos arrives.
        pair.set_filter(move |now, _, packet| {
            if !packet.payload.first().is_some_and(|first| (20..=63).contains(first)) {
                return Verdict::Pass;
            }
            let mut seen = seen.borrow_mut();
            if seen.last() != Some(&now) {
                seen.push(now);
            }
            Verdict::Drop
        });
        negotiate(&mut pair);
        pair.run_for(Duration::from_secs(4));
        let hellos = hellos.borrow();
        let waits: Vec<u64> = hellos.windows(2).map(|two| (two[1] - two[0]).as_millis() as u64).collect();
        let first = rtt * 3 / 2;
        assert!(waits.len() >= 2, "{waits:?}");
        assert_eq!(waits[..2], [first, first * 2], "{waits:?}");
    }
}

/// A check, two round trips of DTLS 1.3, INIT and INIT ACK: then data goes with COOKIE ECHO one way, with COOKIE ACK the other.
#[test]
fn the_first_byte_arrives_after_three_and_a_half_round_trips() {
    for_seeds("the_first_byte_arrives_after_three_and_a_half_round_trips", 200, |seed| {
        let rtt = Duration::from_millis(100);
        let mut pair = peers(link(100), seed);
        let now = pair.now();
        let server = pair.a.pc.create_data_channel(now, DataChannelInit::new("of the server")).unwrap();
        let client = pair.b.pc.create_data_channel(now, DataChannelInit::new("of the client")).unwrap();
        negotiate(&mut pair);
        pair.a.pc.send(now, server, MessageKind::Text, Bytes::from("x")).unwrap();
        pair.b.pc.send(now, client, MessageKind::Text, Bytes::from("x")).unwrap();
        let from_client = pair.run_until(Duration::from_secs(5), |p| !p.a.messages.is_empty()).unwrap();
        assert_eq!(pair.a.pc.dtls_role(), Some(weft_dtls::Role::Server));
        assert!(from_client <= rtt.mul_f64(3.6), "from the client: {from_client:?}");
        let more = pair.run_until(Duration::from_secs(5), |p| !p.b.messages.is_empty()).unwrap();
        assert!(from_client + more <= rtt.mul_f64(4.1), "from the server: {:?}", from_client + more);
    });
}

/// The client's path works before the server knows that it does: its hello must not have to be repeated.
#[test]
fn an_early_client_hello_is_kept() {
    for_seeds("an_early_client_hello_is_kept", 1_000, |seed| {
        let mut pair = peers(link(40), seed);
        pair.a.pc.create_data_channel(pair.now(), DataChannelInit::new("x")).unwrap();
        let now = pair.now();
        let offer = pair.a.pc.create_offer().unwrap();
        pair.a.pc.set_local_description(now, Some(offer)).unwrap();
        let offer = pair.a.pc.local_description().unwrap();
        pair.b.pc.set_remote_description(now, &offer).unwrap();
        pair.b.pc.set_local_description(now, None).unwrap();
        let answer = pair.b.pc.local_description().unwrap();
        // The answer is late by some part of a round trip.
        pair.run_for(Duration::from_millis(seed % 100));
        let now = pair.now();
        pair.a.pc.set_remote_description(now, &answer).unwrap();
        let took = pair.run_until(Duration::from_secs(5), |p| p.b.incoming().is_some()).unwrap();
        // Check, two round trips of DTLS, COOKIE ECHO with the channel: at most five of 40 ms, and no repetition.
        assert!(took <= Duration::from_millis(200), "{took:?}");
    });
}

#[test]
fn descriptions_are_negotiated_again() {
    let mut pair = peers(link(10), 9);
    negotiate(&mut pair);
    pair.run_until(Duration::from_secs(5), connected).unwrap();
    negotiate(&mut pair);
    let now = pair.now();
    pair.b.pc.create_data_channel(now, DataChannelInit::new("after")).unwrap();
    pair.run_until(Duration::from_secs(5), |p| p.a.incoming().is_some()).unwrap();
}

#[test]
fn an_end_is_reported_once() {
    let mut pair = peers(link(10), 10);
    let id = pair.a.pc.create_data_channel(pair.now(), DataChannelInit::new("x")).unwrap();
    negotiate(&mut pair);
    pair.run_until(Duration::from_secs(5), |p| p.b.incoming().is_some()).unwrap();
    let now = pair.now();
    pair.b.pc.close(now);
    pair.run_for(Duration::from_secs(10));
    let failures = pair.a.events.iter().filter(|e| matches!(e, Event::Failed(_))).count();
    let closed = pair.a.events.iter().filter(|e| matches!(e, Event::Closed(x, _) if *x == id)).count();
    assert!(failures <= 1 && closed == 1, "{:?}", pair.a.events);
    assert_eq!(pair.a.pc.dtls_state(), DtlsState::Closed);
    assert_eq!(pair.a.pc.sctp_state(), Some(SctpState::Closed));
}

#[test]
fn a_refused_description_leaves_a_pending_offer_alone() {
    let mut pair = peers(link(10), 11);
    pair.a.pc.create_data_channel(pair.now(), DataChannelInit::new("x")).unwrap();
    negotiate(&mut pair);
    pair.run_until(Duration::from_secs(5), connected).unwrap();
    let now = pair.now();
    // B has an offer of its own out when one comes from A that cannot be used.
    pair.b.pc.set_local_description(now, None).unwrap();
    let pending = pair.b.pc.local_description();
    let mut offer = pair.a.pc.create_offer().unwrap();
    offer.sdp = offer.sdp.replace("a=fingerprint:sha-256", "a=fingerprint:sha-1");
    assert!(matches!(pair.b.pc.set_remote_description(now, &offer), Err(Error::Negotiation(_))));
    assert_eq!(pair.b.pc.signaling_state(), SignalingState::HaveLocalOffer);
    assert_eq!(pair.b.pc.local_description(), pending);
}

/// RFC 8841 section 5: port 0 asks for no association.
#[test]
fn no_association_is_started_where_none_is_wanted() {
    let mut pair = peers(link(10), 12);
    pair.a.pc.create_data_channel(pair.now(), DataChannelInit::new("x")).unwrap();
    let now = pair.now();
    pair.a.pc.set_local_description(now, None).unwrap();
    let mut offer = pair.a.pc.local_description().unwrap();
    offer.sdp = offer.sdp.replace("a=sctp-port:5000", "a=sctp-port:0");
    pair.b.pc.set_remote_description(now, &offer).unwrap();
    pair.b.pc.set_local_description(now, None).unwrap();
    let answer = pair.b.pc.local_description().unwrap();
    pair.a.pc.set_remote_description(now, &answer).unwrap();
    pair.run_until(Duration::from_secs(5), |p| p.b.pc.sctp_state() == Some(SctpState::Closed)).unwrap();
    assert_eq!(pair.b.pc.dtls_state(), DtlsState::Connected);
}
