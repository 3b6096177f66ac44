//! Datagrams over TLS.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;

use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use weft_core::Transport;
use weft_net::{Framing, Roots, StreamConfig, StreamSocket, TlsConfig, TlsError};

use crate::stream::{LOOPBACK, batch, open, wait};

/// A server for one connection that sends back what comes; its certificate is for `name`.
///
/// How many bytes came, and whether the client said that these were all (close_notify).
fn echo(name: &str) -> (SocketAddr, Vec<u8>, JoinHandle<(u64, bool)>) {
    let key = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
    let certificate = key.cert.der().clone();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let private = PrivatePkcs8KeyDer::from(key.signing_key.serialize_der());
    let config = config.with_no_client_auth().with_single_cert(vec![certificate.clone()], private.into()).unwrap();
    let listener = TcpListener::bind(LOOPBACK).unwrap();
    let address = listener.local_addr().unwrap();
    let thread = std::thread::spawn(move || {
        let (tcp, _) = listener.accept().unwrap();
        let mut stream = StreamOwned::new(ServerConnection::new(Arc::new(config)).unwrap(), tcp);
        let (mut buf, mut total) = ([0; 4096], 0);
        loop {
            match stream.read(&mut buf) {
                Ok(0) => return (total, true),
                Ok(n) if stream.write_all(&buf[..n]).is_ok() => total += n as u64,
                _ => return (total, false),
            }
        }
    });
    (address, certificate.to_vec(), thread)
}

fn connect(address: SocketAddr, roots: &Roots, name: &str) -> std::io::Result<StreamSocket> {
    let config = Arc::new(TlsConfig::new(roots).unwrap());
    let mut socket = StreamSocket::connect(None, address, &StreamConfig::tls(Framing::Turn, config, name))?;
    open(&mut socket)?;
    Ok(socket)
}

#[test]
fn datagrams_pass() {
    for name in ["turn.example.org", "127.0.0.1"] {
        let (address, certificate, server) = echo(name);
        let mut socket = connect(address, &Roots::Only(vec![certificate]), name).unwrap();
        assert_eq!(socket.path().transport, Transport::Tls);
        let mut long = vec![0x40, 0, 0xFF, 0xFC];
        long.resize(4 + 0xFFFC, 5);
        let messages: Vec<&[u8]> = vec![&[0x40, 0, 0, 0], &long, &[0x41, 0, 0, 4, 1, 2, 3, 4], &long];
        let mut batch = batch(socket.path(), &messages);
        let mut got = Vec::new();
        while got.len() < messages.len() {
            if let Some((run, bytes)) = batch.front()
                && socket.try_send(run, bytes).is_ok()
            {
                batch.sent();
            }
            let _ = socket.flush();
            if let Ok(datagram) = socket.try_recv() {
                got.push(datagram.payload.to_vec());
            }
        }
        assert_eq!(got, messages);
        wait(|| socket.try_close()).unwrap();
        assert_eq!(server.join().unwrap(), (4 + 8 + 2 * 65_536, true));
    }
}

#[test]
fn certificates_are_checked() {
    let (address, _, server) = echo("turn.example.org");
    let (_, other, _) = echo("turn.example.org");
    let error = connect(address, &Roots::Only(vec![other]), "turn.example.org").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidData, "{error}");
    assert!(error.to_string().contains("certificate"), "{error}");
    server.join().unwrap();
    let (address, certificate, server) = echo("turn.example.org");
    let error = connect(address, &Roots::Only(vec![certificate.clone()]), "turn.example.com").unwrap_err();
    assert!(error.to_string().contains("not valid for name"), "{error}");
    server.join().unwrap();
    assert!(matches!(TlsConfig::new(&Roots::Only(vec![])), Err(TlsError::NoRoots)));
    assert!(matches!(TlsConfig::new(&Roots::Only(vec![certificate, vec![1, 2]])), Err(TlsError::Certificate(1, _))));
    let config = Arc::new(TlsConfig::new(&Roots::SystemAnd(vec![])).unwrap());
    let config = StreamConfig::tls(Framing::Turn, config, "no name");
    assert_eq!(StreamSocket::connect(None, address, &config).unwrap_err().kind(), ErrorKind::InvalidInput);
}

#[test]
fn a_server_that_speaks_no_tls_is_noticed() {
    let listener = TcpListener::bind(LOOPBACK).unwrap();
    let address = listener.local_addr().unwrap();
    let server = std::thread::spawn(move || {
        let (mut tcp, _) = listener.accept().unwrap();
        let _ = tcp.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        let _ = tcp.read(&mut [0; 1000]);
    });
    let error = connect(address, &Roots::System, "turn.example.org").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidData, "{error}");
    server.join().unwrap();
    assert_eq!(wait(|| Ok::<_, std::io::Error>(1)).unwrap(), 1);
}

/// The test runs itself again, with a file of its own in place of the system's authorities.
#[test]
fn the_authorities_of_the_system_are_read_once() {
    const INSIDE: &str = "WEFT_TEST_ROOTS";
    let ours = std::env::temp_dir().join(format!("weft-roots-{}.pem", std::process::id()));
    if let Some(file) = std::env::var_os(INSIDE) {
        assert!(TlsConfig::new(&Roots::System).is_ok());
        std::fs::remove_file(file).unwrap();
        assert!(TlsConfig::new(&Roots::System).is_ok());
        return;
    }
    let key = rcgen::generate_simple_self_signed(["authority".to_owned()]).unwrap();
    std::fs::write(&ours, key.cert.pem()).unwrap();
    let mut again = std::process::Command::new(std::env::current_exe().unwrap());
    again.args(["--exact", "tls::the_authorities_of_the_system_are_read_once"]);
    let status = again.env(INSIDE, &ours).env("SSL_CERT_FILE", &ours).env_remove("SSL_CERT_DIR").status().unwrap();
    assert!(status.success());
}
