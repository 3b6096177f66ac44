//! Partial reliability (RFC 3758), packet by packet.

use weft_core::{Layer, Serial16};
use weft_sctp::wire::{Data, ForwardTsn, Sack, kind};
use weft_sctp::{Config, Reliability, SendOptions};

use crate::common::{Victim, chunks, data_value, kinds, millis, payload, sack_value};

fn forward_value(tsn: u32, skipped: &[(u16, u16)]) -> Vec<u8> {
    let mut out = tsn.to_be_bytes().to_vec();
    out.extend(skipped.iter().flat_map(|(a, b)| [a.to_be_bytes(), b.to_be_bytes()].concat()));
    out
}

type Out = (Vec<u32>, Vec<(u32, Vec<(u16, Serial16)>)>);

/// TSNs of DATA and what FORWARD TSNs say, of what it sends now.
fn sent(victim: &mut Victim) -> Out {
    let (mut data, mut forwards) = (Vec::new(), Vec::new());
    for packet in victim.output() {
        for chunk in chunks(&packet) {
            match chunk.kind {
                kind::DATA => data.push(Data::parse(chunk.flags, chunk.value).unwrap().tsn.0),
                kind::FORWARD_TSN => {
                    let forward = ForwardTsn::parse(chunk.value).unwrap();
                    forwards.push((forward.new_cumulative_tsn.0, forward.skipped().collect()));
                }
                _ => {}
            }
        }
    }
    (data, forwards)
}

fn timeout(victim: &mut Victim) {
    victim.now = victim.it.poll_timeout().unwrap();
    victim.it.handle_timeout(victim.now).unwrap();
}

fn options(reliability: Reliability, ordered: bool) -> SendOptions {
    SendOptions { reliability, ordered, ..SendOptions::default() }
}

const ONCE: Reliability = Reliability::MaxRetransmits(0);

#[test]
fn a_message_given_up_is_skipped_whole() {
    //= rfc3758#3.5
    //# A3) When a TSN is "abandoned", if it is part of a fragmented message, all other TSN's within that fragmented message MUST be abandoned at the same time.
    //= rfc3758#3.5
    //# C3) If, after step C1 and C2, the "Advanced.Peer.Ack.Point" is greater than the Cumulative TSN ACK carried in the received SACK, the data sender MUST send the data receiver a FORWARD TSN chunk containing the latest value of the "Advanced.Peer.Ack.Point".
    //= rfc3758#3.5
    //# C4) For each "abandoned" TSN, the sender of the FORWARD TSN MUST determine if the chunk has a valid stream and sequence number (i.e., it was ordered).
    //= rfc3758#3.5
    //# If the chunk has a valid stream and sequence number, the sender MUST include the stream and sequence number in the FORWARD TSN.
    //= rfc3758#3.5
    //# C5) If a FORWARD TSN is sent, the sender MUST assure that at least one T3-rtx timer is running.
    //= rfc3758#3.2
    //# This field MUST NOT report TSN's corresponding to DATA chunks that are marked as unordered.
    //= rfc3758#3.2
    //# For ordered DATA chunks this field MUST be filled in.
    //= rfc3758#4.3
    //# (G1) When the sender side implementation gives up on transmitting a message that has been assigned a TSN (i.e., when that message is "abandoned", as defined in Section 3.4), the sender side MUST mark that TSN as eligible for forward TSN, and the rules in Section 3.4 regarding the sending of FORWARD TSN chunks MUST be followed.
    //= rfc3758#3.5
    //# The data sender MUST then perform the following additional steps:
    // It leaves with the timeout that gave the message up, without delay.
    //= rfc3758#3.5
    //# F3) Any delay applied to the sending of FORWARD TSN chunk SHOULD NOT exceed 200ms and MUST NOT exceed 500ms.
    //= rfc3758#3.5
    //# In other words, an implementation MAY lower this value below 500ms but MUST NOT raise it above 500ms.
    let mut victim = Victim::new(Config { heartbeat_interval: None, ..Config::default() });
    let t = |n: u32| victim.its_tsn.wrapping_add(n);
    let (first, last) = (t(0), t(4));
    victim.it.send(victim.now, 3, 53, payload(0, 2000), options(ONCE, true)).unwrap();
    victim.it.send(victim.now, 4, 53, payload(0, 50), options(ONCE, false)).unwrap();
    victim.it.send(victim.now, 5, 53, payload(0, 50), options(ONCE, true)).unwrap();
    let (data, _) = sent(&mut victim);
    assert_eq!((data.len(), *data.last().unwrap()), (4, last.wrapping_sub(1)));
    // Only the message's first chunk got through.
    victim.input(&[(kind::SACK, 0, &sack_value(first, 1 << 20, &[]))]).unwrap();
    sent(&mut victim);
    timeout(&mut victim);
    let skipped = vec![(3, Serial16(0)), (5, Serial16(0))];
    let (data, forwards) = sent(&mut victim);
    assert_eq!((data, forwards), (vec![], vec![(last.wrapping_sub(1), skipped.clone())]), "none for the unordered one");
    // It is repeated at every SACK that has not caught up, and when the timer runs out.
    victim.input(&[(kind::SACK, 0, &sack_value(first, 1 << 20, &[]))]).unwrap();
    assert_eq!(sent(&mut victim).1, [(last.wrapping_sub(1), skipped.clone())]);
    timeout(&mut victim);
    assert_eq!(sent(&mut victim).1, [(last.wrapping_sub(1), skipped)]);
    victim.input(&[(kind::SACK, 0, &sack_value(last.wrapping_sub(1), 1 << 20, &[]))]).unwrap();
    assert_eq!((sent(&mut victim), victim.it.poll_timeout()), ((vec![], vec![]), None));
    assert_eq!(victim.it.stats().buffered, 0);
}

