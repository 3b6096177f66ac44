//! Datagrams over TCP.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::time::{Duration, Instant};

use weft_core::{Batch, Limits, Overhead, Path, Transport};
use weft_net::{Framing, StreamConfig, StreamListener, StreamSocket};

pub(crate) const LOOPBACK: &str = "127.0.0.1:0";

pub(crate) fn batch(path: Path, datagrams: &[&[u8]]) -> Batch<Path> {
    let mut batch = Batch::new(1 << 20, Limits::GSO);
    for datagram in datagrams {
        let mut frame = batch.frame(datagram.len(), Overhead::NONE).unwrap();
        frame.push(datagram).unwrap();
        let frame = frame.finish();
        batch.commit(frame, path);
    }
    batch
}

/// Polls until it works; fails after five seconds.
pub(crate) fn wait<T>(mut poll: impl FnMut() -> std::io::Result<T>) -> std::io::Result<T> {
    let end = Instant::now() + Duration::from_secs(5);
    loop {
        match poll() {
            Err(error) if error.kind() == ErrorKind::WouldBlock && Instant::now() < end => {
                std::thread::sleep(Duration::from_micros(200));
            }
            other => return other,
        }
    }
}

pub(crate) fn open(socket: &mut StreamSocket) -> std::io::Result<()> {
    wait(|| if socket.try_connect()? { Ok(()) } else { Err(ErrorKind::WouldBlock.into()) })
}

fn pair(framing: Framing) -> (StreamSocket, StreamSocket) {
    let listener = StreamListener::bind(LOOPBACK.parse().unwrap(), framing).unwrap();
    assert_eq!(listener.try_accept().map(|_| ()).unwrap_err().kind(), ErrorKind::WouldBlock);
    let mut a = StreamSocket::connect(None, listener.local_addr(), &StreamConfig::tcp(framing)).unwrap();
    open(&mut a).unwrap();
    let b = wait(|| listener.try_accept()).unwrap();
    (a, b)
}

fn send(socket: &mut StreamSocket, datagrams: &[&[u8]]) {
    let mut batch = batch(socket.path(), datagrams);
    while let Some((run, bytes)) = batch.front() {
        wait(|| socket.try_send(run, bytes)).unwrap();
        batch.sent();
    }
}

#[test]
fn datagrams_pass_both_ways() {
    let (mut a, mut b) = pair(Framing::Rfc4571);
    let (from, to) = (a.path(), b.path());
    assert_eq!((from.local, from.remote, from.transport), (to.remote, to.local, Transport::Tcp));
    let long = vec![7; 65_535];
    let datagrams: Vec<&[u8]> = vec![b"one", b"two", b"", b"three", &long, b"end"];
    for (out, back) in [(&mut a, &mut b)] {
        send(out, &datagrams);
        for expected in &datagrams {
            let got = wait(|| {
                let _ = out.flush();
                back.try_recv().map(|datagram| (datagram.path, datagram.payload.to_vec()))
            });
            assert_eq!(got.unwrap(), (to, expected.to_vec()));
        }
    }
    send(&mut b, &[b"back"]);
    assert_eq!(wait(|| a.try_recv().map(|datagram| datagram.payload.to_vec())).unwrap(), b"back");
    assert_eq!((a.stats().sent, a.stats().received), (6, 1));
    assert_eq!(a.try_close().unwrap_err().kind(), ErrorKind::WouldBlock);
    assert_eq!(wait(|| b.try_recv().map(|_| ())).unwrap_err().kind(), ErrorKind::UnexpectedEof);
    drop(b);
    wait(|| a.try_close()).unwrap();
}

/// What the other side has sent meanwhile may not reset the connection before all is read.
#[test]
fn what_was_taken_arrives_before_the_end() {
    let (mut a, mut b) = pair(Framing::Rfc4571);
    let datagram = vec![3; 1000];
    let all: Vec<&[u8]> = vec![&datagram; 60];
    let mut sent = 0;
    for socket in [&mut b, &mut a] {
        sent = 0;
        let batch = batch(socket.path(), &all);
        let (run, bytes) = batch.front().unwrap();
        while socket.try_send(run, bytes).is_ok() {
            sent += 60;
        }
        assert!(socket.wants_write());
    }
    let mut received = 0;
    let mut over = false;
    let end = loop {
        over = over || a.try_close().is_ok();
        let _ = b.flush();
        match b.try_recv() {
            Ok(datagram) => received += u32::from(datagram.payload.len() == 1000),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => break error,
        }
    };
    assert_eq!((received, end.kind()), (sent, ErrorKind::UnexpectedEof));
    drop(b);
    assert!(over || wait(|| a.try_close()).is_ok());
}

