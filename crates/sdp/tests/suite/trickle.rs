//! Candidates that come and go one by one.

use weft_sdp::jsep::{Description, IceCandidate, NegotiationError, Negotiator, NegotiatorConfig, Trickled};
use weft_sdp::{Candidate, Session};

use crate::common::{connected, exchange, fixture, host, negotiator, parameters, sha256, value};

fn remote(candidate: &str) -> IceCandidate {
    IceCandidate {
        candidate: candidate.into(),
        sdp_mid: Some("0".into()),
        sdp_mline_index: Some(0),
        ..IceCandidate::default()
    }
}

fn lines(description: &Description, name: &str) -> Vec<String> {
    let session = Session::parse(&description.sdp).unwrap();
    session.media[0].attributes_named(name).map(ToString::to_string).collect()
}

//= rfc8829#4.1.20
//# In the first case, the newly discovered candidate is reflected in the IceCandidate object, and all of its fields MUST be non-null.
//= rfc8829#4.1.20
//# However, the IceCandidate's ufrag field MUST be specified to indicate which ICE candidate generation is ending.
//= rfc8840#8.2
//# The Offerer or Answerer MUST provide the "end-of-candidates" attribute together with the "ice-ufrag" and "ice-pwd" attributes of the current ICE generation as required by [RFC8838].
//= rfc8840#3.2
//# candidates that have been exchanged using INFO requests SHALL be included in subsequent Offers or Answers.
#[test]
fn local_candidates_join_their_descriptions_and_are_sent() {
    let mut us = negotiator(1);
    assert_eq!(us.add_local_candidate("aaaa", &host("192.0.2.1", 5)), None, "there is no description yet");
    let offer = us.create_offer(&parameters('a')).unwrap();
    us.set_local(&offer).unwrap();
    let sent = us.add_local_candidate("aaaa", &host("192.0.2.1", 5)).unwrap();
    assert_eq!(
        sent,
        IceCandidate {
            candidate: host("192.0.2.1", 5).to_string(),
            sdp_mid: Some("0".into()),
            sdp_mline_index: Some(0),
            username_fragment: Some("aaaa".into()),
        }
    );
    us.add_local_candidate("aaaa", &host("192.0.2.1", 5));
    us.add_local_candidate("aaaa", &host("2001:db8::1", 6));
    assert_eq!(us.add_local_candidate("zzzz", &host("192.0.2.9", 7)), None, "another generation");
    let end = us.end_of_local_candidates("aaaa").unwrap();
    assert_eq!((end.candidate.as_str(), end.username_fragment.as_deref()), ("", Some("aaaa")));
    us.end_of_local_candidates("aaaa");

    let description = us.local_description().unwrap();
    let expected = [host("192.0.2.1", 5).to_string(), host("2001:db8::1", 6).to_string()];
    assert_eq!(lines(&description, "candidate"), expected);
    assert_eq!(lines(&description, "end-of-candidates").len(), 1);
    assert!(description.sdp.contains("m=application 5 ") && description.sdp.contains("c=IN IP4 192.0.2.1"));

    // The peer sees the same either way.
    let mut them = negotiator(2);
    let whole = them.set_remote(&description).unwrap().data.unwrap();
    assert_eq!(whole.candidates.len(), 2);
    let mut them = negotiator(2);
    them.set_remote(&offer).unwrap();
    assert_eq!(them.add_remote_candidate(&sent), Ok(Trickled::Candidate(host("192.0.2.1", 5))));
    assert_eq!(them.add_remote_candidate(&sent), Ok(Trickled::Ignored), "once is enough");
    assert_eq!(them.add_remote_candidate(&end), Ok(Trickled::EndOfCandidates));
    assert_eq!(them.remote().unwrap().candidates, [host("192.0.2.1", 5)]);
    assert!(them.remote().unwrap().end_of_candidates);
    assert_eq!(lines(&them.remote_description().unwrap(), "candidate"), [sent.candidate]);
}

