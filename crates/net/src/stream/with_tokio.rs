//! The stream with readiness through tokio.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::task::{Context, Poll};

use socket2::SockRef;
use weft_core::{Datagram, Path, Run};

use super::connection::Connection;
use super::io::connected;
use super::listener::StreamListener;
use super::socket::{Framing, StreamConfig, StreamSocket, StreamStats};

/// A [`StreamSocket`] whose readiness tokio tells. It is used as that one.
#[derive(Debug)]
pub struct AsyncStreamSocket {
    io: tokio::net::TcpStream,
    core: Connection,
}

/// tokio's stream as the traits that rustls and others write to; what would block clears the readiness.
struct Try<'s>(&'s tokio::net::TcpStream);

impl Read for Try<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.0.try_read(buf)
    }
}

impl Write for Try<'_> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.0.try_write(buf)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl AsyncStreamSocket {
    /// As [`StreamSocket::connect`].
    ///
    /// # Errors
    /// As [`StreamSocket::connect`], or if tokio's reactor does not take the socket.
    ///
    /// # Panics
    /// Outside a tokio runtime with I/O enabled.
    pub fn connect(local: Option<SocketAddr>, remote: SocketAddr, config: &StreamConfig) -> io::Result<Self> {
        Self::new(StreamSocket::connect(local, remote, config)?)
    }

    /// Hands the socket to tokio.
    ///
    /// # Errors
    /// If tokio's reactor does not take it.
    ///
    /// # Panics
    /// Outside a tokio runtime with I/O enabled.
    pub fn new(socket: StreamSocket) -> io::Result<Self> {
        let StreamSocket { io, core } = socket;
        Ok(Self { io: tokio::net::TcpStream::from_std(io)?, core })
    }

    /// As [`StreamSocket::path`].
    pub fn path(&self) -> Path {
        self.core.path
    }

    /// As [`StreamSocket::try_connect`].
    ///
    /// # Errors
    /// As [`StreamSocket::try_connect`].
    pub fn try_connect(&mut self) -> io::Result<bool> {
        if !self.core.connected {
            self.core.connected = connected(self.io.peer_addr(), self.io.take_error())?;
            self.core.path.local = self.io.local_addr()?;
        }
        self.core.advance(&mut Try(&self.io))?;
        Ok(self.core.is_open())
    }

    /// As [`StreamSocket::is_open`].
    pub fn is_open(&self) -> bool {
        self.core.is_open()
    }

    /// As [`StreamSocket::try_send`].
    ///
    /// # Errors
    /// As [`StreamSocket::try_send`].
    pub fn try_send(&mut self, run: &Run<Path>, bytes: &[u8]) -> io::Result<()> {
        self.core.send(&mut Try(&self.io), run.segment_size, bytes)
    }

    /// As [`StreamSocket::try_recv`].
    ///
    /// # Errors
    /// As [`StreamSocket::try_recv`].
    pub fn try_recv(&mut self) -> io::Result<Datagram<'_>> {
        if !self.core.is_open() && !self.try_connect()? {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.core.recv(&mut Try(&self.io))
    }

    /// As [`StreamSocket::wants_write`].
    pub fn wants_write(&self) -> bool {
        self.core.wants_write()
    }

    /// As [`StreamSocket::flush`].
    ///
    /// # Errors
    /// As [`StreamSocket::flush`].
    pub fn flush(&mut self) -> io::Result<()> {
        self.core.flush(&mut Try(&self.io))
    }

    /// As [`StreamSocket::try_close`].
    ///
    /// # Errors
    /// As [`StreamSocket::try_close`].
    pub fn try_close(&mut self) -> io::Result<()> {
        let Self { io, core } = self;
        core.end(&mut Try(io), || SockRef::from(&*io).shutdown(Shutdown::Write))
    }

    /// As [`StreamSocket::stats`].
    pub fn stats(&self) -> StreamStats {
        self.core.stats
    }

    /// Waits until something has arrived or the connection has ended. May be dropped and awaited again.
    ///
    /// # Errors
    /// If the runtime shuts down.
    pub async fn readable(&self) -> io::Result<()> {
        self.io.readable().await
    }

    /// Waits until there is room to send, or the connection was made or refused. May be dropped and awaited again.
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
        self.io.poll_read_ready(cx)
    }

    /// As [`writable`](Self::writable), to be polled by one task at a time: the last waker is the one that is woken.
    ///
    /// # Errors
    /// If the runtime shuts down.
    pub fn poll_send_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.io.poll_write_ready(cx)
    }
}

/// A [`StreamListener`] whose readiness tokio tells.
#[derive(Debug)]
pub struct AsyncStreamListener {
    io: tokio::net::TcpListener,
    bound: SocketAddr,
    framing: Framing,
}

impl AsyncStreamListener {
    /// Hands the listener to tokio.
    ///
    /// # Errors
    /// If tokio's reactor does not take it.
    ///
    /// # Panics
    /// Outside a tokio runtime with I/O enabled.
    pub fn new(listener: StreamListener) -> io::Result<Self> {
        let StreamListener { io, bound, framing } = listener;
        Ok(Self { io: tokio::net::TcpListener::from_std(io)?, bound, framing })
    }

    /// As [`StreamListener::local_addr`].
    pub fn local_addr(&self) -> SocketAddr {
        self.bound
    }

    /// The next connection, to be polled by one task at a time.
    ///
    /// # Errors
    /// If the listener is dead.
    pub fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<AsyncStreamSocket>> {
        loop {
            return match self.io.poll_accept(cx) {
                Poll::Ready(Ok((io, remote))) => {
                    let accepted = io.into_std().and_then(|io| StreamSocket::accepted(io, remote, self.framing));
                    Poll::Ready(accepted.and_then(AsyncStreamSocket::new))
                }
                Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::ConnectionAborted => continue,
                Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
                Poll::Pending => Poll::Pending,
            };
        }
    }
}
