//! Path MTU discovery (RFC 8899) over links that drop what is too long, or fragment it.

use std::collections::BTreeSet;

use weft_core::{Instant, Layer as _, Rng};
use weft_sctp::wire::{Init, kind, param};
use weft_sctp::{Association, AssociationError, ChannelInit, Config, ControllerKind, MessageKind};
use weft_testkit::{Fragments, LinkConfig, Loss, Side};

use crate::common::{
    Victim, chunks, incoming, init_value, kinds, millis, open, packet, packets, payload, peers, read_all, secs,
    transfer,
};

fn link(mtu: usize) -> LinkConfig {
    LinkConfig { mtu, ..LinkConfig::with_delay_ms(10) }
}

/// IP and UDP headers.
const HEADERS: usize = 28;

#[test]
fn packets_grow_to_what_the_path_takes() {
    for (mtu, least) in [(1500, 1432), (1400, 1350), (1280, 1230), (1216, 1188)] {
        let mut pair = peers(&Config::rtc(), link(mtu), 1);
        transfer(&mut pair, 50, |_| 20_000, 60);
        pair.run_for(secs(60));
        let stats = pair.a.layer.association().stats();
        assert!((least..=mtu - HEADERS).contains(&stats.mtu), "{mtu}: {}", stats.mtu);
        transfer(&mut pair, 50, |_| 20_000, 60);
        assert_eq!(pair.a.layer.association().stats().black_holes, 0);
    }
}

/// Probes are lost there as well, so that chunks seem too large for it: that their fragments get lost, too, is no proof.
#[test]
fn a_path_that_loses_a_third_is_not_one_that_is_too_small() {
    for seed in 0..20 {
        let lossy = LinkConfig { mtu: 1500, loss: Loss::Random(0.3), ..LinkConfig::with_delay_ms(1) };
        let mut pair = peers(&Config::rtc(), lossy, seed);
        transfer(&mut pair, 100, |_| 5_000, 200);
    }
}

#[test]
fn webrtc_rs_806_rtc_178_a_tunnel_below_the_base_is_survived() {
    for mtu in [1150, 900, 576] {
        let mut pair = peers(&Config::rtc(), link(mtu), 1);
        transfer(&mut pair, 20, |_| 20_000, 120);
        let stats = pair.a.layer.association().stats();
        assert!(stats.mtu <= mtu - HEADERS, "{mtu}: {}", stats.mtu);
    }
}

/// What is sent before the association is up goes with the COOKIE ECHO, in a packet that never arrives.
#[test]
fn a_path_too_small_for_the_first_packet_is_survived() {
    for mtu in [1150, 576] {
        let mut pair = peers(&Config::rtc(), link(mtu), 1);
        let a = pair.a.layer.open(pair.now(), ChannelInit::new("l".repeat(2_000))).unwrap();
        for n in 0..5 {
            pair.a.layer.send(pair.now(), a, MessageKind::Binary, payload(n, 20_000)).unwrap();
        }
        let b = incoming(&mut pair);
        let mut received = 0;
        let took = pair.run_until(secs(30), |pair| {
            for message in read_all(&mut pair.b.layer, b) {
                assert!(message.data == payload(received, 20_000));
                received += 1;
            }
            received == 5
        });
        let stats = pair.a.layer.association().stats();
        assert!(took.is_ok(), "{mtu}: {received} arrived, {stats:?}");
        assert!(stats.mtu <= mtu - HEADERS, "{mtu}: {}", stats.mtu);
    }
}

#[test]
fn a_path_that_shrinks_under_way_is_survived() {
    //= rfc9260#6.9
    //# Instead, if the PMTU has been reduced, then IP fragmentation MUST be used.
    for (mtu, loss) in [(1300, 0.0), (1150, 0.0), (700, 0.0), (700, 0.05)] {
        let mut pair = peers(&Config::rtc(), link(1500), 1);
        transfer(&mut pair, 20, |_| 20_000, 60);
        pair.run_for(secs(60));
        assert_eq!(pair.a.layer.association().stats().mtu, 1432);
        let (a, b) = open(&mut pair, ChannelInit::default());
        pair.change_links(|link| {
            link.mtu = mtu;
            link.loss = Loss::Random(loss);
        });
        for n in 0..20 {
            pair.a.layer.send(pair.now(), a, MessageKind::Binary, payload(n, 20_000)).unwrap();
        }
        let mut received = 0;
        let took = pair.run_until(secs(60), |pair| {
            for message in read_all(&mut pair.b.layer, b) {
                assert!(message.data == payload(received, 20_000));
                received += 1;
            }
            received == 20
        });
        pair.run_for(secs(10));
        let stats = pair.a.layer.association().stats();
        // Probes of a base that no longer passes take three seconds and a half; of those that would pass one may be lost.
        let most = if loss == 0.0 { secs(8) } else { secs(15) };
        assert!(took.as_ref().is_ok_and(|took| *took < most), "{mtu}: {received} arrived after {took:?}, {stats:?}");
        assert!(stats.black_holes > 0 && stats.mtu <= mtu - HEADERS, "{stats:?}");
        assert!(pair.a_to_b.stats().fragmented > 0, "what was under way went in fragments");
    }
}

