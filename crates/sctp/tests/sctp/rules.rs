//! Rules of RFC 9260 looked at packet by packet: one association, the test plays its peer.

use weft_core::{Layer, Serial32};
use weft_sctp::wire::{Data, Sack, data, kind, param};
use weft_sctp::{AssociationError, Config, SendOptions, State};

use crate::common::{
    OUR_TAG, Victim, chunks, data_value, events, init_value, kinds, millis, packet, packets, payload, plain,
    sack_value, tag_of,
};

/// TSNs of the DATA chunks it sends now.
fn sent(victim: &mut Victim) -> Vec<u32> {
    let mut out = Vec::new();
    for packet in victim.output() {
        for chunk in chunks(&packet).iter().filter(|c| c.kind == kind::DATA) {
            out.push(Data::parse(chunk.flags, chunk.value).unwrap().tsn.0);
        }
    }
    out
}

type Told = (u32, Vec<(u32, u32)>, Vec<u32>);

/// The SACK it sends now: cumulative TSN, blocks, duplicates.
fn sack(victim: &mut Victim) -> Option<Told> {
    let out = victim.output();
    let packet = out.first()?;
    let all = chunks(packet);
    let sack = Sack::parse(all.iter().find(|c| c.kind == kind::SACK)?.value).unwrap();
    Some((
        sack.cumulative_tsn_ack.0,
        sack.gap_blocks().map(|(a, b)| (a.0, b.0)).collect(),
        sack.duplicates().map(|t| t.0).collect(),
    ))
}

/// Every chunk type with a wrong Verification Tag: nothing happens (CVE-2021-3772).
#[test]
fn cve_2021_3772_verification_tag_matrix() {
    //= rfc9260#8.5
    //# If the received Verification Tag value does not match the receiver's own tag value, the receiver MUST silently discard the packet and MUST NOT process it any further, except for those cases listed in Section 8.5.1 below.
    let types = (0..=15).chain([64, 128, 130, 192, 193, 255]);
    for chunk in types {
        for t_bit in [0, 1] {
            for wrong in [0, 1, OUR_TAG, u32::MAX] {
                if chunk == kind::INIT && wrong == 0 {
                    continue; // the right tag for an INIT
                }
                let reflected = matches!(chunk, kind::ABORT | kind::SHUTDOWN_COMPLETE) && t_bit == 1;
                if reflected && wrong == OUR_TAG {
                    continue; // the right tag with the T bit
                }
                let mut victim = Victim::new(Config::rtc());
                let value = [0_u8; 24];
                let bytes = packet(wrong, &[(chunk, t_bit, &value)]);
                //= rfc9260#8.5
                //# When receiving an SCTP packet, the endpoint MUST ensure that the value in the Verification Tag field of the received SCTP packet matches its own tag.
                assert_eq!(victim.it.handle_input(victim.now, &bytes), Ok(()), "chunk {chunk} tag {wrong}");
                assert_eq!(victim.it.state(), State::Established, "chunk {chunk} tag {wrong}");
                assert!(victim.output().is_empty() && events(&mut victim.it).is_empty(), "chunk {chunk} tag {wrong}");
            }
        }
    }
    // An ABORT with our tag needs the T bit unset, one with the peer's needs it set.
    //= rfc9260#8.5.1
    //# The receiver of an ABORT chunk MUST accept the packet
    for (tag_is_own, flags, dies) in [(true, 0, true), (true, 1, false), (false, 1, true), (false, 0, false)] {
        let mut victim = Victim::new(Config::rtc());
        let tag = if tag_is_own { victim.tag } else { OUR_TAG };
        let result = victim.it.handle_input(victim.now, &packet(tag, &[(kind::ABORT, flags, &[])]));
        assert_eq!(result.is_err(), dies, "own {tag_is_own} flags {flags}");
    }
}

