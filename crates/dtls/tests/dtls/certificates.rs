//! Certificates of every kind, in both roles and versions.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use weft_dtls::crypto::KeyKind;
use weft_dtls::{
    AlertDescription, Certificate, ChainVerifier, ChainVerifierError, CipherSuite, Config, Error, NamedGroup,
    ProtocolVersion, Rejection, Role, SignatureScheme, Verifier,
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

//= rfc8446#4.2.3
//# If TLS 1.2 is negotiated, implementations MUST be prepared to accept a signature that uses any curve that they
//# advertised in the "supported_groups" extension.
//= rfc8446#4.2.3
//# Implementations that advertise support for RSASSA-PSS (which is mandatory in TLS 1.3) MUST be prepared to accept a
//# signature using that scheme even when TLS 1.2 is negotiated.
//= rfc8446#9.1
//# A TLS-compliant application MUST support digital signatures with rsa_pkcs1_sha256 (for certificates),
//# rsa_pss_rsae_sha256 (for CertificateVerify and certificates), and ecdsa_secp256r1_sha256.
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

/// Of several certificates either side takes the first that the peer can verify.
#[test]
fn a_certificate_is_chosen_that_the_peer_can_verify() {
    let [p256, p384, ed25519, rsa] = &*OF_EACH_KIND;
    let schemes = |certificate: &Certificate| match certificate.key_kind() {
        KeyKind::P256 => vec![SignatureScheme::ECDSA_SECP256R1_SHA256],
        KeyKind::P384 => vec![SignatureScheme::ECDSA_SECP384R1_SHA384],
        KeyKind::Ed25519 => vec![SignatureScheme::ED25519],
        KeyKind::Rsa => vec![SignatureScheme::RSA_PSS_RSAE_SHA384],
    };
    for version in [ProtocolVersion::DTLS_1_2, ProtocolVersion::DTLS_1_3] {
        for (chooser, end) in [(Role::Client, 1), (Role::Server, 0)] {
            for wanted in [p256, p384, ed25519, rsa] {
                let mut pair = pair(p256, p256, |role, config| {
                    config.versions = vec![version];
                    if role == chooser {
                        config.other_certificates = vec![p384.clone(), ed25519.clone(), rsa.clone()];
                        // The key of the peer is P-256.
                        config.signature_schemes = vec![SignatureScheme::ECDSA_SECP256R1_SHA256];
                    } else {
                        config.verifier = fingerprint_of(wanted);
                        config.signature_schemes = schemes(wanted);
                    }
                });
                pair.connect(Duration::from_secs(5));
                assert!(pair.both_connected(), "{version} {chooser:?} {:?} {:?}", wanted.key_kind(), pair.errors);
                assert_eq!(pair.ends[end].info().unwrap().peer_certificate.as_deref(), Some(wanted.der()));
            }
        }
        // If nothing fits, what is wrong with the preferred one is told.
        let mut pair = pair(p256, p256, |role, config| {
            config.versions = vec![version];
            if role == Role::Server {
                config.other_certificates = vec![p384.clone()];
            } else {
                config.signature_schemes = schemes(rsa);
            }
        });
        pair.connect(Duration::from_secs(5));
        assert_eq!(pair.errors[1].unwrap().alert_sent(), Some(AlertDescription::HANDSHAKE_FAILURE), "{version}");
    }
}

/// In 1.2 the client's suites and curves say which certificates it takes, too (RFC 8422 section 5.3).
#[test]
fn a_certificate_is_chosen_by_suite_and_by_curve() {
    let [p256, _, ed25519, rsa] = &*OF_EACH_KIND;
    let by_suite: fn(&mut Config) = |config| config.cipher_suites = vec![CipherSuite::ECDHE_RSA_AES_128_GCM_SHA256];
    let by_curve: fn(&mut Config) = |config| config.groups = vec![NamedGroup::X25519];
    for (wanted, change) in [(rsa, by_suite), (ed25519, by_curve)] {
        let mut pair = pair(p256, p256, |role, config| {
            config.versions = vec![ProtocolVersion::DTLS_1_2];
            if role == Role::Server {
                config.other_certificates = vec![wanted.clone()];
            } else {
                config.verifier = fingerprint_of(wanted);
                change(config);
            }
        });
        pair.connect(Duration::from_secs(5));
        assert!(pair.both_connected(), "{:?} {:?}", wanted.key_kind(), pair.errors);
        assert_eq!(pair.ends[0].info().unwrap().peer_certificate.as_deref(), Some(wanted.der()));
    }
}

/// A certificate signs with the schemes that it is given, and a peer that takes none of them is refused.
#[test]
fn a_certificate_can_be_kept_from_schemes() {
    let rsa = Certificate::from_pem(&OF_EACH_KIND[3].to_pem()).unwrap();
    let rsa = Arc::new(rsa.with_signature_schemes(vec![SignatureScheme::RSA_PSS_RSAE_SHA512]));
    let p256 = &OF_EACH_KIND[0];
    for version in [ProtocolVersion::DTLS_1_2, ProtocolVersion::DTLS_1_3] {
        for (scheme, taken) in
            [(SignatureScheme::RSA_PSS_RSAE_SHA512, true), (SignatureScheme::RSA_PSS_RSAE_SHA256, false)]
        {
            let mut pair = pair(p256, &rsa, |role, config| {
                config.versions = vec![version];
                if role == Role::Client {
                    config.signature_schemes = vec![scheme];
                }
            });
            pair.connect(Duration::from_secs(5));
            assert_eq!(pair.both_connected(), taken, "{version} {scheme}");
        }
    }
}

/// A verifier of the application's own says by what alert the peer is told.
#[test]
fn a_verifier_can_choose_the_alert() {
    let alert = AlertDescription::ACCESS_DENIED;
    for version in [ProtocolVersion::DTLS_1_2, ProtocolVersion::DTLS_1_3] {
        let p256 = &OF_EACH_KIND[0];
        let mut pair = pair(p256, p256, |role, config| {
            config.versions = vec![version];
            if role == Role::Server {
                config.verifier = Verifier::Custom(Arc::new(Says(Rejection::With(alert))));
            }
        });
        pair.connect(Duration::from_secs(5));
        assert_eq!(pair.errors[1], Some(Error::CertificateRejected(Rejection::With(alert))));
        assert_eq!(pair.errors[1].unwrap().alert_sent(), Some(alert));
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

fn alert_of(rejection: Rejection) -> AlertDescription {
    match rejection {
        Rejection::Expired => AlertDescription::CERTIFICATE_EXPIRED,
        Rejection::UnknownIssuer => AlertDescription::UNKNOWN_CA,
        Rejection::WrongName => AlertDescription::BAD_CERTIFICATE,
        _ => AlertDescription::CERTIFICATE_UNKNOWN,
    }
}

//= rfc8446#4.4.2.2
//# If the client cannot construct an acceptable chain using the provided certificates and decides to abort the handshake,
//# then it MUST abort the handshake with an appropriate certificate-related alert (by default,
//# "unsupported_certificate"; see Section 6.2 for more information).
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
            let alert = pair.errors[0].and_then(|error| error.alert_sent());
            assert_eq!(alert, rejection.map(alert_of), "{version}");
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

/// A judgement that is known before.
#[derive(Debug)]
struct Says(Rejection);

impl weft_dtls::VerifyCertificate for Says {
    fn verify(&self, _: &[u8], _: &[&[u8]]) -> Result<(), Rejection> {
        Err(self.0)
    }
}

/// Signed with RSA: as it came, and with the signature's algorithm said to be one with MD5.
//= rfc8446#4.4.2.4
//# Any endpoint receiving any certificate which it would need to validate using any signature algorithm using an MD5 hash
//# MUST abort the handshake with a "bad_certificate" alert.
#[test]
fn chains_with_md5_are_refused() {
    /// sha256WithRSAEncryption, whose last byte tells the hash.
    const OID: [u8; 9] = [0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x0B];
    const OF_MD5: u8 = 4;
    let key = rcgen::KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, rcgen::RsaKeySize::_2048).unwrap();
    let mut params = rcgen::CertificateParams::new(vec!["root.example".to_owned()]).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let root = params.self_signed(&key).unwrap().der().to_vec();
    let issuer = rcgen::Issuer::new(params, key);
    let leaf_key = rcgen::KeyPair::generate().unwrap();
    let leaf = rcgen::CertificateParams::new(vec!["weft.example".to_owned()]).unwrap();
    let signed = leaf.signed_by(&leaf_key, &issuer).unwrap().der().to_vec();
    let mut with_md5 = signed.clone();
    for at in 0..with_md5.len() - OID.len() {
        if with_md5[at..].starts_with(&OID) {
            with_md5[at + OID.len() - 1] = OF_MD5;
        }
    }
    let verifier = ChainVerifier::of_server([&root[..]], "weft.example", year(2026)).unwrap();
    assert_eq!(weft_dtls::VerifyCertificate::verify(&verifier, &signed, &[]), Ok(()));
    let verdict = weft_dtls::VerifyCertificate::verify(&verifier, &with_md5, &[]);
    assert_eq!(verdict, Err(Rejection::Signature));

    let own = &OF_EACH_KIND[0];
    let mut pair = pair(own, own, |role, config| {
        if role == Role::Client {
            config.verifier = Verifier::Custom(Arc::new(Says(Rejection::Signature)));
        }
    });
    pair.connect(Duration::from_secs(5));
    assert_eq!(pair.errors[0].unwrap().alert_sent(), Some(AlertDescription::BAD_CERTIFICATE));
}

/// What stands between the first certificate and the authority may come in any order, among others.
//= rfc8446#4.4.2
//# For maximum compatibility, all implementations SHOULD be prepared to handle potentially extraneous certificates and
//# arbitrary orderings from any TLS version, with the exception of the end-entity certificate which MUST be first.
#[test]
fn chains_are_found_among_foreign_certificates_in_any_order() {
    use rcgen::ExtendedKeyUsagePurpose::ServerAuth;
    let (server, foreign) = (chain("weft.example", ServerAuth), chain("foreign.example", ServerAuth));
    let [own, other]: [Vec<_>; 2] = [&server.leaf, &foreign.leaf].map(|leaf| leaf.chain().collect());
    let verifier = ChainVerifier::of_server([&server.root[..]], "weft.example", year(2026)).unwrap();
    let judge = |leaf, rest: &[&[u8]]| weft_dtls::VerifyCertificate::verify(&verifier, leaf, rest);
    assert_eq!(judge(own[0], &[other[1], other[0], own[1], &foreign.root]), Ok(()));
    assert_eq!(judge(own[0], &[own[1], &server.root, other[1]]), Ok(()));
    assert!(judge(own[1], &[own[0]]).is_err(), "the first is the peer's own");
    assert!(judge(other[0], &[own[0], own[1]]).is_err());
}

/// No certificate of ours has a key usage, which could forbid signatures (RFC 5280 section 4.2.1.3).
//= rfc5246#7.4.2
//# DHE_RSA RSA public key; the certificate MUST allow the ECDHE_RSA key to be used for signing (the digitalSignature bit
//# MUST be set if the key usage extension is present) with the signature scheme and hash algorithm that will be employed
//# in the server key exchange message.
//= rfc5246#7.4.6
//# rsa_sign RSA public key; the certificate MUST allow the key to be used for signing with the signature scheme and hash
//# algorithm that will be employed in the certificate verify message.
#[test]
fn generated_certificates_allow_signatures() {
    const KEY_USAGE: [u8; 5] = [0x06, 0x03, 0x55, 0x1D, 0x0F];
    for certificate in &*OF_EACH_KIND {
        assert!(!certificate.der().windows(KEY_USAGE.len()).any(|bytes| bytes == KEY_USAGE));
    }
}
