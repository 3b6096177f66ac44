//! SCTP over UDP encapsulation ([RFC 6951](https://www.rfc-editor.org/rfc/rfc6951)), with real sockets and the real clock:
//! how `weft-sctp` meets programs that speak SCTP themselves.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant as Clock};

use weft_core::{Frame, Instant, Layer as _, Overhead, Rng};
use weft_sctp::{Association, AssociationError, Config};

/// One association on a UDP socket of its own.
#[derive(Debug)]
pub struct UdpAssociation {
    /// The association, to be used as any other.
    pub association: Association,
    /// Why it died.
    pub error: Option<AssociationError>,
    socket: UdpSocket,
    remote: SocketAddr,
    origin: Clock,
    buffer: Vec<u8>,
    /// Packets lost on purpose, either way: out of a hundred.
    loss: u64,
    rng: Rng,
}

impl UdpAssociation {
    /// Connects to the SCTP port in `config` behind `remote`.
    pub fn connect(socket: UdpSocket, remote: SocketAddr, config: Config, loss: u64) -> Self {
        let mut it = Self::new(socket, remote, config, loss);
        it.association.connect(it.now());
        it
    }

    /// Waits for a first packet, and is the other side of an association with its sender, whatever its SCTP port.
    ///
    /// # Errors
    /// The socket's, or a timeout.
    pub fn accept(socket: UdpSocket, mut config: Config, loss: u64, within: Duration) -> io::Result<Self> {
        socket.set_read_timeout(Some(within))?;
        let mut buffer = vec![0; 1 << 16];
        let (len, remote) = socket.recv_from(&mut buffer)?;
        let packet = buffer.get(..len).unwrap_or_default();
        if let Some(port) = packet.first_chunk() {
            config.remote_port = u16::from_be_bytes(*port);
        }
        let mut it = Self::new(socket, remote, config, loss);
        it.input(packet);
        Ok(it)
    }

    fn new(socket: UdpSocket, remote: SocketAddr, config: Config, loss: u64) -> Self {
        let mut rng = Rng::from_test_seed(u64::from(config.local_port) << 16 | u64::from(config.remote_port));
        let mut seed = [0; 32];
        rng.fill(&mut seed);
        let association = Association::new(config, Rng::from_seed(seed));
        let buffer = vec![0; 1 << 16];
        Self { association, error: None, socket, remote, origin: Clock::now(), buffer, loss, rng }
    }

    /// The association's time.
    pub fn now(&self) -> Instant {
        Instant::ORIGIN + self.origin.elapsed()
    }

    /// Runs until `done` says so, or the association is dead; false when that takes longer than `at_most`.
    ///
    /// # Errors
    /// The socket's.
    pub fn run_until(&mut self, at_most: Duration, mut done: impl FnMut(&mut Self) -> bool) -> io::Result<bool> {
        let start = Clock::now();
        loop {
            let finished = done(self) || self.error.is_some();
            self.output()?;
            if finished {
                return Ok(self.error.is_none());
            }
            if start.elapsed() > at_most {
                return Ok(false);
            }
            let now = self.now();
            let next = self.association.poll_timeout().map_or(Duration::from_millis(20), |at| at - now);
            self.receive(next.clamp(Duration::from_millis(1), Duration::from_millis(20)))?;
            if self.association.poll_timeout().is_some_and(|at| at <= self.now()) {
                let result = self.association.handle_timeout(self.now());
                self.note(result);
            }
        }
    }

    /// Takes what has come, waiting for the first of it only.
    fn receive(&mut self, wait: Duration) -> io::Result<()> {
        self.socket.set_nonblocking(false)?;
        self.socket.set_read_timeout(Some(wait))?;
        let mut buffer = core::mem::take(&mut self.buffer);
        let result = loop {
            match self.socket.recv_from(&mut buffer) {
                Ok((len, from)) if from == self.remote => self.input(buffer.get(..len).unwrap_or_default()),
                Ok(_) => {}
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                    break Ok(());
                }
                // Nobody listens there (yet).
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => break Ok(()),
                Err(error) => break Err(error),
            }
            self.socket.set_nonblocking(true)?;
        };
        self.buffer = buffer;
        result
    }

    fn input(&mut self, packet: &[u8]) {
        if self.rng.below(100) >= self.loss {
            let result = self.association.handle_input(self.now(), packet);
            self.note(result);
        }
    }

    fn note(&mut self, result: Result<(), AssociationError>) {
        if let Err(error) = result {
            self.error.get_or_insert(error);
        }
    }

    fn output(&mut self) -> io::Result<()> {
        let now = self.now();
        loop {
            let mut frame = Frame::new(&mut self.buffer, Overhead::NONE);
            if self.association.poll_transmit(now, &mut frame).is_none() {
                return Ok(());
            }
            if self.rng.below(100) < self.loss {
                continue;
            }
            match self.socket.send_to(frame.content(), self.remote) {
                Err(error) if error.kind() != io::ErrorKind::ConnectionRefused => return Err(error),
                _ => {}
            }
        }
    }
}
