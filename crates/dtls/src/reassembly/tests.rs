//! The GnuTLS, pion and OpenSSL rows of past fragment bugs, and reassembly by chance.

#[cfg(test)]
use weft_core::Rng;

use super::*;

fn fragment(message_type: HandshakeType, seq: u16, length: usize, offset: usize, body: &[u8]) -> Fragment<'_> {
    Fragment { message_type, length, message_seq: seq, offset, body }
}

fn reassembly() -> Reassembly {
    Reassembly::new(&Limits::default())
}

const FINISHED: HandshakeType = HandshakeType::FINISHED;
const CERTIFICATE: HandshakeType = HandshakeType::CERTIFICATE;

//= rfc6347#4.2.3
//# When a DTLS implementation receives a handshake message fragment, it MUST buffer it until it has the entire
//# handshake message.
//= rfc6347#4.2.3
//# DTLS implementations MUST be able to handle overlapping fragment ranges.
//= rfc9147#5.5
//# DTLS implementations MUST be able to handle overlapping fragment ranges.
#[test]
fn any_order_duplicated_overlapping() {
    for seed in 0..200 {
        let mut rng = Rng::from_test_seed(seed);
        let mut body = vec![0; 1 + rng.below(700) as usize];
        rng.fill(&mut body);
        let (mut reassembly, mut counters) = (reassembly(), Counters::default());
        let mut got = None;
        for _ in 0..100_000 {
            let offset = rng.below(body.len() as u64) as usize;
            let end = (offset + 1 + rng.below(60) as usize).min(body.len());
            let piece = fragment(CERTIFICATE, 0, body.len(), offset, &body[offset..end]);
            reassembly.insert(&piece, 0, &mut counters);
            got = reassembly.take();
            if got.is_some() {
                break;
            }
        }
        assert_eq!(got.map(|m| m.body), Some(body), "seed {seed}");
        assert_eq!(reassembly.bytes(), 0);
    }
}

//= rfc6347#4.2.2
//# If the sequence number is less than next_receive_seq, the message MUST be discarded.
//= rfc6347#4.2.2
//# If the sequence number is greater than next_receive_seq, the implementation SHOULD queue the message but MAY discard
//# it.
#[test]
fn messages_come_out_in_order() {
    let (mut reassembly, mut counters) = (reassembly(), Counters::default());
    for seq in [2, 0, 1] {
        reassembly.insert(&fragment(FINISHED, seq, 1, 0, &[seq as u8]), 0, &mut counters);
    }
    for seq in 0..3_u16 {
        let message = reassembly.take().unwrap();
        assert_eq!((message.message_seq, message.body), (seq, vec![seq as u8]));
        reassembly.advance();
    }
    assert_eq!(reassembly.insert(&fragment(FINISHED, 1, 1, 0, &[1]), 0, &mut counters), Taken::Old(1));
}

#[test]
fn gnutls_1839_same_type_different_seq_and_length() {
    let (mut reassembly, mut counters) = (reassembly(), Counters::default());
    reassembly.insert(&fragment(CERTIFICATE, 0, 10, 0, &[1; 5]), 0, &mut counters);
    reassembly.insert(&fragment(CERTIFICATE, 1, 3000, 2900, &[2; 100]), 0, &mut counters);
    reassembly.insert(&fragment(CERTIFICATE, 0, 3000, 5, &[3; 100]), 0, &mut counters);
    assert_eq!(counters.bad_fragments, 1);
    reassembly.insert(&fragment(CERTIFICATE, 0, 10, 5, &[1; 5]), 0, &mut counters);
    assert_eq!(reassembly.take().unwrap().body, [1; 10]);
}

#[test]
fn cve_2022_29189_pion_fragment_flood_is_bounded() {
    let limits = Limits::default();
    let (mut reassembly, mut counters) = (reassembly(), Counters::default());
    let piece = [0; 1000];
    let mut rng = Rng::from_test_seed(1);
    for _ in 0..200_000 {
        let length = 1001 + rng.below(0xFF_FFFF - 1001) as usize;
        let length = if rng.chance(0.5) { 1001 + length % 65_000 } else { length };
        let seq = rng.below(65_536) as u16 % if rng.chance(0.5) { 10 } else { 65_535 };
        reassembly.insert(&fragment(CERTIFICATE, seq, length, 0, &piece), 0, &mut counters);
        assert!(reassembly.bytes() <= limits.reassembly_bytes);
        assert!(reassembly.slots.len() <= usize::from(limits.reassembly_messages));
    }
}

#[test]
fn later_messages_never_keep_out_the_next_one() {
    let (mut reassembly, mut counters) = (reassembly(), Counters::default());
    for seq in 1..8 {
        reassembly.insert(&fragment(CERTIFICATE, seq, 9000, 0, &[0; 100]), 0, &mut counters);
    }
    reassembly.insert(&fragment(CERTIFICATE, 0, 60_000, 0, &vec![7; 60_000]), 0, &mut counters);
    assert_eq!(reassembly.take().map(|m| m.body.len()), Some(60_000));
}

#[test]
fn cve_2022_29190_pion_zero_length_fragments() {
    let (mut reassembly, mut counters) = (reassembly(), Counters::default());
    for _ in 0..1000 {
        reassembly.insert(&fragment(CERTIFICATE, 0, 100, 0, &[]), 0, &mut counters);
        assert!(reassembly.take().is_none());
    }
    assert_eq!((counters.bad_fragments, reassembly.bytes()), (1000, 0));
    reassembly.insert(&fragment(HandshakeType::SERVER_HELLO_DONE, 0, 0, 0, &[]), 0, &mut counters);
    assert_eq!(reassembly.take().map(|m| m.body), Some(Vec::new()));
}

#[test]
fn a_forged_fragment_holds_a_place_only_until_the_next_timeout() {
    let (mut reassembly, mut counters) = (reassembly(), Counters::default());
    reassembly.insert(&fragment(CERTIFICATE, 0, 99, 0, &[9; 50]), 0, &mut counters);
    let genuine = fragment(CERTIFICATE, 0, 10, 0, &[1; 10]);
    reassembly.insert(&genuine, 0, &mut counters);
    assert!(reassembly.take().is_none());
    reassembly.drop_contradicted();
    reassembly.insert(&genuine, 0, &mut counters);
    assert!(reassembly.take().is_some());
}

#[test]
fn what_is_protected_displaces_what_is_not() {
    let (mut reassembly, mut counters) = (reassembly(), Counters::default());
    reassembly.insert(&fragment(FINISHED, 0, 12, 0, &[9; 12]), 0, &mut counters);
    reassembly.insert(&fragment(FINISHED, 0, 12, 0, &[1; 12]), 1, &mut counters);
    let message = reassembly.take().unwrap();
    assert_eq!((message.epoch, message.body), (1, vec![1; 12]));
}
