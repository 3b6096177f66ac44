//! Servers on a bare socket: cookies, statelessness, amplification.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use weft_core::{Frame, Instant, Layer, Overhead, Rng, Wrap};
use weft_dtls::wire::{ContentType, Fragment, HandshakeType, RECORD_HEADER, RecordHeader};
use weft_dtls::{Admission, Config, Connection, Listener, ListenerLimits, NamedGroup, ProtocolVersion, Role};

use crate::link::config_any;
use crate::pitfalls::plaintext;

const V12: ProtocolVersion = ProtocolVersion::DTLS_1_2;
const V13: ProtocolVersion = ProtocolVersion::DTLS_1_3;

type Change = Box<dyn Fn(&mut Config)>;

fn address(n: u64) -> SocketAddr {
    SocketAddr::from(([10, (n >> 16) as u8, (n >> 8) as u8, n as u8], 4000))
}

/// Records in the clear between the hellos, or before them, that are none: change_cipher_spec, and others.
//= rfc8446#4.2.2
//# Servers operating statelessly MUST ignore these records.
#[test]
fn a_listener_passes_over_what_is_no_hello() {
    let mut server = Server::plain();
    for (content_type, content) in [
        (ContentType::CHANGE_CIPHER_SPEC, &[1][..]),
        (ContentType::ALERT, &[2, 40]),
        (ContentType::APPLICATION_DATA, b"data"),
    ] {
        let datagram = plaintext(content_type, 0, 0, content);
        assert!(server.receive(Instant::ORIGIN, address(1), &datagram).is_empty(), "{content_type:?}");
    }
    assert_eq!((server.listener.counters().replies, server.connections.len()), (0, 0));
}

/// A server's socket: a listener, and the connections it admitted.
struct Server {
    listener: Listener,
    connections: HashMap<SocketAddr, Box<Connection>>,
    bytes_in: HashMap<SocketAddr, usize>,
    /// Bytes that the listener sent, not the connections.
    bytes_out: HashMap<SocketAddr, usize>,
}

impl Server {
    fn new(config: Config, limits: ListenerLimits) -> Self {
        let listener = Listener::new(Arc::new(config), limits, Rng::from_test_seed(77));
        Self { listener, connections: HashMap::new(), bytes_in: HashMap::new(), bytes_out: HashMap::new() }
    }

    fn plain() -> Self {
        Self::new(config_any(Role::Server), ListenerLimits::default())
    }

    /// Takes a datagram; gives what goes back.
    fn receive(&mut self, now: Instant, from: SocketAddr, datagram: &[u8]) -> Vec<Vec<u8>> {
        if let Some(connection) = self.connections.get_mut(&from) {
            let _ = connection.handle_input(now, &mut datagram.to_vec());
            return drain(connection, now);
        }
        *self.bytes_in.entry(from).or_default() += datagram.len();
        let mut buffer = [0; 2048];
        let mut reply = Frame::new(&mut buffer, Overhead::NONE);
        match self.listener.handle_input(now, from, datagram, &mut reply) {
            Admission::None => {
                assert!(reply.is_empty());
                Vec::new()
            }
            Admission::Reply => {
                let out = self.bytes_out.entry(from).or_default();
                *out += reply.len();
                assert!(*out <= 3 * self.bytes_in[&from], "{out} bytes for {}", self.bytes_in[&from]);
                vec![reply.content().to_vec()]
            }
            Admission::Admitted(mut connection) => {
                let flight = drain(&mut connection, now);
                self.connections.insert(from, connection);
                flight
            }
        }
    }
}

fn drain(connection: &mut Connection, now: Instant) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    loop {
        let mut buffer = [0; 2048];
        let mut frame = Frame::new(&mut buffer, Overhead::NONE);
        if connection.poll_transmit(now, &mut frame).is_none() {
            return all;
        }
        all.push(frame.content().to_vec());
    }
}

fn client(change: impl FnOnce(&mut Config)) -> Connection {
    let mut config = config_any(Role::Client);
    change(&mut config);
    let mut client = Connection::new(Arc::new(config), Role::Client, Rng::from_test_seed(1));
    client.start(Instant::ORIGIN);
    client
}

/// Lets client and server talk at one instant; gives the number of turns of the client's.
fn shake_hands(client: &mut Connection, server: &mut Server, from: SocketAddr, now: Instant) -> u32 {
    let mut turns = 0;
    loop {
        let flight = drain(client, now);
        if flight.is_empty() {
            return turns;
        }
        turns += 1;
        for datagram in flight {
            for mut answer in server.receive(now, from, &datagram) {
                client.handle_input(now, &mut answer).map(drop).unwrap();
            }
        }
    }
}

