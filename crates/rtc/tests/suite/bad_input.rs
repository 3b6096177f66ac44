//! Bad datagrams and bad descriptions never disturb a running connection.

use std::time::Duration;

use bytes::Bytes;
use weft_core::{Path, Rng};
use weft_rtc::{Config, DataChannelInit, Description, Error, IceCandidate, IceServer, MessageKind};
use weft_testkit::{A_V4, B_V4, Packet, Side, for_seeds};

#[cfg(unix)]
use crate::processor::by_thread;
use crate::support::{connected, link, negotiate, peers, peers_with};

/// Truncated, bit-flipped, spliced and random datagrams at every moment of a connection's life, from the peer's address
/// and from others. Only handshake messages in the clear are left alone: nobody can tell changed ones from the real ones
/// before Finished, which then rightly ends the handshake.
#[test]
fn garbage_neither_panics_nor_disturbs() {
    for_seeds("garbage_neither_panics_nor_disturbs", 5_000, |seed| {
        let mut rng = Rng::from_test_seed(seed);
        let mut pair = peers(link(4), seed);
        let id = pair.a.pc.create_data_channel(pair.now(), DataChannelInit::new("x")).unwrap();
        pair.capture();
        negotiate(&mut pair);
        let mut sent = 0_u32;
        for round in 0..200 {
            pair.run_for(Duration::from_micros(200 + rng.below(1500)));
            for _ in 0..rng.below(4) {
                let to = if rng.chance(0.5) { Side::A } else { Side::B };
                let packet = garbage(&mut rng, &pair, to);
                let handshake = matches!(packet.payload.first(), Some(20..=22));
                if !handshake || connected(&mut pair) {
                    pair.inject(to, packet);
                }
            }
            if round > 100 && connected(&mut pair) {
                let now = pair.now();
                let message = Bytes::from(sent.to_be_bytes().to_vec());
                if pair.a.pc.send(now, id, MessageKind::Binary, message).is_ok() {
                    sent += 1;
                }
            }
        }
        assert!(
            sent > 0,
            "never connected: {:?} {:?} {:?} {:?}",
            pair.a.pc.connection_state(),
            pair.b.pc.connection_state(),
            pair.a.events,
            pair.b.events
        );
        pair.run_until(Duration::from_secs(30), |p| p.b.messages.len() == sent as usize).unwrap();
        for (n, (_, message)) in pair.b.messages.iter().enumerate() {
            assert_eq!(message.data[..], (n as u32).to_be_bytes());
        }
    });
}

fn garbage(rng: &mut Rng, pair: &crate::support::Peers, to: Side) -> Packet {
    let path = match (to, rng.chance(0.8)) {
        (Side::A, true) => Path::udp(B_V4, A_V4),
        (Side::B, true) => Path::udp(A_V4, B_V4),
        (Side::A, false) => Path::udp("198.51.100.7:7".parse().unwrap(), A_V4),
        (Side::B, false) => Path::udp("198.51.100.7:7".parse().unwrap(), B_V4),
    };
    let trace: Vec<_> = pair.trace().iter().filter(|t| t.from != to).collect();
    let mut bytes = if trace.is_empty() || rng.chance(0.1) {
        let mut random = vec![0; rng.below(1300) as usize];
        rng.fill(&mut random);
        if let Some(first) = random.first_mut()
            && rng.chance(0.7)
        {
            *first = [0, 1, 20, 21, 22, 23, 25, 0x2f][rng.below(8) as usize];
        }
        random
    } else {
        trace[rng.below(trace.len() as u64) as usize].packet.payload.clone()
    };
    if !bytes.is_empty() {
        match rng.below(4) {
            0 => bytes.truncate(rng.below(bytes.len() as u64 + 1) as usize),
            1 => {
                for _ in 0..=rng.below(4) {
                    let at = rng.below(bytes.len() as u64) as usize;
                    bytes[at] ^= 1 << rng.below(8);
                }
            }
            2 => bytes.extend_from_within(..),
            _ => {} // a replay
        }
    }
    Packet::new(path, bytes)
}

#[test]
fn a_malformed_description_is_refused_with_line_and_reason() {
    let mut pair = peers(link(4), 1);
    let now = pair.now();
    let offer = pair.a.pc.create_offer().unwrap();
    pair.a.pc.set_local_description(now, Some(offer)).unwrap();
    let mut offer = pair.a.pc.local_description().unwrap();
    let good = offer.clone();
    offer.sdp = offer.sdp.replace("t=0 0", "t=0 nonsense");
    let error = pair.b.pc.set_remote_description(now, &offer).unwrap_err();
    assert!(matches!(error, Error::Negotiation(_)), "{error:?}");
    assert!(error.to_string().contains("line 4"), "{error}");
    // The connection is as it was.
    pair.b.pc.set_remote_description(now, &good).unwrap();
    assert!(pair.b.pc.create_answer().is_ok());
    assert!(pair.b.pc.set_remote_description(now, &Description::answer(good.sdp)).is_err());
}

