//! Figures from all three faces, and the packets in a file.

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::timeout;
use weft_rtc::dtls::{Fingerprint, HashAlgorithm, ProtocolVersion};
use weft_rtc::ice::{CandidateKind, CheckState, Role};
use weft_rtc::polled::{ChannelOptions, ChannelState as PolledState};
use weft_rtc::{
    Capture, ChannelState, Config, DataChannelInit, DtlsState, IceConnectionState, MessageKind, PeerConnection,
    StatsReport,
};
use weft_testkit::{LinkConfig, Loss};

use crate::support::{connected, link, negotiate, peers, peers_with};

/// What must hold of any connected peer with one channel, whatever the face.
fn check(report: &StatsReport) {
    let transport = &report.transport;
    assert!(transport.packets_sent > 3 && transport.bytes_sent > transport.packets_sent);
    assert!(transport.packets_received > 3 && transport.bytes_received > transport.packets_received);
    assert!(matches!(transport.ice_state, IceConnectionState::Connected | IceConnectionState::Completed));
    assert_eq!((transport.dtls_state, transport.tls_version), (DtlsState::Connected, Some(ProtocolVersion::DTLS_1_3)));
    assert!(transport.dtls_cipher.is_some() && transport.dtls_group.is_some() && transport.dtls_role.is_some());
    assert!(transport.ice_local_username_fragment.len() >= 4);
    assert!(transport.selected_candidate_pair_changes >= 1);

    let selected: Vec<_> = report.candidate_pairs.iter().filter(|pair| pair.selected).collect();
    assert_eq!(selected.len(), 1, "{:?}", report.candidate_pairs);
    assert_eq!(selected[0].state, CheckState::Succeeded);
    assert!(selected[0].info.nominated && selected[0].info.rtt.is_some() && selected[0].priority > 0);
    let local = report.local_candidates.iter().find(|known| known.candidate == selected[0].info.local).unwrap();
    let remote = report.remote_candidates.iter().find(|known| known.candidate == selected[0].info.remote).unwrap();
    assert_eq!(local.username_fragment.as_ref(), Some(&transport.ice_local_username_fragment));
    assert!(
        remote
            .username_fragment
            .as_ref()
            .is_some_and(|ufrag| ufrag.len() >= 4 && *ufrag != transport.ice_local_username_fragment)
    );
    assert!([local, remote].iter().all(|candidate| candidate.url.is_none() && candidate.relay_protocol.is_none()));

    assert_eq!(selected[0].info.local.kind, CandidateKind::Host);
    let checks = selected[0].checks;
    assert!(checks.requests_sent > 0 && checks.responses_received > 0, "{checks:?}");
    assert!(selected[0].total_round_trip_time > Duration::ZERO, "{checks:?}");
    // It may have been selected just now.
    let traffic = report.selected_pair_traffic;
    assert!(traffic.packets_sent < transport.packets_sent, "{traffic:?} of {transport:?}");
    assert!(traffic.packets_received < transport.packets_received, "{traffic:?} of {transport:?}");
    assert!(traffic.bytes_sent < transport.bytes_sent, "{traffic:?} of {transport:?}");
    assert!(traffic.bytes_received < transport.bytes_received, "{traffic:?} of {transport:?}");

    for certificate in [Some(&report.local_certificate), report.remote_certificate.as_ref()] {
        let certificate = certificate.expect("both have shown one");
        assert_eq!(certificate.fingerprint, Fingerprint::of(HashAlgorithm::Sha256, &certificate.der));
    }
    assert_ne!(Some(&report.local_certificate), report.remote_certificate.as_ref());

    let sctp = report.sctp_transport.as_ref().expect("the association is up");
    assert!(sctp.congestion_window > 1_000 && sctp.receiver_window > 100_000 && sctp.mtu >= 1_100);
    assert!(sctp.smoothed_round_trip_time.is_some_and(|rtt| rtt > Duration::ZERO));
    assert!(sctp.retransmission_timeout > Duration::ZERO);

    assert_eq!((report.data_channels_opened, report.data_channels_closed), (1, 0));
    let [channel] = &report.data_channels[..] else { panic!("{:?}", report.data_channels) };
    assert_eq!((channel.label.as_str(), channel.protocol.as_str(), channel.state), ("x", "p", ChannelState::Open));
    assert!(channel.data_channel_identifier.is_some());
}

