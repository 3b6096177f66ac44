//! Stream reset (RFC 6525), packet by packet.

use weft_core::Layer;
use weft_sctp::wire::reconfig::{self, result};
use weft_sctp::wire::{Request, kind};
use weft_sctp::{Config, Event, SendError, SendOptions};

use crate::common::{Duo, Victim, chunks, data_value, events, kinds, packets, payload, secs};

/// The value of a RE-CONFIG with an Outgoing SSN Reset Request.
fn request(number: u32, last_tsn: u32, streams: &[u16]) -> Vec<u8> {
    let mut chunk = Vec::new();
    reconfig::write_outgoing_reset(&mut chunk, number.into(), 0.into(), last_tsn.into(), streams);
    let len = usize::from(u16::from_be_bytes([chunk[2], chunk[3]]));
    chunk[4..len].to_vec()
}

fn response(number: u32, result: u32) -> Vec<u8> {
    let mut chunk = Vec::new();
    reconfig::write_response(&mut chunk, number.into(), result);
    chunk[4..].to_vec()
}

/// Results in the RE-CONFIG chunks it sends now.
fn results(victim: &mut Victim) -> Vec<(u32, u32)> {
    let mut out = Vec::new();
    for packet in victim.output() {
        for chunk in chunks(&packet).iter().filter(|c| c.kind == kind::RE_CONFIG) {
            for param in Request::params(chunk.value) {
                if let Some(Request::Response { response, result }) = Request::parse(&param) {
                    out.push((response.0, result));
                }
            }
        }
    }
    out
}

/// Requests in the RE-CONFIG chunks it sends now: number, last TSN, streams.
fn requests(victim: &mut Victim) -> Vec<(u32, u32, Vec<u16>)> {
    let mut out = Vec::new();
    for packet in victim.output() {
        for chunk in chunks(&packet).iter().filter(|c| c.kind == kind::RE_CONFIG) {
            for param in Request::params(chunk.value) {
                if let Some(Request::OutgoingReset { request, last_tsn, streams, .. }) = Request::parse(&param) {
                    out.push((request.0, last_tsn.0, streams.iter().collect()));
                }
            }
        }
    }
    out
}

#[test]
fn a_reset_starts_the_numbers_again() {
    let mut duo = Duo::connected(&Config::rtc());
    for round in 0..3_u32 {
        for n in 0..5 {
            duo.a.send(duo.now, 4, 53, payload(n, 2000), SendOptions::default()).unwrap();
        }
        duo.a.reset_streams(duo.now, &[4]);
        assert_eq!(duo.a.send(duo.now, 4, 53, payload(0, 1), SendOptions::default()), Err(SendError::Closed));
        duo.run(secs(2));
        assert!((0..5).all(|n| duo.b.receive().unwrap().payload == payload(n, 2000)), "round {round}");
        assert_eq!(events(&mut duo.a), [Event::OutgoingReset(4, true), Event::BufferedAmountLow(4)]);
        assert_eq!(events(&mut duo.b), [Event::Readable, Event::IncomingReset(4)]);
    }
}

