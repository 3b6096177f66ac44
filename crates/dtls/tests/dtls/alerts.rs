//! Alerts and the end of connections.

use std::time::Duration;

use weft_core::{Layer, Spent, Wrap};
use weft_dtls::wire::{Alert, ContentType};
use weft_dtls::{AlertDescription, Blame, Error, Event, Role};

use crate::link::{PERFECT, Pair, config_any};
use crate::pitfalls::plaintext;

fn forged_alert(description: AlertDescription) -> Vec<u8> {
    plaintext(ContentType::ALERT, 0, 3, &Alert::fatal(description).to_bytes())
}

/// The application's own alert reaches the peer, during the handshake and after it.
#[test]
fn an_application_ends_a_connection_with_an_alert_of_its_choice() {
    let alert = AlertDescription::ACCESS_DENIED;
    let mut pair = Pair::connected(3);
    pair.ends[1].abort(pair.now, alert);
    pair.run_for(Duration::from_secs(1));
    assert_eq!(pair.errors, [Some(Error::AlertReceived(alert)), None]);
    assert!(pair.ends[1].overhead().is_none(), "nothing can be sealed");

    let mut pair = Pair::plain(4);
    pair.ends[0].start(pair.now);
    let hello = pair.take(0).pop().unwrap();
    pair.ends[0].abort(pair.now, alert);
    let last = pair.take(0).pop().unwrap();
    assert!(last.ends_with(&[2, alert.0]) && pair.take(0).is_empty());
    pair.ends[1].abort(pair.now, alert);
    assert!(pair.take(1).is_empty(), "nobody to tell");
    pair.inject(1, &hello);
    assert!(pair.take(1).is_empty(), "and nothing begins any more");
}

/// A client that likes not what it sees once it is connected ends before its last flight has left: the server has no keys
/// for what comes after that flight.
#[test]
fn an_end_before_the_last_flight_has_left_is_understood() {
    let endings: [fn(&mut Pair); 2] =
        [|pair| pair.ends[0].abort(pair.now, AlertDescription::ACCESS_DENIED), |pair| pair.ends[0].close(pair.now)];
    for end in endings {
        let mut pair = Pair::new(config_any(Role::Client), config_any(Role::Server), PERFECT, 5);
        pair.ends[0].start(pair.now);
        while !pair.ends[0].is_connected() {
            for (from, to) in [(0, 1), (1, 0)] {
                for datagram in pair.take(from) {
                    pair.inject(to, &datagram);
                }
            }
        }
        end(&mut pair);
        assert!(!pair.ends[1].is_connected());
        for datagram in pair.take(0) {
            pair.inject(1, &datagram);
        }
        let told = pair.errors[1].is_some() || pair.ends[1].poll_event().is_some_and(|e| e == Event::PeerClosed);
        assert!(told, "{:?}", pair.errors);
    }
}

//= rfc5246#7.2.1
//# The other party MUST respond with a close_notify alert of its own and close down the connection immediately,
//# discarding any pending writes.
#[test]
fn close_notify_reaches_the_peer_and_is_answered() {
    for closer in 0..2 {
        let mut pair = Pair::connected(1);
        let late = pair.seal(1 - closer, b"late");
        pair.ends[closer].close(pair.now);
        assert!(!pair.ends[closer].is_connected());
        assert_eq!(pair.ends[closer].overhead(), None);
        let sent = pair.datagrams;
        pair.run_for(Duration::from_secs(1));
        assert_eq!(pair.events[1 - closer].last(), Some(&Event::PeerClosed));
        assert_eq!(pair.datagrams, [sent[0] + 1, sent[1] + 1], "one close_notify each");
        assert_eq!(pair.errors, [None; 2]);
        pair.inject(closer, &late);
        assert_eq!(pair.received[closer], Vec::<Vec<u8>>::new());
        let mut buffer = [0; 64];
        let mut frame = weft_core::Frame::new(&mut buffer, weft_core::Overhead { head: 21, tail: 16 });
        assert_eq!(pair.ends[1 - closer].wrap(&mut frame), Err(Spent::NoKeys));
    }
}

#[test]
fn forged_alerts_do_not_end_a_handshake_that_goes_on() {
    let mut pair = Pair::plain(2);
    pair.ends[0].start(pair.now);
    for turn in 0..4 {
        for to in 0..2 {
            pair.inject(to, &forged_alert(AlertDescription::HANDSHAKE_FAILURE));
            pair.inject(to, &plaintext(ContentType::ALERT, 0, 4, &Alert::CLOSE_NOTIFY.to_bytes()));
        }
        for datagram in pair.take(turn % 2) {
            pair.inject(1 - turn % 2, &datagram);
        }
    }
    assert!(pair.both_connected(), "{:?}", pair.errors);
    for to in 0..2 {
        pair.inject(to, &forged_alert(AlertDescription::HANDSHAKE_FAILURE));
        assert!(pair.ends[to].is_connected());
        assert_eq!(pair.ends[to].counters().unauthenticated_alerts, 9);
    }
}

#[test]
fn an_alert_and_then_silence_ends_the_handshake() {
    let mut pair = Pair::plain(3);
    pair.filter = Box::new(|_, _| false);
    pair.ends[0].start(pair.now);
    pair.inject(0, &forged_alert(AlertDescription::PROTOCOL_VERSION));
    pair.run_for(Duration::from_millis(2900));
    assert_eq!(pair.errors[0], None);
    pair.run_for(Duration::from_millis(200));
    assert_eq!(pair.errors[0], Some(Error::AlertReceived(AlertDescription::PROTOCOL_VERSION)));
    assert_eq!(pair.errors[0].unwrap().blame(), Blame::Peer);
    let mut datagram = [0; 4];
    assert!(pair.ends[0].handle_input(pair.now, &mut datagram).is_err(), "dead stays dead");
}

#[test]
fn closing_before_and_during_the_handshake() {
    let mut pair = Pair::plain(4);
    pair.ends[1].close(pair.now);
    pair.connect(Duration::from_secs(3));
    assert_eq!(pair.datagrams[1], 0, "a server closed before anything came stays silent");
    let mut pair = Pair::plain(5);
    pair.ends[0].start(pair.now);
    let _ = pair.take(0);
    pair.ends[0].close(pair.now);
    assert_eq!(pair.take(0).len(), 1);
    assert_eq!(pair.ends[0].poll_timeout(), None);
}