#[test]
fn sans_io_counts_what_passed_and_was_lost() {
    let lossy = LinkConfig { loss: Loss::Random(0.1), ..link(40) };
    let mut pair = peers(lossy, 11);
    let init = DataChannelInit { protocol: "p".to_owned(), ..DataChannelInit::new("x") };
    let id = pair.a.pc.create_data_channel(pair.now(), init).unwrap();
    let fresh = pair.a.pc.stats_report(pair.now());
    assert!(fresh.candidate_pairs.is_empty() && fresh.sctp_transport.is_none() && fresh.remote_certificate.is_none());
    assert_eq!((fresh.data_channels_opened, fresh.data_channels[0].state), (0, ChannelState::Connecting));
    negotiate(&mut pair);
    pair.run_until(Duration::from_secs(30), |p| connected(p) && p.b.incoming().is_some()).unwrap();
    for _ in 0..100 {
        let now = pair.now();
        pair.a.pc.send(now, id, MessageKind::Binary, Bytes::from_static(&[1; 1_000])).unwrap();
        pair.run_for(Duration::from_millis(20));
    }
    pair.run_until(Duration::from_secs(30), |p| p.b.messages.len() == 100).unwrap();
    pair.run_for(Duration::from_secs(1));
    let (a, b) = (pair.a.pc.stats_report(pair.now()), pair.b.pc.stats_report(pair.now()));
    check(&a);
    check(&b);
    assert_eq!((a.transport.ice_role, b.transport.ice_role), (Role::Controlling, Role::Controlled));
    assert_eq!(a.local_certificate.der, b.remote_certificate.unwrap().der);
    let (out, come) = (a.data_channels[0].traffic, b.data_channels[0].traffic);
    assert_eq!((out.messages_sent, out.bytes_sent, out.messages_received), (100, 100_000, 0));
    assert_eq!((come.messages_received, come.bytes_received, come.messages_sent), (100, 100_000, 0));
    let sctp = a.sctp_transport.unwrap();
    assert!(sctp.retransmissions > 3 && sctp.losses > 0 && sctp.in_flight == 0, "{sctp:?}");
    let rtt = sctp.smoothed_round_trip_time.unwrap();
    assert!((Duration::from_millis(35)..Duration::from_millis(300)).contains(&rtt), "{rtt:?}");

    let now = pair.now();
    pair.a.pc.close_data_channel(now, id);
    pair.run_for(Duration::from_secs(2));
    let a = pair.a.pc.stats_report(pair.now());
    assert_eq!((a.data_channels_opened, a.data_channels_closed, a.data_channels.len()), (1, 1, 0));
}

