//! Certificates of every kind, in both roles and versions.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use weft_dtls::crypto::KeyKind;
use weft_dtls::{AlertDescription, Certificate, CipherSuite, Config, ProtocolVersion, Role};

use crate::link::{PERFECT, Pair, fingerprint_of};

const KINDS: [KeyKind; 4] = [KeyKind::P256, KeyKind::P384, KeyKind::Ed25519, KeyKind::Rsa];
const OF_ECDSA: [CipherSuite; 3] = [
    CipherSuite::ECDHE_ECDSA_AES_128_GCM_SHA256,
    CipherSuite::ECDHE_ECDSA_AES_256_GCM_SHA384,
    CipherSuite::ECDHE_ECDSA_CHACHA20_POLY1305_SHA256,
];
const OF_RSA: [CipherSuite; 3] = [
    CipherSuite::ECDHE_RSA_AES_128_GCM_SHA256,
    CipherSuite::ECDHE_RSA_AES_256_GCM_SHA384,
    CipherSuite::ECDHE_RSA_CHACHA20_POLY1305_SHA256,
];

/// One of each kind, made once: RSA takes its time.
static OF_EACH_KIND: LazyLock<[Arc<Certificate>; 4]> =
    LazyLock::new(|| KINDS.map(|kind| Arc::new(Certificate::generate_for(kind).unwrap())));

fn pair(client: &Arc<Certificate>, server: &Arc<Certificate>, change: impl Fn(Role, &mut Config)) -> Pair {
    let mut configs =
        [Config::new(client.clone(), fingerprint_of(server)), Config::new(server.clone(), fingerprint_of(client))];
    change(Role::Client, &mut configs[0]);
    change(Role::Server, &mut configs[1]);
    let [client, server] = configs;
    Pair::new(client, server, PERFECT, 1)
}

#[test]
fn every_kind_of_certificate_serves_either_side_in_either_version() {
    for version in [ProtocolVersion::DTLS_1_2, ProtocolVersion::DTLS_1_3] {
        for client in &*OF_EACH_KIND {
            for server in &*OF_EACH_KIND {
                let mut pair = pair(client, server, |_, config| config.versions = vec![version]);
                pair.connect(Duration::from_secs(5));
                let kinds = (version, client.key_kind(), server.key_kind());
                assert!(pair.both_connected(), "{kinds:?} {:?}", pair.errors);
                let info = pair.ends[0].info().unwrap();
                let rsa = server.key_kind() == KeyKind::Rsa;
                if version == ProtocolVersion::DTLS_1_2 {
                    assert_eq!(OF_RSA.contains(&info.cipher_suite), rsa, "{kinds:?}");
                }
                assert_eq!(pair.ends[1].info().unwrap().peer_certificate.as_deref(), Some(client.der()));
            }
        }
    }
}

#[test]
fn every_suite_of_1_2_with_ecdsa_and_with_rsa() {
    let [ecdsa, _, _, rsa] = &*OF_EACH_KIND;
    for (server, suites) in [(ecdsa, OF_ECDSA), (rsa, OF_RSA)] {
        for suite in suites {
            for side in [Role::Client, Role::Server] {
                let mut pair = pair(ecdsa, server, |role, config| {
                    config.versions = vec![ProtocolVersion::DTLS_1_2];
                    if role == side {
                        config.cipher_suites = vec![suite];
                    }
                });
                pair.connect(Duration::from_secs(5));
                assert!(pair.both_connected(), "{suite} {:?}", pair.errors);
                assert_eq!(pair.ends[0].info().unwrap().cipher_suite, suite);
                pair.send_data(0, b"ping");
                pair.run_for(Duration::from_secs(1));
                assert_eq!(pair.received[1], [b"ping".to_vec()]);
            }
        }
    }
}

/// Suites for the other kind of key are no use to a server.
#[test]
fn a_suite_that_does_not_fit_the_key_is_not_chosen() {
    let [ecdsa, _, _, rsa] = &*OF_EACH_KIND;
    for (server, suites) in [(ecdsa, OF_RSA), (rsa, OF_ECDSA)] {
        let mut pair = pair(ecdsa, server, |_, config| {
            config.versions = vec![ProtocolVersion::DTLS_1_2];
            config.cipher_suites = suites.to_vec();
        });
        pair.connect(Duration::from_secs(5));
        assert_eq!(pair.errors[1].unwrap().alert_sent(), Some(AlertDescription::HANDSHAKE_FAILURE));
    }
}
