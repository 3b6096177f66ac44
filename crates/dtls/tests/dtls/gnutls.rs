//! Against GnuTLS's `gnutls-serv` and `gnutls-cli`, where the commands are there: both roles, every suite and group with
//! every kind of certificate, cookies always.
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "the other side is a process")]

use std::io::Write as _;

use weft_core::Rng;
use weft_dtls::{ClientAuthentication, Connection, NamedGroup, Role};

use crate::process::{
    agreed, config, expect_output, free_port, is_installed, kinds, pairs, socket, spawn, talk, talk_to_server,
};

/// GnuTLS's names of ciphers, and IANA's of the suites without the part that tells the certificate's kind.
const CIPHERS: [(&str, &str); 3] = [
    ("AES-128-GCM", "AES_128_GCM_SHA256"),
    ("AES-256-GCM", "AES_256_GCM_SHA384"),
    ("CHACHA20-POLY1305", "CHACHA20_POLY1305_SHA256"),
];
const GROUPS: [(&str, NamedGroup); 3] = [
    ("GROUP-X25519", NamedGroup::X25519),
    ("GROUP-SECP256R1", NamedGroup::SECP256R1),
    ("GROUP-SECP384R1", NamedGroup::SECP384R1),
];
/// What a client tells also says which curves a certificate may be on (RFC 8422 section 5.1.1).
const ALL_GROUPS: &str = "GROUP-ALL";

fn priority(cipher: &str, group: &str) -> String {
    format!("NONE:+VERS-DTLS1.2:+ECDHE-ECDSA:+ECDHE-RSA:+AEAD:+SIGN-ALL:+COMP-NULL:+CTYPE-X509:+{cipher}:+{group}")
}

#[test]
fn client_against_gnutls_serv() {
    if !is_installed("gnutls-serv", "--version") {
        return;
    }
    for (at, kind) in kinds("gnutls-serv").iter().enumerate() {
        let authentication = if kind.is_rsa { "RSA" } else { "ECDSA" };
        for (suite, group) in pairs(at) {
            let ((cipher, iana), (name, group)) = (CIPHERS[suite], GROUPS[group]);
            let (port, key, priority) = (free_port(), kind.file.path(), priority(cipher, name));
            let port_text = port.to_string();
            let mut arguments = vec!["--udp", "--echo", "--quiet", "--port", &port_text, "--priority", &priority];
            arguments.extend(["--x509certfile", key, "--x509keyfile", key, "--require-client-cert"]);
            let peer = spawn("gnutls-serv", &arguments);
            let mut config = config();
            config.certificate = kind.file.certificate();
            let info = talk_to_server(config, port, b"from weft\n");
            let suite = format!("TLS_ECDHE_{authentication}_WITH_{iana}");
            assert_eq!(agreed(&info), (group.name().unwrap(), suite.as_str()), "{}", kind.name);
            drop(peer);
        }
    }
}

#[test]
fn server_against_gnutls_cli() {
    if !is_installed("gnutls-cli", "--version") {
        return;
    }
    for (at, kind) in kinds("gnutls-cli").iter().enumerate() {
        let authentication = if kind.is_rsa { "RSA" } else { "ECDSA" };
        for (suite, group) in pairs(at) {
            let ((cipher, iana), (_, group)) = (CIPHERS[suite], GROUPS[group]);
            let socket = socket();
            let port = socket.local_addr().unwrap().port().to_string();
            let (key, priority) = (kind.file.path(), priority(cipher, ALL_GROUPS));
            let mut arguments = vec!["--udp", "--insecure", "--port", &port, "--priority", &priority];
            arguments.extend(["--x509certfile", key, "--x509keyfile", key, "127.0.0.1"]);
            let mut peer = spawn("gnutls-cli", &arguments);
            peer.0.stdin.as_mut().unwrap().write_all(b"from gnutls\n").unwrap();
            let mut config = config();
            config.groups = vec![group];
            config.certificate = kind.file.certificate();
            let server = Connection::new(config.into(), Role::Server, Rng::from_test_seed(2));
            let info = talk(server, &socket, None, b"from gnutls\n");
            let suite = format!("TLS_ECDHE_{authentication}_WITH_{iana}");
            assert_eq!(agreed(&info), (group.name().unwrap(), suite.as_str()), "{}", kind.name);
            assert!(info.peer_certificate.is_some());
            expect_output(&mut peer, "from weft");
        }
    }
}

/// A certificate asked for and not insisted on: by them, of a client of ours that has none; by us, of theirs without.
#[test]
fn optional_client_authentication_with_gnutls() {
    if !is_installed("gnutls-serv", "--version") || !is_installed("gnutls-cli", "--version") {
        return;
    }
    let kinds = kinds("gnutls-optional");
    let (port, key) = (free_port(), kinds[0].file.path());
    let port_text = port.to_string();
    // It asks for a certificate unless told not to.
    let mut arguments = vec!["--udp", "--echo", "--quiet", "--port", &port_text, "--x509certfile", key];
    arguments.extend(["--x509keyfile", key]);
    let peer = spawn("gnutls-serv", &arguments);
    let mut anonymous = config();
    anonymous.anonymous_client = true;
    talk_to_server(anonymous, port, b"from weft\n");
    drop(peer);

    let socket = socket();
    let port = socket.local_addr().unwrap().port().to_string();
    let mut peer = spawn("gnutls-cli", &["--udp", "--insecure", "--port", &port, "127.0.0.1"]);
    peer.0.stdin.as_mut().unwrap().write_all(b"from gnutls\n").unwrap();
    let mut config = config();
    config.client_authentication = ClientAuthentication::Optional;
    let server = Connection::new(config.into(), Role::Server, Rng::from_test_seed(2));
    let info = talk(server, &socket, None, b"from gnutls\n");
    assert_eq!(info.peer_certificate, None);
    expect_output(&mut peer, "from weft");
}
