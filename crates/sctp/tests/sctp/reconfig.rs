//! RFC 6525 beyond the reset of streams by their sender: asking the peer to reset, TSN reset, more streams.

use bytes::Bytes;
use weft_core::{Layer, Serial32};
use weft_sctp::wire::reconfig::{parameter, result};
use weft_sctp::wire::{Answer, Request, kind, reconfig};
use weft_sctp::{Config, Event, SendError, SendOptions};

use crate::common::{Duo, Victim, chunks, data_value, events, packets, payload, sack_value, secs};

fn config() -> Config {
    Config { heartbeat_interval: None, ..Config::rtc() }
}

fn send(duo: &mut Duo, stream: u16, len: usize) {
    duo.a.send(duo.now, stream, 53, payload(0, len), SendOptions::default()).unwrap();
}

/// Values of the RE-CONFIG chunks it sends now.
fn re_configs(victim: &mut Victim) -> Vec<Vec<u8>> {
    let packets = victim.output();
    let all = packets.iter().flat_map(|p| chunks(p));
    all.filter(|c| c.kind == kind::RE_CONFIG).map(|c| c.value.to_vec()).collect()
}

fn answers(victim: &mut Victim) -> Vec<Answer> {
    let all = re_configs(victim);
    let params = all.iter().flat_map(|value| Request::params(value).collect::<Vec<_>>());
    params
        .filter_map(|p| match Request::parse(&p) {
            Some(Request::Response(answer)) => Some(answer),
            _ => None,
        })
        .collect()
}

fn param(kind_of: u16, number: u32, rest: &[u8]) -> Vec<u8> {
    let mut out = kind_of.to_be_bytes().to_vec();
    out.extend((8 + rest.len() as u16).to_be_bytes());
    out.extend(number.to_be_bytes());
    out.extend(rest);
    out
}

fn answer(number: u32, result: u32, next_tsns: Option<(u32, u32)>) -> Vec<u8> {
    let mut chunk = Vec::new();
    let next_tsns = next_tsns.map(|(a, b)| (Serial32(a), Serial32(b)));
    reconfig::write_responses(&mut chunk, &[Answer { number: Serial32(number), result, next_tsns }]);
    chunk[4..].to_vec()
}

#[test]
fn the_peer_resets_its_streams_when_asked() {
    for interleaving in [true, false] {
        let mut duo = Duo::connected(&Config { interleaving, ..config() });
        for stream in [2, 5] {
            send(&mut duo, stream, 3000);
        }
        duo.b.reset_incoming_streams(&[5, 2, 2]);
        duo.run(secs(2));
        let seen = events(&mut duo.b);
        assert!(seen.contains(&Event::IncomingReset(2)) && seen.contains(&Event::IncomingReset(5)), "{seen:?}");
        assert_eq!(core::iter::from_fn(|| duo.b.receive()).count(), 2, "what was sent before arrives");
        assert!(events(&mut duo.a).contains(&Event::OutgoingReset(2, true)));
        send(&mut duo, 2, 10);
        duo.run(secs(1));
        assert_eq!(core::iter::from_fn(|| duo.b.receive()).count(), 1);
        assert_eq!(duo.b.poll_timeout(), None, "nothing is repeated");
    }
}

