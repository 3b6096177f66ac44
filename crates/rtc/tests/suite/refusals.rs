//! Bad options, descriptions, candidates and states, over all three faces: each is a typed error that says what is wrong,
//! and leaves the connection as it was: a new one, one that is connected, and one that has an offer out besides.

use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use tokio::time::timeout;
use weft_rtc::polled;
use weft_rtc::{
    ChannelId, Config, DataChannel, DataChannelInit, Description, IceCandidate, IceServer, MessageKind, SdpType,
    SignalingState,
};

use crate::polled::{Couple, connected as polled_couple, negotiated};
use crate::support::{Peers, connected, link, negotiate, peers};

const PATIENCE: Duration = Duration::from_secs(20);

/// What is done wrong.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Wrong {
    Url(&'static str),
    /// Servers that cannot be.
    Servers,
    /// A setting that is fixed.
    Fixed,
    NegotiatedId,
    LongLabel,
    Remote(&'static str, &'static str),
    LocalOffer,
    LocalAnswer,
    Candidate(&'static str),
    LocalEmptyAnswer,
    /// A message that the peer does not take.
    TooLarge,
}

const WRONG: &[Wrong] = &[
    Wrong::Url("stun:"),
    Wrong::Url("turn:host:99999"),
    Wrong::Url("https://host"),
    Wrong::Servers,
    Wrong::Fixed,
    Wrong::NegotiatedId,
    Wrong::LongLabel,
    Wrong::Remote("offer", ""),
    Wrong::Remote("offer", "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=never\r\n"),
    Wrong::Remote(
        "offer",
        "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\nm=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\n",
    ),
    // With a fingerprint that is too weak.
    Wrong::Remote(
        "offer",
        "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\nm=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\na=ice-ufrag:abcd\r\na=ice-pwd:aaaaaaaaaaaaaaaaaaaaaaaa\r\na=setup:actpass\r\na=fingerprint:sha-1 00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33\r\na=sctp-port:5000\r\n",
    ),
    Wrong::Remote("answer", "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n"),
    Wrong::LocalOffer,
    Wrong::LocalAnswer,
    Wrong::Candidate("candidate:"),
    Wrong::Candidate("candidate:1 1 udp one 127.0.0.1 9 typ host"),
    Wrong::Candidate("candidate:1 1 udp 1 127.0.0.1 65536 typ host"),
    Wrong::LocalEmptyAnswer,
    Wrong::TooLarge,
];

/// What is sent when a message is to be too large.
const LARGE: usize = 300_000;

/// One of the three ways to drive a connection.
trait Face {
    /// Does it; the error's text.
    fn refuses(&mut self, wrong: Wrong) -> Result<(), String>;
    /// All that can be seen of the connection.
    fn picture(&self) -> String;
    /// What must still work: an offer, set.
    fn go_on(&mut self);
}

fn kind(text: &str) -> SdpType {
    if text == "offer" { SdpType::Offer } else { SdpType::Answer }
}

fn remote(of: &str, sdp: &str) -> Description {
    Description { kind: kind(of), ..Description::offer(sdp) }
}

fn candidate(text: &str, mid: &str) -> IceCandidate {
    IceCandidate {
        candidate: text.to_owned(),
        sdp_mid: Some(mid.to_owned()),
        sdp_mline_index: None,
        username_fragment: None,
    }
}

fn taken() -> DataChannelInit {
    DataChannelInit { negotiated: Some(3), ..DataChannelInit::new("again") }
}

fn server(url: &str) -> Result<(), String> {
    url.parse()
        .map(|url| drop(Config::default().with_ice_server(IceServer::stun(url))))
        .map_err(|e: weft_rtc::stun::UrlError| e.to_string())
}

fn turn_without_credentials() -> IceServer {
    IceServer { urls: vec!["turn:192.0.2.1".parse().unwrap()], credentials: None }
}

/// Sans-IO: A is asked.
struct SansIo {
    pair: Peers,
    channel: ChannelId,
}

impl SansIo {
    fn new() -> Self {
        let mut pair = peers(link(20), 1);
        let init = DataChannelInit { negotiated: Some(3), ..DataChannelInit::new("x") };
        let channel = pair.a.pc.create_data_channel(pair.now(), init.clone()).unwrap();
        pair.b.pc.create_data_channel(pair.now(), init).unwrap();
        Self { pair, channel }
    }
}

impl Face for SansIo {
    fn refuses(&mut self, wrong: Wrong) -> Result<(), String> {
        let now = self.pair.now();
        let pc = &mut self.pair.a.pc;
        let text = |error: weft_rtc::Error| error.to_string();
        match wrong {
            Wrong::Url(url) => server(url),
            Wrong::Servers => {
                let config = pc.config().clone().with_ice_server(turn_without_credentials());
                pc.set_configuration(now, config).map_err(text)
            }
            Wrong::Fixed => {
                let mut config = pc.config().clone();
                config.port = 1;
                pc.set_configuration(now, config).map_err(text)
            }
            Wrong::NegotiatedId => pc.create_data_channel(now, taken()).map(drop).map_err(text),
            Wrong::LongLabel => {
                pc.create_data_channel(now, DataChannelInit::new("x".repeat(65_536))).map(drop).map_err(text)
            }
            Wrong::Remote(of, sdp) => pc.set_remote_description(now, &remote(of, sdp)).map_err(text),
            Wrong::LocalOffer => pc.set_local_description(now, Some(Description::offer("v=0"))).map_err(text),
            Wrong::LocalAnswer => pc.create_answer().map(drop).map_err(text),
            Wrong::Candidate(line) => pc.add_ice_candidate(now, &candidate(line, "0")).map_err(text),
            Wrong::LocalEmptyAnswer => pc.set_local_description(now, Some(Description::answer(""))).map_err(text),
            Wrong::TooLarge => {
                pc.send(now, self.channel, MessageKind::Binary, Bytes::from(vec![0; LARGE])).map_err(text)
            }
        }
    }

    fn picture(&self) -> String {
        let pc = &self.pair.a.pc;
        let states = (pc.signaling_state(), pc.gathering_state(), pc.ice_connection_state());
        let more = (pc.connection_state(), pc.dtls_state(), pc.sctp_state(), pc.negotiation_needed());
        let report = pc.stats_report(self.pair.now());
        let descriptions = (pc.local_description(), pc.remote_description());
        let (servers, ufrag) = (&pc.config().ice_servers, pc.ice_ufrag());
        let channels = (report.data_channels, pc.buffered_amount(self.channel));
        format!(
            "{states:?} {more:?} {channels:?} {:?} {descriptions:?} {servers:?} {ufrag} {:?}",
            report.remote_candidates,
            pc.poll_timeout()
        )
    }

    fn go_on(&mut self) {
        let now = self.pair.now();
        let offer = self.pair.a.pc.create_offer().unwrap();
        self.pair.a.pc.set_local_description(now, Some(offer)).unwrap();
    }
}

/// The async handles.
struct Async {
    pc: weft_rtc::PeerConnection,
    channel: DataChannel,
}

impl Async {
    fn new() -> Self {
        let pc = weft_rtc::PeerConnection::new(Config::default().with_loopback(true)).unwrap();
        let init = DataChannelInit { negotiated: Some(3), ..DataChannelInit::new("x") };
        let channel = pc.create_data_channel(init).unwrap();
        Self { pc, channel }
    }
}

impl Face for Async {
    fn refuses(&mut self, wrong: Wrong) -> Result<(), String> {
        let pc = &self.pc;
        let text = |error: weft_rtc::Error| error.to_string();
        match wrong {
            Wrong::Url(url) => server(url),
            Wrong::Servers => {
                let config = Config::clone(&pc.configuration()).with_ice_server(turn_without_credentials());
                pc.set_configuration(config).map_err(text)
            }
            Wrong::Fixed => {
                let mut config = Config::clone(&pc.configuration());
                config.port = 1;
                pc.set_configuration(config).map_err(text)
            }
            Wrong::NegotiatedId => pc.create_data_channel(taken()).map(drop).map_err(text),
            Wrong::LongLabel => {
                pc.create_data_channel(DataChannelInit::new("x".repeat(65_536))).map(drop).map_err(text)
            }
            Wrong::Remote(of, sdp) => pc.set_remote_description(&remote(of, sdp)).map_err(text),
            Wrong::LocalOffer => pc.set_local_description(Some(Description::offer("v=0"))).map_err(text),
            Wrong::LocalAnswer => pc.create_answer().map(drop).map_err(text),
            Wrong::Candidate(line) => pc.add_ice_candidate(&candidate(line, "0")).map_err(text),
            Wrong::LocalEmptyAnswer => pc.set_local_description(Some(Description::answer(""))).map_err(text),
            Wrong::TooLarge => {
                let sent = self.channel.send(vec![0; LARGE]).now_or_never();
                sent.unwrap_or(Ok(())).map_err(text)
            }
        }
    }

    fn picture(&self) -> String {
        let pc = &self.pc;
        let states = (pc.signaling_state(), pc.gathering_state(), pc.ice_connection_state());
        let descriptions = (pc.local_description(), pc.remote_description());
        let (report, servers) = (pc.stats_report(), &pc.configuration().ice_servers);
        let channel = (self.channel.state(), self.channel.buffered_amount());
        format!(
            "{states:?} {:?} {:?} {descriptions:?} {servers:?} {channel:?}",
            pc.connection_state(),
            report.data_channels
        )
    }

    fn go_on(&mut self) {
        let offer = self.pc.create_offer().unwrap();
        self.pc.set_local_description(Some(offer)).unwrap();
    }
}

/// Polled peers: A is asked.
struct Polled {
    couple: Couple,
    hers: polled::DataChannel,
}

impl Face for Polled {
    fn refuses(&mut self, wrong: Wrong) -> Result<(), String> {
        let pc = &mut self.couple.a;
        let text = |error: polled::Error| error.to_string();
        let options = polled::ChannelOptions::default;
        let with_servers = |servers: Vec<polled::IceServer>| polled::Configuration {
            ice_servers: servers,
            ..polled::Configuration::default()
        };
        match wrong {
            Wrong::Url(url) => {
                let server = polled::IceServer { urls: vec![url.to_owned()], ..polled::IceServer::default() };
                pc.initialize(&with_servers(vec![server])).map_err(text)
            }
            Wrong::Servers => {
                let server = polled::IceServer { urls: vec!["turn:192.0.2.1".into()], ..polled::IceServer::default() };
                pc.set_configuration(&with_servers(vec![server])).map_err(text)
            }
            Wrong::Fixed => pc.initialize(&with_servers(vec![polled::IceServer::default()])).map_err(text),
            Wrong::NegotiatedId => pc.create_data_channel("again", &negotiated(1)).map(drop).map_err(text),
            Wrong::LongLabel => pc.create_data_channel(&"x".repeat(65_536), &options()).map(drop).map_err(text),
            Wrong::Remote(of, sdp) => pc.set_remote_description(of, sdp).map_err(text),
            Wrong::LocalOffer => pc.set_local_description("offer", "v=0").map_err(text),
            Wrong::LocalAnswer | Wrong::LocalEmptyAnswer => pc.set_local_description("answer", "v=0").map_err(text),
            Wrong::Candidate(line) => pc.add_ice_candidate("0", 0, line).map_err(text),
            Wrong::TooLarge => self.hers.put_packet(&vec![0; LARGE]).map_err(text),
        }
    }

    fn picture(&self) -> String {
        let pc = &self.couple.a;
        let channels = pc.stats_report().map(|report| report.data_channels);
        let states = (pc.connection_state(), pc.signaling_state(), pc.gathering_state());
        format!("{states:?} {channels:?} {:?} {}", self.hers.ready_state(), self.hers.buffered_amount())
    }

    fn go_on(&mut self) {
        let pc = &mut self.couple.a;
        if pc.connection_state() == polled::ConnectionState::New { pc.create_offer() } else { pc.restart_ice() }
            .unwrap();
        pc.poll().unwrap();
        let Some(polled::Signal::SessionDescriptionCreated { kind, sdp }) = pc.next_signal() else { panic!() };
        pc.set_local_description(&kind, &sdp).unwrap();
    }
}

fn check(face: &mut dyn Face, left_out: &[Wrong]) {
    let before = face.picture();
    for wrong in WRONG.iter().filter(|wrong| !left_out.contains(wrong)) {
        let text = face.refuses(*wrong).expect_err(&format!("{wrong:?} was taken"));
        assert!(text.len() > 8, "{wrong:?}: {text:?} says nothing");
        assert_eq!(face.picture(), before, "{wrong:?} changed something");
    }
}

/// While it is new, and while its offer is out.
fn check_new(face: &mut dyn Face) {
    check(face, &[Wrong::TooLarge]);
    let before = face.picture();
    face.go_on();
    assert_ne!(face.picture(), before);
    check(face, &[Wrong::TooLarge]);
}

#[test]
fn sans_io_refuses_and_stays_as_it_was() {
    check_new(&mut SansIo::new());
}

#[tokio::test]
async fn async_handles_refuse_and_stay_as_they_were() {
    check_new(&mut Async::new());
}

#[test]
fn polled_peers_refuse_and_stay_as_they_were() {
    let mut couple = Couple::new();
    let hers = couple.a.create_data_channel("x", &negotiated(1)).unwrap();
    check_new(&mut Polled { couple, hers });
}

#[test]
fn sans_io_connected_refuses_and_goes_on() {
    let mut face = SansIo::new();
    negotiate(&mut face.pair);
    face.pair.run_until(Duration::from_secs(5), connected).unwrap();
    face.pair.run_for(Duration::from_secs(1));
    let told = face.pair.a.seen;
    check(&mut face, &[]);
    face.pair.run_for(Duration::from_secs(1));
    assert_eq!(face.pair.a.seen, told, "something was told");
    face.go_on();
    check(&mut face, &[]);
    // The offer that is out is answered, and data flows.
    let (pair, channel) = (&mut face.pair, face.channel);
    let now = pair.now();
    let offer = pair.a.pc.local_description().unwrap();
    pair.b.pc.set_remote_description(now, &offer).unwrap();
    pair.b.pc.set_local_description(now, None).unwrap();
    let answer = pair.b.pc.local_description().unwrap();
    pair.a.pc.set_remote_description(now, &answer).unwrap();
    pair.a.pc.send(now, channel, MessageKind::Text, Bytes::from_static(b"on")).unwrap();
    pair.run_until(Duration::from_secs(1), |p| p.b.messages.len() == 1).unwrap();
}

#[tokio::test]
async fn async_handles_connected_refuse_and_go_on() {
    let (mut a, b) = (Async::new(), Async::new());
    let answer = b.pc.answer(&a.pc.offer().await.unwrap()).await.unwrap();
    a.pc.set_remote_description(&answer).unwrap();
    let ready = async {
        a.channel.opened().await.unwrap();
        b.channel.opened().await.unwrap();
        while a.pc.ice_connection_state() != weft_rtc::IceConnectionState::Completed {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(PATIENCE, ready).await.unwrap();
    while a.pc.next_event().now_or_never().is_some() {}
    check(&mut a, &[]);
    assert!(a.pc.next_event().now_or_never().is_none(), "something was told");
    a.go_on();
    check(&mut a, &[]);
    let answer = b.pc.answer(&a.pc.local_description().unwrap()).await.unwrap();
    a.pc.set_remote_description(&answer).unwrap();
    a.channel.send_text("on").await.unwrap();
    assert_eq!(timeout(PATIENCE, b.channel.recv()).await.unwrap().unwrap().as_text(), Some("on"));
    b.channel.send_text("and back").await.unwrap();
    assert_eq!(timeout(PATIENCE, a.channel.recv()).await.unwrap().unwrap().as_text(), Some("and back"));
}

#[test]
fn polled_peers_connected_refuse_and_go_on() {
    let (couple, hers, mut his) = polled_couple();
    let mut face = Polled { couple, hers };
    check(&mut face, &[]);
    face.couple.a.poll().unwrap();
    assert!(face.couple.a.next_signal().is_none(), "something was told");
    let pc = &mut face.couple.a;
    pc.restart_ice().unwrap();
    pc.poll().unwrap();
    let Some(polled::Signal::SessionDescriptionCreated { kind, sdp }) = pc.next_signal() else { panic!() };
    pc.set_local_description(&kind, &sdp).unwrap();
    check(&mut face, &[]);
    face.couple.b.set_remote_description(&kind, &sdp).unwrap();
    face.hers.put_packet(b"on").unwrap();
    face.couple.until("all is well", |couple| {
        his.available_packet_count() == 1 && couple.a.signaling_state() == SignalingState::Stable
    });
    assert_eq!(his.get_packet().unwrap(), &b"on"[..]);
    assert_eq!(face.couple.a.connection_state(), polled::ConnectionState::Connected);
}
