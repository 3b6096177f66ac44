//! First exchanges: with every peer of the fixtures, in both roles.

use weft_sdp::jsep::{Description, LocalParameters, SignalingState};
use weft_sdp::{DtlsRole, HashFunction, IceOptions, MaxMessageSize, Session, Setup};

use crate::common::{
    edit, exchange, fixture, fixtures, host, negotiator, parameters, parsed, peers, sha256, value, without,
};

/// What no answer of ours may repeat.
fn assert_nothing_is_echoed(name: &str, offer: &str, answer: &Session) {
    const OURS: [&str; 13] = [
        "group",
        "candidate",
        "end-of-candidates",
        "ice-ufrag",
        "ice-pwd",
        "ice-options",
        "fingerprint",
        "setup",
        "mid",
        "sctp-port",
        "max-message-size",
        "inactive",
        "tls-id",
    ];
    let all = answer.attributes.iter().chain(answer.media.iter().flat_map(|media| &media.attributes));
    for attribute in all {
        assert!(OURS.contains(&attribute.name()), "{name}: {attribute:?}");
    }
    for line in offer.lines().filter(|line| {
        ["a=ice-ufrag", "a=ice-pwd", "a=fingerprint", "a=candidate"].iter().any(|start| line.starts_with(start))
    }) {
        assert!(!answer.to_string().contains(line), "{name}: {line}");
    }
}

//= rfc8839#4.4.2
//# except that the answerer MUST NOT include the "remote-candidates" attribute in the answer.
//= rfc8829#5.1.1
//# The remote endpoint may also use an older version of ICE; implementations MUST properly handle remote endpoints that use ICE as specified in [RFC5245].
//= rfc8829#5.3
//# When createAnswer is called, a new SDP description MUST be created that is compatible with the supplied remote description
//= rfc8829#4.1.10
//# "offer" indicates that a description MUST be parsed as an offer;
//= rfc8829#5.8.2
//# If present, a single "a=end-of-candidates" attribute MUST be parsed as specified in [RFC8840], Section 8.1, and its presence or absence flagged and stored.
#[test]
fn every_peers_offer_is_answered() {
    for (name, offer) in peers("offer") {
        let mut us = negotiator(7);
        let applied =
            us.set_remote(&Description::offer(offer.clone())).unwrap_or_else(|error| panic!("{name}: {error}"));
        let remote = applied.data.unwrap();
        assert_eq!(applied.state, SignalingState::HaveRemoteOffer);
        assert!(applied.new_dtls_association && !applied.ice_restart, "{name}");
        assert_eq!((remote.mid.as_deref(), remote.mline_index), (Some("0"), 0), "{name}");
        assert_eq!((remote.setup, remote.sctp_port, remote.ice_lite), (Setup::ActPass, 5000, false), "{name}");
        assert!(remote.strongest_fingerprints().count() >= 1, "{name}");
        let theirs = Session::parse(&offer).unwrap();
        assert_eq!(Some(remote.ufrag.clone()), value(&theirs, 0, "ice-ufrag"), "{name}");
        assert_eq!(Some(remote.pwd.clone()), value(&theirs, 0, "ice-pwd"), "{name}");
        assert_eq!(remote.end_of_candidates, offer.contains("a=end-of-candidates"), "{name}");
        assert_eq!(us.dtls_role(), None, "{name}");

        let answer = us.create_answer(&parameters('a')).unwrap();
        us.set_local(&answer).unwrap();
        assert_eq!(us.signaling_state(), SignalingState::Stable);
        assert_eq!(us.dtls_role(), Some(DtlsRole::Client), "{name}");
        let ours = parsed(&answer);
        assert_nothing_is_echoed(&name, &offer, &ours);
        assert_eq!(value(&ours, 0, "mid").as_deref(), Some("0"), "{name}");
        assert_eq!(value(&ours, 0, "setup").as_deref(), Some("active"), "{name}");
        assert_eq!(ours.attribute("group").and_then(|group| group.value()), Some("BUNDLE 0"), "{name}");
        let common = IceOptions::webrtc().common_with(&remote.ice_options);
        assert_eq!(value(&ours, 0, "ice-options"), (!common.is_empty()).then(|| common.to_string()), "{name}");
    }
}

//= rfc8840#4.1.4
//# This situation MUST NOT cause an ICE mismatch (see [RFC8839]).
//= rfc8829#4.1.10
//# "answer" indicates that a description MUST be parsed as an answer, the offer/answer exchange MUST be considered complete
#[test]
fn our_offer_takes_every_peers_answer_in_both_dtls_roles() {
    for (name, answer) in peers("answer") {
        for (setup, role) in [("active", DtlsRole::Server), ("passive", DtlsRole::Client)] {
            let mut us = negotiator(7);
            let offer = us.create_offer(&parameters('a')).unwrap();
            us.set_local(&offer).unwrap();
            let answer = edit(&answer, "a=setup:active", &format!("a=setup:{setup}"));
            let applied = us.set_remote(&Description::answer(answer)).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(applied.state, SignalingState::Stable);
            assert!(applied.new_dtls_association && !applied.ice_restart && !applied.rolled_back, "{name}");
            assert_eq!(us.dtls_role(), Some(role), "{name}");
            assert_eq!(us.remote(), applied.data.as_ref());
        }
    }
}

