//! Two connections by TCP, through a way that holds little and can be shut.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)] // it is made of what a driver may not use

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use socket2::{Domain, Socket, Type};
use tokio::time::timeout;
use weft_rtc::{Config, DataChannel, DataChannelInit, Description, Endpoint, PeerConnection};

#[path = "../window/mod.rs"]
mod window;

use window::open_window;

const PATIENCE: Duration = Duration::from_secs(20);

/// A way by TCP to `target` that holds little, and nothing at all while it is shut towards who connects to it.
pub(crate) struct Narrows {
    address: SocketAddr,
    shut: Arc<AtomicBool>,
}

impl Narrows {
    fn new(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, shut) = (listener.local_addr().unwrap(), Arc::new(AtomicBool::new(false)));
        let is_shut = Arc::clone(&shut);
        std::thread::spawn(move || {
            let Ok((near, _)) = listener.accept() else { return };
            let far = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
            far.set_tcp_mss(600).unwrap();
            far.set_recv_buffer_size(4096).unwrap();
            far.connect(&target.into()).unwrap();
            let far = TcpStream::from(far);
            let (near_too, far_too) = (near.try_clone().unwrap(), far.try_clone().unwrap());
            std::thread::spawn(move || carry(&near_too, &far_too, &AtomicBool::new(false)));
            carry(&far, &near, &is_shut);
        });
        Self { address, shut }
    }

    /// Shuts it, or opens it again.
    pub(crate) fn shut(&self, shut: bool) {
        self.shut.store(shut, Ordering::Release);
    }
}

fn carry(mut from: &TcpStream, mut to: &TcpStream, shut: &AtomicBool) {
    let mut buf = [0; 2048];
    loop {
        while shut.load(Ordering::Acquire) {
            std::thread::sleep(Duration::from_millis(1));
        }
        match from.read(&mut buf) {
            Ok(0) => break,
            Ok(len) if to.write_all(&buf[..len]).is_ok() => {}
            _ => break,
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}

/// The description with no candidate but one of TCP, which is at `address`.
fn by_tcp(description: &Description, listener: SocketAddr, address: SocketAddr) -> Description {
    let needle = format!(" {} {} typ host tcptype passive", listener.ip(), listener.port());
    let instead = format!(" {} {} typ host tcptype passive", address.ip(), address.port());
    let kept = |line: &&str| !line.starts_with("a=candidate:") || line.contains(&needle);
    let sdp = description.sdp.lines().filter(kept).flat_map(|line| [line.replace(&needle, &instead), "\r\n".into()]);
    Description { sdp: sdp.collect(), ..description.clone() }
}

fn without_candidates(description: &Description) -> Description {
    let lines = description.sdp.lines().filter(|line| !line.starts_with("a=candidate:"));
    Description { sdp: lines.flat_map(|line| [line, "\r\n"]).collect(), ..description.clone() }
}

/// What [`join_and_congest`] made.
pub(crate) struct Joined {
    pub(crate) a: PeerConnection,
    pub(crate) b: PeerConnection,
    pub(crate) here: DataChannel,
    pub(crate) there: DataChannel,
    pub(crate) narrows: Narrows,
}

/// Two connections by TCP through narrows, of which A, on `server`, owes more than its system takes.
pub(crate) async fn join_and_congest(server: &Endpoint, [of_a, of_b]: [Config; 2]) -> Joined {
    let listener = server.tcp_addrs().into_iter().find(SocketAddr::is_ipv4).unwrap();
    let (a, b) = (server.peer_connection(of_a).unwrap(), PeerConnection::new(of_b).unwrap());
    let narrows = Narrows::new(listener);
    let here = a.create_data_channel(DataChannelInit::new("x")).unwrap();
    let offer = by_tcp(&a.offer().await.unwrap(), listener, narrows.address);
    let answer = without_candidates(&b.answer(&offer).await.unwrap());
    a.set_remote_description(&answer).unwrap();
    let there = timeout(PATIENCE, b.accept()).await.expect("no channel comes").unwrap();
    timeout(PATIENCE, here.opened()).await.unwrap().unwrap();
    open_window(&a, &here, &there, 250_000).await;
    narrows.shut(true);
    let before = a.stats().counters.bytes_sent;
    let sent = || a.stats().counters.bytes_sent - before;
    let congest = async {
        // A moment without room is not yet the end: the driver may not have had its turn.
        while timeout(Duration::from_millis(300), here.send(vec![2; 20_000])).await.is_ok() || sent() <= 200_000 {}
    };
    assert!(timeout(PATIENCE, congest).await.is_ok(), "only {} bytes are under way", sent());
    Joined { a, b, here, there, narrows }
}
