//! Against OpenSSL's `s_server` and `s_client`, where the command is there: both roles, every suite and group with every
//! kind of certificate, a small path MTU, with and without cookies.
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "the other side is a process")]

use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use weft_core::{Frame, Instant, Overhead, Rng};
use weft_dtls::{ClientAuthentication, Connection, NamedGroup, Role};

use crate::process::{
    KeyFile, agreed, config, expect_output, free_port, is_installed, key_file, kinds, pairs, socket, spawn, talk,
    talk_to_server,
};

/// OpenSSL's names of suites without the part that tells the certificate's kind, and IANA's of the same.
const SUITES: [(&str, &str); 3] = [
    ("AES128-GCM-SHA256", "AES_128_GCM_SHA256"),
    ("AES256-GCM-SHA384", "AES_256_GCM_SHA384"),
    ("CHACHA20-POLY1305", "CHACHA20_POLY1305_SHA256"),
];
const GROUPS: [(NamedGroup, &str); 3] =
    [(NamedGroup::X25519, "X25519"), (NamedGroup::SECP256R1, "P-256"), (NamedGroup::SECP384R1, "P-384")];

/// Certificate and cipher of the server, its other options, and the group and suite that come of them.
type Case<'a> = (&'a KeyFile, &'a str, &'a [&'a str], &'a str, &'a str);

//= rfc6347#4.2.1
//# In particular, DTLS 1.2 clients MUST NOT assume that because the server uses version 1.0 in the HelloVerifyRequest
//# that the server is not DTLS 1.2 or that it will eventually negotiate DTLS 1.0 rather than DTLS 1.2.
//= rfc5246#7.4.6
//# ecdsa_sign ECDSA-capable public key; the certificate MUST allow the key to be used for signing with the hash
//# algorithm that will be employed in the certificate verify message; the public key MUST use a curve and point
//# format supported by the server.
//= rfc5246#7.4.9
//# For the PRF defined in Section 5, the Hash MUST be the Hash used as the basis for the PRF.
//= rfc8422#5.9
//# X.509 certificates containing ECC public keys or signed using ECDSA MUST comply with [RFC3279] or another RFC that
//# replaces or extends it.
#[test]
fn client_against_s_server() {
    if !is_installed("openssl", "version") {
        return;
    }
    let ecdsa = key_file(&["ec", "-pkeyopt", "ec_paramgen_curve:P-256"], "server-p256");
    let p384 = key_file(&["ec", "-pkeyopt", "ec_paramgen_curve:P-384"], "server-p384");
    let rsa = key_file(&["rsa:2048"], "server-rsa");
    let cases: [Case<'_>; 7] = [
        (&ecdsa, "ECDHE-ECDSA-AES128-GCM-SHA256", &[], "X25519", "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"),
        (
            &ecdsa,
            "ECDHE-ECDSA-AES256-GCM-SHA384",
            &["-groups", "P-256"],
            "P-256",
            "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
        ),
        (
            &ecdsa,
            "ECDHE-ECDSA-CHACHA20-POLY1305",
            &["-serverpref", "-groups", "P-384:P-256"],
            "P-384",
            "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
        ),
        (&p384, "ECDHE-ECDSA-AES128-GCM-SHA256", &["-mtu", "300"], "X25519", "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"),
        (&rsa, "ECDHE-RSA-AES128-GCM-SHA256", &[], "X25519", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"),
        (&rsa, "ECDHE-RSA-AES256-GCM-SHA384", &["-listen"], "X25519", "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"),
        (
            &rsa,
            "ECDHE-RSA-CHACHA20-POLY1305",
            &["-mtu", "300"],
            "X25519",
            "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
        ),
    ];
    for (key, cipher, more, group, suite) in cases {
        let port = free_port();
        let (port_text, key) = (port.to_string(), key.path());
        let mut arguments =
            vec!["s_server", "-dtls1_2", "-quiet", "-port", &port_text, "-cert", key, "-key", key, "-cipher", cipher];
        // With -listen the server exchanges cookies, and cannot ask for certificates by the same option.
        arguments.extend(if more == ["-listen"] { ["-naccept", "2"] } else { ["-Verify", "1"] });
        arguments.extend(more);
        let mut peer = spawn("openssl", &arguments);
        peer.0.stdin.as_mut().unwrap().write_all(b"from openssl\n").unwrap();
        let info = talk_to_server(config(), port, b"from openssl\n");
        assert_eq!(agreed(&info), (group, suite));
        expect_output(&mut peer, "from weft");
    }
}

//= rfc5246#7.4.2
//# ECDHE_ECDSA ECDSA-capable public key; the certificate MUST allow the key to be used for signing with the hash
//# algorithm that will be employed in the server key exchange message.
//= rfc8422#5.9
//# EdDSA keys using the Ed25519 algorithm MUST use the ed25519 signature algorithm, and Ed448 keys MUST use the ed448
//# signature algorithm.
#[test]
fn server_against_s_client() {
    if !is_installed("openssl", "version") {
        return;
    }
    let keys = [
        key_file(&["ec", "-pkeyopt", "ec_paramgen_curve:P-256"], "client-p256"),
        key_file(&["rsa:2048"], "client-rsa"),
        key_file(&["ed25519"], "client-ed25519"),
    ];
    let options: [&[&str]; 3] = [&[], &["-groups", "P-256"], &["-mtu", "300", "-groups", "P-384:P-256"]];
    for (key, more) in keys.iter().zip(options) {
        let socket = socket();
        let address = socket.local_addr().unwrap().to_string();
        let key = key.path();
        let mut arguments = vec!["s_client", "-dtls1_2", "-quiet", "-connect", &address, "-cert", key, "-key", key];
        arguments.extend(more);
        let mut peer = spawn("openssl", &arguments);
        peer.0.stdin.as_mut().unwrap().write_all(b"from openssl\n").unwrap();
        let mut config = config();
        config.mtu = 400;
        let server = Connection::new(config.into(), Role::Server, Rng::from_test_seed(2));
        let info = talk(server, &socket, None, b"from openssl\n");
        assert!(info.peer_certificate.is_some());
        expect_output(&mut peer, "from weft");
    }
}

/// Every certificate of a server of OpenSSL, with every suite that goes with it and every group. OpenSSL's servers have no
/// suite for Ed25519 over DTLS, not even for its own client.
#[test]
fn client_against_s_server_with_all_that_is_shared() {
    if !is_installed("openssl", "version") {
        return;
    }
    for (at, kind) in kinds("s_server").iter().enumerate().filter(|(_, kind)| kind.name != "Ed25519") {
        let authentication = if kind.is_rsa { "RSA" } else { "ECDSA" };
        for (suite, group) in pairs(at) {
            let ((suite, iana), (group, name)) = (SUITES[suite], GROUPS[group]);
            let port = free_port();
            let (cipher, key, port_text) =
                (format!("ECDHE-{authentication}-{suite}"), kind.file.path(), port.to_string());
            let mut arguments = vec!["s_server", "-dtls1_2", "-quiet", "-port", &port_text, "-cert", key, "-key", key];
            arguments.extend(["-cipher", &cipher, "-Verify", "1", "-groups", "X25519:P-256:P-384"]);
            let mut peer = spawn("openssl", &arguments);
            peer.0.stdin.as_mut().unwrap().write_all(b"from openssl\n").unwrap();
            let mut config = config();
            // Offered first, it is chosen; the others tell which curves a certificate may be on (RFC 8422 section 5.1.1).
            config.groups.sort_by_key(|other| *other != group);
            config.certificate = kind.file.certificate();
            let info = talk_to_server(config, port, b"from openssl\n");
            let iana = format!("TLS_ECDHE_{authentication}_WITH_{iana}");
            assert_eq!(agreed(&info), (name, iana.as_str()), "{}", kind.name);
            expect_output(&mut peer, "from weft");
        }
    }
}

/// Every certificate of ours, with every suite that goes with it and every group.
#[test]
fn server_against_s_client_with_all_that_is_shared() {
    if !is_installed("openssl", "version") {
        return;
    }
    for (at, kind) in kinds("s_client").iter().enumerate() {
        let authentication = if kind.is_rsa { "RSA" } else { "ECDSA" };
        for (suite, group) in pairs(at) {
            let ((suite, iana), (group, name)) = (SUITES[suite], GROUPS[group]);
            let socket = socket();
            let address = socket.local_addr().unwrap().to_string();
            let (cipher, key) = (format!("ECDHE-{authentication}-{suite}"), kind.file.path());
            let mut arguments = vec!["s_client", "-dtls1_2", "-quiet", "-connect", &address, "-cert", key, "-key"];
            arguments.extend([key, "-cipher", &cipher, "-groups", "X25519:P-256:P-384"]);
            let mut peer = spawn("openssl", &arguments);
            peer.0.stdin.as_mut().unwrap().write_all(b"from openssl\n").unwrap();
            let mut config = config();
            config.groups = vec![group];
            config.certificate = kind.file.certificate();
            let server = Connection::new(config.into(), Role::Server, Rng::from_test_seed(2));
            let info = talk(server, &socket, None, b"from openssl\n");
            let iana = format!("TLS_ECDHE_{authentication}_WITH_{iana}");
            assert_eq!(agreed(&info), (name, iana.as_str()), "{}", kind.name);
            assert!(info.peer_certificate.is_some());
            expect_output(&mut peer, "from weft");
        }
    }
}

/// Certificates that OpenSSL made, of every kind of key, are ours: as client, and as server behind a listener.
#[test]
fn certificates_of_every_kind_against_openssl() {
    if !is_installed("openssl", "version") {
        return;
    }
    let kinds: [(&[&str], &str); 4] = [
        (&["rsa:3072"], "RSA"),
        (&["ed25519"], "ECDSA"),
        (&["ec", "-pkeyopt", "ec_paramgen_curve:P-384"], "ECDSA"),
        (&["ec", "-pkeyopt", "ec_paramgen_curve:P-256"], "ECDSA"),
    ];
    let peer_key = key_file(&["rsa:2048"], "own-peer");
    let peer_key = peer_key.path();
    for (n, (kind, name)) in kinds.into_iter().enumerate() {
        let file = key_file(kind, &format!("own-{n}"));
        let mut config = config();
        config.certificate = file.certificate();
        let config = Arc::new(config);

        let socket_ = socket();
        let address = socket_.local_addr().unwrap().to_string();
        let client_arguments = ["-dtls1_2", "-quiet", "-connect", &address, "-cert", peer_key, "-key", peer_key];
        let mut peer = spawn("openssl", &[&["s_client"][..], &client_arguments].concat());
        peer.0.stdin.as_mut().unwrap().write_all(b"from openssl\n").unwrap();
        let limits = weft_dtls::ListenerLimits::default();
        let mut listener = weft_dtls::Listener::new(config.clone(), limits, Rng::from_test_seed(3));
        let (server, from) = admit(&mut listener, &socket_);
        let info = talk(server, &socket_, Some(from), b"from openssl\n");
        assert!(info.cipher_suite.name().unwrap().contains(&format!("_{name}_")), "{info:?}");
        assert_eq!(listener.counters().replies, 1, "one HelloVerifyRequest");
        expect_output(&mut peer, "from weft");

        let port = free_port().to_string();
        let server_arguments =
            ["-dtls1_2", "-quiet", "-port", &port, "-cert", peer_key, "-key", peer_key, "-Verify", "1"];
        let mut peer = spawn("openssl", &[&["s_server"][..], &server_arguments].concat());
        peer.0.stdin.as_mut().unwrap().write_all(b"from openssl\n").unwrap();
        let client = Connection::new(config, Role::Client, Rng::from_test_seed(4));
        let to = (Ipv4Addr::LOCALHOST, port.parse().unwrap()).into();
        talk(client, &socket(), Some(to), b"from openssl\n");
        expect_output(&mut peer, "from weft");
    }
}

/// A certificate asked for and not insisted on: by them, of a client of ours that has none; by us, of theirs with and
/// without.
#[test]
fn optional_client_authentication_with_openssl() {
    if !is_installed("openssl", "version") {
        return;
    }
    let file = key_file(&["ec", "-pkeyopt", "ec_paramgen_curve:P-256"], "optional");
    let (key, port) = (file.path(), free_port());
    let port_text = port.to_string();
    let arguments = ["s_server", "-dtls1_2", "-quiet", "-port", &port_text, "-cert", key, "-key", key, "-verify", "1"];
    let mut peer = spawn("openssl", &arguments);
    peer.0.stdin.as_mut().unwrap().write_all(b"from openssl\n").unwrap();
    let mut anonymous = config();
    anonymous.anonymous_client = true;
    talk_to_server(anonymous, port, b"from openssl\n");
    expect_output(&mut peer, "from weft");

    for known in [false, true] {
        let socket = socket();
        let address = socket.local_addr().unwrap().to_string();
        let mut arguments = vec!["s_client", "-dtls1_2", "-quiet", "-connect", &address];
        if known {
            arguments.extend(["-cert", key, "-key", key]);
        }
        let mut peer = spawn("openssl", &arguments);
        peer.0.stdin.as_mut().unwrap().write_all(b"from openssl\n").unwrap();
        let mut config = config();
        config.client_authentication = ClientAuthentication::Optional;
        let server = Connection::new(config.into(), Role::Server, Rng::from_test_seed(2));
        let info = talk(server, &socket, None, b"from openssl\n");
        assert_eq!(info.peer_certificate.is_some(), known);
        expect_output(&mut peer, "from weft");
    }
}

/// Waits for a client that proves its address.
fn admit(listener: &mut weft_dtls::Listener, socket: &UdpSocket) -> (Connection, SocketAddr) {
    let origin = std::time::Instant::now();
    loop {
        assert!(origin.elapsed() < Duration::from_secs(20), "{listener:?}");
        let mut buffer = [0; 2048];
        let Ok((n, from)) = socket.recv_from(&mut buffer) else { continue };
        let mut reply = [0; 512];
        let mut reply = Frame::new(&mut reply, Overhead::NONE);
        match listener.handle_input(Instant::ORIGIN + origin.elapsed(), from, &buffer[..n], &mut reply) {
            weft_dtls::Admission::None => {}
            weft_dtls::Admission::Reply => drop(socket.send_to(reply.content(), from).unwrap()),
            weft_dtls::Admission::Admitted(connection) => return (*connection, from),
        }
    }
}
