//! TCP and TLS connections of one peer connection, to its TURN servers and its peer, and the names of servers.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::task::Waker;

use weft_core::{Datagram, Instant, Path, Run};
use weft_ice::{ServerId, StreamKind};
use weft_net::{Framing, Roots, StreamConfig, StreamSocket, TlsConfig};

use crate::config::Config;
use crate::event::Request;
use crate::sans_io::PeerConnection;

/// Datagrams read from one connection before others get a turn.
const READS_A_TURN: usize = 64;
/// Runs that one connection may owe to a slow network before they are dropped, as a full queue of a router drops.
const BACKLOG: usize = 64;

/// A stream socket, plain or with tokio's readiness.
pub trait Stream: Sized {
    /// As [`StreamSocket::connect`].
    ///
    /// # Errors
    /// As [`StreamSocket::connect`].
    fn connect(local: Option<SocketAddr>, remote: SocketAddr, config: &StreamConfig) -> io::Result<Self>;
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
}

macro_rules! stream {
    ($stream:ty) => {
        impl Stream for $stream {
            fn connect(local: Option<SocketAddr>, remote: SocketAddr, config: &StreamConfig) -> io::Result<Self> {
                Self::connect(local, remote, config)
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
        }
    };
}

stream!(StreamSocket);
#[cfg(feature = "tokio")]
stream!(weft_net::AsyncStreamSocket);

/// One connection.
#[derive(Debug)]
struct Link<T> {
    /// Its name between driver and agent: the local port in it is 0.
    path: Path,
    socket: T,
    open: bool,
    backlog: VecDeque<(Run<Path>, Box<[u8]>)>,
}

/// The connections, and what is being resolved.
#[derive(Debug)]
pub(crate) struct Streams<T> {
    links: Vec<Link<T>>,
    tls: Option<Arc<TlsConfig>>,
    resolved: (Sender<Resolved>, Receiver<Resolved>),
    /// A name was resolved since it was looked at.
    news: Arc<AtomicBool>,
}

type Resolved = (ServerId, Vec<IpAddr>);

impl<T> Default for Streams<T> {
    fn default() -> Self {
        Self { links: Vec::new(), tls: None, resolved: channel(), news: Arc::default() }
    }
}

impl<T: Stream> Streams<T> {
    /// Does what `peer` asks for, and moves what can be moved. `wake` is woken when a name was resolved.
    pub(crate) fn turn(&mut self, now: Instant, peer: &mut PeerConnection, wake: Option<&Waker>) {
        self.news.store(false, Ordering::Release);
        while let Ok((server, addresses)) = self.resolved.1.try_recv() {
            peer.server_resolved(now, server, &addresses);
        }
        loop {
            while let Some(request) = peer.poll_request() {
                self.serve(now, peer, request, wake);
            }
            if !self.pump(now, peer) {
                return;
            }
        }
    }

    fn serve(&mut self, now: Instant, peer: &mut PeerConnection, request: Request, wake: Option<&Waker>) {
        match request {
            Request::Resolve(server, name) => self.resolve(server, name, wake.cloned()),
            Request::ResolveCandidate(name) => peer.candidate_resolved(now, &name, &[]),
            Request::OpenStream(path, kind) => match self.open(&path, kind, peer.config()) {
                Ok(socket) => self.links.push(Link { path, socket, open: false, backlog: VecDeque::new() }),
                Err(error) => {
                    tracing::debug!(?path, %error, "no connection");
                    peer.stream_closed(now, &path);
                }
            },
            Request::CloseStream(path) => self.links.retain(|link| link.path != path),
        }
    }

    /// In a thread of its own: the system's resolver waits.
    fn resolve(&self, server: ServerId, name: String, wake: Option<Waker>) {
        let (sender, news) = (self.resolved.0.clone(), Arc::clone(&self.news));
        let resolve = move || {
            let found = (name.as_str(), 0_u16).to_socket_addrs();
            if let Err(error) = &found {
                tracing::debug!(%name, %error, "not resolved");
            }
            let addresses = found.into_iter().flatten().map(|address| address.ip()).collect();
            let _ = sender.send((server, addresses));
            news.store(true, Ordering::Release);
            if let Some(waker) = wake {
                waker.wake();
            }
        };
        if let Err(error) = std::thread::Builder::new().name("weft resolver".to_owned()).spawn(resolve) {
            tracing::debug!(%error, "no thread to resolve a name");
            let _ = self.resolved.0.send((server, Vec::new()));
        }
    }

    fn open(&mut self, path: &Path, kind: StreamKind, config: &Config) -> io::Result<T> {
        let stream = match kind {
            StreamKind::Peer => StreamConfig::tcp(Framing::Rfc4571),
            StreamKind::Turn => StreamConfig::tcp(Framing::Turn),
            StreamKind::TurnTls(name) => StreamConfig::tls(Framing::Turn, self.tls(config)?, name),
        };
        T::connect(Some(path.local), path.remote, &stream)
    }

    fn tls(&mut self, config: &Config) -> io::Result<Arc<TlsConfig>> {
        if let Some(tls) = &self.tls {
            return Ok(Arc::clone(tls));
        }
        let roots = Roots::SystemAnd(config.tls_roots.clone());
        let tls = Arc::new(TlsConfig::new(&roots).map_err(io::Error::other)?);
        Ok(Arc::clone(self.tls.insert(tls)))
    }

    /// Connects, writes and reads. True if the connection may have something to ask for now.
    fn pump(&mut self, now: Instant, peer: &mut PeerConnection) -> bool {
        let mut news = false;
        let mut at = 0;
        while let Some(link) = self.links.get_mut(at) {
            match link.pump(now, peer) {
                Ok(moved) => {
                    news |= moved;
                    at += 1;
                }
                Err(error) => {
                    tracing::debug!(path = ?link.path, %error, "the connection ended");
                    let path = link.path;
                    self.links.remove(at);
                    peer.stream_closed(now, &path);
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

    /// Lets go of all connections.
    pub(crate) fn clear(&mut self) {
        self.links.clear();
    }
}

impl<T: Stream> Link<T> {
    fn pump(&mut self, now: Instant, peer: &mut PeerConnection) -> io::Result<bool> {
        let mut news = false;
        if !self.open {
            if !self.socket.try_connect()? {
                return Ok(false);
            }
            self.open = true;
            news = true;
            peer.stream_opened(now, &self.path);
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
            peer.handle_input(now, Datagram { path: self.path, ..datagram });
            news = true;
        }
        Ok(news)
    }
}

#[cfg(feature = "tokio")]
impl Streams<weft_net::AsyncStreamSocket> {
    /// Whether a connection has something to do; the task is woken when one does.
    pub(crate) fn poll_ready(&self, cx: &mut std::task::Context<'_>) -> bool {
        let mut ready = self.news.load(Ordering::Acquire);
        for link in &self.links {
            ready |= link.socket.poll_recv_ready(cx).is_ready();
            let writes = !link.open || link.socket.wants_write() || !link.backlog.is_empty();
            ready |= writes && link.socket.poll_send_ready(cx).is_ready();
        }
        ready
    }
}

fn blocked<T>(outcome: io::Result<T>) -> io::Result<Option<T>> {
    match outcome {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(error),
    }
}
