//! Candidates, their priorities and foundations: RFC 8445 section 5.1.

use core::fmt;
use core::net::{IpAddr, SocketAddr};

use weft_core::Transport;

use crate::error::CandidateError;

/// How a TCP candidate makes its connections (RFC 6544 section 3). Simultaneous open is not offered.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum TcpType {
    /// Opens a connection from a port of its own; what it signals is port 9.
    Active,
    /// Takes connections.
    Passive,
}

impl TcpType {
    /// Its name in SDP (RFC 6544 section 4.5).
    pub const fn token(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Passive => "passive",
        }
    }

    /// What it pairs with (RFC 6544 section 6.2).
    #[must_use]
    pub const fn opposite(self) -> Self {
        match self {
            Self::Active => Self::Passive,
            Self::Passive => Self::Active,
        }
    }

    /// Its part of the local preference (RFC 6544 section 4.2).
    const fn direction_preference(self) -> u16 {
        match self {
            Self::Active => 6,
            Self::Passive => 4,
        }
    }
}

/// What a candidate is (RFC 8445 section 4).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum CandidateKind {
    /// An address of an interface.
    Host,
    /// What a STUN server saw.
    ServerReflexive,
    /// What the peer saw.
    PeerReflexive,
    /// An address on a TURN server.
    Relayed,
}

impl CandidateKind {
    /// The type preference that RFC 8445 section 5.1.2.2 recommends for UDP.
    pub const fn preference(self) -> u32 {
        match self {
            Self::Host => 126,
            Self::PeerReflexive => 110,
            Self::ServerReflexive => 100,
            Self::Relayed => 0,
        }
    }

    /// The type preference of a candidate of this kind: TCP comes after all that reaches the peer directly by UDP
    /// (RFC 6544 section 4.2).
    pub(crate) const fn preference_over(self, transport: Transport) -> u32 {
        match (self, transport) {
            (_, Transport::Udp) | (Self::Relayed, _) => self.preference(),
            (Self::Host, _) => 90,
            (Self::PeerReflexive, _) => 80,
            (Self::ServerReflexive, _) => 70,
        }
    }

    /// Its name in SDP (RFC 8839 section 5.1).
    pub const fn token(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::ServerReflexive => "srflx",
            Self::PeerReflexive => "prflx",
            Self::Relayed => "relay",
        }
    }
}

/// Up to 32 characters that are equal for candidates which likely behave alike (RFC 8445 section 5.1.1.3).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Foundation {
    bytes: [u8; Self::MAX],
    len: u8,
}

impl Foundation {
    /// The longest, in characters.
    pub const MAX: usize = 32;

    /// A foundation of 1 to 32 ice-chars.
    pub fn new(text: &str) -> Option<Self> {
        let sound = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/');
        (sound && !text.is_empty()).then(|| Self::from_bytes(text.as_bytes())).flatten()
    }

    /// The `n`th of our own.
    pub(crate) fn local(n: usize) -> Self {
        Self::numbered(b"", n)
    }

    /// One that no peer can signal, for the `n`th peer-reflexive remote candidate (RFC 8445 section 7.3.1.3).
    pub(crate) fn peer_reflexive(n: usize) -> Self {
        Self::numbered(b"~", n)
    }

    fn numbered(prefix: &[u8], mut n: usize) -> Self {
        let mut digits = [0; Self::MAX];
        let mut at = Self::MAX;
        loop {
            at = at.saturating_sub(1);
            if let Some(digit) = digits.get_mut(at) {
                *digit = b'0' + (n % 10) as u8;
            }
            n /= 10;
            if n == 0 {
                break;
            }
        }
        at = at.saturating_sub(prefix.len());
        if let Some(out) = digits.get_mut(at..at + prefix.len()) {
            out.copy_from_slice(prefix);
        }
        Self::from_bytes(digits.get(at..).unwrap_or_default()).unwrap_or(Self { bytes: [0; Self::MAX], len: 0 })
    }

    fn from_bytes(text: &[u8]) -> Option<Self> {
        let mut bytes = [0; Self::MAX];
        bytes.get_mut(..text.len())?.copy_from_slice(text);
        Some(Self { bytes, len: text.len() as u8 })
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        self.bytes.get(..usize::from(self.len)).and_then(|bytes| core::str::from_utf8(bytes).ok()).unwrap_or_default()
    }
}

impl fmt::Debug for Foundation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Foundation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The only component there is: everything is multiplexed.
pub(crate) const COMPONENT: u16 = 1;

