//! The table of behaviour and errors of Godot's `WebRTCPeerConnection` and `WebRTCDataChannel`: a test for each row.
//!
//! | row | test |
//! |---|---|
//! | initialize, fine | `initialize_fine`, `after_close_initialize` |
//! | iceServers entry not a dictionary | `peer::tests::ice_servers` of `weft-godot` |
//! | entry without urls, or urls of wrong type | `initialize_entry_without_urls`; the type in `peer::tests::ice_servers` |
//! | malformed URL | `initialize_malformed_url`, `initialize_unknown_scheme`, `initialize_turn_without_credentials` |
//! | iceServers not an array | `peer::tests::ice_servers` |
//! | create_data_channel outside NEW | `create_data_channel_outside_new` |
//! | negotiated without id, or id without negotiated | `create_data_channel_negotiated_without_id`, `create_data_channel_id_without_negotiated` |
//! | both maxRetransmits and maxPacketLifeTime | `create_data_channel_both_limits` |
//! | option value of wrong type | `peer::tests::options_of_a_channel` |
//! | create_offer outside NEW | `create_offer_outside_new` |
//! | create_offer with no channel | `create_offer_with_no_channel` |
//! | create_offer twice before ICE starts | `create_offer_twice_before_ice_starts` |
//! | set_remote_description("offer") outside NEW | `set_remote_description_offer_outside_new`; unlike the reference, `set_remote_description_offer_once_connected` |
//! | unparsable sdp or type | `set_remote_description_unparsable_sdp`, `set_remote_description_unparsable_type` |
//! | "answer" with no offer made | `set_remote_description_answer_with_no_offer_made` |
//! | set_local_description | `set_local_description`, `set_local_description_of_nothing` |
//! | add_ice_candidate unparsable | `add_ice_candidate_unparsable`, `add_ice_candidate_negative_index` |
//! | add_ice_candidate before remote description | `add_ice_candidate_before_remote_description`, `early_candidates_are_bounded` |
//! | duplicate candidate | `add_ice_candidate_duplicate` |
//! | poll | `poll_of_a_new_peer` |
//! | after close: state | `states_new_connecting_connected_closed` |
//! | after close: create_offer, poll, channel creation | `after_close_create_offer`, `after_close_poll`, `after_close_channel_creation` |
//! | create_answer (C interface only) | `godot3::peer::tests::create_answer_is_not_offered` of `weft-godot` |
//! | who emits when | `nothing_is_told_but_by_poll`, `what_was_queued_at_close_is_told_by_the_next_poll`, `signals_that_nobody_takes_are_bounded` |
//! | drop | `polled::dropping_a_channel_closes_it` and those after it |
//! | put_packet before OPEN, after close, over the peer's limit, empty | `put_packet_before_open`, `put_packet_after_close`, `put_packet_over_the_peers_limit`, `put_packet_empty` |
//! | get_packet, queue empty | `get_packet_queue_empty` |
//! | get_packet after close, packets queued | `get_packet_after_close_packets_queued` |
//! | max packet size; write mode | `max_packet_size_and_write_mode` |
//! | CLOSING state | `closing_is_shown_or_passed_over` |
//! | incoming buffer | `packets_that_nobody_reads_hold_their_sender` |
//! | ids and limits not set | `polled::channels_tell_what_they_are` |
//!
//! What an engine answers with nothing bound is the engine's. Its own suite (`cargo xtask godot`) has most rows once more.

use weft_rtc::SignalingState;
use weft_rtc::polled::{
    ChannelOptions, ChannelState, Configuration, ConnectionState, Error, IceServer, PeerConnection, Signal, WriteMode,
};

use crate::polled::{Couple, code, connected, negotiated, peer, told};

const OK: i32 = 0;
const FAILED: i32 = 1;
const ERR_UNAVAILABLE: i32 = 2;
const ERR_INVALID_PARAMETER: i32 = 31;
const CANDIDATE: &str = "candidate:1 1 udp 1 127.0.0.1 9 typ host";

fn urls(urls: &[&str]) -> Configuration {
    let urls = urls.iter().map(|&url| url.to_owned()).collect();
    Configuration { ice_servers: vec![IceServer { urls, ..IceServer::default() }], ..Configuration::default() }
}

fn described(peer: &mut PeerConnection) -> (String, String) {
    match told(peer) {
        Some(Signal::SessionDescriptionCreated { kind, sdp }) => (kind, sdp),
        other => panic!("no description but {other:?}"),
    }
}