#[test]
fn offers_in_either_fixed_role_are_answered_by_the_other() {
    let offer = fixture("chromium-156-ip-offer.sdp");
    for (offered, answered, role) in [
        ("active", "passive", DtlsRole::Server),
        ("passive", "active", DtlsRole::Client),
        ("actpass", "active", DtlsRole::Client),
    ] {
        let mut us = negotiator(7);
        us.set_remote(&Description::offer(edit(&offer, "actpass", offered))).unwrap();
        let answer = us.create_answer(&parameters('a')).unwrap();
        us.set_local(&answer).unwrap();
        assert_eq!(value(&parsed(&answer), 0, "setup").as_deref(), Some(answered));
        assert_eq!(us.dtls_role(), Some(role));
    }
}

//= rfc8842#5.3
//# the answerer MUST be able to receive initial and subsequent offers with other attribute values, in order to be backward compatible with older implementations
//= rfc8829#5.3.1
//# Offers from non-JSEP endpoints MAY send other values for "a=setup", in which case the answer MUST use a value consistent with the value in the offer.
#[test]
fn setup_has_defaults_where_a_peer_leaves_it_out() {
    // RFC 4145 4: active in an offer, passive in an answer.
    let mut us = negotiator(7);
    us.set_remote(&Description::offer(without(&fixture("pion-3.1.56-offer.sdp"), "a=setup"))).unwrap();
    let answer = us.create_answer(&parameters('a')).unwrap();
    us.set_local(&answer).unwrap();
    assert_eq!(us.dtls_role(), Some(DtlsRole::Server));

    let mut us = negotiator(7);
    let offer = us.create_offer(&parameters('a')).unwrap();
    us.set_local(&offer).unwrap();
    us.set_remote(&Description::answer(without(&fixture("firefox-153-ip-answer.sdp"), "a=setup"))).unwrap();
    assert_eq!(us.dtls_role(), Some(DtlsRole::Client));
}

#[test]
fn what_particular_peers_say_is_understood() {
    let remote = |name: &str| {
        let mut us = negotiator(7);
        us.set_remote(&Description::offer(fixture(name))).unwrap().data.unwrap()
    };
    let chromium = remote("chromium-156-mdns-offer.sdp");
    assert_eq!(chromium.candidates.len(), 2);
    assert!(chromium.candidates.iter().all(|candidate| candidate.address.is_mdns()));
    assert_eq!(chromium.max_message_size, MaxMessageSize::Bytes(262_144));
    assert!(chromium.ice_options.trickle() && !chromium.end_of_candidates);

    let sped = remote("chromium-156-sped-offer.sdp");
    assert!(sped.ice_options.contains("sped") && sped.ice_options.contains("googspedv1"));

    // Fingerprint and ICE options at session level, and TCP candidates.
    let firefox = remote("firefox-153-ip-offer.sdp");
    assert_eq!(firefox.max_message_size, MaxMessageSize::Bytes(1_073_741_823));
    assert!(firefox.ice_options.trickle() && firefox.end_of_candidates);
    assert_eq!((firefox.fingerprints.len(), firefox.candidates.len()), (1, 4));

    let aiortc = remote("aiortc-1.16-offer.sdp");
    assert_eq!(aiortc.fingerprints.len(), 3);
    assert!(aiortc.strongest_fingerprints().all(|fingerprint| fingerprint.hash == HashFunction::Sha512));
    assert!(aiortc.ice_options.is_empty());

    let pion = remote("pion-3.1.56-offer.sdp");
    assert_eq!(pion.candidates.len(), 3, "those of component 2 are of no use");
    assert_eq!(pion.max_message_size, MaxMessageSize::Bytes(65_536), "the default");

    let libdatachannel = remote("node-datachannel-0.33-offer.sdp");
    assert!(libdatachannel.ice_options.ice2() && libdatachannel.ice_options.trickle());
}