#[test]
fn asking_by_the_letter() {
    //= rfc6525#5.2.2
    //# E1: If the Re-configuration Timer is running for the Re-configuration Request Sequence Number indicated in the Re-configuration Response Sequence Number field, the Re-configuration Request Sequence Number MUST be marked as acknowledged.
    //= rfc6525#5.2.2
    //# If all Re-configuration Request Sequence Numbers for which the Re-configuration Timer is running are acknowledged, the Re-configuration Timer MUST be stopped.
    //= rfc6525#4.2
    //# This field holds the length in bytes of the parameter; the value MUST be 8 + 2 * N.
    //= rfc6525#4.2
    //# This parameter MUST NOT appear in any other chunk type.
    //= rfc6525#5.1.3
    //# B1: The sender MUST assign the next re-configuration request sequence number and MUST put it into the Re-configuration Request Sequence Number field of the Incoming SSN Reset Request Parameter.
    //= rfc6525#5.1.3
    //# After assigning it, the next re-configuration request sequence number MUST be incremented by 1.
    //= rfc6525#5.1.3
    //# If the sender wants only some incoming streams to be reset, these stream numbers MUST be filled in the Incoming SSN Reset Request Parameter.
    //= rfc6525#5.1.3
    //# B3: The Incoming SSN Reset Request Parameter MUST be put into a RE-CONFIG Chunk.
    //= rfc6525#5.1.3
    //# It MAY be put together with an Outgoing SSN Reset Request Parameter but MUST NOT be put together with any other parameter.
    //= rfc6525#5.1.3
    //# B4: The RE-CONFIG chunk MUST be sent following the rules given in Section 5.1.1.
    let mut victim = Victim::new(config());
    let its = victim.its_tsn;
    victim.it.reset_incoming_streams(&[7, 3]);
    assert_eq!(re_configs(&mut victim), [param(parameter::INCOMING_RESET, its, &[0, 3, 0, 7])]);
    // Not answered, it is asked again under the same number.
    victim.now = victim.it.poll_timeout().unwrap();
    victim.it.handle_timeout(victim.now).unwrap();
    assert_eq!(re_configs(&mut victim), [param(parameter::INCOMING_RESET, its, &[0, 3, 0, 7])]);
    let mut rest = its.to_be_bytes().to_vec();
    rest.extend(999_u32.to_be_bytes());
    rest.extend([0, 3, 0, 7]);
    victim.input(&[(kind::RE_CONFIG, 0, &param(parameter::OUTGOING_RESET, 1000, &rest))]).unwrap();
    assert_eq!(events(&mut victim.it), [Event::IncomingReset(3), Event::IncomingReset(7)]);
    assert_eq!(answers(&mut victim)[0].result, result::PERFORMED);
    assert_eq!(victim.it.poll_timeout(), None);
    // Refused, and impossible.
    victim.it.reset_incoming_streams(&[9]);
    assert_eq!(re_configs(&mut victim).len(), 1);
    victim.input(&[(kind::RE_CONFIG, 0, &answer(its.wrapping_add(1), result::DENIED, None))]).unwrap();
    assert_eq!(events(&mut victim.it), [Event::ResetRefused(9)]);
    let mut without = Victim::with_params(config(), &[]);
    without.it.reset_incoming_streams(&[9]);
    without.it.reset_tsns();
    without.it.add_streams(1, 1);
    assert!(without.output().is_empty());
    let refused = [Event::ResetRefused(9), Event::TsnsReset(false), Event::StreamsRefused, Event::StreamsRefused];
    assert_eq!(events(&mut without.it), refused);
}