/// A peer whose offer was made and is not set yet.
fn offering() -> (PeerConnection, String) {
    let mut peer = peer();
    let channel = peer.create_data_channel("x", &ChannelOptions::default()).unwrap();
    peer.create_offer().unwrap();
    let (_, offer) = described(&mut peer);
    drop(channel);
    (peer, offer)
}

fn closed() -> PeerConnection {
    let mut peer = peer();
    peer.close();
    peer
}

/// Rows of calls and what they answer.
macro_rules! rows {
    ($($name:ident: $call:expr => $wanted:expr;)*) => {
        $(#[test]
        fn $name() {
            assert_eq!(code($call), $wanted);
        })*
    };
}

rows! {
    initialize_fine: peer().initialize(&Configuration::default()) => OK;
    initialize_entry_without_urls: peer().initialize(&urls(&[])) => ERR_INVALID_PARAMETER;
    initialize_malformed_url: peer().initialize(&urls(&["stun:a:b:c"])) => ERR_INVALID_PARAMETER;
    initialize_unknown_scheme: peer().initialize(&urls(&["http://example.org"])) => ERR_INVALID_PARAMETER;
    initialize_turn_without_credentials: peer().initialize(&urls(&["turn:example.org"])) => ERR_INVALID_PARAMETER;
    create_data_channel_outside_new:
        offering().0.create_data_channel("y", &ChannelOptions::default()) => FAILED;
    create_data_channel_negotiated_without_id:
        peer().create_data_channel("x", &ChannelOptions { negotiated: true, ..ChannelOptions::default() })
        => ERR_INVALID_PARAMETER;
    create_data_channel_id_without_negotiated:
        peer().create_data_channel("x", &ChannelOptions { id: Some(1), ..ChannelOptions::default() })
        => ERR_INVALID_PARAMETER;
    create_data_channel_both_limits:
        peer().create_data_channel("x", &ChannelOptions {
            max_retransmits: Some(1), max_packet_life_time: Some(1), ..ChannelOptions::default()
        }) => ERR_INVALID_PARAMETER;
    create_data_channel_label_too_long:
        peer().create_data_channel(&"x".repeat(65_536), &ChannelOptions::default()) => FAILED;
    create_offer_with_no_channel: peer().create_offer() => FAILED;
    create_offer_twice_before_ice_starts: offering().0.create_offer() => FAILED;
    set_remote_description_unparsable_sdp: peer().set_remote_description("offer", "v=1") => ERR_INVALID_PARAMETER;
    set_remote_description_unparsable_type: peer().set_remote_description("ofer", "v=0") => ERR_INVALID_PARAMETER;
    set_remote_description_answer_with_no_offer_made: peer().set_remote_description("answer", "v=0") => FAILED;
    set_local_description_of_nothing: peer().set_local_description("offer", "v=0") => FAILED;
    add_ice_candidate_unparsable: peer().add_ice_candidate("0", 0, "candidate:") => ERR_INVALID_PARAMETER;
    add_ice_candidate_negative_index: peer().add_ice_candidate("0", -1, CANDIDATE) => ERR_INVALID_PARAMETER;
    add_ice_candidate_before_remote_description: peer().add_ice_candidate("0", 0, CANDIDATE) => OK;
    poll_of_a_new_peer: peer().poll() => OK;
    after_close_create_offer: closed().create_offer() => FAILED;
    after_close_poll: closed().poll() => OK;
    after_close_channel_creation: closed().create_data_channel("x", &ChannelOptions::default()) => FAILED;
    after_close_set_remote_description: closed().set_remote_description("offer", "v=0") => FAILED;
    after_close_add_ice_candidate: closed().add_ice_candidate("0", 0, CANDIDATE) => FAILED;
    after_close_initialize: closed().initialize(&Configuration::default()) => OK;
}

#[test]
fn create_offer_outside_new() {
    let (mut couple, _hers, _his) = connected();
    assert_eq!(code(couple.a.create_offer()), FAILED);
    assert_eq!(code(couple.b.create_offer()), FAILED);
}

#[test]
fn set_remote_description_offer_outside_new() {
    let (_, offer) = offering();
    let (mut other, _) = offering();
    assert_eq!(code(other.set_remote_description("offer", &offer)), FAILED);
}

/// Without it ICE could not restart.
#[test]
fn set_remote_description_offer_once_connected() {
    let (mut couple, hers, his) = connected();
    couple.a.restart_ice().unwrap();
    let (kind, offer) = described(&mut couple.a);
    assert_eq!(code(couple.b.set_remote_description(&kind, &offer)), OK);
    assert_eq!(code(couple.b.set_remote_description(&kind, &offer)), FAILED, "it is not answered yet");
    couple.a.set_local_description(&kind, &offer).unwrap();
    couple.until("the exchange is over", |c| {
        c.a.signaling_state() == SignalingState::Stable && c.b.signaling_state() == SignalingState::Stable
    });
    assert_eq!((hers.ready_state(), his.ready_state()), (ChannelState::Open, ChannelState::Open));
    assert_eq!(couple.b.connection_state(), ConnectionState::Connected);
}