#[test]
fn what_is_given_up_is_no_longer_outstanding_and_earns_nothing() {
    //= rfc3758#3.5
    //# When a data chunk is "abandoned", the sender MUST treat the data chunk as being finally acked and no longer outstanding.
    //= rfc3758#3.5
    //# The sender MUST NOT credit an "abandoned" data chunk to the partial_bytes_acked as defined in Section 7.2.2 of RFC 2960 [2], and MUST NOT advance the cwnd based on this "abandoned" data chunk.
    //= rfc3758#3.5
    //# A4) Whenever the data sender receives a SACK from the data receiver, it MUST first process the SACK using the normal procedures as defined in Section 6.2.1 of RFC 2960 [2].
    //= rfc3758#3.5
    //# F4) The detection criterion for out-of-order SACKs MUST remain the same as stated in RFC 2960, that is, a SACK is only considered out-of-order if the Cumulative TSN ACK carried in the SACK is earlier than that of the previous received SACK (i.e., the comparison MUST NOT be made against "Advanced.Peer.Ack.Point").
    let mut victim = Victim::new(Config { heartbeat_interval: None, ..Config::default() });
    let t = victim.its_tsn;
    for n in 0..4 {
        victim.it.send(victim.now, 0, 53, payload(n, 1160), options(ONCE, true)).unwrap();
    }
    assert_eq!(sent(&mut victim).0.len(), 4);
    timeout(&mut victim);
    assert_eq!(sent(&mut victim).1.len(), 1);
    let before = victim.it.stats();
    assert_eq!((before.in_flight, before.messages_abandoned), (0, 4));
    victim.input(&[(kind::SACK, 0, &sack_value(t, 1 << 20, &[]))]).unwrap();
    victim.input(&[(kind::SACK, 0, &sack_value(t.wrapping_add(1), 1 << 20, &[]))]).unwrap();
    assert_eq!(victim.it.stats().sacks_received, 2, "behind the point we advanced to, yet not out of date");
    victim.input(&[(kind::SACK, 0, &sack_value(t.wrapping_add(3), 1 << 20, &[]))]).unwrap();
    assert_eq!(victim.it.stats().cwnd, before.cwnd);
}

