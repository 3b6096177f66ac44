//! TCP and TLS connections of one peer connection, to its TURN servers and its peer.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use weft_core::{Datagram, Instant, Path, Run, Transport};
use weft_ice::StreamKind;
use weft_net::{Framing, StreamConfig, StreamSocket};

use super::leaving::{Backlog, Departures};
use super::names::{Names, What};
use crate::event::Request;
use crate::sans_io::PeerConnection;
use crate::shared_config::SharedConfig;

/// Datagrams read from one connection before others get a turn.
const READS_A_TURN: usize = 64;
/// Looks at all connections before others than this peer connection get a turn: one that is written to as fast as it is read
/// would never come to an end.
const ROUNDS: usize = 4;
/// Runs that one connection may owe to a slow network before they are dropped, as a full queue of a router drops.
const BACKLOG: usize = 64;

/// Connections that were accepted and have not brought anything authentic, at most, and how long each has for it.
const MAX_STRANGERS: usize = 32;
pub(crate) const STRANGER_TIMEOUT: Duration = Duration::from_secs(10);

/// How often it is looked whether the system's authorities were read.
const LOOK: Duration = Duration::from_millis(5);

/// A way to a peer connection that may be behind a lock: it is held for one act at a time, and for no call of a socket.
pub(crate) trait Reach {
    fn with<T>(&mut self, act: impl FnOnce(&mut PeerConnection) -> T) -> T;
}

impl Reach for PeerConnection {
    fn with<T>(&mut self, act: impl FnOnce(&mut PeerConnection) -> T) -> T {
        act(self)
    }
}

/// A stream socket, plain or with tokio's readiness.
pub trait Stream: Sized {
    /// As [`StreamSocket::connect`].
    ///
    /// # Errors
    /// As [`StreamSocket::connect`].
    fn connect(local: Option<SocketAddr>, remote: SocketAddr, config: &StreamConfig) -> io::Result<Self>;
    /// Makes one of a connection that was accepted.
    ///
    /// # Errors
    /// If a reactor does not take it.
    fn wrap(socket: StreamSocket) -> io::Result<Self>;
    /// As [`StreamSocket::try_connect`].
    ///
    /// # Errors
    /// As [`StreamSocket::try_connect`].
    fn try_connect(&mut self) -> io::Result<bool>;
    /// As [`StreamSocket::try_send`].
    ///
    /// # Errors
    /// As [`StreamSocket::try_send`].
    fn try_send(&mut self, run: &Run<Path>, bytes: &[u8]) -> io::Result<()>;
    /// As [`StreamSocket::try_recv`].
    ///
    /// # Errors
    /// As [`StreamSocket::try_recv`].
    fn try_recv(&mut self) -> io::Result<Datagram<'_>>;
    /// As [`StreamSocket::flush`].
    ///
    /// # Errors
    /// As [`StreamSocket::flush`].
    fn flush(&mut self) -> io::Result<()>;
    /// As [`StreamSocket::try_close`].
    ///
    /// # Errors
    /// As [`StreamSocket::try_close`].
    fn try_close(&mut self) -> io::Result<()>;
    /// Whether a TLS connection can be opened without files being read first: those of the authorities that the system trusts.
    /// If not, they are being read elsewhere.
    fn may_open_tls() -> bool;
}

macro_rules! stream {
    ($stream:ty, $wrap:expr, $may_open_tls:expr) => {
        impl Stream for $stream {
            fn connect(local: Option<SocketAddr>, remote: SocketAddr, config: &StreamConfig) -> io::Result<Self> {
                Self::connect(local, remote, config)
            }
            fn wrap(socket: StreamSocket) -> io::Result<Self> {
                $wrap(socket)
            }
            fn try_connect(&mut self) -> io::Result<bool> {
                self.try_connect()
            }
            fn try_send(&mut self, run: &Run<Path>, bytes: &[u8]) -> io::Result<()> {
                self.try_send(run, bytes)
            }
            fn try_recv(&mut self) -> io::Result<Datagram<'_>> {
                self.try_recv()
            }
            fn flush(&mut self) -> io::Result<()> {
                self.flush()
            }
            fn try_close(&mut self) -> io::Result<()> {
                self.try_close()
            }
            fn may_open_tls() -> bool {
                $may_open_tls()
            }
        }
    };
}

/// Without a runtime nobody else can read them.
fn read_roots() -> bool {
    weft_net::load_system_roots();
    true
}

stream!(StreamSocket, Ok, read_roots);
#[cfg(feature = "tokio")]
stream!(weft_net::AsyncStreamSocket, weft_net::AsyncStreamSocket::new, super::roots::are_loaded);

/// One connection.
#[derive(Debug)]
struct Link<T> {
    /// Its name between driver and agent: the local port in it is 0.
    path: Path,
    socket: T,
    open: bool,
    backlog: Backlog,
    /// It was accepted, and is closed then unless something authentic has come by it.
    stranger_until: Option<Instant>,
}