/// A candidate as it is signalled.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Candidate {
    /// Its foundation.
    pub foundation: Foundation,
    /// Its component; only 1 is used.
    pub component: u16,
    /// What carries it.
    pub transport: Transport,
    /// 1 to 2^31 - 1.
    pub priority: u32,
    /// Where it is reached.
    pub address: SocketAddr,
    /// What it is.
    pub kind: CandidateKind,
    /// For diagnosis: the base of a reflexive one, the mapped address of a relayed one.
    pub related: Option<SocketAddr>,
    /// How a TCP candidate makes its connections; `None` for UDP.
    pub tcp_type: Option<TcpType>,
}

/// A candidate of ours as the caller describes it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LocalCandidate {
    /// What it is; never peer-reflexive.
    pub kind: CandidateKind,
    /// What carries it.
    pub transport: Transport,
    /// Where the peer reaches it.
    pub address: SocketAddr,
    /// Where it is sent from: the socket's own address, or the relayed address itself.
    pub base: SocketAddr,
    /// The STUN or TURN server it came from.
    pub server: Option<IpAddr>,
    /// Preference among those of its kind, 0 to 65535. Without one the first IPv6 address comes before the first IPv4
    /// address, and so on in turns (RFC 8421 section 4). Of a TCP candidate only the low 13 bits count.
    pub preference: Option<u16>,
    /// How a TCP candidate makes its connections; `None` for UDP.
    pub tcp_type: Option<TcpType>,
}

impl LocalCandidate {
    /// A socket of ours.
    pub const fn host(base: SocketAddr) -> Self {
        Self {
            kind: CandidateKind::Host,
            transport: Transport::Udp,
            address: base,
            base,
            server: None,
            preference: None,
            tcp_type: None,
        }
    }

    /// Opens TCP connections from `ip`: an active candidate (RFC 6544 section 4.1).
    pub const fn tcp_active(ip: IpAddr) -> Self {
        Self {
            transport: Transport::Tcp,
            tcp_type: Some(TcpType::Active),
            base: SocketAddr::new(ip, 0),
            ..Self::host(SocketAddr::new(ip, DISCARD))
        }
    }

    /// Takes TCP connections at `base`, a listening socket: a passive candidate (RFC 6544 section 4.1).
    pub const fn tcp_passive(base: SocketAddr) -> Self {
        Self { transport: Transport::Tcp, tcp_type: Some(TcpType::Passive), ..Self::host(base) }
    }

    /// What a STUN `server` saw of the socket `base`.
    pub const fn server_reflexive(address: SocketAddr, base: SocketAddr, server: IpAddr) -> Self {
        Self {
            kind: CandidateKind::ServerReflexive,
            transport: Transport::Udp,
            address,
            base,
            server: Some(server),
            preference: None,
            tcp_type: None,
        }
    }
}

/// `(2^24)*(type preference) + (2^8)*(local preference) + (256 - component ID)` (RFC 8445 section 5.1.2.1).
pub(crate) const fn priority(kind: CandidateKind, transport: Transport, local_preference: u16) -> u32 {
    (kind.preference_over(transport) << 24) | ((local_preference as u32) << 8) | (256 - COMPONENT as u32)
}

/// `(2^13) * direction-pref + other-pref` (RFC 6544 section 4.2).
pub(crate) const fn tcp_preference(tcp_type: TcpType, other: u16) -> u16 {
    (tcp_type.direction_preference() << 13) | (other & 0x1FFF)
}

/// The port of an active candidate (RFC 6544 section 4.5).
pub(crate) const DISCARD: u16 = 9;

/// Whether two addresses are the same for ICE: scope and flow of IPv6 are matters of this host alone.
pub(crate) fn same(a: SocketAddr, b: SocketAddr) -> bool {
    a.port() == b.port() && a.ip() == b.ip()
}

/// Whether something can be sent to or from `address`.
pub(crate) fn check_address(address: SocketAddr) -> Result<(), CandidateError> {
    let ip = address.ip();
    let broadcast = matches!(ip, IpAddr::V4(v4) if v4.is_broadcast());
    // Another address in disguise, which no test for that one would see (RFC 8445 section 5.1.1.1).
    let mapped = matches!(ip, IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some());
    if address.port() == 0 || ip.is_unspecified() || ip.is_multicast() || broadcast || mapped {
        Err(CandidateError::Address)
    } else {
        Ok(())
    }
}
