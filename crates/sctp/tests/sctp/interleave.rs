//! Interleaving (RFC 8260): I-DATA and I-FORWARD-TSN.

use bytes::Bytes;
use weft_core::{Layer, Serial32};
use weft_sctp::wire::{Data, IData, IForwardTsn, Skipped, data, kind};
use weft_sctp::{AssociationError, ChannelInit, Config, Event, MessageKind, Reliability, Scheduler, SendOptions};
use weft_testkit::{LinkConfig, Loss, for_seeds};

use crate::common::{
    Duo, Victim, chunks, data_value, events, kinds, number, open, payload, peers, read_all, sack_value, secs,
};

/// Supported Extensions: FORWARD TSN, RE-CONFIG, I-DATA, I-FORWARD-TSN; and Forward-TSN-Supported.
const PARAMS: [u8; 12] = [0xC0, 0, 0, 4, 0x80, 8, 0, 8, 0xC0, 0x82, 0x40, 0xC2];

fn victim(config: &Config) -> Victim {
    Victim::with_params(Config { heartbeat_interval: None, ..config.clone() }, &PARAMS)
}

/// The value of an I-DATA chunk; `shared` is PPID or FSN.
fn i_data(tsn: u32, stream: u16, mid: u32, shared: u32, payload: &[u8]) -> Vec<u8> {
    let mut out = tsn.to_be_bytes().to_vec();
    out.extend(stream.to_be_bytes());
    out.extend([0xFF, 0xFF]); // reserved: ignored
    out.extend(mid.to_be_bytes());
    out.extend(shared.to_be_bytes());
    out.extend(payload);
    out
}

fn skip_value(tsn: u32, skipped: &[(u16, u16, u32)]) -> Vec<u8> {
    let mut out = tsn.to_be_bytes().to_vec();
    for (stream, unordered, mid) in skipped {
        out.extend(stream.to_be_bytes());
        out.extend((unordered | 0x7FF0).to_be_bytes()); // reserved bits: ignored
        out.extend(mid.to_be_bytes());
    }
    out
}

fn received(victim: &mut Victim) -> Vec<(u16, u32, Vec<u8>)> {
    core::iter::from_fn(|| victim.it.receive()).map(|m| (m.stream, m.ppid, m.payload.to_vec())).collect()
}

fn sent(packets: &[Vec<u8>]) -> Vec<IData<'_>> {
    let all = packets.iter().flat_map(|p| chunks(p));
    all.filter(|c| c.kind == kind::I_DATA).map(|c| IData::parse(c.flags, c.value).unwrap()).collect()
}

const B: u8 = data::BEGIN;
const E: u8 = data::END;
const U: u8 = data::UNORDERED;

#[test]
fn both_have_to_offer_it() {
    //= rfc8260#2
    //# An SCTP implementation supporting user message interleaving is REQUIRED to support the coexistence of associations using DATA chunks and associations using I-DATA chunks.
    //= rfc8260#2.2.1
    //# If user message interleaving support has been negotiated for an association, I-DATA chunks MUST be used for all user messages and DATA chunks MUST NOT be used.
    //= rfc8260#2.2.1
    //# If user message interleaving support has not been negotiated for an association, DATA chunks MUST be used for all user messages and I-DATA chunks MUST NOT be used.
    //= rfc8260#2.2.1
    //# The crucial point is that the SCTP stack MUST know that the application can handle interleaved messages before indicating the I-DATA support.
    assert!(!Config::default().interleaving, "only where it is asked for");
    for (ours, theirs) in [(true, true), (true, false), (false, true), (false, false)] {
        let config = |interleaving| Config { interleaving, ..Config::rtc() };
        let mut duo = Duo::with(config(ours), config(theirs));
        duo.a.connect(duo.now);
        duo.settle();
        duo.a.send(duo.now, 0, 53, payload(1, 5000), SendOptions::default()).unwrap();
        let packets = crate::common::packets(&mut duo.a, duo.now);
        let expected = if ours && theirs { kind::I_DATA } else { kind::DATA };
        assert!(packets.iter().flat_map(|p| kinds(p)).all(|k| k == expected), "{ours} {theirs}");
        for packet in packets {
            duo.b.handle_input(duo.now, &packet).unwrap();
        }
        duo.settle();
        assert_eq!(duo.b.receive().unwrap().payload, payload(1, 5000));
    }
}

