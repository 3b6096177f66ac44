//! Later exchanges: restarts of ICE, kept roles and names, versions.

use weft_sdp::jsep::{Description, NegotiationError, SdpType, SignalingState};
use weft_sdp::{DtlsRole, Session};

use crate::common::{connected, edit, exchange, host, negotiator, parameters, parsed, sha256, value};

fn version(description: &Description) -> u64 {
    parsed(description).origin.session_version.parse().unwrap()
}

//= rfc8829#5.2.2
//# The fields of the "o=" line MUST stay the same except for the <session-version> field, which MUST increment by one on each call to createOffer if the offer might differ from the output of the previous call to createOffer;
//= rfc8829#5.3.2
//# The fields of the "o=" line MUST stay the same except for the <session-version> field, which MUST increment if the session description changes in any way from the previously generated answer.
//= rfc8829#5.2.2
//# The "s=" and "t=" lines MUST stay the same.
//= rfc8829#5.3.2
//# The "s=" and "t=" lines MUST stay the same.
#[test]
fn the_version_grows_when_the_content_changes() {
    let mut us = negotiator(1);
    let mut local = parameters('a');
    let first = us.create_offer(&local).unwrap();
    assert_eq!(version(&first), 1);
    assert_eq!(us.create_offer(&local).unwrap(), first);
    local.candidates.push(host("192.0.2.1", 1));
    let second = us.create_offer(&local).unwrap();
    assert_eq!(version(&second), 2);
    us.set_local(&second).unwrap();
    us.set_local(&Description::rollback()).unwrap();
    local.candidates.push(host("192.0.2.1", 2));
    let third = us.create_offer(&local).unwrap();
    assert_eq!(version(&third), 3, "RFC 8829 5.2.2: N + 2 after a rollback");
    let fields = |description: &Description| {
        let session = parsed(description);
        (session.origin.username, session.origin.session_id, session.origin.address, session.name, session.times)
    };
    assert_eq!(fields(&first), fields(&third));

    let mut them = negotiator(2);
    them.set_remote(&third).unwrap();
    let answer = them.create_answer(&parameters('b')).unwrap();
    assert_eq!(them.create_answer(&parameters('b')).unwrap(), answer);
    let mut changed = parameters('b');
    changed.sctp_port = 5001;
    let other = them.create_answer(&changed).unwrap();
    assert_eq!(version(&other), version(&answer) + 1);
    assert_eq!(fields(&other), fields(&answer));
}

//= rfc8829#5.2.2
//# Each "a=mid" line MUST stay the same.
//= rfc8829#5.2.2
//# The "a=group:BUNDLE" attribute MUST include the MID identifiers specified in the bundle group in the most recent answer
//= rfc8842#5.5
//# the offerer MUST insert in the offer an SDP "setup" attribute with an "actpass" attribute value, and one or more SDP "fingerprint" attributes with attribute values that do not change the previously sent fingerprint set.
//= rfc8842#5.3
//# In addition, the answerer MUST insert an SDP "setup" attribute with an attribute value that does not change the previously negotiated DTLS roles
//= rfc8829#5.3.2
//# Each "a=setup" line MUST use an "active" or "passive" role value consistent with the existing DTLS association, if the association is being continued by the offerer.
//= rfc8841#12.2
//# If UDP transport is used for the nominated pair, then the "UDP/DTLS/SCTP" proto value MUST be used.
//= rfc9143#7.3
//# the offerer-tagged "m=" section is indicated in the corresponding subsequent offer and MUST NOT be changed by the answerer;
//= rfc8829#5.2.2
//# If no RTP candidates have yet been gathered, default values MUST still be used, as described above.
//= rfc8829#5.2.2
//# In other words, the bundle attribute MUST contain all "m=" sections that were previously bundled, as long as they are still alive, as well as any new "m=" sections.
//= rfc9143#7.5
//# When a BUNDLE group has been previously negotiated and an offerer generates a subsequent offer, the offerer MUST:
//= rfc8829#5.2.2
//# An "a=bundle-only" line, as defined in [RFC8843], Section 6, MUST NOT be added.
#[test]
fn names_places_and_roles_stay_whoever_offers() {
    let (mut alice, mut bob) = connected();
    for round in 0..4 {
        let (offer, answer) = if round % 2 == 0 {
            exchange(&mut bob, &parameters('b'), &mut alice, &parameters('a'))
        } else {
            exchange(&mut alice, &parameters('a'), &mut bob, &parameters('b'))
        };
        assert_eq!((alice.dtls_role(), bob.dtls_role()), (Some(DtlsRole::Server), Some(DtlsRole::Client)));
        let (offer, answer) = (parsed(&offer), parsed(&answer));
        assert_eq!(value(&offer, 0, "setup").as_deref(), Some("actpass"));
        for session in [&offer, &answer] {
            assert_eq!(value(session, 0, "mid").as_deref(), Some("0"));
            assert_eq!(session.attribute("group").unwrap().value(), Some("BUNDLE 0"));
            assert!(!session.media[0].has_attribute("bundle-only"));
            assert_eq!((session.media[0].protocol.as_str(), session.media[0].port), ("UDP/DTLS/SCTP", 9));
        }
    }
}

