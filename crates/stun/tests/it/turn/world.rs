//! A client, servers and a network with delay and loss, in virtual time.

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use weft_core::{Datagram, Frame, Instant, Layer as _, Overhead, Path, Rng, Transport};
use weft_stun::Credentials;
use weft_stun::turn::{Allocation, Client, Config, Event, MAX_OVERHEAD, Received};
use weft_testkit::{TurnServer, TurnServerConfig};

pub(crate) fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

pub(crate) const CLIENT: &str = "192.0.2.1:5000";
pub(crate) const SERVER: &str = "198.51.100.1:3478";
pub(crate) const OTHER_SERVER: &str = "198.51.100.2:3478";
pub(crate) const PEER: &str = "203.0.113.9:7000";

pub(crate) struct World {
    pub(crate) now: Instant,
    pub(crate) client: Client,
    pub(crate) servers: Vec<TurnServer>,
    pub(crate) events: Vec<(u64, Event)>,
    /// What the client yielded: from, content.
    pub(crate) received: Vec<(SocketAddr, Vec<u8>)>,
    /// What peers got: from, to, content.
    pub(crate) at_peer: Vec<(SocketAddr, SocketAddr, Vec<u8>)>,
    /// Everything the client sent.
    pub(crate) sent: Vec<Vec<u8>>,
    pub(crate) loss: f64,
    /// The servers do not answer.
    pub(crate) dead: bool,
    /// What the servers answer is lost.
    pub(crate) loss_to_client: bool,
    delay: Duration,
    in_flight: Vec<(Instant, u64, SocketAddr, SocketAddr, Vec<u8>)>,
    order: u64,
    rng: Rng,
}

pub(crate) fn config() -> Config {
    Config::new(Credentials::new("alice", "secret"))
}

impl World {
    pub(crate) fn new(seed: u64, config: Config, server: TurnServerConfig) -> Self {
        Self::over(Transport::Udp, seed, config, server)
    }

    pub(crate) fn over(transport: Transport, seed: u64, config: Config, server: TurnServerConfig) -> Self {
        let mut rng = Rng::from_test_seed(seed);
        let path = Path { transport, local: address(CLIENT), remote: address(SERVER) };
        let other = TurnServerConfig { alternate: None, ..server.clone() };
        let relay = |text: &str| text.parse::<IpAddr>().unwrap();
        let servers = vec![
            TurnServer::new(address(SERVER), relay("198.51.100.101"), server, rng.fork()),
            TurnServer::new(address(OTHER_SERVER), relay("198.51.100.102"), other, rng.fork()),
        ];
        Self {
            now: Instant::ORIGIN,
            client: Client::new(Instant::ORIGIN, config, path, rng.fork()),
            servers,
            events: Vec::new(),
            received: Vec::new(),
            at_peer: Vec::new(),
            sent: Vec::new(),
            loss: 0.0,
            dead: false,
            loss_to_client: false,
            delay: Duration::from_millis(25),
            in_flight: Vec::new(),
            order: 0,
            rng,
        }
    }

    pub(crate) fn server(&mut self) -> &mut TurnServer {
        &mut self.servers[0]
    }

    fn launch(&mut self, from: SocketAddr, to: SocketAddr, bytes: Vec<u8>) {
        if !self.rng.chance(self.loss) {
            self.order += 1;
            self.in_flight.push((self.now + self.delay, self.order, from, to, bytes));
        }
    }

    pub(crate) fn drain(&mut self) {
        let mut buf = [0; 1500];
        let mut frame = Frame::new(&mut buf, Overhead::NONE);
        while let Some(path) = self.client.poll_transmit(self.now, &mut frame) {
            self.sent.push(frame.content().to_vec());
            let bytes = frame.content().to_vec();
            self.launch(path.local, path.remote, bytes);
            frame.truncate(0);
        }
        while let Some(event) = self.client.poll_event() {
            self.events.push((self.now.as_millis(), event));
        }
    }

    fn deliver(&mut self, from: SocketAddr, to: SocketAddr, mut bytes: Vec<u8>) {
        if to == self.client.path().local {
            let transport = self.client.path().transport;
            let path = Path { transport, local: to, remote: from };
            if let Ok(Received::Relayed(datagram)) = self.client.handle_input(self.now, Datagram::new(path, &mut bytes))
            {
                assert_eq!(datagram.path.transport, Transport::Udp);
                self.received.push((datagram.path.remote, datagram.payload.to_vec()));
            }
            return;
        }
        if let Some(server) = self.servers.iter_mut().find(|server| server.is_at(to)) {
            let replies = if self.dead { Vec::new() } else { server.handle(self.now, from, to, &bytes) };
            for (from, to, bytes) in replies.into_iter().filter(|_| !self.loss_to_client).collect::<Vec<_>>() {
                self.launch(from, to, bytes);
            }
            return;
        }
        self.at_peer.push((from, to, bytes));
    }

    /// Runs for so long.
    pub(crate) fn run(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            self.drain();
            let arrival = self.in_flight.iter().map(|flight| flight.0).min();
            let next = [arrival, self.client.poll_timeout(), Some(end)].into_iter().flatten().min().unwrap();
            self.now = self.now.max(next);
            if next >= end {
                self.now = end;
                return;
            }
            let now = self.now;
            let mut due: Vec<_> = self.in_flight.extract_if(.., |flight| flight.0 <= now).collect();
            due.sort_by_key(|flight| flight.1);
            for (_, _, from, to, bytes) in due {
                self.deliver(from, to, bytes);
            }
            self.client.handle_timeout(self.now).unwrap();
        }
    }

    pub(crate) fn send(&mut self, peer: SocketAddr, content: &[u8]) -> bool {
        let mut buf = [0; 1500];
        let mut frame = Frame::new(&mut buf, MAX_OVERHEAD);
        frame.push(content).unwrap();
        let overhead = self.client.overhead(peer);
        let Ok(path) = self.client.wrap(peer, &mut frame) else { return false };
        let grown = frame.len() - content.len();
        let overhead = overhead.unwrap();
        assert!((overhead.head..=overhead.total()).contains(&grown));
        let bytes = frame.content().to_vec();
        self.launch(path.local, path.remote, bytes);
        true
    }

    pub(crate) fn peer_sends(&mut self, peer: SocketAddr, content: &[u8]) {
        let relayed = self.client.allocation().unwrap();
        let relayed = if peer.is_ipv4() { relayed.relayed } else { relayed.additional.unwrap_or(relayed.relayed) };
        self.launch(peer, relayed, content.to_vec());
    }

    pub(crate) fn allocation(&self) -> Allocation {
        *self.client.allocation().expect("allocated")
    }

    pub(crate) fn has(&self, wanted: impl Fn(&Event) -> bool) -> bool {
        self.events.iter().any(|(_, event)| wanted(event))
    }

    pub(crate) fn count(&self, wanted: impl Fn(&Event) -> bool) -> usize {
        self.events.iter().filter(|(_, event)| wanted(event)).count()
    }
}
