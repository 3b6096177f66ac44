//! RFC 9260 sections 3.2, 6 and 7, packet by packet: what is received, acknowledged, and sent when.

use weft_core::{Instant, Layer, Serial32};
use weft_sctp::congestion::{Acknowledged, Controller, NewReno};
use weft_sctp::wire::{Data, Packet, Sack, data, kind};
use weft_sctp::{Config, SendOptions};

use crate::common::{Victim, chunks, data_value, kinds, packet, payload, plain, sack_value, seal};

/// TSNs and lengths of the DATA chunks it sends now, by packet.
fn sent(victim: &mut Victim) -> Vec<Vec<(u32, usize)>> {
    let of = |p: &Vec<u8>| {
        let data =
            chunks(p).into_iter().filter(|c| c.kind == kind::DATA).map(|c| Data::parse(c.flags, c.value).unwrap());
        data.map(|d| (d.tsn.0, d.payload.len())).collect::<Vec<_>>()
    };
    victim.output().iter().map(of).filter(|l| !l.is_empty()).collect()
}

fn tsns(victim: &mut Victim) -> Vec<u32> {
    sent(victim).concat().into_iter().map(|(tsn, _)| tsn).collect()
}

fn queue(victim: &mut Victim, count: u32, len: usize) {
    for n in 0..count {
        victim.it.send(victim.now, 0, 53, payload(n, len), SendOptions::default()).unwrap();
    }
}

/// A window as large as one likes.
#[derive(Debug)]
struct Fixed(usize);

impl Controller for Fixed {
    fn on_ack(&mut self, _now: Instant, _ack: &Acknowledged) {}
    fn on_loss(&mut self, _now: Instant, _flight: usize) {}
    fn on_timeout(&mut self, _now: Instant) {}
    fn on_idle(&mut self) {}
    fn restart(&mut self) {}
    fn set_chunk_size(&mut self, _bytes: usize) {}
    fn window(&self) -> usize {
        self.0
    }
    fn threshold(&self) -> usize {
        self.0
    }
}

#[test]
fn padding_says_nothing_and_partial_chunks_are_dropped() {
    //= rfc9260#3.2
    //# The receiver MUST ignore the padding bytes.
    //= rfc9260#3.2.1
    //# The receiver MUST ignore the padding bytes.
    //= rfc9260#6.10
    //# If the receiver detects a partial chunk, it MUST drop the chunk.
    let mut victim = Victim::new(Config::rtc());
    let mut bytes =
        packet(victim.tag, &[(kind::DATA, 3, &data_value(1000, 0, 0, 53, b"x")), (kind::HEARTBEAT, 0, &[0, 1, 0, 4])]);
    bytes[29..32].fill(0xEE);
    seal(&mut bytes);
    victim.it.handle_input(victim.now, &bytes).unwrap();
    assert_eq!(&victim.it.receive().unwrap().payload[..], b"x");
    assert_eq!(kinds(&victim.output()[0]), [kind::HEARTBEAT_ACK, kind::SACK]);
    let mut bytes = packet(victim.tag, &[(kind::DATA, 3, &data_value(1001, 0, 1, 53, b"partial"))]);
    bytes[15] += 9;
    seal(&mut bytes);
    victim.it.handle_input(victim.now, &bytes).unwrap();
    assert!(victim.it.receive().is_none());
}