#[test]
fn set_local_description() {
    let (mut peer, offer) = offering();
    assert_eq!(code(peer.set_local_description("offer", &offer)), OK);
    assert_eq!(code(peer.set_local_description("offer", &offer)), OK);
}

#[test]
fn add_ice_candidate_duplicate() {
    let (_, offer) = offering();
    let mut peer = peer();
    peer.set_remote_description("offer", &offer).unwrap();
    assert_eq!(code(peer.add_ice_candidate("0", 0, CANDIDATE)), OK);
    assert_eq!(code(peer.add_ice_candidate("0", 0, CANDIDATE)), OK);
    assert_eq!(code(peer.add_ice_candidate("0", 0, "candidate:")), ERR_INVALID_PARAMETER);
}

#[test]
fn states_new_connecting_connected_closed() {
    let mut couple = Couple::new();
    assert_eq!(couple.a.connection_state(), ConnectionState::New);
    let hers = couple.a.create_data_channel("x", &negotiated(1)).unwrap();
    let his = couple.b.create_data_channel("x", &negotiated(1)).unwrap();
    couple.a.create_offer().unwrap();
    assert_eq!(couple.a.connection_state(), ConnectionState::Connecting);
    couple.until("open", |_| hers.ready_state() == ChannelState::Open && his.ready_state() == ChannelState::Open);
    assert_eq!(couple.a.connection_state(), ConnectionState::Connected);
    couple.a.close();
    assert_eq!(couple.a.connection_state(), ConnectionState::Closed);
    couple.a.initialize(&Configuration::default()).unwrap();
    assert_eq!(couple.a.connection_state(), ConnectionState::New);
}

#[test]
fn put_packet_before_open() {
    let mut peer = peer();
    let mut channel = peer.create_data_channel("x", &ChannelOptions::default()).unwrap();
    assert_eq!(code(channel.put_packet(b"x")), FAILED);
}

#[test]
fn put_packet_after_close() {
    let (_couple, mut hers, _his) = connected();
    hers.close();
    assert_eq!(code(hers.put_packet(b"x")), FAILED);
}

#[test]
fn put_packet_over_the_peers_limit() {
    let (_couple, mut hers, _his) = connected();
    assert_eq!(code(hers.put_packet(&vec![0; 262_145])), FAILED);
    assert_eq!(code(hers.put_packet(&vec![0; 262_144])), OK);
    assert_eq!(hers.ready_state(), ChannelState::Open);
}

#[test]
fn put_packet_empty() {
    let (mut couple, mut hers, mut his) = connected();
    assert_eq!(code(hers.put_packet(b"")), OK);
    couple.until("it came", |_| his.available_packet_count() == 1);
    assert!(his.get_packet().unwrap().is_empty());
}

#[test]
fn get_packet_queue_empty() {
    let (_couple, mut hers, _his) = connected();
    assert_eq!(code(hers.get_packet()), ERR_UNAVAILABLE);
    assert!(matches!(hers.get_packet(), Err(Error::NoPacket)));
}

#[test]
fn get_packet_after_close_packets_queued() {
    let (mut couple, mut hers, mut his) = connected();
    hers.put_packet(b"x").unwrap();
    couple.until("it came", |_| his.available_packet_count() == 1);
    his.close();
    couple.until("closed", |_| his.ready_state() == ChannelState::Closed);
    assert_eq!(code(his.get_packet()), OK);
    assert_eq!(code(his.get_packet()), ERR_UNAVAILABLE);
}

#[test]
fn max_packet_size_and_write_mode() {
    let mut peer = peer();
    let channel = peer.create_data_channel("x", &ChannelOptions::default()).unwrap();
    assert_eq!((channel.max_packet_size(), channel.write_mode()), (16_384, WriteMode::Binary));
}

/// A second channel of a negotiated id is refused, and the first does not notice (webrtc_minimal).
#[test]
fn second_channel_with_the_same_id() {
    let mut peer = peer();
    let first = peer.create_data_channel("x", &negotiated(1)).unwrap();
    assert_eq!(code(peer.create_data_channel("x", &negotiated(1))), FAILED);
    assert_eq!(first.ready_state(), ChannelState::Connecting);
}

