//! Against OpenSSL's `s_server` and `s_client`, where the command is there: both roles, several suites and groups, ECDSA
//! and RSA certificates, a small path MTU, with and without cookies.
//!
//! The one place here with sockets and a clock: the other side is a process.
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "the other side is a process")]

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use weft_core::{Frame, Instant, Layer, Overhead, Rng, Wrap};
use weft_dtls::{Certificate, Config, Connection, Event, Rejection, Role, SessionInfo, Verifier, VerifyCertificate};

use crate::link::CERTIFICATES;

#[derive(Debug)]
struct Anybody;

impl VerifyCertificate for Anybody {
    fn verify(&self, _certificate: &[u8], _intermediates: &[&[u8]]) -> Result<(), Rejection> {
        Ok(())
    }
}

/// Ends the process whatever happens.
struct Peer(Child);

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn openssl() -> Option<String> {
    let Ok(output) = Command::new("openssl").arg("version").output() else {
        assert!(std::env::var_os("CI").is_none(), "openssl is not installed");
        eprintln!("skipped: openssl is not installed");
        return None;
    };
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// A file with a certificate and its key, made by OpenSSL; removed at the end.
struct KeyFile(PathBuf);

impl Drop for KeyFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn key_file(kind: &[&str], tag: &str) -> KeyFile {
    let path = std::env::temp_dir().join(format!("weft-dtls-{}-{tag}.pem", std::process::id()));
    let status = Command::new("openssl")
        .args(["req", "-x509", "-nodes", "-days", "2", "-subj", "/CN=peer", "-newkey"])
        .args(kind)
        .arg("-keyout")
        .arg(&path)
        .arg("-out")
        .arg(path.with_extension("crt"))
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert!(status.success());
    let certificate = std::fs::read(path.with_extension("crt")).unwrap();
    std::fs::remove_file(path.with_extension("crt")).unwrap();
    std::fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(&certificate).unwrap();
    KeyFile(path)
}

/// Drives `connection` until it has received `expected`, sending `greeting` when connected.
fn talk(mut connection: Connection, socket: &UdpSocket, mut peer: Option<SocketAddr>, expected: &[u8]) -> SessionInfo {
    let origin = std::time::Instant::now();
    let mut received = Vec::new();
    let mut info = None;
    connection.start(Instant::ORIGIN);
    loop {
        let now = Instant::ORIGIN + origin.elapsed();
        assert!(origin.elapsed() < Duration::from_secs(20), "{connection:?} {:?}", connection.counters());
        loop {
            let mut buffer = [0; 2048];
            let mut frame = Frame::new(&mut buffer, Overhead::NONE);
            if connection.poll_transmit(now, &mut frame).is_none() {
                break;
            }
            // A server that is not up yet refuses the first hello; the next retransmission gets there.
            let _ = socket.send_to(frame.content(), peer.unwrap());
        }
        if let Some(Event::Connected(connected)) = connection.poll_event() {
            info = Some(connected);
            let mut buffer = [0; 200];
            let mut frame = Frame::new(&mut buffer, connection.overhead().unwrap());
            frame.push(b"from weft\n").unwrap();
            connection.wrap(&mut frame).unwrap();
            socket.send_to(frame.content(), peer.unwrap()).unwrap();
        }
        if let Some(info) = info.clone().filter(|_| received.windows(expected.len()).any(|w| w == expected)) {
            return info;
        }
        let mut buffer = vec![0; 2048];
        match socket.recv_from(&mut buffer) {
            Ok((n, from)) => {
                peer = Some(from);
                let mut records = connection.handle_input(now, &mut buffer[..n]).unwrap();
                while let Some(record) = records.next() {
                    received.extend_from_slice(record);
                }
            }
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::ConnectionRefused
                ) => {}
            Err(error) => panic!("{error}"),
        }
        connection.handle_timeout(now).unwrap();
    }
}

fn config() -> Config {
    let mut config = Config::new(CERTIFICATES[0].clone(), Verifier::Custom(Arc::new(Anybody)));
    config.initial_rto = Duration::from_millis(200);
    config
}

fn socket() -> UdpSocket {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    socket
}

fn spawn(arguments: &[&str]) -> Peer {
    let mut command = Command::new("openssl");
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    Peer(command.spawn().unwrap())
}

