//! Shutdown and abort, in every state.

use weft_core::Layer;
use weft_sctp::wire::kind;
use weft_sctp::{AssociationError, Config, Event, SendError, SendOptions, State};

use crate::common::{Duo, Victim, chunks, events, kinds, millis, packets, payload, secs, tag_of};

#[test]
fn shutdown_delivers_everything_first() {
    let mut duo = Duo::connected(&Config::rtc());
    for n in 0..50 {
        duo.a.send(duo.now, 0, 53, payload(n, 3000), SendOptions::default()).unwrap();
    }
    duo.a.shutdown(duo.now);
    assert_eq!(duo.a.state(), State::ShutdownPending);
    // Upon receipt of the SHUTDOWN primitive from its upper layer, the endpoint enters the SHUTDOWN-PENDING state and remains there until all outstanding data has been acknowledged by its peer.
    assert_eq!(duo.a.send(duo.now, 0, 53, payload(0, 1), SendOptions::default()), Err(SendError::Closed));
    duo.run(secs(2));
    for n in 0..50 {
        assert_eq!(duo.b.receive().unwrap().payload, payload(n, 3000));
    }
    assert!(duo.a.is_over() && duo.b.is_over());
    assert_eq!(events(&mut duo.a).last(), Some(&Event::Closed));
    let at_b = events(&mut duo.b);
    assert!(at_b.contains(&Event::ShuttingDown) && at_b.last() == Some(&Event::Closed));
    assert!(duo.a.poll_timeout().is_none() && duo.b.poll_timeout().is_none());
}

#[test]
fn data_of_the_other_side_is_delivered_too() {
    let mut duo = Duo::connected(&Config::rtc());
    for n in 0..20 {
        duo.b.send(duo.now, 0, 53, payload(n, 3000), SendOptions::default()).unwrap();
    }
    let first = packets(&mut duo.b, duo.now);
    duo.a.shutdown(duo.now);
    let shutdown = packets(&mut duo.a, duo.now);
    assert_eq!((kinds(&shutdown[0]), duo.a.state()), (vec![kind::SHUTDOWN], State::ShutdownSent));
    duo.b.handle_input(duo.now, &shutdown[0]).unwrap();
    assert_eq!(duo.b.state(), State::ShutdownReceived);
    //= rfc9260#9.2
    //# Once an endpoint has reached the SHUTDOWN-RECEIVED state, it MUST ignore ULP shutdown requests but MUST continue responding to SHUTDOWN chunks from its peer.
    duo.b.shutdown(duo.now);
    assert_eq!(duo.b.state(), State::ShutdownReceived);
    for packet in &first {
        duo.a.handle_input(duo.now, packet).unwrap();
        let answer = packets(&mut duo.a, duo.now);
        //= rfc9260#9.2
        //# the SHUTDOWN chunk sender MUST immediately respond to each received packet containing one or more DATA chunks with a SHUTDOWN chunk and restart the T2-shutdown timer
        assert_eq!(kinds(&answer[0]), [kind::SHUTDOWN, kind::SACK]);
        duo.b.handle_input(duo.now, &answer[0]).unwrap();
    }
    duo.run(secs(5));
    assert!((0..20).all(|n| duo.a.receive().unwrap().payload == payload(n, 3000)));
    assert!(duo.a.is_over() && duo.b.is_over());
}

#[test]
fn both_shut_down_at_once_and_packets_get_lost() {
    for lost in 0..8 {
        let mut duo = Duo::connected(&Config::default());
        duo.a.shutdown(duo.now);
        duo.b.shutdown(duo.now);
        let mut count = 0;
        for _ in 0..400 {
            for from_a in [true, false] {
                for packet in packets(if from_a { &mut duo.a } else { &mut duo.b }, duo.now) {
                    count += 1;
                    if count != lost {
                        let _ = (if from_a { &mut duo.b } else { &mut duo.a }).handle_input(duo.now, &packet);
                    }
                }
            }
            duo.now += millis(50);
            let _ = duo.a.handle_timeout(duo.now);
            let _ = duo.b.handle_timeout(duo.now);
        }
        assert!(duo.a.is_over() && duo.b.is_over(), "lost {lost}: {:?} {:?}", duo.a.state(), duo.b.state());
    }
}