#[test]
fn packets_out_of_the_blue() {
    //= rfc9260#8.4
    //# If the OOTB packet contains an ABORT chunk, the receiver MUST silently discard the OOTB packet and take no further action.
    //= rfc9260#8.4
    //# When sending the SHUTDOWN COMPLETE chunk, the receiver of the OOTB packet MUST fill in the Verification Tag field of the outbound packet with the Verification Tag received in the SHUTDOWN ACK chunk and set the T bit in the Chunk Flags to indicate that the Verification Tag is reflected.
    //= rfc9260#8.4
    //# When sending the ABORT chunk, the receiver of the OOTB packet MUST fill in the Verification Tag field of the outbound packet with the value found in the Verification Tag field of the OOTB packet and set the T bit in the Chunk Flags to indicate that the Verification Tag is reflected.
    let now = weft_core::Instant::ORIGIN;
    for (chunk, answer) in [
        (kind::DATA, Some(kind::ABORT)),
        (kind::SACK, Some(kind::ABORT)),
        (kind::HEARTBEAT, Some(kind::ABORT)),
        (kind::SHUTDOWN, Some(kind::ABORT)),
        (kind::SHUTDOWN_ACK, Some(kind::SHUTDOWN_COMPLETE)),
        (kind::ABORT, None),
        (kind::SHUTDOWN_COMPLETE, None),
        (kind::COOKIE_ACK, None),
        (kind::ERROR, Some(kind::ABORT)),
    ] {
        let mut it = weft_sctp::Association::new(Config::rtc(), weft_core::Rng::from_test_seed(1));
        it.handle_input(now, &packet(0x1234, &[(chunk, 0, &[0; 16])])).unwrap();
        let out = packets(&mut it, now);
        assert_eq!(out.first().map(|p| (kinds(p)[0], tag_of(p), chunks(p)[0].flags)), answer.map(|k| (k, 0x1234, 1)));
        assert!(out.len() <= 1);
    }
}

/// The four kinds of unknown chunks: stop or go on, silently or not.
// Stop processing this SCTP packet and discard
#[test]
fn unknown_chunks_by_their_action_bits() {
    for (chunk, goes_on, reported) in
        [(0x3F, false, false), (0x7E, false, true), (0xBF, true, false), (0xFE, true, true)]
    {
        let mut victim = Victim::new(Config::rtc());
        let data = data_value(victim.tsn, 0, 0, 53, b"behind it");
        victim.input(&[(chunk, 0xAB, b"what is this"), (kind::DATA, 3, &data)]).unwrap();
        assert_eq!(victim.it.receive().is_some(), goes_on, "{chunk:#x}");
        let out = victim.output();
        let error = out.iter().flat_map(|p| chunks(p)).find(|c| c.kind == kind::ERROR);
        assert_eq!(error.is_some(), reported, "{chunk:#x}");
        if let Some(error) = error {
            assert_eq!(error.value[..8], [0, 6, 0, 20, chunk, 0xAB, 0, 16], "Unrecognized Chunk Type, with the chunk");
        }
    }
}

