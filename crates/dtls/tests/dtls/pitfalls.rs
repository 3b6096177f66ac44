//! What has broken in other stacks before, each named after where it did.

use std::time::Duration;

use weft_core::{Instant, Rng, Spent, Wrap};
use weft_dtls::wire::{ContentType, Fragment, HandshakeType, ProtocolVersion, RECORD_HEADER, RecordHeader};

use crate::link::Pair;

/// A record as anybody can write it.
pub(crate) fn plaintext(content_type: ContentType, epoch: u16, sequence_number: u64, content: &[u8]) -> Vec<u8> {
    let version = ProtocolVersion::DTLS_1_2;
    let length = content.len() as u16;
    let mut record = RecordHeader { content_type, version, epoch, sequence_number, length }.to_bytes().to_vec();
    record.extend_from_slice(content);
    record
}

fn handshake(fragment: Fragment<'_>) -> Vec<u8> {
    let mut content = fragment.header().to_vec();
    content.extend_from_slice(fragment.body);
    plaintext(ContentType::HANDSHAKE, 0, 0, &content)
}

//= rfc5246#6.1
//# These current states MUST be updated for each record processed.
//= rfc5246#6.1
//# The sequence number MUST be set to zero whenever a connection state is made the active state.
//= rfc5246#6.1
//# A sequence number is incremented after each record: specifically, the first record transmitted under a particular
//# connection state MUST use sequence number 0.
/// pion/dtls: random explicit nonces repeated by the birthday bound. Ours are epoch and sequence number, always.
#[test]
fn cve_2026_26014_nonces_never_repeat() {
    let mut pair = Pair::connected(1);
    for end in 0..2 {
        let mut last = None;
        for _ in 0..1 << 20 {
            let mut buffer = [0; 64];
            let room = pair.ends[end].overhead().unwrap();
            let mut frame = weft_core::Frame::new(&mut buffer, room);
            frame.push(b"0123456789").unwrap();
            pair.ends[end].wrap(&mut frame).unwrap();
            let header = RecordHeader::parse(frame.content()).unwrap();
            // The Finished was record 0 of this epoch.
            let expected = last.map_or(1, |last: u64| (last & 0xFFFF_FFFF_FFFF) + 1);
            assert_eq!((header.epoch, header.sequence_number), (1, expected));
            let nonce = u64::from_be_bytes(frame.content()[RECORD_HEADER..RECORD_HEADER + 8].try_into().unwrap());
            assert_eq!(nonce, header.epoch_and_sequence());
            assert!(last.is_none_or(|last| nonce == last + 1), "nonce {nonce:#x} after {last:x?}");
            last = Some(nonce);
        }
    }
}

#[test]
fn cve_2019_20786_plaintext_application_data_is_dropped() {
    let forged = plaintext(ContentType::APPLICATION_DATA, 0, 77, b"forged");
    let mut pair = Pair::plain(2);
    pair.inject(1, &forged);
    pair.connect(Duration::from_secs(5));
    for end in 0..2 {
        pair.inject(end, &forged);
        assert_eq!(pair.received[end], Vec::<Vec<u8>>::new());
    }
    assert_eq!(pair.ends[0].counters().plaintext_application_data, 1);
    assert_eq!(pair.ends[1].counters().plaintext_application_data, 2);
}

#[test]
fn cve_2022_29190_zero_length_everything() {
    let empty_records = [20, 21, 22, 23, 24, 99].map(|t| plaintext(ContentType(t), 0, 5, &[])).concat();
    let empty_fragment = |message_type, length, message_seq| {
        handshake(Fragment { message_type, length, message_seq, offset: 0, body: &[] })
    };
    let mut pair = Pair::plain(3);
    for round in 0..50 {
        for to in 0..2 {
            pair.inject(to, &[]);
            pair.inject(to, &empty_records);
            for seq in 0..10 {
                pair.inject(to, &empty_fragment(HandshakeType(round), 0, seq));
                pair.inject(to, &empty_fragment(HandshakeType::CLIENT_HELLO, 500, seq));
            }
        }
    }
    pair.connect(Duration::from_secs(20));
    assert!(pair.both_connected(), "{:?} {:?}", pair.errors, pair.ends[1].counters());
}

