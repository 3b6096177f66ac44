//! The signaling state machine: every description in every state.

use weft_sdp::jsep::{Description, NegotiationError, Negotiator, NegotiatorConfig, Operation, SdpType, SignalingState};

use crate::common::{exchange, negotiator, parameters};

const STATES: [SignalingState; 6] = [
    SignalingState::Stable,
    SignalingState::HaveLocalOffer,
    SignalingState::HaveRemoteOffer,
    SignalingState::HaveLocalPrAnswer,
    SignalingState::HaveRemotePrAnswer,
    SignalingState::Closed,
];

/// A negotiator in this state, and the peer whose descriptions it can take.
fn in_state(state: SignalingState) -> (Negotiator, Negotiator) {
    let mut config = NegotiatorConfig::new(1);
    config.implicit_rollback = false;
    let (mut us, mut them) = (Negotiator::new(config), negotiator(2));
    match state {
        SignalingState::Stable => {}
        SignalingState::HaveLocalOffer | SignalingState::HaveRemotePrAnswer => {
            let offer = us.create_offer(&parameters('a')).unwrap();
            us.set_local(&offer).unwrap();
            them.set_remote(&offer).unwrap();
            if state == SignalingState::HaveRemotePrAnswer {
                let answer = them.create_answer(&parameters('b')).unwrap().provisional();
                them.set_local(&answer).unwrap();
                us.set_remote(&answer).unwrap();
            }
        }
        SignalingState::HaveRemoteOffer | SignalingState::HaveLocalPrAnswer => {
            let offer = them.create_offer(&parameters('b')).unwrap();
            them.set_local(&offer).unwrap();
            us.set_remote(&offer).unwrap();
            if state == SignalingState::HaveLocalPrAnswer {
                let answer = us.create_answer(&parameters('a')).unwrap().provisional();
                us.set_local(&answer).unwrap();
            }
        }
        SignalingState::Closed => us.close(),
    }
    assert_eq!(us.signaling_state(), state);
    (us, them)
}

/// A description that would be in order if the state allowed it.
fn description(us: &mut Negotiator, them: &mut Negotiator, local: bool, kind: SdpType) -> Description {
    let (maker, letter) = if local { (us, 'a') } else { (them, 'b') };
    let made = match kind {
        SdpType::Rollback => return Description::rollback(),
        SdpType::Offer => maker.create_offer(&parameters(letter)),
        SdpType::PrAnswer => maker.create_answer(&parameters(letter)).map(Description::provisional),
        SdpType::Answer => maker.create_answer(&parameters(letter)),
    };
    // Where one cannot be made, one made elsewhere must be refused just the same.
    let other = || {
        let mut other = negotiator(9);
        let offer = other.create_offer(&parameters(letter)).unwrap();
        Description { kind, ..offer }
    };
    made.unwrap_or_else(|_| other())
}

fn expected(state: SignalingState, local: bool, kind: SdpType) -> Option<SignalingState> {
    use SignalingState::{HaveLocalOffer, HaveLocalPrAnswer, HaveRemoteOffer, HaveRemotePrAnswer, Stable};
    // RFC 8829 3.2, and the W3C's "set a session description".
    let table = [
        (Stable, true, SdpType::Offer, HaveLocalOffer),
        (Stable, false, SdpType::Offer, HaveRemoteOffer),
        (HaveLocalOffer, true, SdpType::Offer, HaveLocalOffer),
        (HaveLocalOffer, false, SdpType::PrAnswer, HaveRemotePrAnswer),
        (HaveLocalOffer, false, SdpType::Answer, Stable),
        (HaveLocalOffer, true, SdpType::Rollback, Stable),
        (HaveLocalOffer, false, SdpType::Rollback, Stable),
        (HaveRemoteOffer, false, SdpType::Offer, HaveRemoteOffer),
        (HaveRemoteOffer, true, SdpType::PrAnswer, HaveLocalPrAnswer),
        (HaveRemoteOffer, true, SdpType::Answer, Stable),
        (HaveRemoteOffer, true, SdpType::Rollback, Stable),
        (HaveRemoteOffer, false, SdpType::Rollback, Stable),
        (HaveLocalPrAnswer, true, SdpType::PrAnswer, HaveLocalPrAnswer),
        (HaveLocalPrAnswer, true, SdpType::Answer, Stable),
        (HaveRemotePrAnswer, false, SdpType::PrAnswer, HaveRemotePrAnswer),
        (HaveRemotePrAnswer, false, SdpType::Answer, Stable),
    ];
    table.into_iter().find(|row| (row.0, row.1, row.2) == (state, local, kind)).map(|row| row.3)
}