/// The connections.
#[derive(Debug)]
pub(crate) struct Streams<T> {
    links: Vec<Link<T>>,
    departures: Departures<T>,
    /// TLS connections to be opened once the system's authorities were read, and when that is looked at next.
    unopened: Vec<(Path, StreamKind)>,
    look: Option<Instant>,
    /// The last turn ended before everything was read.
    more: bool,
}

impl<T> Default for Streams<T> {
    fn default() -> Self {
        Self { links: Vec::new(), departures: Departures::default(), unopened: Vec::new(), look: None, more: false }
    }
}

impl<T: Stream> Streams<T> {
    /// Does what `peer` asks for, and moves what can be moved, up to a bound: [`has_more`](Self::has_more) tells whether it
    /// was reached. Names are resolved for the connection `key`.
    pub(crate) fn turn(&mut self, now: Instant, peer: &mut impl Reach, names: &mut Names, key: u64) {
        self.departures.turn(now);
        self.open_late(now, peer);
        for _ in 0..ROUNDS {
            while let Some(request) = peer.with(PeerConnection::poll_request) {
                self.serve(now, peer, request, names, key);
            }
            self.more = self.pump(now, peer);
            if !self.more {
                return;
            }
        }
    }

    /// Whether the next turn is due as soon as others have had theirs.
    pub(crate) fn has_more(&self) -> bool {
        self.more
    }

    fn serve(&mut self, now: Instant, peer: &mut impl Reach, request: Request, names: &mut Names, key: u64) {
        match request {
            Request::Resolve(server, name) => names.resolve(key, What::Server(server), name),
            Request::ResolveCandidate(name) => names.resolve(key, What::Candidate, name),
            Request::OpenStream(path, kind) if matches!(kind, StreamKind::TurnTls(_)) && !T::may_open_tls() => {
                self.unopened.push((path, kind));
                self.look = Some(now + LOOK);
            }
            Request::OpenStream(path, kind) => self.open_or_tell(now, peer, path, kind),
            Request::CloseStream(path) => {
                self.unopened.retain(|(unopened, _)| *unopened != path);
                if let Some(at) = self.links.iter().position(|link| link.path == path) {
                    let link = self.links.remove(at);
                    self.departures.add(now, link.socket, link.backlog);
                }
            }
        }
    }

    fn open_or_tell(&mut self, now: Instant, peer: &mut impl Reach, path: Path, kind: StreamKind) {
        match Self::open(&path, kind, &peer.with(|peer| peer.shared_config())) {
            Ok(socket) => self.add(path, socket, None),
            Err(error) => {
                tracing::debug!(?path, %error, "no connection");
                peer.with(|peer| peer.stream_closed(now, &path));
            }
        }
    }

    /// Opens the TLS connections that wait for the system's authorities.
    fn open_late(&mut self, now: Instant, peer: &mut impl Reach) {
        if self.look.is_none_or(|at| at > now) {
            return;
        }
        self.look = if T::may_open_tls() { None } else { Some(now + LOOK) };
        if self.look.is_none() {
            for (path, kind) in std::mem::take(&mut self.unopened) {
                self.open_or_tell(now, peer, path, kind);
            }
        }
    }

    fn add(&mut self, path: Path, socket: T, stranger_until: Option<Instant>) {
        let open = stranger_until.is_some();
        self.links.push(Link { path, socket, open, backlog: Backlog::new(), stranger_until });
    }

    /// Adds a stranger. If there are too many the oldest gives way, for a genuine one becomes known within a round trip:
    /// gives the path that the peer connection is to be told of.
    fn add_stranger(&mut self, path: Path, socket: T, until: Instant) -> Option<Path> {
        let strangers = self.links.iter().filter(|link| link.stranger_until.is_some());
        let mut evicted = None;
        if strangers.count() >= MAX_STRANGERS
            && let Some(oldest) = self.links.iter().position(|link| link.stranger_until.is_some())
        {
            evicted = Some(self.links.remove(oldest).path);
        }
        self.add(path, socket, Some(until));
        evicted
    }

    /// Takes over a connection that came to `listener`.
    pub(crate) fn accept(&mut self, now: Instant, listener: SocketAddr, socket: StreamSocket, peer: &mut impl Reach) {
        let path = Path { transport: Transport::Tcp, local: listener, remote: socket.path().remote };
        match T::wrap(socket) {
            Ok(socket) => {
                if let Some(evicted) = self.add_stranger(path, socket, now + STRANGER_TIMEOUT) {
                    peer.with(|peer| peer.stream_closed(now, &evicted));
                }
            }
            Err(error) => tracing::debug!(%error, "a connection was not taken"),
        }
    }

    /// Whether there are connections.
    pub(crate) fn is_busy(&self) -> bool {
        !self.links.is_empty() || !self.departures.is_empty() || !self.unopened.is_empty()
    }

    /// Drops what is queued: a farewell is to follow.
    pub(crate) fn discard(&mut self) {
        self.links.iter_mut().for_each(|link| link.backlog.clear());
    }