#[test]
fn tsns_start_anew_as_the_peer_asks() {
    //= rfc6525#5.2.4
    //# G3: The same processing as though a SACK chunk with no gap report and a cumulative TSN ACK of the Sender's Next TSN minus 1 were received MUST be performed.
    //= rfc6525#5.2.4
    //# G4: The same processing as though a FWD-TSN chunk (as defined in [RFC3758]) with all streams affected and a new cumulative TSN ACK of the Receiver's Next TSN minus 1 were received MUST be performed.
    //= rfc6525#5.2.4
    //# G5: The next expected and outgoing SSNs MUST be reset to 0 for all incoming and outgoing streams.
    //= rfc6525#5.2.4
    //# G6: A Re-configuration Response Parameter MUST be put into a RE-CONFIG chunk indicating successful processing.
    //= rfc6525#5.2.4
    //# G7: The RE-CONFIG chunk MUST be sent after the incoming RE-CONFIG chunk is processed completely.
    //= rfc6525#5.1.7
    //# D3: If the incoming request is an SSN/TSN reset request, the Sender's Next TSN field MUST be filled with the next TSN the sender of this Re-configuration Response Parameter will assign.
    //= rfc6525#5.1.7
    //# D4: If the incoming request is an SSN/TSN reset request, the Receiver's Next TSN field MUST be filled with a TSN such that the sender of the Re-configuration Response Parameter can be sure it can discard received DATA chunks with smaller TSNs.
    //= rfc6525#4.4
    //# Either both optional fields (Sender's Next TSN and Receiver's Next TSN) MUST be present, or no field.
    let mut victim = Victim::new(config());
    let its = victim.its_tsn;
    for n in 0..2 {
        victim.input(&[(kind::DATA, 3, &data_value(1000 + n, 4, n as u16, 53, b"before"))]).unwrap();
    }
    victim.it.send(victim.now, 1, 53, payload(0, 100), SendOptions::default()).unwrap();
    victim.output();
    let ask = param(parameter::TSN_RESET, 1000, &[]);
    victim.input(&[(kind::RE_CONFIG, 0, &ask)]).unwrap();
    // One chunk of its own is outstanding: that is to arrive first, and nothing new begins.
    assert_eq!(answers(&mut victim), [Answer { number: Serial32(1000), result: result::IN_PROGRESS, next_tsns: None }]);
    victim.it.send(victim.now, 1, 53, payload(1, 100), SendOptions::default()).unwrap();
    assert!(victim.output().is_empty());
    victim.input(&[(kind::RE_CONFIG, 0, &ask)]).unwrap();
    assert_eq!(answers(&mut victim)[0].result, result::IN_PROGRESS);
    victim.input(&[(kind::SACK, 0, &sack_value(its, 1 << 20, &[]))]).unwrap();
    let packets = victim.output();
    let all: Vec<_> = packets.iter().flat_map(|p| chunks(p)).collect();
    let next = (its.wrapping_add(1), 1002_u32.wrapping_add(1 << 31));
    assert_eq!(all[0].value, answer(1000, result::PERFORMED, Some(next)), "the answer comes first");
    let data = all.iter().find(|c| c.kind == kind::DATA).unwrap();
    let data = weft_sctp::wire::Data::parse(data.flags, data.value).unwrap();
    assert_eq!((data.tsn.0, data.ssn.0), (next.0, 0));
    assert!(events(&mut victim.it).contains(&Event::TsnsReset(true)));
    assert_eq!(core::iter::from_fn(|| victim.it.receive()).count(), 2);
    // Asked again, it says the same, and the new numbers hold.
    victim.input(&[(kind::RE_CONFIG, 0, &ask)]).unwrap();
    assert_eq!(re_configs(&mut victim), [answer(1000, result::PERFORMED, Some(next))]);
    victim.input(&[(kind::DATA, 3, &data_value(1002, 4, 2, 53, b"old"))]).unwrap();
    victim.input(&[(kind::DATA, 3, &data_value(next.1, 4, 0, 53, b"new"))]).unwrap();
    assert_eq!(core::iter::from_fn(|| victim.it.receive()).map(|m| m.payload).collect::<Vec<_>>(), ["new"]);
}