#[test]
fn the_wrong_kind_of_chunk_ends_the_association() {
    //= rfc8260#2.2.3
    //# If I-DATA support has been negotiated for an association, the reception of a DATA chunk is a violation of the above rules and therefore the receiver of the DATA chunk MUST abort the association by sending an ABORT chunk.
    let mut it = victim(&Config::rtc());
    let result = it.input(&[(kind::DATA, B | E, &data_value(1000, 0, 0, 53, b"x"))]);
    assert!(matches!(result, Err(AssociationError::ProtocolViolation(_))), "{result:?}");
    assert_eq!(kinds(&it.output()[0]), [kind::ABORT]);
    // "The same applies if I-DATA support has not been negotiated"
    for config in [Config::rtc(), Config::default()] {
        let mut it = Victim::new(config);
        let result = it.input(&[(kind::I_DATA, B | E, &i_data(1000, 0, 0, 53, b"x"))]);
        assert!(matches!(result, Err(AssociationError::ProtocolViolation(_))), "{result:?}");
        assert_eq!(kinds(&it.output()[0]), [kind::ABORT]);
    }
    //= rfc8260#2.3.1
    //# If I-FORWARD-TSN support has been negotiated for an association, the reception of a FORWARD-TSN chunk is a violation of the above rules and therefore the receiver of the FORWARD-TSN chunk MUST abort the association by sending an ABORT chunk.
    let mut it = victim(&Config::rtc());
    let result = it.input(&[(kind::FORWARD_TSN, 0, &skip_value(1000, &[]))]);
    assert!(matches!(result, Err(AssociationError::ProtocolViolation(_))), "{result:?}");
    assert_eq!(kinds(&it.output()[0]), [kind::ABORT]);
    let mut it = Victim::new(Config::rtc());
    let result = it.input(&[(kind::I_FORWARD_TSN, 0, &skip_value(1000, &[]))]);
    assert!(matches!(result, Err(AssociationError::ProtocolViolation(_))), "{result:?}");
}

#[test]
fn fragments_find_their_message() {
    //= rfc8260#2.2.3
    //# Upon reception of an SCTP packet containing an I-DATA chunk whose user message needs to be reassembled, the receiver MUST first use the SID to identify the stream, consider the U bit to determine if it is part of an ordered or unordered message, find the user message identified by the MID, and use the FSN for reassembly of the message and not the TSN.
    //= rfc8260#2.2.3
    //# The receiver MUST NOT make any assumption about the TSN assignments of the sender.
    //= rfc8260#2.1
    //# They MUST be set to 0 by the sender and MUST be ignored by the receiver.
    //= rfc8260#2.1
    //# It MUST be set to 0 by the sender and MUST be ignored by the receiver.
    let mut it = victim(&Config::rtc());
    // Three messages at once: ordered and unordered number 0 of stream 7, ordered number 0 of stream 8; TSNs as they come.
    let all = [
        (0xF0 | E, i_data(1000, 7, 0, 2, b"c")),
        (U | B, i_data(1001, 7, 0, 51, b"1")),
        (B, i_data(1002, 8, 0, 52, b"x")),
        (B, i_data(1003, 7, 0, 53, b"a")),
        (U | E, i_data(1004, 7, 0, 1, b"2")),
        (E, i_data(1005, 8, 0, 1, b"y")),
        (0, i_data(1006, 7, 0, 1, b"b")),
    ];
    for (flags, value) in &all {
        it.input(&[(kind::I_DATA, *flags, value)]).unwrap();
    }
    let expected = [(7, 51, b"12".to_vec()), (8, 52, b"xy".to_vec()), (7, 53, b"abc".to_vec())];
    assert_eq!(received(&mut it), expected);
    assert_eq!(it.it.stats().a_rwnd, 5 << 20, "all room is given back");
}

