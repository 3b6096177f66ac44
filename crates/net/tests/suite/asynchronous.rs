//! The socket with tokio's readiness.

use std::future::poll_fn;
use std::io::ErrorKind;
use std::time::Duration;

use tokio::time::timeout;
use weft_core::Path;
use weft_net::{AsyncUdpSocket, RecvBuffer};

use crate::udp::{V4, V6, batch, bind, numbered};

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

fn bind_async(address: &str) -> AsyncUdpSocket {
    AsyncUdpSocket::new(bind(address)).unwrap()
}

async fn receive(socket: &AsyncUdpSocket, buffer: &mut RecvBuffer, n: usize) -> Vec<Vec<u8>> {
    let mut out = Vec::new();
    while out.len() < n {
        match socket.try_recv(buffer) {
            Ok(_) => {
                while let Some(datagram) = buffer.next_datagram() {
                    assert_eq!(datagram.path.local, socket.local_addr());
                    out.push(datagram.payload.to_vec());
                }
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                timeout(Duration::from_secs(5), socket.readable()).await.expect("nothing arrives").unwrap();
            }
            Err(error) => panic!("{error}"),
        }
    }
    out
}

#[test]
fn runs_arrive_whole() {
    runtime().block_on(async {
        for address in [V4, V6] {
            let (a, b) = (bind_async(address), bind_async(address));
            let datagrams: Vec<_> = (0..150).map(|n| numbered(n, 900)).collect();
            let mut batch = batch(Path::udp(a.local_addr(), b.local_addr()), datagrams.clone());
            let sending = async {
                while let Some((run, bytes)) = batch.front() {
                    match a.try_send(run, bytes) {
                        Ok(()) => batch.sent(),
                        Err(error) => {
                            assert_eq!(error.kind(), ErrorKind::WouldBlock);
                            a.writable().await.unwrap();
                        }
                    }
                }
            };
            let mut buffer = RecvBuffer::new();
            let ((), got) = tokio::join!(sending, receive(&b, &mut buffer, 150));
            assert_eq!(got, datagrams);
            assert_eq!((a.stats().sent, b.stats().received), (150, 150));
            assert_eq!(a.limits(), bind(address).limits());
        }
    });
}

#[test]
fn would_block_clears_readiness() {
    runtime().block_on(async {
        let (a, b) = (bind_async(V4), bind_async(V4));
        let mut buffer = RecvBuffer::new();
        for round in 0..20 {
            let to_b = batch(Path::udp(a.local_addr(), b.local_addr()), [numbered(round, 100)]);
            let (run, bytes) = to_b.front().unwrap();
            a.writable().await.unwrap();
            a.try_send(run, bytes).unwrap();
            assert_eq!(receive(&b, &mut buffer, 1).await, [numbered(round, 100)]);
            // A call that leaves slots empty has found nothing more. One slot is never left empty: it has to look again.
            let mut narrow = RecvBuffer::with_slots(1);
            if buffer.was_filled() || round % 2 == 0 {
                while b.try_recv(&mut narrow).is_ok() {}
            }
            assert!(timeout(Duration::from_millis(2), b.readable()).await.is_err(), "round {round}");
            assert!(timeout(Duration::from_millis(2), poll_fn(|cx| b.poll_recv_ready(cx))).await.is_err());
        }
        timeout(Duration::from_secs(1), poll_fn(|cx| a.poll_send_ready(cx))).await.unwrap().unwrap();
    });
}

/// Of a new socket tokio knows nothing until it has been waited for.
#[test]
fn what_has_come_can_be_read_before_tokio_knows() {
    runtime().block_on(async {
        let (a, b) = (bind(V4), bind_async(V4));
        let (mut buffer, would_block) = (RecvBuffer::new(), Some(ErrorKind::WouldBlock));
        for round in 0..20 {
            let to_b = batch(Path::udp(a.local_addr(), b.local_addr()), [numbered(round, 100)]);
            let (run, bytes) = to_b.front().unwrap();
            assert_eq!(b.recv_now(&mut buffer).err().map(|error| error.kind()), would_block);
            a.try_send(run, bytes).unwrap();
            assert_eq!(b.try_recv(&mut buffer).err().map(|error| error.kind()), would_block);
            // Some systems take a moment.
            assert_eq!((0..1_000_000).find_map(|_| b.recv_now(&mut buffer).ok()), Some(1));
            assert_eq!(buffer.next_datagram().unwrap().payload, numbered(round, 100));
        }
    });
}

#[test]
fn several_sockets_can_be_waited_for_at_once() {
    runtime().block_on(async {
        let (a, b, c) = (bind_async(V4), bind_async(V6), bind(V6));
        let to_b = batch(Path::udp(c.local_addr(), b.local_addr()), [numbered(1, 100)]);
        let waiting = async {
            tokio::select! {
                ready = a.readable() => panic!("{ready:?}"),
                ready = b.readable() => ready.unwrap(),
            }
        };
        let sending = async {
            tokio::time::sleep(Duration::from_millis(5)).await;
            let (run, bytes) = to_b.front().unwrap();
            c.try_send(run, bytes).unwrap();
        };
        timeout(Duration::from_secs(5), async { tokio::join!(waiting, sending) }).await.unwrap();
        assert_eq!(receive(&b, &mut RecvBuffer::new(), 1).await.len(), 1);
    });
}
