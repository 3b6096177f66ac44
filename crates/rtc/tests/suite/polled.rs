//! The polled driver over real sockets, row by row of Godot's reference: what each call answers in which situation.

use std::time::Duration;

use weft_core::{Frame, Overhead};
use weft_net::Clock;
use weft_rtc::ice::CandidateKind;
use weft_rtc::polled::{
    ChannelOptions, ChannelState, Configuration, ConnectionState, DataChannel, Error, ErrorCode, IceServer,
    PeerConnection, Signal, UNSET, WriteMode,
};
use weft_rtc::{Config, GatheringState, SignalingState};
use weft_stun::{Class, MessageBuilder, Method, TransactionId};

fn started() -> (Clock, weft_core::Instant) {
    let clock = Clock::new();
    (clock, clock.now())
}

pub(crate) fn peer() -> PeerConnection {
    PeerConnection::with_config(Config::default().with_loopback(true))
}

pub(crate) fn negotiated(id: u16) -> ChannelOptions {
    ChannelOptions { negotiated: true, id: Some(id), ..ChannelOptions::default() }
}

pub(crate) fn code<T: std::fmt::Debug>(result: Result<T, Error>) -> i32 {
    result.map_or_else(|error| error.code() as i32, |_| 0)
}

/// Two peers and what they were told, joined by signalling that loses nothing.
pub(crate) struct Couple {
    pub(crate) a: PeerConnection,
    pub(crate) b: PeerConnection,
    pub(crate) received: Vec<DataChannel>,
}

impl Couple {
    pub(crate) fn new() -> Self {
        Self { a: peer(), b: peer(), received: Vec::new() }
    }

    pub(crate) fn turn(&mut self) {
        relay(&mut self.a, &mut self.b, &mut self.received);
        relay(&mut self.b, &mut self.a, &mut self.received);
    }

    pub(crate) fn until(&mut self, what: &str, mut done: impl FnMut(&mut Self) -> bool) {
        let (clock, began) = started();
        while !done(self) {
            assert!((clock.now() - began) < Duration::from_secs(20), "never came: {what}");
            self.turn();
            std::thread::park_timeout(Duration::from_micros(200));
        }
    }

    pub(crate) fn settle(&mut self) {
        for _ in 0..50 {
            self.turn();
            std::thread::park_timeout(Duration::from_millis(1));
        }
    }
}

fn relay(from: &mut PeerConnection, to: &mut PeerConnection, received: &mut Vec<DataChannel>) {
    from.poll().unwrap();
    while let Some(signal) = from.next_signal() {
        match signal {
            Signal::SessionDescriptionCreated { kind, sdp } => {
                from.set_local_description(&kind, &sdp).unwrap();
                to.set_remote_description(&kind, &sdp).unwrap();
            }
            Signal::IceCandidateCreated { media, index, name } => {
                assert!(!media.is_empty() && !name.contains('\n') && name.starts_with("candidate:"), "{media} {name}");
                to.add_ice_candidate(&media, index, &name).unwrap();
            }
            Signal::DataChannelReceived(channel) => received.push(channel),
            Signal::IceCandidateError(error) => panic!("there is no server: {error:?}"),
            other => panic!("unknown signal {other:?}"),
        }
    }
}

/// A connected couple with one negotiated channel.
pub(crate) fn connected() -> (Couple, DataChannel, DataChannel) {
    let mut couple = Couple::new();
    let hers = couple.a.create_data_channel("chat", &negotiated(1)).unwrap();
    let his = couple.b.create_data_channel("chat", &negotiated(1)).unwrap();
    couple.a.create_offer().unwrap();
    couple.until("open", |_| hers.ready_state() == ChannelState::Open && his.ready_state() == ChannelState::Open);
    (couple, hers, his)
}

/// What the next poll tells first.
pub(crate) fn told(peer: &mut PeerConnection) -> Option<Signal> {
    peer.poll().unwrap();
    peer.next_signal()
}