#[test]
fn nothing_is_told_but_by_poll() {
    let mut peer = peer();
    let _channel = peer.create_data_channel("x", &ChannelOptions::default()).unwrap();
    peer.create_offer().unwrap();
    assert!(peer.next_signal().is_none(), "before poll");
    let (kind, offer) = described(&mut peer);
    // Host candidates are known within this call.
    peer.set_local_description(&kind, &offer).unwrap();
    assert!(peer.next_signal().is_none(), "before poll");
    assert!(matches!(told(&mut peer), Some(Signal::IceCandidateCreated { .. })));

    let (mut couple, _hers, _his) = connected();
    couple.a.restart_ice().unwrap();
    let (kind, offer) = described(&mut couple.a);
    couple.b.set_remote_description(&kind, &offer).unwrap();
    assert!(couple.b.next_signal().is_none(), "before poll");
    assert_eq!(described(&mut couple.b).0, "answer");
}

/// A description comes before the candidates it brings, and handlers that call in get what they caused with the next poll.
#[test]
fn signals_keep_their_order() {
    let mut peer = peer();
    let _channel = peer.create_data_channel("x", &ChannelOptions::default()).unwrap();
    peer.create_offer().unwrap();
    peer.poll().unwrap();
    let mut first = Vec::new();
    while let Some(signal) = peer.next_signal() {
        if let Signal::SessionDescriptionCreated { kind, sdp } = &signal {
            peer.set_local_description(kind, sdp).unwrap();
        }
        first.push(signal);
    }
    assert!(matches!(first[..], [Signal::SessionDescriptionCreated { .. }]), "{first:?}");
    assert!(matches!(told(&mut peer), Some(Signal::IceCandidateCreated { .. })));
}

#[test]
fn what_was_queued_at_close_is_told_by_the_next_poll() {
    let mut peer = peer();
    let _channel = peer.create_data_channel("x", &ChannelOptions::default()).unwrap();
    peer.create_offer().unwrap();
    peer.close();
    assert!(peer.next_signal().is_none());
    assert_eq!(described(&mut peer).0, "offer");
    peer.initialize(&Configuration::default()).unwrap();
    assert!(told(&mut peer).is_none(), "it is another connection");
}

#[test]
fn early_candidates_are_bounded() {
    let (_, offer) = offering();
    let mut peer = peer();
    for port in 1..=150 {
        let candidate = format!("candidate:1 1 udp 1 127.0.0.1 {port} typ host");
        assert_eq!(code(peer.add_ice_candidate("0", 0, &candidate)), OK);
    }
    peer.set_remote_description("offer", &offer).unwrap();
    let (kind, answer) = described(&mut peer);
    peer.set_local_description(&kind, &answer).unwrap();
    let report = peer.stats_report().unwrap();
    assert_eq!((report.remote_candidates.len(), peer.stats().unwrap().counters.ignored_candidates), (100, 50));
}

#[test]
fn signals_that_nobody_takes_are_bounded() {
    let mut couple = Couple::new();
    let hers: Vec<_> =
        (0..1_100).map(|_| couple.a.create_data_channel("x", &ChannelOptions::default()).unwrap()).collect();
    couple.a.create_offer().unwrap();
    let (kind, offer) = described(&mut couple.a);
    couple.a.set_local_description(&kind, &offer).unwrap();
    couple.b.set_remote_description(&kind, &offer).unwrap();
    let (kind, answer) = described(&mut couple.b);
    couple.b.set_local_description(&kind, &answer).unwrap();
    couple.a.set_remote_description(&kind, &answer).unwrap();
    couple.b.poll().unwrap();
    while let Some(Signal::IceCandidateCreated { media, index, name }) = told(&mut couple.a) {
        couple.b.add_ice_candidate(&media, index, &name).unwrap();
    }
    // The answerer polls and takes nothing: what is too many is closed.
    let closed = |hers: &[weft_rtc::polled::DataChannel]| {
        hers.iter().filter(|channel| channel.ready_state() == ChannelState::Closed).count()
    };
    let begun = tokio::time::Instant::now();
    while closed(&hers) < 100 {
        assert!(begun.elapsed() < std::time::Duration::from_secs(20), "{}", closed(&hers));
        couple.a.poll().unwrap();
        couple.b.poll().unwrap();
    }
    couple.b.poll().unwrap();
    let mut received = Vec::new();
    while let Some(signal) = couple.b.next_signal() {
        if let Signal::DataChannelReceived(channel) = signal {
            received.push(channel);
        }
    }
    assert_eq!((received.len(), closed(&hers)), (1_000, 100));
    assert!(received.iter().all(|channel| channel.ready_state() == ChannelState::Open));

    // Of descriptions the latest waits: no other can be applied.
    let (mut couple, _hers, _his) = connected();
    couple.settle();
    couple.a.restart_ice().unwrap();
    couple.a.restart_ice().unwrap();
    let (kind, offer) = described(&mut couple.a);
    assert!(couple.a.next_signal().is_none());
    assert_eq!(code(couple.a.set_local_description(&kind, &offer)), OK);
}