//= rfc8829#5.2.3.1
//# the offer MUST indicate an ICE restart by generating new ICE ufrag and pwd attributes
//= rfc8839#4.4.1.1.1
//# To restart ICE, an agent MUST change both the "ice-pwd" and the "ice-ufrag" for the data stream in an offer.
//= rfc8829#5.10
//# If the description is of type "offer", the implementation MUST note that an ICE restart is needed, as described in [RFC8839], Section 4.4.1.1.1.
//= rfc8839#4.4.2.1
//# it MUST change the SDP "ice-pwd" and "ice-ufrag" attribute values.
//= rfc8829#5.3.2
//# Each "a=ice-ufrag" and "a=ice-pwd" line MUST stay the same, unless the "m=" section is restarting, in which case new ICE credentials MUST be created as specified in [RFC8839], Section 4.4.1.1.1.
//= rfc8842#4
//# a modification of one or more of the following characteristics MUST be treated as an indication that an endpoint wants to establish a new DTLS association
#[test]
fn new_credentials_restart_ice_on_both_sides() {
    let (mut alice, mut bob) = connected();
    let mut restarted = parameters('c');
    restarted.fingerprints = vec![sha256(b'a')];
    let offer = alice.create_offer(&restarted).unwrap();
    assert!(alice.set_local(&offer).unwrap().ice_restart);
    let applied = bob.set_remote(&offer).unwrap();
    assert!(applied.ice_restart && !applied.new_dtls_association);

    let refused = bob.create_answer(&parameters('b'));
    assert_eq!(refused, Err(NegotiationError::LocalIceCredentials { restart: true }));
    let mut half = parameters('d');
    half.pwd = parameters('b').pwd;
    assert_eq!(bob.create_answer(&half), Err(NegotiationError::LocalIceCredentials { restart: true }));

    let mut renewed = parameters('d');
    renewed.fingerprints = vec![sha256(b'b')];
    let answer = bob.create_answer(&renewed).unwrap();
    assert!(bob.set_local(&answer).unwrap().ice_restart);
    let applied = alice.set_remote(&answer).unwrap();
    assert!(applied.ice_restart && !applied.new_dtls_association);
    assert_eq!(alice.remote().unwrap().ufrag, "dddd");
    assert_eq!((alice.dtls_role(), bob.dtls_role()), (Some(DtlsRole::Server), Some(DtlsRole::Client)));

    // And no restart when nothing changes.
    let offer = alice.create_offer(&restarted).unwrap();
    assert!(!alice.set_local(&offer).unwrap().ice_restart);
    assert!(!bob.set_remote(&offer).unwrap().ice_restart);
    assert_eq!(bob.create_answer(&parameters('e')), Err(NegotiationError::LocalIceCredentials { restart: false }));
}

