//! Stream reset (RFC 6525), packet by packet.

use weft_core::Layer;
use weft_sctp::wire::reconfig::{self, result};
use weft_sctp::wire::{Answer, Request, kind};
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
    reconfig::write_responses(&mut chunk, &[Answer { number: number.into(), result, next_tsns: None }]);
    chunk[4..].to_vec()
}

/// Results in the RE-CONFIG chunks it sends now.
fn results(victim: &mut Victim) -> Vec<(u32, u32)> {
    let mut out = Vec::new();
    for packet in victim.output() {
        for chunk in chunks(&packet).iter().filter(|c| c.kind == kind::RE_CONFIG) {
            for param in Request::params(chunk.value) {
                if let Some(Request::Response(Answer { number: response, result, .. })) = Request::parse(&param) {
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
        assert_eq!(events(&mut duo.a), [Event::Flushed(4), Event::OutgoingReset(4, true), Event::BufferedAmountLow(4)]);
        assert_eq!(events(&mut duo.b), [Event::Readable, Event::IncomingReset(4)]);
    }
}

/// Requests are counted from the initial TSN (RFC 6525 section 4.1), and so go round with TSNs.
#[test]
fn numbers_of_requests_wrap() {
    let mut duo = Duo::connected(&Config { initial_tsn: Some(u32::MAX - 1), ..Config::rtc() });
    for round in 0..5 {
        duo.a.send(duo.now, 4, 53, payload(round, 3000), SendOptions::default()).unwrap();
        duo.b.send(duo.now, 5, 53, payload(round, 3000), SendOptions::default()).unwrap();
        duo.a.reset_streams(duo.now, &[4]);
        duo.b.reset_streams(duo.now, &[5]);
        duo.run(secs(2));
        assert_eq!(duo.b.receive().unwrap().payload, payload(round, 3000));
        assert_eq!(duo.a.receive().unwrap().payload, payload(round, 3000));
        let (at_a, at_b) = (events(&mut duo.a), events(&mut duo.b));
        assert!(at_a.contains(&Event::OutgoingReset(4, true)) && at_a.contains(&Event::IncomingReset(5)), "{round}");
        assert!(at_b.contains(&Event::OutgoingReset(5, true)) && at_b.contains(&Event::IncomingReset(4)), "{round}");
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
    // "In progress": repeated, and when that says the same asked under a new number, because some peers answer an old
    // one always as they did first.
    let mut again = Vec::new();
    for round in 0..2 {
        victim.input(&[(kind::RE_CONFIG, 0, &response(victim.its_tsn, result::IN_PROGRESS))]).unwrap();
        assert!(requests(&mut victim).is_empty());
        victim.now = victim.it.poll_timeout().unwrap();
        victim.it.handle_timeout(victim.now).unwrap();
        again = requests(&mut victim);
        assert_eq!(again == first, round == 0);
    }
    assert_eq!(again, [(victim.its_tsn.wrapping_add(1), first[0].1, vec![3, 5])]);
    victim.input(&[(kind::RE_CONFIG, 0, &response(again[0].0, result::PERFORMED))]).unwrap();
    assert_eq!(
        events(&mut victim.it),
        [Event::Flushed(3), Event::Flushed(5), Event::OutgoingReset(3, true), Event::OutgoingReset(5, true)]
    );
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
    assert_eq!(events(&mut victim.it), [Event::Flushed(3), Event::OutgoingReset(3, false)]);
}

#[test]
fn a_peer_without_re_config_is_never_asked() {
    //= rfc6525#5.1.1
    //# Before sending a RE-CONFIG chunk, the sender MUST ensure that the peer advertised support for the re-configuration extension.
    //= rfc6525#5.1.1
    //# If the chunk type of the RE-CONFIG chunk does not appear in the supported extension's list of chunks, then the sender MUST NOT send any re-configuration request to the peer, and any request by the application for such service SHOULD be responded to with an appropriate error indicating that the peer SCTP stack does not support the re-configuration extension.
    let mut victim = Victim::with_params(Config::rtc(), &[]);
    victim.it.reset_streams(victim.now, &[3]);
    assert!(victim.output().is_empty());
    assert_eq!(events(&mut victim.it), [Event::Flushed(3), Event::OutgoingReset(3, false)]);
}

#[test]
fn streams_beyond_the_limit_are_denied() {
    //= rfc6525#5.2.5
    //# When an SCTP endpoint receives a re-configuration request adding additional streams, it MUST send a response parameter either acknowledging or denying the request.
    //= rfc6525#5.2.6
    //# When an SCTP endpoint receives a re-configuration request adding additional incoming streams, it MUST either send a response parameter denying the request or send a corresponding Add Outgoing Streams Request Parameter, following the rules given in Section 5.1.5.
    let mut victim = Victim::new(Config::rtc());
    for (n, kind_of) in [17_u8, 18].into_iter().enumerate() {
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

fn incoming_request(number: u32, streams: &[u16]) -> Vec<u8> {
    let mut value = vec![0, 14, 0, 8 + 2 * streams.len() as u8];
    value.extend(number.to_be_bytes());
    value.extend(streams.iter().flat_map(|s| s.to_be_bytes()));
    value
}

/// The RE-CONFIG chunks it sends now, their values.
fn re_configs(victim: &mut Victim) -> Vec<Vec<u8>> {
    let out = victim.output();
    let all = out.iter().flat_map(|p| chunks(p)).filter(|c| c.kind == kind::RE_CONFIG);
    all.map(|c| c.value.to_vec()).collect()
}

#[test]
fn a_request_of_the_peer_for_our_streams_is_answered_by_one_of_ours() {
    //= rfc6525#5.1.2
    //# A4: If this Outgoing SSN Reset Request Parameter is sent in response to an Incoming SSN Reset Request Parameter, the stream numbers MUST be copied from the Incoming SSN Reset Request Parameter to the Outgoing SSN Reset Request Parameter.
    //= rfc6525#5.1.2
    //# The Re-configuration Response Sequence Number of the Outgoing SSN Reset Request Parameter MUST be the Re-configuration Request Sequence Number of the Incoming SSN Reset Request Parameter.
    //= rfc6525#5.2.3
    //# F1: An Outgoing SSN Reset Request Parameter MUST be put into a RE-CONFIG chunk according to Section 5.1.2.
    //= rfc6525#5.2.3
    //# F2: The RE-CONFIG chunk MUST be sent after the incoming RE-CONFIG chunk is processed completely.
    let mut victim = Victim::new(Config { heartbeat_interval: None, ..Config::default() });
    victim.it.send(victim.now, 6, 53, payload(0, 100), SendOptions::default()).unwrap();
    victim.output();
    victim.input(&[(kind::RE_CONFIG, 0, &incoming_request(1000, &[9, 6]))]).unwrap();
    assert_eq!(results(&mut victim), [(1000, result::IN_PROGRESS)], "6 has something outstanding");
    assert_eq!(victim.it.send(victim.now, 6, 53, payload(0, 1), SendOptions::default()), Err(SendError::Closed));
    let mut sack = victim.its_tsn.to_be_bytes().to_vec();
    sack.extend([0, 1, 0, 0, 0, 0, 0, 0]);
    victim.input(&[(kind::SACK, 0, &sack)]).unwrap();
    let sent = re_configs(&mut victim).remove(0);
    let param = Request::params(&sent).next().unwrap();
    let Some(Request::OutgoingReset { request, response, streams, .. }) = Request::parse(&param) else { panic!() };
    assert_eq!((response.0, streams.iter().collect::<Vec<_>>()), (1000, vec![9, 6]), "copied, in their order");
    // While it is out, a request for the same has nothing to do.
    victim.input(&[(kind::RE_CONFIG, 0, &incoming_request(1001, &[6]))]).unwrap();
    assert_eq!(results(&mut victim), [(1001, result::NOTHING_TO_DO)]);
    victim.input(&[(kind::RE_CONFIG, 0, &response_value(request.0))]).unwrap();
    assert_eq!(events(&mut victim.it).iter().filter(|e| matches!(e, Event::OutgoingReset(6 | 9, true))).count(), 2);
    //= rfc6525#5.2.3
    //# Even in such a situation, the Incoming SSN Reset MUST be processed normally, even though this means that (if the endpoint elects to do the stream reset) streams that are already at SSN 0 will be reset a subsequent time.
    //= rfc6525#5.2.3
    //# In such a case, the local endpoint MUST do the following:
    victim.it.reset_streams(victim.now, &[3]);
    let number = requests(&mut victim)[0].0;
    victim.input(&[(kind::RE_CONFIG, 0, &incoming_request(1002, &[3, 4]))]).unwrap();
    assert_eq!(results(&mut victim), [(1002, result::IN_PROGRESS)], "overlaps in part");
    //= rfc6525#5.1.1
    //# At any given time, there MUST NOT be more than one request in flight.
    //= rfc6525#5.1.1
    //# So, if the Re-configuration Timer is running and the RE-CONFIG chunk contains at least one request parameter, the chunk MUST be buffered.
    assert!(requests(&mut victim).is_empty(), "one request at a time");
    victim.input(&[(kind::RE_CONFIG, 0, &response_value(number))]).unwrap();
    assert_eq!(requests(&mut victim)[0].2, [3, 4]);
}

fn response_value(number: u32) -> Vec<u8> {
    response(number, result::PERFORMED)
}

#[test]
fn several_answers_go_into_one_chunk() {
    //= rfc6525#5.2.1
    //# If multiple parameters have to be returned, they MUST be put into one RE_CONFIG chunk.
    //= rfc6525#5.1.7
    //# D1: The Re-configuration Request Sequence number of the incoming request MUST be copied to the Re-configuration Response Sequence Number field of the Re-configuration Response Parameter.
    //= rfc6525#5.1.7
    //# D2: The result of the processing of the incoming request according to Table 3 MUST be placed in the Result field of the Re-configuration Response Parameter.
    //= rfc6525#4.4
    //# This field holds the length in bytes of the parameter; the value MUST be 12 if the optional fields are not present and 20 otherwise.
    //= rfc6525#5.1.7
    //# For other requests, the Sender's Next TSN field, which is optional, MUST NOT be used.
    //= rfc6525#5.1.7
    //# For other requests, the Receiver's Next TSN field, which is optional, MUST NOT be used.
    let mut victim = Victim::new(Config::rtc());
    victim.it.send(victim.now, 6, 53, payload(0, 100), SendOptions::default()).unwrap();
    victim.output();
    let mut value = request(1000, 999, &[2]);
    value.resize(value.len().next_multiple_of(4), 0);
    value.extend(incoming_request(1001, &[6]));
    victim.input(&[(kind::RE_CONFIG, 0, &value)]).unwrap();
    let sent = re_configs(&mut victim);
    assert_eq!(sent.len(), 1);
    let both = [response(1000, result::PERFORMED), response(1001, result::IN_PROGRESS)].concat();
    assert_eq!(sent[0], both, "12 bytes each: no optional fields");
}

#[test]
fn what_comes_after_a_deferred_reset_is_held() {
    //= rfc6525#5.2.2
    //# In this mode, any data arriving with a TSN larger than the Sender's Last Assigned TSN for the affected stream(s) MUST be queued locally and held until the cumulative acknowledgment point reaches the Sender's Last Assigned TSN.
    //= rfc6525#5.2.2
    //# E4: Any queued TSNs (queued at step E2) MUST now be released and processed normally.
    //= rfc6525#5.2.2
    //# If specific stream numbers are listed, then only these specific streams MUST be reset to 0, and all other non-listed SSNs remain unchanged.
    //= rfc6525#5.2.2
    //# E6: The RE-CONFIG chunk MUST be sent after the incoming RE-CONFIG chunk is processed completely.
    let mut victim = Victim::new(Config::rtc());
    let got = |victim: &mut Victim| {
        let all = core::iter::from_fn(|| victim.it.receive()).map(|m| (m.stream, m.payload.to_vec()));
        all.collect::<Vec<_>>()
    };
    victim.input(&[(kind::DATA, 3, &data_value(1001, 2, 1, 53, b"b"))]).unwrap();
    victim.input(&[(kind::RE_CONFIG, 0, &request(1000, 1001, &[2]))]).unwrap();
    // Beyond the reset: ordered and not, fragmented; and on a stream that is not reset.
    for (tsn, flags, stream, ssn, text) in
        [(1004, 1, 2, 0, b"d"), (1003, 2, 2, 0, b"c"), (1002, 7, 2, 0, b"u"), (1005, 3, 3, 0, b"x")]
    {
        victim.input(&[(kind::DATA, flags, &data_value(tsn, stream, ssn, 53, text))]).unwrap();
    }
    assert_eq!(got(&mut victim), [(3, b"x".to_vec())]);
    events(&mut victim.it);
    victim.input(&[(kind::DATA, 3, &data_value(1000, 2, 0, 53, b"a"))]).unwrap();
    let two = |t: &[u8]| (2, t.to_vec());
    assert_eq!(got(&mut victim), [two(b"a"), two(b"b"), two(b"u"), two(b"cd")]);
    assert!(events(&mut victim.it).contains(&Event::IncomingReset(2)));
    assert_eq!(results(&mut victim).last(), Some(&(1000, result::PERFORMED)));
    assert_eq!(victim.it.stats().a_rwnd, 5 << 20, "nothing leaks");
}

#[test]
fn a_request_without_streams_resets_all() {
    //= rfc6525#5.2.2
    //# E3: If no stream numbers are listed in the parameter, then all incoming streams MUST be reset to 0 as the next expected SSN.
    //= rfc6525#5.2.1
    //# If for whatever reason the endpoint does not wish to process a received request parameter, it MUST send a corresponding response parameter as described in Section 5.1.7, with an appropriate Result field.
    let mut victim = Victim::new(Config::rtc());
    for stream in [1, 9] {
        victim.input(&[(kind::DATA, 3, &data_value(1000 + u32::from(stream == 9), stream, 0, 53, b"x"))]).unwrap();
    }
    victim.input(&[(kind::RE_CONFIG, 0, &request(1000, 1001, &[]))]).unwrap();
    let reset = events(&mut victim.it);
    assert!([1, 9].iter().all(|s| reset.contains(&Event::IncomingReset(*s))));
    while victim.it.receive().is_some() {}
    for stream in [1, 9] {
        victim.input(&[(kind::DATA, 3, &data_value(1002 + u32::from(stream == 9), stream, 0, 53, b"y"))]).unwrap();
        assert!(victim.it.receive().is_some(), "0 is next again");
    }
}

#[test]
fn our_request_by_the_letter() {
    //= rfc6525#5.1.2
    //# A1: The sender MUST stop assigning new SSNs to new user data provided by the upper layer for the affected streams and queue it.
    //= rfc6525#5.1.2
    //# A2: The sender MUST assign the next re-configuration request sequence number and MUST put it into the Re-configuration Request Sequence Number field of the Outgoing SSN Reset Request Parameter.
    //= rfc6525#5.1.2
    //# The next re-configuration request sequence number MUST then be incremented by 1.
    //= rfc6525#5.1.2
    //# If the sender requests that only some outgoing streams be reset, these stream numbers MUST be placed in the Outgoing SSN Reset Request Parameter.
    //= rfc6525#5.1.2
    //# A5: The Outgoing SSN Reset Request Parameter MUST be put into a RE-CONFIG Chunk.
    //= rfc6525#5.1.2
    //# It MUST NOT be put together with any other parameter, as described in Section 3.1.
    //= rfc6525#5.1.2
    //# A6: The RE-CONFIG chunk MUST be sent following the rules given in Section 5.1.1.
    //= rfc6525#4.1
    //# This field holds the length in bytes of the parameter; the value MUST be 16 + 2 * N, where N is the number of stream numbers listed.
    //= rfc6525#4.1
    //# This parameter MUST NOT appear in any other chunk type.
    //= rfc6525#5.1.1
    //# After packaging the RE-CONFIG chunk and sending it to the peer, the sender MUST start the Re-configuration Timer if the RE-CONFIG chunk contains at least one request parameter.
    //= rfc6525#5.1.1
    //# This timer MUST use the same value as SCTP's data transmission timer (i.e., the retransmission timeout (RTO) timer) and MUST use exponential backoff, doubling the value at every expiration.
    //= rfc6525#5.1.1
    //# If the timer expires, besides doubling the value, the sender MUST retransmit the RE-CONFIG chunk, increment the appropriate error counts (for both the association and the destination), and perform threshold management, possibly destroying the association if SCTP retransmission thresholds are exceeded.
    //= rfc6525#5.2.7
    //# H1: If the Re-configuration Timer is running for the Re-configuration Request Sequence Number indicated in the Re-configuration Response Sequence Number field, the Re-configuration Request Sequence Number MUST be marked as acknowledged.
    //= rfc6525#5.2.7
    //# If all Re-configuration Request Sequence Numbers for which the Re-configuration Timer is running are acknowledged, the Re-configuration Timer MUST be stopped.
    //= rfc6525#5.2.7
    //# H4: If the request was an Outgoing SSN Reset Request, the affected streams MUST now be reset and all queued data should now be processed.
    let mut victim = Victim::new(Config { heartbeat_interval: None, max_retransmits: Some(2), ..Config::default() });
    victim.it.send(victim.now, 4, 53, payload(0, 100), SendOptions::default()).unwrap();
    victim.output();
    victim.it.reset_streams(victim.now, &[4, 8]);
    assert_eq!(victim.it.send(victim.now, 4, 53, payload(0, 1), SendOptions::default()), Err(SendError::Closed));
    let mut sack = victim.its_tsn.to_be_bytes().to_vec();
    sack.extend([0, 1, 0, 0, 0, 0, 0, 0]);
    victim.input(&[(kind::SACK, 0, &sack)]).unwrap();
    for number in [victim.its_tsn, victim.its_tsn.wrapping_add(1)] {
        let (mut asked, mut rto) = (Vec::new(), victim.it.stats().rto);
        for round in 0..2 {
            for value in re_configs(&mut victim) {
                let params: Vec<_> = Request::params(&value).collect();
                assert_eq!((params.len(), params[0].raw.len()), (1, 16 + 2 * 2));
                asked.push(value);
            }
            assert_eq!(asked.len(), round + 1);
            assert_eq!(victim.it.poll_timeout().unwrap() - victim.now, rto);
            victim.now += rto;
            rto *= 2;
            victim.it.handle_timeout(victim.now).unwrap();
        }
        assert!(asked[0] == asked[1] && asked[0][4..8] == number.to_be_bytes());
        assert_eq!(re_configs(&mut victim).len(), 1);
        victim.input(&[(kind::RE_CONFIG, 0, &response_value(number))]).unwrap();
        assert_eq!(victim.it.poll_timeout(), None, "the timer is stopped");
        assert_eq!(events(&mut victim.it).iter().filter(|e| matches!(e, Event::OutgoingReset(4 | 8, true))).count(), 2);
        // A new number begins at 0, and so does the stream.
        victim.it.reset_streams(victim.now, &[4, 8]);
    }
    // Nobody answers: the association ends.
    let mut result = Ok(());
    for _ in 0..3 {
        victim.output();
        victim.now = victim.it.poll_timeout().unwrap();
        result = victim.it.handle_timeout(victim.now);
    }
    assert!(result.is_err());
}

#[test]
fn an_answer_alone_starts_no_timer() {
    //= rfc6525#5.1.1
    //# If it contains no request parameters, the Re-configuration Timer MUST NOT be started.
    let mut victim = Victim::new(Config { heartbeat_interval: None, ..Config::default() });
    victim.input(&[(kind::RE_CONFIG, 0, &request(1000, 999, &[2]))]).unwrap();
    assert_eq!(results(&mut victim), [(1000, result::PERFORMED)]);
    assert_eq!(victim.it.poll_timeout(), None);
}
