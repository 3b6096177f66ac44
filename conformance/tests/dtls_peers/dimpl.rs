//! Against `dimpl`, which speaks 1.2 and 1.3 and has no X25519MLKEM768.

use std::sync::Arc;
use std::time::{Duration, Instant as Clock};

use dimpl::crypto::Dtls12CipherSuite as Suite12;
use dimpl::crypto::Dtls13CipherSuite as Suite13;
use dimpl::{Config, ConfigBuilder, Dtls, DtlsCertificate, NamedGroup as TheirGroup, Output};
use rcgen::{PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384};
use weft_dtls::{NamedGroup, ProtocolVersion, Role};

use crate::own::{Identity, Luck, Own, config, other};

/// A turn of the exchange takes this long.
const TURN: Duration = Duration::from_millis(10);

struct Peer {
    dtls: Dtls,
    origin: Clock,
    connected: bool,
    certificate: Option<Vec<u8>>,
    received: Vec<Vec<u8>>,
}

impl Peer {
    fn new(version: ProtocolVersion, role: Role, config: ConfigBuilder, identity: &Identity) -> Self {
        let origin = Clock::now();
        let certificate =
            DtlsCertificate { certificate: identity.certificate.clone(), private_key: identity.key.clone() };
        let config: Arc<Config> = Arc::new(config.build().unwrap());
        let mut dtls = match version {
            ProtocolVersion::DTLS_1_3 => Dtls::new_13(config, certificate, origin),
            _ => Dtls::new_12(config, certificate, origin),
        };
        dtls.set_active(role == Role::Client);
        // It has to be told the time before its first datagram.
        dtls.handle_timeout(origin).unwrap();
        Self { dtls, origin, connected: false, certificate: None, received: Vec::new() }
    }

    fn take(&mut self, elapsed: Duration) -> Vec<Vec<u8>> {
        self.dtls.handle_timeout(self.origin + elapsed).unwrap();
        let mut all = Vec::new();
        let mut buffer = vec![0; 4096];
        loop {
            match self.dtls.poll_output(&mut buffer) {
                Output::Packet(packet) => all.push(packet.to_vec()),
                Output::Connected => self.connected = true,
                Output::PeerCert(der) => self.certificate = Some(der.to_vec()),
                Output::ApplicationData(data) => self.received.push(data.to_vec()),
                Output::Timeout(_) => return all,
                other => assert!(!matches!(other, Output::BufferTooSmall { .. } | Output::CloseNotify), "{other:?}"),
            }
        }
    }
}

/// Exchanges what both have to say until neither has anything, a few times.
fn turn(own: &mut Own, peer: &mut Peer, luck: &mut Luck) {
    for _ in 0..3 {
        let elapsed = own.now.saturating_duration_since(weft_core::Instant::ORIGIN);
        for datagram in own.take() {
            if luck.arrives() {
                // It calls an error what it drops: a record of an epoch that is to come, say.
                let _ = peer.dtls.handle_packet(&datagram);
            }
        }
        for datagram in peer.take(elapsed) {
            if luck.arrives() {
                own.give(&datagram);
            }
        }
    }
    own.now += TURN;
    own.timeout();
}

fn connect(own: &mut Own, peer: &mut Peer, luck: &mut Luck) {
    for _ in 0..6000 {
        turn(own, peer, luck);
        if own.info.is_some() && peer.connected {
            return;
        }
    }
    panic!("no connection: ours {} theirs {} {:?}", own.info.is_some(), peer.connected, own.connection.counters());
}

fn exchange(own: &mut Own, peer: &mut Peer) {
    let sealed = own.seal(b"from weft");
    peer.dtls.handle_packet(&sealed).unwrap();
    peer.dtls.send_application_data(b"from dimpl").unwrap();
    turn(own, peer, &mut Luck::perfect());
    assert_eq!(peer.received, [b"from weft"]);
    assert_eq!(own.received, [b"from dimpl"]);
}

const GROUPS: [(NamedGroup, TheirGroup); 3] = [
    (NamedGroup::X25519, TheirGroup::X25519),
    (NamedGroup::SECP256R1, TheirGroup::Secp256r1),
    (NamedGroup::SECP384R1, TheirGroup::Secp384r1),
];
const SUITES_12: [(Suite12, &str); 3] = [
    (Suite12::ECDHE_ECDSA_AES128_GCM_SHA256, "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"),
    (Suite12::ECDHE_ECDSA_AES256_GCM_SHA384, "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"),
    (Suite12::ECDHE_ECDSA_CHACHA20_POLY1305_SHA256, "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256"),
];
const SUITES_13: [(Suite13, &str); 3] = [
    (Suite13::AES_128_GCM_SHA256, "TLS_AES_128_GCM_SHA256"),
    (Suite13::AES_256_GCM_SHA384, "TLS_AES_256_GCM_SHA384"),
    (Suite13::CHACHA20_POLY1305_SHA256, "TLS_CHACHA20_POLY1305_SHA256"),
];