/// Checks of a pair on a path without loss, where each is answered; then consent; then traffic, which is the pair's alone.
#[test]
fn pairs_count_their_checks_and_the_selected_one_its_data() {
    let mut pair = peers(link(40), 12);
    let id = pair.a.pc.create_data_channel(pair.now(), DataChannelInit::new("x")).unwrap();
    assert_eq!(pair.a.pc.stats_report(pair.now()).selected_pair_traffic, weft_rtc::sans_io::PairTraffic::default());
    negotiate(&mut pair);
    pair.run_until(Duration::from_secs(30), |p| connected(p) && p.b.incoming().is_some()).unwrap();
    pair.run_for(Duration::from_secs(30));
    let of = |report: &StatsReport| *report.candidate_pairs.iter().find(|pair| pair.selected).unwrap();
    let (a, b) = (pair.a.pc.stats_report(pair.now()), pair.b.pc.stats_report(pair.now()));
    for (ours, theirs) in [(of(&a), of(&b)), (of(&b), of(&a))] {
        let round_trips = ours.total_round_trip_time;
        let (ours, theirs) = (ours.checks, theirs.checks);
        assert!(ours.requests_sent > 0 && ours.consent_requests_sent >= 4, "{ours:?}");
        let sent = ours.requests_sent + ours.consent_requests_sent;
        // The first ones come before there is a pair to count them for.
        assert!((sent - 1..=sent).contains(&theirs.requests_received), "{ours:?} {theirs:?}");
        assert_eq!(theirs.responses_sent, ours.responses_received, "{ours:?} {theirs:?}");
        assert_eq!(round_trips, Duration::from_millis(40) * ours.responses_received);
    }

    // What goes by the pair is what is no check: 100 messages are as many datagrams, and some acknowledgements.
    for _ in 0..100 {
        let now = pair.now();
        pair.a.pc.send(now, id, MessageKind::Binary, Bytes::from_static(&[1; 1_000])).unwrap();
        pair.run_for(Duration::from_millis(20));
    }
    pair.run_for(Duration::from_secs(1));
    let (after, there) = (pair.a.pc.stats_report(pair.now()), pair.b.pc.stats_report(pair.now()));
    let (before, now) = (a.selected_pair_traffic, after.selected_pair_traffic);
    let sent = now.packets_sent - before.packets_sent;
    assert!((100..=103).contains(&sent), "{sent}");
    assert!((100_000..110_000).contains(&(now.bytes_sent - before.bytes_sent)));
    assert_eq!(there.selected_pair_traffic.packets_received, now.packets_sent);
    assert_eq!(there.selected_pair_traffic.bytes_received, now.bytes_sent);
    assert_eq!(there.selected_pair_traffic.bytes_sent, now.bytes_received);
}

