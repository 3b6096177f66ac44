//! STUN and TURN servers of a configuration.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use weft_core::{Batch, Datagram, Instant, Limits, Path, Rng, Transport};
use weft_rtc::ice::{CandidateKind, Policy, StreamKind};
use weft_rtc::sans_io::PeerConnection;
use weft_rtc::{Config, DataChannelInit, Error, Event, GatheringState, IceServer, MessageKind, Request};
use weft_testkit::{TurnServer, TurnServerConfig};

const SERVER: &str = "198.51.100.1:3478";

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn turn() -> IceServer {
    IceServer::turn(vec![format!("turn:{SERVER}").parse().unwrap()], "alice", "secret")
}

/// Two connections that reach nothing but a TURN server.
struct World {
    now: Instant,
    peers: Vec<(SocketAddr, PeerConnection, Vec<Event>)>,
    server: TurnServer,
    in_flight: Vec<(Instant, SocketAddr, SocketAddr, Vec<u8>)>,
}

impl World {
    fn new(config: &Config) -> Self {
        let peer = |address_of: &str, seed| {
            let rng = Rng::from_test_seed(seed);
            let mut pc = PeerConnection::new(Instant::ORIGIN, config.clone(), rng).unwrap();
            pc.add_host_address(Instant::ORIGIN, address(address_of));
            (address(address_of), pc, Vec::new())
        };
        let relay = "198.51.100.100".parse().unwrap();
        let server = TurnServerConfig::default();
        Self {
            now: Instant::ORIGIN,
            peers: vec![peer("192.0.2.1:5000", 1), peer("192.0.2.2:5000", 2)],
            server: TurnServer::new(address(SERVER), relay, server, Rng::from_test_seed(3)),
            in_flight: Vec::new(),
        }
    }

    fn drain(&mut self) {
        for (local, pc, events) in &mut self.peers {
            let mut batch = Batch::new(1 << 16, Limits::SINGLE);
            while pc.poll_transmit(self.now, &mut batch) > 0 {
                while let Some((run, bytes)) = batch.front() {
                    assert_eq!(run.route.local, *local);
                    let arrival = self.now + Duration::from_millis(10);
                    self.in_flight.push((arrival, run.route.local, run.route.remote, bytes.to_vec()));
                    batch.sent();
                }
            }
            events.extend(std::iter::from_fn(|| pc.poll_event()));
        }
        for from in 0..2 {
            let candidates: Vec<_> = self.peers[from]
                .2
                .extract_if(.., |event| matches!(event, Event::IceCandidate(_)))
                .filter_map(|event| if let Event::IceCandidate(candidate) = event { Some(*candidate) } else { None })
                .collect();
            for candidate in candidates {
                assert!(candidate.candidate.is_empty() || candidate.candidate.contains("typ relay"), "{candidate:?}");
                self.peers[1 - from].1.add_ice_candidate(self.now, &candidate).unwrap();
            }
        }
    }

    fn run(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now < end {
            self.drain();
            let timers = self.peers.iter().filter_map(|(_, pc, _)| pc.poll_timeout());
            let next = self.in_flight.iter().map(|flight| flight.0).chain(timers).chain([end]).min().unwrap();
            self.now = self.now.max(next);
            let now = self.now;
            let due: Vec<_> = self.in_flight.extract_if(.., |flight| flight.0 <= now).collect();
            for (_, from, to, mut bytes) in due {
                if let Some((_, pc, _)) = self.peers.iter_mut().find(|peer| peer.0 == to) {
                    if from == address(SERVER) {
                        pc.handle_input(now, Datagram::new(Path::udp(to, from), &mut bytes));
                    }
                } else if self.server.is_at(to) {
                    let sent = self.server.handle(now, from, to, &bytes);
                    self.in_flight.extend(sent.into_iter().map(|(from, to, bytes)| (now, from, to, bytes)));
                }
            }
            self.peers.iter_mut().for_each(|(_, pc, _)| pc.handle_timeout(now));
        }
        self.drain();
    }
}

#[test]
fn relays_carry_a_connection_that_has_no_other_way() {
    let mut config = Config::default().with_ice_server(turn());
    config.ice_transport_policy = Policy::Relay;
    let mut world = World::new(&config);
    let now = world.now;
    let id = world.peers[0].1.create_data_channel(now, DataChannelInit::new("x")).unwrap();
    let offer = world.peers[0].1.create_offer().unwrap();
    world.peers[0].1.set_local_description(now, Some(offer.clone())).unwrap();
    assert_eq!(world.peers[0].1.gathering_state(), GatheringState::Gathering);
    world.peers[1].1.set_remote_description(now, &offer).unwrap();
    let answer = world.peers[1].1.create_answer().unwrap();
    world.peers[1].1.set_local_description(now, Some(answer.clone())).unwrap();
    world.peers[0].1.set_remote_description(now, &answer).unwrap();
    world.run(Duration::from_secs(3));
    assert_eq!(world.peers[0].1.gathering_state(), GatheringState::Complete);
    for (_, pc, events) in &world.peers {
        let pair =
            events.iter().find_map(|event| if let Event::SelectedPair(pair) = event { Some(pair) } else { None });
        let pair = pair.expect("a pair was selected");
        assert_eq!((pair.local.kind, pair.remote.kind), (CandidateKind::Relayed, CandidateKind::Relayed));
        let url = pc.server_of(&pair.local).map(ToString::to_string);
        assert_eq!(url, Some(turn().urls[0].to_string()));
        let report = pc.stats_report(world.now);
        let relayed = report.local_candidates.iter().find(|known| known.candidate == pair.local).unwrap();
        assert_eq!((relayed.url.as_ref(), relayed.relay_protocol), (Some(&turn().urls[0]), Some(Transport::Udp)));
        assert!(report.remote_candidates.iter().all(|known| known.url.is_none() && known.relay_protocol.is_none()));
    }
    let now = world.now;
    let message = Bytes::from(vec![7; 100_000]);
    world.peers[0].1.send(now, id, MessageKind::Binary, message.clone()).unwrap();
    world.run(Duration::from_secs(5));
    let incoming = world.peers[1].2.iter().find_map(|e| if let Event::DataChannel(id) = e { Some(*id) } else { None });
    let received = world.peers[1].1.receive(incoming.expect("the channel opens"));
    assert_eq!(received.expect("the message arrives").data, message);
    let (indications, channel_data, _) = world.server.relayed;
    assert!(channel_data > 10 * indications.min(5), "{indications} indications, {channel_data} in channels");
    // The farewell goes by the relay, and then the allocations are given back.
    assert_eq!(world.server.allocations(), 2);
    let now = world.now;
    world.peers[0].1.close(now);
    world.run(Duration::from_secs(1));
    assert_eq!(world.server.allocations(), 1);
    assert!(world.peers[1].2.iter().any(|event| matches!(event, Event::Closed(..))), "{:?}", world.peers[1].2);
}