#[test]
fn chunks_are_handled_in_their_order() {
    //= rfc9260#6.10
    //# An endpoint MUST process received chunks in their order in the packet.
    //= rfc9260#6
    //# The fragmentation and bundling mechanisms, as detailed in Sections 6.9 and 6.10, are OPTIONAL to implement by the data sender, but they MUST be implemented by the data receiver, i.e., an endpoint MUST properly receive and process bundled or fragmented data.
    //= rfc9260#6.9
    //# An endpoint MAY support fragmentation when sending DATA chunks, but it MUST support reassembly when receiving DATA chunks.
    let mut victim = Victim::new(Config::rtc());
    let (begin, end) = (data_value(1000, 0, 0, 53, b"be"), data_value(1001, 0, 0, 53, b"gin"));
    let next = data_value(1002, 0, 1, 53, b"next");
    let shut = victim.its_tsn.wrapping_sub(1).to_be_bytes();
    victim
        .input(&[(kind::DATA, 2, &begin), (kind::DATA, 1, &end), (kind::DATA, 3, &next), (kind::SHUTDOWN, 0, &shut)])
        .unwrap();
    assert_eq!(&victim.it.receive().unwrap().payload[..], b"begin");
    assert_eq!(&victim.it.receive().unwrap().payload[..], b"next");
    // The other way round the shutdown comes before the data.
    let mut victim = Victim::new(Config::rtc());
    victim.input(&[(kind::SHUTDOWN, 0, &shut), (kind::DATA, 3, &data_value(1000, 0, 0, 53, b"late"))]).unwrap();
    assert!(victim.it.receive().is_none());
}

#[test]
fn ordered_messages_wait_and_unordered_ones_do_not() {
    //= rfc9260#6.6
    //# Within a stream, an endpoint MUST deliver DATA chunks received with the U flag set to 0 to the upper layer according to the order of their Stream Sequence Number.
    //= rfc9260#6.6
    //# If DATA chunks arrive out of order of their Stream Sequence Number, the endpoint MUST hold the received DATA chunks from delivery to the ULP until they are reordered.
    //= rfc9260#6.6
    //# The sender can fill the 'Stream Sequence Number' with arbitrary value, but the receiver MUST ignore the field.
    //= rfc9260#3.3.1
    //# Therefore, the receiver MUST ignore the Stream Sequence Number field.
    //= rfc9260#3.3.1
    //# After reassembly (if necessary), unordered DATA chunks MUST be dispatched to the upper layer by the receiver without any attempt to reorder.
    let mut victim = Victim::new(Config::rtc());
    let got =
        |victim: &mut Victim| core::iter::from_fn(|| victim.it.receive()).map(|m| m.payload[0]).collect::<Vec<_>>();
    victim.input(&[(kind::DATA, 3, &data_value(1002, 0, 2, 53, b"2"))]).unwrap();
    victim.input(&[(kind::DATA, 3, &data_value(1001, 0, 1, 53, b"1"))]).unwrap();
    assert!(got(&mut victim).is_empty());
    for ssn in [0, 0, 7, u16::MAX] {
        let tsn = 1003 + u32::from(ssn) % 4 + u32::from(ssn == 7) * 4;
        let _ = victim.input(&[(kind::DATA, 3 | data::UNORDERED, &data_value(tsn, 0, ssn, 53, b"u"))]);
    }
    assert_eq!(got(&mut victim), b"uuu", "at once, whatever its number; one TSN came twice");
    victim.input(&[(kind::DATA, 3, &data_value(1000, 0, 0, 53, b"0"))]).unwrap();
    assert_eq!(got(&mut victim), b"012");
}