//= rfc8829#5.2.1
//# The first SDP line MUST be "v=0" as defined in [RFC4566], Section 5.1.
//= rfc8829#5.2.1
//# The second SDP line MUST be an "o=" line as defined in [RFC4566], Section 5.2.
//= rfc8829#5.2.1
//# The third SDP line MUST be a "s=" line as defined in [RFC4566], Section 5.3;
//= rfc8829#5.2.1
//# Encryption Keys ("k=") lines do not provide sufficient security and MUST NOT be included.
//= rfc8829#5.2.1
//# A "t=" line MUST be added, as specified in [RFC4566], Section 5.9;
//= rfc8829#5.2.1
//# An "a=ice-options" line with the "trickle" and "ice2" options MUST be added, as specified in [RFC8840], Section 4.1.1 and [RFC8445], Section 10.
//= rfc8829#5.2.1
//# given that no candidates are available yet, the default port value of 9 (Discard) MUST be used, as indicated in [RFC8840], Section 4.1.1.
//= rfc8829#5.2.1
//# The "m=" line MUST be followed immediately by a "c=" line, as specified in [RFC4566], Section 5.7.
//= rfc8829#5.2.1
//# the "c=" line MUST contain the default value "IN IP4 0.0.0.0", as defined in [RFC8840], Section 4.1.1.
//= rfc8829#5.2.1
//# The role value in the offer MUST be "actpass".
//= rfc8829#5.2.1
//# Lastly, if a data channel has been created, an "m=" section MUST be generated for data.
//= rfc8829#5.2.1
//# The <media> field MUST be set to "application", and the <proto> field MUST be set to "UDP/DTLS/SCTP" [RFC8841].
//= rfc8829#5.2.1
//# The <fmt> value MUST be set to "webrtc-datachannel" as specified in [RFC8841], Section 4.2.2.
//= rfc8829#5.2.1
//# Within the data "m=" section, an "a=mid" line MUST be generated and included as described above, along with an "a=sctp-port" line
//= rfc8829#5.2.1
//# Once all "m=" sections have been generated, a session-level "a=group" attribute MUST be added as specified in [RFC5888].
//= rfc8829#5.2.1
//# This attribute MUST have semantics "BUNDLE" and MUST include the mid identifiers of each "m=" section.
//= rfc8829#5.2.1
//# All MID values MUST be generated in a fashion that does not leak user information, e.g., randomly or using a per-PeerConnection counter
//= rfc8829#5.2.1
//# Each "m=" section MUST be generated as specified in [RFC4566], Section 5.14.
//= rfc8829#5.2.1
//# Each "m=" section, provided it is not marked as bundle-only, MUST contain a unique set of ICE credentials and a unique set of ICE candidates.
//= rfc8829#5.2.1
//# The following attributes, which are of category IDENTICAL or TRANSPORT, MUST appear only in "m=" sections that either have a unique address or are associated with the BUNDLE-tag.
//= rfc8829#5.2.1
//# which are specifically incompatible with the requirements of [RFC8834] and MUST NOT be included:
//= rfc8829#5.1.1
//# The SDP security descriptions mechanism for SRTP keying [RFC4568] MUST NOT be used, as discussed in [RFC8827].
//= rfc9143#7.2
//# When an offerer generates an initial BUNDLE offer, in order to negotiate a BUNDLE group, it MUST:
//= rfc9143#17
//# Therefore, the identification-tag values MUST be generated in a fashion that does not leak user information
//= rfc8841#4.3
//# the "m=" line fmt value, which identifies the application-layer protocol, MUST be registered by IANA.
//= rfc8866#5.2
//# The <username> MUST NOT contain spaces.
//= rfc8866#5.3
//# The "s=" line MUST NOT be empty.
//= rfc8866#5.7
//# A session description MUST contain either at least one "c=" line in each media description or a single "c=" line at the session level.
//= rfc8839#4.2.1.5
//# An agent compliant with this specification MUST include an SDP "ice-options" attribute with an "ice2" attribute value [RFC8445].
//= rfc8839#4.2.5
//# An ICE agent compliant with this specification MUST also include an SDP "ice-options" attribute with an "ice2" attribute value.
//= rfc8839#4.2.1.4
//# A full implementation MUST NOT include that attribute.
//= rfc8839#4.3.1
//# In addition, the offerer MUST include an SDP "ice-ufrag" attribute, an SDP "ice-pwd" attribute, and an SDP "ice-options" attribute with an "ice2" attribute value in the offer.
//= rfc8839#5.4
//# there MUST be an "ice-pwd" and "ice-ufrag" attribute for each data stream.
//= rfc8840#4.1.1
//# If the Offerer wants to send its initial Offer before knowing any candidate for one or more media descriptions, it MUST set the port to the default value '9' for these media descriptions.
//= rfc8840#4.1.1
//# In any case, the Offerer MUST include the "ice-options:trickle" attribute in accordance to [RFC8838] and MUST include in each "m=" line a "mid" attribute in accordance to [RFC5888].
//= rfc8840#4.1.1
//# thus, it MUST NOT include the "rtcp" attribute [RFC3605].
//= rfc8841#4.3
//# In addition, such an "m=" line MUST further indicate the application-layer protocol using an "fmt" identifier.
//= rfc8841#4.3
//# There MUST be exactly one fmt value per "m=" line associated with the proto values defined in this specification.
//= rfc8841#10.1
//# Each endpoint MUST associate one or more certificate fingerprints using the SDP "fingerprint" attribute with the "m=" line, following the procedures in [RFC8122].
//= rfc8841#10.2
//# MUST associate an SDP "setup" attribute with the "m=" line;
//= rfc8841#10.2
//# MUST associate an SDP "sctp-port" attribute with the "m=" line;
//= rfc8841#12.2
//# If UDP transport is used for the default candidate, then the "UDP/DTLS/SCTP" proto value MUST be used.
//= rfc8842#5.2
//# When an offerer sends the initial offer, the offerer MUST insert an SDP "setup" attribute [RFC4145] with an "actpass" attribute value, as well as one or more SDP "fingerprint" attributes according to the procedures in [RFC8122].
//= rfc8122#5
//# endpoints MUST provide a certificate fingerprint.
//= rfc9143#7.1.1
//# The "c=" line nettype value [RFC4566] associated with a bundled "m=" section MUST be 'IN'.
//= rfc9143#7.1.1
//# The "c=" line addrtype value [RFC4566] associated with a bundled "m=" section MUST be 'IP4' or 'IP6'.
//= rfc9143#15.2
//# The identification-tag MUST NOT contain any user information
#[test]
fn our_offer_reads_like_a_browsers() {
    let mut us = negotiator(42);
    let offer = us.create_offer(&parameters('a')).unwrap();
    let expected = [
        "v=0",
        "o=- 42 1 IN IP4 0.0.0.0",
        "s=-",
        "t=0 0",
        "a=group:BUNDLE 0",
        "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
        "c=IN IP4 0.0.0.0",
        "a=ice-ufrag:aaaa",
        "a=ice-pwd:aaaaaaaaaaaaaaaaaaaaaaaa",
        "a=ice-options:trickle ice2",
        &format!("a=fingerprint:{}", sha256(b'a')),
        "a=setup:actpass",
        "a=mid:0",
        "a=sctp-port:5000",
        "a=max-message-size:262144",
        "",
    ];
    assert_eq!(offer.sdp, expected.join("\r\n"));
}