#[test]
fn mids_give_the_order() {
    let mut it = victim(&Config::rtc());
    for (tsn, mid) in [(1000, 2), (1001, 0), (1002, 1)] {
        it.input(&[(kind::I_DATA, B | E, &i_data(tsn, 3, mid, 53, &[mid as u8]))]).unwrap();
    }
    assert_eq!(received(&mut it).into_iter().map(|m| m.2[0]).collect::<Vec<_>>(), [0, 1, 2]);
    // Contradictions come to nothing: a fragment twice, one after the end, an end before what came, number 0 in the middle.
    let bad = [
        (B, 0, 53, 1003, &b"a"[..]),
        (0, 3, 3, 1004, b"zzz"),
        (E, 3, 2, 1005, b"zzz"),
        (0, 3, 0, 1006, b"zzz"),
        (0, 3, 3, 1007, b"twice"),
        (B, 3, 53, 1008, b"twice"),
    ];
    for (flags, _, shared, tsn, payload) in bad {
        it.input(&[(kind::I_DATA, flags, &i_data(tsn, 3, 3, shared, payload))]).unwrap();
    }
    it.input(&[(kind::I_DATA, 0, &i_data(1009, 3, 3, 1, b"b"))]).unwrap();
    it.input(&[(kind::I_DATA, 0, &i_data(1010, 3, 3, 2, b"c"))]).unwrap();
    it.input(&[(kind::I_DATA, E, &i_data(1011, 3, 3, 4, b"d"))]).unwrap();
    it.input(&[(kind::I_DATA, E, &i_data(1012, 3, 3, 9, b"beyond"))]).unwrap();
    assert_eq!(received(&mut it), [(3, 53, b"abczzzd".to_vec())]);
    assert_eq!(it.it.stats().a_rwnd, 5 << 20);
}

#[test]
fn a_sender_numbers_messages_and_fragments() {
    //= rfc8260#2.2.2
    //# The first fragment MUST have the B bit set.
    //= rfc8260#2.2.2
    //# The last fragment MUST have the E bit set.
    //= rfc8260#2.2.2
    //# All other fragments MUST NOT have the B or E bit set.
    //= rfc8260#2.1
    //# The last fragment of a message MUST have the E bit set.
    //= rfc8260#2.2.2
    //# The sender MUST NOT process (move user data into I-DATA chunks and assign a TSN to it) more than one user message in any given stream at any time.
    //= rfc8260#2.2.2
    //# The sender MUST assign TSNs to I-DATA chunks in a way that the receiver can make progress.
    let mut it = victim(&Config::rtc());
    let unordered = SendOptions { ordered: false, ..SendOptions::default() };
    it.it.send(it.now, 1, 51, payload(0, 3000), SendOptions::default()).unwrap();
    it.it.send(it.now, 1, 51, payload(1, 10), unordered).unwrap();
    it.it.send(it.now, 1, 51, payload(2, 10), SendOptions::default()).unwrap();
    it.it.send(it.now, 2, 53, payload(3, 10), unordered).unwrap();
    let packets = it.output();
    let all = sent(&packets);
    let tsns: Vec<u32> = all.iter().map(|c| c.tsn.0.wrapping_sub(it.its_tsn)).collect();
    assert_eq!(tsns, (0..all.len() as u32).collect::<Vec<_>>());
    let of_one: Vec<_> = all.iter().filter(|c| c.stream == 1).collect();
    let seen: Vec<_> = of_one.iter().map(|c| (c.flags & 7, c.mid.0, c.fsn, c.ppid)).collect();
    let expected = [(B, 0, 0, 51), (0, 0, 1, 0), (E, 0, 2, 0), (B | E | U, 0, 0, 51), (B | E, 1, 0, 51)];
    assert_eq!(seen, expected, "one message after the other, each with its count");
    let of_two: Vec<_> = all.iter().filter(|c| c.stream == 2).collect();
    assert_eq!((of_two.len(), of_two[0].mid, of_two[0].flags & 7), (1, Serial32(0), B | E | U));
    let whole: Vec<u8> = of_one.iter().take(3).flat_map(|c| c.payload).copied().collect();
    assert_eq!(whole, payload(0, 3000));
}

