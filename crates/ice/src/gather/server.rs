//! STUN and TURN servers as the application names them.

use core::net::{IpAddr, SocketAddr};

use weft_core::{Path, Transport};
pub use weft_stun::Host;
use weft_stun::ServerUrl;

/// Names a server of an agent.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ServerId(pub(crate) u32);

/// What a server is for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ServerKind {
    /// It tells how it sees us (RFC 8489).
    Stun,
    /// It relays (RFC 8656), for those who have credentials; `None` for one that asks nobody.
    Turn(Option<weft_stun::Credentials>),
}

/// A server to gather candidates from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Server {
    /// Where it is.
    pub host: Host,
    /// Its port.
    pub port: u16,
    /// What it is reached by. A STUN server: UDP.
    pub transport: Transport,
    /// What it is for.
    pub kind: ServerKind,
}

impl Server {
    /// A STUN server, reached by UDP.
    pub const fn stun(host: Host, port: u16) -> Self {
        Self { host, port, transport: Transport::Udp, kind: ServerKind::Stun }
    }

    /// A TURN server.
    pub const fn turn(host: Host, port: u16, transport: Transport, credentials: weft_stun::Credentials) -> Self {
        Self { host, port, transport, kind: ServerKind::Turn(Some(credentials)) }
    }

    /// The server of a URL (RFC 7064, RFC 7065). `credentials` are for `turn:` and `turns:`.
    ///
    /// # Errors
    /// [`ServerError::Transport`] for `stuns:`.
    pub fn from_url(url: &ServerUrl, credentials: Option<weft_stun::Credentials>) -> Result<Self, ServerError> {
        let kind = if url.scheme().is_turn() { ServerKind::Turn(credentials) } else { ServerKind::Stun };
        let server = Self { host: url.host().clone(), port: url.port(), transport: url.transport(), kind };
        server.check()?;
        Ok(server)
    }

    /// Whether there can be such a server.
    pub(crate) fn check(&self) -> Result<(), ServerError> {
        let by_udp = self.transport == Transport::Udp;
        match self.kind {
            _ if self.port == 0 => Err(ServerError::Port),
            ServerKind::Stun if !by_udp => Err(ServerError::Transport),
            _ => Ok(()),
        }
    }

    pub(crate) const fn is_turn(&self) -> bool {
        matches!(self.kind, ServerKind::Turn(_))
    }

    /// The way to it at `remote` from our UDP address `base`. A connection has a port of its own, not known yet.
    pub(crate) fn path(&self, base: SocketAddr, remote: SocketAddr) -> Path {
        let mut local = base;
        if self.transport != Transport::Udp {
            local.set_port(0);
        }
        Path { transport: self.transport, local, remote }
    }
}

impl From<SocketAddr> for Server {
    /// A STUN server at this address.
    fn from(address: SocketAddr) -> Self {
        Self::stun(Host::Ip(address.ip()), address.port())
    }
}

/// Why a server was not taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// There are as many as [`Config`](crate::Config) allows.
    #[error("too many servers")]
    TooMany,
    /// STUN servers are asked by UDP alone: what they see of a TCP connection is of no use to a peer.
    #[error("a STUN server is reached by UDP")]
    Transport,
    /// Port 0.
    #[error("a server has no port 0")]
    Port,
}

/// A server and its addresses.
#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) id: ServerId,
    pub(crate) server: Server,
    /// Whether the addresses are all there are.
    pub(crate) resolved: bool,
    /// It is asked no more, and stays for what it has given.
    pub(crate) retired: bool,
    pub(crate) addresses: Vec<IpAddr>,
}

/// Addresses of one name that are asked, of each family: the others would tell the same.
const MAX_ADDRESSES: usize = 2;

impl Known {
    /// More addresses of the name: the first few of each family.
    pub(crate) fn take(&mut self, addresses: &[IpAddr]) {
        for ip in addresses {
            let of_family = self.addresses.iter().filter(|known| known.is_ipv4() == ip.is_ipv4()).count();
            if of_family < MAX_ADDRESSES && !self.addresses.contains(ip) && !ip.is_unspecified() && !ip.is_multicast() {
                self.addresses.push(*ip);
            }
        }
    }
}
