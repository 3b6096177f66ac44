//! Sockets of one peer connection, for drivers: they move datagrams between the network and a
//! [`sans_io::PeerConnection`](crate::sans_io::PeerConnection) and decide nothing.

mod buffers;
mod streams;

use std::io;
use std::net::{IpAddr, SocketAddr};

use weft_core::{Instant, Limits, Path, Run, Transport};
use weft_net::{RecvBuffer, UdpSocket};

pub(crate) use buffers::{Outgoing, with_received};
pub use streams::Stream;
pub(crate) use streams::Streams;

use crate::config::Config;
use crate::sans_io::PeerConnection;

/// Reads from one socket before the connection gets to answer: enough to share one acknowledgement, few enough to keep
/// the other side's window moving.
pub(crate) const READS_A_TURN: usize = 4;

/// A non-blocking socket, plain or with tokio's readiness.
pub trait Socket {
    /// What goes with it for TCP and TLS.
    type Stream: Stream;
    /// The address it is bound to.
    fn local_addr(&self) -> SocketAddr;
    /// What one call may carry.
    fn limits(&self) -> Limits;
    /// As [`UdpSocket::try_send`].
    ///
    /// # Errors
    /// As [`UdpSocket::try_send`].
    fn try_send(&self, run: &Run<Path>, bytes: &[u8]) -> io::Result<()>;
    /// As [`UdpSocket::try_recv`].
    ///
    /// # Errors
    /// As [`UdpSocket::try_recv`].
    fn try_recv(&self, buffer: &mut RecvBuffer) -> io::Result<usize>;
}

macro_rules! socket {
    ($socket:ty, $stream:ty) => {
        impl Socket for $socket {
            type Stream = $stream;
            fn local_addr(&self) -> SocketAddr {
                self.local_addr()
            }
            fn limits(&self) -> Limits {
                self.limits()
            }
            fn try_send(&self, run: &Run<Path>, bytes: &[u8]) -> io::Result<()> {
                self.try_send(run, bytes)
            }
            fn try_recv(&self, buffer: &mut RecvBuffer) -> io::Result<usize> {
                self.try_recv(buffer)
            }
        }
    };
}

socket!(UdpSocket, weft_net::StreamSocket);
#[cfg(feature = "tokio")]
socket!(weft_net::AsyncUdpSocket, weft_net::AsyncStreamSocket);

/// The sockets of one peer connection.
#[derive(Debug)]
pub struct Sockets<S: Socket = UdpSocket> {
    all: Vec<S>,
    streams: Streams<S::Stream>,
    batch: Outgoing,
}

/// How far a call came.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Progress {
    /// Everything was done.
    Done,
    /// The socket with this index takes no more datagrams now.
    Blocked(usize),
    /// There is more to read; others should get a turn first.
    More,
}

impl<S: Socket> Sockets<S> {
    /// Binds a socket on every address that `config` allows and makes an `S` of it: `Ok` for plain sockets,
    /// `AsyncUdpSocket::new` for tokio's.
    ///
    /// # Errors
    /// When interfaces cannot be listed or no address at all can be bound.
    pub fn bind(config: &Config, wrap: impl Fn(UdpSocket) -> io::Result<S>) -> io::Result<Self> {
        let all = bind(config, wrap)?;
        Ok(Self { all, streams: Streams::default(), batch: Outgoing::default() })
    }

    /// Lets go of the sockets; what was not sent is lost.
    pub fn close(&mut self) {
        self.all.clear();
        self.streams.clear();
        self.batch.clear();
    }

    /// Drops what was built and not sent yet.
    pub fn discard(&mut self) {
        self.batch.clear();
    }

    /// The sockets, to wait on.
    pub fn sockets(&self) -> &[S] {
        &self.all
    }

    /// Tells `peer` the addresses of the sockets.
    pub fn announce(&self, now: Instant, peer: &mut PeerConnection) {
        for socket in &self.all {
            peer.add_host_address(now, socket.local_addr());
        }
    }