//= rfc6347#4.2.1
//# In order to avoid sequence number duplication in case of multiple HelloVerifyRequests, the server MUST use the record
//# sequence number in the ClientHello as the record sequence number in the HelloVerifyRequest.
//= rfc6347#4.2.1
//# In order to avoid sequence number duplication in case of multiple cookie exchanges, the server MUST use the record
//# sequence number in the ClientHello as the record sequence number in its initial ServerHello.
#[test]
fn clients_of_every_kind_are_admitted_by_cookie() {
    let kinds: [(&str, Change, ProtocolVersion, u32); 7] = [
        ("both versions", Box::new(|_| {}), V13, 3),
        ("1.3", Box::new(|config| config.versions = vec![V13]), V13, 3),
        ("1.2", Box::new(|config| config.versions = vec![V12]), V12, 3),
        ("small hello", Box::new(|config| config.groups = vec![NamedGroup::X25519, NamedGroup::SECP256R1]), V13, 3),
        ("tiny datagrams", Box::new(|config| config.mtu = 256), V13, 3),
        ("tiny datagrams, 1.2", Box::new(|config| (config.mtu, config.versions) = (256, vec![V12])), V12, 3),
        // Its share is for P-384, and the server wants X25519: one request asks for that and for the cookie.
        (
            "another group",
            Box::new(|config| config.groups = vec![NamedGroup::SECP384R1, NamedGroup::X25519, NamedGroup::SECP256R1]),
            V13,
            3,
        ),
    ];
    for (name, change, version, turns) in kinds {
        let mut config = config_any(Role::Server);
        if name == "another group" {
            config.groups = vec![NamedGroup::X25519];
        }
        let mut server = Server::new(config, ListenerLimits::default());
        let mut client = client(change);
        assert_eq!(shake_hands(&mut client, &mut server, address(1), Instant::ORIGIN), turns, "{name}");
        let peer = server.connections.get_mut(&address(1)).unwrap();
        assert!(client.is_connected() && peer.is_connected(), "{name}");
        assert_eq!(client.info().unwrap().version, version, "{name}");
        assert_eq!(client.info().unwrap().cipher_suite, peer.info().unwrap().cipher_suite);
        let mut buffer = [0; 200];
        let mut frame = Frame::new(&mut buffer, client.overhead().unwrap());
        frame.push(b"proven").unwrap();
        client.wrap(&mut frame).unwrap();
        let mut records = peer.handle_input(Instant::ORIGIN, frame.content_mut()).unwrap();
        assert_eq!(records.next(), Some(&b"proven"[..]), "{name}");
        let counters = server.listener.counters();
        assert_eq!((counters.replies, counters.admitted, server.listener.pending()), (1, 1, 0), "{name}");
    }
}

/// The first hello of a client as one datagram.
fn first_hello(change: impl FnOnce(&mut Config)) -> Vec<u8> {
    let mut client = client(|config| {
        config.groups.retain(|group| *group != NamedGroup::X25519MLKEM768);
        change(config);
    });
    drain(&mut client, Instant::ORIGIN).remove(0)
}

fn numbers(datagram: &[u8]) -> (u64, HandshakeType, u16) {
    let header = RecordHeader::parse(datagram).unwrap();
    let (fragment, _) = Fragment::parse(&datagram[RECORD_HEADER..]).unwrap();
    (header.sequence_number, fragment.message_type, fragment.message_seq)
}

