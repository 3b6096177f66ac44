//! TCP connections that peers open, until it is clear whom they are for (RFC 6544).

use std::io;
use std::task::{Context, Poll};
use std::time::Duration;

use weft_core::{Datagram, Instant, Path, Transport};
use weft_net::{AsyncStreamListener, AsyncStreamSocket};

use super::driver::Driver;
use crate::io::STRANGER_TIMEOUT;

/// Connections of nobody, at most; the oldest gives way.
const MAX_STRANGERS: usize = 256;

/// After a refusal of the system's, as when too many files are open, none are taken for so long: the connection still waits, and
/// asking again at once would be refused again.
const PAUSE: Duration = Duration::from_millis(100);

/// The listeners, and connections by which nothing has come yet that tells whose they are.
#[derive(Debug)]
pub(super) struct Listeners {
    all: Vec<AsyncStreamListener>,
    strangers: Vec<Stranger>,
    /// Until when none are taken.
    pause: Option<Instant>,
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
        Self { all, strangers: Vec::new(), pause: None }
    }

    pub(super) fn push(&mut self, listener: AsyncStreamListener) {
        self.all.push(listener);
    }

    pub(super) fn retain(&mut self, keep: impl Fn(std::net::SocketAddr) -> bool) {
        self.all.retain(|listener| keep(listener.local_addr()));
        self.strangers.retain(|stranger| keep(stranger.path.local));
        if self.all.is_empty() {
            self.pause = None;
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.strangers.iter().map(|stranger| stranger.until).chain(self.pause).min()
    }

    /// Takes the connections that wait.
    fn take(&mut self, now: Instant, cx: &mut Context<'_>) {
        if self.pause.is_some_and(|until| until > now) {
            return;
        }
        self.pause = None;
        for listener in &self.all {
            while let Poll::Ready(accepted) = listener.poll_accept(cx) {
                let socket = match accepted {
                    Ok(socket) => socket,
                    Err(error) => {
                        tracing::debug!(%error, "a connection was not taken");
                        self.pause = Some(now + PAUSE);
                        break;
                    }
                };
                let remote = socket.path().remote;
                let path = Path { transport: Transport::Tcp, local: listener.local_addr(), remote };
                if self.strangers.len() >= MAX_STRANGERS {
                    self.strangers.remove(0);
                }
                self.strangers.push(Stranger { path, socket, until: now + STRANGER_TIMEOUT });
            }
        }
    }
}

impl Driver {
    /// Takes connections, and gives each to the peer connection that its first check names.
    pub(super) fn accept(&mut self, now: Instant, cx: &mut Context<'_>) {
        if self.listeners.all.is_empty() {
            return;
        }
        self.listeners.take(now, cx);
        let mut at = 0;
        while let Some(stranger) = self.listeners.strangers.get_mut(at) {
            let mut verdict = Verdict::Unknown;
            while stranger.socket.poll_recv_ready(cx).is_ready() {
                match stranger.socket.try_recv() {
                    Ok(datagram) => {
                        let datagram = Datagram { path: stranger.path, ..datagram };
                        verdict = self.connections.deliver(now, datagram, false).map_or(Verdict::Over, Verdict::Of);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_listeners_nothing_is_waited_for() {
        let mut listeners = Listeners { pause: Some(Instant::ORIGIN), ..Listeners::new(Vec::new()) };
        listeners.retain(|_| false);
        assert_eq!(listeners.poll_timeout(), None);
    }
}
