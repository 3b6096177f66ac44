//! TCP and TLS connections that end while something is still to be written.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)] // the other ends are made of what a driver may not use

use std::io::Read;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use socket2::{Domain, Socket, Type};
use tokio::time::timeout;
use weft_rtc::{Config, DataChannelInit, Endpoint, IceServer, PeerConnection, TcpCandidates};

use crate::narrows::{Joined, join_and_congest};
use crate::processor::by_process;

const PATIENCE: Duration = Duration::from_secs(20);

/// Longer than a stream lingers, far less than consent takes to run out.
const SOON: Duration = Duration::from_secs(5);

fn config() -> Config {
    let mut config = Config::default().with_loopback(true);
    config.interfaces = Some(vec!["lo".to_owned()]);
    config
}

fn passive() -> Config {
    config().with_tcp_candidates(TcpCandidates::ActiveAndPassive)
}

#[tokio::test]
async fn a_farewell_leaves_behind_what_a_slow_stream_owes() {
    let server = Endpoint::bind(&passive()).unwrap();
    for both in [false, true] {
        let Joined { a, b: _b, here, there, narrows } = join_and_congest(&server, [passive(), config()]).await;
        if both {
            // What comes unread when a connection is let go of would reset it.
            while timeout(Duration::from_millis(100), there.send(vec![3; 20_000])).await.is_ok() {}
        }
        a.close();
        drop((a, here));
        tokio::time::sleep(Duration::from_millis(200)).await;
        narrows.shut(false);
        let told = timeout(SOON, async { while there.recv().await.is_some() {} }).await;
        assert!(told.is_ok(), "both ways: {both}: the other side was not told");
    }
}

/// A server by TLS that never answers. Where it is, its certificate, and how many bytes had come when the client said that
/// these were all (close_notify).
fn silent_server() -> (SocketAddr, rcgen::Certificate, Receiver<Option<usize>>) {
    let key = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let certificate = key.cert;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let private = PrivatePkcs8KeyDer::from(key.signing_key.serialize_der());
    let config =
        config.with_no_client_auth().with_single_cert(vec![certificate.der().clone()], private.into()).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (sender, told) = channel();
    std::thread::spawn(move || {
        let (tcp, _) = listener.accept().unwrap();
        let mut stream = StreamOwned::new(ServerConnection::new(Arc::new(config)).unwrap(), tcp);
        let (mut buf, mut total) = ([0; 4096], 0);
        loop {
            match stream.read(&mut buf) {
                Ok(0) => return sender.send(Some(total)),
                Ok(len) => {
                    // The first is the request for an allocation.
                    if total == 0 {
                        sender.send(None).unwrap();
                    }
                    total += len;
                }
                Err(_) => return sender.send(Some(0)),
            }
        }
    });
    (address, certificate, told)
}

fn by_tls(server: SocketAddr) -> Config {
    let url = format!("turns:{server}?transport=tcp").parse().unwrap();
    config().with_ice_server(IceServer::turn(vec![url], "alice", "secret"))
}

#[tokio::test]
async fn a_server_by_tls_is_told_of_the_end() {
    let (address, certificate, told) = silent_server();
    let mut config = by_tls(address);
    config.tls_roots = vec![certificate.der().to_vec()];
    let peer = PeerConnection::new(config).unwrap();
    peer.create_data_channel(DataChannelInit::new("x")).unwrap();
    peer.set_local_description(None).unwrap();
    let told = tokio::task::spawn_blocking(move || {
        assert_eq!(told.recv_timeout(PATIENCE).unwrap(), None);
        told
    });
    let told = told.await.unwrap();
    peer.close();
    let total = tokio::task::spawn_blocking(move || told.recv_timeout(SOON).unwrap()).await.unwrap();
    assert!(total > Some(0), "the connection ended without close_notify");
}

