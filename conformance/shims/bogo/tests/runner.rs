//! Plays the part of BoringSSL's runner, over the socket protocol and with the shim as a process of its own: the runner
//! itself is written in Go and is no part of this repository.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::time::Duration;

use weft_core::{Frame, Instant, Layer, Overhead, Rng, Wrap};
use weft_dtls::crypto::KeyKind;
use weft_dtls::{
    AlertDescription, Certificate, CipherSuite, Config, Connection, Error, ProtocolVersion, Rejection, Role,
    SignatureScheme, Verifier, VerifyCertificate,
};

const SHIM_ID: u64 = 0x0102_0304_0506;
const MESSAGE: &[u8] = &[0x42; 32];

#[derive(Debug)]
struct Anybody;

impl VerifyCertificate for Anybody {
    fn verify(&self, _certificate: &[u8], _intermediates: &[&[u8]]) -> Result<(), Rejection> {
        Ok(())
    }
}

/// Starts the shim; the end of the socket that the runner has.
fn start(flags: &[&str]) -> (Child, TcpStream) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let child = Command::new(env!("CARGO_BIN_EXE_weft-bogo-shim"))
        .args(["-port", &port, "-shim-id", &SHIM_ID.to_string(), "-dtls"])
        .args(flags)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut stream, _) = listener.accept().unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut id = [0; 8];
    stream.read_exact(&mut id).unwrap();
    assert_eq!(u64::from_le_bytes(id), SHIM_ID);
    (child, stream)
}

fn config() -> Config {
    let mut config = Config::new(Arc::new(Certificate::generate().unwrap()), Verifier::Custom(Arc::new(Anybody)));
    config.client_authentication = weft_dtls::ClientAuthentication::None;
    config
}

/// The runner's side of a connection.
struct Runner {
    stream: TcpStream,
    connection: Connection,
    received: Vec<u8>,
}

impl Runner {
    fn new(stream: TcpStream, role: Role, config: Config) -> Self {
        let connection = Connection::new(Arc::new(config), role, Rng::from_test_seed(1));
        Self { stream, connection, received: Vec::new() }
    }

    fn send(&mut self, datagram: &[u8]) {
        let length = u32::try_from(datagram.len()).unwrap();
        self.stream.write_all(&[b"P", &length.to_be_bytes()[..], datagram].concat()).unwrap();
    }

    /// One datagram of the shim; `None` once it has said its last.
    fn read(&mut self) -> Option<Vec<u8>> {
        let mut opcode = [0];
        if self.stream.read(&mut opcode).unwrap() == 0 {
            return None;
        }
        assert_eq!(opcode[0], b'P');
        let mut length = [0; 4];
        self.stream.read_exact(&mut length).unwrap();
        let mut datagram = vec![0; u32::from_be_bytes(length) as usize];
        self.stream.read_exact(&mut datagram).unwrap();
        Some(datagram)
    }

    /// Lets time pass at the shim.
    fn elapse(&mut self, time: Duration) {
        self.stream.write_all(&[b"T", &(time.as_nanos() as u64).to_be_bytes()[..]].concat()).unwrap();
        let mut opcode = [0];
        self.stream.read_exact(&mut opcode).unwrap();
        assert_eq!(opcode[0], b't');
    }

    fn expect_timer(&mut self, due: Option<Duration>) {
        let nanos = due.map_or(u64::MAX, |due| due.as_nanos() as u64);
        self.stream.write_all(&[b"E", &nanos.to_be_bytes()[..]].concat()).unwrap();
    }

    fn flush(&mut self) {
        loop {
            let mut buffer = [0; 2048];
            let mut frame = Frame::new(&mut buffer, Overhead::NONE);
            if self.connection.poll_transmit(Instant::ORIGIN, &mut frame).is_none() {
                return;
            }
            let datagram = frame.content().to_vec();
            self.send(&datagram);
        }
    }

