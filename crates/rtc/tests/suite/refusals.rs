//! Bad options, descriptions, candidates and states, over all three faces: each is a typed error that says what is wrong,
//! and leaves the connection as it was.

use weft_core::{Instant, Rng};
use weft_rtc::polled;
use weft_rtc::{Config, DataChannelInit, Description, IceCandidate, IceServer, SdpType, sans_io};

/// What is done wrong.
#[derive(Clone, Copy, Debug)]
enum Wrong {
    Url(&'static str),
    NegotiatedId,
    LongLabel,
    Remote(&'static str, &'static str),
    LocalOffer,
    LocalAnswer,
    Candidate(&'static str),
    LocalEmptyAnswer,
}

const WRONG: &[Wrong] = &[
    Wrong::Url("stun:"),
    Wrong::Url("turn:host:99999"),
    Wrong::Url("https://host"),
    Wrong::NegotiatedId,
    Wrong::LongLabel,
    Wrong::Remote("offer", ""),
    Wrong::Remote("offer", "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=never\r\n"),
    Wrong::Remote(
        "offer",
        "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\nm=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\n",
    ),
    Wrong::Remote("answer", "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n"),
    Wrong::LocalOffer,
    Wrong::LocalAnswer,
    Wrong::Candidate("candidate:"),
    Wrong::Candidate("candidate:1 1 udp one 127.0.0.1 9 typ host"),
    Wrong::Candidate("candidate:1 1 udp 1 127.0.0.1 65536 typ host"),
    Wrong::LocalEmptyAnswer,
];

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

impl Face for sans_io::PeerConnection {
    fn refuses(&mut self, wrong: Wrong) -> Result<(), String> {
        let now = Instant::ORIGIN;
        let text = |error: weft_rtc::Error| error.to_string();
        match wrong {
            Wrong::Url(url) => server(url),
            Wrong::NegotiatedId => self.create_data_channel(now, taken()).map(drop).map_err(text),
            Wrong::LongLabel => {
                self.create_data_channel(now, DataChannelInit::new("x".repeat(65_536))).map(drop).map_err(text)
            }
            Wrong::Remote(of, sdp) => self.set_remote_description(now, &remote(of, sdp)).map_err(text),
            Wrong::LocalOffer => self.set_local_description(now, Some(Description::offer("v=0"))).map_err(text),
            Wrong::LocalAnswer => self.create_answer().map(drop).map_err(text),
            Wrong::Candidate(line) => self.add_ice_candidate(now, &candidate(line, "0")).map_err(text),
            Wrong::LocalEmptyAnswer => self.set_local_description(now, Some(Description::answer(""))).map_err(text),
        }
    }

    fn picture(&self) -> String {
        let states = (self.signaling_state(), self.gathering_state(), self.ice_connection_state());
        let more = (self.connection_state(), self.dtls_state(), self.sctp_state(), self.negotiation_needed());
        let report = self.stats_report(Instant::ORIGIN);
        let descriptions = (self.local_description(), self.remote_description());
        format!("{states:?} {more:?} {:?} {:?} {descriptions:?}", report.data_channels, report.remote_candidates)
    }

    fn go_on(&mut self) {
        let offer = self.create_offer().unwrap();
        self.set_local_description(Instant::ORIGIN, Some(offer)).unwrap();
    }
}

impl Face for weft_rtc::PeerConnection {
    fn refuses(&mut self, wrong: Wrong) -> Result<(), String> {
        let text = |error: weft_rtc::Error| error.to_string();
        match wrong {
            Wrong::Url(url) => server(url),
            Wrong::NegotiatedId => self.create_data_channel(taken()).map(drop).map_err(text),
            Wrong::LongLabel => {
                self.create_data_channel(DataChannelInit::new("x".repeat(65_536))).map(drop).map_err(text)
            }
            Wrong::Remote(of, sdp) => self.set_remote_description(&remote(of, sdp)).map_err(text),
            Wrong::LocalOffer => self.set_local_description(Some(Description::offer("v=0"))).map_err(text),
            Wrong::LocalAnswer => self.create_answer().map(drop).map_err(text),
            Wrong::Candidate(line) => self.add_ice_candidate(&candidate(line, "0")).map_err(text),
            Wrong::LocalEmptyAnswer => self.set_local_description(Some(Description::answer(""))).map_err(text),
        }
    }

    fn picture(&self) -> String {
        let states = (self.signaling_state(), self.gathering_state(), self.ice_connection_state());
        let descriptions = (self.local_description(), self.remote_description());
        let report = self.stats_report();
        format!("{states:?} {:?} {:?} {descriptions:?}", self.connection_state(), report.data_channels)
    }

    fn go_on(&mut self) {
        let offer = self.create_offer().unwrap();
        self.set_local_description(Some(offer)).unwrap();
    }
}

impl Face for polled::PeerConnection {
    fn refuses(&mut self, wrong: Wrong) -> Result<(), String> {
        let text = |error: polled::Error| error.to_string();
        let options = polled::ChannelOptions::default;
        match wrong {
            Wrong::Url(url) => {
                let server = polled::IceServer { urls: vec![url.to_owned()], ..polled::IceServer::default() };
                let servers = polled::Configuration { ice_servers: vec![server], ..polled::Configuration::default() };
                self.initialize(&servers).map_err(text)
            }
            Wrong::NegotiatedId => {
                let options = polled::ChannelOptions { negotiated: true, id: Some(3), ..options() };
                self.create_data_channel("again", &options).map(drop).map_err(text)
            }
            Wrong::LongLabel => self.create_data_channel(&"x".repeat(65_536), &options()).map(drop).map_err(text),
            Wrong::Remote(of, sdp) => self.set_remote_description(of, sdp).map_err(text),
            Wrong::LocalOffer => self.set_local_description("offer", "v=0").map_err(text),
            Wrong::LocalAnswer | Wrong::LocalEmptyAnswer => self.set_local_description("answer", "v=0").map_err(text),
            Wrong::Candidate(line) => self.add_ice_candidate("0", 0, line).map_err(text),
        }
    }

    fn picture(&self) -> String {
        let channels = self.stats_report().map(|report| report.data_channels);
        format!("{:?} {:?} {:?} {channels:?}", self.connection_state(), self.signaling_state(), self.gathering_state())
    }

    fn go_on(&mut self) {
        self.create_offer().unwrap();
        let Some(polled::Signal::SessionDescriptionCreated { kind, sdp }) = self.next_signal() else { panic!() };
        self.set_local_description(&kind, &sdp).unwrap();
    }
}

fn check(face: &mut dyn Face) {
    let before = face.picture();
    for wrong in WRONG {
        let text = face.refuses(*wrong).expect_err(&format!("{wrong:?} was taken"));
        assert!(text.len() > 8, "{wrong:?}: {text:?} says nothing");
        assert_eq!(face.picture(), before, "{wrong:?} changed something");
    }
    face.go_on();
    assert_ne!(face.picture(), before);
}

#[test]
fn sans_io_refuses_and_stays_as_it_was() {
    let mut pc = sans_io::PeerConnection::new(Instant::ORIGIN, Config::default(), Rng::from_test_seed(1)).unwrap();
    pc.create_data_channel(Instant::ORIGIN, DataChannelInit { negotiated: Some(3), ..DataChannelInit::new("x") })
        .unwrap();
    check(&mut pc);
}

#[tokio::test]
async fn async_handles_refuse_and_stay_as_they_were() {
    let mut pc = weft_rtc::PeerConnection::new(Config::default().with_loopback(true)).unwrap();
    let channel = pc.create_data_channel(DataChannelInit { negotiated: Some(3), ..DataChannelInit::new("x") }).unwrap();
    check(&mut pc);
    drop(channel);
}

#[test]
fn polled_peers_refuse_and_stay_as_they_were() {
    let mut pc = polled::PeerConnection::with_config(Config::default().with_loopback(true));
    let options = polled::ChannelOptions { negotiated: true, id: Some(3), ..polled::ChannelOptions::default() };
    let channel = pc.create_data_channel("x", &options).unwrap();
    check(&mut pc);
    drop(channel);
}