/// The test runs itself again, where few files may be open.
#[test]
#[cfg(unix)]
fn a_listener_goes_on_once_files_can_be_opened_again() {
    const INSIDE: &str = "WEFT_TEST_FILES";
    if std::env::var_os(INSIDE).is_none() {
        let mut again = std::process::Command::new("sh");
        again.args(["-c", "ulimit -n 100 && exec \"$@\"", "sh"]).arg(std::env::current_exe().unwrap());
        again.args(["--exact", "streams::a_listener_goes_on_once_files_can_be_opened_again", "--nocapture"]);
        assert!(again.env(INSIDE, "1").status().unwrap().success());
        return;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut config = passive();
        // Nothing else calls the endpoint's task.
        config.follow_interfaces = false;
        let server = Endpoint::bind(&config).unwrap();
        let listener = server.tcp_addrs().into_iter().find(SocketAddr::is_ipv4).unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
        let client = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        let files: Vec<_> = std::iter::repeat_with(|| std::fs::File::open("/dev/null")).map_while(Result::ok).collect();
        client.connect(&listener.into()).unwrap();
        let used = by_process();
        tokio::time::sleep(Duration::from_secs(1)).await;
        let used = by_process().saturating_sub(used);
        assert!(used < Duration::from_millis(200), "it took {used:?} of a second");
        drop(files);
        // It was taken if nonsense ends it.
        std::io::Write::write_all(&mut &client, b"\x00\x04GET / HTTP/1.1\r\n\r\n").unwrap();
        client.set_read_timeout(Some(SOON)).unwrap();
        let read = tokio::task::spawn_blocking(move || (&client).read(&mut [0; 16])).await.unwrap();
        let blocked = |error: &std::io::Error| error.kind() == std::io::ErrorKind::WouldBlock;
        assert!(!read.as_ref().is_err_and(blocked), "nobody takes connections any more");
    });
}

/// While the system's authorities are read, which may take long, everything else goes on. The test runs itself again, with
/// a pipe in their place.
#[test]
#[cfg(unix)]
fn the_authorities_of_the_system_are_waited_for_by_nobody_else() {
    const INSIDE: &str = "WEFT_TEST_ROOTS";
    let Some(pipe) = std::env::var_os(INSIDE) else {
        let pipe = std::env::temp_dir().join(format!("weft-roots-{}", std::process::id()));
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let mut again = std::process::Command::new(std::env::current_exe().unwrap());
        again.args(["--exact", "streams::the_authorities_of_the_system_are_waited_for_by_nobody_else", "--nocapture"]);
        let status = again.env(INSIDE, &pipe).env("SSL_CERT_FILE", &pipe).env_remove("SSL_CERT_DIR").status();
        std::fs::remove_file(&pipe).unwrap();
        assert!(status.unwrap().success());
        return;
    };
    let (address, certificate, told) = silent_server();
    // Should the endpoint read the pipe itself, it would wait for this.
    let late = std::thread::spawn(move || {
        std::thread::sleep(SOON);
        std::fs::write(pipe, certificate.pem()).unwrap();
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let server = Endpoint::bind(&config()).unwrap();
        let relayed = server.peer_connection(by_tls(address)).unwrap();
        relayed.create_data_channel(DataChannelInit::new("x")).unwrap();
        relayed.set_local_description(None).unwrap();
        let (a, b) = (server.peer_connection(config()).unwrap(), PeerConnection::new(config()).unwrap());
        let here = a.create_data_channel(DataChannelInit::new("x")).unwrap();
        let answer = b.answer(&a.offer().await.unwrap()).await.unwrap();
        a.set_remote_description(&answer).unwrap();
        timeout(PATIENCE, here.opened()).await.unwrap().unwrap();
        assert!(!late.is_finished(), "a connection waited for authorities that are not its");
        let asked = tokio::task::spawn_blocking(move || told.recv_timeout(PATIENCE));
        assert_eq!(asked.await.unwrap(), Ok(None), "the server was never asked");
    });
}