//= rfc8829#5.5
//# If the type is "offer", the PeerConnection state MUST be either "stable" or "have-local-offer".
//= rfc8829#5.5
//# If the type is "pranswer" or "answer", the PeerConnection state MUST be either "have-remote-offer" or "have-local-pranswer".
//= rfc8829#5.5
//# If the type is not correct for the current state, processing MUST stop and an error MUST be returned.
//= rfc8829#5.6
//# If the type is "offer", the PeerConnection state MUST be either "stable" or "have-remote-offer".
//= rfc8829#5.6
//# If the type is "pranswer" or "answer", the PeerConnection state MUST be either "have-local-offer" or "have-remote-pranswer".
//= rfc8829#5.6
//# If the type is not correct for the current state, processing MUST stop and an error MUST be returned.
//= rfc8829#5.7
//# If a rollback is attempted in the "stable" state, processing MUST stop and an error MUST be returned.
//= rfc8829#5.7
//# The effect of rollback MUST be the same regardless of whether setLocalDescription or setRemoteDescription is called.
//= rfc8829#4.1.10
//# "rollback" is a special session description type indicating that the state machine MUST be rolled back to the previous "stable" state
#[test]
fn every_description_in_every_state() {
    for state in STATES {
        for local in [true, false] {
            for kind in [SdpType::Offer, SdpType::PrAnswer, SdpType::Answer, SdpType::Rollback] {
                let (mut us, mut them) = in_state(state);
                let description = description(&mut us, &mut them, local, kind);
                let before = format!("{:?}", (us.local_description(), us.remote_description(), us.dtls_role()));
                let outcome = if local {
                    us.set_local(&description).map(|applied| applied.state)
                } else {
                    us.set_remote(&description).map(|applied| applied.state)
                };
                let case = format!("{state}, local {local}, {kind}");
                if let Some(next) = expected(state, local, kind) {
                    assert_eq!(outcome, Ok(next), "{case}");
                    assert_eq!(us.signaling_state(), next, "{case}");
                } else {
                    let operation = if local { Operation::SetLocal(kind) } else { Operation::SetRemote(kind) };
                    assert_eq!(outcome, Err(NegotiationError::WrongState { operation, state }), "{case}");
                    assert_eq!(us.signaling_state(), state, "{case}");
                    let after = format!("{:?}", (us.local_description(), us.remote_description(), us.dtls_role()));
                    assert_eq!(after, before, "{case}");
                }
            }
        }
    }
}

//= rfc8829#5.3.1
//# If no remote description has been installed, an answer cannot be generated, and an error MUST be returned.
#[test]
fn offers_and_answers_are_created_only_where_they_can_be_applied() {
    for state in STATES {
        let (mut us, _) = in_state(state);
        let can_offer = matches!(state, SignalingState::Stable | SignalingState::HaveLocalOffer);
        assert_eq!(us.create_offer(&parameters('a')).is_ok(), can_offer, "{state}");
        let (mut us, _) = in_state(state);
        let can_answer = matches!(state, SignalingState::HaveRemoteOffer | SignalingState::HaveLocalPrAnswer);
        assert_eq!(us.create_answer(&parameters('a')).is_ok(), can_answer, "{state}");
    }
}

//= rfc8829#5.4
//# The SDP returned from createOffer or createAnswer MUST NOT be changed before passing it to setLocalDescription.
//= rfc8829#5.5
//# The SessionDescription is then checked to ensure that its contents are identical to those generated in the last call to createOffer/ createAnswer, and thus have not been altered, as discussed in Section 5.4; otherwise, processing MUST stop and an error MUST be returned.
//= rfc8829#5.9
//# If an error is returned, the session MUST be restored to the state it was in before performing these steps.
//= rfc8829#4.1.8
//# Session descriptions generated by createOffer MUST be immediately usable by setLocalDescription
//= rfc8829#4.1.9
//# Session descriptions generated by createAnswer MUST be immediately usable by setLocalDescription
#[test]
fn local_descriptions_are_applied_as_created() {
    let (mut us, mut them) = (negotiator(1), negotiator(2));
    assert_eq!(us.set_local(&Description::offer("")), Err(NegotiationError::NotCreated(SdpType::Offer)));
    let first = us.create_offer(&parameters('a')).unwrap();
    let offer = us.create_offer(&parameters('b')).unwrap();
    assert_eq!(us.set_local(&first), Err(NegotiationError::NotCreated(SdpType::Offer)));
    let altered = Description::offer(offer.sdp.replace("5000", "5001"));
    assert_eq!(us.set_local(&altered), Err(NegotiationError::NotCreated(SdpType::Offer)));
    assert_eq!(us.signaling_state(), SignalingState::Stable);
    us.set_local(&Description::offer(offer.sdp.replace("\r\n", "\n"))).unwrap();
    assert_eq!(us.local_description(), Some(offer.clone()));

    them.set_remote(&offer).unwrap();
    let answer = them.create_answer(&parameters('c')).unwrap();
    assert!(them.set_local(&Description::answer(offer.sdp.clone())).is_err());
    them.set_local(&Description::answer("")).unwrap();
    assert_eq!(them.local_description(), Some(answer));
    assert_eq!(them.signaling_state(), SignalingState::Stable);
}