fn text(signal: Option<Signal>) -> (String, String) {
    match signal {
        Some(Signal::SessionDescriptionCreated { kind, sdp }) => (kind, sdp),
        other => panic!("no description but {other:?}"),
    }
}

#[test]
fn a_new_connection_is_usable_without_initialize() {
    let mut peer = peer();
    assert_eq!(peer.connection_state(), ConnectionState::New);
    assert_eq!(peer.gathering_state(), GatheringState::New);
    assert_eq!(peer.signaling_state(), SignalingState::Stable);
    assert!(peer.selected_pair().is_none() && peer.stats().is_none() && peer.next_signal().is_none());
    let channel = peer.create_data_channel("early", &ChannelOptions::default()).unwrap();
    assert_eq!(channel.ready_state(), ChannelState::Connecting);
    assert_eq!(code(peer.poll()), 0);
    assert_eq!(code(peer.create_offer()), 0);
}

#[test]
fn initialize_answers_by_its_servers() {
    let mut peer = peer();
    assert_eq!(code(peer.initialize(&Configuration::default())), 0);
    let with = |urls: &[&str]| Configuration {
        ice_servers: vec![IceServer { urls: urls.iter().map(|&u| u.to_owned()).collect(), ..IceServer::default() }],
        ..Configuration::default()
    };
    assert_eq!(code(peer.initialize(&with(&[]))), 31);
    assert_eq!(code(peer.initialize(&with(&["stun.example.org"]))), 31, "no scheme");
    assert_eq!(code(peer.initialize(&with(&["stun:192.0.2.1:port"]))), 31, "no port");
    assert_eq!(code(peer.initialize(&with(&["turn:192.0.2.1"]))), 31, "no credentials");
    assert_eq!(code(peer.initialize(&with(&["stun:192.0.2.1:3478", "stun:[2001:db8::1]"]))), 0);
}

#[test]
fn initialize_again_starts_afresh() {
    let (mut couple, hers, his) = connected();
    couple.a.initialize(&Configuration::default()).unwrap();
    assert_eq!(couple.a.connection_state(), ConnectionState::New);
    assert_eq!(hers.ready_state(), ChannelState::Closed);
    couple.until("the far end hears of it", |_| his.ready_state() == ChannelState::Closed);
    // The same object connects once more.
    let hers = couple.a.create_data_channel("again", &negotiated(3)).unwrap();
    couple.b.initialize(&Configuration::default()).unwrap();
    let his = couple.b.create_data_channel("again", &negotiated(3)).unwrap();
    couple.a.create_offer().unwrap();
    couple.until("open", |_| hers.ready_state() == ChannelState::Open && his.ready_state() == ChannelState::Open);
}

#[test]
fn channels_are_created_in_new_only_and_options_exclude_each_other() {
    let mut peer = peer();
    let options = ChannelOptions::default;
    let refused = |peer: &mut PeerConnection, options: ChannelOptions| code(peer.create_data_channel("x", &options));
    assert_eq!(refused(&mut peer, ChannelOptions { negotiated: true, ..options() }), 31);
    assert_eq!(refused(&mut peer, ChannelOptions { id: Some(1), ..options() }), 31);
    assert_eq!(refused(&mut peer, negotiated(65_535)), 31);
    let both = ChannelOptions { max_retransmits: Some(1), max_packet_life_time: Some(1), ..options() };
    assert_eq!(refused(&mut peer, both), 31);
    let kept = peer.create_data_channel("x", &negotiated(1)).unwrap();
    // A second channel with the same id is refused, and the first lives (webrtc_minimal does this).
    assert_eq!(refused(&mut peer, negotiated(1)), 1);
    assert_eq!(kept.ready_state(), ChannelState::Connecting);
    peer.create_offer().unwrap();
    assert_eq!(refused(&mut peer, options()), 1);
}