#[test]
fn tsns_start_anew_as_we_ask() {
    //= rfc6525#4.3
    //# This field holds the length in bytes of the parameter; the value MUST be 8.
    //= rfc6525#4.3
    //# This parameter MUST NOT appear in any other chunk type.
    //= rfc6525#5.1.4
    //# C1: The sender MUST assign the next re-configuration request sequence number and put it into the Re-configuration Request Sequence Number field of the SSN/TSN Reset Request Parameter.
    //= rfc6525#5.1.4
    //# After assigning it, the next re-configuration request sequence number MUST be incremented by 1.
    //= rfc6525#5.1.4
    //# C2: The sender has either no outstanding TSNs or considers all outstanding TSNs abandoned. The sender MUST queue any user data, suspending any new transmissions and TSN assignment until the reset procedure is finished by the peer either acknowledging or denying the request.
    //= rfc6525#5.1.4
    //# C3: The SSN/TSN Reset Request Parameter MUST be put into a RE-CONFIG chunk.
    //= rfc6525#5.1.4
    //# There MUST NOT be any other parameter in this chunk.
    //= rfc6525#5.1.4
    //# C4: The RE-CONFIG chunk MUST be sent following the rules given in Section 5.1.1.
    //= rfc6525#5.2.7
    //# H5: If the request was an SSN/TSN Reset Request, new data MUST be sent from the Receiver's Next TSN, beginning with SSN 0 for all outgoing streams. All incoming streams MUST be reset to 0 as the next expected SSN.
    let mut victim = Victim::new(config());
    let its = victim.its_tsn;
    victim.it.send(victim.now, 1, 53, payload(0, 100), SendOptions::default()).unwrap();
    victim.input(&[(kind::DATA, 3, &data_value(1000, 4, 0, 53, b"before"))]).unwrap();
    assert!(!victim.output().is_empty());
    victim.it.reset_tsns();
    victim.it.send(victim.now, 1, 53, payload(1, 100), SendOptions::default()).unwrap();
    assert!(victim.output().is_empty(), "not while something is outstanding, and nothing new meanwhile");
    victim.input(&[(kind::SACK, 0, &sack_value(its, 1 << 20, &[]))]).unwrap();
    assert_eq!(re_configs(&mut victim), [param(parameter::TSN_RESET, its, &[])]);
    assert!(victim.output().is_empty());
    let next = (5_000_000, 77_000);
    // Without both numbers it is no answer to this.
    let mut bad = answer(its, result::PERFORMED, Some(next));
    bad.truncate(16);
    bad[3] = 16;
    victim.input(&[(kind::RE_CONFIG, 0, &bad)]).unwrap();
    assert!(victim.output().is_empty());
    victim.input(&[(kind::RE_CONFIG, 0, &answer(its, result::PERFORMED, Some(next)))]).unwrap();
    let packets = victim.output();
    let all: Vec<_> = packets.iter().flat_map(|p| chunks(p)).collect();
    let data = all.iter().find(|c| c.kind == kind::DATA).unwrap();
    let data = weft_sctp::wire::Data::parse(data.flags, data.value).unwrap();
    assert_eq!((data.tsn.0, data.ssn.0), (77_000, 0));
    victim.input(&[(kind::DATA, 3, &data_value(5_000_000, 4, 0, 53, b"new"))]).unwrap();
    assert_eq!(core::iter::from_fn(|| victim.it.receive()).map(|m| m.payload).collect::<Vec<_>>(), ["before", "new"]);
    assert!(events(&mut victim.it).contains(&Event::TsnsReset(true)));
    // Denied, things go on as they were.
    victim.input(&[(kind::SACK, 0, &sack_value(77_000, 1 << 20, &[]))]).unwrap();
    victim.it.reset_tsns();
    assert_eq!(re_configs(&mut victim), [param(parameter::TSN_RESET, its.wrapping_add(1), &[])]);
    victim.input(&[(kind::RE_CONFIG, 0, &answer(its.wrapping_add(1), result::DENIED, None))]).unwrap();
    assert!(events(&mut victim.it).contains(&Event::TsnsReset(false)));
    victim.it.send(victim.now, 1, 53, payload(1, 100), SendOptions::default()).unwrap();
    assert_eq!(victim.output().len(), 1);
}

#[test]
fn tsn_resets_lose_nothing() {
    for interleaving in [true, false] {
        let mut duo = Duo::connected(&Config { interleaving, ..config() });
        let mut got = 0;
        for round in 0..6 {
            for stream in 0..3 {
                send(&mut duo, stream, 4000);
                duo.b.send(duo.now, stream, 53, payload(1, 4000), SendOptions::default()).unwrap();
            }
            if round % 2 == 0 {
                duo.a.reset_tsns();
            } else {
                duo.b.reset_tsns();
            }
            duo.run(secs(2));
            got += core::iter::from_fn(|| duo.a.receive()).count() + core::iter::from_fn(|| duo.b.receive()).count();
            assert!(events(&mut duo.a).contains(&Event::TsnsReset(true)), "{round}");
            assert!(events(&mut duo.b).contains(&Event::TsnsReset(true)), "{round}");
        }
        assert_eq!(got, 36);
    }
}