//= rfc8829#4.1.10
//# "pranswer" indicates that a description MUST be parsed as an answer, but not a final answer, and so MUST NOT result in the freeing of allocated resources.
//= rfc8829#4.1.11
//# the PeerConnection MUST be able to simultaneously support use of both the current and pending local descriptions
#[test]
fn descriptions_move_from_pending_to_current() {
    let (mut alice, mut bob) = (negotiator(1), negotiator(2));
    let offer = alice.create_offer(&parameters('a')).unwrap();
    alice.set_local(&offer).unwrap();
    assert_eq!(alice.pending_local_description(), Some(offer.clone()));
    assert_eq!(alice.current_local_description(), None);
    bob.set_remote(&offer).unwrap();
    assert_eq!(bob.pending_remote_description(), Some(offer.clone()));

    let provisional = bob.create_answer(&parameters('b')).unwrap().provisional();
    bob.set_local(&provisional).unwrap();
    alice.set_remote(&provisional).unwrap();
    assert_eq!(alice.pending_remote_description(), Some(provisional.clone()));
    assert_eq!(alice.current_remote_description(), None);
    assert!(alice.dtls_role().is_some(), "a provisional answer is enough to start with");

    let answer = bob.create_answer(&parameters('b')).unwrap();
    bob.set_local(&answer).unwrap();
    alice.set_remote(&answer).unwrap();
    for side in [&alice, &bob] {
        assert_eq!(side.pending_local_description(), None);
        assert_eq!(side.pending_remote_description(), None);
    }
    assert_eq!(alice.current_local_description(), Some(offer.clone()));
    assert_eq!(alice.current_remote_description(), Some(answer.clone()));
    assert_eq!(bob.current_local_description(), Some(answer));
    assert_eq!(bob.current_remote_description(), Some(offer));
}

#[test]
fn rollback_takes_back_what_was_pending_and_no_more() {
    let (mut alice, mut bob) = (negotiator(1), negotiator(2));
    let (offer, answer) = exchange(&mut alice, &parameters('a'), &mut bob, &parameters('b'));
    let restarted = alice.create_offer(&parameters('c')).unwrap();
    alice.set_local(&restarted).unwrap();
    bob.set_remote(&restarted).unwrap();
    assert_eq!(bob.remote().unwrap().ufrag, "cccc");

    alice.set_local(&Description::rollback()).unwrap();
    let applied = bob.set_remote(&Description::rollback()).unwrap();
    assert!(!applied.rolled_back, "the offer was the peer's");
    assert_eq!(alice.local_description(), Some(offer.clone()));
    assert_eq!(alice.remote_description(), Some(answer));
    assert_eq!(bob.remote_description(), Some(offer));
    assert_eq!(bob.remote().unwrap().ufrag, "aaaa");
    exchange(&mut bob, &parameters('b'), &mut alice, &parameters('a'));
}

#[test]
fn glare_is_resolved_by_rolling_back_or_refused() {
    let (mut polite, mut impolite) = (negotiator(1), negotiator(2));
    let lost = polite.create_offer(&parameters('a')).unwrap();
    polite.set_local(&lost).unwrap();
    let offer = impolite.create_offer(&parameters('b')).unwrap();
    impolite.set_local(&offer).unwrap();

    // A broken offer must not cost the local one.
    let broken = Description::offer(offer.sdp.replace("a=ice-pwd", "a=not-ice-pwd"));
    assert!(polite.set_remote(&broken).is_err());
    assert_eq!(polite.signaling_state(), SignalingState::HaveLocalOffer);
    assert_eq!(polite.local_description(), Some(lost));

    let applied = polite.set_remote(&offer).unwrap();
    assert!(applied.rolled_back);
    assert_eq!(applied.state, SignalingState::HaveRemoteOffer);
    assert_eq!(polite.local_description(), None);
    let answer = polite.create_answer(&parameters('a')).unwrap();
    polite.set_local(&answer).unwrap();
    impolite.set_remote(&answer).unwrap();
    assert_eq!(impolite.signaling_state(), SignalingState::Stable);
}

#[test]
fn closed_is_the_end_but_can_be_read() {
    let (mut alice, mut bob) = (negotiator(1), negotiator(2));
    let (offer, _) = exchange(&mut alice, &parameters('a'), &mut bob, &parameters('b'));
    alice.close();
    assert_eq!(alice.signaling_state(), SignalingState::Closed);
    assert_eq!(alice.current_local_description(), Some(offer));
    assert!(alice.remote().is_some());
    let error = alice.create_offer(&parameters('a')).unwrap_err();
    assert_eq!(error.to_string(), "cannot create an offer in signaling state closed");
}
