//! A UDP relay that does what a bad network does: delay, jitter, loss, reordering, duplication, corruption, a bottleneck with
//! a queue, an MTU. What happens to the nth datagram of a direction depends on the seed alone.
//!
//! Everything that comes to the relay goes on to one address; each sender gets a port of its own there, as behind a NAT,
//! so that answers find their way back.

mod settings;

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use serde::Serialize;
use weft_core::{Instant, Path, Rng};
use weft_net::Clock;
use weft_testkit::{Link, LinkStats, Packet};

pub use settings::{Bad, Direction, Settings};

/// Senders that may be known at a time; datagrams of others are dropped.
const MAX_CLIENTS: usize = 256;
/// Datagrams of one socket that are read before others get their turn.
const READS_A_TURN: usize = 64;

/// What happened to the datagrams of one direction.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Counted {
    /// Datagrams that came in.
    pub sent: u64,
    /// Bytes that came in.
    pub sent_bytes: u64,
    /// Datagrams that went out, copies included.
    pub delivered: u64,
    /// Bytes that went out.
    pub delivered_bytes: u64,
    /// Lost on purpose.
    pub lost: u64,
    /// Dropped by the full queue.
    pub queue_drops: u64,
    /// Dropped because they were longer than the MTU.
    pub too_big: u64,
    /// Sent twice.
    pub duplicated: u64,
    /// Sent with flipped bits.
    pub corrupted: u64,
    /// Held back, so that others could overtake them.
    pub held_back: u64,
}

impl From<LinkStats> for Counted {
    fn from(stats: LinkStats) -> Self {
        Self {
            sent: stats.sent,
            sent_bytes: stats.sent_bytes,
            delivered: stats.delivered,
            delivered_bytes: stats.delivered_bytes,
            lost: stats.lost,
            queue_drops: stats.queue_drops,
            too_big: stats.too_big,
            duplicated: stats.duplicated,
            corrupted: stats.corrupted,
            held_back: stats.held_back,
        }
    }
}

/// One line of statistics.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Stats {
    /// Milliseconds since the relay began.
    pub ms: u64,
    /// Senders seen.
    pub clients: usize,
    /// From senders to the target.
    pub up: Counted,
    /// Back.
    pub down: Counted,
}

#[derive(Debug)]
struct Client {
    address: SocketAddr,
    socket: UdpSocket,
}

/// The relay.
#[derive(Debug)]
pub struct Relay {
    listen: UdpSocket,
    to: SocketAddr,
    clients: Vec<Client>,
    up: Link,
    down: Link,
    clock: Clock,
    buf: Vec<u8>,
}

impl Relay {
    /// A relay from `listen` to `to`. Both directions draw their misfortunes from `seed`.
    ///
    /// # Errors
    /// If `listen` cannot be bound.
    pub fn bind(listen: SocketAddr, to: SocketAddr, settings: &Settings, seed: u64) -> io::Result<Self> {
        let socket = UdpSocket::bind(listen)?;
        socket.set_nonblocking(true)?;
        let mut rng = Rng::from_test_seed(seed);
        Ok(Self {
            listen: socket,
            to,
            clients: Vec::new(),
            up: Link::new(settings.up(), rng.fork()),
            down: Link::new(settings.down(), rng.fork()),
            clock: Clock::new(),
            buf: vec![0; 65_536],
        })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// If the system does not know.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listen.local_addr()
    }

    /// What happened so far.
    pub fn stats(&self) -> Stats {
        Stats {
            ms: self.clock.now().as_millis(),
            clients: self.clients.len(),
            up: self.up.stats().into(),
            down: self.down.stats().into(),
        }
    }

    /// Relays for at most `time`, waiting where there is nothing to do.
    ///
    /// # Errors
    /// If a socket is broken.
    pub fn run(&mut self, time: Duration) -> io::Result<()> {
        let end = self.clock.now() + time;
        loop {
            let now = self.clock.now();
            self.deliver(now);
            if now >= end {
                return Ok(());
            }
            let arrivals = [self.up.next_arrival(), self.down.next_arrival(), Some(end)];
            let wait = arrivals.into_iter().flatten().min().unwrap_or(end) - now;
            self.wait(wait)?;
            self.read();
        }
    }

    fn wait(&self, time: Duration) -> io::Result<()> {
        let sockets = core::iter::once(&self.listen).chain(self.clients.iter().map(|client| &client.socket));
        let mut fds: Vec<_> = sockets.map(|socket| PollFd::new(socket, PollFlags::IN)).collect();
        let seconds = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
        let timeout = Timespec { tv_sec: seconds, tv_nsec: i64::from(time.subsec_nanos()) };
        match poll(&mut fds, Some(&timeout)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn read(&mut self) {
        let now = self.clock.now();
        for _ in 0..READS_A_TURN {
            // Errors are those of earlier datagrams, which are lost datagrams.
            let Ok((len, from)) = self.listen.recv_from(&mut self.buf) else { break };
            if self.client(from) {
                let payload = self.buf.get(..len).unwrap_or_default();
                self.up.send(now, Packet::new(Path::udp(from, self.to), payload));
            }
        }
        for client in &self.clients {
            for _ in 0..READS_A_TURN {
                let Ok((len, from)) = client.socket.recv_from(&mut self.buf) else { break };
                if from == self.to {
                    let payload = self.buf.get(..len).unwrap_or_default();
                    self.down.send(now, Packet::new(Path::udp(self.to, client.address), payload));
                }
            }
        }
    }

    /// Whether this sender has a socket, or gets one.
    fn client(&mut self, address: SocketAddr) -> bool {
        if self.clients.iter().any(|client| client.address == address) {
            return true;
        }
        if self.clients.len() >= MAX_CLIENTS {
            return false;
        }
        let any: SocketAddr = if self.to.is_ipv4() { ([0; 4], 0).into() } else { ([0_u16; 8], 0).into() };
        let Ok(socket) = UdpSocket::bind(any) else { return false };
        if socket.set_nonblocking(true).is_err() {
            return false;
        }
        self.clients.push(Client { address, socket });
        true
    }

    fn deliver(&mut self, now: Instant) {
        while let Some(packet) = self.up.receive(now) {
            if let Some(client) = self.clients.iter().find(|client| client.address == packet.path.local) {
                let _ = client.socket.send_to(&packet.payload, self.to);
            }
        }
        while let Some(packet) = self.down.receive(now) {
            let _ = self.listen.send_to(&packet.payload, packet.path.remote);
        }
    }
}