#[test]
fn fragments_that_vanish_are_an_error_and_no_stall() {
    let mut pair = peers(&Config::rtc(), link(1500), 1);
    transfer(&mut pair, 20, |_| 20_000, 60);
    pair.run_for(secs(60));
    let (a, _) = open(&mut pair, ChannelInit::default());
    pair.change_links(|link| {
        link.mtu = 1000;
        link.fragments = Fragments::Vanish;
    });
    pair.a.layer.send(pair.now(), a, MessageKind::Binary, payload(1, 200_000)).unwrap();
    pair.run_until(secs(60), |pair| pair.a.error.is_some()).unwrap();
    assert!(matches!(pair.a.error, Some(AssociationError::PathTooSmall { .. })), "{:?}", pair.a.error);
}

#[test]
fn loss_alone_is_no_black_hole() {
    let mut pair = peers(&Config::rtc(), LinkConfig { loss: Loss::Random(0.1), ..link(1500) }, 3);
    transfer(&mut pair, 100, |_| 20_000, 120);
    pair.run_for(secs(30));
    let stats = pair.a.layer.association().stats();
    assert!(stats.mtu >= 1188 && stats.black_holes == 0, "{stats:?}");
}

/// What leaves while the path is found out, on one that loses, repeats and reorders.
#[test]
fn probes_alone_are_larger_than_what_is_known_to_pass() {
    //= rfc8899#3
    //# A PL MUST NOT send a datagram (other than a probe packet) with a size at the PL that is larger than the current PLPMTU.
    //= rfc8899#3
    //# The PL is REQUIRED to be robust in the case where probe packets are lost due to other reasons (including link transmission error, congestion).
    //= rfc8899#3
    //# A method is REQUIRED to be robust to the possibility that a flow encounters reordering
    //= rfc8899#3
    //# The feedback mechanism is REQUIRED to be robust to the possibility that packets could be significantly delayed or duplicated along a network path.
    //= rfc8899#3
    //# the interval between probe packets MUST be at least one RTT.
    //= rfc8899#8
    //# To avoid excessive load, the interval between individual probe packets MUST be at least one RTT
    //= rfc8899#4.1
    //# Probe messages sent by a PL MUST contain enough information to uniquely identify the probe within the Maximum Segment Lifetime
    //= rfc8899#5.1.1
    //# This value MUST NOT be smaller than 1 second
    //= rfc8899#5.1.1
    //# When an acknowledged PL is used, this timer MUST NOT be used.
    //= rfc8899#6.2.1.3
    //# Since SCTP provides an acknowledged PL, a sender MUST NOT implement the CONFIRMATION_TIMER while in the SEARCH_COMPLETE state.
    //= rfc8899#6.2.3.3
    //# Since SCTP provides an acknowledged PL, a sender MUST NOT implement the CONFIRMATION_TIMER while in the SEARCH_COMPLETE state.
    //= rfc4820#3
    //# This value MUST be set to 0x84 for all PAD chunks.
    //= rfc8831#5
    //# Therefore, SCTP MUST support performing Path MTU discovery without relying on ICMP or ICMPv6 as specified in [RFC4821] by using probing messages specified in [RFC4820].
    //= rfc8261#4
    //# An implementation of SCTP over DTLS MUST implement and use a path maximum transmission unit (MTU) discovery method that functions without ICMP to provide SCTP/DTLS with an MTU estimate.
    //= rfc8261#6.2
    //# the padding extension defined in [RFC4820] MUST be supported and used for probe packets (HEARTBEAT chunks bundled with PADDING chunks [RFC4820]).
    let harm = LinkConfig { loss: Loss::Random(0.02), reorder: 0.05, duplicate: 0.05, ..link(1400) };
    let mut pair = peers(&Config::rtc(), harm, 4);
    pair.capture();
    let (a, b) = open(&mut pair, ChannelInit::default());
    let (mut seen, mut sent, mut probes, mut nonces) = (0, 0, Vec::new(), BTreeSet::new());
    while pair.now() < Instant::from_millis(400_000) {
        let before = pair.a.layer.association().stats().mtu;
        if sent < 400 && pair.a.layer.send(pair.now(), a, MessageKind::Binary, payload(sent, 20_000)).is_ok() {
            sent += 1;
        }
        if !pair.step() {
            break;
        }
        read_all(&mut pair.b.layer, b);
        let known = pair.a.layer.association().stats().mtu.max(before);
        for one in pair.trace()[seen..].iter().filter(|one| one.from == Side::A) {
            let found = chunks(&one.packet.payload);
            let len = one.packet.payload.len();
            if found.iter().any(|chunk| chunk.kind == 0x84) {
                assert_eq!((found[0].kind, found[1].kind, found[1].flags), (kind::HEARTBEAT, 0x84, 0));
                assert!(nonces.insert(found[0].value.to_vec()), "two probes alike");
                probes.push((one.at, len));
            } else {
                assert!(len <= known, "{len} bytes where {known} are known to pass");
            }
        }
        seen = pair.trace().len();
    }
    let stats = pair.a.layer.association().stats();
    assert!((1350..=1400 - HEADERS).contains(&stats.mtu), "{stats:?}");
    assert!(probes.iter().any(|(_, len)| *len > stats.mtu), "one did not pass");
    for pair in probes.windows(2) {
        let gap = pair[1].0 - pair[0].0;
        assert!(gap >= if pair[0].1 == pair[1].1 { secs(1) } else { millis(20) }, "{gap:?} between {pair:?}");
    }
    let last = probes.last().unwrap().0;
    assert!(last < Instant::from_millis(60_000), "nothing is confirmed again while all is well: {last:?}");
}

