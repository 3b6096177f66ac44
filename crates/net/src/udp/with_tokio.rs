//! The socket with readiness through tokio.

use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll};

use tokio::io::Interest;
use weft_core::{Limits, Path, Run};

use super::socket::{Core, UdpSocket, UdpStats};
use crate::RecvBuffer;

/// A [`UdpSocket`] whose readiness tokio tells.
///
/// Use it as the plain one: call [`try_recv`](Self::try_recv) and [`try_send`](Self::try_send) until they would block,
/// then await [`readable`](Self::readable) or [`writable`](Self::writable). A call that would block clears the
/// readiness, so that the next wait really waits. Of a new socket nothing is known: its first calls may block until it
/// has been waited for.
#[derive(Debug)]
pub struct AsyncUdpSocket {
    io: tokio::net::UdpSocket,
    core: Core,
}

impl AsyncUdpSocket {
    /// Hands the socket to tokio.
    ///
    /// # Errors
    /// If tokio's reactor does not take it.
    ///
    /// # Panics
    /// Outside a tokio runtime with I/O enabled, as [`tokio::net::UdpSocket::from_std`].
    pub fn new(socket: UdpSocket) -> io::Result<Self> {
        let UdpSocket { io, core } = socket;
        Ok(Self { io: tokio::net::UdpSocket::from_std(io)?, core })
    }

    /// As [`UdpSocket::local_addr`].
    pub fn local_addr(&self) -> SocketAddr {
        self.core.bound
    }

    /// As [`UdpSocket::limits`].
    pub fn limits(&self) -> Limits {
        self.core.limits()
    }

    /// As [`UdpSocket::stats`].
    pub fn stats(&self) -> UdpStats {
        self.core.stats()
    }

    /// As [`UdpSocket::try_send`].
    ///
    /// # Errors
    /// As [`UdpSocket::try_send`].
    pub fn try_send(&self, run: &Run<Path>, bytes: &[u8]) -> io::Result<()> {
        self.io.try_io(Interest::WRITABLE, || self.core.send(&self.io, run, bytes))
    }

    /// As [`UdpSocket::try_recv`]. A call after which `buffer` [was not filled](RecvBuffer::was_filled) clears the readiness,
    /// too: nothing is left, and no further call is needed to learn that.
    ///
    /// # Errors
    /// As [`UdpSocket::try_recv`].
    pub fn try_recv(&self, buffer: &mut RecvBuffer) -> io::Result<usize> {
        let mut last = None;
        let outcome = self.io.try_io(Interest::READABLE, || {
            let datagrams = self.core.recv(&self.io, buffer)?;
            if datagrams == 0 || buffer.was_filled() {
                return Ok(datagrams);
            }
            // The system went on until it would have blocked. What arrives from then on is a new event, and one that has come
            // already stays: tokio forgets only the readiness that this call began with.
            last = Some(datagrams);
            Err(io::ErrorKind::WouldBlock.into())
        });
        last.map_or(outcome, Ok)
    }

    /// As [`try_recv`](Self::try_recv), but asks the system even if tokio has not said that something has arrived, and leaves
    /// the readiness as it is: for callers that ask again and again instead of waiting.
    ///
    /// # Errors
    /// As [`UdpSocket::try_recv`].
    pub fn recv_now(&self, buffer: &mut RecvBuffer) -> io::Result<usize> {
        self.core.recv(&self.io, buffer)
    }

    /// Waits until something has arrived. May be dropped and awaited again.
    ///
    /// # Errors
    /// If the runtime shuts down.
    pub async fn readable(&self) -> io::Result<()> {
        self.io.readable().await
    }

    /// Waits until there is room to send. May be dropped and awaited again.
    ///
    /// # Errors
    /// If the runtime shuts down.
    pub async fn writable(&self) -> io::Result<()> {
        self.io.writable().await
    }

    /// As [`readable`](Self::readable), to be polled by one task at a time: the last waker is the one that is woken.
    ///
    /// # Errors
    /// If the runtime shuts down.
    pub fn poll_recv_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.io.poll_recv_ready(cx)
    }

    /// As [`writable`](Self::writable), to be polled by one task at a time: the last waker is the one that is woken.
    ///
    /// # Errors
    /// If the runtime shuts down.
    pub fn poll_send_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.io.poll_send_ready(cx)
    }
}