#[test]
fn an_offer_needs_a_channel_and_a_new_connection() {
    let mut peer = peer();
    assert_eq!(code(peer.create_offer()), 1);
    assert_eq!(peer.connection_state(), ConnectionState::New);
    let _channel = peer.create_data_channel("x", &ChannelOptions::default()).unwrap();
    assert_eq!(code(peer.create_offer()), 0);
    assert_eq!(peer.connection_state(), ConnectionState::Connecting);
    assert_eq!(code(peer.create_offer()), 1);
    let (kind, sdp) = text(told(&mut peer));
    assert_eq!(kind, "offer");
    // Nothing is gathered before the description is set.
    peer.poll().unwrap();
    assert!(peer.next_signal().is_none());
    assert_eq!(peer.gathering_state(), GatheringState::New);
    assert_eq!(code(peer.set_local_description("offer", &sdp)), 0);
    assert_eq!(code(peer.set_local_description("offer", &sdp)), 0, "once more changes nothing");
    peer.poll().unwrap();
    assert!(matches!(peer.next_signal(), Some(Signal::IceCandidateCreated { .. })));
    assert_eq!(peer.signaling_state(), SignalingState::HaveLocalOffer);
}

#[test]
fn descriptions_answer_by_state_and_form() {
    let (mut a, mut b) = (peer(), peer());
    assert_eq!(code(a.set_local_description("offer", "v=0")), 1, "nothing was created");
    assert_eq!(code(a.set_remote_description("rubbish", "v=0")), 31);
    assert_eq!(code(a.set_remote_description("offer", "rubbish")), 31);
    assert_eq!(code(a.set_remote_description("answer", "v=0")), 1, "there is no offer");
    assert_eq!(a.connection_state(), ConnectionState::New);

    let _channel = a.create_data_channel("x", &ChannelOptions::default()).unwrap();
    a.create_offer().unwrap();
    let (_, offer) = text(told(&mut a));
    assert_eq!(code(a.set_local_description("offer", &offer.replace("trickle", "tricked"))), 1, "altered");
    assert_eq!(code(b.set_remote_description("offer", &offer)), 0);
    assert_eq!(b.connection_state(), ConnectionState::Connecting);
    assert_eq!(code(b.set_remote_description("offer", &offer)), 1, "not new any more");
    let (kind, answer) = text(told(&mut b));
    assert_eq!(kind, "answer");
    assert_eq!(code(a.set_remote_description("answer", &answer)), 1, "the offer was not set");
    a.set_local_description("offer", &offer).unwrap();
    assert_eq!(code(a.set_remote_description("answer", &answer)), 0);
}

#[test]
fn candidates_are_checked_kept_and_may_repeat() {
    let (mut a, mut b) = (peer(), peer());
    assert_eq!(code(b.add_ice_candidate("0", 0, "rubbish")), 31);
    assert_eq!(code(b.add_ice_candidate("0", -1, "candidate:1 1 udp 1 127.0.0.1 9 typ host")), 31);
    let hers = a.create_data_channel("x", &negotiated(0)).unwrap();
    let his = b.create_data_channel("x", &negotiated(0)).unwrap();
    a.create_offer().unwrap();
    let (_, offer) = text(told(&mut a));
    a.set_local_description("offer", &offer).unwrap();
    a.poll().unwrap();
    // All candidates overtake the description they belong to, twice each.
    while let Some(Signal::IceCandidateCreated { media, index, name }) = a.next_signal() {
        assert_eq!(code(b.add_ice_candidate(&media, index, &name)), 0);
        assert_eq!(code(b.add_ice_candidate(&media, index, &format!("a={name}\r\n"))), 0);
    }
    b.set_remote_description("offer", &offer).unwrap();
    let mut couple = Couple { a, b, received: Vec::new() };
    couple.until("open", |_| hers.ready_state() == ChannelState::Open && his.ready_state() == ChannelState::Open);
    assert_eq!(code(couple.a.add_ice_candidate("nowhere", 7, "candidate:1 1 udp 1 127.0.0.1 9 typ host")), 31);
}

