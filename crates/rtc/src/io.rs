//! Sockets of one peer connection, for drivers: they move datagrams between the network and a
//! [`sans_io::PeerConnection`](crate::sans_io::PeerConnection) and decide nothing.

mod attention;
mod bind;
mod buffers;
mod leaving;
mod names;
#[cfg(feature = "tokio")]
mod roots;
mod streams;

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use weft_core::{Instant, Limits, Path, Run, Transport};
use weft_net::{Clock, Interface, InterfaceWatcher, RecvBuffer, StreamListener, UdpSocket};

use attention::Attention;
pub(crate) use bind::{addresses, bind, bind_one, interfaces, listen, watch};
pub(crate) use buffers::{Outgoing, with_received};
pub(crate) use names::Names;
pub use streams::Stream;
pub(crate) use streams::Streams;
#[cfg(feature = "tokio")]
pub(crate) use streams::{Reach, STRANGER_TIMEOUT};

use crate::config::Config;
use crate::event::ConnectionState;
use crate::sans_io::PeerConnection;

/// Reads from one socket before the connection gets to answer: enough to share one acknowledgement, few enough to keep
/// the other side's window moving.
pub(crate) const READS_A_TURN: usize = 4;

/// How often what cannot be waited for is looked at.
const TICK: Duration = Duration::from_millis(5);
const LISTEN_TICK: Duration = Duration::from_millis(50);
const LOOK_PERIOD: Duration = Duration::from_millis(250);