    /// Until `done`, or the shim has said its last.
    fn run(&mut self, done: impl Fn(&Self) -> bool) -> Result<(), Error> {
        self.connection.start(Instant::ORIGIN);
        loop {
            self.flush();
            if done(self) {
                return Ok(());
            }
            let Some(mut datagram) = self.read() else { return Ok(()) };
            let handled = self.connection.handle_input(Instant::ORIGIN, &mut datagram);
            let outcome = handled.map(|mut records| {
                while let Some(record) = records.next() {
                    self.received.extend_from_slice(record);
                }
            });
            if outcome.is_err() {
                self.flush();
            }
            outcome?;
        }
    }

    fn send_data(&mut self, data: &[u8]) {
        let mut buffer = [0; 2048];
        let mut frame = Frame::new(&mut buffer, self.connection.overhead().unwrap());
        frame.push(data).unwrap();
        self.connection.wrap(&mut frame).unwrap();
        let datagram = frame.content().to_vec();
        self.send(&datagram);
    }
}

/// Code and complaints of the shim. Dropping the stream is how the runner ends a test.
fn outcome(child: Child, stream: TcpStream) -> (Option<i32>, String) {
    drop(stream);
    let Output { status, stderr, .. } = child.wait_with_output().unwrap();
    (status.code(), String::from_utf8(stderr).unwrap())
}

/// A file with certificate and key for a shim that is a server; removed at the end.
struct KeyFile(PathBuf);

impl KeyFile {
    fn new(tag: &str) -> Self {
        Self::of(tag, KeyKind::P256)
    }