    /// Reads what waits on the socket with this index and hands it to `peer`.
    ///
    /// # Errors
    /// When the socket itself is broken; network noise is not an error.
    pub fn receive(&mut self, now: Instant, index: usize, peer: &mut PeerConnection) -> io::Result<Progress> {
        let Some(socket) = self.all.get(index) else { return Ok(Progress::Done) };
        with_received(|received| {
            for _ in 0..READS_A_TURN {
                match socket.try_recv(received) {
                    Ok(_) => {
                        let more = received.was_filled();
                        while let Some(datagram) = received.next_datagram() {
                            peer.handle_input(now, datagram);
                        }
                        if !more {
                            return Ok(Progress::Done);
                        }
                    }
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Progress::Done),
                    Err(error) => return Err(error),
                }
            }
            Ok(Progress::More)
        })
    }

    /// Does what `peer` asks for ([`PeerConnection::poll_request`]), moves what came and goes by TCP and TLS, and sends
    /// what `peer` has to send until it has nothing more or a socket blocks. What a blocked socket did not take is
    /// kept and goes first next time.
    ///
    /// # Errors
    /// When a socket itself is broken.
    pub fn transmit(&mut self, now: Instant, peer: &mut PeerConnection) -> io::Result<Progress> {
        self.transmit_noting(now, peer, |_| {})
    }

    /// As [`transmit`](Self::transmit); `built` is called when datagrams were built and have not left yet, for drivers
    /// that must tell of a message's departure before anybody can have seen it arrive.
    ///
    /// # Errors
    /// As [`transmit`](Self::transmit).
    pub fn transmit_noting(
        &mut self,
        now: Instant,
        peer: &mut PeerConnection,
        mut built: impl FnMut(&PeerConnection),
    ) -> io::Result<Progress> {
        self.streams.turn(now, peer, None);
        let limits = self.all.iter().map(Socket::limits).min_by_key(|limits| limits.max_segments);
        self.batch.batch().set_limits(limits.unwrap_or(Limits::SINGLE));
        loop {
            if let Some(blocked) = self.flush()? {
                return Ok(Progress::Blocked(blocked));
            }
            if peer.poll_transmit(now, self.batch.batch()) == 0 {
                self.batch.give_back();
                self.streams.turn(now, peer, None);
                return Ok(Progress::Done);
            }
            built(peer);
        }
    }

    /// Sends what was built. The index of the socket that blocks, if one does.
    fn flush(&mut self) -> io::Result<Option<usize>> {
        let batch = self.batch.batch();
        while let Some((run, bytes)) = batch.front() {
            if run.route.transport != Transport::Udp {
                self.streams.send(run, bytes);
                batch.sent();
                continue;
            }
            let from = run.route.local;
            let sender = self.all.iter().enumerate().find(|(_, socket)| socket.local_addr() == from);
            if let Some((index, socket)) = sender {
                match socket.try_send(run, bytes) {
                    Ok(()) => {}
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Some(index)),
                    Err(error) => return Err(error),
                }
            }
            batch.sent();
        }
        Ok(None)
    }
}

/// Binds a socket on every address that `config` allows and makes an `S` of it.
pub(crate) fn bind<S>(config: &Config, wrap: impl Fn(UdpSocket) -> io::Result<S>) -> io::Result<Vec<S>> {
    let mut sockets = Vec::new();
    let mut last_error = None;
    for ip in addresses(config)? {
        match UdpSocket::bind(SocketAddr::new(ip, config.port)).and_then(&wrap) {
            Ok(socket) => sockets.push(socket),
            Err(error) => {
                tracing::debug!(%ip, %error, "address not bound");
                last_error = Some(error);
            }
        }
    }
    if sockets.is_empty() {
        return Err(last_error.unwrap_or_else(|| io::Error::new(io::ErrorKind::NotFound, "no network interface")));
    }
    Ok(sockets)
}

fn addresses(config: &Config) -> io::Result<Vec<IpAddr>> {
    let usable = weft_net::host_addresses(config.loopback)?;
    let Some(names) = &config.interfaces else { return Ok(usable) };
    let named: Vec<IpAddr> = weft_net::interfaces()?
        .into_iter()
        .filter(|interface| names.contains(&interface.name))
        .map(|interface| interface.ip)
        .collect();
    Ok(usable.into_iter().filter(|ip| named.contains(ip)).collect())
}