/// A non-blocking socket, plain or with tokio's readiness.
pub trait Socket {
    /// What goes with it for TCP and TLS.
    type Stream: Stream;
    /// Makes one of a bound socket.
    ///
    /// # Errors
    /// If a reactor does not take it.
    fn wrap(socket: UdpSocket) -> io::Result<Self>
    where
        Self: Sized;
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
    ($socket:ty, $stream:ty, $wrap:expr) => {
        impl Socket for $socket {
            type Stream = $stream;
            fn wrap(socket: UdpSocket) -> io::Result<Self> {
                $wrap(socket)
            }
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

socket!(UdpSocket, weft_net::StreamSocket, Ok);
#[cfg(feature = "tokio")]
socket!(weft_net::AsyncUdpSocket, weft_net::AsyncStreamSocket, weft_net::AsyncUdpSocket::new);

/// The sockets of one peer connection.
#[derive(Debug)]
pub struct Sockets<S: Socket = UdpSocket> {
    all: Vec<S>,
    attention: Attention,
    listeners: Vec<StreamListener>,
    streams: Streams<S::Stream>,
    names: Names,
    config: Config,
    watcher: Option<InterfaceWatcher>,
    /// When interfaces are looked at next.
    look: Instant,
    batch: Outgoing,
}

/// Reads what the servers of `config` take, if it takes files: now, rather than when datagrams wait.
pub(crate) fn prepare<S: Socket>(config: &Config) {
    let mut urls = config.ice_servers.iter().flat_map(|server| &server.urls);
    if urls.any(|url| url.transport() == Transport::Tls) {
        S::Stream::may_open_tls();
    }
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
    /// Binds a socket on every address that `config` allows.
    ///
    /// # Errors
    /// When interfaces cannot be listed or no address at all can be bound.
    pub fn bind(config: &Config) -> io::Result<Self> {
        Self::open(config.clone(), |_| false)
    }

    /// As [`bind`](Self::bind), and on loopback addresses where there are no others: a machine without a network still plays
    /// with itself.
    ///
    /// # Errors
    /// As [`bind`](Self::bind).
    pub fn bind_somewhere(config: &Config) -> io::Result<Self> {
        Self::open(config.clone(), |interfaces| weft_net::host_addresses_among(interfaces, false).is_empty())
    }

    /// On loopback addresses, too, where `loopback` says so.
    fn open(mut config: Config, loopback: impl Fn(&[Interface]) -> bool) -> io::Result<Self> {
        let watcher = watch(&config, Clock::new().now(), Ok);
        let interfaces = interfaces(watcher.as_ref().map(InterfaceWatcher::interfaces))?;
        config.loopback |= loopback(&interfaces);
        let all = bind(&config, &interfaces, S::wrap)?;
        let listeners = all.iter().filter_map(|socket| listen(&config, socket.local_addr().ip())).collect();
        prepare::<S>(&config);
        drop(interfaces);
        Ok(Self {
            all,
            attention: Attention::default(),
            listeners,
            streams: Streams::default(),
            names: Names::new(&config),
            config,
            watcher,
            look: Instant::ORIGIN,
            batch: Outgoing::default(),
        })
    }

    /// Lets go of the sockets; what did not leave by UDP is lost. TCP and TLS connections write what they owe and end in order,
    /// for two seconds at most, as long as [`linger`](Self::linger) is called; those that are dropped before end at once.
    pub fn close(&mut self, now: Instant) {
        self.all.clear();
        self.listeners.clear();
        self.streams.leave(now);
        self.names.close();
        self.watcher = None;
        self.batch.clear();
    }

    /// After [`close`](Self::close): goes on ending connections. Whether some have not ended; [`poll_timeout`](Self::poll_timeout)
    /// tells when to call again.
    pub fn linger(&mut self, now: Instant) -> bool {
        self.streams.linger(now);
        self.streams.is_busy()
    }

    /// Drops what was built and not sent yet: a farewell shall not wait behind it.
    pub fn discard(&mut self) {
        self.batch.clear();
        self.streams.discard();
    }

    /// The sockets, to wait on.
    pub fn sockets(&self) -> &[S] {
        &self.all
    }

    /// Tells `peer` the addresses of the sockets.
    pub fn announce(&mut self, now: Instant, peer: &mut PeerConnection) {
        for at in 0..self.all.len() {
            self.announce_one(now, at, peer);
        }
        for listener in &self.listeners {
            peer.add_tcp_listener(now, listener.local_addr());
        }
    }

    fn announce_one(&mut self, now: Instant, at: usize, peer: &mut PeerConnection) {
        let Some(address) = self.all.get(at).map(Socket::local_addr) else { return };
        match self.names.hide_if(&self.config, now, address.ip()) {
            Some(name) => peer.add_hidden_host_address(now, address, name),
            None => peer.add_host_address(now, address),
        }
    }

    /// When [`transmit`](Self::transmit) is to be called at the latest, for what cannot be waited for at the sockets: names
    /// being resolved, TCP connections, interfaces that come and go.
    pub fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        let busy = self.names.is_busy() || self.streams.is_busy();
        let tick = busy.then(|| if self.streams.has_more() { now } else { now + TICK });
        let watch = (self.watcher.is_some() && !self.all.is_empty()).then_some(self.look);
        let listen = (!self.listeners.is_empty()).then(|| now + LISTEN_TICK);
        Instant::earliest([tick, watch, listen, self.names.poll_timeout()])
    }

    /// Sockets for addresses that have appeared, none for those that are gone.
    fn follow(&mut self, now: Instant, peer: &mut PeerConnection) -> io::Result<()> {
        let Some(watcher) = &mut self.watcher else { return Ok(()) };
        if self.look > now || self.all.is_empty() {
            return Ok(());
        }
        self.look = now + LOOK_PERIOD;
        if watcher.poll(now)?.is_empty() {
            return Ok(());
        }
        self.names.refresh();
        self.attention.reset();
        let wanted = addresses(&self.config, watcher.interfaces());
        let gone = |address: SocketAddr| !wanted.contains(&address.ip());
        for socket in self.all.extract_if(.., |socket| gone(socket.local_addr())) {
            peer.remove_host_address(now, socket.local_addr());
        }
        self.listeners.retain(|listener| !gone(listener.local_addr()));
        for ip in wanted {
            if self.all.iter().any(|socket| socket.local_addr().ip() == ip) {
                continue;
            }
            match bind_one(&self.config, ip).and_then(S::wrap) {
                Ok(socket) => {
                    self.all.push(socket);
                    self.announce_one(now, self.all.len() - 1, peer);
                    if let Some(listener) = listen(&self.config, ip) {
                        peer.add_tcp_listener(now, listener.local_addr());
                        self.listeners.push(listener);
                    }
                }
                Err(error) => tracing::debug!(%ip, %error, "address not bound"),
            }
        }
        Ok(())
    }

    /// Does what `peer` asks for, and moves what is not UDP.
    fn turn(&mut self, now: Instant, peer: &mut PeerConnection) {
        for listener in &self.listeners {
            while let Ok(socket) = listener.try_accept() {
                self.streams.accept(now, listener.local_addr(), socket, peer);
            }
        }
        self.streams.turn(now, peer, &mut self.names, 0);
        if self.names.is_busy() || self.names.answers_for_names() {
            self.names.turn(now);
            while let Some(answer) = self.names.poll_answer() {
                answer.give(now, peer);
            }
            self.streams.turn(now, peer, &mut self.names, 0);
        }
    }

    /// As [`receive`](Self::receive) for all sockets, for drivers that do not wait on them. While `peer` is connected, a socket by
    /// which nothing has come or gone for ten seconds is looked at every 80 ms only: each look costs a system call. What is wrong
    /// with a socket is logged.
    pub fn receive_all(&mut self, now: Instant, peer: &mut PeerConnection) -> Progress {
        let salt = self.all.first().map_or(0, |socket| socket.local_addr().port());
        let all = self.attention.sweeps(now, salt) || peer.connection_state() != ConnectionState::Connected;
        let mut progress = Progress::Done;
        for index in 0..self.all.len() {
            if !all && !self.attention.is_awake(now, index) {
                continue;
            }
            match self.receive(now, index, peer) {
                Ok(Progress::More) => progress = Progress::More,
                Ok(_) => {}
                Err(error) => tracing::debug!(%error, "receiving failed"),
            }
        }
        progress
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
                    Ok(datagrams) => {
                        let more = received.was_filled();
                        if datagrams > 0 {
                            self.attention.noticed(now, index);
                        }
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
    /// kept and goes first next time. What comes by TCP and TLS is read up to a bound: [`Progress::More`] says that it was
    /// reached.
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
        if let Err(error) = self.follow(now, peer) {
            tracing::debug!(%error, "interfaces are not followed");
        }
        self.turn(now, peer);
        let limits = self.all.iter().map(Socket::limits).min_by_key(|limits| limits.max_segments);
        self.batch.batch().set_limits(limits.unwrap_or(Limits::SINGLE));
        loop {
            if let Some(blocked) = self.flush(now)? {
                return Ok(Progress::Blocked(blocked));
            }
            if !peer.wants_transmit(now) || peer.poll_transmit(now, self.batch.batch()) == 0 {
                self.batch.give_back();
                if peer.has_requests() {
                    self.turn(now, peer);
                }
                return Ok(if self.streams.has_more() { Progress::More } else { Progress::Done });
            }
            built(peer);
        }
    }

    /// Sends what was built. The index of the socket that blocks, if one does.
    fn flush(&mut self, now: Instant) -> io::Result<Option<usize>> {
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
                    Ok(()) => self.attention.noticed(now, index),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Some(index)),
                    Err(error) => return Err(error),
                }
            }
            batch.sent();
        }
        Ok(None)
    }
}
