//! No heap allocation for a record: neither to seal one nor to open one, in either version, with every cipher.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, missing_docs)]

use std::sync::Arc;

use weft_core::{Frame, Instant, Layer, Overhead, Rng, Wrap};
use weft_dtls::{Certificate, CipherSuite, Config, Connection, HashAlgorithm, ProtocolVersion, Role, Verifier};

fn pass(from: &mut Connection, to: &mut Connection) {
    let mut buffer = [0; 2048];
    loop {
        let mut frame = Frame::new(&mut buffer, Overhead::NONE);
        if from.poll_transmit(Instant::ORIGIN, &mut frame).is_none() {
            return;
        }
        to.handle_input(Instant::ORIGIN, frame.content_mut()).map(drop).unwrap();
    }
}

fn connected(version: ProtocolVersion, suite: CipherSuite) -> [Connection; 2] {
    let own: Vec<_> = (0..2).map(|_| Arc::new(Certificate::generate().unwrap())).collect();
    let end = |role, own: &Arc<Certificate>, peer: &Arc<Certificate>| {
        let peer = Verifier::Fingerprints(vec![peer.fingerprint(HashAlgorithm::Sha256)]);
        let mut config = Config::new(own.clone(), peer);
        config.versions = vec![version];
        config.cipher_suites = vec![suite];
        Connection::new(Arc::new(config), role, Rng::from_test_seed(1))
    };
    let mut ends = [end(Role::Client, &own[0], &own[1]), end(Role::Server, &own[1], &own[0])];
    ends[0].start(Instant::ORIGIN);
    for _ in 0..4 {
        let [client, server] = &mut ends;
        pass(client, server);
        pass(server, client);
    }
    assert!(ends.iter().all(Connection::is_connected));
    for end in &mut ends {
        while end.poll_event().is_some() {}
    }
    ends
}

/// One record from `from` to the other end, and all that a driver calls for a datagram.
fn exchange(ends: &mut [Connection; 2], from: usize, buffer: &mut [u8]) {
    let room = ends[from].overhead().unwrap();
    let mut frame = Frame::new(buffer, room);
    frame.push(&[7; 1200]).unwrap();
    ends[from].wrap(&mut frame).unwrap();
    let to = &mut ends[1 - from];
    let mut records = to.handle_input(Instant::ORIGIN, frame.content_mut()).unwrap();
    assert_eq!(records.next().map(<[u8]>::len), Some(1200));
    assert!(records.next().is_none());
    drop(records);
    to.handle_timeout(Instant::ORIGIN).unwrap();
    let mut empty = [0; 100];
    assert!(to.poll_transmit(Instant::ORIGIN, &mut Frame::new(&mut empty, Overhead::NONE)).is_none());
    assert!(to.poll_event().is_none() && to.poll_timeout().is_none());
}

#[test]
fn none_for_a_record() {
    for (version, suites) in [
        (
            ProtocolVersion::DTLS_1_3,
            [CipherSuite::AES_128_GCM_SHA256, CipherSuite::AES_256_GCM_SHA384, CipherSuite::CHACHA20_POLY1305_SHA256],
        ),
        (
            ProtocolVersion::DTLS_1_2,
            [
                CipherSuite::ECDHE_ECDSA_AES_128_GCM_SHA256,
                CipherSuite::ECDHE_ECDSA_AES_256_GCM_SHA384,
                CipherSuite::ECDHE_ECDSA_CHACHA20_POLY1305_SHA256,
            ],
        ),
    ] {
        for suite in suites {
            let mut ends = connected(version, suite);
            let mut buffer = [0; 1500];
            // Vectors that are kept grow to their size with the first.
            exchange(&mut ends, 0, &mut buffer);
            exchange(&mut ends, 1, &mut buffer);
            let info = allocation_counter::measure(|| {
                for _ in 0..1000 {
                    exchange(&mut ends, 0, &mut buffer);
                    exchange(&mut ends, 1, &mut buffer);
                }
            });
            assert_eq!(info.count_total, 0, "{version} {suite}");
        }
    }
}

/// Keys rest as what they are made of, and are made again for the next record. What the C library allocates for them is not
/// counted.
#[test]
fn a_connection_at_rest_keeps_no_keys() {
    for (version, suite, least) in [
        (ProtocolVersion::DTLS_1_3, CipherSuite::AES_128_GCM_SHA256, 1000),
        (ProtocolVersion::DTLS_1_2, CipherSuite::ECDHE_ECDSA_AES_128_GCM_SHA256, 20),
    ] {
        let mut ends = connected(version, suite);
        let mut buffer = [0; 1500];
        for _ in 0..2 {
            exchange(&mut ends, 0, &mut buffer);
            exchange(&mut ends, 1, &mut buffer);
            let rest = allocation_counter::measure(|| ends.iter_mut().for_each(Connection::shrink_to_fit));
            let each = -rest.bytes_current / 2;
            assert!(each > least, "{version}: {each} bytes given back");
            let first = allocation_counter::measure(|| exchange(&mut ends, 0, &mut buffer));
            assert!(first.count_total >= 2, "{version}: a key for either end");
        }
    }
}