//= rfc8829#3.5.2.1
//# If the MID field is present in a received IceCandidate, it MUST be used for identification; otherwise, the "m=" section index is used instead.
//= rfc8829#3.5.2.1
//# Implementations MUST be prepared to receive objects with some fields missing, as mentioned above.
//= rfc8829#4.1.19
//# However, if both fields are null for a new remote candidate, this MUST be treated as an invalid condition, as specified below.
//= rfc8829#4.1.19
//# If any IceCandidate fields contain invalid values or an error occurs during the processing of the IceCandidate object, the supplied IceCandidate MUST be ignored and an error MUST be returned.
//= rfc8840#4.1.2
//# If the initial Offer included the "ice-options:trickle" attribute, the Answerer MUST be prepared for receiving trickled candidates later on.
#[test]
fn a_candidate_is_for_the_section_it_names() {
    let mut us = negotiator(1);
    let candidate = remote("candidate:1 1 udp 1 192.0.2.1 9 typ host");
    assert_eq!(us.add_remote_candidate(&candidate), Err(NegotiationError::NoRemoteDescription));
    let offer = fixture("chromium-156-pregather-offer.sdp");
    let offer = format!("{offer}m=audio 9 RTP/AVP 0\r\nc=IN IP4 0.0.0.0\r\na=mid:1\r\n");
    us.set_remote(&Description::offer(offer)).unwrap();
    assert_eq!(us.can_trickle(), Some(true));

    let mut add = |mid: Option<&str>, index: Option<u16>, port: u16| {
        let candidate = format!("candidate:1 1 udp 1 192.0.2.1 {port} typ host");
        let outcome = us.add_remote_candidate(&IceCandidate {
            candidate,
            sdp_mid: mid.map(str::to_owned),
            sdp_mline_index: index,
            username_fragment: None,
        });
        outcome.map(|trickled| matches!(trickled, Trickled::Candidate(_)))
    };
    assert_eq!(add(Some("0"), None, 1), Ok(true));
    assert_eq!(add(None, Some(0), 2), Ok(true));
    assert_eq!(add(Some("0"), Some(7), 3), Ok(true), "the name comes first");
    assert_eq!(add(Some("1"), None, 4), Ok(false), "a section that is rejected");
    assert_eq!(add(None, Some(1), 5), Ok(false));
    assert_eq!(add(Some("2"), Some(0), 6), Err(NegotiationError::UnknownSection));
    assert_eq!(add(None, Some(2), 7), Err(NegotiationError::UnknownSection));
    assert_eq!(add(None, None, 8), Err(NegotiationError::UnknownSection));
    assert_eq!(us.remote().unwrap().candidates.len(), 3);

    let error = us.add_remote_candidate(&remote("candidate:1 1 udp")).unwrap_err();
    assert_eq!(error.to_string(), "line 1, column 18: expected a space");
    let all = IceCandidate::default();
    assert_eq!(us.add_remote_candidate(&all), Ok(Trickled::EndOfCandidates), "an end may be for all sections");
}

#[test]
fn candidates_that_mean_nothing_here_are_ignored() {
    let (_, mut us) = connected();
    for text in [
        "candidate:1 2 udp 1 192.0.2.1 9 typ host",
        "candidate:1 1 quic 1 192.0.2.1 9 typ host",
        "candidate:1 1 udp 1 192.0.2.1 9 typ teleport",
    ] {
        assert_eq!(us.add_remote_candidate(&remote(text)), Ok(Trickled::Ignored), "{text}");
    }
    assert_eq!(us.remote().unwrap().candidates, []);
    let mdns = "candidate:1 1 udp 1 259ed437-90d0-4a6a-b836-92e554b31271.local 9 typ host";
    assert_eq!(us.add_remote_candidate(&remote(mdns)), Ok(Trickled::Candidate(mdns.parse().unwrap())));
}

