//! Set-up: INIT to COOKIE ACK, lost, crossed, repeated, forged.

use weft_core::{Layer, Rng};
use weft_sctp::wire::{Init, kind};
use weft_sctp::{Association, AssociationError, Config, Event, SendOptions, State};

use crate::common::{
    Answered, Duo, OUR_TAG, Victim, answer_to_init, chunks, echo, events, init_value, kinds, millis, packet, packets,
    payload, secs, tag_of,
};

/// INIT, INIT ACK, COOKIE ECHO with data, COOKIE ACK: the first message takes two round trips less than it might.
#[test]
fn data_goes_with_the_cookie_echo() {
    let mut duo = Duo::new(&Config::rtc());
    duo.a.send(duo.now, 0, 50, payload(0, 30), SendOptions::default()).unwrap();
    duo.a.connect(duo.now);
    let init = packets(&mut duo.a, duo.now);
    assert_eq!((init.len(), kinds(&init[0]), tag_of(&init[0])), (1, vec![kind::INIT], 0));
    // the Verification Tag field set to 0
    duo.b.handle_input(duo.now, &init[0]).unwrap();
    let ack = packets(&mut duo.b, duo.now);
    assert_eq!(kinds(&ack[0]), [kind::INIT_ACK]);
    assert_eq!(duo.b.state(), State::Closed, "nothing is kept before the cookie comes back");
    duo.a.handle_input(duo.now, &ack[0]).unwrap();
    let echo = packets(&mut duo.a, duo.now);
    //= rfc9260#5.1
    //# The COOKIE ECHO chunk MAY be bundled with any pending outbound DATA chunks, but it MUST be the first chunk in the packet
    assert_eq!((echo.len(), kinds(&echo[0])), (1, vec![kind::COOKIE_ECHO, kind::I_DATA]));
    duo.b.handle_input(duo.now, &echo[0]).unwrap();
    assert_eq!(events(&mut duo.b), [Event::Established, Event::Readable]);
    assert_eq!(duo.b.receive().unwrap().payload, payload(0, 30));
    duo.b.send(duo.now, 1, 50, payload(1, 5), SendOptions::default()).unwrap();
    let answer = packets(&mut duo.b, duo.now);
    //= rfc9260#5.1.5
    //# however, the COOKIE ACK chunk MUST be the first chunk in the SCTP packet.
    assert_eq!(kinds(&answer[0]), [kind::COOKIE_ACK, kind::SACK, kind::I_DATA]);
    duo.a.handle_input(duo.now, &answer[0]).unwrap();
    assert_eq!(duo.a.state(), State::Established);
}

#[test]
fn both_sides_connect_at_once() {
    for lost in 0..40_u32 {
        let mut duo = Duo::new(&Config::rtc());
        duo.a.connect(duo.now);
        duo.b.connect(duo.now);
        duo.a.send(duo.now, 0, 53, payload(1, 3000), SendOptions::default()).unwrap();
        duo.b.send(duo.now, 0, 53, payload(2, 3000), SendOptions::default()).unwrap();
        // One of the first packets is lost, in turn.
        let mut count = 0;
        for _ in 0..300 {
            for from_a in [true, false] {
                let out = packets(if from_a { &mut duo.a } else { &mut duo.b }, duo.now);
                for packet in out {
                    count += 1;
                    if count != lost {
                        let to = if from_a { &mut duo.b } else { &mut duo.a };
                        to.handle_input(duo.now, &packet).unwrap();
                    }
                }
            }
            duo.now += millis(20);
            duo.a.handle_timeout(duo.now).unwrap();
            duo.b.handle_timeout(duo.now).unwrap();
        }
        assert_eq!((duo.a.state(), duo.b.state()), (State::Established, State::Established), "lost {lost}");
        assert_eq!(duo.b.receive().unwrap().payload, payload(1, 3000), "lost {lost}");
        assert_eq!(duo.a.receive().unwrap().payload, payload(2, 3000), "lost {lost}");
        assert!(duo.a.receive().is_none() && duo.b.receive().is_none());
        assert_eq!(events(&mut duo.a).iter().filter(|e| **e == Event::Established).count(), 1);
    }
}

#[test]
fn every_handshake_packet_may_be_lost_or_come_twice() {
    for case in 0..10_u32 {
        let mut duo = Duo::new(&Config::rtc());
        duo.a.connect(duo.now);
        duo.a.send(duo.now, 0, 53, payload(1, 2000), SendOptions::default()).unwrap();
        let mut count = 0;
        for _ in 0..200 {
            for from_a in [true, false] {
                for packet in packets(if from_a { &mut duo.a } else { &mut duo.b }, duo.now) {
                    count += 1;
                    let times = if count == case { 0 } else { 2 };
                    for _ in 0..times {
                        let to = if from_a { &mut duo.b } else { &mut duo.a };
                        to.handle_input(duo.now, &packet).unwrap();
                    }
                }
            }
            duo.now += millis(50);
            duo.a.handle_timeout(duo.now).unwrap();
            duo.b.handle_timeout(duo.now).unwrap();
        }
        assert_eq!((duo.a.state(), duo.b.state()), (State::Established, State::Established), "{case}");
        assert_eq!(duo.b.receive().unwrap().payload, payload(1, 2000));
        assert!(duo.b.receive().is_none());
    }
}