#[test]
fn a_lifetime_is_looked_at_before_each_transmission() {
    //= rfc3758#4.1
    //# TR2) If the lifetime parameter is not SCTP_LIFETIME_RELIABLE (see Section 5), then the SCTP sender MUST treat the message just as if it were a normal reliable SCTP message, as long as the lifetime has not yet expired.
    //= rfc3758#4.1
    //# TR3) Before assigning a TSN to any message, the SCTP sender MUST evaluate the lifetime of that message.
    //= rfc3758#4.1
    //# If it is expired, the SCTP sender MUST NOT assign a TSN to that message, but instead, SHOULD issue a notification to the upper layer and abandon the message.
    //= rfc3758#4.1
    //# TR4) Before transmitting or retransmitting a message for which a TSN is already assigned, the SCTP sender MUST evaluate the lifetime of the message.
    //= rfc3758#4.1
    //# If the lifetime of the message is expired, the SCTP sender MUST "abandon" the message, as per the rules specified in Section 3.5 marking that TSN as eligible for forward TSN.
    let life = options(Reliability::MaxLifetime(100), true);
    let mut victim = Victim::new(Config { heartbeat_interval: None, ..Config::default() });
    victim.it.send(victim.now, 0, 53, payload(0, 20_000), life).unwrap();
    victim.it.send(victim.now, 0, 53, payload(1, 10), life).unwrap();
    let (data, _) = sent(&mut victim);
    assert_eq!(data.len(), 4, "while it lives it goes like any other");
    // In time: the rest goes on. Too late: neither the rest nor the second message gets a TSN.
    victim.now += millis(99);
    victim.input(&[(kind::SACK, 0, &sack_value(data[1], 1 << 20, &[]))]).unwrap();
    let more = sent(&mut victim).0;
    assert!(!more.is_empty());
    victim.now += millis(2);
    victim.input(&[(kind::SACK, 0, &sack_value(data[3], 1 << 20, &[]))]).unwrap();
    // The end that was never sent has a TSN, too: to a receiver that has all the rest nothing would be skipped else.
    let last = more.last().unwrap().wrapping_add(1);
    assert_eq!(sent(&mut victim), (vec![], vec![(last, vec![(0, Serial16(0))])]));
    assert_eq!(victim.it.stats().messages_abandoned, 2);
    victim.input(&[(kind::SACK, 0, &sack_value(last, 1 << 20, &[]))]).unwrap();
    assert!(victim.it.stats().buffered == 0 && victim.it.poll_timeout().is_none());
    // The next message takes the number after.
    victim.it.send(victim.now, 0, 53, payload(2, 10), SendOptions::default()).unwrap();
    let out = victim.output();
    assert_eq!(Data::parse(3, chunks(&out[0])[0].value).unwrap().ssn, Serial16(1));
}

#[test]
fn a_loss_of_what_was_given_up_in_flight_still_counts() {
    //= rfc3758#3.5
    //# F5) If the decision to "abandon" a chunk is made, no matter how such a decision is made, the appropriate congestion adjustment MUST be made as specified in RFC 2960 if the chunk would have been marked for retransmission later (e.g., either by T3-Timeout or by Fast Retransmit).
    let mut victim = Victim::new(Config { heartbeat_interval: None, max_burst: 100, ..Config::default() });
    victim.it.send(victim.now, 0, 53, payload(0, 20_000), options(Reliability::MaxLifetime(100), true)).unwrap();
    let data = sent(&mut victim).0;
    victim.now += millis(101);
    assert!(sent(&mut victim).0.is_empty());
    victim.input(&[(kind::SACK, 0, &sack_value(data[0], 1 << 20, &[]))]).unwrap();
    sent(&mut victim);
    victim.it.send(victim.now, 1, 53, payload(0, 4000), SendOptions::default()).unwrap();
    assert!(sent(&mut victim).0.len() >= 3);
    for n in 4..7 {
        victim.input(&[(kind::SACK, 0, &sack_value(data[0], 1 << 20, &[(4, n)]))]).unwrap();
        sent(&mut victim);
    }
    assert_ne!(victim.it.stats().ssthresh, usize::MAX, "the window was cut");
}

#[test]
fn without_the_peers_support_no_forward_tsn_leaves_and_none_is_taken() {
    //= rfc3758#3.3.2
    //# MUST NOT send a FORWARD TSN chunk at any time during the associations life,
    //= rfc3758#3.3.1
    //# It MUST instead act as if it does NOT support the FORWARD TSN chunk, returning an ERROR to the peer upon receipt of any FORWARD TSN.
    //= rfc3758#3.3.2
    //# It MUST instead act as if it does NOT support the FORWARD TSN chunk, returning an ERROR to the peer upon receipt of any FORWARD TSN.
    let mut victim = Victim::with_params(Config::default(), &[]);
    victim.it.send(victim.now, 0, 53, payload(0, 100), options(ONCE, true)).unwrap();
    for _ in 0..4 {
        let (data, forwards) = sent(&mut victim);
        assert_eq!((data, forwards), (vec![victim.its_tsn], vec![]), "it is tried again like any other");
        timeout(&mut victim);
    }
    let mut victim = Victim::new(Config { partial_reliability: false, ..Config::default() });
    victim.input(&[(kind::FORWARD_TSN, 0, &forward_value(1005, &[]))]).unwrap();
    let out = victim.output();
    assert_eq!((kinds(&out[0]), &chunks(&out[0])[0].value[..5]), (vec![kind::ERROR], &[0, 6, 0, 12, 192][..]));
    victim.input(&[(kind::DATA, 3, &data_value(1000, 0, 0, 53, b"nothing was skipped"))]).unwrap();
    assert!(victim.it.receive().is_some());
}

