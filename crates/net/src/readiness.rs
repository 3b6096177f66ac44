//! Readiness through tokio for sockets that are read elsewhere.

use std::io;
use std::net::{TcpStream, UdpSocket};
use std::task::{Context, Poll};

use tokio::io::Interest;
use weft_core::Instant;

use crate::interfaces::Interface;
use crate::watcher::{Changes, InterfaceWatcher};

/// Tells a task when a socket has something to read, or, for TCP, room to write. Whoever reads the socket does so until it
/// would block: readiness is told once for all that waits.
#[derive(Debug)]
pub struct Readiness(Io);

#[derive(Debug)]
enum Io {
    Udp(tokio::net::UdpSocket),
    Tcp(tokio::net::TcpStream),
}

impl Readiness {
    /// Watches a non-blocking UDP socket.
    ///
    /// # Errors
    /// If the socket cannot be cloned, or tokio's reactor does not take it.
    ///
    /// # Panics
    /// Outside a tokio runtime with I/O enabled.
    pub fn udp(socket: &UdpSocket) -> io::Result<Self> {
        Ok(Self(Io::Udp(tokio::net::UdpSocket::from_std(socket.try_clone()?)?)))
    }

    /// Watches a non-blocking TCP socket.
    ///
    /// # Errors
    /// As [`udp`](Self::udp).
    ///
    /// # Panics
    /// As [`udp`](Self::udp).
    pub fn tcp(socket: &TcpStream) -> io::Result<Self> {
        Ok(Self(Io::Tcp(tokio::net::TcpStream::from_std(socket.try_clone()?)?)))
    }

    /// Whether the socket may have become ready since the last call; if not, the task is woken when it does. To be polled by one
    /// task at a time.
    pub fn poll_ready(&self, cx: &mut Context<'_>) -> bool {
        let mut ready = false;
        loop {
            // Taken for read already: what comes from now on makes it ready again.
            let taken = || -> io::Result<()> { Err(io::ErrorKind::WouldBlock.into()) };
            let one = match &self.0 {
                Io::Udp(socket) => match socket.poll_recv_ready(cx) {
                    Poll::Ready(Ok(())) => socket.try_io(Interest::READABLE, taken).is_err(),
                    // The runtime shuts down.
                    Poll::Ready(Err(_)) => return ready,
                    Poll::Pending => false,
                },
                Io::Tcp(socket) => {
                    let reads = match socket.poll_read_ready(cx) {
                        Poll::Ready(Ok(())) => socket.try_io(Interest::READABLE, taken).is_err(),
                        Poll::Ready(Err(_)) => return ready,
                        Poll::Pending => false,
                    };
                    let writes = match socket.poll_write_ready(cx) {
                        Poll::Ready(Ok(())) => socket.try_io(Interest::WRITABLE, taken).is_err(),
                        Poll::Ready(Err(_)) => return ready,
                        Poll::Pending => false,
                    };
                    reads || writes
                }
            };
            if !one {
                return ready;
            }
            ready = true;
        }
    }
}

/// An [`InterfaceWatcher`] whose readiness tokio tells, where the kernel tells of changes.
#[derive(Debug)]
pub struct AsyncInterfaceWatcher {
    watcher: InterfaceWatcher,
    told: Option<Readiness>,
}

impl AsyncInterfaceWatcher {
    /// Hands the watcher to tokio.
    ///
    /// # Errors
    /// If tokio's reactor does not take it.
    ///
    /// # Panics
    /// Outside a tokio runtime with I/O enabled.
    pub fn new(watcher: InterfaceWatcher) -> io::Result<Self> {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        let told = match watcher.socket() {
            // Nothing is sent or received by it but readiness, which is the same for all kinds of sockets.
            Some(fd) => Some(Readiness::udp(&UdpSocket::from(fd.try_clone_to_owned()?))?),
            None => None,
        };
        #[cfg(not(any(target_os = "linux", target_os = "android")))]
        let told = None;
        Ok(Self { watcher, told })
    }

    /// As [`InterfaceWatcher::poll`]; the task is woken when the kernel tells of a change.
    ///
    /// # Errors
    /// As [`InterfaceWatcher::poll`].
    pub fn poll(&mut self, now: Instant, cx: &mut Context<'_>) -> io::Result<Changes> {
        if self.told.as_ref().is_some_and(|told| !told.poll_ready(cx)) && self.poll_timeout().is_none_or(|at| at > now)
        {
            return Ok(Changes::default());
        }
        self.watcher.poll(now)
    }

    /// As [`InterfaceWatcher::interfaces`].
    pub fn interfaces(&self) -> &[Interface] {
        self.watcher.interfaces()
    }

    /// As [`InterfaceWatcher::poll_timeout`].
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.watcher.poll_timeout()
    }
}
