//! `a=candidate`
//!
//! <https://www.rfc-editor.org/rfc/rfc8839#section-5.1>
//!
//! ```text
//! candidate:<foundation> <component> <transport> <priority> <address> <port> typ <type>
//!           [raddr <address>] [rport <port>] [tcptype <active|passive|so>] (<name> <value>)*
//! ```

use std::fmt;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::str::FromStr;

use super::cursor::{Cursor, is_ice_char, whole};
use crate::error::{Fault, ParseError};

/// A transport address that a peer may be reached at (RFC 8839 5.1; `tcptype` is RFC 6544 4.5).
///
/// Reads with or without a leading `a=` or `candidate:`, as browsers hand candidates over in either form.
///
/// ```
/// use weft_sdp::{Candidate, CandidateType};
///
/// let candidate: Candidate = "candidate:1 1 UDP 2122187007 192.0.2.2 55100 typ host generation 0".parse()?;
/// assert_eq!(candidate.candidate_type, CandidateType::Host);
/// assert_eq!(candidate.extension("generation"), Some("0"));
/// assert_eq!(candidate.to_string(), "candidate:1 1 udp 2122187007 192.0.2.2 55100 typ host generation 0");
/// # Ok::<(), weft_sdp::ParseError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Candidate {
    /// Equal for candidates of the same kind, base and server: 1 to 32 letters, digits, `+` or `/`.
    pub foundation: String,
    /// Component, 1 to 256; data channels have one, 1.
    pub component: u16,
    /// Transport protocol.
    pub transport: CandidateTransport,
    /// Priority, from 1. RFC 8839 ends at 2³¹ − 1; what is above is read all the same.
    pub priority: u32,
    /// Address, or the name of one.
    pub address: Address,
    /// Port.
    pub port: u16,
    /// Kind of candidate.
    pub candidate_type: CandidateType,
    /// `raddr`: the address this one came from; absent for host candidates.
    pub related_address: Option<Address>,
    /// `rport`: the port this one came from; absent for host candidates.
    pub related_port: Option<u16>,
    /// `tcptype`, for TCP candidates.
    pub tcp_type: Option<TcpType>,
    /// Further names and values, in order.
    pub extensions: Vec<(String, String)>,
}

impl Candidate {
    /// The value of the extension of this name.
    pub fn extension(&self, name: &str) -> Option<&str> {
        self.extensions.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// The user name fragment of the ICE generation this belongs to, which some write as an extension.
    pub fn ufrag(&self) -> Option<&str> {
        self.extension("ufrag")
    }

    /// Whether this is known by an address, over a transport and of a type that this crate names. RFC 8839 5.1 asks
    /// to ignore candidates that are not understood.
    pub fn is_known(&self) -> bool {
        !matches!(self.transport, CandidateTransport::Other(_))
            && !matches!(self.candidate_type, CandidateType::Other(_))
    }
}

/// The address of a candidate.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Address {
    /// An IP address.
    Ip(IpAddr),
    /// Anything else: a host name, most often one of multicast DNS that hides an address.
    Name(String),
}

impl Address {
    /// Whether this is a `.local` name, to be asked for by multicast DNS (RFC 6762 3).
    pub fn is_mdns(&self) -> bool {
        let Self::Name(name) = self else { return false };
        let name = name.strip_suffix('.').unwrap_or(name).as_bytes();
        name.len() > 6 && name.get(name.len() - 6..).is_some_and(|end| end.eq_ignore_ascii_case(b".local"))
    }

    /// The IP address, when it is one.
    pub fn ip(&self) -> Option<IpAddr> {
        match self {
            Self::Ip(ip) => Some(*ip),
            Self::Name(_) => None,
        }
    }

    pub(super) fn read(text: &str) -> Self {
        text.parse().map_or_else(|_| Self::Name(text.to_owned()), Self::Ip)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(ip) => ip.fmt(f),
            Self::Name(name) => f.write_str(name),
        }
    }
}

impl From<IpAddr> for Address {
    fn from(ip: IpAddr) -> Self {
        Self::Ip(ip)
    }
}

