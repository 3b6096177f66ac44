//! Peers that are processes of their own: the one place here with sockets and a clock.
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
pub(crate) struct Anybody;

impl VerifyCertificate for Anybody {
    fn verify(&self, _certificate: &[u8], _intermediates: &[&[u8]]) -> Result<(), Rejection> {
        Ok(())
    }
}

/// Ends the process whatever happens.
pub(crate) struct Peer(pub(crate) Child);

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Whether a program is there. In CI it has to be.
pub(crate) fn is_installed(program: &str, version: &str) -> bool {
    let found = Command::new(program).arg(version).stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok();
    assert!(found || std::env::var_os("CI").is_none(), "{program} is not installed");
    if !found {
        eprintln!("skipped: {program} is not installed");
    }
    found
}

/// A file with a certificate and its key, made by OpenSSL; removed at the end.
#[derive(Debug)]
pub(crate) struct KeyFile(PathBuf);

impl Drop for KeyFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

pub(crate) fn key_file(kind: &[&str], tag: &str) -> KeyFile {
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
pub(crate) fn talk(
    mut connection: Connection,
    socket: &UdpSocket,
    mut peer: Option<SocketAddr>,
    expected: &[u8],
) -> SessionInfo {
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

pub(crate) fn config() -> Config {
    let mut config = Config::new(CERTIFICATES[0].clone(), Verifier::Custom(Arc::new(Anybody)));
    config.initial_rto = Duration::from_millis(100);
    config
}

pub(crate) fn socket() -> UdpSocket {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    socket
}

pub(crate) fn spawn(program: &str, arguments: &[&str]) -> Peer {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    Peer(command.spawn().unwrap())
}

/// Reads what the peer prints until it has printed `expected`.
pub(crate) fn expect_output(peer: &mut Peer, expected: &str) {
    let mut output = peer.0.stdout.take().unwrap();
    let (mut all, mut buffer) = (String::new(), [0; 512]);
    while !all.contains(expected) {
        let n = output.read(&mut buffer).unwrap();
        assert_ne!(n, 0, "{all}");
        all.push_str(&String::from_utf8_lossy(&buffer[..n]));
    }
}

impl KeyFile {
    pub(crate) fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }

    /// The same as ours.
    pub(crate) fn certificate(&self) -> Arc<Certificate> {
        Arc::new(Certificate::from_pem(&std::fs::read_to_string(&self.0).unwrap()).unwrap())
    }
}

/// A kind of certificate: its name, how OpenSSL makes it, and whether suites with RSA go with it.
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    pub(crate) is_rsa: bool,
    pub(crate) file: KeyFile,
}

/// One of each kind that is spoken, made anew for each test.
pub(crate) fn kinds(tag: &str) -> Vec<Kind> {
    let kind = |name: &'static str, new: &[&str]| Kind {
        name,
        is_rsa: name == "RSA",
        file: key_file(new, &format!("{tag}-{name}")),
    };
    vec![
        kind("P-256", &["ec", "-pkeyopt", "ec_paramgen_curve:P-256"]),
        kind("P-384", &["ec", "-pkeyopt", "ec_paramgen_curve:P-384"]),
        kind("Ed25519", &["ed25519"]),
        kind("RSA", &["rsa:2048"]),
    ]
}

/// Which of three suites goes with which of three groups for the kind of certificate at `kind`: every suite and every group
/// with each kind, every suite with every group for some kind; all with all under `WEFT_SOAK=1`.
pub(crate) fn pairs(kind: usize) -> Vec<(usize, usize)> {
    let soak = std::env::var_os("WEFT_SOAK").is_some();
    let all = (0..3).flat_map(|suite| (0..3).map(move |group| (suite, group)));
    all.filter(|(suite, group)| soak || (suite + kind) % 3 == *group).collect()
}

/// What to see of a connection: group, suite.
pub(crate) fn agreed(info: &SessionInfo) -> (&'static str, &'static str) {
    (info.group.name().unwrap(), info.cipher_suite.name().unwrap())
}

/// Runs a client of ours against a server that was just started at `port`.
pub(crate) fn talk_to_server(config: Config, port: u16, expected: &[u8]) -> SessionInfo {
    let client = Connection::new(config.into(), Role::Client, Rng::from_test_seed(1));
    talk(client, &socket(), Some((Ipv4Addr::LOCALHOST, port).into()), expected)
}

/// A port that was free a moment ago.
pub(crate) fn free_port() -> u16 {
    socket().local_addr().unwrap().port()
}