//= rfc6347#4.1.2.6
//# If the MAC validation fails, the receiver MUST discard the received record as invalid.
/// OpenSSL: a forged record with a sequence number far ahead moved the window, and true records were taken for old.
#[test]
fn cve_2016_2181_forged_records_do_not_move_the_window() {
    let mut pair = Pair::plain(4);
    for to in 0..2 {
        pair.inject(to, &plaintext(ContentType::HANDSHAKE, 0, (1 << 48) - 1, b"junk"));
    }
    pair.connect(Duration::from_secs(5));
    assert!(pair.both_connected());
    for to in 0..2 {
        for sequence in [1 << 20, (1 << 48) - 1] {
            pair.inject(to, &plaintext(ContentType::APPLICATION_DATA, 1, sequence, &[0; 64]));
        }
        assert_eq!(pair.ends[to].counters().forged_records, 2);
        let genuine = pair.seal(1 - to, b"genuine");
        pair.inject(to, &genuine);
        assert_eq!(pair.received[to], [b"genuine".to_vec()]);
    }
}

//= rfc6347#4.1.2.6
//# For each received record, the receiver MUST verify that the record contains a sequence number that does not duplicate
//# the sequence number of any other record received during the life of this session.
//= rfc6347#4.1.2.6
//# A minimum window size of 32 MUST be supported, but a window size of 64 is preferred and SHOULD be employed as the
//# default.
#[test]
fn replayed_records_are_dropped_and_reordered_ones_are_not() {
    let mut pair = Pair::connected(5);
    let mut sealed: Vec<Vec<u8>> = (0..500_u16).map(|n| pair.seal(0, &n.to_be_bytes())).collect();
    let mut rng = Rng::from_test_seed(5);
    for n in (1..sealed.len()).rev() {
        sealed.swap(n, rng.below(n as u64 + 1) as usize);
    }
    for datagram in sealed.iter().chain(&sealed) {
        pair.inject(1, datagram);
    }
    assert_eq!(pair.received[1].len(), 500);
    assert_eq!(pair.ends[1].counters().replayed_records, 500);
}

/// Enable Security 2024: a ClientHello from elsewhere killed sessions of Asterisk, FreeSWITCH and RTPEngine.
#[test]
fn cve_2023_49786_a_second_client_hello_changes_nothing() {
    let mut other = Pair::plain(99);
    other.ends[0].start(Instant::ORIGIN);
    let foreign = other.take(0).remove(0);
    let mut pair = Pair::plain(6);
    pair.ends[0].start(pair.now);
    for hello in pair.take(0) {
        pair.inject(1, &hello);
    }
    pair.inject(1, &foreign);
    pair.inject(0, &foreign);
    pair.connect(Duration::from_secs(5));
    assert!(pair.both_connected(), "{:?}", pair.errors);
    pair.inject(1, &foreign);
    pair.inject(0, &foreign);
    pair.send_data(0, b"still there");
    pair.run_for(Duration::from_secs(1));
    assert_eq!((pair.received[1].len(), pair.errors), (1, [None; 2]));
}

/// A peer or a duplicating network that repeats its flight cannot make us send without measure.
#[test]
fn repeated_flights_are_answered_at_a_bounded_rate() {
    let mut pair = Pair::plain(7);
    pair.ends[0].start(pair.now);
    let hello = pair.take(0).remove(0);
    pair.inject(1, &hello);
    let first: usize = pair.take(1).len();
    for _ in 0..1000 {
        pair.inject(1, &hello);
        assert!(pair.take(1).is_empty());
    }
    pair.now += Duration::from_millis(300);
    pair.inject(1, &hello);
    assert_eq!(pair.take(1).len(), first);
}

/// str0m#709, #530: junk of any length, at any moment, to either side.
#[test]
fn junk_of_every_length_is_counted_and_dropped() {
    let mut rng = Rng::from_test_seed(8);
    let mut pair = Pair::plain(8);
    let junk = |pair: &mut Pair, rng: &mut Rng| {
        for length in 0..80 {
            for first in [0, 20, 21, 22, 23, 25, 0x2F, 0x3F, 64, 255] {
                let mut datagram = vec![0; length];
                rng.fill(&mut datagram);
                if let Some(byte) = datagram.first_mut() {
                    *byte = first;
                }
                for to in 0..2 {
                    pair.inject(to, &datagram);
                }
            }
        }
    };
    junk(&mut pair, &mut rng);
    pair.ends[0].start(pair.now);
    for turn in 0..6 {
        junk(&mut pair, &mut rng);
        for datagram in pair.take(turn % 2) {
            pair.inject(1 - turn % 2, &datagram);
        }
    }
    assert!(pair.both_connected(), "{:?}", pair.errors);
    junk(&mut pair, &mut rng);
    assert_eq!((pair.errors, pair.received.concat().len()), ([None; 2], 0));
}