//= rfc6347#4.2.1
//# Subsequent ServerHellos will only be sent after the server has created state and MUST increment normally.
/// The number of a record is the number of the record that it answers.
#[test]
fn numbers_are_those_of_the_client() {
    for (version, kind) in [(V12, HandshakeType::HELLO_VERIFY_REQUEST), (V13, HandshakeType::SERVER_HELLO)] {
        let mut hello = first_hello(|config| config.versions = vec![version]);
        hello[5..11].copy_from_slice(&[0, 0, 0, 0, 3, 9]);
        let reply = Server::plain().receive(Instant::ORIGIN, address(1), &hello).remove(0);
        assert_eq!(numbers(&reply), (0x309, kind, 0));
        // And that of the hello with the cookie is the ServerHello's.
        let mut server = Server::plain();
        let mut client = client(|config| {
            config.groups.retain(|group| *group != NamedGroup::X25519MLKEM768);
            config.versions = vec![version];
        });
        let first = drain(&mut client, Instant::ORIGIN).remove(0);
        let mut reply = server.receive(Instant::ORIGIN, address(1), &first).remove(0);
        client.handle_input(Instant::ORIGIN, &mut reply).unwrap();
        let mut second = drain(&mut client, Instant::ORIGIN).remove(0);
        second[5..11].copy_from_slice(&[0, 0, 0, 0, 7, 7]);
        let flight = server.receive(Instant::ORIGIN, address(1), &second);
        assert_eq!(numbers(&flight[0]), (0x707, HandshakeType::SERVER_HELLO, 1));
        let connection = server.connections.get_mut(&address(1)).unwrap();
        let later = connection.poll_timeout().unwrap();
        connection.handle_timeout(later).unwrap();
        let again = drain(connection, later);
        let (sequence, message_type, message_seq) = numbers(&again[0]);
        assert!(sequence > 0x707 && sequence < 0x720);
        assert_eq!((message_type, message_seq), (HandshakeType::SERVER_HELLO, 1));
    }
}

//= rfc9147#11
//# The cookie MUST depend on the client's address.
//= rfc9147#5.1
//# If a server receives a ClientHello with an invalid cookie, it MUST terminate the handshake with an "illegal_parameter"
//# alert.
//= rfc9147#11
//# It MUST NOT be possible for anyone other than the issuing entity to generate cookies that are accepted as valid by that
//# entity.
#[test]
fn cookies_of_others_are_worth_nothing() {
    for version in [V12, V13] {
        let cookie_hello = |server: &mut Server, from: SocketAddr| {
            let mut client = client(|config| {
                config.groups.retain(|group| *group != NamedGroup::X25519MLKEM768);
                config.versions = vec![version];
            });
            let first = drain(&mut client, Instant::ORIGIN).remove(0);
            let mut reply = server.receive(Instant::ORIGIN, from, &first).remove(0);
            client.handle_input(Instant::ORIGIN, &mut reply).unwrap();
            drain(&mut client, Instant::ORIGIN).remove(0)
        };
        let mut server = Server::plain();
        let hello = cookie_hello(&mut server, address(1));
        let second = Duration::from_secs(1);
        let refused = |server: &mut Server, now: Instant, from: SocketAddr, hello: &[u8]| {
            let before = server.listener.counters();
            let reply = server.receive(now, from, hello).remove(0);
            let expected: &[u8] = if version == V12 { &[3] } else { &[2, 47] };
            assert!(reply[RECORD_HEADER..].starts_with(expected), "another request, or illegal_parameter");
            let after = server.listener.counters();
            assert_eq!((after.admitted, after.bad_cookies), (before.admitted, before.bad_cookies + 1));
        };
        // From another address, another port, after a minute, at another server.
        refused(&mut server, Instant::ORIGIN, address(2), &hello);
        refused(&mut server, Instant::ORIGIN, SocketAddr::new(address(1).ip(), 4001), &hello);
        refused(&mut server, Instant::ORIGIN + 61 * second, address(1), &hello);
        let mut other = Server::plain();
        other.listener =
            Listener::new(Arc::new(config_any(Role::Server)), ListenerLimits::default(), Rng::from_test_seed(78));
        refused(&mut other, Instant::ORIGIN, address(1), &hello);
        // With any bit of it changed.
        let cookie = match version {
            V12 => {
                let at = RECORD_HEADER + 12 + 35;
                at + 1..at + 1 + usize::from(hello[at])
            }
            _ => hello.len() - 70..hello.len(),
        };
        for at in cookie {
            let mut changed = hello.clone();
            changed[at] ^= 1;
            refused(&mut server, Instant::ORIGIN, address(1), &changed);
        }
        server.receive(Instant::ORIGIN + 60 * second, address(1), &hello);
        assert_eq!(server.listener.counters().admitted, 1);
    }
}