/// The four kinds of unknown parameters (str0m#552: an unknown parameter rejected the association).
#[test]
fn str0m_552_unknown_parameters_by_their_action_bits() {
    let now = weft_core::Instant::ORIGIN;
    for (kind_of, goes_on, reported) in
        [(0x3FFF_u16, false, false), (0x7FFE, false, true), (0xBFFF, true, false), (0xFFFE, true, true)]
    {
        let mut it = weft_sctp::Association::new(Config::rtc(), weft_core::Rng::from_test_seed(1));
        let mut params = kind_of.to_be_bytes().to_vec();
        params.extend([0, 5, 0xEE, 0, 0, 0]);
        params.extend(0xFFFD_u16.to_be_bytes());
        params.extend([0, 4]);
        it.handle_input(now, &packet(0, &[(kind::INIT, 0, &init_value(5, 5, &params))])).unwrap();
        let out = packets(&mut it, now).remove(0);
        assert_eq!(kinds(&out), [kind::INIT_ACK], "{kind_of:#x} refuses nothing");
        let ack = weft_sctp::wire::Init::parse(chunks(&out)[0].value).unwrap();
        //= rfc9260#3.2.2
        //# If the receiver of an INIT chunk detects unrecognized parameters and has to report them according to Section 3.2.1, it MUST put the "Unrecognized Parameter" parameter(s) in the INIT ACK chunk sent in response to the INIT chunk.
        let has = |k: u16| ack.params.clone().any(|p| p.kind == param::UNRECOGNIZED && p.value[..2] == k.to_be_bytes());
        assert_eq!(has(kind_of), reported, "{kind_of:#x}");
        assert_eq!(has(0xFFFD), goes_on, "{kind_of:#x}: what follows it");
    }
}

#[test]
fn gaps_and_duplicates_are_reported_at_once() {
    let mut victim = Victim::new(Config::rtc());
    let chunk = |tsn: u32| data_value(tsn, 0, (tsn - 1000) as u16, 53, b"x");
    //= rfc9260#5.1
    //# After the reception of the first DATA chunk in an association, the endpoint MUST immediately respond with a SACK chunk to acknowledge the DATA chunk.
    victim.input(&[(kind::DATA, 3, &chunk(1000))]).unwrap();
    assert_eq!(sack(&mut victim), Some((1000, vec![], vec![])));
    victim.input(&[(kind::DATA, 3, &chunk(1002))]).unwrap();
    //= rfc9260#6.7
    //# it SHOULD send a SACK chunk with Gap Ack Blocks immediately.
    assert_eq!(sack(&mut victim), Some((1000, vec![(1002, 1002)], vec![])));
    victim.input(&[(kind::DATA, 3, &chunk(1005))]).unwrap();
    assert_eq!(sack(&mut victim), Some((1000, vec![(1002, 1002), (1005, 1005)], vec![])));
    victim.input(&[(kind::DATA, 3, &chunk(1002)), (kind::DATA, 3, &chunk(1000))]).unwrap();
    //= rfc9260#6.2
    //# When a packet arrives with duplicate DATA chunk(s) and with no new DATA chunk(s), the endpoint MUST immediately send a SACK chunk with no delay.
    assert_eq!(sack(&mut victim), Some((1000, vec![(1002, 1002), (1005, 1005)], vec![1002, 1000])));
    victim.input(&[(kind::DATA, 3, &chunk(1001))]).unwrap();
    assert_eq!(sack(&mut victim), Some((1002, vec![(1005, 1005)], vec![])));
    let got: Vec<_> = core::iter::from_fn(|| victim.it.receive()).collect();
    assert_eq!(got.len(), 3, "1000 to 1002; 1005 waits for 1003 and 1004");
}

//= rfc9260#6.2
//# The SCTP endpoint MUST always acknowledge the reception of each valid DATA chunk when the DATA chunk received is inside its receive window.
#[test]
fn an_urgent_chunk_is_acknowledged_at_once() {
    let mut victim = Victim::new(Config::rtc());
    victim.input(&[(kind::DATA, 3, &data_value(1000, 0, 0, 53, b"x"))]).unwrap();
    assert_eq!(sack(&mut victim), Some((1000, vec![], vec![])));
    victim.input(&[(kind::DATA, 3, &data_value(1001, 0, 1, 53, b"x"))]).unwrap();
    assert_eq!(sack(&mut victim), None, "in order: it can wait");
    victim.input(&[(kind::DATA, 3 | data::IMMEDIATE, &data_value(1002, 0, 2, 53, b"x"))]).unwrap();
    assert_eq!(sack(&mut victim), Some((1002, vec![], vec![])));
}