macro_rules! words {
    ($(#[$docs:meta])* $name:ident { $($(#[$word_docs:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$docs])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[$word_docs])* $variant,)+
            /// One that this crate does not know.
            Other(String),
        }

        impl $name {
            fn read(word: &str) -> Self {
                $(if word.eq_ignore_ascii_case($word) {
                    return Self::$variant;
                })+
                Self::Other(word.to_owned())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self {
                    $(Self::$variant => $word,)+
                    Self::Other(word) => word,
                })
            }
        }
    };
}

words! {
    /// The transport of a candidate. Read in any case, written as browsers do.
    CandidateTransport {
        /// UDP.
        Udp = "udp",
        /// TCP (RFC 6544).
        Tcp = "tcp",
    }
}

words! {
    /// The kind of a candidate.
    CandidateType {
        /// An address of the host itself.
        Host = "host",
        /// The host's address as a STUN server sees it.
        ServerReflexive = "srflx",
        /// The host's address as its peer sees it.
        PeerReflexive = "prflx",
        /// An address of a TURN server.
        Relayed = "relay",
    }
}

words! {
    /// Who opens the connection of a TCP candidate (RFC 6544 4.5).
    TcpType {
        /// This side does.
        Active = "active",
        /// The other side does.
        Passive = "passive",
        /// Both at once.
        SimultaneousOpen = "so",
    }
}

impl FromStr for Candidate {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        whole(text, read)
    }
}

fn read(cursor: &mut Cursor<'_>) -> Result<Candidate, Fault> {
    cursor.literal("a=");
    cursor.literal("candidate:");
    let start = cursor.offset();
    let foundation = cursor.some(is_ice_char, "a foundation (letters, digits, + or /)")?.to_owned();
    if foundation.len() > 32 {
        return Err(Fault::new(start, "a foundation of at most 32 characters"));
    }
    cursor.space()?;
    let component = ranged(cursor, &(1..=256), "a component (1 to 256)")?;
    cursor.space()?;
    let transport = CandidateTransport::read(cursor.token("a transport")?);
    cursor.space()?;
    let priority = ranged(cursor, &(1..=u32::MAX), "a priority (1 to 4294967295)")?;
    cursor.space()?;
    let address = Address::read(cursor.word("an address")?);
    cursor.space()?;
    let port = cursor.number("a port (0 to 65535)")?;
    if !cursor.literal(" typ ") {
        return Err(cursor.fault("the word typ"));
    }
    let candidate_type = CandidateType::read(cursor.token("a candidate type")?);
    let mut candidate = Candidate {
        foundation,
        component,
        transport,
        priority,
        address,
        port,
        candidate_type,
        related_address: None,
        related_port: None,
        tcp_type: None,
        extensions: Vec::new(),
    };
    if cursor.literal(" raddr ") {
        candidate.related_address = Some(Address::read(cursor.word("a related address")?));
    }
    if cursor.literal(" rport ") {
        candidate.related_port = Some(cursor.number("a related port (0 to 65535)")?);
    }
    if cursor.literal(" tcptype ") {
        candidate.tcp_type = Some(TcpType::read(cursor.token("a TCP type")?));
    }
    while !cursor.is_done() {
        cursor.space()?;
        let name = cursor.token("the name of an extension")?.to_owned();
        cursor.space()?;
        // The grammar lets a value be empty.
        let value = cursor.run(|byte| byte.is_ascii_graphic()).to_owned();
        candidate.extensions.push((name, value));
    }
    Ok(candidate)
}

fn ranged<T: FromStr + PartialOrd>(
    cursor: &mut Cursor<'_>,
    range: &RangeInclusive<T>,
    expected: &'static str,
) -> Result<T, Fault> {
    let start = cursor.offset();
    let number = cursor.number(expected)?;
    if range.contains(&number) { Ok(number) } else { Err(Fault::new(start, expected)) }
}

impl fmt::Display for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { foundation, component, transport, priority, address, port, candidate_type, .. } = self;
        write!(f, "candidate:{foundation} {component} {transport} {priority} {address} {port} typ {candidate_type}")?;
        if let Some(address) = &self.related_address {
            write!(f, " raddr {address}")?;
        }
        if let Some(port) = self.related_port {
            write!(f, " rport {port}")?;
        }
        if let Some(tcp_type) = &self.tcp_type {
            write!(f, " tcptype {tcp_type}")?;
        }
        self.extensions.iter().try_for_each(|(name, value)| write!(f, " {name} {value}"))
    }
}