/// Reads what the peer prints until it has printed `expected`.
fn expect_output(peer: &mut Peer, expected: &str) {
    let mut output = peer.0.stdout.take().unwrap();
    let (mut all, mut buffer) = (String::new(), [0; 512]);
    while !all.contains(expected) {
        let n = output.read(&mut buffer).unwrap();
        assert_ne!(n, 0, "{all}");
        all.push_str(&String::from_utf8_lossy(&buffer[..n]));
    }
}

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
    let Some(_) = openssl() else { return };
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
        // A port that was free a moment ago.
        let port = socket().local_addr().unwrap().port();
        let (port_text, key) = (port.to_string(), key.0.to_str().unwrap());
        let mut arguments =
            vec!["s_server", "-dtls1_2", "-quiet", "-port", &port_text, "-cert", key, "-key", key, "-cipher", cipher];
        // With -listen the server exchanges cookies, and cannot ask for certificates by the same option.
        arguments.extend(if more == ["-listen"] { ["-naccept", "2"] } else { ["-Verify", "1"] });
        arguments.extend(more);
        let mut peer = spawn(&arguments);
        peer.0.stdin.as_mut().unwrap().write_all(b"from openssl\n").unwrap();
        let client = Connection::new(config().into(), Role::Client, Rng::from_test_seed(1));
        let info = talk(client, &socket(), Some((Ipv4Addr::LOCALHOST, port).into()), b"from openssl\n");
        assert_eq!((info.group.name(), info.cipher_suite.name()), (Some(group), Some(suite)));
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
    let Some(_) = openssl() else { return };
    let keys = [
        key_file(&["ec", "-pkeyopt", "ec_paramgen_curve:P-256"], "client-p256"),
        key_file(&["rsa:2048"], "client-rsa"),
        key_file(&["ed25519"], "client-ed25519"),
    ];
    let options: [&[&str]; 3] = [&[], &["-groups", "P-256"], &["-mtu", "300", "-groups", "P-384:P-256"]];
    for (key, more) in keys.iter().zip(options) {
        let socket = socket();
        let address = socket.local_addr().unwrap().to_string();
        let key = key.0.to_str().unwrap();
        let mut arguments = vec!["s_client", "-dtls1_2", "-quiet", "-connect", &address, "-cert", key, "-key", key];
        arguments.extend(more);
        let mut peer = spawn(&arguments);
        peer.0.stdin.as_mut().unwrap().write_all(b"from openssl\n").unwrap();
        let mut config = config();
        config.mtu = 400;
        let server = Connection::new(config.into(), Role::Server, Rng::from_test_seed(2));
        let info = talk(server, &socket, None, b"from openssl\n");
        assert!(info.peer_certificate.is_some());
        expect_output(&mut peer, "from weft");
    }
}

/// Certificates that OpenSSL made, of every kind of key, are ours: as client, and as server behind a listener.
#[test]
fn certificates_of_every_kind_against_openssl() {
    let Some(_) = openssl() else { return };
    let kinds: [(&[&str], &str); 4] = [
        (&["rsa:3072"], "RSA"),
        (&["ed25519"], "ECDSA"),
        (&["ec", "-pkeyopt", "ec_paramgen_curve:P-384"], "ECDSA"),
        (&["ec", "-pkeyopt", "ec_paramgen_curve:P-256"], "ECDSA"),
    ];
    let peer_key = key_file(&["rsa:2048"], "own-peer");
    let peer_key = peer_key.0.to_str().unwrap();
    for (n, (kind, name)) in kinds.into_iter().enumerate() {
        let file = key_file(kind, &format!("own-{n}"));
        let certificate = Certificate::from_pem(&std::fs::read_to_string(&file.0).unwrap()).unwrap();
        let mut config = config();
        config.certificate = Arc::new(certificate);
        let config = Arc::new(config);

        let socket_ = socket();
        let address = socket_.local_addr().unwrap().to_string();
        let client_arguments = ["-dtls1_2", "-quiet", "-connect", &address, "-cert", peer_key, "-key", peer_key];
        let mut peer = spawn(&[&["s_client"][..], &client_arguments].concat());
        peer.0.stdin.as_mut().unwrap().write_all(b"from openssl\n").unwrap();
        let limits = weft_dtls::ListenerLimits::default();
        let mut listener = weft_dtls::Listener::new(config.clone(), limits, Rng::from_test_seed(3));
        let (server, from) = admit(&mut listener, &socket_);
        let info = talk(server, &socket_, Some(from), b"from openssl\n");
        assert!(info.cipher_suite.name().unwrap().contains(&format!("_{name}_")), "{info:?}");
        assert_eq!(listener.counters().replies, 1, "one HelloVerifyRequest");
        expect_output(&mut peer, "from weft");

        let port = socket().local_addr().unwrap().port().to_string();
        let server_arguments =
            ["-dtls1_2", "-quiet", "-port", &port, "-cert", peer_key, "-key", peer_key, "-Verify", "1"];
        let mut peer = spawn(&[&["s_server"][..], &server_arguments].concat());
        peer.0.stdin.as_mut().unwrap().write_all(b"from openssl\n").unwrap();
        let client = Connection::new(config, Role::Client, Rng::from_test_seed(4));
        let to = (Ipv4Addr::LOCALHOST, port.parse().unwrap()).into();
        talk(client, &socket(), Some(to), b"from openssl\n");
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