//= rfc9260#6.5
//# If an endpoint receives a DATA chunk with an invalid stream identifier, it SHOULD acknowledge the reception of the DATA chunk following the normal procedure, immediately send an ERROR chunk with cause set to "Invalid Stream Identifier"
#[test]
fn data_on_a_stream_that_does_not_exist() {
    let mut victim = Victim::new(Config { in_streams: 10, ..Config::rtc() });
    victim.input(&[(kind::DATA, 3, &data_value(1000, 10, 0, 53, b"x"))]).unwrap();
    victim.input(&[(kind::DATA, 3, &data_value(1001, 9, 0, 53, b"y"))]).unwrap();
    let out = victim.output();
    let all = chunks(&out[0]);
    assert_eq!(all[0].kind, kind::ERROR);
    assert_eq!(all[0].value, [0, 1, 0, 8, 0, 10, 0, 0]);
    assert_eq!(Sack::parse(all[1].value).unwrap().cumulative_tsn_ack, Serial32(1001));
    assert_eq!(victim.it.receive().unwrap().stream, 9);
    assert!(victim.it.receive().is_none());
}

//= rfc9260#6.2
//# If an endpoint receives a DATA chunk with no user data (i.e., the Length field is set to 16), it SHOULD send an ABORT chunk with a "No User Data" error cause.
#[test]
fn data_without_data_is_an_error() {
    let mut victim = Victim::new(Config::rtc());
    let result = victim.input(&[(kind::DATA, 3, &data_value(1000, 0, 0, 53, b""))]);
    assert!(matches!(result, Err(AssociationError::ProtocolViolation(_))));
    let out = victim.output();
    assert_eq!(kinds(&out[0]), [kind::ABORT]);
    assert_eq!(chunks(&out[0])[0].value, [0, 9, 0, 8, 0, 0, 3, 0xE8]);
}

/// Three reports make a fast retransmit, which halves the window once and is not repeated.
#[test]
fn fast_retransmit_and_fast_recovery() {
    let mut victim = Victim::new(Config { max_burst: 100, slow_start_limit: 100, ..plain() });
    let first = victim.its_tsn;
    let t = |n: u32| first.wrapping_add(n);
    for n in 0..60 {
        victim.it.send(victim.now, 0, 53, payload(n, 1160), SendOptions::default()).unwrap();
    }
    assert_eq!(sent(&mut victim).len(), 4, "the initial window is 4344 bytes, overbooked once");
    victim.input(&[(kind::SACK, 0, &sack_value(t(3), 1 << 20, &[]))]).unwrap();
    let flight = sent(&mut victim);
    assert!(flight.len() >= 7, "{}", flight.len());
    let window = victim.it.stats().cwnd;
    // The first of these is lost.
    for end in 2..=3 {
        victim.input(&[(kind::SACK, 0, &sack_value(t(3), 1 << 20, &[(2, end)]))]).unwrap();
        assert!(!sent(&mut victim).contains(&t(4)), "not yet");
    }
    // the data sender waits for 3 missing reports
    victim.input(&[(kind::SACK, 0, &sack_value(t(3), 1 << 20, &[(2, 4)]))]).unwrap();
    assert_eq!(sent(&mut victim).first(), Some(&t(4)));
    let stats = victim.it.stats();
    assert_eq!(stats.cwnd, (window / 2).max(4 * 1160));
    assert_eq!((stats.fast_retransmissions, stats.timeouts), (1, 0));
    for end in 5..=6 {
        victim.input(&[(kind::SACK, 0, &sack_value(t(3), 1 << 20, &[(2, end)]))]).unwrap();
        assert!(!sent(&mut victim).contains(&t(4)), "never twice by fast retransmit");
    }
    assert_eq!(victim.it.stats().cwnd, stats.cwnd, "and the window is cut once");
    // T3-rtx is what is left for it.
    victim.now = victim.it.poll_timeout().unwrap();
    victim.it.handle_timeout(victim.now).unwrap();
    //= rfc9260#7.2.1
    //# The initial cwnd after a retransmission timeout MUST be no more than PMDCS, and only one packet is allowed to be in flight until successful acknowledgement.
    assert_eq!((sent(&mut victim), victim.it.stats().cwnd), (vec![t(4)], 1160));
}

