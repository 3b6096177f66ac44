//! What broke in other stacks, by the name of the thread or advisory.

use weft_core::Layer;
use weft_sctp::wire::{Params, kind, param};
use weft_sctp::{ChannelInit, Config, MessageKind, Reliability};
use weft_testkit::{LinkConfig, Loss};

use crate::common::{
    Duo, Victim, data_value, init_value, kinds, open, packet, payload, peers, read_all, secs, transfer,
};

/// CVE-2019-20503, CVE-2020-6831: parameters of every length, in INIT and INIT ACK.
#[test]
fn cve_2019_20503_init_parameter_lengths() {
    let mut victim = Victim::new(Config::rtc());
    let kinds = [0, 1, 5, 6, 7, 8, 9, 11, 12, 0x8001, 0x8002, 0x8003, 0x8004, 0x8008, 0xC000, 0xC006];
    for kind_of in kinds {
        for len in 0..80_u16 {
            for body in [0, 4, 20] {
                let mut params = (kind_of as u16).to_be_bytes().to_vec();
                params.extend(len.to_be_bytes());
                params.extend(vec![0xFF; body]);
                assert!(Params::new(&params).count() <= 1 + body / 4);
                let init = packet(0, &[(kind::INIT, 0, &init_value(3, 3, &params))]);
                victim.it.handle_input(victim.now, &init).unwrap();
                assert!(victim.output().len() <= 1);
            }
        }
    }
    let _ = param::STATE_COOKIE;
}

/// sipsorcery#1758: a chunk of length 0 made an endless loop.
#[test]
fn sipsorcery_1758_zero_length_chunk() {
    let mut victim = Victim::new(Config::rtc());
    for len in 0..4 {
        let mut bytes = packet(victim.tag, &[(kind::HEARTBEAT, 0, &[0, 1, 0, 4]), (kind::DATA, 0, &[])]);
        let at = bytes.len() - 1;
        bytes[at] = len;
        crate::common::seal(&mut bytes);
        victim.it.handle_input(victim.now, &bytes).unwrap();
        // What stands before it counts (RFC 9260 section 6.10: "it MUST drop the chunk").
        let answers = victim.output();
        assert_eq!(answers.len(), 1);
        assert_eq!(kinds(&answers[0]), [kind::HEARTBEAT_ACK]);
        assert_eq!(victim.it.stats().chunks_dropped, u64::from(len) + 1);
    }
}

/// pion/sctp#104, #106, #138: partial reliability and unordered delivery under loss stalled for ever.
#[test]
fn pion_sctp_138_pion_webrtc_1270_partial_reliability_under_loss_stays_alive() {
    for loss in [0.04, 0.1] {
        let link = LinkConfig { loss: Loss::Random(loss), ..LinkConfig::with_delay_ms(30) };
        let config = Config { receive_buffer: 60_000, max_receive_buffer: 60_000, ..Config::rtc() };
        let mut pair = peers(&config, link, 6);
        let init =
            ChannelInit { ordered: false, reliability: Reliability::MaxRetransmits(0), ..ChannelInit::default() };
        let (a, b) = open(&mut pair, init);
        let (mut total, mut silent) = (0, 0);
        for second in 0..30 {
            for n in 0..40 {
                let _ = pair.a.layer.send(pair.now(), a, MessageKind::Binary, payload(n, 4000));
            }
            pair.run_for(secs(1));
            let got = read_all(&mut pair.b.layer, b).len();
            total += got;
            silent = if got > 0 { 0 } else { silent + 1 };
            assert!(silent < 5, "nothing for {silent} s in second {second}");
        }
        assert!(total > 150, "{total}");
        pair.run_for(secs(20));
        read_all(&mut pair.b.layer, b);
        assert_eq!(pair.b.layer.association().stats().a_rwnd, 60_000, "no room leaks");
    }
}

/// usrsctp#137: receive-buffer accounting stopped the transfer after about 64 MB.
#[test]
fn usrsctp_137_accounting_does_not_leak() {
    let config = Config { receive_buffer: 200_000, max_receive_buffer: 200_000, ..Config::rtc() };
    let link = LinkConfig { loss: Loss::Random(0.001), ..LinkConfig::with_delay_ms(1) };
    let mut pair = peers(&config, link, 3);
    transfer(&mut pair, 1500, |n| 1 + (n as usize * 7919) % 90_000, 600);
    pair.run_for(secs(2));
    assert_eq!(pair.b.layer.association().stats().a_rwnd, 200_000);
    assert_eq!(pair.a.layer.association().stats().buffered, 0);
}

/// pion/sctp#443: entries without content cost nothing and piled up.
#[test]
fn pion_sctp_443_entries_are_counted() {
    let mut victim = Victim::new(Config { max_receive_entries: 100, ..Config::rtc() });
    for n in 1..2000_u32 {
        victim.input(&[(kind::DATA, 2, &data_value(1000 + 2 * n, 0, 0, 53, b"."))]).unwrap();
    }
    let stats = victim.it.stats();
    assert!(stats.data_chunks_received - stats.data_chunks_dropped <= 101, "{stats:?}");
    assert_eq!(stats.a_rwnd, 0);
}

/// libdatachannel#603, rawrtc#123: 65,535 streams cost megabytes before any was used.
#[test]
fn libdatachannel_603_node_datachannel_43_streams_cost_nothing_until_used() {
    let mut duo = Duo::connected(&Config::rtc());
    assert_eq!((duo.a.out_streams(), duo.a.in_streams()), (65_535, 65_535));
    for stream in [0, 65_534, 30_000] {
        duo.a.send(duo.now, stream, 53, payload(1, 10), weft_sctp::SendOptions::default()).unwrap();
    }
    duo.settle();
    let mut streams: Vec<u16> = core::iter::from_fn(|| duo.b.receive()).map(|m| m.stream).collect();
    streams.sort_unstable();
    assert_eq!(streams, [0, 30_000, 65_534]);
}

/// str0m#883: data on a stream whose reset was not done.
#[test]
fn str0m_883_open_and_close_under_stress() {
    let link = LinkConfig { loss: Loss::Random(0.1), ..LinkConfig::with_delay_ms(10) };
    let mut pair = peers(&Config::rtc(), link, 8);
    let mut open_now = Vec::new();
    for n in 0..400_u32 {
        let now = pair.now();
        let id = pair.a.layer.open(now, ChannelInit { label: n.to_string(), ..ChannelInit::default() }).unwrap();
        pair.a.layer.send(now, id, MessageKind::Text, payload(n, 100)).unwrap();
        open_now.push(id);
        if n % 3 == 0 {
            let id = open_now.remove(0);
            pair.a.layer.close(now, id);
        }
        if n % 5 == 0
            && let Some(id) = pair.b.layer.ids().first().copied()
        {
            pair.b.layer.close(now, id);
        }
        pair.run_for(crate::common::millis(7));
    }
    for id in open_now {
        pair.a.layer.close(pair.now(), id);
    }
    pair.run_until(secs(300), |pair| {
        for id in pair.b.layer.ids() {
            read_all(&mut pair.b.layer, id);
        }
        pair.a.layer.ids().is_empty() && pair.b.layer.ids().is_empty()
    })
    .unwrap_or_else(|stalled| {
        let state = |channels: &weft_sctp::DataChannels| -> Vec<String> {
            channels.ids().into_iter().map(|id| format!("{:?}", channels.info(id))).collect()
        };
        panic!("{stalled}\n{:?}\n{:?}", state(&pair.a.layer), state(&pair.b.layer))
    });
    assert_eq!(pair.b.layer.dropped_messages(), 0);
}
