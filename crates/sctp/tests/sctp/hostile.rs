//! A peer that means harm, and damaged packets: bounded memory, no panic, nothing disturbed.

use weft_core::{Layer, Rng};
use weft_sctp::wire::kind;
use weft_sctp::{Config, DataChannels, MessageKind, SendOptions, State};
use weft_testkit::{LinkConfig, Packet, Side};

use crate::common::{
    Duo, OUR_TAG, Victim, data_value, init_value, millis, open, packet, packets, payload, peers, read_all, seal, secs,
};

fn small() -> Config {
    Config { receive_buffer: 50_000, max_receive_entries: 500, max_message_size: 20_000, ..Config::rtc() }
}

/// Whole messages that nobody reads.
#[test]
fn messages_nobody_reads_are_bounded_by_bytes_and_entries() {
    for len in [1, 1000] {
        let mut victim = Victim::new(small());
        let text = vec![7; len];
        for n in 0..5000_u32 {
            let _ = victim.input(&[(kind::DATA, 7, &data_value(1000 + n, 0, 0, 53, &text))]);
            victim.output();
        }
        let held = core::iter::from_fn(|| victim.it.receive()).count();
        assert!(held <= 501 && held * (len + 64) <= 52_000, "{held} of {len} bytes");
        assert!(victim.it.stats().data_chunks_dropped > 4000);
    }
}

/// Gaps, beginnings without ends, ends without beginnings, numbers far ahead.
#[test]
fn pieces_that_never_fit_are_bounded() {
    for (step, flags) in [(2, 0), (2, 2), (2, 1), (1, 2), (2, 3), (1, 3)] {
        let mut victim = Victim::new(small());
        for n in 1..5000_u32 {
            let value = data_value(1000 + n * step, 0, (n * step) as u16, 53, &[9; 500]);
            if victim.input(&[(kind::DATA, flags, &value)]).is_err() {
                break;
            }
            for packet in victim.output() {
                assert!(packet.len() <= 1188);
            }
        }
        let stats = victim.it.stats();
        assert!(stats.data_chunks_received - stats.data_chunks_dropped < 400, "step {step} flags {flags}: {stats:?}");
        // All of it comes to nothing, and the association still works once the hole is filled.
        if victim.it.state() == State::Established {
            victim.input(&[(kind::DATA, 3, &data_value(1000, 1, 0, 53, b"fills the hole"))]).unwrap();
            let first = victim.it.receive().unwrap();
            assert_eq!(&first.payload[..], b"fills the hole");
        }
    }
}

/// Ordered messages that wait for one that was never sent: a peer that does so breaks the protocol, and is told.
#[test]
fn messages_that_wait_for_nothing_end_it() {
    let mut victim = Victim::new(small());
    let mut result = Ok(());
    for n in 0..5000_u32 {
        result = victim.input(&[(
            kind::DATA,
            3,
            &data_value(1000 + n, (n % 100) as u16, 9 + (n / 100) as u16, 53, &[1; 900]),
        )]);
        if result.is_err() {
            break;
        }
    }
    assert!(result.is_err());
    assert!(victim.it.stats().data_chunks_received < 300);
}

#[test]
fn a_message_beyond_the_limit_ends_it() {
    let mut victim = Victim::new(small());
    let mut n = 0;
    while victim.input(&[(kind::DATA, if n == 0 { 2 } else { 0 }, &data_value(1000 + n, 0, 0, 53, &[1; 1000]))]).is_ok()
    {
        n += 1;
        assert!(n <= 20);
    }
    assert_eq!(n, 20);
    assert_eq!(crate::common::kinds(&victim.output()[0]), [kind::ABORT]);
}

/// Fragments handed in from last to first: no quadratic copying, one message.
#[test]
fn fragments_in_reverse() {
    let mut victim = Victim::new(Config::rtc());
    for n in (0..3000_u32).rev() {
        let flags = if n == 0 { 2 } else { 0 } | u8::from(n == 2999);
        victim.input(&[(kind::DATA, flags, &data_value(1000 + n, 0, 0, 53, &n.to_be_bytes()))]).unwrap();
    }
    let message = victim.it.receive().unwrap();
    assert!(message.payload.chunks(4).enumerate().all(|(n, c)| c == (n as u32).to_be_bytes()));
}

#[test]
fn floods_of_control_chunks_queue_little() {
    let mut victim = Victim::new(Config::rtc());
    for n in 0..10_000_u32 {
        victim.input(&[(kind::HEARTBEAT, 0, &[0, 1, 0, 4]), (0xFE, 0, &[1, 2, 3])]).unwrap();
        let init = packet(0, &[(kind::INIT, 0, &init_value(n + 1, 1, &[]))]);
        victim.it.handle_input(victim.now, &init).unwrap();
    }
    assert!(victim.output().len() < 100);
}

