//! Where peers connect to: passive candidates of ICE-TCP.

use std::io;
use std::net::{SocketAddr, TcpListener};

use socket2::{Domain, Protocol, Socket, Type};

use super::socket::{Framing, StreamSocket};

/// Connections that wait to be accepted, at most.
const BACKLOG: i32 = 16;

/// A non-blocking listener.
#[derive(Debug)]
pub struct StreamListener {
    pub(super) io: TcpListener,
    pub(super) bound: SocketAddr,
    pub(super) framing: Framing,
}

impl StreamListener {
    /// Listens at `address`; one bound to an IPv6 address serves IPv6 alone.
    ///
    /// # Errors
    /// As the system's `socket`, `bind` and `listen`.
    pub fn bind(address: SocketAddr, framing: Framing) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        if address.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        let io: TcpListener = socket.into();
        Ok(Self { bound: io.local_addr()?, io, framing })
    }

    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.bound
    }

    /// The next connection.
    ///
    /// # Errors
    /// [`WouldBlock`](io::ErrorKind::WouldBlock): nobody waits.
    pub fn try_accept(&self) -> io::Result<StreamSocket> {
        loop {
            match self.io.accept() {
                Ok((io, remote)) => return StreamSocket::accepted(io, remote, self.framing),
                // It was ended before it was accepted.
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// The socket below, to wait for it with `poll`.
    pub fn as_std(&self) -> &TcpListener {
        &self.io
    }
}
