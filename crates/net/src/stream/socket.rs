//! The socket.

use std::io;
use std::net::{Shutdown, SocketAddr, TcpStream};
#[cfg(feature = "tls")]
use std::sync::Arc;

use weft_core::{Datagram, Path, Run};

use super::connection::Connection;
use super::io::{connect, is_connected};

/// How datagrams lie in the stream.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Framing {
    /// Behind two bytes of length each: ICE-TCP (RFC 4571, RFC 6544).
    #[default]
    Rfc4571,
    /// End to end, for they tell their own length: STUN and, with its padding, ChannelData (RFC 8489 section 6.2.2, RFC 8656
    /// section 12.5).
    Turn,
}

impl Framing {
    /// Bytes of frame before the datagram that `bytes` begin with, and its length; `None` until that can be told.
    ///
    /// # Errors
    /// If they are neither STUN nor ChannelData: the stream is out of step.
    pub(super) fn measure(self, bytes: &[u8]) -> io::Result<Option<(usize, usize)>> {
        if self == Self::Rfc4571 {
            let length = bytes.first_chunk::<2>();
            return Ok(length.map(|&length| (2, usize::from(u16::from_be_bytes(length)))));
        }
        let Some(&[first, _, l0, l1]) = bytes.first_chunk::<4>() else { return Ok(None) };
        let length = usize::from(u16::from_be_bytes([l0, l1]));
        match first {
            0..64 => Ok(Some((0, 20 + length))),
            64..80 => Ok(Some((0, 4 + length.next_multiple_of(4)))),
            _ => Err(io::Error::new(io::ErrorKind::InvalidData, "neither STUN nor ChannelData")),
        }
    }
}

/// How to set up a [`StreamSocket`].
#[derive(Clone, Debug, Default)]
pub struct StreamConfig {
    /// How datagrams lie in the stream.
    pub framing: Framing,
    /// Speak TLS, with a server of this name (or address).
    #[cfg(feature = "tls")]
    pub tls: Option<(Arc<super::TlsConfig>, String)>,
}

impl StreamConfig {
    /// Over TCP.
    pub fn tcp(framing: Framing) -> Self {
        Self {
            framing,
            #[cfg(feature = "tls")]
            tls: None,
        }
    }

    /// Over TLS with the server `name`, which its certificate must be for: a host name or an IP address.
    #[cfg(feature = "tls")]
    pub fn tls(framing: Framing, config: Arc<super::TlsConfig>, name: impl Into<String>) -> Self {
        Self { framing, tls: Some((config, name.into())) }
    }
}

/// What a stream did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct StreamStats {
    /// Datagrams taken to be sent.
    pub sent: u64,
    /// Datagrams that arrived.
    pub received: u64,
}

/// Datagrams over a non-blocking TCP or TLS connection, as [`UdpSocket`](crate::UdpSocket) has them over UDP.
///
/// Nothing here waits: [`connect`](Self::connect) only starts, and every call goes as far as it can. A polled driver calls
/// [`try_recv`](Self::try_recv) until it would block, and [`flush`](Self::flush) when [`wants_write`](Self::wants_write); one
/// that waits does so for the socket of [`as_std`](Self::as_std).
#[derive(Debug)]
pub struct StreamSocket {
    pub(super) io: TcpStream,
    pub(super) core: Connection,
}

impl StreamSocket {
    /// Starts to connect to `remote`, from `local` if that is given; its port 0 lets the system choose.
    ///
    /// # Errors
    /// As the system's `socket`, `bind` and `connect`, as far as they know at once; and if the name of a TLS server is none.
    pub fn connect(local: Option<SocketAddr>, remote: SocketAddr, config: &StreamConfig) -> io::Result<Self> {
        let io = connect(local, remote)?;
        let core = Connection::new(io.local_addr()?, remote, config)?;
        Ok(Self { io, core })
    }