#[tokio::test]
async fn async_handles_tell_the_same() {
    let config = Config::default().with_loopback(true);
    let (a, b) = (PeerConnection::new(config.clone()).unwrap(), PeerConnection::new(config).unwrap());
    let init = DataChannelInit { protocol: "p".to_owned(), ..DataChannelInit::new("x") };
    let channel = a.create_data_channel(init).unwrap();
    let answer = b.answer(&a.offer().await.unwrap()).await.unwrap();
    a.set_remote_description(&answer).unwrap();
    channel.send_text("hello").await.unwrap();
    let there = timeout(Duration::from_secs(20), b.accept()).await.unwrap().unwrap();
    timeout(Duration::from_secs(20), there.recv()).await.unwrap().unwrap();
    // One acknowledgement back, so that there is a round trip on both sides.
    there.send_text("you too").await.unwrap();
    timeout(Duration::from_secs(20), channel.recv()).await.unwrap().unwrap();
    for peer in [&a, &b] {
        for _ in 0..200 {
            if peer.stats_report().sctp_transport.is_some_and(|sctp| sctp.smoothed_round_trip_time.is_some()) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        check(&peer.stats_report());
    }
    let traffic = a.stats_report().data_channels[0].traffic;
    assert_eq!((traffic.messages_sent, traffic.bytes_sent), (1, 5));
    assert_eq!((traffic.messages_received, traffic.bytes_received), (1, 7));
}

#[test]
fn polled_peers_tell_the_same() {
    let options = ChannelOptions { protocol: "p".to_owned(), ..ChannelOptions::default() };
    let mut couple = crate::polled::Couple::new();
    assert!(couple.a.stats_report().is_none());
    let mut hers = couple.a.create_data_channel("x", &options).unwrap();
    couple.a.create_offer().unwrap();
    couple.until("open", |c| hers.ready_state() == PolledState::Open && !c.received.is_empty());
    hers.put_packet(b"hello").unwrap();
    couple.received[0].put_packet(b"you too").unwrap();
    couple.until("both came", |c| hers.available_packet_count() + c.received[0].available_packet_count() == 2);
    couple.until("a round trip", |c| {
        // What comes by a pair may be used before its own check is answered.
        let known = |report: StatsReport| {
            report.sctp_transport.is_some_and(|s| s.smoothed_round_trip_time.is_some())
                && report
                    .candidate_pairs
                    .iter()
                    .any(|pair| pair.selected && pair.info.nominated && pair.info.rtt.is_some())
        };
        c.a.stats_report().is_some_and(known) && c.b.stats_report().is_some_and(known)
    });
    check(&couple.a.stats_report().unwrap());
    check(&couple.b.stats_report().unwrap());
}

/// A file in memory.
#[derive(Clone, Default)]
struct Memory(Arc<Mutex<Vec<u8>>>);

impl Write for Memory {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// A packet of a capture.
struct Captured {
    interface: usize,
    nanos: u64,
    outbound: bool,
    data: Vec<u8>,
}

/// Reads pcapng as its specification says, and nothing else: names and link types of interfaces, and packets.
fn read_pcapng(file: &[u8]) -> (Vec<(u16, String)>, Vec<Captured>) {
    let u16_at = |at: usize| u16::from_le_bytes(file[at..at + 2].try_into().unwrap());
    let u32_at = |at: usize| u32::from_le_bytes(file[at..at + 4].try_into().unwrap());
    let options = |mut at: usize, end: usize| {
        let mut found = Vec::new();
        while at < end && u16_at(at) != 0 {
            let len = usize::from(u16_at(at + 2));
            found.push((u16_at(at), file[at + 4..at + 4 + len].to_vec()));
            at += 4 + len.next_multiple_of(4);
        }
        assert_eq!(at + 4, end, "opt_endofopt is the last");
        found
    };
    let (mut interfaces, mut packets, mut at) = (Vec::new(), Vec::new(), 0);
    while at < file.len() {
        let len = u32_at(at + 4) as usize;
        assert!(len.is_multiple_of(4) && u32_at(at + len - 4) as usize == len, "the length is at both ends");
        match u32_at(at) {
            0x0A0D_0D0A => assert_eq!((at, u32_at(8), u16_at(12), u16_at(14)), (0, 0x1A2B_3C4D, 1, 0)),
            1 => {
                let options = options(at + 16, at + len - 4);
                let name = options.iter().find(|option| option.0 == 2).unwrap().1.clone();
                assert!(options.contains(&(9, vec![9])), "nanoseconds");
                interfaces.push((u16_at(at + 8), String::from_utf8(name).unwrap()));
            }
            6 => {
                let captured = u32_at(at + 20) as usize;
                assert_eq!(captured, u32_at(at + 24) as usize);
                let options = options(at + 28 + captured.next_multiple_of(4), at + len - 4);
                let flags = u32::from_le_bytes(options[0].1[..].try_into().unwrap());
                assert!(options[0].0 == 2 && matches!(flags, 1 | 2));
                packets.push(Captured {
                    interface: u32_at(at + 8) as usize,
                    nanos: u64::from(u32_at(at + 12)) << 32 | u64::from(u32_at(at + 16)),
                    outbound: flags == 2,
                    data: file[at + 28..at + 28 + captured].to_vec(),
                });
            }
            other => panic!("block type {other:#x}"),
        }
        at += len;
    }
    (interfaces, packets)
}

/// A captured transfer, and how many packets each side has sent and received.
fn captured() -> (Vec<u8>, [weft_rtc::Stats; 2]) {
    let memory = Memory::default();
    let mut config = Config::default();
    config.capture = Some(Capture::new(memory.clone()).unwrap());
    let mut pair = peers_with(link(20), 5, config.clone(), config);
    let id = pair.a.pc.create_data_channel(pair.now(), DataChannelInit::new("x")).unwrap();
    negotiate(&mut pair);
    pair.run_until(Duration::from_secs(5), |p| connected(p) && p.b.incoming().is_some()).unwrap();
    let now = pair.now();
    let message = Bytes::from("the content of a message ".repeat(200));
    pair.a.pc.send(now, id, MessageKind::Text, message).unwrap();
    pair.run_until(Duration::from_secs(5), |p| p.b.messages.len() == 1).unwrap();
    pair.run_for(Duration::from_secs(1));
    let stats = [pair.a.pc.stats(), pair.b.pc.stats()];
    let file = memory.0.lock().unwrap().clone();
    (file, stats)
}

#[test]
fn what_passes_is_written_as_pcapng_down_to_sctp() {
    let (file, stats) = captured();
    let (interfaces, packets) = read_pcapng(&file);
    assert_eq!(interfaces.iter().map(|interface| interface.0).collect::<Vec<_>>(), [248, 248]);
    assert_ne!(interfaces[0].1, interfaces[1].1);
    assert!(packets.iter().map(|packet| packet.nanos).is_sorted());
    for (n, stats) in stats.iter().enumerate() {
        let count = |outbound| packets.iter().filter(|p| p.interface == n && p.outbound == outbound).count() as u64;
        assert_eq!((count(true), count(false)), (stats.sctp.packets_sent, stats.sctp.packets_received));
    }
    for packet in &packets {
        // Source and destination port, Verification Tag, checksum, then the first chunk (RFC 9260 section 3).
        assert_eq!(packet.data[..4], [0x13, 0x88, 0x13, 0x88]);
        let chunk = usize::from(u16::from_be_bytes([packet.data[14], packet.data[15]]));
        assert!(chunk >= 4 && 12 + chunk <= packet.data.len());
    }
    assert_eq!(packets[0].data[12], 1, "INIT comes first");
    let contains = |bytes: &[u8]| packets.iter().any(|p| p.data.windows(bytes.len()).any(|window| window == bytes));
    assert!(contains(b"the content of a message"));
}

/// Where Wireshark's `tshark` is installed, it reads the file and knows the protocol.
#[test]
fn wireshark_reads_the_capture() {
    let Ok(version) = std::process::Command::new("tshark").arg("--version").output() else {
        assert!(std::env::var_os("CI").is_none(), "CI installs tshark");
        println!("NOT RUN: there is no tshark (Debian: apt-get install tshark)");
        return;
    };
    assert!(version.status.success());
    let path = std::env::temp_dir().join(format!("weft-capture-{}.pcapng", std::process::id()));
    let (file, stats) = captured();
    std::fs::write(&path, file).unwrap();
    let mut tshark = std::process::Command::new("tshark");
    tshark.args(["-T", "fields", "-e", "frame.protocols", "-e", "sctp.chunk_type", "-r"]).arg(&path);
    let output = tshark.output().unwrap();
    std::fs::remove_file(&path).unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let packets: u64 = stats.iter().map(|stats| stats.sctp.packets_sent + stats.sctp.packets_received).sum();
    assert_eq!(text.lines().count() as u64, packets);
    assert!(text.lines().all(|line| line.starts_with("sctp")), "{text}");
}

#[test]
fn a_capture_that_cannot_be_written_disturbs_nothing() {
    struct Full(usize);
    impl Write for Full {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 = self.0.checked_sub(bytes.len()).ok_or(std::io::ErrorKind::StorageFull)?;
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    assert!(Capture::new(Full(10)).is_err());
    let mut config = Config::default();
    config.capture = Some(Capture::new(Full(400)).unwrap());
    let mut pair = peers_with(link(20), 5, config, Config::default());
    pair.a.pc.create_data_channel(pair.now(), DataChannelInit::new("x")).unwrap();
    negotiate(&mut pair);
    pair.run_until(Duration::from_secs(5), |p| connected(p) && p.b.incoming().is_some()).unwrap();
}
