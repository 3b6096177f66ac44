//! Descriptions that are refused, each with an error that says why, and with nothing changed.

use weft_sdp::Setup;
use weft_sdp::jsep::{Description, NegotiationError, Required, SdpType, SignalingState};

use crate::common::{edit, fixture, negotiator, parameters, without};

const OFFER: &str = "chromium-156-ip-offer.sdp";
const ANSWER: &str = "chromium-156-ip-answer.sdp";

/// The error of an offer. Its `m=` is in line 8.
fn offer_error(sdp: String) -> NegotiationError {
    let mut us = negotiator(7);
    let error = us.set_remote(&Description::offer(sdp)).unwrap_err();
    assert_eq!(us.signaling_state(), SignalingState::Stable);
    assert_eq!((us.remote_description(), us.remote()), (None, None));
    error
}

fn answer_error(sdp: String) -> NegotiationError {
    let mut us = negotiator(7);
    let offer = us.create_offer(&parameters('a')).unwrap();
    us.set_local(&offer).unwrap();
    let error = us.set_remote(&Description::answer(sdp)).unwrap_err();
    assert_eq!(us.signaling_state(), SignalingState::HaveLocalOffer);
    assert_eq!((us.remote(), us.dtls_role()), (None, None));
    us.set_remote(&Description::answer(fixture(ANSWER))).unwrap();
    error
}

//= rfc8829#5.1.1
//# If any of these are absent, this omission MUST be treated as an error.
//= rfc8829#5.8.3
//# For each "m=" section, valid values for each of the mandatory-to-use features enumerated in Section 5.1.1 MUST be present.
//= rfc8829#5.8.3
//# DTLS fingerprint values, where at least one fingerprint MUST be present.
//= rfc8829#5.8.3
//# If any of the preceding checks failed, processing MUST stop and an error MUST be returned.
//= rfc8829#5.8.2
//# An "a=sctp-port" attribute MUST be present, and it MUST be parsed as specified in [RFC8841], Section 5.2, and the value stored.
//= rfc8841#5.1
//# Therefore, if the attribute is not present, the associated "m=" line MUST be considered invalid.
//= rfc8829#5.10
//# If an error is returned, the session MUST be restored to the state it was in before performing these steps.
//= rfc8839#4.3.2
//# If the offer does not indicate support of ICE (Section 4.2.5), the answerer MUST NOT accept the usage of ICE.
#[test]
fn what_cannot_be_done_without_is_named() {
    for (attribute, required) in [
        ("a=ice-ufrag", Required::IceUfrag),
        ("a=ice-pwd", Required::IcePwd),
        ("a=fingerprint", Required::Fingerprint),
        ("a=sctp-port", Required::SctpPort),
    ] {
        let missing = NegotiationError::Missing { required, line: 8 };
        assert_eq!(offer_error(without(&fixture(OFFER), attribute)), missing);
        assert_eq!(answer_error(without(&fixture(ANSWER), attribute)), missing);
        assert_eq!(missing.to_string(), format!("the data section at line 8 has no {attribute}"));
    }
}

#[test]
fn weak_fingerprints_alone_are_refused() {
    let weak = without(&fixture(OFFER), "a=fingerprint").replace("a=setup", "a=fingerprint:sha-1 00:11\r\na=setup");
    let error = offer_error(weak);
    assert_eq!(error, NegotiationError::WeakFingerprints { line: 8 });
    assert_eq!(error.to_string(), "the data section at line 8 has no fingerprint by sha-256, sha-384 or sha-512");
}