//= rfc8829#5.2.1
//# The <sess-id> MUST be representable by a 64-bit signed integer, and the value MUST be less than 2^(63)-1.
#[test]
fn session_ids_fit() {
    for id in [0, 1, u64::MAX, i64::MAX as u64, i64::MAX as u64 - 1] {
        let offer = negotiator(id).create_offer(&parameters('a')).unwrap();
        let written: u64 = parsed(&offer).origin.session_id.parse().unwrap();
        assert!(written < i64::MAX as u64, "{written}");
    }
}

//= rfc8829#5.2.2
//# Each "m=" and "c=" line MUST be filled in with the port, relevant RTP profile, and address of the default candidate for the "m=" section, as described in [RFC8839], Section 4.2.1.2
//= rfc8829#5.3.2
//# Each "m=" and "c=" line MUST be filled in with the port and address of the default candidate for the "m=" section, as described in [RFC8839], Section 4.2.1.2.
//= rfc8839#4.3.1
//# When an offerer generates the initial offer, in each "m=" section it MUST include SDP "candidate" attributes for each available candidate associated with the "m=" section.
//= rfc8840#4.1.1
//# If the Offerer includes candidates in its initial Offer, it MUST encode these candidates as specified in [RFC8839].
//= rfc8839#4.4.1.2.1
//# As with initial offers, there MUST be a set of "candidate" attributes in the offer matching this default destination.
#[test]
fn gathered_candidates_go_in_with_the_best_as_default() {
    let mut local = parameters('a');
    local.candidates = vec![
        host("2001:db8::7", 6000),
        host("192.0.2.7", 5000),
        "candidate:2 1 tcp 9 192.0.2.8 9 typ host tcptype active".parse().unwrap(),
        "candidate:3 1 udp 9 a.local 9 typ host".parse().unwrap(),
    ];
    local.end_of_candidates = true;
    let session = parsed(&negotiator(1).create_offer(&local).unwrap());
    assert_eq!(session.media[0].port, 5000);
    assert_eq!(session.media[0].connections[0].to_string(), "IN IP4 192.0.2.7");
    let written: Vec<String> = session.media[0].attributes.iter().take(5).map(ToString::to_string).collect();
    let candidates: Vec<String> = local.candidates.iter().map(ToString::to_string).collect();
    assert_eq!(written[..4], candidates);
    assert_eq!(written[4], "end-of-candidates");

    local.candidates.push("candidate:4 1 udp 1 2001:db8::9 7000 typ relay raddr :: rport 9".parse().unwrap());
    let session = parsed(&negotiator(1).create_offer(&local).unwrap());
    assert_eq!(session.media[0].port, 7000);
    assert_eq!(session.media[0].connections[0].to_string(), "IN IP6 2001:db8::9");
}

/// An offer of audio, video and two data sections, in the way of a browser with bundle policy "balanced".
fn mixed_offer() -> String {
    let chromium = fixture("chromium-156-pregather-offer.sdp");
    let (session, data) = chromium.split_at(chromium.find("m=").unwrap());
    let transport: String = data
        .split_inclusive("\r\n")
        .filter(|line| ["a=ice", "a=fingerprint", "a=setup"].iter().any(|start| line.starts_with(start)))
        .collect();
    let media = |kind: &str, formats: &str, mid: &str| {
        format!(
            "m={kind} 9 UDP/TLS/RTP/SAVPF {formats}\r\nc=IN IP4 0.0.0.0\r\na=rtcp:9 IN IP4 0.0.0.0\r\n{transport}\
             a=mid:{mid}\r\na=sendrecv\r\na=rtcp-mux\r\na=rtpmap:111 opus/48000/2\r\na=ssrc:1 cname:x\r\n"
        )
    };
    let session = session.replace("BUNDLE 0", "BUNDLE a v 0 d2\r\na=group:LS a v");
    let second = data.replace("a=mid:0", "a=mid:d2");
    format!("{session}{}{}{data}{second}", media("audio", "111 63", "a"), media("video", "96 97", "v"))
}