//= rfc6347#4.1.2.7
//# In general, invalid records SHOULD be silently discarded, thus preserving the association; however, an error MAY be
//# logged for diagnostic purposes.
//= rfc6347#5
//# Unlike TLS implementations, DTLS implementations SHOULD NOT respond to invalid records by terminating the connection.
/// Every bit of a sealed record is covered.
#[test]
fn a_flipped_bit_anywhere_is_dropped() {
    let mut pair = Pair::connected(9);
    let sealed = pair.seal(0, b"payload");
    for bit in 0..sealed.len() * 8 {
        let mut forged = sealed.clone();
        forged[bit / 8] ^= 1 << (bit % 8);
        pair.inject(1, &forged);
        assert_eq!((pair.received[1].len(), pair.errors[1]), (0, None), "bit {bit}");
    }
    for length in 0..sealed.len() {
        pair.inject(1, &sealed[..length]);
    }
    pair.inject(1, &sealed);
    assert_eq!(pair.received[1], [b"payload".to_vec()]);
}

/// A handshake datagram damaged on the way never panics and never connects strangers.
#[test]
fn corrupted_handshakes_end_well_or_not_at_all() {
    let mut connected = 0;
    for seed in 0..200 {
        let mut pair = Pair::plain(seed);
        let mut rng = Rng::from_test_seed(seed ^ 0x00C0_FFEE);
        pair.filter = Box::new(move |_, datagram| {
            if rng.chance(0.1) {
                let at = rng.below(datagram.len() as u64) as usize;
                datagram[at] ^= 1 << rng.below(8);
            }
            true
        });
        pair.connect(Duration::from_secs(60));
        if pair.both_connected() {
            connected += 1;
            let material = [0, 1].map(|end| {
                let mut out = [0; 32];
                pair.ends[end].export_keying_material("test", None, &mut out).unwrap();
                out
            });
            assert_eq!(material[0], material[1], "seed {seed}");
        }
    }
    assert!(connected > 100, "only {connected} of 200");
}

//= rfc5246#7.3
//# Application data MUST NOT be sent prior to the completion of the first handshake (before a cipher suite other than
//# TLS_NULL_WITH_NULL_NULL is established).
/// Too little room in the frame is told, not written over.
#[test]
fn frames_without_room_are_refused() {
    let mut pair = Pair::connected(10);
    let mut buffer = [0; 40];
    let mut frame = weft_core::Frame::new(&mut buffer, weft_core::Overhead::NONE);
    frame.push(b"data").unwrap();
    assert_eq!(pair.ends[0].wrap(&mut frame), Err(Spent::NoRoom));
    assert_eq!(frame.content(), b"data");
    let mut unconnected = Pair::plain(11);
    assert_eq!(unconnected.ends[0].overhead(), None);
    assert_eq!(unconnected.ends[0].wrap(&mut frame), Err(Spent::NoKeys));
}

/// Handshake messages longer than the limit are never put together, whatever they claim.
#[test]
fn cve_2014_0195_fragments_that_contradict_their_length() {
    let mut pair = Pair::plain(12);
    let mut lying = handshake(Fragment {
        message_type: HandshakeType::CLIENT_HELLO,
        length: 200,
        message_seq: 0,
        offset: 0,
        body: &[0; 100],
    });
    // fragment_offset + fragment_length beyond length.
    lying[RECORD_HEADER + 8] = 150;
    pair.inject(1, &lying);
    assert_eq!(pair.ends[1].counters().bad_fragments, 1);
    // Nor does a server that waits for a hello keep anything of the messages after it.
    for length in [150, 200_000] {
        let body = &[0; 50];
        let message_type = HandshakeType::CLIENT_HELLO;
        pair.inject(1, &handshake(Fragment { message_type, length, message_seq: 1, offset: 10, body }));
    }
    assert_eq!((pair.ends[1].counters().bad_fragments, pair.ends[1].memory().reassembly), (3, 0));
    // A fragment of a first hello that contradicts the one before takes its place, until the true one comes.
    for length in [150, 160, 200_000] {
        let body = &[0; 50];
        let message_type = HandshakeType::CLIENT_HELLO;
        pair.inject(1, &handshake(Fragment { message_type, length, message_seq: 0, offset: 10, body }));
    }
    pair.connect(Duration::from_secs(5));
    assert!(pair.both_connected());
}

/// OpenSSL: a HelloRequest in the middle of a handshake was handled by recursion, without end.
#[test]
fn cve_2014_0221_hello_requests_without_end() {
    let request = |message_seq| {
        let message_type = HandshakeType::HELLO_REQUEST;
        handshake(Fragment { message_type, length: 0, message_seq, offset: 0, body: &[] })
    };
    let mut pair = Pair::plain(13);
    pair.ends[0].start(pair.now);
    for n in 0..100_000_u32 {
        pair.inject(0, &request((n % 12) as u16));
    }
    let many = request(0).repeat(60);
    for _ in 0..1000 {
        pair.inject(0, &many);
    }
    pair.connect(Duration::from_secs(20));
    assert!(pair.both_connected(), "{:?}", pair.errors);
    pair.inject(0, &many);
    assert_eq!(pair.errors, [None; 2]);
}