/// The server chooses: a hello must also name the curves that a certificate may be on (RFC 8422 section 5.1.1), so the
/// client offers every group.
fn every_suite_group_and_certificate(version: ProtocolVersion) {
    let identities = [&PKCS_ECDSA_P256_SHA256, &PKCS_ECDSA_P384_SHA384].map(Identity::new);
    for (at, identity) in identities.iter().enumerate() {
        for (group, theirs) in GROUPS {
            for suite in 0..3 {
                for (role, cookie) in [(Role::Client, true), (Role::Client, false), (Role::Server, false)] {
                    let mut config = config(identity);
                    let mut builder = Config::builder().use_server_cookie(cookie);
                    if role == Role::Client {
                        builder = builder.kx_groups(&[theirs]);
                    } else {
                        config.groups = vec![group];
                    }
                    let (builder, name) = match version {
                        ProtocolVersion::DTLS_1_3 => {
                            (builder.dtls13_cipher_suites(&[SUITES_13[suite].0]), SUITES_13[suite].1)
                        }
                        _ => (builder.dtls12_cipher_suites(&[SUITES_12[suite].0]), SUITES_12[suite].1),
                    };
                    let mut peer = Peer::new(version, other(role), builder, &identities[1 - at]);
                    let mut own = Own::new(config, role);
                    connect(&mut own, &mut peer, &mut Luck::perfect());
                    assert_eq!(own.agreed(), (version.name().unwrap(), name, group.name().unwrap()), "{role:?}");
                    assert_eq!(peer.certificate.as_deref(), Some(&identity.certificate[..]));
                    exchange(&mut own, &mut peer);
                }
            }
        }
    }
}

#[test]
fn both_roles_with_every_suite_group_and_certificate_of_1_2() {
    every_suite_group_and_certificate(ProtocolVersion::DTLS_1_2);
}

#[test]
fn both_roles_with_every_suite_group_and_certificate_of_1_3() {
    every_suite_group_and_certificate(ProtocolVersion::DTLS_1_3);
}

/// A handshake with datagrams of `mtu` bytes at most, of which `loss` is lost.
fn hard_times(version: ProtocolVersion, role: Role, mtu: usize, loss: f64, seed: u64) {
    let identity = Identity::new(&PKCS_ECDSA_P256_SHA256);
    let builder = Config::builder()
        .mtu(mtu)
        .flight_start_rto(Duration::from_millis(200))
        .flight_retries(20)
        .handshake_timeout(Duration::from_secs(60));
    let mut peer = Peer::new(version, other(role), builder, &identity);
    let mut config = config(&identity);
    config.mtu = mtu;
    config.initial_rto = Duration::from_millis(200);
    config.max_rto = Duration::from_secs(1);
    // A hello of two datagrams that got through in part goes again in smaller ones: see `overlapping_fragments`.
    if version == ProtocolVersion::DTLS_1_2 && loss > 0.0 {
        config.groups.retain(|group| *group != NamedGroup::X25519MLKEM768);
    }
    let mut own = Own::new(config, role);
    connect(&mut own, &mut peer, &mut Luck::lossy(loss, seed));
    assert!(own.longest <= mtu, "{}", own.longest);
    // What the loss left to be repeated.
    for _ in 0..200 {
        turn(&mut own, &mut peer, &mut Luck::perfect());
    }
    exchange(&mut own, &mut peer);
}

/// No datagram of ours is longer than the least MTU.
#[test]
fn small_datagrams() {
    for version in [ProtocolVersion::DTLS_1_2, ProtocolVersion::DTLS_1_3] {
        for role in [Role::Client, Role::Server] {
            hard_times(version, role, 256, 0.0, 0);
        }
    }
}

/// A quarter of the datagrams is lost either way. Of fragments that begin at the same byte it keeps the first it sees, so a
/// message must be cut the same way each time it is sent.
#[test]
fn loss() {
    for seed in 0..50 {
        for version in [ProtocolVersion::DTLS_1_2, ProtocolVersion::DTLS_1_3] {
            for role in [Role::Client, Role::Server] {
                for mtu in [256, 400, 1200] {
                    hard_times(version, role, mtu, 0.25, seed);
                }
            }
        }
    }
}