/// A small message does not wait for the end of a large one.
#[test]
fn a_small_message_overtakes_a_large_one() {
    for (interleaving, overtakes) in [(true, true), (false, false)] {
        let config = Config { interleaving, ..Config::rtc() };
        let link = LinkConfig { bandwidth: Some(1_000_000), queue: 20_000, ..LinkConfig::with_delay_ms(20) };
        let mut pair = peers(&config, link, 1);
        let (bulk, bulk_b) = open(&mut pair, ChannelInit::new("bulk"));
        let (small, small_b) = open(&mut pair, ChannelInit::new("small"));
        pair.a.layer.send(pair.now(), bulk, MessageKind::Binary, payload(0, 250_000)).unwrap();
        pair.run_for(crate::common::millis(300));
        pair.a.layer.send(pair.now(), small, MessageKind::Binary, payload(1, 100)).unwrap();
        pair.run_until(secs(60), |pair| !read_all(&mut pair.b.layer, small_b).is_empty()).unwrap();
        assert_eq!(read_all(&mut pair.b.layer, bulk_b).is_empty(), overtakes);
        pair.run_for(secs(30));
    }
}

#[test]
fn everything_arrives_interleaved_over_bad_links() {
    for_seeds("everything_arrives_interleaved_over_bad_links", 400, |seed| {
        let mut rng = weft_core::Rng::from_test_seed(seed);
        let link = LinkConfig::random(&mut rng, false);
        let mut pair = peers(&Config { zero_checksum: false, ..Config::rtc() }, link, seed);
        let pairs: Vec<_> = (0..4)
            .map(|n| open(&mut pair, ChannelInit { ordered: n % 2 == 0, priority: 64 << n, ..ChannelInit::default() }))
            .collect();
        for n in 0..20_u32 {
            for (a, _) in &pairs {
                let len = [5, 900, 40_000, 1][n as usize % 4] + rng.below(2000) as usize;
                pair.a.layer.send(pair.now(), *a, MessageKind::Binary, payload(n, len.max(4))).unwrap();
            }
        }
        let mut got: Vec<Vec<u32>> = vec![Vec::new(); 4];
        pair.run_until(secs(600), |pair| {
            for (n, (_, b)) in pairs.iter().enumerate() {
                for message in read_all(&mut pair.b.layer, *b) {
                    let id = number(&message.data);
                    assert_eq!(message.data, payload(id, message.data.len()));
                    got[n].push(id);
                }
            }
            got.iter().all(|g| g.len() == 20)
        })
        .unwrap();
        for (n, mut ids) in got.into_iter().enumerate() {
            if n % 2 == 1 {
                ids.sort_unstable();
            }
            assert_eq!(ids, (0..20).collect::<Vec<_>>());
        }
    });
}

