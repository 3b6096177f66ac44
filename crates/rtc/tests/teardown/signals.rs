//! Polled peers that end from within whatever they tell, and in whatever state.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use weft_rtc::Certificate;
use weft_rtc::polled::{
    ChannelOptions, ChannelState, Configuration, ConnectionState, DataChannel, IceServer, PeerConnection, Signal,
};

use crate::{SLACK, Stage, alone, config, open_files, polled_couple};

/// How one ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum How {
    Closed,
    Dropped,
    Anew,
}

const WAYS: [How; 3] = [How::Closed, How::Dropped, How::Anew];

/// Two peers, of which one ends when it was told so many things.
struct Scene {
    peers: [Option<PeerConnection>; 2],
    channels: [Vec<DataChannel>; 2],
    told: [usize; 2],
    /// Who ends, at what, and how.
    end: Option<(usize, usize, How)>,
    ended: bool,
}

impl Scene {
    fn new(certificate: &Arc<Certificate>, end: Option<(usize, usize, How)>) -> Self {
        let mut peers = [0, 1].map(|_| PeerConnection::with_config(config(certificate)));
        // Nobody listens there, which is told, too.
        let refused = IceServer {
            urls: vec!["turn:127.0.0.1:1?transport=tcp".to_owned()],
            username: Some("alice".to_owned()),
            credential: Some("secret".to_owned()),
        };
        for peer in &mut peers {
            let servers = Configuration { ice_servers: vec![refused.clone()], ..Configuration::default() };
            peer.initialize(&servers).unwrap();
        }
        let first = peers[0].create_data_channel("x", &ChannelOptions::default()).unwrap();
        let second = peers[1].create_data_channel("y", &ChannelOptions::default()).unwrap();
        peers[0].create_offer().unwrap();
        let [a, b] = peers;
        Self { peers: [Some(a), Some(b)], channels: [vec![first], vec![second]], told: [0; 2], end, ended: false }
    }

    /// A frame of one of them.
    fn frame(&mut self, n: usize) {
        let Some(peer) = &mut self.peers[n] else { return };
        peer.poll().unwrap();
        while let Some(signal) = self.peers[n].as_mut().and_then(PeerConnection::next_signal) {
            let at = self.told[n];
            self.told[n] += 1;
            if let Some((_, _, how)) = self.end.filter(|(who, when, _)| (*who, *when) == (n, at)) {
                self.ended = true;
                match how {
                    How::Closed => self.peers[n].as_mut().unwrap().close(),
                    How::Dropped => self.peers[n] = None,
                    How::Anew => self.peers[n].as_mut().unwrap().initialize(&Configuration::default()).unwrap(),
                }
            }
            self.act(n, signal);
        }
    }

    /// As a game would, which has not noticed yet.
    fn act(&mut self, n: usize, signal: Signal) {
        match signal {
            Signal::SessionDescriptionCreated { kind, sdp } => {
                let set = self.peers[n].as_mut().map(|peer| peer.set_local_description(&kind, &sdp));
                assert!(self.ended || set.is_none_or(|set| set.is_ok()));
                let set = self.peers[1 - n].as_mut().map(|peer| peer.set_remote_description(&kind, &sdp));
                assert!(self.ended || set.is_none_or(|set| set.is_ok()));
            }
            Signal::IceCandidateCreated { media, index, name } => {
                let set = self.peers[1 - n].as_mut().map(|peer| peer.add_ice_candidate(&media, index, &name));
                assert!(self.ended || set.is_none_or(|set| set.is_ok()));
            }
            Signal::DataChannelReceived(channel) => self.channels[n].push(channel),
            Signal::IceCandidateError(_) => {}
            other => panic!("{other:?}"),
        }
    }

    fn is_open(&self) -> bool {
        let open = |channel: &DataChannel| channel.ready_state() == ChannelState::Open;
        self.channels.iter().all(|channels| channels.len() == 2 && channels.iter().all(open))
    }

    /// Until both channels are open or one has ended. Whether the other was connected.
    fn play(&mut self) -> bool {
        let begun = Instant::now();
        while !self.is_open() && !self.ended {
            assert!(begun.elapsed() < Duration::from_secs(20), "it stands still: {:?}", self.told);
            self.frame(0);
            self.frame(1);
        }
        let Some((who, ..)) = self.end.filter(|_| self.ended) else { return true };
        self.peers[1 - who].as_ref().is_some_and(|peer| peer.connection_state() == ConnectionState::Connected)
    }

    /// Until the channels of `n` are closed: it was told.
    fn learns(&mut self, n: usize) -> bool {
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(2) {
            self.frame(n);
            if self.channels[n].iter().all(|channel| channel.ready_state() == ChannelState::Closed) {
                return true;
            }
        }
        false
    }
}

