//! TCP connections that peers open, until it is clear whom they are for (RFC 6544).

use std::io;
use std::task::{Context, Poll};

use weft_core::{Datagram, Instant, Path, Transport};
use weft_net::{AsyncStreamListener, AsyncStreamSocket};

use super::driver::Driver;
use crate::io::STRANGER_TIMEOUT;

/// Connections of nobody, at most; the oldest gives way.
const MAX_STRANGERS: usize = 256;

/// The listeners, and connections by which nothing has come yet that tells whose they are.
#[derive(Debug)]
pub(super) struct Listeners {
    all: Vec<AsyncStreamListener>,
    strangers: Vec<Stranger>,
}

#[derive(Debug)]
struct Stranger {
    path: Path,
    socket: AsyncStreamSocket,
    until: Instant,
}

/// What became of a stranger.
enum Verdict {
    /// Nothing has come.
    Unknown,
    /// It is gone, or makes no sense.
    Over,
    /// It is for this connection.
    Of(u64),
}

impl Listeners {
    pub(super) fn new(all: Vec<AsyncStreamListener>) -> Self {
        Self { all, strangers: Vec::new() }
    }

    pub(super) fn push(&mut self, listener: AsyncStreamListener) {
        self.all.push(listener);
    }

    pub(super) fn retain(&mut self, keep: impl Fn(std::net::SocketAddr) -> bool) {
        self.all.retain(|listener| keep(listener.local_addr()));
        self.strangers.retain(|stranger| keep(stranger.path.local));
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.strangers.iter().map(|stranger| stranger.until).min()
    }
}

impl Driver {
    /// Takes connections, and gives each to the peer connection that its first check names.
    pub(super) fn accept(&mut self, now: Instant, cx: &mut Context<'_>) {
        if self.listeners.all.is_empty() {
            return;
        }
        for listener in &self.listeners.all {
            while let Poll::Ready(accepted) = listener.poll_accept(cx) {
                let socket = match accepted {
                    Ok(socket) => socket,
                    Err(error) => {
                        tracing::debug!(%error, "a connection was not taken");
                        break;
                    }
                };
                let remote = socket.path().remote;
                let path = Path { transport: Transport::Tcp, local: listener.local_addr(), remote };
                if self.listeners.strangers.len() >= MAX_STRANGERS {
                    self.listeners.strangers.remove(0);
                }
                self.listeners.strangers.push(Stranger { path, socket, until: now + STRANGER_TIMEOUT });
            }
        }
        let mut at = 0;
        while let Some(stranger) = self.listeners.strangers.get_mut(at) {
            let mut verdict = Verdict::Unknown;
            while stranger.socket.poll_recv_ready(cx).is_ready() {
                match stranger.socket.try_recv() {
                    Ok(datagram) => {
                        let datagram = Datagram { path: stranger.path, ..datagram };
                        verdict = self.connections.deliver(now, datagram).map_or(Verdict::Over, Verdict::Of);
                        break;
                    }
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    Err(_) => {
                        verdict = Verdict::Over;
                        break;
                    }
                }
            }
            match verdict {
                Verdict::Unknown if stranger.until > now => at += 1,
                Verdict::Unknown | Verdict::Over => {
                    self.listeners.strangers.remove(at);
                }
                Verdict::Of(key) => {
                    let Stranger { path, socket, until } = self.listeners.strangers.remove(at);
                    if let Some(evicted) = self.streams.entry(key).or_default().adopt(path, socket, until) {
                        self.connections.act(key, |core| core.stream_closed(now, &evicted));
                    }
                    self.connections.push_ready(key);
                }
            }
        }
    }
}
