//! Where datagrams come from and go to.

use core::fmt;
use core::net::SocketAddr;

/// How bytes travel below a path.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Transport {
    /// One datagram is one UDP datagram.
    Udp,
    /// Datagrams are framed on a TCP stream (RFC 4571).
    Tcp,
    /// As TCP, inside TLS.
    Tls,
}

/// A route between two transport addresses. The pair of ICE, the 5-tuple of everybody else.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Path {
    /// What carries it.
    pub transport: Transport,
    /// Our address: the socket the datagram leaves by, or came in on.
    pub local: SocketAddr,
    /// The other side's address.
    pub remote: SocketAddr,
}

impl Path {
    /// A UDP path.
    pub const fn udp(local: SocketAddr, remote: SocketAddr) -> Self {
        Self { transport: Transport::Udp, local, remote }
    }
}

impl fmt::Debug for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {} -> {}", self.transport, self.local, self.remote)
    }
}

/// Explicit congestion notification codepoint (RFC 3168 section 5).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Ecn {
    /// Not ECN-capable (00). What Weft sends.
    #[default]
    NotEct,
    /// ECT(1) (01).
    Ect1,
    /// ECT(0) (10).
    Ect0,
    /// Congestion experienced (11).
    Ce,
}

impl Ecn {
    /// From the two low bits of the traffic class.
    pub const fn from_bits(bits: u8) -> Self {
        match bits & 3 {
            0 => Self::NotEct,
            1 => Self::Ect1,
            2 => Self::Ect0,
            _ => Self::Ce,
        }
    }
}

/// One datagram that arrived. The payload is lent mutably, so that layers can open it in place.
#[derive(Debug)]
pub struct Datagram<'d> {
    /// The path it came by: `local` is our side.
    pub path: Path,
    /// Its ECN bits.
    pub ecn: Ecn,
    /// Its bytes.
    pub payload: &'d mut [u8],
}

impl<'d> Datagram<'d> {
    /// A datagram without ECN marks.
    pub fn new(path: Path, payload: &'d mut [u8]) -> Self {
        Self { path, ecn: Ecn::NotEct, payload }
    }
}

impl<'d> From<Datagram<'d>> for &'d mut [u8] {
    fn from(datagram: Datagram<'d>) -> Self {
        datagram.payload
    }
}

impl<'d> From<Datagram<'d>> for &'d [u8] {
    fn from(datagram: Datagram<'d>) -> Self {
        datagram.payload
    }
}