//= rfc7983#7
//# If the value does not match any known range, then the packet MUST be dropped and an alert MAY be logged.
#[test]
fn unknown_first_bytes_are_dropped() {
    let mut pair = peers(link(4), 1);
    let id = pair.a.pc.create_data_channel(pair.now(), DataChannelInit::new("x")).unwrap();
    negotiate(&mut pair);
    pair.run_until(Duration::from_secs(5), |p| connected(p) && p.b.incoming().is_some()).unwrap();
    for first in (4..20).chain(64..=255) {
        let mut bytes = [0x55; 100];
        bytes[0] = first;
        pair.inject(Side::B, Packet::new(Path::udp(A_V4, B_V4), bytes));
    }
    pair.run_for(Duration::from_millis(50));
    assert_eq!(pair.b.pc.stats().counters.unknown_first_byte, 16 + 192);
    let now = pair.now();
    pair.a.pc.send(now, id, MessageKind::Text, Bytes::from_static(b"still here")).unwrap();
    pair.run_until(Duration::from_secs(5), |p| p.b.messages.len() == 1).unwrap();
}

#[test]
#[allow(clippy::reversed_empty_ranges)] // what it is about
fn settings_out_of_range_are_named() {
    type Break = fn(&mut Config);
    let cases: &[(&str, Break)] = &[
        ("max_datagram", |c| c.max_datagram = 511),
        ("max_datagram", |c| c.max_datagram = 65_508),
        ("max_message_size", |c| c.max_message_size = 0),
        ("send_buffer", |c| c.send_buffer = 0),
        ("interfaces", |c| c.interfaces = Some(Vec::new())),
        ("dtls_versions", |c| c.dtls_versions = Some(Vec::new())),
        ("dtls_groups", |c| c.dtls_groups = Some(Vec::new())),
        ("port_range", |c| c.port_range = Some(5_000..=4_999)),
        ("port_range", |c| c.port_range = Some(0..=10)),
        ("port and port_range", |c| (c.port, c.port_range) = (1, Some(5..=6))),
        ("max_remote_candidates", |c| c.max_remote_candidates = 0),
        ("max_remote_candidates", |c| c.max_remote_candidates = 10_001),
        ("max_candidate_pairs", |c| c.max_candidate_pairs = 0),
        ("max_candidate_pairs", |c| c.max_candidate_pairs = 10_001),
        ("dns_servers", |c| c.dns_servers = vec!["192.0.2.1:0".parse().unwrap()]),
        ("dns_servers", |c| c.dns_servers = vec!["192.0.2.1:53".parse().unwrap(); 9]),
        ("busy_poll", |c| c.busy_poll = Duration::from_millis(101)),
        ("TURN", |c| c.ice_servers = vec![turn_without_credentials()]),
    ];
    assert!(Config::default().validate().is_ok());
    for (named, break_it) in cases {
        let mut config = Config::default();
        break_it(&mut config);
        let Err(Error::Config(what)) = config.validate() else { panic!("{named} was taken") };
        assert!(what.contains(named), "{named}: {what}");
        // And nothing is made of it.
        let made = weft_rtc::sans_io::PeerConnection::new(weft_core::Instant::ORIGIN, config, Rng::from_test_seed(1));
        assert!(matches!(made, Err(Error::Config(again)) if again == what));
    }
    // The ends of the ranges are inside.
    let mut config = Config::default();
    (config.max_datagram, config.max_message_size, config.send_buffer) = (512, 1, 1);
    (config.max_remote_candidates, config.max_candidate_pairs) = (1, 10_000);
    config.port_range = Some(1..=1);
    assert!(config.validate().is_ok());
}

