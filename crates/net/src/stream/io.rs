//! Opening TCP sockets without waiting.

use std::io;
use std::net::{SocketAddr, TcpStream};

use socket2::{Domain, Protocol, SockRef, Socket, Type};

/// Starts to connect: from `local` (port 0 lets the system choose; `None` chooses the address, too).
pub(super) fn connect(local: Option<SocketAddr>, remote: SocketAddr) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(remote), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    socket.set_tcp_nodelay(true)?;
    if let Some(local) = local {
        if local.port() != 0 {
            socket.set_reuse_address(true)?;
        }
        socket.bind(&local.into())?;
    }
    match socket.connect(&remote.into()) {
        Ok(()) => {}
        Err(error) if is_in_progress(&error) => {}
        Err(error) => return Err(error),
    }
    Ok(socket.into())
}

fn is_in_progress(error: &io::Error) -> bool {
    #[cfg(unix)]
    let in_progress = error.raw_os_error() == Some(rustix::io::Errno::INPROGRESS.raw_os_error());
    #[cfg(not(unix))]
    let in_progress = false;
    in_progress || error.kind() == io::ErrorKind::WouldBlock
}

/// Whether the connection is made.
///
/// # Errors
/// Why it was not.
pub(super) fn is_connected(stream: &TcpStream) -> io::Result<bool> {
    connected(stream.peer_addr(), SockRef::from(stream).take_error())
}

pub(super) fn connected(peer: io::Result<SocketAddr>, error: io::Result<Option<io::Error>>) -> io::Result<bool> {
    if let Some(error) = error? {
        return Err(error);
    }
    match peer {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(false),
        Err(error) => Err(error),
    }
}