fn told(victim: &mut Victim) -> Option<(u32, Vec<(u32, u32)>)> {
    let out = victim.output();
    let sack = Sack::parse(chunks(out.last()?)[0].value).unwrap();
    Some((sack.cumulative_tsn_ack.0, sack.gap_blocks().map(|(a, b)| (a.0, b.0)).collect()))
}

#[test]
fn a_forward_tsn_moves_the_cumulative_point_on() {
    //= rfc3758#3.2
    //# Upon the reception of this value, the data receiver MUST consider any missing TSNs earlier than or equal to this value as received, and stop reporting them as gaps in any subsequent SACKs.
    //= rfc3758#3.6
    //# DATA chunk arrival at a PR-SCTP receiver proceeds exactly as for DATA chunk arrival at a base protocol SCTP receiver---that is, the receiver MUST perform the same TSN handling, including duplicate detection, gap detection, SACK generation, cumulative TSN advancement, etc. as defined in RFC 2960 [2]---with the following exceptions and additions.
    //= rfc3758#3.6
    //# When a FORWARD TSN chunk arrives, the data receiver MUST first update its cumulative TSN point to the value carried in the FORWARD TSN chunk, and then MUST further advance its cumulative TSN point locally if possible, as shown by the following example:
    //= rfc3758#3.6
    //# After the above processing, the data receiver MUST stop reporting any missing TSNs earlier than or equal to the new cumulative TSN point.
    //= rfc3758#3.6
    //# Note, if the "New Cumulative TSN" value carried in the arrived FORWARD TSN chunk is found to be behind or at the current cumulative TSN point, the data receiver MUST treat this FORWARD TSN as out-of-date and MUST NOT update its Cumulative TSN.
    //= rfc3758#3.6
    //# Any time a FORWARD TSN chunk arrives, for the purposes of sending a SACK, the receiver MUST follow the same rules as if a DATA chunk had been received (i.e., follow the delayed sack rules specified in RFC 2960 [2] section 6.2).
    //= rfc3758#3.6
    //# In particular, during processing of a FORWARD TSN, the receiver MUST use the stream sequence information to examine all of the listed stream reordering queues, and immediately make available for delivery stream sequence numbers earlier than or equal to the stream sequence number listed inside the FORWARD TSN.
    let mut victim = Victim::new(Config::rtc());
    for tsn in [1000, 1002, 1004, 1005, 1008] {
        victim.input(&[(kind::DATA, 3, &data_value(tsn, 0, (tsn - 1000) as u16, 53, &[tsn as u8]))]).unwrap();
    }
    assert_eq!(told(&mut victim), Some((1000, vec![(1002, 1002), (1004, 1005), (1008, 1008)])));
    victim.input(&[(kind::FORWARD_TSN, 0, &forward_value(1003, &[(0, 3)]))]).unwrap();
    assert_eq!(told(&mut victim), Some((1005, vec![(1008, 1008)])));
    let got: Vec<u8> = core::iter::from_fn(|| victim.it.receive()).map(|m| m.payload[0]).collect();
    assert_eq!(got, [1000_u32 as u8, 1002_u32 as u8, 1004_u32 as u8, 1005_u32 as u8]);
    // Out of date.
    victim.input(&[(kind::FORWARD_TSN, 0, &forward_value(1001, &[(0, 9)]))]).unwrap();
    assert_eq!(told(&mut victim), Some((1005, vec![(1008, 1008)])));
    victim.input(&[(kind::FORWARD_TSN, 0, &forward_value(1008, &[(0, 7)]))]).unwrap();
    assert_eq!(told(&mut victim), Some((1008, vec![])));
    assert_eq!(victim.it.receive().unwrap().payload[0], 1008_u32 as u8);
    // Without gaps its acknowledgement waits like that of DATA.
    victim.input(&[(kind::FORWARD_TSN, 0, &forward_value(1010, &[]))]).unwrap();
    assert_eq!(told(&mut victim), None);
    victim.input(&[(kind::DATA, 3, &data_value(1011, 0, 9, 53, b"x"))]).unwrap();
    assert_eq!(told(&mut victim), Some((1011, vec![])));
}

