//! `a=sctp-init` (draft-hancke-tsvwg-snap-00).

use weft_sdp::jsep::Description;
use weft_sdp::{SctpInit, Session};

use crate::common::{edit, exchange, fixture, negotiator, parameters, parsed, peers, value};

fn init(byte: u8) -> SctpInit {
    SctpInit(vec![byte; 30])
}

#[test]
fn chromiums_values_are_read() {
    let mut seen = 0;
    for kind in ["offer", "answer"] {
        for (name, text) in peers(kind).into_iter().filter(|(name, _)| name.contains("snap")) {
            let session = Session::parse(&text).unwrap();
            let text = value(&session, 0, "sctp-init").unwrap_or_else(|| panic!("{name}"));
            let init: SctpInit = text.parse().unwrap();
            assert_eq!((init.0[0], usize::from(init.0[3])), (1, init.0.len()), "{name}: an INIT chunk without padding");
            assert_eq!(init.to_string(), text);
            seen += 1;
        }
    }
    assert_eq!(seen, 6);
    for bad in ["", "====", "AQAA*", "AQ", "AQAA "] {
        assert!(bad.is_empty() || bad.parse::<SctpInit>().is_err(), "{bad:?}");
    }
}

#[test]
fn it_is_offered_answered_and_repeated() {
    let (mut alice, mut bob) = (negotiator(1), negotiator(2));
    let (mut a, mut b) = (parameters('a'), parameters('b'));
    a.sctp_init = Some(init(1));
    b.sctp_init = Some(init(2));
    for _ in 0..2 {
        let (offer, answer) = exchange(&mut alice, &a, &mut bob, &b);
        assert_eq!(value(&parsed(&offer), 0, "sctp-init"), Some(init(1).to_string()));
        assert_eq!(value(&parsed(&answer), 0, "sctp-init"), Some(init(2).to_string()));
        assert_eq!(alice.remote().unwrap().sctp_init, Some(init(2).to_string()));
        assert_eq!(bob.remote().unwrap().sctp_init, Some(init(1).to_string()));
    }
}

/// libdatachannel#1620: an answerer that copied what it did not know told Chrome that it speaks SNAP.
#[test]
fn libdatachannel_1620_the_attribute_is_never_echoed() {
    let mut us = negotiator(1);
    us.set_remote(&Description::offer(fixture("chromium-156-snap-offer.sdp"))).unwrap();
    let answer = us.create_answer(&parameters('b')).unwrap();
    assert!(!answer.sdp.contains("sctp-init"));
    // Nor is it answered where it was not offered.
    let mut us = negotiator(1);
    us.set_remote(&Description::offer(fixture("chromium-156-ip-offer.sdp"))).unwrap();
    let mut own = parameters('b');
    own.sctp_init = Some(init(2));
    assert!(!us.create_answer(&own).unwrap().sdp.contains("sctp-init"));
    // Whoever does not speak SNAP does not care what stands there.
    let mut us = negotiator(1);
    let odd = edit(&fixture("chromium-156-snap-offer.sdp"), "a=sctp-init:", "a=sctp-init:*");
    assert_eq!(us.set_remote(&Description::offer(odd)).unwrap().data.unwrap().sctp_init.unwrap().as_bytes()[0], b'*');
}