//= rfc8839#4.4.1.1.1
//# This MUST NOT be considered as ICE restart.
#[test]
fn credentials_that_move_to_session_level_restart_nothing() {
    let (mut alice, mut bob) = connected();
    let offer = alice.create_offer(&parameters('a')).unwrap();
    let credentials: String = offer
        .sdp
        .split_inclusive("\r\n")
        .filter(|line| line.starts_with("a=ice-ufrag") || line.starts_with("a=ice-pwd"))
        .collect();
    let moved = edit(&edit(&offer.sdp, &credentials, ""), "m=", &format!("{credentials}m="));
    assert!(!bob.set_remote(&Description::offer(moved)).unwrap().ice_restart);
}

#[test]
fn an_answer_restarts_ice_exactly_when_the_offer_does() {
    let (mut alice, mut bob) = connected();
    let offer = alice.create_offer(&parameters('a')).unwrap();
    alice.set_local(&offer).unwrap();
    bob.set_remote(&offer).unwrap();
    let answer = bob.create_answer(&parameters('b')).unwrap();
    let uncalled = Description::answer(answer.sdp.replace(&"b".repeat(24), &"x".repeat(24)));
    assert_eq!(alice.set_remote(&uncalled), Err(NegotiationError::UnexpectedIceRestart));
    alice.set_remote(&answer).unwrap();

    let mut restarted = parameters('c');
    restarted.fingerprints = vec![sha256(b'a')];
    let offer = alice.create_offer(&restarted).unwrap();
    alice.set_local(&offer).unwrap();
    assert_eq!(alice.set_remote(&answer), Err(NegotiationError::IceRestartNotAnswered));
    assert_eq!(alice.signaling_state(), SignalingState::HaveLocalOffer);
}

//= rfc8829#5.11
//# If a DTLS connection needs to be torn down but the answer does not indicate an ICE restart or, in the case of "have-remote-pranswer", new ICE credentials, an error MUST be generated.
//= rfc8829#5.8.3
//# the DTLS connection is not being continued and the remote description MUST be part of an ICE restart, together with new ufrag and password values.
//= rfc8829#5.8.3
//# MUST be consistent with the selected role of the current DTLS connection, if one exists and is being continued.
//= rfc8842#6
//# at least one of the endpoints MUST allocate a completely new set of ICE candidates that were not recently used for any other DTLS association.
#[test]
fn a_new_dtls_association_needs_a_restart_of_ice() {
    let (mut alice, mut bob) = (negotiator(1), negotiator(2));
    let mut named = parameters('a');
    named.tls_id = Some("abc3de65cddef001be82".parse().unwrap());
    exchange(&mut alice, &named, &mut bob, &parameters('b'));
    let offer = alice.create_offer(&named).unwrap();
    alice.set_local(&offer).unwrap();
    let refused = Err(NegotiationError::DtlsWithoutIceRestart(SdpType::Offer));
    let other_certificate = offer.sdp.replace(&sha256(b'a').to_string(), &sha256(b'x').to_string());
    assert_eq!(bob.set_remote(&Description::offer(other_certificate.clone())), refused);
    let other_role = edit(&offer.sdp, "actpass", "active");
    assert_eq!(bob.set_remote(&Description::offer(other_role)), refused);
    let other_id = edit(&offer.sdp, "a=tls-id:abc3", "a=tls-id:dbc8");
    assert_eq!(bob.set_remote(&Description::offer(other_id)), refused);
    let nameless = Description::offer(crate::common::without(&offer.sdp, "a=tls-id"));
    assert!(!bob.set_remote(&nameless).unwrap().new_dtls_association, "no name says nothing");
    bob.set_remote(&Description::rollback()).unwrap();

    let restarted = other_certificate.replace("aaaa", "xxxx");
    let applied = bob.set_remote(&Description::offer(restarted)).unwrap();
    assert!(applied.new_dtls_association && applied.ice_restart);
    bob.set_remote(&Description::rollback()).unwrap();

    bob.set_remote(&offer).unwrap();
    let answer = bob.create_answer(&parameters('b')).unwrap();
    let other_certificate = answer.sdp.replace(&sha256(b'b').to_string(), &sha256(b'y').to_string());
    let refused = Err(NegotiationError::DtlsWithoutIceRestart(SdpType::Answer));
    assert_eq!(alice.set_remote(&Description::answer(other_certificate)), refused);
    alice.set_remote(&answer).unwrap();
}