#[test]
fn a_candidate_is_for_the_generation_it_names() {
    let (mut alice, mut bob) = connected();
    let of =
        |ufrag: Option<&str>, text: &str| IceCandidate { username_fragment: ufrag.map(str::to_owned), ..remote(text) };
    let text = |port: u16| format!("candidate:1 1 udp 1 192.0.2.1 {port} typ host");
    let yes = |port| Ok(Trickled::Candidate(text(port).parse::<Candidate>().unwrap()));
    assert_eq!(bob.add_remote_candidate(&of(Some("aaaa"), &text(1))), yes(1));
    let unknown = NegotiationError::UnknownGeneration("cccc".into());
    assert_eq!(bob.add_remote_candidate(&of(Some("cccc"), &text(2))), Err(unknown.clone()));
    assert_eq!(bob.add_remote_candidate(&of(None, &format!("{} ufrag cccc", text(2)))), Err(unknown));

    let mut restarted = parameters('c');
    restarted.fingerprints = vec![sha256(b'a')];
    let offer = alice.create_offer(&restarted).unwrap();
    alice.set_local(&offer).unwrap();
    bob.set_remote(&offer).unwrap();
    assert_eq!(bob.add_remote_candidate(&of(Some("cccc"), &text(3))), yes(3));
    assert_eq!(bob.add_remote_candidate(&of(None, &text(4))), yes(4), "the latest is meant");
    assert_eq!(bob.add_remote_candidate(&of(Some("aaaa"), &text(5))), Ok(Trickled::Ignored), "on its way out");
    assert_eq!(bob.remote().unwrap().candidates.len(), 2);
    assert_eq!(lines(&bob.current_remote_description().unwrap(), "candidate").len(), 2);
    assert_eq!(lines(&bob.pending_remote_description().unwrap(), "candidate").len(), 2);

    // Local ones too go where their generation is.
    assert!(alice.add_local_candidate("aaaa", &host("192.0.2.1", 1)).is_some());
    assert!(alice.add_local_candidate("cccc", &host("192.0.2.1", 2)).is_some());
    assert_eq!(lines(&alice.current_local_description().unwrap(), "candidate"), [host("192.0.2.1", 1).to_string()]);
    assert_eq!(lines(&alice.pending_local_description().unwrap(), "candidate"), [host("192.0.2.1", 2).to_string()]);
}

#[test]
fn a_flood_of_candidates_ends_at_the_limit() {
    let mut config = NegotiatorConfig::new(1);
    config.limits.candidates = 3;
    let mut us = Negotiator::new(config);
    us.set_remote(&Description::offer(fixture("chromium-156-ip-offer.sdp"))).unwrap();
    let text = |port: u16| format!("candidate:1 1 udp 1 192.0.2.1 {port} typ host");
    assert!(us.add_remote_candidate(&remote(&text(1))).is_ok());
    assert_eq!(us.add_remote_candidate(&remote(&text(2))), Err(NegotiationError::TooManyCandidates(3)));
    us.close();
    assert!(us.add_remote_candidate(&remote(&text(3))).is_err());
}

//= rfc8829#5.2.2
//# for each candidate that has been gathered during the most recent gathering phase (see Section 3.5.1), an "a=candidate" line MUST be added, as defined in [RFC8839], Section 5.1.
//= rfc8829#5.2.2
//# If candidate gathering for the section has completed, an "a=end-of-candidates" attribute MUST be added, as described in [RFC8840], Section 8.2.
//= rfc8829#5.3.2
//# for each candidate that has been gathered during the most recent gathering phase (see Section 3.5.1), an "a=candidate" line MUST be added, as defined in [RFC8839], Section 5.1.
//= rfc8829#5.3.2
//# If candidate gathering for the section has completed, an "a=end-of-candidates" attribute MUST be added, as described in [RFC8840], Section 8.2.
//= rfc8840#4.1.3
//# If the Answerer includes candidates in its initial Answer, it MUST encode these candidates as specified in [RFC8839].
//= rfc8839#4.4.1.2.1
//# the offer MUST include the same set of ICE-related information that the offerer included in the previous offer or answer.
//= rfc8839#4.3.2
//# the answerer MUST include in each "m=" section within the answer the SDP "candidate" attributes for each available candidate associated with the "m=" section.
#[test]
fn later_descriptions_have_all_candidates_so_far() {
    let (mut alice, mut bob) = connected();
    let gathered = |letter, port| {
        let mut local = parameters(letter);
        local.candidates = vec![host("192.0.2.1", port), host("2001:db8::1", port)];
        local.end_of_candidates = true;
        local
    };
    let (offer, answer) = exchange(&mut alice, &gathered('a', 1), &mut bob, &gathered('b', 2));
    for description in [&offer, &answer] {
        assert_eq!(lines(description, "candidate").len(), 2);
        assert_eq!(lines(description, "end-of-candidates").len(), 1);
    }
    assert_eq!(value(&Session::parse(&offer.sdp).unwrap(), 0, "ice-ufrag").as_deref(), Some("aaaa"));
    assert_eq!(bob.remote().unwrap().candidates.len(), 2);
}

#[test]
fn whether_a_peer_trickles_is_known_from_its_description() {
    let mut us = negotiator(1);
    assert_eq!(us.can_trickle(), None);
    us.set_remote(&Description::offer(fixture("aiortc-1.16-offer.sdp"))).unwrap();
    assert_eq!(us.can_trickle(), Some(false));
    us.set_remote(&Description::offer(fixture("firefox-153-ip-offer.sdp"))).unwrap();
    assert_eq!(us.can_trickle(), Some(true));
}