#[test]
fn a_lost_shutdown_complete_is_made_good() {
    let mut duo = Duo::connected(&Config::default());
    duo.a.shutdown(duo.now);
    let shutdown = packets(&mut duo.a, duo.now);
    duo.b.handle_input(duo.now, &shutdown[0]).unwrap();
    let ack = packets(&mut duo.b, duo.now);
    assert_eq!(kinds(&ack[0]), [kind::SHUTDOWN_ACK]);
    duo.a.handle_input(duo.now, &ack[0]).unwrap();
    assert_eq!(kinds(&packets(&mut duo.a, duo.now)[0]), [kind::SHUTDOWN_COMPLETE]);
    // It is lost. B repeats itself; A, which has forgotten everything, answers with the T bit set.
    let at = duo.b.poll_timeout().unwrap();
    duo.b.handle_timeout(at).unwrap();
    let again = packets(&mut duo.b, at);
    duo.a.handle_input(at, &again[0]).unwrap();
    let complete = packets(&mut duo.a, at);
    //= rfc9260#8.4
    //# the receiver SHOULD respond to the sender of the OOTB packet with a SHUTDOWN COMPLETE chunk
    assert_eq!((kinds(&complete[0]), chunks(&complete[0])[0].flags), (vec![kind::SHUTDOWN_COMPLETE], 1));
    assert_eq!(tag_of(&complete[0]), tag_of(&again[0]));
    duo.b.handle_input(at, &complete[0]).unwrap();
    assert!(duo.b.is_over());
    assert_eq!(events(&mut duo.b).last(), Some(&Event::Closed));
}

#[test]
fn an_abort_is_told_and_final() {
    //= rfc9260#9.1
    //# When an endpoint decides to abort an existing association, it MUST send an ABORT chunk to its peer endpoint.
    let mut duo = Duo::connected(&Config::rtc());
    duo.a.send(duo.now, 0, 53, payload(0, 100_000), SendOptions::default()).unwrap();
    duo.a.abort(duo.now);
    let out = packets(&mut duo.a, duo.now);
    //= rfc9260#3.3.7
    //# DATA chunks MUST NOT be bundled with ABORT chunks.
    assert_eq!((out.len(), kinds(&out[0])), (1, vec![kind::ABORT]));
    let error = duo.b.handle_input(duo.now, &out[0]).unwrap_err();
    assert_eq!(error, AssociationError::PeerAborted { code: Some(12), reason: String::new() });
    //= rfc9260#9.1
    //# An endpoint MUST NOT respond to any received packet that contains an ABORT chunk
    assert!(packets(&mut duo.b, duo.now).is_empty());
    assert_eq!(duo.b.handle_input(duo.now, &out[0]), Err(error));
    assert_eq!(events(&mut duo.a), [Event::Closed]);
    assert!(duo.a.poll_timeout().is_none() && duo.b.poll_timeout().is_none());
    duo.a.connect(duo.now);
    assert!(duo.a.is_over() && packets(&mut duo.a, duo.now).is_empty(), "what ended does not start again");
}

#[test]
fn shutdown_and_abort_in_every_state_end_it() {
    for abort in [true, false] {
        for steps in 0..4 {
            let mut duo = Duo::new(&Config::default());
            if steps > 0 {
                duo.a.connect(duo.now);
            }
            for _ in 1..steps {
                for packet in packets(&mut duo.a, duo.now) {
                    duo.b.handle_input(duo.now, &packet).unwrap();
                }
                for packet in packets(&mut duo.b, duo.now) {
                    duo.a.handle_input(duo.now, &packet).unwrap();
                }
            }
            if abort {
                duo.a.abort(duo.now);
            } else {
                duo.a.shutdown(duo.now);
            }
            duo.run(secs(10));
            assert!(duo.a.is_over(), "after {steps} steps: {:?}", duo.a.state());
            assert_eq!(events(&mut duo.a).last(), Some(&Event::Closed));
        }
    }
}

#[test]
fn a_dead_peer_is_found_by_retransmission() {
    let mut victim = Victim::new(Config::default());
    victim.it.send(victim.now, 0, 53, payload(0, 100), SendOptions::default()).unwrap();
    let (start, mut sent) = (victim.now, 0);
    let error = loop {
        sent += victim.output().iter().filter(|p| kinds(p).contains(&kind::DATA)).count();
        victim.now = victim.it.poll_timeout().unwrap();
        if let Err(error) = victim.it.handle_timeout(victim.now) {
            break error;
        }
    };
    assert_eq!(error, AssociationError::RetransmissionLimit);
    assert!((9..=11).contains(&sent), "Association.Max.Retrans is 10: {sent}");
    assert!(victim.now - start > secs(120));
    assert_eq!(kinds(&victim.output()[0]), [kind::ABORT]);
    // Without a limit it never gives up.
    let mut victim = Victim::new(Config::rtc());
    victim.it.send(victim.now, 0, 53, payload(0, 100), SendOptions::default()).unwrap();
    for _ in 0..1000 {
        victim.output();
        victim.now = victim.it.poll_timeout().unwrap();
        victim.it.handle_timeout(victim.now).unwrap();
    }
}