//= rfc8829#5.3.1
//# the corresponding "m=" section in the answer MUST be marked as rejected by setting the <port> in the "m=" line to zero
//= rfc8829#5.3.1
//# The MID value MUST match that specified in the offer.
//= rfc8829#5.3.1
//# If a data channel "m=" section has been offered, an "m=" section MUST also be generated for data.
//= rfc8829#5.3.1
//# The <media> field MUST be set to "application", and the <proto> and <fmt> fields MUST be set to exactly match the fields in the offer.
//= rfc8829#5.3.1
//# If "a=group" attributes with semantics of "BUNDLE" are offered, corresponding session-level "a=group" attributes MUST be added as specified in [RFC5888].
//= rfc8829#5.3.1
//# These attributes MUST have semantics "BUNDLE" and MUST include all mid identifiers from the offered bundle groups that have not been rejected.
//= rfc8829#5.3.1
//# Otherwise, the offered "LS" group MUST be ignored and no corresponding group generated in the answer.
//= rfc9143#7.3
//# In addition, when an answerer generates an answer (initial BUNDLE answer or subsequent) that contains a BUNDLE group, the answerer MUST:
//= rfc8829#5.1.2
//# The profile in any "m=" line in any generated answer MUST exactly match the profile provided in the offer.
//= rfc8841#10.3
//# If the answerer does not accept the "m=" line in the offer, it MUST assign a zero port value to the corresponding "m=" line in the answer, following the procedures in [RFC3264].
//= rfc9143#7.3.3
//# MUST assign a zero port value to the "m=" section, according to the procedures in [RFC3264];
//= rfc9143#7.3.3
//# MUST NOT place the identification-tag associated with the "m=" section in the SDP 'group:BUNDLE' attribute identification-tag list associated with the BUNDLE group; and
//= rfc9143#7.3.1
//# If one or more of the criteria are not fulfilled, the answerer MUST pick the next identification-tag in the identification-tag list in the offer and perform the same criteria check for the "m=" section indicated by that identification-tag.
//= rfc9143#14.1
//# "a=group" lines MUST NOT contain identification-tags that correspond to "m" lines with the port set to zero.
//= rfc8839#4.4.1.1.2
//# If an agent removes a data stream by setting its port to zero, it MUST NOT include any "candidate" attributes for that data stream
#[test]
fn audio_and_video_are_rejected_and_data_is_accepted() {
    let offer = mixed_offer();
    let mut us = negotiator(7);
    let applied = us.set_remote(&Description::offer(offer.clone())).unwrap();
    let remote = applied.data.unwrap();
    assert_eq!((remote.mid.as_deref(), remote.mline_index), (Some("0"), 2));
    let mut local = parameters('a');
    local.candidates.push(host("192.0.2.1", 1000));
    let answer = us.create_answer(&local).unwrap();
    us.set_local(&answer).unwrap();
    let session = parsed(&answer);
    assert_nothing_is_echoed("mixed", &offer, &session);
    let lines: Vec<_> = answer.sdp.lines().filter(|line| line.starts_with("m=")).collect();
    assert_eq!(
        lines,
        [
            "m=audio 0 UDP/TLS/RTP/SAVPF 111",
            "m=video 0 UDP/TLS/RTP/SAVPF 96",
            "m=application 1000 UDP/DTLS/SCTP webrtc-datachannel",
            "m=application 0 UDP/DTLS/SCTP webrtc-datachannel",
        ]
    );
    let mids: Vec<_> = session.media.iter().map(|media| media.mid().unwrap()).collect();
    assert_eq!(mids, ["a", "v", "0", "d2"]);
    let groups: Vec<_> = session.attributes_named("group").map(|group| group.value().unwrap()).collect();
    assert_eq!(groups, ["BUNDLE 0"]);
    for rejected in [0, 1, 3] {
        assert_eq!(value(&session, rejected, "ice-ufrag"), None);
        assert_eq!(value(&session, rejected, "candidate"), None);
    }
}

//= rfc9143#7.3.1
//# If there are no more identification-tags in the identification-tag list, the answerer MUST NOT create the BUNDLE group.
#[test]
fn an_offer_without_data_is_rejected_whole() {
    let offer = mixed_offer();
    let offer = &offer[..offer.find("m=application").unwrap()];
    let mut us = negotiator(7);
    let applied = us.set_remote(&Description::offer(offer)).unwrap();
    assert_eq!(applied.data, None);
    let answer = us.create_answer(&parameters('a')).unwrap();
    assert!(!us.set_local(&answer).unwrap().data);
    assert!(parsed(&answer).media.iter().all(|media| media.port == 0));
    assert!(!answer.sdp.contains("a=group"));
    assert_eq!((us.dtls_role(), us.remote()), (None, None));

    // Data can still be added, in a section of its own with a name of its own.
    let offer = us.create_offer(&parameters('a')).unwrap();
    let session = parsed(&offer);
    assert_eq!(session.media.len(), 3);
    assert_eq!((session.media[0].port, session.media[2].port), (0, 9));
    assert_eq!(value(&session, 2, "mid").as_deref(), Some("0"));
}

#[test]
fn an_offer_without_sections_is_answered_by_none() {
    let mut us = negotiator(7);
    us.set_remote(&Description::offer("v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n")).unwrap();
    let answer = us.create_answer(&parameters('a')).unwrap();
    us.set_local(&answer).unwrap();
    assert_eq!(parsed(&answer).media, []);
}