/// The COOKIE ACK is lost again and again, and T1-cookie backs off; but what the peer sends shows that it is up.
#[test]
fn a_lost_cookie_ack_is_asked_for_when_the_peer_is_heard() {
    let mut now = weft_core::Instant::ORIGIN;
    let mut it = Association::new(Config::rtc(), Rng::from_test_seed(4));
    it.connect(now);
    let init = packets(&mut it, now).remove(0);
    let tag = Init::parse(chunks(&init)[0].value).unwrap().initiate_tag;
    let cookie = [0, 7, 0, 8, 1, 2, 3, 4];
    it.handle_input(now, &packet(tag, &[(kind::INIT_ACK, 0, &init_value(OUR_TAG, 1, &cookie))])).unwrap();
    assert_eq!(kinds(&packets(&mut it, now)[0]), [kind::COOKIE_ECHO]);
    let heartbeat = packet(tag, &[(kind::HEARTBEAT, 0, &[0, 1, 0, 4])]);
    now += millis(100);
    it.handle_input(now, &heartbeat).unwrap();
    assert!(packets(&mut it, now).is_empty(), "its COOKIE ACK may be under way");
    for _ in 0..4 {
        now = it.poll_timeout().unwrap();
        it.handle_timeout(now).unwrap();
        assert_eq!(kinds(&packets(&mut it, now)[0])[0], kind::COOKIE_ECHO);
    }
    for heard in [true, false, true] {
        now += if heard { millis(400) } else { millis(100) };
        it.handle_input(now, &heartbeat).unwrap();
        let echoes = packets(&mut it, now).iter().filter(|packet| kinds(packet)[0] == kind::COOKIE_ECHO).count();
        assert_eq!(echoes, usize::from(heard));
    }
    it.handle_input(now, &packet(tag, &[(kind::COOKIE_ACK, 0, &[])])).unwrap();
    assert_eq!(it.state(), State::Established);
}

#[test]
fn nobody_answers() {
    //= rfc9260#4
    //# If the T1-init timer expires, the endpoint MUST retransmit the INIT chunk and restart the T1-init timer.
    let mut it = Association::new(Config::default(), Rng::from_test_seed(1));
    let start = weft_core::Instant::ORIGIN;
    it.connect(start);
    let (mut inits, mut now) = (0, start);
    let error = loop {
        inits += packets(&mut it, now).len();
        now = it.poll_timeout().unwrap();
        if let Err(error) = it.handle_timeout(now) {
            break error;
        }
    };
    assert_eq!((inits, error), (9, AssociationError::NoAnswer), "Max.Init.Retransmits is 8");
    // 1 + 2 + 4 + ... seconds, no step above RTO.Max.
    assert_eq!(now - start, secs(1 + 2 + 4 + 8 + 16 + 32 + 60 + 60 + 60));
    assert!(it.handle_timeout(now).is_err() && it.poll_timeout().is_none(), "an error is final");
}

#[test]
fn a_changed_cookie_is_worth_nothing() {
    //= rfc9260#5.1.3
    //# Inside this State Cookie, the sender MUST include a MAC (see [RFC2104] for an example) to provide integrity protection on the State Cookie.
    let now = weft_core::Instant::from_millis(5);
    let mut it = Association::new(Config::rtc(), Rng::from_test_seed(77));
    let Answered { tag, cookie, .. } = answer_to_init(&mut it, now, &init_value(OUR_TAG, 1, &[]));
    for bit in 0..cookie.len() * 8 {
        let mut forged = cookie.clone();
        forged[bit / 8] ^= 1 << (bit % 8);
        //= rfc9260#5.1.5
        //# If this comparison fails, the SCTP packet, including the COOKIE ECHO chunk and any DATA chunks, MUST be silently discarded.
        echo(&mut it, now, tag, &forged);
        assert!(it.state() == State::Closed && packets(&mut it, now).is_empty());
    }
    for cut in 0..cookie.len() {
        echo(&mut it, now, tag, &cookie[..cut]);
        assert!(it.state() == State::Closed && packets(&mut it, now).is_empty());
    }
    echo(&mut it, now, tag ^ 1, &cookie);
    assert_eq!(it.state(), State::Closed, "wrong Verification Tag");
    echo(&mut it, now, tag, &cookie);
    assert_eq!(it.state(), State::Established);
}