#[test]
fn a_shut_window_takes_nothing_new() {
    //= rfc9260#6.2
    //# When the receiver's advertised window is 0, the receiver MUST drop any new incoming DATA chunk with a TSN larger than the largest TSN received so far.
    //= rfc9260#6.2
    //# In either case, if such a DATA chunk is dropped, the receiver MUST immediately send back a SACK chunk with the current receive window showing only DATA chunks received and accepted so far.
    //= rfc9260#6.2
    //# The dropped DATA chunk(s) MUST NOT be included in the SACK chunk, as they were not accepted.
    //= rfc9260#6.2
    //# If a data receiver drops DATA chunks, it MUST NOT include them in Gap Ack Blocks in subsequent SACK chunks until they are received again via retransmission.
    let mut victim = Victim::new(Config { receive_buffer: 1500, ..Config::rtc() });
    let mut tsn = 1000;
    let mut told = u32::MAX;
    while told > 0 {
        victim.input(&[(kind::DATA, 3, &data_value(tsn, 0, (tsn - 1000) as u16, 53, &[1; 436]))]).unwrap();
        victim.input(&[(kind::DATA, 3, &data_value(tsn, 0, 0, 53, b"again"))]).unwrap();
        told = victim
            .output()
            .iter()
            .flat_map(|p| chunks(p))
            .map(|c| Sack::parse(c.value).unwrap().a_rwnd)
            .next_back()
            .unwrap();
        tsn += 1;
    }
    assert_eq!(tsn, 1003);
    for late in [tsn, tsn + 1] {
        victim.input(&[(kind::DATA, 3, &data_value(late, 0, 0, 53, b"x"))]).unwrap();
        let out = victim.output();
        let sack = Sack::parse(chunks(&out[0])[0].value).unwrap();
        assert_eq!((sack.cumulative_tsn_ack.0, sack.a_rwnd, sack.gap_blocks().count()), (tsn - 1, 0, 0));
    }
    // A reader that takes a little does not make it announce a little.
    //= rfc9260#6.2
    //# The receiver MUST also have an algorithm for advertising its receive window to avoid receiver silly window syndrome (SWS), as described in [RFC1122].
    //= rfc9260#6.2
    //# The receiver MUST avoid sending a large number of window updates -- in particular, large bursts of them.
    victim.it.receive().unwrap();
    assert!(victim.output().len() <= 1);
    let mut victim = Victim::new(Config { receive_buffer: 20_000, ..Config::rtc() });
    for n in 0..300 {
        victim.input(&[(kind::DATA, 3, &data_value(1000 + n, 0, n as u16, 53, &[1; 10]))]).unwrap();
        victim.output();
    }
    let mut updates = 0;
    while victim.it.receive().is_some() {
        updates += victim.output().len();
    }
    assert!((1..=3).contains(&updates), "{updates} for {} messages", 270);
}

#[test]
fn one_sack_at_most_for_a_packet() {
    //= rfc9260#6.2
    //# However, an SCTP transmitter MUST NOT be more aggressive in sending SACK chunks than the following algorithms allow.
    //= rfc9260#6.2
    //# An SCTP receiver MUST NOT generate more than one SACK chunk for every incoming packet, other than to update the offered window as the receiving application consumes new data.
    //= rfc9260#6.2
    //# In other words, an implementation MAY lower the value of 'SACK.Delay' below 500 ms but MUST NOT raise it above 500 ms.
    let mut victim = Victim::new(Config::rtc());
    let mut sacks = 0;
    for n in 0..100_u32 {
        let two = [data_value(1000 + 2 * n, 0, 0, 53, b"x"), data_value(1001 + 2 * n, 0, 0, 53, b"x")];
        victim.input(&[(kind::DATA, 7, &two[0]), (kind::DATA, 7, &two[1])]).unwrap();
        let out = victim.output();
        assert!(out.len() <= 1);
        sacks += out.len();
    }
    assert!((50..=51).contains(&sacks), "every second packet: {sacks}");
}

/// Senders count SACKs: to open their window, to send Max.Burst packets for each, to find what is lost.
//= rfc9260#6.2
//# Specifically, an acknowledgement SHOULD be generated for at least every second packet (not every second DATA chunk) received and SHOULD be generated within 200 ms of the arrival of any unacknowledged DATA chunk.
//= rfc9260#6.7
//# If the endpoint detects a gap in the received DATA chunk sequence, it SHOULD send a SACK chunk with Gap Ack Blocks immediately.
#[test]
fn packets_handed_in_together_are_acknowledged_as_if_they_had_come_apart() {
    let mut victim = Victim::new(Config::rtc());
    let data = |victim: &mut Victim, tsn: u32| {
        victim.input(&[(kind::DATA, 7, &data_value(tsn, 0, 0, 53, b"x"))]).unwrap();
    };
    data(&mut victim, 1000);
    victim.output();
    for tsn in 1001..=1007 {
        data(&mut victim, tsn);
    }
    let told: Vec<u32> = victim.output().iter().map(|packet| acknowledged(packet).0).collect();
    assert_eq!(told, [1002, 1004, 1007], "every second, and with the last of them what is left");
    // One is missing: from then on each packet tells of it.
    for tsn in [1008, 1009, 1011, 1012, 1014] {
        data(&mut victim, tsn);
    }
    let told: Vec<_> = victim.output().iter().map(|packet| acknowledged(packet)).collect();
    assert_eq!(told, [(1009, vec![]), (1009, vec![(2, 2)]), (1009, vec![(2, 3)]), (1009, vec![(2, 3), (5, 5)])]);
    assert!(victim.output().is_empty());
}

