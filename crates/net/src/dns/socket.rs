//! The sockets of a resolver.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket as StdSocket};

use weft_core::{Instant, Rng, Transport};

use super::config::DnsConfig;
use super::resolver::{DnsError, DnsEvent, DnsTransmit, LookupId, Resolver};
use crate::stream::{Framing, StreamConfig, StreamSocket};

/// Datagrams read in one turn from each socket.
const READS_A_TURN: usize = 64;
/// The longest that is read. Without EDNS a server sends at most 512 bytes (RFC 1035 section 4.2.1).
const MAX_MESSAGE: usize = 4096;
/// Connections at a time; more are refused, as a server would.
const MAX_STREAMS: usize = 8;

/// A resolver and its sockets, which are there only while names are being resolved, each time with another port
/// (RFC 5452 section 9.2). No call waits, and there is no thread.
#[derive(Debug)]
pub struct Dns {
    resolver: Resolver,
    v4: Option<StdSocket>,
    v6: Option<StdSocket>,
    streams: Vec<Stream>,
    /// Grows when a socket is opened or closed.
    generation: u64,
}

/// A connection to a server, and what it was opened for.
#[derive(Debug)]
struct Stream {
    server: SocketAddr,
    socket: StreamSocket,
    out: VecDeque<Vec<u8>>,
}

impl Dns {
    /// A resolver for `config`; `rng` as [`Resolver::new`] wants it.
    pub fn new(config: DnsConfig, rng: Rng) -> Self {
        Self { resolver: Resolver::new(config, rng), v4: None, v6: None, streams: Vec::new(), generation: 0 }
    }

    /// As [`Resolver::resolve`]. What is to be sent leaves with the next [`turn`](Self::turn).
    ///
    /// # Errors
    /// As [`Resolver::resolve`].
    pub fn resolve(&mut self, now: Instant, name: &str) -> Result<LookupId, DnsError> {
        self.resolver.resolve(now, name)
    }

    /// As [`Resolver::cancel`].
    pub fn cancel(&mut self, id: LookupId) {
        self.resolver.cancel(id);
    }

    /// Reads what has come, lets timers fire, and sends what there is to send. Never waits.
    pub fn turn(&mut self, now: Instant) {
        let mut buf = [0; MAX_MESSAGE];
        for socket in self.v4.iter().chain(&self.v6) {
            for _ in 0..READS_A_TURN {
                match socket.recv_from(&mut buf) {
                    Ok((len, from)) => {
                        let bytes = buf.get(..len).unwrap_or_default();
                        self.resolver.handle_input(now, from, Transport::Udp, bytes);
                    }
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    // Errors of what was sent before; time tells which server is silent.
                    Err(_) => {}
                }
            }
        }
        self.resolver.handle_timeout(now);
        loop {
            while let Some(transmit) = self.resolver.poll_transmit() {
                self.send(now, transmit);
            }
            if !self.pump(now) {
                break;
            }
        }
        if self.resolver.is_idle() && (self.v4.is_some() || self.v6.is_some() || !self.streams.is_empty()) {
            (self.v4, self.v6) = (None, None);
            self.streams.clear();
            self.generation += 1;
        }
    }

    fn send(&mut self, now: Instant, transmit: DnsTransmit) {
        let DnsTransmit { transport, server, bytes } = transmit;
        if transport == Transport::Udp {
            if let Some(socket) = self.socket(server) {
                // What cannot be sent is lost, as datagrams are.
                let _ = socket.send_to(&bytes, server);
            }
            return;
        }
        if let Some(stream) = self.streams.iter_mut().find(|stream| stream.server == server) {
            stream.out.push_back(bytes);
            return;
        }
        // Two bytes of length in front are RFC 4571's framing, too.
        let opened = StreamSocket::connect(None, server, &StreamConfig::tcp(Framing::Rfc4571));
        match opened {
            Ok(socket) if self.streams.len() < MAX_STREAMS => {
                self.streams.push(Stream { server, socket, out: VecDeque::from([bytes]) });
                self.generation += 1;
            }
            _ => self.resolver.stream_failed(now, server),
        }
    }

    fn socket(&mut self, server: SocketAddr) -> Option<&StdSocket> {
        let any = if server.is_ipv4() { IpAddr::V4(Ipv4Addr::UNSPECIFIED) } else { Ipv6Addr::UNSPECIFIED.into() };
        let slot = if server.is_ipv4() { &mut self.v4 } else { &mut self.v6 };
        if slot.is_none() {
            let socket = StdSocket::bind((any, 0)).ok()?;
            socket.set_nonblocking(true).ok()?;
            *slot = Some(socket);
            self.generation += 1;
        }
        slot.as_ref()
    }

    /// Moves what goes by TCP. True if there is something new to send.
    fn pump(&mut self, now: Instant) -> bool {
        let mut ended = Vec::new();
        for (at, stream) in self.streams.iter_mut().enumerate() {
            if stream.pump(now, &mut self.resolver).is_err() {
                ended.push((at, stream.server));
            }
        }
        for (at, server) in ended.iter().rev() {
            self.streams.remove(*at);
            self.generation += 1;
            self.resolver.stream_failed(now, *server);
        }
        !ended.is_empty()
    }

    /// What became of names.
    pub fn poll_event(&mut self) -> Option<DnsEvent> {
        self.resolver.poll_event()
    }

    /// When [`turn`](Self::turn) wants to be called, whether or not a socket is ready.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.resolver.poll_timeout()
    }

    /// Whether nothing is under way.
    pub fn is_idle(&self) -> bool {
        self.resolver.is_idle()
    }

    /// Grows when [`udp_sockets`](Self::udp_sockets) or [`tcp_sockets`](Self::tcp_sockets) are others, for who waits on them.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// The UDP sockets there are now.
    pub fn udp_sockets(&self) -> impl Iterator<Item = &StdSocket> {
        self.v4.iter().chain(&self.v6)
    }

    /// The TCP sockets there are now.
    pub fn tcp_sockets(&self) -> impl Iterator<Item = &std::net::TcpStream> {
        self.streams.iter().map(|stream| stream.socket.as_std())
    }
}

impl Stream {
    fn pump(&mut self, now: Instant, resolver: &mut Resolver) -> io::Result<()> {
        if !self.socket.is_open() && !self.socket.try_connect()? {
            return Ok(());
        }
        while let Some(bytes) = self.out.front() {
            match self.socket.try_send_one(bytes) {
                Ok(()) => self.out.pop_front(),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            };
        }
        loop {
            match self.socket.try_recv() {
                Ok(datagram) => resolver.handle_input(now, self.server, Transport::Tcp, datagram.payload),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        match self.socket.flush() {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
            _ => Ok(()),
        }
    }
}