//= rfc8842#5.1
//# Unlike for TCP and TLS connections, endpoints MUST NOT use the SDP "setup" attribute "holdconn" value when negotiating a DTLS association.
//= rfc8841#9.5
//# The SDP "setup" attribute "holdconn" value MUST NOT be used.
//= rfc8829#5.8.3
//# A DTLS setup value, which MUST be set according to the rules specified in [RFC5763], Section 5
#[test]
fn setups_that_decide_nothing_are_refused() {
    let holdconn = |kind| NegotiationError::Setup { setup: Setup::HoldConn, kind, line: 8 };
    assert_eq!(offer_error(edit(&fixture(OFFER), "actpass", "holdconn")), holdconn(SdpType::Offer));
    assert_eq!(answer_error(edit(&fixture(ANSWER), "a=setup:active", "a=setup:holdconn")), holdconn(SdpType::Answer));
    let error = answer_error(edit(&fixture(ANSWER), "a=setup:active", "a=setup:actpass"));
    assert_eq!(error, NegotiationError::Setup { setup: Setup::ActPass, kind: SdpType::Answer, line: 8 });
    assert_eq!(error.to_string(), "the data section at line 8 has a=setup:actpass, which may not stand in this answer");
}

//= rfc8839#4.2.5
//# In this case, ICE processing MUST be terminated for this data stream
//= rfc8839#5.3
//# ICE procedures MUST NOT be used for this data stream
//= rfc8829#5.1.1
//# ICE, as specified in [RFC8445], MUST be used.
#[test]
fn a_peer_that_refuses_ice_is_refused() {
    let error = answer_error(edit(&fixture(ANSWER), "a=mid", "a=ice-mismatch\r\na=mid"));
    assert_eq!(error, NegotiationError::IceMismatch { line: 8 });
}

//= rfc8829#5.6
//# If parsing fails for any reason, processing MUST stop and an error MUST be returned.
//= rfc8829#5.8.2
//# Any "a=remote-candidates" attributes MUST be parsed as specified in [RFC8839], Section 5.2, but their values are ignored.
//= rfc8829#5.8.2
//# If present, a single "a=max-message-size" attribute MUST be parsed as specified in [RFC8841], Section 6, and the value stored.
//= rfc8829#8
//# The JSEP implementation MUST be prepared for the JavaScript to pass in bogus data instead.
#[test]
fn malformed_attributes_are_named_by_line_and_column() {
    let malformed = |from: &str, to: &str| offer_error(edit(&fixture(OFFER), from, to)).to_string();
    assert_eq!(
        malformed("a=setup:actpass", "a=setup:both"),
        "line 16, column 9: expected active, passive, actpass or holdconn"
    );
    assert_eq!(malformed("a=mid:0", "a=mid:a b"), "line 17, column 8: expected the end of the line");
    assert_eq!(malformed("udp 2113937151", "udp x"), "line 10, column 30: expected a priority (1 to 4294967295)");
    assert_eq!(
        malformed("a=sctp-port:5000", "a=sctp-port:70000"),
        "line 18, column 13: expected an SCTP port (0 to 65535, without leading zeros)"
    );
    assert_eq!(
        malformed("a=max-message-size:262144", "a=max-message-size:big"),
        "line 19, column 20: expected a message size (digits, without leading zeros)"
    );
    assert_eq!(
        malformed("a=ice-ufrag:LmKV", "a=ice-ufrag:L"),
        "line 12, column 13: expected a user name fragment (4 to 256 letters, digits, + or /)"
    );
    assert_eq!(
        malformed("a=mid:0", "a=mid:0\r\na=ice-ufrag:LmKV"),
        "line 18, column 3: expected no second attribute of this name"
    );
    assert_eq!(malformed("a=mid:0", "a=mid:0\r\na=remote-candidates:1 x"), "line 18, column 24: expected a space");
    assert_eq!(malformed("a=group:BUNDLE 0", "a=group:BUNDLE  0"), "line 5, column 16: expected an identification tag");
    assert_eq!(malformed("t=0 0", "t=0"), "line 4, column 4: expected a space");
}

