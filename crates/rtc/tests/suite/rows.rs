//! The table of behaviour and errors of Godot's `WebRTCPeerConnection` and `WebRTCDataChannel`: a test for each row, named
//! after it. Rows about dictionaries are tested in the engines (`cargo xtask godot`).

use weft_rtc::polled::{
    ChannelOptions, ChannelState, Configuration, ConnectionState, Error, IceServer, PeerConnection, Signal, WriteMode,
};

use crate::polled::{Couple, code, connected, negotiated, peer};

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
    match peer.next_signal() {
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