#[test]
fn what_was_given_up_is_skipped_by_mid() {
    //= rfc8260#2.3.1
    //# When the SCTP extension defined in [RFC3758] is used in combination with the user message interleaving extension, the new I-FORWARD-TSN chunk MUST be used instead of the FORWARD-TSN chunk.
    //= rfc8260#2.3.1
    //# The I-FORWARD-TSN chunk MUST be used in combination with the I-DATA chunk and MUST NOT be used in combination with the DATA chunk.
    //= rfc8260#2.3.1
    //# The FORWARD-TSN chunk MUST be used in combination with the DATA chunk and MUST NOT be used in combination with the I-DATA chunk.
    //= rfc8260#2
    //# If an SCTP implementation supports user message interleaving and the Partial Reliability extension described in [RFC3758] or the Stream Reconfiguration Extension described in [RFC6525], it is REQUIRED to implement the corresponding changes specified in Section 2.3.
    //= rfc8260#2.3.1
    //# They MUST be set to 0 by the sender and MUST be ignored by the receiver.
    let mut it = victim(&Config::rtc());
    let once = |ordered| SendOptions { ordered, reliability: Reliability::MaxRetransmits(0), ..SendOptions::default() };
    it.it.send(it.now, 1, 51, payload(0, 10), SendOptions::default()).unwrap();
    it.it.send(it.now, 2, 51, payload(1, 1500), once(true)).unwrap();
    it.it.send(it.now, 3, 51, payload(2, 1500), once(false)).unwrap();
    let first = it.output();
    assert_eq!(sent(&first).len(), 5);
    // Only the reliable one arrived.
    it.input(&[(kind::SACK, 0, &sack_value(it.its_tsn, 1 << 20, &[]))]).unwrap();
    it.now = it.it.poll_timeout().unwrap();
    let mut packets = Vec::new();
    for _ in 0..20 {
        it.it.handle_timeout(it.now).unwrap();
        packets = it.output();
        if packets.iter().flat_map(|p| kinds(p)).any(|k| k == kind::I_FORWARD_TSN) {
            break;
        }
        it.now = it.it.poll_timeout().unwrap();
    }
    assert!(sent(&packets).is_empty());
    let all: Vec<_> = packets.iter().flat_map(|p| chunks(p)).collect();
    let forward = all.iter().find(|c| c.kind == kind::I_FORWARD_TSN).unwrap();
    let flags = forward.flags;
    let forward = IForwardTsn::parse(forward.value).unwrap();
    let mut skipped: Vec<_> = forward.skipped().collect();
    skipped.sort_unstable_by_key(|s| s.stream);
    assert_eq!((flags, forward.new_cumulative_tsn.0), (0, it.its_tsn.wrapping_add(4)));
    let skip = |stream, unordered| Skipped { stream, unordered, mid: Serial32(0) };
    assert_eq!(skipped, [skip(2, false), skip(3, true)]);
}

#[test]
fn a_receiver_forgets_what_is_skipped() {
    //= rfc8260#2.3.1
    //# It MUST be set to 0 by the sender and MUST be ignored by the receiver.
    let mut it = victim(&Config::rtc());
    // Stream 1: ordered 0 lacks its end, 1 waits. Stream 2: unordered 0 lacks its end, 1 its beginning.
    it.input(&[(kind::I_DATA, B, &i_data(1000, 1, 0, 51, b"half"))]).unwrap();
    it.input(&[(kind::I_DATA, B | E, &i_data(1002, 1, 1, 51, b"waits"))]).unwrap();
    it.input(&[(kind::I_DATA, U | B, &i_data(1003, 2, 0, 51, b"half"))]).unwrap();
    it.input(&[(kind::I_DATA, U | E, &i_data(1006, 2, 1, 1, b"END"))]).unwrap();
    assert!(received(&mut it).is_empty());
    it.input(&[(kind::I_FORWARD_TSN, 0, &skip_value(1004, &[(1, 0, 0), (2, 1, 0)]))]).unwrap();
    assert_eq!(received(&mut it), [(1, 51, b"waits".to_vec())]);
    // A late fragment of what was skipped begins nothing.
    it.input(&[(kind::I_DATA, U | E, &i_data(1007, 2, 0, 1, b"late"))]).unwrap();
    it.input(&[(kind::I_DATA, E, &i_data(1008, 1, 0, 1, b"late"))]).unwrap();
    it.input(&[(kind::I_DATA, U | B, &i_data(1005, 2, 1, 51, b"BEGIN"))]).unwrap();
    assert_eq!(received(&mut it), [(2, 51, b"BEGINEND".to_vec())]);
    assert_eq!(it.it.stats().a_rwnd, 5 << 20, "nothing is left behind");
}

