//! SCTP over UDP (RFC 6951) with ordinary sockets: an echo server and its client.
//!
//! ```text
//! cargo run --example over_udp -p weft-sctp                          both, over loopback
//! cargo run --example over_udp -p weft-sctp -- listen 0.0.0.0:9899
//! cargo run --example over_udp -p weft-sctp -- connect 192.0.2.1:9899
//! ```
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods, clippy::disallowed_types)]

use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use bytes::Bytes;
use weft_core::{Frame, Instant, Layer, Overhead, Rng};
use weft_sctp::{Association, Config, Event, SendOptions};

/// Unassigned: what the bytes mean is up to the application.
const PPID: u32 = 0;

/// An association, its socket, and the clock.
struct Endpoint {
    association: Association,
    socket: UdpSocket,
    peer: Option<SocketAddr>,
    start: std::time::Instant,
}

impl Endpoint {
    fn new(address: &str, seed: u64) -> std::io::Result<Self> {
        // A real program takes its seed from the operating system.
        let association = Association::new(Config::default(), Rng::from_test_seed(seed));
        let socket = UdpSocket::bind(address)?;
        Ok(Self { association, socket, peer: None, start: std::time::Instant::now() })
    }

    fn now(&self) -> Instant {
        Instant::ORIGIN + self.start.elapsed()
    }

    /// Sends what is due, waits for a packet or a timer, and gives what happened.
    fn turn(&mut self) -> std::io::Result<Vec<Event>> {
        let mut buffer = [0; 2048];
        if let Some(peer) = self.peer {
            loop {
                let mut frame = Frame::new(&mut buffer, Overhead::NONE);
                if {
                    let now = self.now();
                    self.association.poll_transmit(now, &mut frame)
                }
                .is_none()
                {
                    break;
                }
                self.socket.send_to(frame.content(), peer)?;
            }
        }
        let events: Vec<Event> = std::iter::from_fn(|| self.association.poll_event()).collect();
        if !events.is_empty() {
            return Ok(events);
        }
        let wait = self.association.poll_timeout().map(|at| (at - self.now()).max(Duration::from_millis(1)));
        self.socket.set_read_timeout(wait)?;
        let ended = if let Ok((len, from)) = self.socket.recv_from(&mut buffer) {
            // One association here: whoever speaks first is the peer.
            self.peer.get_or_insert(from);
            let now = self.now();
            self.association.handle_input(now, buffer.get(..len).unwrap_or_default())
        } else {
            let now = self.now();
            self.association.handle_timeout(now)
        };
        ended.map_err(std::io::Error::other)?;
        Ok(Vec::new())
    }
}

fn listen(mut endpoint: Endpoint) -> std::io::Result<()> {
    loop {
        let events = endpoint.turn()?;
        while let Some(message) = endpoint.association.receive() {
            let now = endpoint.now();
            endpoint.association.send(now, message.stream, PPID, message.payload, SendOptions::default()).unwrap();
        }
        if events.contains(&Event::Closed) {
            return Ok(());
        }
    }
}

fn connect(mut endpoint: Endpoint, peer: SocketAddr) -> std::io::Result<()> {
    endpoint.peer = Some(peer);
    let now = endpoint.now();
    endpoint.association.connect(now);
    for n in 0..3 {
        let text = Bytes::from(format!("message {n}"));
        endpoint.association.send(now, n, PPID, text, SendOptions::default()).unwrap();
    }
    let mut echoes = 0;
    loop {
        let events = endpoint.turn()?;
        while let Some(message) = endpoint.association.receive() {
            println!("stream {}: {}", message.stream, String::from_utf8_lossy(&message.payload));
            echoes += 1;
        }
        if echoes == 3 {
            let now = endpoint.now();
            endpoint.association.shutdown(now);
            echoes = 0;
        }
        if events.contains(&Event::Closed) {
            println!("shut down");
            return Ok(());
        }
    }
}

fn main() -> std::io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["listen", address] => listen(Endpoint::new(address, 1)?),
        ["connect", peer] => connect(Endpoint::new("0.0.0.0:0", 2)?, peer.parse().map_err(std::io::Error::other)?),
        _ => {
            let server = Endpoint::new("127.0.0.1:0", 1)?;
            let peer = server.socket.local_addr()?;
            let served = std::thread::spawn(move || listen(server));
            connect(Endpoint::new("127.0.0.1:0", 2)?, peer)?;
            served.join().expect("no panic")
        }
    }
}