/// Firefox, Pion and webrtc-rs answer with `active` what offers `actpass`, also where they have the other role.
#[test]
fn an_answer_with_another_role_alone_goes_on_with_the_association() {
    let certified = |letter: char, certificate: u8| {
        let mut local = parameters(letter);
        local.fingerprints = vec![sha256(certificate)];
        local
    };
    for restart in [false, true] {
        let (mut alice, mut bob) = connected();
        let role = alice.dtls_role();
        let [ours, theirs] = if restart { ['r', 's'] } else { ['a', 'b'] };
        let offer = alice.create_offer(&certified(ours, b'a')).unwrap();
        alice.set_local(&offer).unwrap();
        bob.set_remote(&offer).unwrap();
        let answer = bob.create_answer(&certified(theirs, b'b')).unwrap().sdp;
        let flipped = Description::answer(edit(&answer, "a=setup:active", "a=setup:passive"));
        let applied = alice.set_remote(&flipped).unwrap();
        assert_eq!((applied.ice_restart, applied.new_dtls_association), (restart, false));
        assert_eq!(alice.dtls_role(), role);
    }
}

#[test]
fn a_later_offer_keeps_the_sections_there_are() {
    let (mut alice, mut bob) = connected();
    let offer = alice.create_offer(&parameters('a')).unwrap().sdp;
    let none = &offer[..offer.find("m=").unwrap()];
    let (kind, expected, found) = (SdpType::Offer, 1, 0);
    assert_eq!(
        bob.set_remote(&Description::offer(none)),
        Err(NegotiationError::SectionCount { kind, expected, found })
    );
    let renamed = offer.replace("a=mid:0", "a=mid:1").replace("BUNDLE 0", "BUNDLE 1");
    let line = 6;
    let changed = |what| Err(NegotiationError::SectionChanged { line, what });
    assert_eq!(bob.set_remote(&Description::offer(renamed)), changed("mid"));
    let retyped = edit(&offer, "m=application 9 UDP/DTLS/SCTP webrtc-datachannel", "m=audio 9 RTP/AVP 0");
    assert_eq!(bob.set_remote(&Description::offer(retyped)), changed("media type"));

    // Sections may be added, and are rejected when they are not for data.
    let more = format!("{offer}m=audio 9 RTP/AVP 0\r\nc=IN IP4 0.0.0.0\r\na=mid:1\r\n");
    bob.set_remote(&Description::offer(more.as_str())).unwrap();
    let answer = bob.create_answer(&parameters('b')).unwrap();
    bob.set_local(&answer).unwrap();
    let ports: Vec<u16> = parsed(&answer).media.iter().map(|media| media.port).collect();
    assert_eq!(ports, [9, 0]);
    let next = parsed(&bob.create_offer(&parameters('b')).unwrap());
    let ports: Vec<u16> = next.media.iter().map(|media| media.port).collect();
    assert_eq!(ports, [9, 0], "the rejected section keeps its place");
    assert_eq!(next.media[1].mid(), Some("1"));

    // And the peer may use it for something else.
    let recycled = more.replace("m=audio 9 RTP/AVP 0", "m=video 9 RTP/AVP 31").replace("a=mid:1", "a=mid:2");
    assert!(bob.set_remote(&Description::offer(recycled)).unwrap().data.is_some());
}

#[test]
fn a_section_the_peer_closed_is_gone_and_can_come_back() {
    let (mut alice, mut bob) = connected();
    let offer = alice.create_offer(&parameters('a')).unwrap().sdp;
    let closed = edit(&offer, "m=application 9", "m=application 0");
    assert_eq!(bob.set_remote(&Description::offer(closed)).unwrap().data, None);
    let answer = bob.create_answer(&parameters('b')).unwrap();
    assert!(!bob.set_local(&answer).unwrap().data);
    assert_eq!(bob.dtls_role(), None);
    let again: Session = parsed(&bob.create_offer(&parameters('b')).unwrap());
    assert_eq!((again.media.len(), again.media[0].port), (1, 9));
}