/// wolfSSL and Californium sent whole flights to addresses that had proven nothing. Whatever the hello, however it is cut,
/// whoever repeats it: no more than three times the bytes in go out, and none for what is no hello.
#[test]
fn cve_2022_34293_nothing_is_amplified_before_an_address_is_proven() {
    let mut server = Server::plain();
    let mut rng = Rng::from_test_seed(3);
    let mut n = 0;
    for version in [vec![V12], vec![V13], vec![V13, V12]] {
        for mtu in [256, 300, 700, 1200] {
            for flood in 0..20 {
                n += 1;
                let mut client = client(|config| (config.mtu, config.versions) = (mtu, version.clone()));
                let mut datagrams = drain(&mut client, Instant::ORIGIN);
                if flood % 2 == 1 {
                    datagrams.reverse();
                }
                for datagram in &datagrams {
                    for _ in 0..=rng.below(3) {
                        let cut = if flood > 10 { rng.below(datagram.len() as u64) as usize } else { datagram.len() };
                        server.receive(Instant::ORIGIN, address(n), &datagram[..cut]);
                    }
                }
            }
        }
    }
    assert!(server.connections.is_empty());
    assert!(server.listener.counters().replies > 100, "{:?}", server.listener.counters());
    let replied = server.listener.counters().replies;
    // What is no hello: records of all types, messages of all types, and the shortest hello there is, of no use.
    for content_type in 0..=255 {
        let junk = plaintext(ContentType(content_type), 0, 0, &[1; 60]);
        server.receive(Instant::ORIGIN, address(1 << 20), &junk);
    }
    for message_type in (0..=255).map(HandshakeType) {
        let fragment = Fragment { message_type, length: 20, message_seq: 0, offset: 0, body: &[0; 20] };
        let junk = plaintext(ContentType::HANDSHAKE, 0, 0, &[&fragment.header()[..], fragment.body].concat());
        server.receive(Instant::ORIGIN, address(1 << 20), &junk);
    }
    assert_eq!((server.listener.counters().replies, server.connections.len()), (replied, 0));
}

/// Californium never took failed handshakes off its count, and in the end admitted nobody.
#[test]
fn cve_2022_39368_a_hundred_thousand_failed_handshakes_leave_nothing_behind() {
    let mut server = Server::plain();
    let whole = first_hello(|config| config.versions = vec![V13, V12]);
    let parts = drain(&mut client(|_| {}), Instant::ORIGIN);
    assert!(parts.len() > 1);
    for n in 0..100_000 {
        let now = Instant::ORIGIN + Duration::from_micros(n);
        match n % 3 {
            0 => drop(server.receive(now, address(n), &whole)),
            1 => drop(server.receive(now, address(n), &parts[0])),
            _ => drop(server.receive(now, address(n), &plaintext(ContentType::HANDSHAKE, 0, 0, &[1; 30]))),
        }
        assert!(server.listener.pending() <= 256);
    }
    // One that comes in the middle of the flood is admitted.
    let now = Instant::ORIGIN + Duration::from_secs(1);
    let mut honest = client(|_| {});
    shake_hands(&mut honest, &mut server, address(1 << 22), now);
    assert!(honest.is_connected());
    // And then nothing is left: not a part, not a connection but its own.
    server.receive(now + Duration::from_secs(6), address(1 << 21), b"?");
    assert_eq!((server.listener.pending(), server.connections.len(), server.listener.counters().admitted), (0, 1, 1));
}

/// A hello that nobody here can take is refused in one record, and no state is kept.
#[test]
fn a_hello_with_nothing_in_common_is_refused_at_once() {
    let mut config = config_any(Role::Server);
    config.versions = vec![V13];
    config.cipher_suites = vec![weft_dtls::CipherSuite::AES_256_GCM_SHA384];
    let mut server = Server::new(config, ListenerLimits::default());
    let hello = first_hello(|config| config.cipher_suites = vec![weft_dtls::CipherSuite::AES_128_GCM_SHA256]);
    let reply = server.receive(Instant::ORIGIN, address(1), &hello).remove(0);
    assert_eq!((reply[0], &reply[RECORD_HEADER..]), (ContentType::ALERT.0, &[2, 40][..]));
    assert!(server.connections.is_empty());
}

/// A listener can ask for connection ids, a fresh one for every client.
#[test]
fn connection_ids_of_a_listener_differ() {
    let limits = ListenerLimits { connection_id_len: Some(6), ..ListenerLimits::default() };
    let mut server = Server::new(config_any(Role::Server), limits);
    let mut seen = Vec::new();
    for n in 0..3 {
        let mut client = Connection::new(Arc::new(config_any(Role::Client)), Role::Client, Rng::from_test_seed(n));
        client.use_connection_id(b"").unwrap();
        client.start(Instant::ORIGIN);
        shake_hands(&mut client, &mut server, address(n), Instant::ORIGIN);
        let id = client.peer_connection_id().to_vec();
        assert_eq!(id, server.connections[&address(n)].own_connection_id().unwrap());
        assert!(id.len() == 6 && !seen.contains(&id));
        seen.push(id);
    }
}