/// Message Identifiers go round (RFC 8260 section 2.1): what the peer gave up takes them there quickly.
#[test]
fn message_identifiers_wrap() {
    let mut it = victim(&Config::rtc());
    let mut tsn = 999;
    for mid in [0x7FFF_FFFE, 0xFFFF_FFFC, 0xFFFF_FFFE] {
        tsn += 1;
        it.input(&[(kind::I_FORWARD_TSN, 0, &skip_value(tsn, &[(1, 0, mid), (1, 1, mid)]))]).unwrap();
    }
    // Ordered ones come in the wrong order, on both sides of the end of numbers.
    for mid in [1, 0, 0xFFFF_FFFF_u32] {
        tsn += 1;
        it.input(&[(kind::I_DATA, B | E, &i_data(tsn, 1, mid, mid, b"m"))]).unwrap();
    }
    let order: Vec<u32> = received(&mut it).iter().map(|(_, ppid, _)| *ppid).collect();
    assert_eq!(order, [0xFFFF_FFFF, 0, 1]);
    // A message in fragments, too, and one without order; one of before is late.
    it.input(&[(kind::I_DATA, B, &i_data(tsn + 1, 1, 2, 53, b"be"))]).unwrap();
    it.input(&[(kind::I_DATA, U | E, &i_data(tsn + 2, 1, 0xFFFF_FFFE, 1, b"late"))]).unwrap();
    it.input(&[(kind::I_DATA, U | B, &i_data(tsn + 3, 1, 0, 51, b"a"))]).unwrap();
    it.input(&[(kind::I_DATA, U | E, &i_data(tsn + 4, 1, 0, 1, b"b"))]).unwrap();
    it.input(&[(kind::I_DATA, E, &i_data(tsn + 5, 1, 2, 1, b"end"))]).unwrap();
    assert_eq!(received(&mut it), [(1, 51, b"ab".to_vec()), (1, 53, b"beend".to_vec())]);
}

#[test]
fn counts_start_again_after_a_reset() {
    //= rfc8260#2.3.2
    //# When an association resets the SSN using the SCTP extension defined in [RFC6525], the two counters (one for the ordered messages, one for the unordered messages) used for the MIDs MUST be reset to 0.
    let mut duo = Duo::connected(&Config { interleaving: true, ..Config::rtc() });
    let unordered = SendOptions { ordered: false, ..SendOptions::default() };
    for _ in 0..3 {
        duo.a.send(duo.now, 4, 51, Bytes::from_static(b"x"), SendOptions::default()).unwrap();
        duo.a.send(duo.now, 4, 51, Bytes::from_static(b"x"), unordered).unwrap();
    }
    duo.run(secs(1));
    assert_eq!(core::iter::from_fn(|| duo.b.receive()).count(), 6);
    duo.a.reset_streams(duo.now, &[4]);
    duo.run(secs(1));
    assert!(events(&mut duo.a).contains(&Event::OutgoingReset(4, true)));
    assert!(events(&mut duo.b).contains(&Event::IncomingReset(4)));
    duo.a.send(duo.now, 4, 51, Bytes::from_static(b"y"), SendOptions::default()).unwrap();
    duo.a.send(duo.now, 4, 51, Bytes::from_static(b"z"), unordered).unwrap();
    let packets = crate::common::packets(&mut duo.a, duo.now);
    assert!(sent(&packets).iter().all(|c| c.mid == Serial32(0)));
    for packet in &packets {
        duo.b.handle_input(duo.now, packet).unwrap();
    }
    assert_eq!(core::iter::from_fn(|| duo.b.receive()).count(), 2);
}