#[test]
fn packets_are_text_or_bytes_whole_and_in_order() {
    let (mut couple, mut hers, mut his) = connected();
    assert_eq!(hers.write_mode(), WriteMode::Binary);
    assert!(matches!(his.get_packet(), Err(Error::NoPacket)));
    assert_eq!(code(his.get_packet()), ErrorCode::Unavailable as i32);
    hers.put_packet(b"bytes").unwrap();
    hers.set_write_mode(WriteMode::Text);
    hers.put_packet("grüße\0and more".as_bytes()).unwrap();
    hers.put_packet(b"").unwrap();
    couple.until("three packets", |_| his.available_packet_count() == 3);
    assert!(his.read_packet(|packet| packet == b"bytes").unwrap());
    assert!(!his.was_string_packet());
    assert_eq!(his.get_packet().unwrap(), "grüße\0and more".as_bytes());
    assert!(his.was_string_packet());
    assert_eq!(his.get_packet().unwrap(), &b""[..]);
    assert!(his.was_string_packet());
    assert_eq!(his.available_packet_count(), 0);
    assert_eq!(hers.max_packet_size(), 16_384);
    // Larger than that is carried all the same, up to what the other side accepts.
    hers.put_packet(&vec![7; 200_000]).unwrap();
    assert_eq!(code(hers.put_packet(&vec![0; 1 << 20])), 1);
    couple.until("the large packet", |_| his.available_packet_count() == 1);
    assert_eq!(his.get_packet().unwrap().len(), 200_000);
    assert_eq!(hers.ready_state(), ChannelState::Open);
}

#[test]
fn channels_tell_what_they_are() {
    let mut couple = Couple::new();
    let options = ChannelOptions {
        max_packet_life_time: Some(250),
        ordered: false,
        protocol: "game".to_owned(),
        ..ChannelOptions::default()
    };
    let hers = couple.a.create_data_channel("fast", &options).unwrap();
    assert_eq!((hers.id(), hers.max_packet_life_time(), hers.max_retransmits()), (UNSET, 250, UNSET));
    let fixed = ChannelOptions { max_retransmits: Some(0), ..negotiated(5) };
    let other = couple.a.create_data_channel("fixed", &fixed).unwrap();
    assert_eq!((other.id(), other.max_packet_life_time(), other.max_retransmits()), (5, UNSET, 0));
    assert!(other.is_negotiated() && other.is_ordered() && other.protocol().is_empty());
    couple.a.create_offer().unwrap();
    couple.until("the channel announced in band", |c| c.received.len() == 1);
    let his = couple.received.pop().unwrap();
    assert_eq!((his.label(), his.protocol()), ("fast", "game"));
    assert!(!his.is_ordered() && !his.is_negotiated());
    assert_eq!((his.max_packet_life_time(), his.max_retransmits()), (250, UNSET));
    couple.until("open", |_| hers.ready_state() == ChannelState::Open);
    assert_eq!(his.id(), hers.id());
    assert_ne!(his.id(), UNSET);
}

#[test]
fn put_packet_needs_an_open_channel() {
    let mut lonely = peer();
    let mut channel = lonely.create_data_channel("x", &ChannelOptions::default()).unwrap();
    assert_eq!(code(channel.put_packet(b"early")), 1);
    let (mut couple, mut hers, his) = connected();
    hers.close();
    assert_eq!(code(hers.put_packet(b"late")), 1);
    couple.until("closed on both sides", |_| {
        hers.ready_state() == ChannelState::Closed && his.ready_state() == ChannelState::Closed
    });
    assert_eq!(couple.a.connection_state(), ConnectionState::Connected);
}

#[test]
fn packets_received_before_the_close_can_be_read_after() {
    let (mut couple, mut hers, mut his) = connected();
    hers.put_packet(b"last words").unwrap();
    couple.until("received", |_| his.available_packet_count() == 1);
    couple.b.close();
    assert_eq!(his.ready_state(), ChannelState::Closed);
    assert_eq!(his.get_packet().unwrap(), &b"last words"[..]);
}

