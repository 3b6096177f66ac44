//! Two connections and a bad network between them: the links of the simulator, with a driver that lets tests look into and
//! meddle with every datagram.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use weft_core::{Frame, Instant, Layer, Overhead, Path, Rng, Wrap};
use weft_dtls::wire::{ContentType, RECORD_HEADER, RecordHeader, UnifiedHeader};
use weft_dtls::{Certificate, Config, Connection, Error, Event, HashAlgorithm, ProtocolVersion, Role, Verifier};
use weft_testkit::{A_V4, B_V4, Link, LinkConfig, Loss, Packet};

/// Made once: key generation is no part of what is tested.
pub(crate) static CERTIFICATES: LazyLock<[Arc<Certificate>; 2]> =
    LazyLock::new(|| [Arc::new(Certificate::generate().unwrap()), Arc::new(Certificate::generate().unwrap())]);

pub(crate) fn fingerprint_of(certificate: &Certificate) -> Verifier {
    Verifier::Fingerprints(vec![certificate.fingerprint(HashAlgorithm::Sha256)])
}

/// Configuration of one side that expects the other's certificate, with every version.
pub(crate) fn config_any(role: Role) -> Config {
    let [client, server] = &*CERTIFICATES;
    match role {
        Role::Client => Config::new(client.clone(), fingerprint_of(server)),
        Role::Server => Config::new(server.clone(), fingerprint_of(client)),
    }
}

/// Two connections of the default settings, a tenth of a second after the handshake.
pub(crate) fn connected() -> Pair {
    let mut pair = Pair::new(config_any(Role::Client), config_any(Role::Server), PERFECT, 1);
    pair.connect(Duration::from_secs(5));
    pair.run_for(Duration::from_millis(100));
    assert!(pair.both_connected());
    pair
}

/// The same as [`config_any`] with DTLS 1.2 alone.
pub(crate) fn config(role: Role) -> Config {
    let mut config = config_any(role);
    config.versions = vec![ProtocolVersion::DTLS_1_2];
    config
}

/// How bad the network is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Network {
    pub(crate) delay: Duration,
    pub(crate) jitter: Duration,
    pub(crate) loss: f64,
    pub(crate) duplication: f64,
}

impl Network {
    /// One direction of it, in the simulator. What is jittered may be overtaken.
    fn link(self) -> LinkConfig {
        LinkConfig {
            jitter: self.jitter,
            reorder: if self.jitter.is_zero() { 0.0 } else { 0.5 },
            reorder_delay: self.jitter,
            loss: Loss::Random(self.loss),
            duplicate: self.duplication,
            mtu: usize::from(u16::MAX),
            delay: self.delay,
            ..LinkConfig::default()
        }
    }
}

pub(crate) const PERFECT: Network =
    Network { delay: Duration::from_millis(10), jitter: Duration::ZERO, loss: 0.0, duplication: 0.0 };

/// Judges a datagram that an end sends.
pub(crate) type Filter = Box<dyn FnMut(usize, &mut Vec<u8>) -> bool>;

/// Client (0) and server (1) over a network.
pub(crate) struct Pair {
    pub(crate) ends: [Connection; 2],
    pub(crate) now: Instant,
    /// The link to each.
    links: [Link; 2],
    /// Application data received by each.
    pub(crate) received: [Vec<Vec<u8>>; 2],
    pub(crate) events: [Vec<Event>; 2],
    pub(crate) errors: [Option<Error>; 2],
    /// Longest datagram and number of datagrams each has sent.
    pub(crate) longest: [usize; 2],
    pub(crate) datagrams: [usize; 2],
    pub(crate) bytes: [usize; 2],
    /// Whether a datagram that an end sent is let through, with what to do to it.
    pub(crate) filter: Filter,
}

impl Pair {
    pub(crate) fn new(client: Config, server: Config, network: Network, seed: u64) -> Self {
        let mut rng = Rng::from_test_seed(seed);
        let ends = [
            Connection::new(Arc::new(client), Role::Client, rng.fork()),
            Connection::new(Arc::new(server), Role::Server, rng.fork()),
        ];
        Self {
            ends,
            now: Instant::ORIGIN,
            links: [0, 1].map(|_| Link::new(network.link(), rng.fork())),
            received: Default::default(),
            events: Default::default(),
            errors: [None; 2],
            longest: [0; 2],
            datagrams: [0; 2],
            bytes: [0; 2],
            filter: Box::new(|_, _| true),
        }
    }

    pub(crate) fn plain(seed: u64) -> Self {
        Self::new(config(Role::Client), config(Role::Server), PERFECT, seed)
    }

    /// A pair that has shaken hands.
    pub(crate) fn connected(seed: u64) -> Self {
        let mut pair = Self::plain(seed);
        pair.connect(Duration::from_secs(5));
        pair
    }

    pub(crate) fn connect(&mut self, limit: Duration) {
        self.ends[0].start(self.now);
        let end = self.now + limit;
        self.run(end, Self::both_connected);
    }

