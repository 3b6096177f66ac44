//! DTLS 1.3, AES-128-GCM, X25519.

use std::sync::Arc;

use weft_core::{Frame, Instant, Layer, Overhead, Rng, Wrap};
use weft_dtls::{
    Certificate, CipherSuite, Config, Connection, HashAlgorithm, NamedGroup, ProtocolVersion, Role, Verifier,
};

use crate::counted;

const CONTENT: [u8; 1200] = [0x5A; 1200];

struct Pair {
    client: Connection,
    server: Connection,
    buffer: Vec<u8>,
}

fn configs() -> [Arc<Config>; 2] {
    #[expect(clippy::expect_used, reason = "a key pair can always be made")]
    let own = [(); 2].map(|()| Arc::new(Certificate::generate().expect("a certificate")));
    let [a, b] = &own;
    [(a, b), (b, a)].map(|(own, peer)| {
        let peer = Verifier::Fingerprints(vec![peer.fingerprint(HashAlgorithm::Sha256)]);
        let mut config = Config::new(own.clone(), peer);
        config.versions = vec![ProtocolVersion::DTLS_1_3];
        config.cipher_suites = vec![CipherSuite::AES_128_GCM_SHA256];
        config.groups = vec![NamedGroup::X25519];
        Arc::new(config)
    })
}

fn pass(from: &mut Connection, to: &mut Connection, buffer: &mut [u8]) {
    loop {
        let mut frame = Frame::new(buffer, Overhead::NONE);
        if from.poll_transmit(Instant::ORIGIN, &mut frame).is_none() {
            return;
        }
        let _ = to.handle_input(Instant::ORIGIN, frame.content_mut()).map(drop);
    }
}

fn connect([client, server]: &[Arc<Config>; 2]) -> Pair {
    let mut client = Connection::new(client.clone(), Role::Client, Rng::from_test_seed(1));
    let mut server = Connection::new(server.clone(), Role::Server, Rng::from_test_seed(2));
    client.start(Instant::ORIGIN);
    let mut buffer = vec![0; 2048];
    // The handshake takes three turns, the ticket and its acknowledgement one more.
    for _ in 0..5 {
        pass(&mut client, &mut server, &mut buffer);
        pass(&mut server, &mut client, &mut buffer);
    }
    assert!(client.is_connected() && server.is_connected(), "no end of the handshake");
    Pair { client, server, buffer }
}

/// One record after the other; `seal` and `open` do the work in [`counted`] or not.
fn records(operations: u64, seal: fn(&mut Connection, &mut Frame<'_>), open: fn(&mut Connection, &mut [u8])) -> u64 {
    let mut pair = connect(&configs());
    let Some(room) = pair.client.overhead() else { return 0 };
    for _ in 0..operations {
        let mut frame = Frame::new(&mut pair.buffer, room);
        if frame.push(&CONTENT).is_err() {
            return 0;
        }
        seal(&mut pair.client, &mut frame);
        open(&mut pair.server, frame.content_mut());
    }
    operations
}

fn wrap(client: &mut Connection, frame: &mut Frame<'_>) {
    assert!(client.wrap(frame).is_ok(), "no keys");
}

fn unwrap(server: &mut Connection, record: &mut [u8]) {
    let opened =
        server.handle_input(Instant::ORIGIN, record).ok().and_then(|mut records| records.next().map(<[u8]>::len));
    assert_eq!(opened, Some(CONTENT.len()), "the record is lost");
}

pub(crate) fn seal(operations: u64) -> u64 {
    records(operations, |client, frame| counted(|| wrap(client, frame)), unwrap)
}

pub(crate) fn open(operations: u64) -> u64 {
    records(operations, wrap, |server, record| counted(|| unwrap(server, record)))
}

pub(crate) fn handshake(operations: u64) -> u64 {
    let configs = configs();
    for _ in 0..operations {
        counted(|| drop(connect(&configs)));
    }
    operations
}