//= rfc9143#6
//# If an offerer or answerer receives a 'bundle-only' attribute in a non-bundled "m=" section, the offerer or answerer MUST discard the attribute.
//= rfc8829#5.3.1
//# Note that regardless of the presence of "a=bundle-only" in the offer, all "m=" sections in the answer MUST NOT have an "a=bundle-only" line.
//= rfc9143#7.3.3
//# MUST NOT include an SDP 'bundle-only' attribute in the "m=" section.
//= rfc9143#13.1
//# A port number of zero in the offer indicates that the stream is offered but MUST NOT be used.
#[test]
fn a_bundle_only_section_is_not_a_refused_one() {
    let accepted = |offer: String| {
        let mut us = negotiator(7);
        us.set_remote(&Description::offer(offer)).unwrap();
        let answer = us.create_answer(&parameters('a')).unwrap();
        assert!(!answer.sdp.contains("bundle-only"));
        us.set_local(&answer).unwrap().data
    };
    let port_zero = mixed_offer().replace("m=application 9", "m=application 0");
    assert!(!accepted(port_zero.clone()));
    let bundle_only = port_zero.replace("a=sctp-port", "a=bundle-only\r\na=sctp-port");
    assert!(accepted(bundle_only.clone()));
    assert!(!accepted(without(&bundle_only, "a=group:BUNDLE")));
}

#[test]
fn data_over_the_transport_of_a_rejected_section_is_rejected() {
    // RFC 8829 7.2: bundle policy "max-bundle", with the transport in the audio section alone.
    let (_, offer) = fixtures("rfc").into_iter().find(|(name, _)| name == "rfc8829-03.sdp").unwrap();
    let mut us = negotiator(7);
    assert_eq!(us.set_remote(&Description::offer(offer)).unwrap().data, None);
    let answer = us.create_answer(&parameters('a')).unwrap();
    assert!(!us.set_local(&answer).unwrap().data);
    assert!(parsed(&answer).media.iter().all(|media| media.port == 0));
}

//= rfc8829#5.2.1
//# However, implementations MAY choose to aggregate attributes at the session level, and JSEP implementations MUST be prepared to receive attributes in either location.
#[test]
fn attributes_at_session_level_hold_for_sections_without_their_own() {
    let chromium = fixture("chromium-156-ip-offer.sdp");
    let moved = ["a=ice-ufrag", "a=ice-pwd", "a=ice-options", "a=fingerprint", "a=setup"];
    let is_moved = |line: &&str| moved.iter().any(|start| line.starts_with(start));
    let up: String = chromium.split_inclusive("\r\n").filter(is_moved).collect();
    let rest: String = chromium.split_inclusive("\r\n").filter(|line| !is_moved(line)).collect();
    let session_level = edit(&rest, "m=application", &format!("{up}m=application"));
    let read = |text: &str| negotiator(7).set_remote(&Description::offer(text)).unwrap().data;
    assert_eq!(read(&session_level), read(&chromium));

    let both = edit(&session_level, "a=mid:0", "a=mid:0\r\na=ice-ufrag:mine");
    assert_eq!(read(&both).unwrap().ufrag, "mine", "the section's own comes first");
}

//= rfc8829#5.1.2
//# For data "m=" sections, implementations MUST support receiving the "UDP/DTLS/SCTP", "TCP/DTLS/SCTP", or "DTLS/SCTP" (for backwards compatibility) profiles.
//= rfc8829#5.1.2
//# Note that re-offers by JSEP implementations MUST use the correct profile strings even if the initial offer/answer exchange used an (incorrect) older profile string.
//= rfc8829#5.3.2
//# because the "m=" line protocol value MUST match what was supplied in the offer, as described above.
//= rfc8829#5.8.2
//# The "m=" <fmt> value MUST be parsed as specified in [RFC8841], Section 4.3, and the application protocol value stored.
//= rfc8829#5.1.2
//# For data "m=" sections, implementations MUST support the "UDP/DTLS/SCTP" profile as well as the "TCP/DTLS/SCTP" profile and MUST indicate one of these profiles for each data "m=" line they produce in an offer.
//= rfc8839#4.3.2
//# the default destination MUST be set to IP address values "0.0.0.0"/"::" and port value of "9".
//= rfc8841#10.3
//# MUST insert a corresponding "m=" line in the answer, with an "m=" line proto value [RFC3264] identical to the value in the offer;
//= rfc8839#4.3.2
//# In each "m=" line, the answerer MUST use the same transport protocol as was used in the offer "m=" line.
//= rfc8829#5.3.1
//# The <proto> field MUST be set to exactly match the <proto> field for the corresponding "m=" line in the offer.
#[test]
fn older_and_other_profiles_are_answered_in_kind() {
    let offer = fixture("chromium-156-ip-offer.sdp");
    let tcp = edit(&offer, "UDP/DTLS/SCTP", "TCP/DTLS/SCTP");
    let old = edit(&offer, "UDP/DTLS/SCTP webrtc-datachannel", "DTLS/SCTP 5001");
    let old = edit(&old, "a=sctp-port:5000", "a=sctpmap:5001 webrtc-datachannel 1024");
    for (offer, line, port) in [
        (tcp, "m=application 9 TCP/DTLS/SCTP webrtc-datachannel", 5000),
        (without(&old, "a=sctpmap"), "m=application 9 DTLS/SCTP 5000", 5001),
        (old, "m=application 9 DTLS/SCTP 5000", 5001),
    ] {
        let mut us = negotiator(7);
        assert_eq!(us.set_remote(&Description::offer(offer)).unwrap().data.unwrap().sctp_port, port);
        let mut local = parameters('a');
        if line.contains("TCP") {
            // Not for a section over TCP to be reached at.
            local.candidates.push(host("192.0.2.1", 1000));
        }
        let answer = us.create_answer(&local).unwrap();
        us.set_local(&answer).unwrap();
        assert!(answer.sdp.lines().any(|found| found == line), "{}", answer.sdp);
        assert!(answer.sdp.lines().any(|found| found == "c=IN IP4 0.0.0.0"), "{}", answer.sdp);
        assert_eq!(answer.sdp.contains("a=sctpmap:5000 webrtc-datachannel 65535"), line.contains(" DTLS"));
        let offer = us.create_offer(&parameters('a')).unwrap();
        assert!(offer.sdp.contains("m=application 9 UDP/DTLS/SCTP webrtc-datachannel"));
    }
}