#[test]
fn drivers_are_asked_to_resolve_and_to_connect() {
    let urls = ["turn:192.0.2.7?transport=tcp", "turns:turn.example.org:443"].map(|url| url.parse().unwrap());
    let config = Config::default()
        .with_ice_server(IceServer::turn(urls.to_vec(), "alice", "secret"))
        .with_ice_server(IceServer::stun("stun:stun.example.org".parse().unwrap()));
    let now = Instant::ORIGIN;
    let mut pc = PeerConnection::new(now, config, Rng::from_test_seed(1)).unwrap();
    pc.add_host_address(now, address("192.0.2.1:5000"));
    pc.create_data_channel(now, DataChannelInit::new("x")).unwrap();
    let offer = pc.create_offer().unwrap();
    pc.set_local_description(now, Some(offer.clone())).unwrap();
    let mut names = Vec::new();
    let mut streams = Vec::new();
    let mut now = now;
    for _ in 0..10 {
        let mut batch = Batch::new(1 << 16, Limits::SINGLE);
        pc.handle_timeout(now);
        pc.poll_transmit(now, &mut batch);
        while let Some(request) = pc.poll_request() {
            match request {
                Request::Resolve(server, name) => {
                    let found = if name.starts_with("turn") { vec!["192.0.2.8".parse().unwrap()] } else { Vec::new() };
                    pc.server_resolved(now, server, &found);
                    names.push(name);
                }
                Request::OpenStream(path, kind) => {
                    assert_eq!(path.local, address("192.0.2.1:0"));
                    pc.stream_closed(now, &path);
                    streams.push((path.transport, path.remote, kind));
                }
                other => panic!("{other:?}"),
            }
        }
        now += Duration::from_millis(100);
    }
    assert_eq!(names, ["turn.example.org", "stun.example.org"]);
    let tls = StreamKind::TurnTls("turn.example.org".into());
    assert!(streams.contains(&(Transport::Tcp, address("192.0.2.7:3478"), StreamKind::Turn)), "{streams:?}");
    assert!(streams.contains(&(Transport::Tls, address("192.0.2.8:443"), tls)), "{streams:?}");
    let events: Vec<_> = std::iter::from_fn(|| pc.poll_event()).collect();
    let errors = events.iter().filter(|event| matches!(event, Event::IceCandidateError(error) if error.code == 701));
    assert_eq!(errors.count(), 3, "{events:?}");
    assert_eq!(pc.gathering_state(), GatheringState::Complete);
}

//= rfc8829#4.1.1
//# The default ICE candidate policy MUST be set to "all", as this is generally the desired policy and also typically reduces the use of application TURN server resources significantly.
//= rfc8829#4.1.1
//# Because pre-gathering results in utilizing STUN/TURN server resources for potentially long periods of time, this MUST only occur upon application request, and therefore the default candidate pool size MUST be zero.
#[test]
fn nothing_is_asked_for_before_a_description_is_applied() {
    assert_eq!(Config::default().ice_transport_policy, Policy::All);
    let mut now = Instant::ORIGIN;
    let mut pc = PeerConnection::new(now, Config::default().with_ice_server(turn()), Rng::from_test_seed(1)).unwrap();
    pc.add_host_address(now, address("192.0.2.1:5000"));
    pc.create_data_channel(now, DataChannelInit::new("x")).unwrap();
    let offer = pc.create_offer().unwrap();
    let mut batch = Batch::new(1 << 16, Limits::SINGLE);
    for _ in 0..100 {
        pc.handle_timeout(now);
        assert_eq!(pc.poll_transmit(now, &mut batch), 0);
        assert_eq!(pc.poll_request(), None);
        now += Duration::from_millis(100);
    }
    pc.set_local_description(now, Some(offer)).unwrap();
    assert!(pc.poll_transmit(now, &mut batch) > 0);
}

#[test]
fn servers_that_cannot_be_are_refused() {
    let refused = |server| matches!(Config::default().with_ice_server(server).validate(), Err(Error::Config(_)));
    assert!(refused(IceServer { urls: vec!["turn:192.0.2.7".parse().unwrap()], credentials: None }));
    assert!(refused(IceServer::stun("stuns:stun.example".parse().unwrap())));
    assert!(!refused(turn()));
}