/// Candidates in the description, trickled, and before there is one, where `limit` of them are kept.
#[test]
fn candidates_are_kept_up_to_the_limit_and_ignored_beyond() {
    for limit in [10, 128, 300] {
        let mut config = Config::default();
        config.max_remote_candidates = limit;
        let candidate = |n: usize| IceCandidate {
            candidate: format!("candidate:1 1 udp {} 192.0.2.{} {} typ host", 1_000 - n, n % 250, 5_000 + n),
            sdp_mid: Some("0".to_owned()),
            ..IceCandidate::default()
        };
        let offer = |count: usize| {
            let mut pair = peers(link(4), 1);
            let now = pair.now();
            pair.a.pc.set_local_description(now, None).unwrap();
            let mut offer = pair.a.pc.local_description().unwrap();
            offer.sdp = offer
                .sdp
                .lines()
                .filter(|line| !line.starts_with("a=candidate") && !line.starts_with("a=end-of"))
                .fold(String::new(), |sdp, line| sdp + line + "\r\n");
            offer.sdp.extend((0..count).map(|n| format!("a={}\r\n", candidate(n).candidate)));
            offer
        };
        let answered = |early: usize, described: usize, trickled: usize| {
            let mut pair = peers_with(link(4), 1, config.clone(), config.clone());
            let now = pair.now();
            let pc = &mut pair.a.pc;
            (0..early).for_each(|n| pc.add_ice_candidate(now, &candidate(n)).unwrap());
            pc.set_remote_description(now, &offer(described))?;
            pc.set_local_description(now, None)?;
            (0..trickled).for_each(|n| pc.add_ice_candidate(now, &candidate(n)).unwrap());
            let report = pc.stats_report(now);
            Ok::<_, Error>((report.remote_candidates.len(), pc.stats().counters.ignored_candidates as usize))
        };
        let beyond = limit.max(128);
        let (kept, ignored) = answered(0, beyond, 0).unwrap();
        assert_eq!((kept, ignored > 0), (limit, beyond > limit));
        assert!(matches!(answered(0, beyond + 1, 0), Err(Error::Negotiation(_))), "{limit}");
        assert_eq!(answered(0, 0, limit + 50).unwrap(), (limit, 50));
        assert_eq!(answered(limit + 50, 0, 0).unwrap(), (limit, 50));
    }
}

/// Applying an offer of each size and answering it, and candidates one by one, within the default limits and beyond.
#[cfg(unix)]
#[test]
fn negotiating_takes_time_in_proportion() {
    let now = weft_core::Instant::ORIGIN;
    let certificate = std::sync::Arc::new(weft_rtc::Certificate::generate().unwrap());
    let peer = || {
        let config = Config::default().with_certificate(certificate.clone());
        let mut pc = weft_rtc::sans_io::PeerConnection::new(now, config, Rng::from_test_seed(1)).unwrap();
        pc.add_host_address(now, B_V4);
        pc
    };
    let mut offerer = peers(link(4), 1).a.pc;
    offerer.set_local_description(now, None).unwrap();
    let offer = offerer.local_description().unwrap();
    let ended = "a=end-of-candidates\r\n";
    let with = |count: usize, line: &dyn Fn(usize) -> String| {
        let mut offer = offer.clone();
        offer.sdp = offer.sdp.replace(ended, "");
        offer.sdp.extend((0..count).map(line));
        offer
    };
    let address = |n: usize| format!("candidate:1 1 udp {} 192.0.2.{} {} typ host", n + 1, n % 250, 1_000 + n);
    let answer = |offer: &Description| {
        let mut pc = peer();
        pc.set_remote_description(now, offer).unwrap();
        pc.set_local_description(now, None).unwrap();
        pc
    };
    let candidates = |count| with(count, &|n| format!("a={}\r\n", address(n)));
    let attributes = |count| with(count, &|n| format!("a=x-{n}:1\r\n"));
    let sections = |count| with(count, &|n| format!("m=audio 9 RTP/AVP 0\r\na=mid:audio-{n}\r\n"));
    assert_linear("candidates", 16, || answer(&candidates(7)), || answer(&candidates(112)));
    assert_linear("attributes", 16, || answer(&attributes(120)), || answer(&attributes(1_920)));
    assert_linear("sections", 16, || answer(&sections(15)), || answer(&sections(240)));
    let trickle = |count: usize| {
        let mut pc = answer(&with(0, &|_| String::new()));
        for n in 0..count {
            let candidate =
                IceCandidate { candidate: address(n), sdp_mid: Some("0".into()), ..IceCandidate::default() };
            pc.add_ice_candidate(now, &candidate).unwrap();
        }
        pc
    };
    assert_linear("trickled", 16, || trickle(500), || trickle(8_000));
}

/// The cheapest of a few runs each, in time of this thread's own. What is quadratic takes the square of `times` as long.
#[cfg(unix)]
fn assert_linear<T>(name: &str, times: u32, small: impl Fn() -> T, large: impl Fn() -> T) {
    let run = |work: &dyn Fn() -> T| {
        let start = by_thread();
        let done = std::hint::black_box(work());
        let took = by_thread().saturating_sub(start);
        drop(done);
        took
    };
    let least = |work: &dyn Fn() -> T| (0..5).map(|_| run(work)).min().unwrap();
    let (small, large) = (least(&small), least(&large));
    println!("{name}: {small:?}, then {large:?}");
    assert!(large < small.max(Duration::from_micros(2)) * times * 6, "{name}: {small:?}, then {large:?}");
}

fn turn_without_credentials() -> IceServer {
    IceServer { urls: vec!["turn:192.0.2.1".parse().unwrap()], credentials: None }
}