//= rfc8841#10.3
//# If the offer contained a zero SCTP port value, or if the answerer does not accept the SCTP association, the answerer MUST also associate a zero SCTP port value; and
#[test]
fn an_sctp_port_of_zero_is_answered_by_zero() {
    let offer = edit(&fixture("chromium-156-ip-offer.sdp"), "a=sctp-port:5000", "a=sctp-port:0");
    let mut us = negotiator(7);
    assert_eq!(us.set_remote(&Description::offer(offer)).unwrap().data.unwrap().sctp_port, 0);
    let answer = us.create_answer(&parameters('a')).unwrap();
    assert_eq!(value(&parsed(&answer), 0, "sctp-port").as_deref(), Some("0"));
}

//= rfc8842#5.3
//# If the answerer receives an offer that does not contain an SDP "tls-id" attribute, the answerer MUST NOT insert a "tls-id" attribute in the answer.
//= rfc8842#4
//# Implementations that wish to use the attribute MUST explicitly include it in SDP offers and answers.
#[test]
fn a_tls_id_is_written_where_both_have_one() {
    let with_id = |letter: char| -> LocalParameters {
        let mut local = parameters(letter);
        local.tls_id = Some(letter.to_string().repeat(20).parse().unwrap());
        local
    };
    let (mut alice, mut bob) = (negotiator(1), negotiator(2));
    let (offer, answer) = exchange(&mut alice, &with_id('a'), &mut bob, &with_id('b'));
    assert_eq!(value(&parsed(&offer), 0, "tls-id"), Some("a".repeat(20)));
    assert_eq!(value(&parsed(&answer), 0, "tls-id"), Some("b".repeat(20)));
    assert_eq!(alice.remote().unwrap().tls_id.as_ref().unwrap().as_str(), "b".repeat(20));

    let (mut alice, mut bob) = (negotiator(1), negotiator(2));
    let (_, answer) = exchange(&mut alice, &parameters('a'), &mut bob, &with_id('b'));
    assert_eq!(value(&parsed(&answer), 0, "tls-id"), None);
}

//= rfc8841#10.3
//# MUST associate an SDP "setup" attribute with the "m=" line;
//= rfc8841#10.3
//# MUST associate an SDP "sctp-port" attribute with the "m=" line.
//= rfc8842#5.3
//# When an answerer sends an answer, the answerer MUST insert in the answer an SDP "setup" attribute according to the procedures in [RFC4145] and one or more SDP "fingerprint" attributes according to the procedures in [RFC8122].
//= rfc8829#5.3.1
//# The role value in the answer MUST be "active" or "passive".
//= rfc8829#5.3.1
//# the default <port> value of 9 (Discard) MUST be used, as indicated in [RFC8840], Section 4.1.1.
//= rfc8829#5.3.1
//# The "m=" line MUST be followed immediately by a "c=" line, as specified in [RFC4566], Section 5.7.
//= rfc8829#5.3.1
//# the "c=" line MUST contain the default value "IN IP4 0.0.0.0", as defined in [RFC8840], Section 4.1.3.
//= rfc8829#5.3.1
//# Within the data "m=" section, an "a=mid" line MUST be generated and included as described above, along with an "a=sctp-port" line
//= rfc8839#4.3.2
//# In addition, the answerer MUST include an SDP "ice-ufrag" attribute, an SDP "ice-pwd" attribute, and an SDP "ice-options" attribute with an "ice2" attribute value in the answer.
//= rfc8840#4.1.3
//# If the Answerer wants to send its initial Answer before knowing any candidate for one or more media descriptions, it MUST set the port to the default value '9' for these media descriptions.
//= rfc8840#4.1.3
//# In any case, the Answerer MUST include the "ice-options:trickle" attribute in accordance to [RFC8838] and MUST include in each "m=" line a "mid" attribute in accordance to [RFC5888].
//= rfc8840#4.1.3
//# thus, it MUST NOT include the "rtcp" attribute [RFC6086].
//= rfc8829#5.3.1
//# Each "m=" section that is not bundled into another "m=" section MUST contain the following attributes (which are of category IDENTICAL or TRANSPORT):
//= rfc9143#7.3.1
//# If all of the criteria above are fulfilled, the answerer MUST select the "m=" section as the offerer-tagged "m=" section and MUST also mark the corresponding "m=" section in the answer as the answerer-tagged "m=" section.
//= rfc8840#4
//# 2. Trickle ICE Agents MUST indicate support for Trickle ICE by including the ice-option "trickle" within all SDP Offers and Answers in accordance to [RFC8838].
#[test]
fn our_answer_reads_like_a_browsers() {
    let (mut alice, mut bob) = (negotiator(1), negotiator(2));
    let (_, answer) = exchange(&mut alice, &parameters('a'), &mut bob, &parameters('b'));
    let expected = [
        "v=0",
        "o=- 2 1 IN IP4 0.0.0.0",
        "s=-",
        "t=0 0",
        "a=group:BUNDLE 0",
        "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
        "c=IN IP4 0.0.0.0",
        "a=ice-ufrag:bbbb",
        "a=ice-pwd:bbbbbbbbbbbbbbbbbbbbbbbb",
        "a=ice-options:trickle ice2",
        &format!("a=fingerprint:{}", sha256(b'b')),
        "a=setup:active",
        "a=mid:0",
        "a=sctp-port:5000",
        "a=max-message-size:262144",
        "",
    ];
    assert_eq!(answer.sdp, expected.join("\r\n"));
}