//= rfc9260#12.4
//# An SCTP implementation MUST abort the association if it receives a SACK chunk acknowledging a TSN that has not been sent.
#[test]
fn a_sack_for_what_was_never_sent_ends_it() {
    for (ahead, blocks) in [(3, vec![]), (1000, vec![]), (0, vec![(2, 60_000)])] {
        let mut victim = Victim::new(Config::rtc());
        for n in 0..3 {
            victim.it.send(victim.now, 0, 53, payload(n, 1160), SendOptions::default()).unwrap();
        }
        assert_eq!(sent(&mut victim).len(), 3);
        let cumulative = victim.its_tsn.wrapping_sub(1).wrapping_add(if ahead == 0 { 0 } else { ahead + 1 });
        let result = victim.input(&[(kind::SACK, 0, &sack_value(cumulative, 1 << 20, &blocks))]);
        assert!(matches!(result, Err(AssociationError::ProtocolViolation(_))));
        assert_eq!(kinds(&victim.output()[0]), [kind::ABORT]);
    }
}

#[test]
fn sacks_out_of_date_change_nothing() {
    let mut victim = Victim::new(Config::rtc());
    let first = victim.its_tsn;
    for n in 0..3 {
        victim.it.send(victim.now, 0, 53, payload(n, 1160), SendOptions::default()).unwrap();
    }
    assert_eq!(sent(&mut victim).len(), 3);
    let before = victim.it.stats();
    for (cumulative, blocks) in [(first.wrapping_sub(2), vec![]), (first.wrapping_sub(1), vec![(3, 2), (0, 0)])] {
        victim.input(&[(kind::SACK, 0, &sack_value(cumulative, 1 << 20, &blocks))]).unwrap();
        let after = victim.it.stats();
        assert_eq!((after.in_flight, after.buffered, after.cwnd), (before.in_flight, before.buffered, before.cwnd));
    }
    //= rfc9260#6.7
    //# Upon the reception of a SACK chunk, the endpoint MUST remove all DATA chunks that have been acknowledged by the SACK chunk's Cumulative TSN Ack from its transmit queue.
    victim.input(&[(kind::SACK, 0, &sack_value(first.wrapping_add(2), 1 << 20, &[]))]).unwrap();
    assert_eq!(victim.it.stats().buffered, 0);
    victim.input(&[(kind::SACK, 0, &sack_value(first, 0, &[]))]).unwrap();
    assert_eq!(victim.it.stats().peer_rwnd, 1 << 20, "an old one");
}

/// The receiver may drop what it acknowledged by a block.
#[test]
fn what_the_receiver_reneged_on_is_sent_again() {
    let mut victim = Victim::new(Config { max_burst: 100, ..Config::rtc() });
    let first = victim.its_tsn;
    let t = |n: u32| first.wrapping_add(n);
    for n in 0..4 {
        victim.it.send(victim.now, 0, 53, payload(n, 1000), SendOptions::default()).unwrap();
    }
    assert_eq!(sent(&mut victim).len(), 4);
    victim.input(&[(kind::SACK, 0, &sack_value(t(0).wrapping_sub(1), 1 << 20, &[(2, 4)]))]).unwrap();
    assert!(sent(&mut victim).is_empty());
    // The first one arrives, but the others are gone from the receiver's memory.
    victim.input(&[(kind::SACK, 0, &sack_value(t(0), 1 << 20, &[]))]).unwrap();
    assert_eq!(sent(&mut victim), [t(1), t(2), t(3)]);
}

