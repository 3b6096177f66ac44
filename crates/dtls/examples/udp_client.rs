//! A DTLS client over UDP: sends the lines of standard input, prints what comes back.
//!
//! `cargo run --example udp_client -- 127.0.0.1:4433 ["sha-256 AA:BB:..."]`
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::indexing_slicing,
    unreachable_pub,
    reason = "a program, with a socket and a clock"
)]

mod shared;

use std::io::{self, Write as _};
use std::net::{SocketAddr, UdpSocket};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use weft_core::{Instant, Layer};
use weft_dtls::{Connection, Event, Role};

/// A connection with its socket and its clock: all that a sans-IO layer needs from outside.
struct Client {
    connection: Connection,
    socket: UdpSocket,
    peer: SocketAddr,
    origin: std::time::Instant,
}

impl Client {
    fn now(&self) -> Instant {
        Instant::ORIGIN + self.origin.elapsed()
    }

    fn flush(&mut self) -> io::Result<()> {
        let now = self.now();
        shared::flush(&mut self.connection, now, &self.socket, self.peer)
    }

    /// Waits at most `patience` for a datagram, prints what it holds, and gives what happened.
    fn step(&mut self, patience: Duration) -> Result<Option<Event>, Box<dyn std::error::Error>> {
        self.flush()?;
        let due = self.connection.poll_timeout().map_or(patience, |at| at - self.now());
        self.socket.set_read_timeout(Some(due.min(patience).max(Duration::from_millis(1))))?;
        let mut buffer = vec![0; 65_536];
        match self.socket.recv_from(&mut buffer) {
            Ok((n, from)) if from == self.peer => {
                let now = self.now();
                let outcome = self.connection.handle_input(now, &mut buffer[..n]).map(|mut records| {
                    while let Some(record) = records.next() {
                        let _ = io::stdout().write_all(record);
                    }
                });
                // After an error, too: the alert that tells the peer.
                self.flush()?;
                outcome?;
                io::stdout().flush()?;
            }
            Ok(_) => {}
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {}
            Err(error) => return Err(error.into()),
        }
        self.connection.handle_timeout(self.now())?;
        self.flush()?;
        Ok(self.connection.poll_event())
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let peer = arguments.next().ok_or("usage: udp_client ADDRESS:PORT [FINGERPRINT]")?.parse()?;
    let config = shared::config(arguments.next().as_deref())?;
    let socket = UdpSocket::bind("0.0.0.0:0")?;
    let mut connection = Connection::new(Arc::new(config), Role::Client, shared::rng()?);
    connection.start(Instant::ORIGIN);
    let mut client = Client { connection, socket, peer, origin: std::time::Instant::now() };
    loop {
        if let Some(Event::Connected(info)) = client.step(Duration::from_secs(1))? {
            eprintln!("connected: DTLS {} {} {}", info.version, info.cipher_suite, info.group);
            break;
        }
    }

    let (send, lines) = mpsc::channel();
    std::thread::spawn(move || io::stdin().lines().map_while(Result::ok).try_for_each(|line| send.send(line)));
    loop {
        match lines.try_recv() {
            Ok(line) => {
                let line = format!("{line}\n");
                shared::send(&mut client.connection, line.as_bytes(), &client.socket, client.peer)?;
            }
            Err(mpsc::TryRecvError::Empty) => {}
            Err(mpsc::TryRecvError::Disconnected) => break,
        }
        if let Some(Event::PeerClosed) = client.step(Duration::from_millis(50))? {
            return Ok(());
        }
    }
    client.step(Duration::from_millis(200))?;
    client.connection.close(client.now());
    Ok(client.flush()?)
}