#[test]
fn from_within_whatever_it_tells() {
    let _alone = alone();
    let certificate = Arc::new(Certificate::generate().unwrap());
    let all = |certificate: &Arc<Certificate>| {
        let idle = open_files();
        let mut whole = Scene::new(certificate, None);
        whole.play();
        let told = whole.told;
        drop(whole);
        assert!(told[0] > 3 && told[1] > 3, "{told:?}");
        let mut connected = 0;
        for (who, when) in (0..2).flat_map(|who| (0..told[who]).map(move |when| (who, when))) {
            for how in WAYS {
                let mut scene = Scene::new(certificate, Some((who, when, how)));
                let was_connected = scene.play();
                if was_connected && scene.ended {
                    connected += 1;
                    assert!(scene.learns(1 - who), "{who} {when} {how:?}: the other side is not told");
                }
                let ended = scene.peers[who].as_ref().map(PeerConnection::connection_state);
                let wanted = match how {
                    How::Closed => Some(ConnectionState::Closed),
                    How::Dropped => None,
                    How::Anew => Some(ConnectionState::New),
                };
                assert!(!scene.ended || ended == wanted, "{who} {when} {how:?}: {ended:?}");
            }
        }
        assert_eq!(open_files(), idle, "sockets are open");
        connected
    };
    assert!(all(&certificate) > 0, "nobody was connected");
    let counted = allocation_counter::measure(|| assert!(all(&certificate) > 0));
    assert!(counted.bytes_current.abs() < SLACK / 8, "{} bytes stay", counted.bytes_current);
}

/// Takes one to a state; with those who are connected, the far end.
fn in_state(
    certificate: &Arc<Certificate>,
    state: ConnectionState,
) -> (PeerConnection, Vec<DataChannel>, Option<Scene>) {
    let (stage, close) = match state {
        ConnectionState::New => (Stage::New, false),
        ConnectionState::Connecting => (Stage::Offered, false),
        ConnectionState::Closed => (Stage::Open, true),
        ConnectionState::Failed => return failed(certificate),
        _ => (Stage::Sending, false),
    };
    let ([mut a, b], mut channels) = polled_couple(certificate, stage);
    if close {
        a.close();
    }
    assert_eq!(a.connection_state(), state);
    let hers = vec![channels.remove(0)];
    let far = (stage == Stage::Sending).then(|| Scene {
        peers: [None, Some(b)],
        channels: [Vec::new(), channels],
        told: [0; 2],
        end: None,
        ended: true,
    });
    (a, hers, far)
}

/// One that was told of another certificate than the other side shows.
fn failed(certificate: &Arc<Certificate>) -> (PeerConnection, Vec<DataChannel>, Option<Scene>) {
    let mut scene = Scene::new(certificate, None);
    let begun = Instant::now();
    loop {
        assert!(begun.elapsed() < Duration::from_secs(20), "it never fails");
        for n in 0..2 {
            let peer = scene.peers[n].as_mut().unwrap();
            peer.poll().unwrap();
            while let Some(mut signal) = scene.peers[n].as_mut().and_then(PeerConnection::next_signal) {
                if let Signal::SessionDescriptionCreated { kind, sdp } = &mut signal {
                    scene.peers[n].as_mut().unwrap().set_local_description(kind, sdp).unwrap();
                    let print = sdp.lines().find(|line| line.starts_with("a=fingerprint:")).unwrap().to_owned();
                    let other = "00:".repeat(31) + "00";
                    let forged = sdp.replace(&print, &format!("a=fingerprint:sha-256 {other}"));
                    scene.peers[1 - n].as_mut().unwrap().set_remote_description(kind, &forged).unwrap();
                } else {
                    scene.act(n, signal);
                }
            }
        }
        let state = |n: usize| scene.peers[n].as_ref().unwrap().connection_state();
        if let Some(n) = (0..2).find(|n| state(*n) == ConnectionState::Failed) {
            let channels = std::mem::take(&mut scene.channels[n]);
            return (scene.peers[n].take().unwrap(), channels, None);
        }
    }
}

/// All but [`ConnectionState::Disconnected`], which takes ten seconds.
const STATES: [ConnectionState; 5] = [
    ConnectionState::New,
    ConnectionState::Connecting,
    ConnectionState::Connected,
    ConnectionState::Failed,
    ConnectionState::Closed,
];

#[test]
fn in_whatever_state() {
    let _alone = alone();
    let certificate = Arc::new(Certificate::generate().unwrap());
    let all = || {
        let idle = open_files();
        for (state, how) in STATES.into_iter().flat_map(|state| WAYS.map(|how| (state, how))) {
            let (mut peer, channels, far) = in_state(&certificate, state);
            let left = match how {
                How::Closed => {
                    peer.close();
                    peer.close();
                    peer.poll().unwrap();
                    assert_eq!(peer.connection_state(), ConnectionState::Closed);
                    Some(peer)
                }
                How::Dropped => {
                    drop(peer);
                    None
                }
                How::Anew => {
                    peer.initialize(&Configuration::default()).unwrap();
                    peer.poll().unwrap();
                    assert_eq!(peer.connection_state(), ConnectionState::New);
                    Some(peer)
                }
            };
            for channel in &channels {
                assert_eq!(channel.ready_state(), ChannelState::Closed, "{state:?} {how:?}");
            }
            if let Some(mut far) = far {
                assert!(far.learns(1), "{state:?} {how:?}: the other side is not told");
            }
            drop((left, channels));
        }
        assert_eq!(open_files(), idle, "sockets are open");
    };
    all();
    let counted = allocation_counter::measure(all);
    assert!(counted.bytes_current.abs() < SLACK / 8, "{} bytes stay", counted.bytes_current);
}