fn acknowledged(packet: &[u8]) -> (u32, Vec<(u16, u16)>) {
    let all = chunks(packet);
    let value = all.iter().find(|chunk| chunk.kind == kind::SACK).expect("a SACK").value;
    let sack = Sack::parse(value).unwrap();
    let cumulative = sack.cumulative_tsn_ack;
    let from = |tsn: Serial32| tsn.since(cumulative) as u16;
    (cumulative.0, sack.gap_blocks().map(|(first, last)| (from(first), from(last))).collect())
}

#[test]
fn a_sack_reports_as_much_as_fits() {
    //= rfc9260#6.2
    //# The SCTP endpoint MUST report as many Gap Ack Blocks as can fit in a single SACK chunk such that the size of the SCTP packet does not exceed the current PMTU.
    //= rfc9260#6.7
    //# When a single SACK chunk cannot cover all the Gap Ack Blocks needed to be reported due to the PMTU limitation, the endpoint MUST send only one SACK chunk.
    //= rfc9260#6.7
    //# This single SACK chunk MUST report the Gap Ack Blocks from the lowest to highest TSNs, within the size limit set by the PMTU, and leave the remaining highest TSN numbers unacknowledged.
    let mut victim = Victim::new(Config { mtu: 508, ..Config::rtc() });
    for n in 0..400_u32 {
        victim.input(&[(kind::DATA, 7, &data_value(1001 + 2 * n, 0, 0, 53, b"x"))]).unwrap();
    }
    let out = victim.output().pop().unwrap();
    assert_eq!((out.len(), kinds(&out)), (508, vec![kind::SACK]));
    assert!(victim.output().is_empty(), "the rest is not told");
    let blocks: Vec<u32> = Sack::parse(chunks(&out)[0].value).unwrap().gap_blocks().map(|(a, _)| a.0).collect();
    assert_eq!(blocks, (0..120).map(|n| 1001 + 2 * n).collect::<Vec<_>>(), "the lowest ones");
}

#[test]
fn the_checksum_is_looked_at_first() {
    //= rfc9260#6.8
    //# When an SCTP packet is received, the receiver MUST first check the CRC32c checksum as follows:
    for chunk in [kind::DATA, kind::ABORT, kind::INIT, kind::HEARTBEAT, kind::SHUTDOWN] {
        let mut victim = Victim::new(Config { zero_checksum: false, ..Config::rtc() });
        let mut bytes = packet(victim.tag, &[(chunk, 3, &data_value(1000, 0, 0, 53, b"x"))]);
        bytes[9] ^= 1;
        assert_eq!(victim.it.handle_input(victim.now, &bytes), Ok(()));
        assert!(victim.output().is_empty() && victim.it.receive().is_none());
        assert_eq!(victim.it.stats().packets_dropped, 1);
    }
}