/// RFC 6347 section 4.2.3 and RFC 9147 section 5.5: overlapping fragments must be taken. They are here and by its 1.3; by its
/// 1.2 they are not: there it puts fragments together by their offsets alone, and stays where a byte comes twice.
#[test]
fn overlapping_fragments() {
    let identity = Identity::new(&PKCS_ECDSA_P256_SHA256);
    for version in [ProtocolVersion::DTLS_1_2, ProtocolVersion::DTLS_1_3] {
        let mut config = config(&identity);
        config.versions = vec![version];
        config.groups = vec![NamedGroup::X25519, NamedGroup::SECP256R1];
        let hello = Own::new(config.clone(), Role::Client).take().remove(0);
        let (header, body) = hello.split_at(25);
        let fragment = |number: u8, range: std::ops::Range<usize>| {
            let mut datagram = header.to_vec();
            datagram[10] = number;
            datagram[11..13].copy_from_slice(&(range.len() as u16 + 12).to_be_bytes());
            datagram[19..22].copy_from_slice(&(range.start as u32).to_be_bytes()[1..]);
            datagram[22..25].copy_from_slice(&(range.len() as u32).to_be_bytes()[1..]);
            datagram.extend(&body[range]);
            datagram
        };
        for (first, second, overlap) in [(0..60, 60..body.len(), false), (0..60, 50..body.len(), true)] {
            let fragments = [fragment(0, first), fragment(1, second)];
            let mut own = Own::new(config.clone(), Role::Server);
            let mut peer = Peer::new(version, Role::Server, Config::builder().use_server_cookie(false), &identity);
            for fragment in &fragments {
                own.give(fragment);
                peer.dtls.handle_packet(fragment).unwrap();
            }
            assert!(!own.take().is_empty());
            let answered = !peer.take(Duration::from_millis(1)).is_empty();
            assert_eq!(answered, !overlap || version == ProtocolVersion::DTLS_1_3, "{version} {overlap}");
        }
    }
}

/// Keys change dozens of times on either side while data flows both ways, and none of it is lost.
#[test]
fn key_updates_across_a_bulk_transfer() {
    const RECORDS: usize = 4000;
    const PER_KEY: u64 = 100;
    let identity = Identity::new(&PKCS_ECDSA_P256_SHA256);
    for role in [Role::Client, Role::Server] {
        let builder = Config::builder().aead_encryption_limit(PER_KEY).max_queue_rx(100).max_queue_tx(100);
        let mut peer = Peer::new(ProtocolVersion::DTLS_1_3, other(role), builder, &identity);
        let mut config = config(&identity);
        config.limits.records_per_key = PER_KEY;
        let mut own = Own::new(config, role);
        connect(&mut own, &mut peer, &mut Luck::perfect());
        let (mut epochs, mut last) = ([0; 2], [3; 2]);
        let mut see = |side: usize, datagram: &[u8]| {
            // The low bits of the epoch are in the first byte of a record.
            let bits = datagram[0] & 3;
            if datagram[0] >> 5 == 1 && (bits.wrapping_sub(last[side]) & 3) == 1 {
                (epochs[side], last[side]) = (epochs[side] + 1, bits);
            }
        };
        for number in 0..RECORDS {
            let data = [&(number as u32).to_be_bytes()[..], &[7; 1000]].concat();
            let sealed = own.seal(&data);
            see(0, &sealed);
            peer.dtls.handle_packet(&sealed).unwrap();
            peer.dtls.send_application_data(&data).unwrap();
            let elapsed = own.now.saturating_duration_since(weft_core::Instant::ORIGIN);
            for datagram in peer.take(elapsed) {
                see(1, &datagram);
                own.give(&datagram);
            }
            for datagram in own.take() {
                peer.dtls.handle_packet(&datagram).unwrap();
            }
        }
        for _ in 0..5 {
            turn(&mut own, &mut peer, &mut Luck::perfect());
        }
        for (side, received) in [("ours", &own.received), ("theirs", &peer.received)] {
            let numbers: Vec<u32> =
                received.iter().map(|data| u32::from_be_bytes(data[..4].try_into().unwrap())).collect();
            assert_eq!(numbers, (0..RECORDS as u32).collect::<Vec<_>>(), "{side}, {role:?}");
        }
        assert!(epochs.iter().all(|changes| *changes >= RECORDS / PER_KEY as usize / 2), "{epochs:?}");
    }
}