/// pion/sctp#443, #471, #472: header-only and tiny I-DATA fragments cost nothing and piled up without limit.
#[test]
fn pion_sctp_471_472_i_data_floods_are_bounded() {
    type Next = fn(u32) -> (u8, u16, u32, u32);
    let floods: [(&str, Next); 5] = [
        ("a beginning on every stream", |n| (B, n as u16, n >> 16, 53)),
        ("a beginning for every number", |n| (B, 0, n, 53)),
        ("unordered beginnings", |n| (U | B, 0, n, 53)),
        ("fragments of one message, its first missing", |n| (0, 0, 0, n + 1)),
        ("whole messages whose turn never comes", |n| (B | E, 0, n + 1, 53)),
    ];
    for (name, next) in floods {
        let mut it = victim(&Config { max_receive_entries: 1000, receive_buffer: 1 << 20, ..Config::rtc() });
        let mut result = Ok(());
        let mut taken = 0;
        for n in 0..20_000 {
            let (flags, stream, mid, shared) = next(n);
            result = it.input(&[(kind::I_DATA, flags, &i_data(1000 + n, stream, mid, shared, b"."))]);
            if result.is_err() {
                break;
            }
            taken = it.it.stats().data_chunks_received - it.it.stats().data_chunks_dropped;
        }
        assert!(result.is_err(), "{name}: nothing the application does opens the window: it ends");
        assert!(taken <= 2001, "{name}: {taken} entries");
    }
    // Without any user data at all a chunk ends the association at once.
    let mut it = victim(&Config::rtc());
    assert!(it.input(&[(kind::I_DATA, B, &i_data(1000, 0, 0, 53, b""))]).is_err());
    assert_eq!(kinds(&it.output()[0]), [kind::ABORT]);
}

/// Many large messages at once, together larger than the window: it does not shut on what the application cannot take.
#[test]
fn interleaved_messages_do_not_jam_the_window() {
    let config = Config { receive_buffer: 200_000, max_message_size: 100_000, ..Config::rtc() };
    let link = LinkConfig { loss: Loss::Random(0.02), ..LinkConfig::with_delay_ms(10) };
    let mut pair = peers(&Config { scheduler: Scheduler::RoundRobin, ..config }, link, 3);
    let channels: Vec<_> = (0..4).map(|n| open(&mut pair, ChannelInit::new(n.to_string()))).collect();
    for (a, _) in &channels {
        for n in 0..3 {
            pair.a.layer.send(pair.now(), *a, MessageKind::Binary, payload(n, 75_000)).unwrap();
        }
    }
    let mut got = 0;
    pair.run_until(secs(120), |pair| {
        got += channels.iter().map(|(_, b)| read_all(&mut pair.b.layer, *b).len()).sum::<usize>();
        got == 12
    })
    .unwrap();
}

#[test]
fn windows_hold_for_i_data() {
    //= rfc8260#2.2.2
    //# All other properties of the existing SCTP DATA chunk also apply to the I-DATA chunk, i.e., congestion control as well as receiver window conditions MUST be observed, as defined in [RFC4960].
    let mut it = victim(&Config::rtc());
    for stream in 0..4 {
        it.it.send(it.now, stream, 53, payload(0, 100_000), SendOptions::default()).unwrap();
    }
    let window = it.it.stats().cwnd;
    let packets = it.output();
    let bytes: usize = sent(&packets).iter().map(|c| c.payload.len()).sum();
    assert!(bytes >= window && bytes < window + 1200, "{bytes} in a window of {window}");
    // All of it arrived, and the receiver has room for one more chunk.
    let mut sack = it.its_tsn.wrapping_add(sent(&packets).len() as u32 - 1).to_be_bytes().to_vec();
    sack.extend([0, 0, 0x05, 0xDC, 0, 0, 0, 0]);
    it.input(&[(kind::SACK, 0, &sack)]).unwrap();
    let packets = it.output();
    let bytes: usize = sent(&packets).iter().map(|c| c.payload.len()).sum();
    assert!((1..=1500).contains(&bytes), "{bytes}");
}

#[test]
fn data_chunks_do_not_become_i_data() {
    let mut it = Victim::new(Config::rtc());
    it.it.send(it.now, 1, 51, payload(0, 3000), SendOptions::default()).unwrap();
    let packets = it.output();
    let all: Vec<_> = packets.iter().flat_map(|p| chunks(p)).collect();
    assert!(all.iter().all(|c| c.kind == kind::DATA && Data::parse(c.flags, c.value).unwrap().ppid == 51));
}