#[test]
fn windows_of_the_peer_and_of_congestion_are_kept() {
    //= rfc9260#6.1
    //# The following general rules MUST be applied by the data sender for transmission and/or retransmission of outbound DATA chunks:
    //= rfc9260#6.1
    //# B) At any given time, the sender MUST NOT transmit new data to a given transport address if it has cwnd + (PMDCS - 1) or more bytes of data outstanding to that transport address.
    //= rfc9260#6.1
    //# The breach of cwnd MUST constitute one packet only.
    //= rfc9260#6.1
    //# When the window is full (i.e., transmission is disallowed by rule A and/or rule B), the sender MAY still accept send requests from its upper layer but MUST transmit no more DATA chunks until some or all of the outstanding DATA chunks are acknowledged and transmission is allowed by rule A and rule B again.
    //= rfc9260#7.2.1
    //# The initial cwnd before data transmission MUST be set to min(4 * PMDCS, max(2 * PMDCS, 4404)) bytes if the peer address is an IPv4 address and to min(4 * PMDCS, max(2 * PMDCS, 4344)) bytes if the peer address is an IPv6 address.
    //= rfc9260#7.2
    //# The slow-start and congestion avoidance algorithms MUST be used by an endpoint to control the amount of data being injected into the network.
    let mut victim = Victim::new(Config { max_burst: 100, ..plain() });
    queue(&mut victim, 100, 1160);
    assert_eq!(victim.it.stats().cwnd, 4344, "min(4 * 1160, max(2 * 1160, 4344))");
    assert_eq!(tsns(&mut victim).len(), 4, "four packets: the last is the one that exceeds the window");
    assert!(sent(&mut victim).is_empty());
    // Small chunks fill the window as well, and exceed it by one packet at most.
    let mut victim = Victim::new(Config { max_burst: 100, ..plain() });
    queue(&mut victim, 1000, 100);
    let out: usize = sent(&mut victim).concat().iter().map(|(_, len)| len).sum();
    assert!((4344..4344 + 1160).contains(&out), "{out}");
    let mut victim = Victim::new(Config { max_burst: 100, mtu: 508, ..plain() });
    assert_eq!(victim.it.stats().cwnd, 4 * 480);
    // Slow start grows the window by a chunk for a SACK, and only when it was used.
    //= rfc9260#7.2.1
    //# When cwnd is less than or equal to ssthresh, an SCTP endpoint MUST use the slow-start algorithm to increase cwnd only if the current congestion window is being fully utilized and the data sender is not in Fast Recovery.
    //= rfc9260#7.2.1
    //# Only when these two conditions are met can the cwnd be increased; otherwise, the cwnd MUST NOT be increased.
    //= rfc9260#7.2.1
    //# If these conditions are met, then cwnd MUST be increased by, at most, the lesser of
    //= rfc9260#7.2
    //# In some situations, it might be beneficial for an SCTP sender to be more conservative than the algorithms allow; however, an SCTP sender MUST NOT be more aggressive than the following algorithms allow.
    queue(&mut victim, 1, 480);
    let first = tsns(&mut victim)[0];
    victim.input(&[(kind::SACK, 0, &sack_value(first, 1 << 20, &[]))]).unwrap();
    assert_eq!(victim.it.stats().cwnd, 4 * 480, "not used");
    let mut victim = Victim::new(Config { max_burst: 100, ..Config::default() });
    queue(&mut victim, 100, 1160);
    let all = tsns(&mut victim);
    victim.input(&[(kind::SACK, 0, &sack_value(all[3], 1 << 20, &[]))]).unwrap();
    assert_eq!(victim.it.stats().cwnd, 4344 + 1160, "L is 1");
}

#[test]
fn congestion_avoidance_grows_by_one_chunk_a_round() {
    //= rfc9260#7.2.2
    //# SCTP MUST NOT increment cwnd by more than PMDCS per RTT.
    let mut reno = NewReno::new(1000, 100);
    reno.on_loss(Instant::ORIGIN, 0);
    for round in 0..20 {
        let window = reno.window();
        let mut acked = 0;
        while acked < window {
            let ack = Acknowledged {
                bytes: 2000.min(window - acked),
                flight_before: window + 2000,
                flight_after: window,
                advanced: true,
                window_limited: true,
                ..Acknowledged::default()
            };
            acked += ack.bytes;
            reno.on_ack(Instant::ORIGIN, &ack);
        }
        // At the threshold it is still slow start.
        assert!(round == 0 || reno.window() <= window + 1000, "{window} to {}", reno.window());
    }
}