//= rfc8829#3.5.5
//# Implementations MUST be able to accept remote descriptions that do not have the "ice2" attribute.
//= rfc8829#5.2.1
//# Implementations MUST be prepared to accept compliant SDP even if it would not conform to the requirements for generating SDP in this specification.
//= rfc8829#5.1.1
//# Note that the remote endpoint may use a lite implementation; implementations MUST properly handle remote endpoints that use ICE-lite.
//= rfc8829#5.10
//# Any "AS" bandwidth value ([RFC4566], Section 5.8) MUST be ignored
//= rfc8829#5.10
//# Any specified "CT" bandwidth value MUST be ignored
//= rfc9143#13.3
//# An agent MUST be capable of receiving SDP with a connection address of 0.0.0.0
//= rfc8841#9.2
//# SDP direction attributes MUST be ignored if present.
//= rfc8839#4.2.5
//# This MUST NOT be considered as an ICE failure by the peer agent, and the ICE processing MUST continue as usual.
//= rfc8839#4.2.5
//# Regardless of the procedures used to resolve FQDN or the resolution result, this MUST NOT be considered as an ICE failure by the peer agent, and the ICE processing MUST continue as usual.
//= rfc8840#4.1.2
//# This situation MUST NOT cause an ICE mismatch (see [RFC8839]).
//= rfc8839#5.1
//# An agent processing remote candidates MUST ignore "candidate" lines that include candidates with FQDNs or IP address versions that are not supported or recognized.
#[test]
fn offers_unlike_our_own_are_taken() {
    let chromium = fixture("chromium-156-ip-offer.sdp");
    let read = |text: String| negotiator(7).set_remote(&Description::offer(text)).unwrap().data.unwrap();
    let usual = read(chromium.clone());
    assert_eq!(read(without(&chromium, "a=ice-options")).ice_options, IceOptions::default());
    assert!(read(edit(&chromium, "t=0 0", "t=0 0\r\na=ice-lite")).ice_lite);
    assert_eq!(read(edit(&chromium, "a=mid:0", "a=mid:0\r\na=inactive")), usual);
    assert_eq!(read(edit(&chromium, "c=IN IP4 192.0.2.2", "c=IN IP4 0.0.0.0")), usual);
    assert_eq!(read(edit(&chromium, "t=0 0", "b=AS:1\r\nt=0 0")), usual);
    assert_eq!(read(edit(&chromium, "c=IN IP4 192.0.2.2", "c=IN IP4 192.0.2.2\r\nb=CT:1")), usual);
    assert_eq!(read(edit(&chromium, "c=IN IP4 192.0.2.2", "c=IN IP4 host.example.com")), usual);
    assert_eq!(read(edit(&chromium, "a=mid:0", "a=mid:0\r\na=candidate:1 1 quic 1 192.0.2.9 9 typ host")), usual);
    assert_eq!(read(edit(&chromium, "a=mid:0", "a=mid:0\r\na=remote-candidates:1 192.0.2.9 9")), usual);
    let nameless = without(&without(&chromium, "a=mid"), "a=group");
    let mut us = negotiator(7);
    assert_eq!(us.set_remote(&Description::offer(nameless)).unwrap().data.unwrap().mid, None);
    let answer = us.create_answer(&parameters('a')).unwrap();
    assert!(!answer.sdp.contains("a=mid") && !answer.sdp.contains("a=group"), "nothing that was not offered");
}

//= rfc8122#5.1
//# An endpoint MUST select the set of fingerprints that use its most preferred hash function (out of those offered by the peer) and verify that each certificate used matches one fingerprint out of that set.
//= rfc8122#5
//# Implementations compliant with this specification MUST NOT use the MD2 and MD5 hash functions to calculate fingerprints or to verify received fingerprints that have been calculated using them.
#[test]
fn weak_fingerprints_are_left_out_and_the_strongest_chosen() {
    let offer = fixture("aiortc-1.16-offer.sdp");
    let offer = edit(
        &offer,
        "a=fingerprint:sha-256",
        "a=fingerprint:md5 00:11\r\na=fingerprint:sha-1 22:33\r\na=fingerprint:sha-256",
    );
    let remote = negotiator(7).set_remote(&Description::offer(offer)).unwrap().data.unwrap();
    assert_eq!(remote.fingerprints.len(), 3);
    let strongest: Vec<_> = remote.strongest_fingerprints().map(|fingerprint| fingerprint.hash.clone()).collect();
    assert_eq!(strongest, [HashFunction::Sha512]);
}