//= rfc8829#5.8.3
//# The session description MUST follow the rules defined in [RFC3264], Section 6, including the requirement that the number of "m=" sections MUST exactly match the number of "m=" sections in the associated offer.
//= rfc8829#5.8.3
//# For each "m=" section, the media type and protocol values MUST exactly match the media type and protocol values in the corresponding "m=" section in the associated offer.
//= rfc9143#7.4
//# When an offerer receives an answer, if the answer contains a BUNDLE group, the offerer MUST check that any bundled "m=" section in the answer was indicated as bundled in the corresponding offer (for the same BUNDLE group).
#[test]
fn answers_that_do_not_fit_their_offer_are_refused() {
    let answer = fixture(ANSWER);
    let (kind, expected) = (SdpType::Answer, 1);
    let more = format!("{answer}m=audio 0 RTP/AVP 0\r\n");
    assert_eq!(answer_error(more), NegotiationError::SectionCount { kind, expected, found: 2 });
    let none = answer[..answer.find("m=").unwrap()].to_owned();
    assert_eq!(answer_error(none), NegotiationError::SectionCount { kind, expected, found: 0 });
    let changed = |what| NegotiationError::SectionChanged { line: 8, what };
    assert_eq!(answer_error(edit(&answer, "m=application", "m=audio")), changed("media type"));
    assert_eq!(answer_error(edit(&answer, "UDP/DTLS", "TCP/DTLS")), changed("protocol"));
    assert_eq!(answer_error(edit(&answer, "a=mid:0", "a=mid:1")), changed("mid"));
    let mid = "1".to_owned();
    assert_eq!(answer_error(edit(&answer, "BUNDLE 0", "BUNDLE 0 1")), NegotiationError::BundleMismatch { mid });
}

#[test]
fn two_sections_of_one_name_are_refused() {
    let offer = format!("{}m=audio 9 RTP/AVP 0\r\na=mid:0\r\n", fixture(OFFER));
    let error = offer_error(offer);
    assert_eq!(error, NegotiationError::DuplicateMid { mid: "0".into(), line: 20 });
    assert_eq!(error.to_string(), "the media section at line 20 has the mid \"0\" of another");
}

//= rfc9143#7.4
//# If the answer does not contain a BUNDLE group, the offerer MUST process the answer as a normal answer.
#[test]
fn answers_may_bundle_nothing_and_refuse() {
    let mut us = negotiator(7);
    let offer = us.create_offer(&parameters('a')).unwrap();
    us.set_local(&offer).unwrap();
    let unbundled = without(&fixture(ANSWER), "a=group");
    assert!(us.set_remote(&Description::answer(unbundled)).unwrap().data.is_some());

    let mut us = negotiator(7);
    us.create_offer(&parameters('a')).unwrap();
    us.set_local(&Description::offer("")).unwrap();
    let refused = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\nm=application 0 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:0\r\n";
    let applied = us.set_remote(&Description::answer(refused)).unwrap();
    assert_eq!((applied.data, applied.state), (None, SignalingState::Stable));
    assert_eq!(us.dtls_role(), None);
}

//= rfc8839#5.4
//# the "ice-ufrag" attribute MUST NOT be longer than 32 characters when sending
#[test]
fn local_parameters_that_make_no_description_are_refused() {
    let refused = |change: &dyn Fn(&mut weft_sdp::jsep::LocalParameters)| {
        let mut local = parameters('a');
        change(&mut local);
        let mut us = negotiator(7);
        let error = us.create_offer(&local).unwrap_err();
        us.set_remote(&Description::offer(fixture(OFFER))).unwrap();
        assert_eq!(us.create_answer(&local), Err(error.clone()));
        error.to_string()
    };
    let ufrag = "the local parameters need a ufrag of 4 to 32 letters, digits, + or /";
    assert_eq!(refused(&|local| local.ufrag = "a".repeat(33)), ufrag);
    assert_eq!(refused(&|local| local.ufrag = "aaa".into()), ufrag);
    assert_eq!(refused(&|local| local.ufrag = "aaaa\r\na=x".into()), ufrag);
    let pwd = "the local parameters need a pwd of 22 to 256 letters, digits, + or /";
    assert_eq!(refused(&|local| local.pwd = "a".repeat(21)), pwd);
    let fingerprint = "the local parameters need a fingerprint by sha-256, sha-384 or sha-512";
    assert_eq!(refused(&|local| local.fingerprints = vec!["sha-1 00".parse().unwrap()]), fingerprint);
    assert_eq!(refused(&|local| local.fingerprints.clear()), fingerprint);
    assert_eq!(refused(&|local| local.sctp_port = 0), "the local parameters need an SCTP port other than 0");
}