#[test]
fn a_stale_cookie_is_told_and_renewed() {
    //= rfc9260#4
    //# Or, if the received State Cookie is expired (see Section 5.1.5), the receiver MUST send back an ERROR chunk.
    let mut duo = Duo::new(&Config { cookie_lifetime: secs(2), ..Config::rtc() });
    duo.a.connect(duo.now);
    let init = packets(&mut duo.a, duo.now);
    duo.b.handle_input(duo.now, &init[0]).unwrap();
    let ack = packets(&mut duo.b, duo.now);
    duo.a.handle_input(duo.now, &ack[0]).unwrap();
    let echo = packets(&mut duo.a, duo.now);
    duo.b.handle_input(duo.now + secs(3), &echo[0]).unwrap();
    assert_eq!(duo.b.state(), State::Closed);
    let stale = packets(&mut duo.b, duo.now + secs(3));
    assert_eq!(kinds(&stale[0]), [kind::ERROR]);
    duo.now += secs(3);
    duo.a.handle_input(duo.now, &stale[0]).unwrap();
    assert_eq!(duo.a.state(), State::CookieWait);
    duo.settle();
    assert_eq!((duo.a.state(), duo.b.state()), (State::Established, State::Established));
}

#[test]
fn a_restart_of_the_peer_is_noticed() {
    let mut duo = Duo::connected(&Config::rtc());
    duo.b.send(duo.now, 3, 53, payload(0, 50_000), SendOptions::default()).unwrap();
    packets(&mut duo.b, duo.now);
    duo.a = Association::new(Config::rtc(), Rng::from_test_seed(99));
    duo.a.connect(duo.now);
    duo.settle();
    assert_eq!((duo.a.state(), duo.b.state()), (State::Established, State::Established));
    assert_eq!(events(&mut duo.b), [Event::Restarted, Event::Established]);
    assert_eq!(duo.b.stats().buffered, 0);
    for n in 0..20 {
        duo.a.send(duo.now, 3, 53, payload(n, 3000), SendOptions::default()).unwrap();
        duo.b.send(duo.now, 3, 53, payload(n, 3000), SendOptions::default()).unwrap();
    }
    duo.run(secs(5));
    for n in 0..20 {
        assert_eq!(duo.b.receive().unwrap().payload, payload(n, 3000));
        assert_eq!(duo.a.receive().unwrap().payload, payload(n, 3000));
    }
}

/// An INIT into an association that is up changes nothing by itself.
#[test]
fn an_init_from_nowhere_does_no_harm() {
    //= rfc9260#5.2.2
    //# And the INIT ACK chunk MUST contain a new Initiate Tag
    //= rfc9260#5.2.2
    //# The outbound SCTP packet containing this INIT ACK chunk MUST carry a Verification Tag value equal to the Initiate Tag found in the unexpected INIT chunk.
    let mut victim = Victim::new(Config::rtc());
    let now = victim.now;
    for n in 1..200_u32 {
        victim.it.handle_input(now, &packet(0, &[(kind::INIT, 0, &init_value(n, n, &[]))])).unwrap();
        let answer = victim.output().remove(0);
        assert_eq!((kinds(&answer), tag_of(&answer)), (vec![kind::INIT_ACK], n));
        let ack = Init::parse(chunks(&answer)[0].value).unwrap();
        assert!(ack.initiate_tag != victim.tag, "a new random tag, which does not betray ours");
    }
    assert!(victim.it.state() == State::Established && events(&mut victim.it).is_empty());
    let data = crate::common::data_value(victim.tsn, 0, 0, 53, b"still here");
    victim.input(&[(kind::DATA, 3, &data)]).unwrap();
    assert_eq!(&victim.it.receive().unwrap().payload[..], b"still here");
}

#[test]
fn an_init_ack_out_of_place_is_dropped() {
    let mut victim = Victim::new(Config::rtc());
    //= rfc9260#5.2.3
    //# If an INIT ACK chunk is received by an endpoint in any state other than the COOKIE-WAIT or CLOSED state, the endpoint SHOULD discard the INIT ACK chunk.
    victim.input(&[(kind::INIT_ACK, 0, &init_value(9, 9, &[0, 7, 0, 8, 1, 2, 3, 4]))]).unwrap();
    assert!(victim.it.state() == State::Established && victim.output().is_empty());
    //= rfc9260#5.2.5
    //# At any state other than COOKIE-ECHOED, an endpoint SHOULD silently discard a received COOKIE ACK chunk.
    victim.input(&[(kind::COOKIE_ACK, 0, &[])]).unwrap();
    assert!(victim.it.state() == State::Established && victim.output().is_empty());
}