#[test]
fn timeouts_back_off_and_a_sack_restarts_the_timer() {
    let mut victim = Victim::new(Config { heartbeat_interval: None, ..Config::default() });
    victim.it.send(victim.now, 0, 53, payload(0, 1000), SendOptions::default()).unwrap();
    assert_eq!(sent(&mut victim), [victim.its_tsn]);
    // Until an RTT measurement has been made for a packet sent to the given destination transport address, set RTO to the protocol parameter 'RTO.Initial'.
    let mut expected = millis(1000);
    for _ in 0..5 {
        let at = victim.it.poll_timeout().unwrap();
        // For the destination address for which the timer expires, set RTO = RTO * 2 ("back off the timer").
        assert_eq!(at - victim.now, expected);
        expected *= 2;
        victim.now = at;
        victim.it.handle_timeout(at).unwrap();
        assert_eq!(sent(&mut victim), [victim.its_tsn]);
    }
    victim.input(&[(kind::SACK, 0, &sack_value(victim.its_tsn, 1 << 20, &[]))]).unwrap();
    //= rfc9260#6.3.1
    //# C5) Karn's algorithm: RTT measurements MUST NOT be made using chunks that were retransmitted
    assert_eq!(victim.it.stats().srtt, None);
    // Whenever all outstanding data sent to an address have been acknowledged, turn off the T3-rtx timer of that address.
    assert_eq!(victim.it.poll_timeout(), None);
}

#[test]
fn a_heartbeat_is_answered_with_what_it_said() {
    let mut victim = Victim::new(Config::rtc());
    let info = [0, 1, 0, 11, 1, 2, 3, 4, 5, 6, 7];
    victim.input(&[(kind::HEARTBEAT, 0, &info)]).unwrap();
    let out = victim.output();
    //= rfc9260#8.3
    //# The receiver of the HEARTBEAT chunk SHOULD immediately respond with a HEARTBEAT ACK chunk that contains the Heartbeat Information TLV, together with any other received TLVs, copied unchanged from the received HEARTBEAT chunk.
    assert_eq!((kinds(&out[0]), chunks(&out[0])[0].value), (vec![kind::HEARTBEAT_ACK], &info[..]));
    victim.input(&[(kind::HEARTBEAT, 0, &[7; 1185])]).unwrap();
    assert!(victim.output().is_empty(), "one that fits no packet of ours");
}

/// Zero checksums (RFC 9653): taken only where offered, never for INIT and COOKIE ECHO.
#[test]
fn zero_checksums() {
    let params = [0xC0, 0, 0, 4, 0x80, 8, 0, 6, 0xC0, 0x82, 0, 0, 0x80, 1, 0, 8, 0, 0, 0, 1];
    for offered in [true, false] {
        let mut victim = Victim::with_params(Config { zero_checksum: offered, ..Config::rtc() }, &params);
        let mut bytes = packet(victim.tag, &[(kind::HEARTBEAT, 0, &[0, 1, 0, 4])]);
        bytes[8..12].fill(0);
        victim.it.handle_input(victim.now, &bytes).unwrap();
        let out = victim.output();
        assert_eq!(!out.is_empty(), offered);
        victim.it.send(victim.now, 0, 53, payload(0, 10), SendOptions::default()).unwrap();
        assert_eq!(victim.output()[0][8..12], [0; 4], "the peer takes them, whatever we offered");
        let mut init = packet(0, &[(kind::INIT, 0, &init_value(3, 3, &params))]);
        init[8..12].fill(0);
        victim.it.handle_input(victim.now, &init).unwrap();
        assert!(victim.output().is_empty(), "an INIT must have its checksum");
    }
}