#[test]
fn a_sack_that_ends_a_round_and_shows_a_loss_counts_for_both() {
    //= rfc9260#7.2.4
    //# Note: Before the above adjustments, if the received SACK chunk also acknowledges new DATA chunks and advances the Cumulative TSN Ack Point, the cwnd adjustment rules defined in Sections 7.2.1 and 7.2.2 MUST be applied first.
    //= rfc9260#6.7
    //# All DATA chunks with TSNs not included in the Gap Ack Blocks that are smaller than the highest-acknowledged TSN reported in the SACK chunk MUST be treated as "missing" by the sending endpoint.
    //= rfc9260#6.7
    //# The number of "missing" reports for each outstanding DATA chunk MUST be recorded by the data sender to make retransmission decisions.
    let mut victim = Victim::new(Config { max_burst: 100, ..Config::default() });
    queue(&mut victim, 100, 1160);
    let t = tsns(&mut victim);
    victim.input(&[(kind::SACK, 0, &sack_value(t[0].wrapping_sub(1), 1 << 20, &[(3, 3)]))]).unwrap();
    victim.input(&[(kind::SACK, 0, &sack_value(t[0].wrapping_sub(1), 1 << 20, &[(3, 4)]))]).unwrap();
    let before = victim.it.stats().cwnd;
    let more = tsns(&mut victim);
    assert!(!more.is_empty() && victim.it.stats().fast_retransmissions == 0);
    // The first arrives, the second is missing for the third time.
    victim.input(&[(kind::SACK, 0, &sack_value(t[0], 1 << 20, &[(2, 4)]))]).unwrap();
    let stats = victim.it.stats();
    assert_eq!((stats.fast_retransmissions, stats.ssthresh), (1, (before / 2).max(4 * 1160)));
    assert_eq!(tsns(&mut victim)[0], t[1]);
}

#[test]
fn no_silly_window_and_a_probe_of_a_shut_one() {
    //= rfc9260#6.1
    //# The sender MUST also have an algorithm for sending new DATA chunks to avoid silly window syndrome (SWS) as described in [RFC1122].
    //= rfc9260#6.1
    //# Senders MUST support zero window probing.
    //= rfc9260#6.1
    //# A zero window probe MUST only be sent when the cwnd allows (see rule B below).
    let mut victim = Victim::new(Config { max_burst: 100, ..Config::rtc() });
    queue(&mut victim, 1, 20_000);
    let all = sent(&mut victim).concat();
    let last = all.last().unwrap().0;
    // All but one acknowledged; the window has room for the one on its way and little more.
    victim.input(&[(kind::SACK, 0, &sack_value(last.wrapping_sub(1), 1160 + 500, &[]))]).unwrap();
    assert!(sent(&mut victim).is_empty(), "500 bytes are not worth a chunk");
    victim.input(&[(kind::SACK, 0, &sack_value(last.wrapping_sub(1), 2 * 1160, &[]))]).unwrap();
    assert_eq!(sent(&mut victim).concat(), [(last.wrapping_add(1), 1160)], "a full one is");
    // Shut: one chunk goes out as a probe, "the first zero window probe after 1 RTO", and is repeated.
    let last = last.wrapping_add(1);
    victim.input(&[(kind::SACK, 0, &sack_value(last, 0, &[]))]).unwrap();
    assert_eq!(sent(&mut victim).concat().len(), 0);
    let (start, rto) = (victim.now, victim.it.stats().rto);
    let mut count = 0;
    for _ in 0..20 {
        victim.now = victim.it.poll_timeout().unwrap();
        victim.it.handle_timeout(victim.now).unwrap();
        let probes = sent(&mut victim).concat();
        assert!(probes.iter().all(|p| p.0 == last.wrapping_add(1)) && probes.len() <= 1);
        assert!(count > 0 || probes.is_empty() || victim.now - start == rto);
        count += probes.len();
        victim.input(&[(kind::SACK, 0, &sack_value(last, 0, &[]))]).unwrap();
    }
    assert!(count > 5, "{count} probes");
}