#[test]
fn streams_are_added_either_way() {
    //= rfc6525#5.1.5
    //# Upon sending the request, the sender MUST await a positive acknowledgment (Success) before using any additional stream added by this request.
    //= rfc6525#5.1.5
    //# A new stream MUST use SSN 0 for its first ordered message.
    //= rfc6525#5.1.6
    //# A new stream MUST use SSN 0 for its first ordered message.
    //= rfc6525#5.2.5
    //# If the response is successful, the receiver MUST add the requested number of inbound streams to the association, initializing the next expected SSN to 0.
    //= rfc6525#5.2.7
    //# H6: If the request was to add outgoing streams, the endpoint MUST add the additional streams to the association.
    //= rfc6525#5.2.7
    //# Note that an implementation may allocate the memory at the time of the request, but it MUST NOT use the streams until the peer has responded with a positive acknowledgment.
    let few = Config { out_streams: 4, in_streams: 4, max_streams: 10, ..config() };
    let mut duo = Duo::connected(&few);
    let x = || Bytes::from_static(b"x");
    duo.a.add_streams(2, 3);
    assert_eq!(duo.a.send(duo.now, 4, 53, x(), SendOptions::default()), Err(SendError::NotOpen));
    let asked = packets(&mut duo.a, duo.now);
    assert_eq!(duo.a.send(duo.now, 5, 53, x(), SendOptions::default()), Err(SendError::NotOpen));
    //= rfc6525#4.5
    //# This field holds the length in bytes of the parameter; the value MUST be 12.
    //= rfc6525#4.5
    //# This parameter MUST NOT appear in any other chunk type.
    //= rfc6525#4.6
    //# This field holds the length in bytes of the parameter; the value MUST be 12.
    //= rfc6525#4.6
    //# This parameter MUST NOT appear in any other chunk type.
    let (add, number) = (&chunks(&asked[0])[0], 4..8);
    assert_eq!((add.kind, &add.value[..4], &add.value[8..]), (kind::RE_CONFIG, &[0, 17, 0, 12][..], &[0, 2, 0, 0][..]));
    let own = Request::params(add.value).next().and_then(|p| Request::parse(&p));
    assert!(matches!(own, Some(Request::AddOutgoing { streams: 2, .. })) && !add.value[number].is_empty());
    let mut wire = Vec::new();
    reconfig::write_add_streams(&mut wire, Serial32(9), false, 3);
    assert_eq!(wire, [kind::RE_CONFIG, 0, 0, 16, 0, 18, 0, 12, 0, 0, 0, 9, 0, 3, 0, 0]);
    for packet in asked {
        duo.b.handle_input(duo.now, &packet).unwrap();
    }
    duo.run(secs(1));
    assert_eq!((duo.a.out_streams(), duo.b.in_streams(), duo.b.out_streams(), duo.a.in_streams()), (6, 6, 7, 7));
    assert_eq!(events(&mut duo.a), [Event::OutgoingStreams(6), Event::IncomingStreams(7)]);
    assert_eq!(events(&mut duo.b), [Event::IncomingStreams(6), Event::OutgoingStreams(7)]);
    duo.a.send(duo.now, 5, 53, x(), SendOptions::default()).unwrap();
    duo.b.send(duo.now, 6, 53, x(), SendOptions::default()).unwrap();
    duo.run(secs(1));
    assert_eq!((duo.b.receive().unwrap().stream, duo.a.receive().unwrap().stream), (5, 6));
    events(&mut duo.a);
    // Beyond the limit, none.
    duo.a.add_streams(5, 5);
    duo.run(secs(1));
    assert_eq!((duo.a.out_streams(), duo.a.in_streams()), (6, 7));
    assert_eq!(events(&mut duo.a), [Event::StreamsRefused, Event::StreamsRefused]);
}

#[test]
fn a_repeated_request_for_streams_adds_none() {
    let mut victim = Victim::new(Config { in_streams: 4, out_streams: 4, max_streams: 10, ..config() });
    let more = param(parameter::ADD_OUTGOING, 1000, &[0, 2, 0, 0]);
    for _ in 0..3 {
        victim.input(&[(kind::RE_CONFIG, 0, &more)]).unwrap();
        assert_eq!(re_configs(&mut victim), [answer(1000, result::PERFORMED, None)]);
        assert_eq!(victim.it.in_streams(), 6);
    }
    assert_eq!(events(&mut victim.it), [Event::IncomingStreams(6)]);
    let too_many = param(parameter::ADD_OUTGOING, 1001, &[0, 5, 0, 0]);
    victim.input(&[(kind::RE_CONFIG, 0, &too_many)]).unwrap();
    assert_eq!(re_configs(&mut victim), [answer(1001, result::DENIED, None)]);
    assert_eq!(victim.it.in_streams(), 6);
}