#[test]
fn floods_of_resets_queue_little() {
    let mut victim = Victim::new(Config::rtc());
    for n in 0..5000_u32 {
        let mut value = vec![0, 13, 0, 20];
        value.extend((1000 + n).to_be_bytes());
        value.extend(0_u32.to_be_bytes());
        value.extend(5000_u32.to_be_bytes());
        value.extend([0, 1, 0, 2]);
        victim.input(&[(kind::RE_CONFIG, 0, &value)]).unwrap();
    }
    assert!(victim.output().len() < 10);
    assert!(crate::common::events(&mut victim.it).is_empty());
}

/// A trace of a whole life; every truncation and every bit flip of every packet goes into a live pair, which must carry
/// on as if nothing had happened.
#[test]
fn truncations_and_bit_flips_disturb_nothing() {
    let mut pair = peers(&Config { zero_checksum: false, ..Config::rtc() }, LinkConfig::with_delay_ms(5), 1);
    pair.capture();
    let (a, b) = open(&mut pair, weft_sctp::ChannelInit::default());
    for n in 0..10 {
        pair.a.layer.send(pair.now(), a, MessageKind::Binary, payload(n, 300)).unwrap();
    }
    pair.run_for(secs(1));
    let trace: Vec<_> = pair.trace().iter().map(|t| (t.from, t.packet.clone())).collect();
    assert!(trace.len() > 8);
    for (from, packet) in &trace {
        let path = packet.path;
        let to = from.other();
        for len in 0..packet.payload.len() {
            pair.inject(to, Packet::new(path, &packet.payload[..len]));
        }
        for bit in 0..packet.payload.len() * 8 {
            let mut bytes = packet.payload.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            pair.inject(to, Packet::new(path, bytes));
        }
        pair.run_for(millis(10));
    }
    pair.run_for(secs(1));
    assert!(pair.a.error.is_none() && pair.b.error.is_none());
    let mut got = read_all(&mut pair.b.layer, b);
    pair.a.layer.send(pair.now(), a, MessageKind::Binary, payload(10, 3000)).unwrap();
    pair.run_for(secs(1));
    got.extend(read_all(&mut pair.b.layer, b));
    assert_eq!(got.len(), 11);
    let stats = pair.b.layer.association().stats();
    assert!(stats.packets_dropped > 5000, "{stats:?}");
    let _ = Side::A;
}

/// The same with tags and checksums made right: anything may happen to the association but a panic, a hang, or growth.
#[test]
fn mutated_packets_with_right_checksums_never_panic() {
    let mut rng = Rng::from_test_seed(11);
    for round in 0..300 {
        let mut duo = Duo::new(&Config { receive_buffer: 100_000, ..Config::rtc() });
        duo.a.connect(duo.now);
        for _ in 0..12 {
            for stream in 0..3 {
                let options = SendOptions { ordered: stream != 1, ..SendOptions::default() };
                let _ = duo.a.send(duo.now, stream, 53, payload(stream.into(), 1 + rng.below(4000) as usize), options);
            }
            duo.a.reset_streams(duo.now, &[rng.below(3) as u16]);
            if rng.chance(0.05) {
                duo.b.shutdown(duo.now);
            }
            for from_a in [true, false] {
                let out = packets(if from_a { &mut duo.a } else { &mut duo.b }, duo.now);
                let to = if from_a { &mut duo.b } else { &mut duo.a };
                for mut packet in out {
                    if rng.chance(0.5) {
                        for _ in 0..=rng.below(3) {
                            let at = 12 + rng.below(packet.len() as u64 - 12) as usize;
                            packet[at] = rng.u32() as u8;
                        }
                        seal(&mut packet);
                    }
                    let _ = to.handle_input(duo.now, &packet);
                }
            }
            duo.now += millis(rng.below(2000));
            let _ = duo.a.handle_timeout(duo.now);
            let _ = duo.b.handle_timeout(duo.now);
            while duo.b.receive().is_some() {}
        }
        let stats = duo.b.stats();
        assert!(stats.buffered < 1 << 20, "round {round}: {stats:?}");
    }
}

#[test]
fn random_bytes_as_chunks_never_panic() {
    let mut rng = Rng::from_test_seed(5);
    let mut channels = DataChannels::new(Config::rtc(), rng.fork());
    for round in 0..3000 {
        let mut victim = Victim::new(small());
        for _ in 0..5 {
            let mut value = vec![0; rng.below(80) as usize];
            rng.fill(&mut value);
            let types = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 14, 130, 192, 255];
            let chunk = types[rng.below(types.len() as u64) as usize];
            let bytes = packet(if rng.chance(0.9) { victim.tag } else { OUR_TAG }, &[(chunk, rng.u32() as u8, &value)]);
            let _ = victim.it.handle_input(victim.now, &bytes);
            let _ = channels.handle_input(victim.now, &bytes);
            victim.output();
            if let Some(at) = victim.it.poll_timeout() {
                victim.now = victim.now.max(at);
            }
            let _ = victim.it.handle_timeout(victim.now);
        }
        assert!(victim.it.stats().buffered == 0, "round {round}");
    }
}