#[test]
fn an_init_ack_without_a_cookie_ends_it_with_the_reason() {
    let now = weft_core::Instant::ORIGIN;
    let mut it = Association::new(Config::rtc(), Rng::from_test_seed(4));
    it.connect(now);
    let init = packets(&mut it, now).remove(0);
    let tag = Init::parse(chunks(&init)[0].value).unwrap().initiate_tag;
    assert!(it.handle_input(now, &packet(tag, &[(kind::INIT_ACK, 0, &init_value(OUR_TAG, 1, &[]))])).is_err());
    let abort = packets(&mut it, now).remove(0);
    assert_eq!((kinds(&abort), tag_of(&abort)), (vec![kind::ABORT], OUR_TAG));
    assert_eq!(chunks(&abort)[0].value[..2], [0, 2], "Missing Mandatory Parameter");
}

#[test]
fn inits_that_cannot_be_are_refused() {
    //= rfc9260#3.3.2
    //# If the value of the Initiate Tag in a received INIT chunk is found to be 0, the receiver MUST silently discard the packet.
    //= rfc9260#3.3.2
    //# A receiver of an INIT chunk with the OS value set to 0 MUST discard the packet
    //= rfc9260#3.3.2
    //# A receiver of an INIT chunk with the MIS value set to 0 MUST discard the packet
    //= rfc9260#3.3.2
    //# The receiver of an INIT chunk containing a Host Name Address parameter MUST send an ABORT chunk
    //= rfc9260#12.3
    //# The receiver of an INIT chunk MUST silently discard the INIT chunk and all further chunks if the INIT chunk is bundled with other chunks or the packet has a non-zero Verification Tag.
    let now = weft_core::Instant::ORIGIN;
    let mut it = Association::new(Config::rtc(), Rng::from_test_seed(4));
    let mut answer = |value: &[u8], tag: u32, more: bool| {
        let mut list = vec![(kind::INIT, 0, value)];
        if more {
            list.push((kind::COOKIE_ACK, 0, &[]));
        }
        it.handle_input(now, &packet(tag, &list)).unwrap();
        packets(&mut it, now).first().map(|p| (kinds(p)[0], tag_of(p)))
    };
    assert_eq!(answer(&init_value(7, 1, &[]), 0, false), Some((kind::INIT_ACK, 7)));
    assert_eq!(answer(&init_value(0, 1, &[]), 0, false), None, "Initiate Tag 0");
    assert_eq!(answer(&init_value(7, 1, &[]), 1, false), None, "Verification Tag not 0");
    //= rfc9260#6.10
    //# An endpoint MUST NOT bundle INIT, INIT ACK, or SHUTDOWN COMPLETE chunks with any other chunks.
    assert_eq!(answer(&init_value(7, 1, &[]), 0, true), None, "not alone");
    for no_streams in [8, 10] {
        let mut value = init_value(7, 1, &[]);
        value[no_streams..no_streams + 2].fill(0);
        assert_eq!(answer(&value, 0, false), Some((kind::ABORT, 7)), "no streams");
    }
    assert_eq!(answer(&init_value(7, 1, &[0, 11, 0, 8, 97, 98, 99, 0]), 0, false), Some((kind::ABORT, 7)), "host name");
    assert_eq!(answer(&init_value(7, 1, &[0x80, 99, 0, 3]), 0, false), Some((kind::ABORT, 7)), "impossible length");
    for len in 0..16 {
        assert_eq!(answer(&init_value(7, 1, &[])[..len], 0, false), None);
    }
}

/// Two associations never make the same cookie.
#[test]
fn cookies_differ() {
    let now = weft_core::Instant::ORIGIN;
    let cookie = |seed| {
        let mut it = Association::new(Config::rtc(), Rng::from_test_seed(seed));
        answer_to_init(&mut it, now, &init_value(7, 1, &[])).cookie
    };
    assert_ne!(cookie(1), cookie(2));
    assert_eq!(cookie(1).len(), 73, "tags, TSNs, window, streams, extensions, time, tie and HMAC");
}

#[test]
fn different_stream_counts_settle_on_the_smaller() {
    //= rfc9260#5.1.1
    //# After the association is initialized, the valid outbound stream identifier range for either endpoint MUST be 0 to min(local OS, remote MIS) - 1.
    let a = Config { out_streams: 10, in_streams: 7, ..Config::rtc() };
    let b = Config { out_streams: 5, in_streams: 20, ..Config::rtc() };
    let mut duo = Duo::with(a, b);
    duo.a.connect(duo.now);
    duo.settle();
    assert_eq!((duo.a.out_streams(), duo.a.in_streams()), (10, 5));
    assert_eq!((duo.b.out_streams(), duo.b.in_streams()), (5, 10));
}