/// OpenSSL: messages that were put aside for later were kept for as long as the connection lived, and those of an older
/// epoch with them. Here a gigabyte of claims leaves no more than the limits allow, and the handshake goes on.
#[test]
fn cve_2016_2179_messages_put_aside_are_bounded_and_dropped_in_the_end() {
    for version in [ProtocolVersion::DTLS_1_2, ProtocolVersion::DTLS_1_3] {
        let [client, server] = [weft_dtls::Role::Client, weft_dtls::Role::Server].map(|role| {
            let mut config = crate::link::config_any(role);
            config.versions = vec![version];
            config
        });
        let mut pair = Pair::new(client, server, crate::link::PERFECT, 14);
        pair.ends[0].start(pair.now);
        let limit = 64 * 1024;
        let mut claimed = 0_usize;
        for n in 0..20_000_usize {
            // Messages of every number, each claiming as much as may be; a record's worth of it comes.
            let body = &[0xAA; 1000];
            let message_seq = (n % 10) as u16;
            let length = limit - n % 1000;
            claimed += length;
            let forged =
                Fragment { message_type: HandshakeType::CERTIFICATE, length, message_seq, offset: n % 60_000, body };
            for to in 0..2 {
                pair.inject(to, &handshake(forged));
                assert!(pair.ends[to].memory().reassembly <= limit, "{:?}", pair.ends[to].memory());
            }
        }
        assert!(claimed > 1 << 30);
        pair.connect(Duration::from_secs(60));
        pair.run_for(Duration::from_secs(5));
        assert!(pair.both_connected(), "{version} {:?} {:?}", pair.errors, pair.ends[0].counters());
        for end in &pair.ends {
            let memory = end.memory();
            assert_eq!((memory.reassembly, memory.early), (0, 0));
        }
    }
}

/// OpenSSL leaked what was left of each of many small fragments. Early records are bounded by number and by bytes.
#[test]
fn cve_2014_3506_records_ahead_of_their_keys_are_bounded() {
    let mut pair = Pair::plain(15);
    pair.ends[0].start(pair.now);
    let mut rng = Rng::from_test_seed(15);
    for sequence in 0..50_000 {
        let ahead = plaintext(ContentType::HANDSHAKE, 1, sequence, &vec![1; rng.below(1200) as usize]);
        for to in 0..2 {
            pair.inject(to, &ahead);
            assert!(pair.ends[to].memory().early <= 32 * 1024);
        }
    }
    for end in &pair.ends {
        assert!(end.counters().early_records_kept <= 32 && end.counters().early_records_dropped > 49_000);
    }
    pair.connect(Duration::from_secs(20));
    assert!(pair.both_connected(), "{:?}", pair.errors);
    assert!(pair.ends.iter().all(|end| end.memory().early == 0));
}

/// wolfSSL and Californium: in the listener's tests, `cve_2022_34293_...` and `cve_2022_39368_...`. A server behind ICE
/// answers a flood of hellos of one client at most once a quarter of its timeout.
#[test]
fn cve_2022_2576_a_flight_is_not_sent_for_every_hello() {
    let mut pair = Pair::plain(16);
    pair.ends[0].start(pair.now);
    let hello = pair.take(0).remove(0);
    let (mut bytes_in, mut bytes_out) = (0, 0);
    for _ in 0..10_000 {
        pair.now += Duration::from_millis(1);
        bytes_in += hello.len();
        pair.inject(1, &hello);
        bytes_out += pair.take(1).iter().map(Vec::len).sum::<usize>();
    }
    assert!(bytes_out * 10 < bytes_in, "{bytes_out} bytes out for {bytes_in} in");
}

/// GnuTLS#1839: fragments of one type but of different messages and lengths, merged as if they were one.
#[test]
fn gnutls_1839_fragments_are_told_apart_by_number_not_by_type() {
    let mut pair = Pair::plain(17);
    let mut rng = Rng::from_test_seed(17);
    pair.ends[0].start(pair.now);
    for _ in 0..20_000 {
        let length = 1 + rng.below(3000) as usize;
        let offset = rng.below(length as u64) as usize;
        let body = vec![0x55; (length - offset).min(rng.below(400) as usize)];
        let message_seq = 1 + rng.below(9) as u16;
        let forged = Fragment { message_type: HandshakeType::CERTIFICATE, length, message_seq, offset, body: &body };
        pair.inject(0, &handshake(forged));
        pair.inject(1, &handshake(forged));
    }
    pair.connect(Duration::from_secs(60));
    assert!(pair.both_connected(), "{:?}", pair.errors);
}
