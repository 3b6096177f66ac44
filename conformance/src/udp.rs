//! SCTP over UDP encapsulation ([RFC 6951](https://www.rfc-editor.org/rfc/rfc6951)), with real sockets and the real clock:
//! how `weft-sctp` meets programs that speak SCTP themselves.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant as Clock};

use weft_core::{Frame, Instant, Layer as _, Overhead, Rng};
use weft_sctp::wire::Packet;
use weft_sctp::{Association, AssociationError, Config};

/// Packets that are remembered.
const RECENT: usize = 40;

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
    /// The last packets, the oldest first.
    recent: VecDeque<String>,
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
        Self {
            association,
            error: None,
            socket,
            remote,
            origin: Clock::now(),
            buffer,
            loss,
            rng,
            recent: VecDeque::new(),
        }
    }

    /// The association's time.
    pub fn now(&self) -> Instant {
        Instant::ORIGIN + self.origin.elapsed()
    }

    /// The last packets that came, left, or were lost on the way, a line each, for a test that fails: the time, and each chunk as
    /// `type/flags:value`, of which the first four bytes (a TSN for the most part).
    pub fn recent(&self) -> String {
        self.recent.iter().fold(format!("the last packets before {:?}:", self.now()), |text, line| text + "\n  " + line)
    }

    fn remember(&mut self, what: &str, packet: &[u8]) {
        let mut line = format!("{:?} {what}", self.now());
        for chunk in Packet::parse(packet).iter().flat_map(Packet::chunks) {
            let _ = write!(line, " {}/{}", chunk.kind, chunk.flags);
            if let Some(first) = chunk.value.first_chunk() {
                let _ = write!(line, ":{:08x}", u32::from_be_bytes(*first));
            }
        }
        if self.recent.len() == RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back(line);
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
        let lost = self.rng.below(100) < self.loss;
        self.remember(if lost { "lost, of theirs" } else { "came" }, packet);
        if !lost {
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
        let mut buffer = core::mem::take(&mut self.buffer);
        let result = loop {
            let mut frame = Frame::new(&mut buffer, Overhead::NONE);
            if self.association.poll_transmit(now, &mut frame).is_none() {
                break Ok(());
            }
            let lost = self.rng.below(100) < self.loss;
            self.remember(if lost { "lost, of ours" } else { "left" }, frame.content());
            if lost {
                continue;
            }
            match self.socket.send_to(frame.content(), self.remote) {
                Err(error) if error.kind() != io::ErrorKind::ConnectionRefused => break Err(error),
                _ => {}
            }
        };
        self.buffer = buffer;
        result
    }
}
