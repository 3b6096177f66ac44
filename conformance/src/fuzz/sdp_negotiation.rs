//! Offer and answer, with a peer that writes what it likes.

use weft_sdp::{
    Session,
    jsep::{Description, LocalParameters, Negotiator, NegotiatorConfig},
};

/// The input is one remote description, or two with a zero byte between. A call that fails changes nothing; an offer
/// that was accepted gets an answer that can be read and applied.
pub(super) fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (first, second) = text.split_once('\0').unwrap_or((text, ""));
    answer(first, second);
    offer(first, second);
}

fn parameters(ufrag: &str) -> Option<LocalParameters> {
    let fingerprint = format!("sha-256 {}", ["AB"; 32].join(":")).parse().ok()?;
    Some(LocalParameters::new(ufrag, "at-least-22-characters", vec![fingerprint]))
}

fn answer(first: &str, second: &str) {
    let Some(parameters) = parameters("bobs") else { return };
    let mut bob = Negotiator::new(NegotiatorConfig::new(1));
    for offer in [first, second] {
        if !set_remote(&mut bob, &Description::offer(offer)) {
            continue;
        }
        if let Ok(answer) = bob.create_answer(&parameters) {
            assert!(Session::parse(&answer.sdp).is_ok(), "unreadable answer: {answer:?}");
            let applied = bob.set_local(&answer);
            assert!(applied.is_ok(), "{applied:?} for {answer:?}");
        }
    }
}

fn offer(first: &str, second: &str) {
    let Some(parameters) = parameters("alic") else { return };
    let mut alice = Negotiator::new(NegotiatorConfig::new(2));
    let Ok(offer) = alice.create_offer(&parameters) else { return };
    assert!(alice.set_local(&offer).is_ok());
    set_remote(&mut alice, &Description::answer(first).provisional());
    set_remote(&mut alice, &Description::answer(second));
    set_remote(&mut alice, &Description::offer(second));
}

/// Whether it was accepted; a refusal leaves the state as it was.
fn set_remote(negotiator: &mut Negotiator, description: &Description) -> bool {
    let before = (negotiator.signaling_state(), negotiator.remote().cloned());
    let accepted = negotiator.set_remote(description).is_ok();
    assert!(accepted || before == (negotiator.signaling_state(), negotiator.remote().cloned()));
    accepted
}