    /// Takes over a connection that was accepted.
    pub(super) fn accepted(io: TcpStream, remote: SocketAddr, framing: Framing) -> io::Result<Self> {
        io.set_nonblocking(true)?;
        io.set_nodelay(true)?;
        let mut core = Connection::new(io.local_addr()?, remote, &StreamConfig::tcp(framing))?;
        core.connected = true;
        Ok(Self { io, core })
    }

    /// Where it leads: what datagrams that arrive carry as their path.
    pub fn path(&self) -> Path {
        self.core.path
    }

    /// Goes on connecting, TLS handshake included; true once datagrams can be sent.
    ///
    /// # Errors
    /// Why it could not connect, or why the server's certificate was refused.
    pub fn try_connect(&mut self) -> io::Result<bool> {
        if !self.core.connected {
            self.core.connected = is_connected(&self.io)?;
            // Only now is it known for a socket that let the system choose.
            self.core.path.local = self.io.local_addr()?;
        }
        self.core.advance(&mut self.io)?;
        Ok(self.core.is_open())
    }

    /// Whether datagrams can be sent.
    pub fn is_open(&self) -> bool {
        self.core.is_open()
    }

    /// Sends the datagrams of `run`, which are `bytes`. What the system does not take at once is kept and goes out with
    /// [`flush`](Self::flush) or the next call.
    ///
    /// # Errors
    /// [`WouldBlock`](io::ErrorKind::WouldBlock): nothing was taken, because an earlier run waits or it is not open yet.
    /// Anything else: the connection is dead.
    pub fn try_send(&mut self, run: &Run<Path>, bytes: &[u8]) -> io::Result<()> {
        self.core.send(&mut self.io, run.segment_size, bytes)
    }

    /// As [`try_send`](Self::try_send), for one datagram.
    ///
    /// # Errors
    /// As [`try_send`](Self::try_send).
    pub fn try_send_one(&mut self, datagram: &[u8]) -> io::Result<()> {
        self.core.send(&mut self.io, datagram.len(), datagram)
    }

    /// The next datagram that has arrived whole.
    ///
    /// # Errors
    /// [`WouldBlock`](io::ErrorKind::WouldBlock): there is none. [`UnexpectedEof`](io::ErrorKind::UnexpectedEof): the other side has
    /// ended the connection. [`InvalidData`](io::ErrorKind::InvalidData): it sends what is no datagram, or its TLS is broken.
    /// Anything but the first: the connection is dead.
    pub fn try_recv(&mut self) -> io::Result<Datagram<'_>> {
        if !self.core.is_open() && !self.try_connect()? {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.core.recv(&mut self.io)
    }

    /// Whether [`flush`](Self::flush) (or, before it is open, [`try_connect`](Self::try_connect)) is to be called when the socket
    /// is writable.
    pub fn wants_write(&self) -> bool {
        self.core.wants_write()
    }

    /// Writes what waits.
    ///
    /// # Errors
    /// [`WouldBlock`](io::ErrorKind::WouldBlock): some still waits. Anything else: the connection is dead.
    pub fn flush(&mut self) -> io::Result<()> {
        self.core.flush(&mut self.io)
    }

    /// Ends the connection in order: everything that was taken is written, then the goodbye of TLS (close_notify) and of TCP
    /// (FIN), then what comes is read and thrown away until the other side has ended, too. Goes as far as it can; call it again
    /// when the socket is readable or, while [`wants_write`](Self::wants_write), writable. Who has waited long enough drops the
    /// socket. Nothing may be sent after the first call.
    ///
    /// # Errors
    /// [`WouldBlock`](io::ErrorKind::WouldBlock): not everything is written, or the other side has not ended. Anything else: the
    /// connection is dead.
    pub fn try_close(&mut self) -> io::Result<()> {
        let Self { io, core } = self;
        core.end(&mut &*io, || io.shutdown(Shutdown::Write))
    }

    /// What it did so far.
    pub fn stats(&self) -> StreamStats {
        self.core.stats
    }

    /// The socket below, to wait for it with `poll`.
    pub fn as_std(&self) -> &TcpStream {
        &self.io
    }
}