#[test]
fn a_request_is_deferred_until_everything_before_it_came() {
    //= rfc6525#5.2.2
    //# E2: If the Sender's Last Assigned TSN is greater than the cumulative acknowledgment point, then the endpoint MUST enter "deferred reset processing".
    let mut victim = Victim::new(Config::rtc());
    // TSN 1000 is missing.
    victim.input(&[(kind::DATA, 3, &data_value(1001, 2, 1, 53, b"second"))]).unwrap();
    victim.input(&[(kind::RE_CONFIG, 0, &request(1000, 1001, &[2]))]).unwrap();
    //= rfc6525#5.2.2
    //# If the endpoint enters "deferred reset processing", it MUST put a Re-configuration Response Parameter into a RE-CONFIG chunk indicating "In progress" and MUST send the RE-CONFIG chunk.
    assert_eq!(results(&mut victim), [(1000, result::IN_PROGRESS)]);
    assert!(events(&mut victim.it).is_empty());
    victim.input(&[(kind::DATA, 3, &data_value(1000, 2, 0, 53, b"first"))]).unwrap();
    assert_eq!(events(&mut victim.it), [Event::Readable, Event::IncomingReset(2)]);
    //= rfc6525#5.2.2
    //# A Re-configuration Response Parameter MUST be put into a RE-CONFIG chunk indicating successful processing.
    assert_eq!(results(&mut victim), [(1000, result::PERFORMED)]);
    assert_eq!(&victim.it.receive().unwrap().payload[..], b"first");
    assert_eq!(&victim.it.receive().unwrap().payload[..], b"second");
    // Asked again under a new number, as dcSCTP does, or under the old one, as others do: told so, and done no more.
    victim.input(&[(kind::RE_CONFIG, 0, &request(1000, 1001, &[2]))]).unwrap();
    assert_eq!(results(&mut victim), [(1000, result::PERFORMED)]);
    victim.input(&[(kind::RE_CONFIG, 0, &request(1001, 1001, &[2]))]).unwrap();
    assert_eq!(results(&mut victim), [(1001, result::PERFORMED)]);
    assert!(events(&mut victim.it).is_empty());
    // A new message on the stream starts at 0.
    victim.input(&[(kind::DATA, 3, &data_value(1002, 2, 0, 53, b"anew"))]).unwrap();
    assert_eq!(&victim.it.receive().unwrap().payload[..], b"anew");
}

/// "a retransmitted request killed the new channel".
#[test]
fn a_repeated_request_is_answered_again_and_not_performed_again() {
    let mut victim = Victim::new(Config::rtc());
    victim.input(&[(kind::RE_CONFIG, 0, &request(1000, 999, &[2]))]).unwrap();
    assert_eq!(events(&mut victim.it), [Event::IncomingReset(2)]);
    assert_eq!(results(&mut victim), [(1000, result::PERFORMED)]);
    for _ in 0..3 {
        //= rfc6525#5.2.1
        //# If the received RE-CONFIG chunk contains at least one request and based on the analysis of the Re-configuration Request Sequence Numbers this is the last received RE-CONFIG chunk (i.e., a retransmission), the same RE-CONFIG chunk MUST to be sent back in response, as it was earlier.
        victim.input(&[(kind::RE_CONFIG, 0, &request(1000, 999, &[2]))]).unwrap();
        assert_eq!(results(&mut victim), [(1000, result::PERFORMED)]);
        assert!(events(&mut victim.it).is_empty());
    }
    victim.input(&[(kind::RE_CONFIG, 0, &request(1005, 999, &[2]))]).unwrap();
    assert_eq!(results(&mut victim), [(1005, result::BAD_SEQUENCE_NUMBER)]);
    assert!(events(&mut victim.it).is_empty());
}

#[test]
fn our_request_is_repeated_until_answered() {
    //= rfc6525#5.1.2
    //# A3: The Sender's Last Assigned TSN MUST be set to the next TSN the sender assigns minus 1.
    //= rfc6525#5.2.7
    //# If the timer runs out, the RE-CONFIG chunk MUST be retransmitted but the corresponding error counters MUST NOT be incremented.
    let mut victim = Victim::new(Config::rtc());
    victim.it.reset_streams(victim.now, &[3, 5]);
    let first = requests(&mut victim);
    // This field MUST be
    assert_eq!(first, [(victim.its_tsn, victim.its_tsn.wrapping_sub(1), vec![3, 5])]);
    for _ in 0..3 {
        victim.now = victim.it.poll_timeout().unwrap();
        victim.it.handle_timeout(victim.now).unwrap();
        assert_eq!(requests(&mut victim), first, "the same one");
    }
    // "In progress": asked again, under a new number, because peers answer an old one as they did before.
    victim.input(&[(kind::RE_CONFIG, 0, &response(victim.its_tsn, result::IN_PROGRESS))]).unwrap();
    assert!(requests(&mut victim).is_empty());
    victim.now = victim.it.poll_timeout().unwrap();
    victim.it.handle_timeout(victim.now).unwrap();
    let again = requests(&mut victim);
    assert_eq!(again, [(victim.its_tsn.wrapping_add(1), first[0].1, vec![3, 5])]);
    victim.input(&[(kind::RE_CONFIG, 0, &response(again[0].0, result::PERFORMED))]).unwrap();
    assert_eq!(events(&mut victim.it), [Event::OutgoingReset(3, true), Event::OutgoingReset(5, true)]);
    // An answer that comes twice says nothing new.
    victim.input(&[(kind::RE_CONFIG, 0, &response(again[0].0, result::PERFORMED))]).unwrap();
    assert!(events(&mut victim.it).is_empty());
}