/// RTO.Min, PROBE_TIMER: all are shorter than this round trip.
#[test]
fn a_way_of_two_seconds_is_probed_all_the_same() {
    let mut pair = peers(&Config::rtc(), LinkConfig { delay: secs(1), ..link(1500) }, 1);
    transfer(&mut pair, 5, |_| 20_000, 60);
    pair.run_for(secs(60));
    assert_eq!(pair.a.layer.association().stats().mtu, 1432);
}

#[test]
fn what_the_window_holds_does_not_grow_with_the_packets() {
    //= rfc8899#3
    //# An update to the PLPMTU (or MPS) MUST NOT increase the congestion window measured in bytes [RFC4821].
    for kind in ControllerKind::ALL {
        let mut controller = kind.build(1160, 16, true, None);
        let before = controller.window();
        controller.set_chunk_size(1404);
        assert_eq!(controller.window(), before, "{kind:?}");
    }
}

#[test]
fn padding_says_nothing() {
    //= rfc4820#3
    //# This value SHOULD be set to zero on transmit and MUST be ignored on receipt.
    //= rfc4820#3
    //# The Padding Data MUST be ignored by the receiver.
    //= rfc4820#3
    //# The receiver of the PAD chunk MUST discard this chunk and continue processing the rest of the chunks in the packet.
    //= rfc8899#3
    //# The destination PL endpoint is REQUIRED to provide a feedback method that indicates to the DPLPMTUD sender when a probe packet has been received by the destination PL endpoint.
    //= rfc8899#4.1
    //# A receiver is REQUIRED to be able to distinguish an in-band data block from any added padding.
    let mut victim = Victim::new(Config::rtc());
    let info = [0, 1, 0, 8, 1, 2, 3, 4];
    victim.input(&[(kind::PAD, 0xFF, &[0xAB; 700]), (kind::HEARTBEAT, 0, &info), (kind::PAD, 0, &[])]).unwrap();
    let answers = victim.output();
    assert_eq!(answers.len(), 1);
    assert_eq!(kinds(&answers[0]), [kind::HEARTBEAT_ACK]);
    assert_eq!(chunks(&answers[0])[0].value, info);
}

#[test]
fn padding_of_an_init_leaves_no_trace() {
    //= rfc4820#4
    //# The receiver of the PAD parameter MUST silently discard this parameter and continue processing the rest of the INIT chunk.
    //= rfc4820#4
    //# This means that the size of the generated COOKIE parameter in the INIT-ACK MUST NOT depend on the existence of the PAD parameter in the INIT chunk.
    //= rfc4820#4
    //# A receiver of a PAD parameter MUST NOT include the PAD parameter within any State Cookie parameter it generates.
    let answer = |pad: &[u8]| {
        let params = [pad, &[0xC0, 0, 0, 4]].concat();
        let mut it = Association::new(Config::rtc(), Rng::from_test_seed(1));
        let now = Instant::from_millis(1);
        it.handle_input(now, &packet(0, &[(kind::INIT, 0, &init_value(3, 3, &params))])).unwrap();
        let answer = packets(&mut it, now).remove(0);
        let init = Init::parse(chunks(&answer)[0].value).unwrap();
        (init.params.find(param::STATE_COOKIE).unwrap().len(), answer.len())
    };
    let padded = [&[0x80, 0x05, 0, 204][..], &[0x77; 200]].concat();
    assert_eq!(answer(&padded), answer(&[]));
}
