//! What is in force kept as text: nothing but memory tells the difference.

use weft_sdp::jsep::{Description, IceCandidate, Negotiator, SdpType};

use crate::common::{connected, exchange, host, negotiator, parameters, peers};

fn assert_same(plain: &Negotiator, packed: &Negotiator) {
    assert_eq!(plain.local_description(), packed.local_description());
    assert_eq!(plain.current_local_description(), packed.current_local_description());
    assert_eq!(plain.pending_local_description(), packed.pending_local_description());
    assert_eq!(plain.remote_description(), packed.remote_description());
    assert_eq!(plain.current_remote_description(), packed.current_remote_description());
    assert_eq!(plain.pending_remote_description(), packed.pending_remote_description());
    assert_eq!(plain.local_credentials(), packed.local_credentials());
    assert_eq!(plain.current_local_credentials(), packed.current_local_credentials());
    assert_eq!(plain.local_candidates(), packed.local_candidates());
    assert_eq!(plain.can_trickle(), packed.can_trickle());
    assert_eq!(plain.is_negotiated(), packed.is_negotiated());
    assert_eq!(plain.signaling_state(), packed.signaling_state());
    assert_eq!(plain.dtls_role(), packed.dtls_role());
}

/// Packs one of two that are the same, and compares what they say then and after each of `steps`.
fn compare(negotiator: &Negotiator, steps: &[&dyn Fn(&mut Negotiator) -> String]) {
    let (mut plain, mut packed) = (negotiator.clone(), negotiator.clone());
    packed.pack();
    assert_same(&plain, &packed);
    let (theirs, known) = (packed.agreed().unwrap(), plain.agreed().unwrap());
    assert!(theirs.candidates.is_empty());
    assert_eq!((&theirs.ufrag, &theirs.fingerprints, &theirs.mid), (&known.ufrag, &known.fingerprints, &known.mid));
    for step in steps {
        packed.pack();
        assert_eq!(step(&mut plain), step(&mut packed));
        assert_same(&plain, &packed);
    }
    // Taken apart again, all is as it was.
    assert_eq!(plain.remote(), packed.remote());
}

fn debug(value: &impl std::fmt::Debug) -> String {
    format!("{value:?}")
}

#[test]
fn later_exchanges_go_on_from_what_was_packed() {
    let (alice, _) = connected();
    let again = |us: &mut Negotiator| debug(&us.create_offer(&parameters('a')));
    let restart = |us: &mut Negotiator| debug(&us.create_offer(&parameters('c')));
    let apply = |us: &mut Negotiator| debug(&us.set_local(&Description { kind: SdpType::Offer, sdp: String::new() }));
    let back = |us: &mut Negotiator| debug(&us.set_local(&Description::rollback()));
    let local = |us: &mut Negotiator| debug(&us.add_local_candidate("aaaa", &host("192.0.2.1", 5)));
    let end = |us: &mut Negotiator| debug(&us.end_of_local_candidates("aaaa"));
    let remote = |us: &mut Negotiator| {
        let candidate = host("192.0.2.7", 9).to_string();
        debug(&us.add_remote_candidate(&IceCandidate {
            candidate,
            sdp_mid: Some("0".into()),
            ..IceCandidate::default()
        }))
    };
    compare(&alice, &[&local, &remote, &end, &remote, &again, &restart, &apply, &back, &again]);
}

#[test]
fn descriptions_of_all_peers_stay_as_they_were() {
    for (name, sdp) in peers("offer") {
        let (offer, mut us) = (Description::offer(sdp), negotiator(1));
        let Ok(applied) = us.set_remote(&offer) else { panic!("{name}") };
        if applied.data.is_none() {
            continue;
        }
        let answer = us.create_answer(&parameters('a')).unwrap();
        us.set_local(&answer).unwrap();
        let repeated = |us: &mut Negotiator| debug(&us.set_remote(&offer));
        let answered = |us: &mut Negotiator| debug(&us.create_answer(&parameters('a')));
        compare(&us, &[&repeated, &answered]);
    }
}

#[test]
fn what_is_under_way_is_not_packed() {
    let (mut alice, mut bob) = (negotiator(1), negotiator(2));
    alice.pack();
    let offer = alice.create_offer(&parameters('a')).unwrap();
    alice.set_local(&offer).unwrap();
    alice.pack();
    bob.set_remote(&offer).unwrap();
    bob.pack();
    assert_eq!(bob.remote().unwrap().ufrag, "aaaa");
    let answer = bob.create_answer(&parameters('b')).unwrap();
    bob.set_local(&answer).unwrap();
    alice.set_remote(&answer).unwrap();
    alice.pack();
    bob.pack();
    exchange(&mut bob, &parameters('b'), &mut alice, &parameters('a'));
}
