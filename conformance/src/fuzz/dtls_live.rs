//! A live connection between an honest peer and somebody on the path.
//!
//! The first byte of the input chooses versions and options, the rest are actions: an operation, and what it needs.
//!
//! | byte | what is done |
//! |---|---|
//! | 0 | the oldest datagram on its way to the target arrives |
//! | 1 | the same, one byte at a place given changed as given |
//! | 2 | it is lost |
//! | 3 | it arrives, and stays on its way |
//! | 4 | it goes to the end of the queue |
//! | 5 | bytes given arrive as they are |
//! | 6 | bytes given arrive as a handshake fragment in the clear, of type and number given |
//! | 7 | bytes given arrive as a record in the clear, of a type given |
//! | 8 | time passes, so long that timers expire |
//! | 9 | the peer sends application data, if it can |
//! | 10 | the target sends application data |
//! | 11 | a datagram is cut at a place given, and both parts arrive as datagrams |
//! | 12 | the target changes what it can change: closes, asks for connection ids, lets its timer rest |
//!
//! What the target sends reaches the peer unharmed. Whatever is done, the target yields nothing but what the peer sent,
//! and if both think that they are connected, they export the same keys.

use std::collections::VecDeque;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use weft_core::{Frame, Instant, Layer, Overhead, Rng, Wrap};
use weft_dtls::wire::{ContentType, Fragment, HandshakeType, RecordHeader};
use weft_dtls::{Certificate, Config, Connection, HashAlgorithm, NamedGroup, ProtocolVersion, Role, Verifier};

/// More actions are not looked at.
const MAX_ACTIONS: usize = 400;
/// More datagrams are not on their way.
const MAX_ON_THE_WAY: usize = 64;

static CERTIFICATES: LazyLock<Option<[Arc<Certificate>; 2]>> =
    LazyLock::new(|| Some([Arc::new(Certificate::generate().ok()?), Arc::new(Certificate::generate().ok()?)]));

/// Takes bytes off the input.
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    /// As many bytes as the next says.
    fn bytes(&mut self) -> &'a [u8] {
        let length = self.byte().unwrap_or_default();
        let (bytes, rest) = self.0.split_at(usize::from(length).min(self.0.len()));
        self.0 = rest;
        bytes
    }
}

struct World {
    target: Connection,
    peer: Connection,
    to_target: VecDeque<Vec<u8>>,
    now: Instant,
    sent: u8,
    dead: bool,
}

fn connection(role: Role, choice: u8) -> Option<Connection> {
    let [client, server] = CERTIFICATES.as_ref()?;
    let (own, other) = if role == Role::Client { (client, server) } else { (server, client) };
    let mut config = Config::new(own.clone(), Verifier::Fingerprints(vec![other.fingerprint(HashAlgorithm::Sha256)]));
    match choice & 3 {
        0 => config.versions = vec![ProtocolVersion::DTLS_1_3],
        1 => config.versions = vec![ProtocolVersion::DTLS_1_2],
        _ => {}
    }
    if choice & 4 == 0 {
        config.groups = vec![NamedGroup::X25519, NamedGroup::SECP256R1];
    } else if role == Role::Server {
        config.groups = vec![NamedGroup::SECP384R1, NamedGroup::SECP256R1];
    }
    config.limits.records_per_key = 8;
    config.limits.forgeries_per_key = 50;
    config.mtu = if choice & 8 == 0 { 1200 } else { 300 };
    let mut connection = Connection::new(Arc::new(config), role, Rng::from_test_seed(choice.into()));
    if choice & 16 != 0 {
        let _ = connection.use_connection_id(&[7; 3]);
    }
    Some(connection)
}

impl World {
    fn new(role: Role, choice: u8) -> Option<Self> {
        let (target, peer) = match role {
            Role::Client => (connection(Role::Client, choice)?, connection(Role::Server, choice)?),
            Role::Server => (connection(Role::Server, choice)?, connection(Role::Client, choice)?),
        };
        let mut world = Self { target, peer, to_target: VecDeque::new(), now: Instant::ORIGIN, sent: 0, dead: false };
        world.target.start(world.now);
        world.peer.start(world.now);
        world.settle();
        Some(world)
    }

    /// Both sides send; the target's datagrams arrive at once.
    fn settle(&mut self) {
        let mut buffer = [0; 2048];
        let mut idle = false;
        for _ in 0..200 {
            idle = true;
            let mut frame = Frame::new(&mut buffer, Overhead::NONE);
            if self.target.poll_transmit(self.now, &mut frame).is_some() {
                idle = false;
                let _ = self.peer.handle_input(self.now, frame.content_mut());
            }
            let mut frame = Frame::new(&mut buffer, Overhead::NONE);
            if self.peer.poll_transmit(self.now, &mut frame).is_some() {
                idle = false;
                self.put(frame.content().to_vec());
            }
            while self.target.poll_event().is_some() || self.peer.poll_event().is_some() {}
            if idle {
                break;
            }
        }
        assert!(idle, "a flight without end");
    }

    fn put(&mut self, datagram: Vec<u8>) {
        if self.to_target.len() < MAX_ON_THE_WAY {
            self.to_target.push_back(datagram);
        }
    }