#[test]
fn dropping_a_channel_closes_it() {
    let (mut couple, hers, his) = connected();
    drop(hers);
    couple.until("the far end hears of it", |_| his.ready_state() == ChannelState::Closed);
    assert_eq!(couple.a.connection_state(), ConnectionState::Connected);
}

#[test]
fn dropping_a_received_channel_closes_it() {
    let mut couple = Couple::new();
    let hers = couple.a.create_data_channel("refused", &ChannelOptions::default()).unwrap();
    couple.a.create_offer().unwrap();
    couple.until("received", |c| !c.received.is_empty());
    couple.received.clear();
    couple.until("closed", |_| hers.ready_state() == ChannelState::Closed);
}

#[test]
fn packets_wait_until_the_channel_is_seen() {
    let mut couple = Couple::new();
    let mut hers = couple.a.create_data_channel("x", &ChannelOptions::default()).unwrap();
    couple.a.create_offer().unwrap();
    couple.until("open", |_| hers.ready_state() == ChannelState::Open);
    hers.put_packet(b"first").unwrap();
    couple.settle();
    let mut his = couple.received.pop().unwrap();
    assert_eq!(his.get_packet().unwrap(), &b"first"[..]);
}

#[test]
fn a_peer_that_closes_is_noticed_at_once() {
    let (mut couple, hers, his) = connected();
    couple.a.close();
    assert_eq!(couple.a.connection_state(), ConnectionState::Closed);
    assert_eq!(couple.a.signaling_state(), SignalingState::Closed);
    assert_eq!(hers.ready_state(), ChannelState::Closed);
    let (clock, began) = started();
    couple.until("the far end hears of it", |_| his.ready_state() == ChannelState::Closed);
    assert!((clock.now() - began) < Duration::from_secs(2));
    // After close.
    assert_eq!(code(couple.a.create_offer()), 1);
    assert_eq!(code(couple.a.poll()), 0);
    assert_eq!(code(couple.a.create_data_channel("x", &ChannelOptions::default())), 1);
    assert_eq!(code(couple.a.set_remote_description("offer", "v=0")), 1);
    couple.a.close();
}

#[test]
fn dropping_a_peer_tells_the_other() {
    let (couple, hers, his) = connected();
    let Couple { a, mut b, .. } = couple;
    drop(a);
    let (clock, began) = started();
    while his.ready_state() != ChannelState::Closed {
        assert!((clock.now() - began) < Duration::from_secs(2));
        b.poll().unwrap();
    }
    assert_eq!(hers.ready_state(), ChannelState::Closed);
}

#[test]
fn connecting_on_one_machine_takes_well_under_a_second() {
    let (clock, began) = started();
    let (couple, _hers, _his) = connected();
    // libdatachannel waits a second here (godot#97055).
    assert!((clock.now() - began) < Duration::from_millis(700), "{:?}", (clock.now() - began));
    assert_eq!(couple.a.connection_state(), ConnectionState::Connected);
    let pair = couple.a.selected_pair().unwrap();
    assert_eq!(pair.local.kind, weft_rtc::ice::CandidateKind::Host);
    assert!(couple.a.stats().unwrap().counters.bytes_sent > 0);
}