    pub(crate) fn both_connected(&self) -> bool {
        self.ends.iter().all(Connection::is_connected)
    }

    /// Puts a datagram on its way.
    pub(crate) fn send(&mut self, from: usize, mut datagram: Vec<u8>) {
        self.longest[from] = self.longest[from].max(datagram.len());
        self.datagrams[from] += 1;
        self.bytes[from] += datagram.len();
        check_records(&datagram);
        if !(self.filter)(from, &mut datagram) {
            return;
        }
        self.links[1 - from].send(self.now, Packet::new(Path::udp(A_V4, B_V4), datagram));
    }

    /// Changes the network for what is sent from now on.
    pub(crate) fn set_network(&mut self, network: Network) {
        for link in &mut self.links {
            *link.config_mut() = network.link();
        }
    }

    /// What is on its way gets lost.
    pub(crate) fn lose_what_is_on_its_way(&mut self) {
        for link in &mut self.links {
            link.retain(|_| false);
        }
    }

    /// Gives `datagram` to an end at once.
    pub(crate) fn inject(&mut self, to: usize, datagram: &[u8]) {
        let mut datagram = datagram.to_vec();
        match self.ends[to].handle_input(self.now, &mut datagram) {
            Ok(mut records) => {
                while let Some(record) = records.next() {
                    self.received[to].push(record.to_vec());
                }
            }
            Err(error) => self.errors[to] = Some(error),
        }
    }

    /// The datagrams an end has to send now.
    pub(crate) fn take(&mut self, from: usize) -> Vec<Vec<u8>> {
        let mut all = Vec::new();
        loop {
            let mut buffer = [0; 2048];
            let mut frame = Frame::new(&mut buffer, Overhead::NONE);
            if self.ends[from].poll_transmit(self.now, &mut frame).is_none() {
                assert!(frame.is_empty(), "a frame touched for nothing");
                return all;
            }
            assert!(!frame.is_empty());
            all.push(frame.content().to_vec());
        }
    }

    fn drain(&mut self) {
        for end in 0..2 {
            for datagram in self.take(end) {
                self.send(end, datagram);
            }
            while let Some(event) = self.ends[end].poll_event() {
                self.events[end].push(event);
            }
        }
    }

    /// Lets time pass until `done`, or until `end`.
    pub(crate) fn run(&mut self, end: Instant, done: impl Fn(&Self) -> bool) {
        loop {
            self.drain();
            if done(self) {
                return;
            }
            let arrival = self.links.iter().filter_map(Link::next_arrival).min();
            let timers = self.ends.iter().filter_map(Layer::poll_timeout).min();
            let Some(next) = arrival.into_iter().chain(timers).min().filter(|next| *next <= end) else {
                self.now = end;
                return;
            };
            self.now = self.now.max(next);
            for to in 0..2 {
                while let Some(packet) = self.links[to].receive(self.now) {
                    self.inject(to, &packet.payload);
                }
            }
            for end in 0..2 {
                if let Err(error) = self.ends[end].handle_timeout(self.now) {
                    self.errors[end] = Some(error);
                }
            }
        }
    }

    pub(crate) fn run_for(&mut self, time: Duration) {
        let end = self.now + time;
        self.run(end, |_| false);
    }

    /// Seals application data.
    pub(crate) fn seal(&mut self, from: usize, data: &[u8]) -> Vec<u8> {
        let mut buffer = vec![0; 17_000];
        let room = self.ends[from].overhead().expect("keys");
        let mut frame = Frame::new(&mut buffer, room);
        frame.push(data).unwrap();
        self.ends[from].wrap(&mut frame).unwrap();
        assert_eq!(frame.len(), data.len() + room.total());
        frame.content().to_vec()
    }

    pub(crate) fn send_data(&mut self, from: usize, data: &[u8]) {
        let datagram = self.seal(from, data);
        self.send(from, datagram);
    }
}

/// Whatever is sent is whole records of known types, none of them empty but application data.
fn check_records(datagram: &[u8]) {
    let mut rest = datagram;
    while !rest.is_empty() {
        // The length of a connection id is not told.
        if rest[0] == ContentType::TLS12_CID.0 || UnifiedHeader::is_unified(rest[0]) && rest[0] & 0x10 != 0 {
            return;
        }
        if UnifiedHeader::is_unified(rest[0]) {
            let header = UnifiedHeader::parse(rest).unwrap();
            let length = usize::from(header.length.unwrap());
            assert!(length > 17 && header.long_sequence, "{header:?}");
            rest = &rest[header.ciphertext_offset() + length..];
            continue;
        }
        let header = RecordHeader::parse(rest).unwrap();
        let known = (20..=23).contains(&header.content_type.0);
        assert!(known && (header.length > 0 || header.content_type == ContentType::APPLICATION_DATA), "{header:?}");
        rest = &rest[RECORD_HEADER + usize::from(header.length)..];
    }
}
