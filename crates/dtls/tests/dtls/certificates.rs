//! Certificates of every kind, in both roles and versions.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use weft_dtls::crypto::KeyKind;
use weft_dtls::{
    AlertDescription, Certificate, ChainVerifier, ChainVerifierError, CipherSuite, Config, Error, ProtocolVersion,
    Rejection, Role, Verifier,
};

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

/// An authority, one that it vouches for, and a leaf of that: issued for 2020 to 2030.
struct Chain {
    root: Vec<u8>,
    leaf: Arc<Certificate>,
}

fn chain(name: &str, usage: rcgen::ExtendedKeyUsagePurpose) -> Chain {
    let params = |name: &str, authority: bool| {
        let mut params = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(2030, 1, 1);
        if authority {
            params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
            params.distinguished_name.push(rcgen::DnType::CommonName, name);
        }
        params
    };
    let [root_key, middle_key, leaf_key] = [(); 3].map(|()| rcgen::KeyPair::generate().unwrap());
    let root_params = params(&format!("root-of-{name}"), true);
    let root = root_params.self_signed(&root_key).unwrap();
    let root_issuer = rcgen::Issuer::new(root_params, root_key);
    let middle_params = params("middle", true);
    let middle = middle_params.signed_by(&middle_key, &root_issuer).unwrap();
    let middle_issuer = rcgen::Issuer::new(middle_params, middle_key);
    let mut leaf_params = params(name, false);
    leaf_params.extended_key_usages = vec![usage];
    let leaf = leaf_params.signed_by(&leaf_key, &middle_issuer).unwrap();
    let pem = [leaf.pem(), middle.pem(), leaf_key.serialize_pem()].concat();
    Chain { root: root.der().to_vec(), leaf: Arc::new(Certificate::from_pem(&pem).unwrap()) }
}

fn year(year: u64) -> impl Fn() -> Duration + Send + Sync {
    move || Duration::from_secs((year - 1970) * 31_557_600)
}

#[test]
fn chains_are_judged_by_authority_name_time_and_purpose() {
    use rcgen::ExtendedKeyUsagePurpose::{ClientAuth, ServerAuth};
    let (server, client) = (chain("weft.example", ServerAuth), chain("client.example", ClientAuth));
    let of_server = |root: &[u8], name: &str, y| Arc::new(ChainVerifier::of_server([root], name, year(y)).unwrap());
    let of_client = |root: &[u8]| Arc::new(ChainVerifier::of_client([root], year(2026)).unwrap());
    let cases = [
        (of_server(&server.root, "weft.example", 2026), None),
        (of_server(&server.root, "other.example", 2026), Some(Rejection::WrongName)),
        (of_server(&server.root, "weft.example", 2031), Some(Rejection::Expired)),
        (of_server(&server.root, "weft.example", 2019), Some(Rejection::Expired)),
        (of_server(&client.root, "weft.example", 2026), Some(Rejection::UnknownIssuer)),
        (of_client(&server.root), Some(Rejection::Other)),
    ];
    for version in [ProtocolVersion::DTLS_1_2, ProtocolVersion::DTLS_1_3] {
        for (verifier, rejection) in &cases {
            let mut pair = pair(&client.leaf, &server.leaf, |role, config| {
                config.versions = vec![version];
                let judge = if role == Role::Client { verifier.clone() } else { of_client(&client.root) };
                config.verifier = Verifier::Chain(judge);
            });
            pair.connect(Duration::from_secs(5));
            assert_eq!(pair.errors[0], rejection.map(Error::CertificateRejected), "{version}");
            assert_eq!(pair.both_connected(), rejection.is_none());
        }
    }
    // What is self-signed has no authority, and what is X.509 v1 (as libdatachannel's) is not for chains.
    let own = &OF_EACH_KIND[0];
    let mut pair = pair(own, own, |_, config| config.verifier = Verifier::Chain(of_client(&client.root)));
    pair.connect(Duration::from_secs(5));
    assert!(matches!(pair.errors[0], Some(Error::CertificateRejected(_))), "{:?}", pair.errors);
    assert_eq!(
        ChainVerifier::of_server([&b"junk"[..]], "weft.example", year(2026)).unwrap_err(),
        ChainVerifierError::Authority
    );
    assert_eq!(
        ChainVerifier::of_server([&server.root[..]], "not a name", year(2026)).unwrap_err(),
        ChainVerifierError::Name
    );
}