    fn arrive(&mut self, mut datagram: Vec<u8>) {
        match self.target.handle_input(self.now, &mut datagram) {
            Ok(mut records) => {
                while let Some(record) = records.next() {
                    let genuine = matches!(record, [b'p', n] if *n < self.sent);
                    assert!(genuine, "yielded what nobody sent: {record:?}");
                }
            }
            Err(_) => self.dead = true,
        }
        self.settle();
    }

    fn send(&mut self, from_peer: bool) {
        let end = if from_peer { &mut self.peer } else { &mut self.target };
        let Some(room) = end.overhead() else { return };
        let mut buffer = [0; 600];
        let mut frame = Frame::new(&mut buffer, room);
        if frame.push(&[b'p', self.sent]).is_err() || end.wrap(&mut frame).is_err() {
            return;
        }
        if from_peer {
            self.sent = self.sent.saturating_add(1);
            let datagram = frame.content().to_vec();
            self.put(datagram);
        } else {
            let _ = self.peer.handle_input(self.now, frame.content_mut());
        }
    }

    fn pass_time(&mut self) {
        self.now += Duration::from_millis(700);
        if self.target.handle_timeout(self.now).is_err() {
            self.dead = true;
        }
        let _ = self.peer.handle_timeout(self.now);
        self.settle();
    }

    fn change(&mut self, how: u8) {
        match how % 5 {
            0 => self.target.close(self.now),
            1 => drop(self.target.request_connection_ids(how)),
            2 => drop(self.target.give_connection_ids(&[&[how; 3]], how & 8 == 0)),
            3 => self.target.rest_retransmissions(self.now, how & 8 == 0),
            _ => {
                let datagrams = self.target.flight_datagrams();
                assert!(datagrams.len() < 64 && (datagrams.is_empty() || self.target.flight_number().is_some()));
                for mut datagram in datagrams {
                    let _ = self.peer.handle_handshake_datagram(self.now, &mut datagram);
                }
            }
        }
        self.settle();
    }

    fn act(&mut self, input: &mut Input<'_>) -> Option<()> {
        match input.byte()? % 13 {
            0 => self.to_target.pop_front().map(|datagram| self.arrive(datagram)).unwrap_or_default(),
            1 => {
                let (at, with) = (u16::from_be_bytes([input.byte()?, input.byte()?]), input.byte()?);
                let mut datagram = self.to_target.pop_front().unwrap_or_default();
                let at = usize::from(at) % datagram.len().max(1);
                if let Some(byte) = datagram.get_mut(at) {
                    *byte ^= with;
                }
                self.arrive(datagram);
            }
            2 => drop(self.to_target.pop_front()),
            3 => self.to_target.front().cloned().map(|datagram| self.arrive(datagram)).unwrap_or_default(),
            4 => {
                let datagram = self.to_target.pop_front();
                self.to_target.extend(datagram);
            }
            5 => self.arrive(input.bytes().to_vec()),
            6 => {
                let (kind, number, length) = (input.byte()?, input.byte()?, input.byte()?);
                let body = input.bytes();
                let message_type = HandshakeType(kind);
                let length = usize::from(length).max(body.len());
                let fragment = Fragment { message_type, length, message_seq: number.into(), offset: 0, body };
                self.arrive(plaintext(ContentType::HANDSHAKE, &[&fragment.header()[..], body].concat()));
            }
            7 => {
                let kind = input.byte()?;
                self.arrive(plaintext(ContentType(kind), input.bytes()));
            }
            8 => self.pass_time(),
            9 => self.send(true),
            10 => self.send(false),
            11 => {
                let at = input.byte()?;
                if let Some(mut datagram) = self.to_target.pop_front() {
                    let rest = datagram.split_off(usize::from(at).min(datagram.len()));
                    self.arrive(datagram);
                    self.arrive(rest);
                }
            }
            _ => {
                let how = input.byte()?;
                self.change(how);
            }
        }
        Some(())
    }

    /// Who is connected with whom, if they are, and that counts are kept.
    fn check(&self) {
        if self.target.is_connected() && self.peer.is_connected() {
            let keys = [&self.target, &self.peer].map(|end| {
                let mut out = [0; 16];
                end.export_keying_material("fuzz", None, &mut out).map(|()| out)
            });
            assert!(keys[0].is_ok() && keys[0] == keys[1], "connected, with different keys");
        }
        assert!(!self.dead || !self.target.is_connected());
    }
}

fn plaintext(content_type: ContentType, content: &[u8]) -> Vec<u8> {
    let version = ProtocolVersion::DTLS_1_2;
    let header = RecordHeader { content_type, version, epoch: 0, sequence_number: 9, length: content.len() as u16 };
    [&header.to_bytes()[..], content].concat()
}

pub(super) fn run(role: Role, data: &[u8]) {
    let mut input = Input(data);
    let Some(choice) = input.byte() else { return };
    let Some(mut world) = World::new(role, choice) else { return };
    for _ in 0..MAX_ACTIONS {
        if world.act(&mut input).is_none() {
            break;
        }
    }
    world.check();
}