#[test]
fn ice_restarts_while_packets_flow() {
    let mut lonely = peer();
    assert_eq!(code(lonely.restart_ice()), 1);
    let (mut couple, mut hers, mut his) = connected();
    let sent = std::cell::Cell::new(0_u32);
    // Either side may ask.
    for round in 0..2 {
        let asks = if round == 0 { &mut couple.a } else { &mut couple.b };
        asks.restart_ice().unwrap();
        let (kind, sdp) = match told(asks) {
            Some(Signal::SessionDescriptionCreated { kind, sdp }) => (kind, sdp),
            other => panic!("no description but {other:?}"),
        };
        assert_eq!(kind, "offer");
        asks.set_local_description(&kind, &sdp).unwrap();
        let answers = if round == 0 { &mut couple.b } else { &mut couple.a };
        answers.set_remote_description(&kind, &sdp).unwrap();
        for _ in 0..200 {
            hers.put_packet(&sent.get().to_be_bytes()).unwrap();
            sent.set(sent.get() + 1);
            couple.turn();
        }
        couple.until("the exchange is over", |c| {
            c.a.signaling_state() == SignalingState::Stable && c.b.signaling_state() == SignalingState::Stable
        });
    }
    let mut received = 0_u32;
    couple.until("everything came", |_| {
        while let Ok(packet) = his.get_packet() {
            assert_eq!(packet, &received.to_be_bytes()[..]);
            received += 1;
        }
        received == sent.get()
    });
    assert_eq!(couple.b.connection_state(), ConnectionState::Connected);
}

/// While a connection is up, sockets that nothing comes or goes by are not looked at in each poll; now and then they are.
#[test]
#[allow(clippy::disallowed_types)] // a stranger of the test's own
fn a_socket_that_nobody_uses_is_heard() {
    let (mut couple, mut hers, _his) = connected();
    let (clock, began) = started();
    while clock.now() - began < Duration::from_millis(10_500) {
        hers.put_packet(b"x").unwrap();
        couple.turn();
        std::thread::park_timeout(Duration::from_millis(5));
    }
    let used = couple.b.selected_pair().unwrap().path.local;
    let candidates = couple.b.stats_report().unwrap().local_candidates;
    let addresses = candidates
        .iter()
        .map(|stats| &stats.candidate)
        .filter(|candidate| candidate.transport == weft_core::Transport::Udp && candidate.kind == CandidateKind::Host);
    let idle: Vec<_> = addresses.map(|candidate| candidate.address).filter(|address| *address != used).collect();
    assert!(!idle.is_empty(), "this needs a second address: {used}");
    for address in idle {
        let socket = std::net::UdpSocket::bind((address.ip(), 0)).unwrap();
        socket.set_nonblocking(true).unwrap();
        let mut buf = [0; 548];
        let mut frame = Frame::new(&mut buf, Overhead::NONE);
        let id = TransactionId([7; 12]);
        MessageBuilder::new(&mut frame, Class::Request, Method::BINDING, id)
            .and_then(|mut it| it.fingerprint())
            .unwrap();
        socket.send_to(frame.content(), address).unwrap();
        let (asked, mut answer) = (clock.now(), [0; 548]);
        couple.until("an answer", |_| socket.recv(&mut answer).is_ok());
        let waited = clock.now() - asked;
        assert!(waited < Duration::from_millis(500), "{address} answered after {waited:?}");
    }
}

#[test]
fn a_dead_server_delays_nothing() {
    // Nobody listens there: the system answers with an ICMP error, or nobody does.
    let dead = weft_net::UdpSocket::bind("127.0.0.1:0".parse().unwrap()).unwrap().local_addr();
    let servers = Configuration {
        ice_servers: vec![IceServer { urls: vec![format!("stun:{dead}")], ..IceServer::default() }],
        ..Configuration::default()
    };
    let (clock, began) = started();
    let mut couple = Couple::new();
    couple.a.initialize(&servers).unwrap();
    let hers = couple.a.create_data_channel("x", &negotiated(1)).unwrap();
    let his = couple.b.create_data_channel("x", &negotiated(1)).unwrap();
    couple.a.create_offer().unwrap();
    couple.until("open", |_| hers.ready_state() == ChannelState::Open && his.ready_state() == ChannelState::Open);
    assert!((clock.now() - began) < Duration::from_millis(700), "{:?}", (clock.now() - began));
    assert_eq!(couple.a.gathering_state(), GatheringState::Gathering);
}

#[test]
fn connections_can_move_between_threads() {
    fn moves<T: Send>() {}
    moves::<PeerConnection>();
    moves::<DataChannel>();
}