/// Whether the state is seen depends on when one looks; in the end it is CLOSED.
#[test]
fn closing_is_shown_or_passed_over() {
    let (mut couple, mut hers, his) = connected();
    hers.close();
    assert!(matches!(hers.ready_state(), ChannelState::Closing | ChannelState::Closed));
    couple.until("closed", |_| hers.ready_state() == ChannelState::Closed && his.ready_state() == ChannelState::Closed);
}

#[test]
fn packets_that_nobody_reads_hold_their_sender() {
    let (mut couple, mut hers, mut his) = connected();
    let mut sent = 0;
    let mut refused = 0;
    while refused < 500 {
        if code(hers.put_packet(&vec![1; 16_384])) == OK {
            (sent, refused) = (sent + 1, 0);
        } else {
            refused += 1;
        }
        assert!(sent * 16_384 < 64 << 20, "without end");
        couple.turn();
    }
    let waiting = his.available_packet_count() * 16_384;
    assert!((3 << 20..=5 << 20).contains(&waiting), "{waiting} bytes wait");
    let mut read = 0;
    couple.until("all of them", |_| {
        read += std::iter::from_fn(|| his.get_packet().ok()).count();
        read == sent
    });
}

#[test]
#[allow(clippy::disallowed_types)] // a server of the test's own
fn relays_alone_let_no_address_out() {
    // A server that answers, and one that would relay, if it lived.
    let stun = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    stun.set_nonblocking(true).unwrap();
    let dead = weft_net::UdpSocket::bind("127.0.0.1:0".parse().unwrap()).unwrap().local_addr();
    let server = |url: String| IceServer { urls: vec![url], username: Some("u".into()), credential: Some("p".into()) };
    let ice_servers = vec![server(format!("stun:{}", stun.local_addr().unwrap())), server(format!("turn:{dead}"))];
    for relay_only in [true, false] {
        let mut peer = peer();
        peer.initialize(&Configuration { ice_servers: ice_servers.clone(), relay_only }).unwrap();
        let _channel = peer.create_data_channel("x", &ChannelOptions::default()).unwrap();
        peer.create_offer().unwrap();
        let (kind, offer) = described(&mut peer);
        peer.set_local_description(&kind, &offer).unwrap();
        let mut candidates = Vec::new();
        for _ in 0..200 {
            reflect(&stun);
            peer.poll().unwrap();
            while let Some(signal) = peer.next_signal() {
                if let Signal::IceCandidateCreated { name, .. } = signal {
                    candidates.push(name);
                }
            }
            std::thread::park_timeout(std::time::Duration::from_millis(1));
        }
        assert!(!offer.contains("127.0.0.1") && !offer.contains("a=candidate"), "{offer}");
        assert_eq!(candidates.is_empty(), relay_only, "{candidates:?}");
        let srflx = candidates.iter().any(|candidate| candidate.contains("typ srflx"));
        assert_eq!(srflx, !relay_only, "{candidates:?}");
        let report = peer.stats_report().unwrap();
        assert_eq!(report.local_candidates.is_empty(), relay_only, "{:?}", report.local_candidates);
    }
}

/// Answers binding requests, with another address than they came from.
#[allow(clippy::disallowed_types)] // a server of the test's own
fn reflect(socket: &std::net::UdpSocket) {
    let mut bytes = [0; 1500];
    while let Ok((len, from)) = socket.recv_from(&mut bytes) {
        let Some(id) = bytes[..len].get(8..20).filter(|_| bytes[..2] == [0, 1]) else { continue };
        let address = std::net::Ipv4Addr::new(192, 0, 2, 1).octets();
        let cookie = [0x21, 0x12, 0xA4, 0x42];
        let mut answer = vec![1, 1, 0, 12, 0x21, 0x12, 0xA4, 0x42];
        answer.extend_from_slice(id);
        answer.extend([0, 0x20, 0, 8, 0, 1, 0x13 ^ 0x21, 0x88 ^ 0x12]);
        answer.extend(address.iter().zip(cookie).map(|(byte, mask)| byte ^ mask));
        socket.send_to(&answer, from).unwrap();
    }
}