/// The point the sender advances to moves over what gap blocks acknowledged: it may end within a message that lives.
#[test]
fn a_forward_tsn_drops_only_what_lacks_something() {
    //= rfc3758#3.6
    //# After receiving and processing a FORWARD TSN, the data receiver MUST take cautions in updating its re-assembly queue.
    //= rfc3758#3.6
    //# The receiver MUST remove any partially reassembled message, which is still missing one or more TSNs earlier than or equal to the new cumulative TSN point.
    let mut victim = Victim::new(Config::rtc());
    // 1000 begins a message given up, of which 1001 never comes; 1002 to 1004 are one that lives.
    victim.input(&[(kind::DATA, 2, &data_value(1000, 0, 0, 53, b"given up"))]).unwrap();
    victim.input(&[(kind::DATA, 2, &data_value(1002, 1, 0, 53, b"this "))]).unwrap();
    victim.input(&[(kind::FORWARD_TSN, 0, &forward_value(1002, &[(0, 0)]))]).unwrap();
    for (tsn, flags, text) in [(1003, 0, &b"one "[..]), (1004, 1, b"lives")] {
        victim.input(&[(kind::DATA, flags, &data_value(tsn, 1, 0, 53, text))]).unwrap();
    }
    assert_eq!(&victim.it.receive().unwrap().payload[..], b"this one lives");
    victim.output();
    assert!(victim.it.receive().is_none() && victim.it.stats().a_rwnd == 5 << 20, "nothing is left of the other");
}

#[test]
fn the_parameter_is_unknown_to_who_does_not_offer_it() {
    //= rfc3758#3.3.2
    //# When a receiver of an INIT detects a Forward-TSN-Supported parameter and does not support the Forward-TSN chunk type, the receiver MUST follow the rules defined in Section 3.3.3 of RFC 2960 [2].
    use weft_sctp::wire::{Init, param};
    for offered in [true, false] {
        let config = Config { partial_reliability: offered, ..Config::rtc() };
        let mut it = weft_sctp::Association::new(config, weft_core::Rng::from_test_seed(1));
        let init = crate::common::init_value(7, 1, &[0xC0, 0, 0, 4]);
        let now = weft_core::Instant::ORIGIN;
        it.handle_input(now, &crate::common::packet(0, &[(kind::INIT, 0, &init)])).unwrap();
        let answer = crate::common::packets(&mut it, now).remove(0);
        let ack = Init::parse(chunks(&answer)[0].value).unwrap();
        assert_eq!(ack.params.find(param::UNRECOGNIZED), (!offered).then_some(&[0xC0, 0, 0, 4][..]));
        assert_eq!(ack.extensions().forward_tsn, offered);
    }
}

#[test]
fn a_peer_that_does_not_know_forward_tsn_after_all() {
    //= rfc3758#3.3.3
    //# 2) continue the initiation process (in cases where the initiation process has already completed, the endpoint MUST just mark the association as not supporting partial reliability), but with the understanding that partially reliable data transmission is not supported.
    //= rfc3758#3.3.3
    //# In this case, the endpoint receiving the operational error SHOULD note that the FORWARD TSN chunk is not supported, and MUST NOT transmit a FORWARD TSN chunk at any time during the life of the association.
    let mut victim = Victim::new(Config { heartbeat_interval: None, ..Config::default() });
    let unknown = [0, 6, 0, 12, kind::FORWARD_TSN, 0, 0, 8, 0, 0, 0, 1];
    victim.input(&[(kind::ERROR, 0, &unknown)]).unwrap();
    victim.it.send(victim.now, 1, 53, payload(0, 100), options(ONCE, true)).unwrap();
    assert_eq!(sent(&mut victim).0.len(), 1);
    for _ in 0..3 {
        timeout(&mut victim);
        let (data, forwards) = sent(&mut victim);
        assert_eq!((data.len(), forwards.len()), (1, 0), "it is reliable now");
    }
    // Said when something was given up already, it leaves no way on.
    let mut victim = Victim::new(Config { heartbeat_interval: None, ..Config::default() });
    victim.it.send(victim.now, 1, 53, payload(0, 100), options(ONCE, true)).unwrap();
    victim.output();
    timeout(&mut victim);
    assert_eq!(sent(&mut victim).1.len(), 1);
    assert!(victim.input(&[(kind::ERROR, 0, &unknown)]).is_err());
}