#[test]
fn a_refused_request_is_reported() {
    let mut victim = Victim::new(Config::rtc());
    victim.it.reset_streams(victim.now, &[3]);
    let number = requests(&mut victim)[0].0;
    victim.input(&[(kind::RE_CONFIG, 0, &response(number, result::DENIED))]).unwrap();
    assert_eq!(events(&mut victim.it), [Event::OutgoingReset(3, false)]);
}

#[test]
fn a_peer_without_re_config_is_never_asked() {
    //= rfc6525#5.1.1
    //# Before sending a RE-CONFIG chunk, the sender MUST ensure that the peer advertised support for the re-configuration extension.
    let mut victim = Victim::with_params(Config::rtc(), &[]);
    victim.it.reset_streams(victim.now, &[3]);
    assert!(victim.output().is_empty());
    assert_eq!(events(&mut victim.it), [Event::OutgoingReset(3, false)]);
}

#[test]
fn what_is_not_offered_is_denied() {
    let mut victim = Victim::new(Config::rtc());
    for (n, kind_of) in [15_u8, 17, 18].into_iter().enumerate() {
        let mut value = vec![0, kind_of, 0, 12];
        value.extend((1000 + n as u32).to_be_bytes());
        value.extend([0, 1, 0, 0]);
        victim.input(&[(kind::RE_CONFIG, 0, &value)]).unwrap();
        assert_eq!(results(&mut victim), [(1000 + n as u32, result::DENIED)]);
    }
}

#[test]
fn thousands_of_streams_are_reset_in_several_requests() {
    let mut duo = Duo::connected(&Config::rtc());
    let all: Vec<u16> = (0..2000).collect();
    for id in &all {
        duo.a.send(duo.now, *id, 53, payload(0, 4), SendOptions::default()).unwrap();
    }
    duo.a.reset_streams(duo.now, &all);
    duo.run(secs(10));
    let done = events(&mut duo.a).iter().filter(|e| matches!(e, Event::OutgoingReset(_, true))).count();
    assert_eq!(done, 2000);
    assert_eq!(events(&mut duo.b).iter().filter(|e| matches!(e, Event::IncomingReset(_))).count(), 2000);
}

/// The peer may ask us to reset our streams.
#[test]
fn an_incoming_reset_request_resets_our_streams() {
    let mut victim = Victim::new(Config::rtc());
    let mut value = vec![0, 14, 0, 10];
    value.extend(1000_u32.to_be_bytes());
    value.extend([0, 6]);
    victim.input(&[(kind::RE_CONFIG, 0, &value)]).unwrap();
    assert_eq!(requests(&mut victim)[0].2, [6]);
    assert_eq!(
        kinds(&packets(&mut victim.it, victim.now).first().cloned().unwrap_or_else(|| {
            victim.now = victim.it.poll_timeout().unwrap();
            victim.it.handle_timeout(victim.now).unwrap();
            packets(&mut victim.it, victim.now).remove(0)
        }))[0],
        kind::RE_CONFIG
    );
}
