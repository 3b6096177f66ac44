//! A driver for one connection over one UDP socket: all that a sans-IO layer needs from outside.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use weft_core::{Frame, Instant, Layer, Overhead, Rng, Wrap};
use weft_dtls::{Certificate, Config, Connection, Event, Fingerprint, HashAlgorithm, Rejection, Role, Verifier};

/// Says who the peer is and takes it. Good for trying things out, for nothing else.
#[derive(Debug)]
struct PrintAndAccept;

impl weft_dtls::VerifyCertificate for PrintAndAccept {
    fn verify(&self, certificate: &[u8], _intermediates: &[&[u8]]) -> Result<(), Rejection> {
        eprintln!("peer is {}, unverified", Fingerprint::of(HashAlgorithm::Sha256, certificate));
        Ok(())
    }
}

/// A new certificate, and the peer's fingerprint if it is known.
pub fn config(peer: Option<&str>) -> Result<Config, Box<dyn std::error::Error>> {
    let certificate = Arc::new(Certificate::generate()?);
    eprintln!("we are {}", certificate.fingerprint(HashAlgorithm::Sha256));
    let verifier = match peer {
        Some(text) => Verifier::Fingerprints(vec![text.parse()?]),
        None => Verifier::Custom(Arc::new(PrintAndAccept)),
    };
    Ok(Config::new(certificate, verifier))
}

/// A connection with its socket and its clock.
pub struct Driver {
    connection: Connection,
    socket: UdpSocket,
    peer: Option<SocketAddr>,
    origin: std::time::Instant,
}

impl Driver {
    /// A client that knows its peer's address, or a server that learns it from the first datagram.
    pub fn new(
        config: Config,
        socket: UdpSocket,
        peer: Option<SocketAddr>,
    ) -> Result<Self, Box<dyn std::error::Error>> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed)?;
        let role = if peer.is_some() { Role::Client } else { Role::Server };
        let mut connection = Connection::new(Arc::new(config), role, Rng::from_seed(seed));
        connection.start(Instant::ORIGIN);
        Ok(Self { connection, socket, peer, origin: std::time::Instant::now() })
    }

    fn now(&self) -> Instant {
        Instant::ORIGIN + self.origin.elapsed()
    }

    fn flush(&mut self) -> io::Result<()> {
        let Some(peer) = self.peer else { return Ok(()) };
        loop {
            let mut buffer = [0; 2048];
            let mut frame = Frame::new(&mut buffer, Overhead::NONE);
            if self.connection.poll_transmit(self.now(), &mut frame).is_none() {
                return Ok(());
            }
            self.socket.send_to(frame.content(), peer)?;
        }
    }

    /// Waits at most `patience` for a datagram and hands on what it holds; gives what happened.
    pub fn step(
        &mut self,
        patience: Duration,
        mut data: impl FnMut(&[u8]),
    ) -> Result<Option<Event>, Box<dyn std::error::Error>> {
        self.flush()?;
        let due = self.connection.poll_timeout().map_or(patience, |at| at - self.now());
        self.socket.set_read_timeout(Some(due.min(patience).max(Duration::from_millis(1))))?;
        let mut buffer = vec![0; 65_536];
        match self.socket.recv_from(&mut buffer) {
            Ok((n, from)) if *self.peer.get_or_insert(from) == from => {
                let now = self.now();
                let outcome = self.connection.handle_input(now, &mut buffer[..n]).map(|mut records| {
                    while let Some(record) = records.next() {
                        data(record);
                    }
                });
                if let Err(error) = outcome {
                    self.flush()?;
                    return Err(error.into());
                }
            }
            Ok(_) => {}
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {}
            Err(error) => return Err(error.into()),
        }
        self.connection.handle_timeout(self.now())?;
        self.flush()?;
        Ok(self.connection.poll_event())
    }

    /// Sends application data.
    pub fn send(&mut self, data: &[u8]) -> Result<(), Box<dyn std::error::Error>> {
        let room = self.connection.overhead().ok_or("not connected")?;
        let mut buffer = vec![0; data.len() + room.total()];
        let mut frame = Frame::new(&mut buffer, room);
        frame.push(data)?;
        self.connection.wrap(&mut frame)?;
        self.socket.send_to(frame.content(), self.peer.ok_or("no peer")?)?;
        Ok(())
    }

    /// Says goodbye.
    pub fn close(mut self) -> io::Result<()> {
        self.connection.close(self.now());
        self.flush()
    }
}