#[test]
fn what_is_lost_goes_first_and_restarts_the_timer() {
    //= rfc9260#6.1
    //# C) When the time comes for the sender to transmit, before sending new DATA chunks, the sender MUST first transmit any DATA chunks that are marked for retransmission (limited by the current cwnd).
    //= rfc9260#6.1
    //# Whenever a transmission or retransmission is made to any address, if the T3-rtx timer of that address is not currently running, the sender MUST start that timer.
    //= rfc9260#6.1
    //# If the timer for that address is already running, the sender MUST restart the timer if the earliest (i.e., lowest TSN) outstanding DATA chunk sent to that address is being retransmitted.
    //= rfc9260#6.1
    //# Otherwise, the data sender MUST NOT restart the timer.
    let mut victim = Victim::new(Config { max_burst: 100, heartbeat_interval: None, ..Config::default() });
    queue(&mut victim, 100, 1160);
    let t = tsns(&mut victim);
    let start = victim.it.poll_timeout().unwrap();
    assert_eq!(start - victim.now, victim.it.stats().rto);
    let later = |victim: &mut Victim| victim.now += core::time::Duration::from_millis(100);
    for (end, lost) in [(2, false), (3, false), (4, true)] {
        later(&mut victim);
        victim.input(&[(kind::SACK, 0, &sack_value(t[0].wrapping_sub(1), 1 << 20, &[(2, end)]))]).unwrap();
        let out = tsns(&mut victim);
        assert_eq!(out.first() == Some(&t[0]), lost);
        let timer = victim.it.poll_timeout().unwrap();
        assert_eq!(timer == victim.now + victim.it.stats().rto, lost, "anew for the earliest only");
        assert!(lost || timer == start);
    }
}

#[test]
fn after_a_timeout_one_packet_is_in_flight() {
    let mut victim = Victim::new(Config { max_burst: 100, ..Config::default() });
    queue(&mut victim, 100, 700);
    let t = tsns(&mut victim);
    victim.now = victim.it.poll_timeout().unwrap();
    victim.it.handle_timeout(victim.now).unwrap();
    //= rfc9260#7.2.1
    //# The initial cwnd after a retransmission timeout MUST be no more than PMDCS, and only one packet is allowed to be in flight until successful acknowledgement.
    assert_eq!((sent(&mut victim), victim.it.stats().cwnd), (vec![vec![(t[0], 700)]], 1160));
    victim.input(&[(kind::SACK, 0, &sack_value(t[0], 1 << 20, &[]))]).unwrap();
    assert_eq!(tsns(&mut victim), t[1..3], "then as the window says");
}

#[test]
fn no_more_is_outstanding_than_numbers_can_tell_apart() {
    //= rfc9260#6.1
    //# The data sender MUST NOT use a TSN that is more than 2^31 - 1 above the beginning TSN of the current send window.
    //= rfc9260#6.1
    //# For each stream, the data sender MUST NOT have more than 2^16 - 1 ordered user messages in the current send window.
    let config = Config { max_send_entries: 1 << 20, max_burst: 1 << 20, ..Config::rtc() };
    let mut victim = Victim::new(config);
    victim.it.set_controller(Box::new(Fixed(usize::MAX)));
    queue(&mut victim, 70_000, 1);
    victim.input(&[(kind::SACK, 0, &sack_value(victim.its_tsn.wrapping_sub(1), u32::MAX, &[]))]).unwrap();
    assert_eq!(tsns(&mut victim).len(), 32_767);
}