    /// The peer connection is over: ends all connections, in order but within a bound of time. What is left of them has
    /// its turns by [`linger`](Self::linger) until they are [not busy](Self::is_busy).
    pub(crate) fn leave(&mut self, now: Instant) {
        for link in self.links.drain(..) {
            self.departures.add(now, link.socket, link.backlog);
        }
        self.unopened.clear();
        (self.more, self.look) = (false, None);
    }

    /// Goes on ending those that were left.
    pub(crate) fn linger(&mut self, now: Instant) {
        self.departures.turn(now);
    }

    /// When [`turn`](Self::turn) is due though nothing comes: the end of a connection is waited for no longer, or the system's
    /// authorities may have been read.
    #[cfg(feature = "tokio")]
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.look.into_iter().chain(self.departures.poll_timeout()).min()
    }

    fn open(path: &Path, kind: StreamKind, config: &SharedConfig) -> io::Result<T> {
        let stream = match kind {
            StreamKind::Peer => StreamConfig::tcp(Framing::Rfc4571),
            StreamKind::Turn => StreamConfig::tcp(Framing::Turn),
            StreamKind::TurnTls(name) => StreamConfig::tls(Framing::Turn, config.tls()?, name),
        };
        T::connect(Some(path.local), path.remote, &stream)
    }

    /// Connects, writes and reads. True if the connection may have something to ask for now.
    fn pump(&mut self, now: Instant, peer: &mut impl Reach) -> bool {
        let mut news = false;
        let mut at = 0;
        while let Some(link) = self.links.get_mut(at) {
            match link.pump(now, peer).and_then(|moved| link.judge(now, peer).map(|()| moved)) {
                Ok(moved) => {
                    news |= moved;
                    at += 1;
                }
                Err(error) => {
                    tracing::debug!(path = ?link.path, %error, "the connection ended");
                    let path = link.path;
                    self.links.remove(at);
                    peer.with(|peer| peer.stream_closed(now, &path));
                    news = true;
                }
            }
        }
        news
    }

    /// Sends a run by the connection of its route.
    pub(crate) fn send(&mut self, run: &Run<Path>, bytes: &[u8]) {
        let Some(link) = self.links.iter_mut().find(|link| link.path == run.route) else { return };
        let waits = !link.backlog.is_empty() || link.socket.try_send(run, bytes).is_err();
        if waits && link.backlog.len() < BACKLOG {
            link.backlog.push_back((*run, bytes.into()));
        }
    }
}

impl<T: Stream> Link<T> {
    fn pump(&mut self, now: Instant, peer: &mut impl Reach) -> io::Result<bool> {
        let mut news = false;
        if !self.open {
            if !self.socket.try_connect()? {
                return Ok(false);
            }
            self.open = true;
            news = true;
            peer.with(|peer| peer.stream_opened(now, &self.path));
        }
        while let Some((run, bytes)) = self.backlog.front() {
            if blocked(self.socket.try_send(run, bytes))?.is_none() {
                break;
            }
            self.backlog.pop_front();
        }
        blocked(self.socket.flush())?;
        for _ in 0..READS_A_TURN {
            let Some(datagram) = blocked(self.socket.try_recv())? else { break };
            let path = self.path;
            peer.with(|peer| peer.handle_input(now, Datagram { path, ..datagram }));
            news = true;
        }
        Ok(news)
    }
}

impl<T> Link<T> {
    /// One that was accepted has to become known in time.
    fn judge(&mut self, now: Instant, peer: &mut impl Reach) -> io::Result<()> {
        let Some(until) = self.stranger_until else { return Ok(()) };
        if peer.with(|peer| peer.is_validated(&self.path)) {
            self.stranger_until = None;
        } else if until <= now {
            return Err(io::ErrorKind::TimedOut.into());
        }
        Ok(())
    }
}

#[cfg(feature = "tokio")]
impl Streams<weft_net::AsyncStreamSocket> {
    /// Takes over a connection that has brought something for this peer connection. Gives the path of one that had to give
    /// way: the peer connection is to be told that it is closed.
    pub(crate) fn adopt(&mut self, path: Path, socket: weft_net::AsyncStreamSocket, until: Instant) -> Option<Path> {
        self.add_stranger(path, socket, until)
    }

    /// Whether a connection has something to do; the task is woken when one does.
    pub(crate) fn poll_ready(&self, cx: &mut std::task::Context<'_>) -> bool {
        let mut ready = self.more | self.departures.poll_ready(cx);
        for link in &self.links {
            ready |= link.socket.poll_recv_ready(cx).is_ready();
            let writes = !link.open || link.socket.wants_write() || !link.backlog.is_empty();
            ready |= writes && link.socket.poll_send_ready(cx).is_ready();
        }
        ready
    }
}

pub(super) fn blocked<T>(outcome: io::Result<T>) -> io::Result<Option<T>> {
    match outcome {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(error),
    }
}