#[test]
fn turn_messages_tell_their_own_length() {
    let (mut a, mut b) = pair(Framing::Turn);
    let mut stun = vec![0, 1, 0, 8];
    stun.resize(28, 0x21);
    let messages: Vec<&[u8]> = vec![&stun, &[0x40, 0, 0, 3, 1, 2, 3, 0], &[0x4F, 0xFF, 0, 0], &stun];
    send(&mut a, &messages);
    for expected in &messages {
        assert_eq!(wait(|| b.try_recv().map(|datagram| datagram.payload.to_vec())).unwrap(), *expected);
    }
    send(&mut a, &[&[0x80, 0, 0, 0]]);
    assert_eq!(wait(|| b.try_recv().map(|_| ())).unwrap_err().kind(), ErrorKind::InvalidData);
}

#[test]
fn cut_anywhere() {
    let listener = TcpListener::bind(LOOPBACK).unwrap();
    let mut a =
        StreamSocket::connect(None, listener.local_addr().unwrap(), &StreamConfig::tcp(Framing::Rfc4571)).unwrap();
    let (mut raw, _) = listener.accept().unwrap();
    raw.set_nodelay(true).unwrap();
    open(&mut a).unwrap();
    for byte in [0, 3, 1, 2, 3, 0, 0, 0, 1, 9] {
        raw.write_all(&[byte]).unwrap();
        std::thread::sleep(Duration::from_millis(1));
    }
    for expected in [&[1, 2, 3][..], &[], &[9]] {
        assert_eq!(wait(|| a.try_recv().map(|datagram| datagram.payload.to_vec())).unwrap(), expected);
    }
    send(&mut a, &[&[5, 6]]);
    let mut got = [0; 4];
    raw.read_exact(&mut got).unwrap();
    assert_eq!(got, [0, 2, 5, 6]);
}

/// A peer that does not read: calls go on returning, what is kept is bounded, nothing is cut in two.
#[test]
fn a_full_connection_blocks_and_recovers() {
    let (mut a, mut b) = pair(Framing::Rfc4571);
    let datagram = vec![3; 1000];
    let all: Vec<&[u8]> = vec![&datagram; 60];
    let (mut sent, mut blocked) = (0_u32, false);
    for _ in 0..2000 {
        let batch = batch(a.path(), &all);
        let (run, bytes) = batch.front().unwrap();
        match a.try_send(run, bytes) {
            Ok(()) => sent += 60,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                blocked = true;
                break;
            }
            Err(error) => panic!("{error}"),
        }
    }
    assert!(blocked && a.wants_write());
    for _ in 0..sent {
        let got = wait(|| {
            let _ = a.flush();
            b.try_recv().map(|datagram| datagram.payload.len())
        });
        assert_eq!(got.unwrap(), 1000);
    }
    assert!(!a.wants_write());
}

#[test]
fn a_refused_connection_says_so() {
    let listener = TcpListener::bind(LOOPBACK).unwrap();
    let address: SocketAddr = listener.local_addr().unwrap();
    drop(listener);
    let outcome = StreamSocket::connect(None, address, &StreamConfig::default()).and_then(|mut socket| {
        let run = batch(socket.path(), &[b"early"]);
        let (run, bytes) = run.front().unwrap();
        assert!(socket.try_send(run, bytes).is_err());
        open(&mut socket)
    });
    assert!(matches!(outcome.unwrap_err().kind(), ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset));
}

#[cfg(feature = "tokio")]
#[test]
fn with_tokio() {
    use std::future::poll_fn;
    use weft_net::{AsyncStreamListener, AsyncStreamSocket};

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let listener = StreamListener::bind(LOOPBACK.parse().unwrap(), Framing::Turn).unwrap();
        let listener = AsyncStreamListener::new(listener).unwrap();
        let config = StreamConfig::tcp(Framing::Turn);
        let mut a = AsyncStreamSocket::connect(None, listener.local_addr(), &config).unwrap();
        let accept = async { poll_fn(|cx| listener.poll_accept(cx)).await.unwrap() };
        let connect = async {
            while !a.try_connect().unwrap() {
                a.writable().await.unwrap();
            }
        };
        let (mut b, ()) = tokio::join!(accept, connect);
        let message = [0x40, 1, 0, 1, 9, 0, 0, 0];
        let mut batch = batch(a.path(), &[&message, &message]);
        while let Some((run, bytes)) = batch.front() {
            match a.try_send(run, bytes) {
                Ok(()) => batch.sent(),
                Err(_) => a.writable().await.unwrap(),
            }
        }
        let mut got = 0;
        while got < 2 {
            match b.try_recv() {
                Ok(datagram) => {
                    assert_eq!(datagram.payload, message);
                    got += 1;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => b.readable().await.unwrap(),
                Err(error) => panic!("{error}"),
            }
        }
    });
}