    fn of(tag: &str, kind: KeyKind) -> Self {
        let path = std::env::temp_dir().join(format!("weft-bogo-{}-{tag}.pem", std::process::id()));
        std::fs::write(&path, Certificate::generate_for(kind).unwrap().to_pem().as_bytes()).unwrap();
        Self(path)
    }

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for KeyFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn echoed() -> Vec<u8> {
    MESSAGE.iter().map(|byte| byte ^ 0xFF).collect()
}

#[test]
fn both_sides_and_versions_shake_hands_and_echo() {
    let key = KeyFile::new("echo");
    let server = ["-server", "-cert-file", key.path(), "-key-file", key.path()];
    for (version, number) in [(ProtocolVersion::DTLS_1_2, "65277"), (ProtocolVersion::DTLS_1_3, "65276")] {
        for (role, flags) in [(Role::Server, &[][..]), (Role::Client, &server)] {
            let (child, stream) = start(&[flags, &["-expect-version", number, "-shim-writes-first"]].concat());
            let mut config = config();
            config.versions = vec![version];
            let mut runner = Runner::new(stream, role, config);
            runner.run(|runner| runner.connection.is_connected()).unwrap();
            runner.send_data(MESSAGE);
            let expected = [b"hello", &echoed()[..]].concat();
            runner.run(|runner| runner.received.len() >= expected.len()).unwrap();
            assert_eq!(runner.received, expected);
            runner.connection.close(Instant::ORIGIN);
            runner.flush();
            assert_eq!(outcome(child, runner.stream), (Some(0), String::new()), "{version} {role:?}");
        }
    }
}

/// What is lost goes again when the runner lets the time pass, and its questions for timers are answered.
#[test]
fn time_is_the_runners() {
    let (child, stream) = start(&["-initial-timeout-duration-ms", "250"]);
    let mut runner = Runner::new(stream, Role::Server, config());
    let first = [runner.read().unwrap(), runner.read().unwrap()];
    runner.expect_timer(Some(Duration::from_millis(250)));
    runner.elapse(Duration::from_millis(249));
    runner.expect_timer(Some(Duration::from_millis(1)));
    runner.elapse(Duration::from_millis(1));
    let again = [runner.read().unwrap(), runner.read().unwrap()];
    // The records have numbers of their own; what is in them is the same.
    assert_eq!(first.each_ref().map(|datagram| &datagram[13..]), again.each_ref().map(|datagram| &datagram[13..]));
    runner.expect_timer(Some(Duration::from_millis(500)));
    for mut datagram in again {
        runner.connection.handle_input(Instant::ORIGIN, &mut datagram).map(drop).unwrap();
    }
    runner.run(|runner| runner.connection.is_connected()).unwrap();
    runner.expect_timer(None);
    runner.connection.close(Instant::ORIGIN);
    runner.flush();
    assert_eq!(outcome(child, runner.stream), (Some(0), String::new()));
}

#[test]
fn a_timer_that_is_not_as_expected_fails_the_test() {
    let (child, stream) = start(&[]);
    let mut runner = Runner::new(stream, Role::Server, config());
    runner.expect_timer(Some(Duration::from_millis(399)));
    while runner.read().is_some() {}
    let (code, complaint) = outcome(child, runner.stream);
    assert_eq!(code, Some(1));
    assert!(complaint.contains("the next timer is due in Some(400ms), not Some(399ms)"), "{complaint}");
}

#[test]
fn a_new_mtu_is_obeyed() {
    let (child, stream) = start(&[]);
    let mut runner = Runner::new(stream, Role::Server, config());
    let (_, _) = (runner.read().unwrap(), runner.read().unwrap());
    runner.stream.write_all(&[b"M", &300_u32.to_be_bytes()[..]].concat()).unwrap();
    runner.elapse(Duration::from_millis(400));
    for _ in 0..4 {
        assert!(runner.read().unwrap().len() <= 300);
    }
    assert_eq!(outcome(child, runner.stream).0, Some(1), "no handshake came of it");
}

/// The words that the shim's configuration maps the runner's to.
fn mapped(canonical: &str) -> Vec<String> {
    let config = include_str!("../config.json");
    let config: serde_json::Value = serde_json::from_str(config).unwrap();
    let words = config["ErrorMap"][canonical].as_array().unwrap_or_else(|| panic!("{canonical} is not mapped"));
    words.iter().map(|word| word.as_str().unwrap().to_owned()).collect()
}

/// Of several certificates, and the default one after them, the first that the runner can verify is used.
#[test]
fn certificates_are_taken_in_their_order() {
    let (first, second) = (KeyFile::of("first", KeyKind::Ed25519), KeyFile::of("second", KeyKind::P384));
    let last = KeyFile::of("last", KeyKind::P256);
    let flags = ["-server", "-cert-file", last.path(), "-key-file", last.path()].into_iter();
    let of = |file| ["-new-x509-credential", "-cert-file", file, "-key-file", file];
    let flags: Vec<&str> = flags.chain(of(first.path())).chain(of(second.path())).collect();
    for (scheme, file) in [
        (SignatureScheme::ED25519, &first),
        (SignatureScheme::ECDSA_SECP384R1_SHA384, &second),
        (SignatureScheme::ECDSA_SECP256R1_SHA256, &last),
    ] {
        let (child, stream) = start(&flags);
        let mut config = config();
        config.signature_schemes = vec![scheme];
        let mut runner = Runner::new(stream, Role::Client, config);
        runner.run(|runner| runner.connection.is_connected()).unwrap();
        let pem = std::fs::read_to_string(file.path()).unwrap();
        let expected = Certificate::from_pem(&pem).unwrap();
        let certificate = runner.connection.info().unwrap().peer_certificate.clone();
        assert_eq!(certificate.as_deref(), Some(expected.der()));
        runner.connection.close(Instant::ORIGIN);
        runner.flush();
        assert_eq!(outcome(child, runner.stream), (Some(0), String::new()));
    }
}

/// The protocol and the name are what the flags say, or the test fails; and an alert of the shim's own is sent on demand.
#[test]
fn protocols_names_and_alerts() {
    let key = KeyFile::new("alpn");
    let server = ["-server", "-cert-file", key.path(), "-key-file", key.path()];
    for (flags, code) in [
        (&["-select-alpn", "foo", "-expect-server-name", "weft.example"][..], Some(0)),
        (&["-expect-alpn", "foo"], Some(1)),
        (&["-expect-server-name", "another.example"], Some(1)),
    ] {
        let (child, stream) = start(&[&server, flags].concat());
        let mut config = config();
        config.application_protocols = vec![b"bar".to_vec(), b"foo".to_vec()];
        config.server_name = Some("weft.example".to_owned());
        let mut runner = Runner::new(stream, Role::Client, config);
        runner.run(|runner| runner.connection.is_connected()).unwrap();
        runner.connection.close(Instant::ORIGIN);
        runner.flush();
        assert_eq!(outcome(child, runner.stream).0, code, "{flags:?}");
    }
    let (child, stream) = start(&["-advertise-alpn", "\x03foo\x03bar", "-expect-alpn", "bar", "-send-alert"]);
    let mut config = config();
    config.application_protocols = vec![b"bar".to_vec()];
    let mut runner = Runner::new(stream, Role::Server, config);
    let error = runner.run(|_| false).unwrap_err();
    assert_eq!(error.alert_received(), Some(AlertDescription(30)));
    assert_eq!(outcome(child, runner.stream).0, Some(0));
}

/// A fatal alert is told the peer, and the complaint is one that the configuration knows.
#[test]
fn failures_are_told_in_words_that_are_mapped() {
    let (child, stream) = start(&["-verify-peer", "-verify-fail", "-use-custom-verify-callback"]);
    let mut runner = Runner::new(stream, Role::Server, config());
    let error = runner.run(|_| false).unwrap_err();
    assert_eq!(error.alert_received(), Some(AlertDescription::CERTIFICATE_UNKNOWN));
    let (code, complaint) = outcome(child, runner.stream);
    assert_eq!(code, Some(1));
    assert!(mapped(":CERTIFICATE_VERIFY_FAILED:").iter().any(|word| complaint.contains(word)), "{complaint}");
    // The name itself is there, too, for runners without the configuration.
    assert!(complaint.contains("\n:CERTIFICATE_VERIFY_FAILED:\n"), "{complaint}");

    // Without the newer callback BoringSSL says so.
    let (child, stream) = start(&["-verify-peer", "-verify-fail"]);
    let mut runner = Runner::new(stream, Role::Server, config());
    let error = runner.run(|_| false).unwrap_err();
    assert_eq!(error.alert_received(), Some(AlertDescription::HANDSHAKE_FAILURE));
    assert_eq!(outcome(child, runner.stream).0, Some(1));

    // Its own time lets the shim see that the alert, in the clear, was meant.
    let (child, stream) = start(&["-max-version", "65277"]);
    let mut config = config();
    config.versions = vec![ProtocolVersion::DTLS_1_3];
    config.cipher_suites = vec![CipherSuite::AES_128_GCM_SHA256];
    let mut runner = Runner::new(stream, Role::Server, config);
    runner.run(|_| false).unwrap_err();
    let (code, complaint) = outcome(child, runner.stream);
    assert_eq!(code, Some(1));
    let words = mapped(":TLSV1_ALERT_PROTOCOL_VERSION:");
    assert!(words.iter().any(|word| complaint.contains(word)), "{complaint}");
}

#[test]
fn what_is_not_there_is_unimplemented() {
    let shim = |flags: &[&str]| Command::new(env!("CARGO_BIN_EXE_weft-bogo-shim")).args(flags).output().unwrap();
    for flags in [
        &["-port", "1", "-dtls", "-a-flag-of-tomorrow"][..],
        &["-port", "1", "-dtls", "-resume-count", "1"],
        &["-port", "1", "-dtls", "-max-version", "65279"],
        &["-port", "1", "-dtls", "-curves", "25"],
        &["-port", "1", "-dtls", "-verify-prefs", "1539"],
        &["-port", "1", "-dtls", "-new-x509-credential", "-must-match-issuer"],
        &["-port", "1"],
    ] {
        assert_eq!(shim(flags).status.code(), Some(89), "{flags:?}");
    }
    let output = shim(&["-is-handshaker-supported"]);
    assert_eq!((output.status.code(), &output.stdout[..]), (Some(0), &b"No\n"[..]));
}