#[test]
fn round_trips_are_measured_once_each() {
    //= rfc9260#6.3.1
    //# C4) When data is in flight and when allowed by rule C5 below, a new RTT measurement MUST be made each round trip.
    let mut victim = Victim::new(Config { max_burst: 100, ..Config::default() });
    queue(&mut victim, 1000, 1160);
    let mut last = None;
    for round in 1..6_u64 {
        let t = tsns(&mut victim);
        victim.now += core::time::Duration::from_millis(50 * round);
        for tsn in [t[0], *t.last().unwrap()] {
            victim.input(&[(kind::SACK, 0, &sack_value(tsn, 1 << 20, &[]))]).unwrap();
        }
        let srtt = victim.it.stats().srtt.unwrap();
        // Rounds get longer: each one measured moves the mean up; each twice would move it further.
        let expected = last.map_or(core::time::Duration::from_millis(50), |l: core::time::Duration| {
            l * 7 / 8 + core::time::Duration::from_millis(50 * round) / 8
        });
        assert_eq!(srtt, expected, "round {round}");
        last = Some(srtt);
    }
}

#[test]
fn acknowledgement_starts_before_the_first_tsn() {
    //= rfc9260#5.1
    //# When the TCB is created, each endpoint MUST set its internal Cumulative TSN Ack Point to the value of its transmitted Initial TSN minus one.
    //= rfc9260#1.6
    //# Transmission Sequence Numbers wrap around when they reach 2^32 - 1. That is, the next TSN a DATA chunk MUST use after transmitting TSN = 2^32 - 1 is TSN = 0.
    for first in [0_u32, 1, u32::MAX, 1 << 31] {
        let mut victim = Victim::new(Config { initial_tsn: Some(first), ..Config::rtc() });
        queue(&mut victim, 3, 1160);
        assert_eq!(tsns(&mut victim), [first, first.wrapping_add(1), first.wrapping_add(2)]);
        victim.input(&[(kind::SACK, 0, &sack_value(first.wrapping_sub(1), 1 << 20, &[]))]).unwrap();
        assert_eq!(victim.it.stats().sacks_received, 1, "one before the first is right, and acknowledges nothing");
        assert_eq!(victim.it.stats().buffered, 3 * 1160);
        assert!(Packet::parse(&[]).is_err());
    }
}

/// The example of section 3.3.4, with TSN 10 as the first.
#[test]
fn a_sack_is_made_as_the_example_says() {
    //= rfc9260#3.3.4
    //# Then, the parameter part of the SACK chunk MUST be constructed as follows (assuming the new a_rwnd is set to 4660 by the sender):
    let mut victim = Victim::new(Config::rtc());
    for (n, ssn) in [(0, 0), (1, 1), (2, 2), (4, 4), (5, 5), (7, 7)] {
        victim.input(&[(kind::DATA, 7, &data_value(1000 + n, 0, ssn, 53, b"x"))]).unwrap();
    }
    while victim.it.receive().is_some() {}
    let window = victim.it.stats().a_rwnd as u32;
    let last = victim.output().pop().unwrap();
    assert_eq!(chunks(&last)[0].value, sack_value(1002, window, &[(2, 3), (5, 5)]));
}

#[test]
fn no_more_than_max_burst_packets_leave_at_once() {
    //= rfc9260#6.1
    //# D) When the time comes for the sender to transmit new DATA chunks, the protocol parameter 'Max.Burst' SHOULD be used to limit the number of packets sent.
    for max_burst in [1, 4, 7] {
        let mut victim = Victim::new(Config { max_burst, ..Config::default() });
        victim.it.set_controller(Box::new(Fixed(1 << 20)));
        queue(&mut victim, 60, 1160);
        for round in 0..3 {
            let burst = sent(&mut victim);
            assert_eq!(burst.len(), max_burst, "round {round}");
            let last = burst.concat().last().unwrap().0;
            victim.input(&[(kind::SACK, 0, &sack_value(last, 1 << 20, &[]))]).unwrap();
        }
    }
}