/// Where the peer may not know yet what was agreed, or no longer, checksums are whole (RFC 9653 section 5.2).
#[test]
fn checksums_are_whole_where_nothing_is_agreed() {
    let mut duo = crate::common::Duo::new(&Config::rtc());
    duo.a.connect(duo.now);
    duo.a.send(duo.now, 0, 53, payload(0, 30), SendOptions::default()).unwrap();
    let mut whole = Vec::new();
    for _ in 0..6 {
        for from_a in [true, false] {
            let (from, to) = if from_a { (&mut duo.a, &mut duo.b) } else { (&mut duo.b, &mut duo.a) };
            for packet in packets(from, duo.now) {
                let is_whole = packet[8..12] == weft_sctp::wire::crc(&packet).to_le_bytes();
                assert!(is_whole || packet[8..12] == [0; 4]);
                whole.push((kinds(&packet)[0], is_whole));
                to.handle_input(duo.now, &packet).unwrap();
            }
        }
    }
    let of = |wanted: u8| whole.iter().filter(move |(chunk, _)| *chunk == wanted).map(|(_, whole)| *whole);
    assert!(of(kind::INIT).chain(of(kind::COOKIE_ECHO)).all(|whole| whole));
    assert_eq!(
        (of(kind::INIT).count(), of(kind::COOKIE_ECHO).count(), of(kind::COOKIE_ACK).next()),
        (1, 1, Some(false))
    );
    // After the end: an answer to who is not known any more.
    duo.a.abort(duo.now);
    packets(&mut duo.a, duo.now);
    duo.a.handle_input(duo.now, &packet(0x1234, &[(kind::SHUTDOWN_ACK, 0, &[])])).unwrap();
    let answer = packets(&mut duo.a, duo.now).remove(0);
    assert_eq!((kinds(&answer), answer[8..12] == [0; 4]), (vec![kind::SHUTDOWN_COMPLETE], false));
}

/// For data channels an INIT ACK names zero checksums only to a peer that named them: Pion 3.1 refuses an INIT or INIT ACK
/// with a parameter that it does not know, whatever the action bits say.
#[test]
fn a_peer_that_knows_no_zero_checksums_is_not_told_of_them() {
    let named = [0xC0, 0, 0, 4, 0x80, 1, 0, 8, 0, 0, 0, 1];
    for (params, expected) in [(&named[..4], false), (&named[..], true)] {
        let mut it = weft_sctp::Association::new(Config::rtc(), weft_core::Rng::from_test_seed(1));
        let now = weft_core::Instant::from_millis(5);
        it.handle_input(now, &packet(0, &[(kind::INIT, 0, &init_value(OUR_TAG, 1, params))])).unwrap();
        let answer = packets(&mut it, now).remove(0);
        let ack = weft_sctp::wire::Init::parse(chunks(&answer)[0].value).unwrap();
        assert_eq!(ack.extensions().zero_checksum, expected);
    }
}

/// Fragments: cut to the packet, put together in any order.
#[test]
fn fragments_in_any_order() {
    //= rfc9260#6.9
    //# An endpoint MUST recognize fragmented DATA chunks by examining the B/ E bits in each of the received DATA chunks and queue the fragmented DATA chunks for reassembly.
    let mut rng = weft_core::Rng::from_test_seed(3);
    for round in 0..50 {
        let mut victim = Victim::new(Config::rtc());
        let whole = payload(round, 40);
        let mut order: Vec<u32> = (0..20).collect();
        for i in (1..order.len()).rev() {
            order.swap(i, rng.below(i as u64 + 1) as usize);
        }
        for n in order {
            let flags = if n % 10 == 0 { 2 } else { 0 } | u8::from(n % 10 == 9);
            let at = n as usize * 2;
            let value = data_value(1000 + n, 0, (n / 10) as u16, 53, &whole[at..at + 2]);
            victim.input(&[(kind::DATA, flags, &value)]).unwrap();
        }
        assert_eq!(victim.it.receive().unwrap().payload, whole[..20]);
        assert_eq!(victim.it.receive().unwrap().payload, whole[20..]);
        assert_eq!(victim.it.stats().a_rwnd, 5 << 20);
    }
}
