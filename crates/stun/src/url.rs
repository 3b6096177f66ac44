//! URLs of servers: [RFC 7064](https://www.rfc-editor.org/rfc/rfc7064) (`stun:`, `stuns:`) and
//! [RFC 7065](https://www.rfc-editor.org/rfc/rfc7065) (`turn:`, `turns:`).

use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::str::FromStr;

use weft_core::Transport;

/// What a server is asked for, and whether inside TLS.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Scheme {
    /// STUN.
    Stun,
    /// STUN over TLS.
    Stuns,
    /// TURN.
    Turn,
    /// TURN over TLS.
    Turns,
}

impl Scheme {
    /// As it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stun => "stun",
            Self::Stuns => "stuns",
            Self::Turn => "turn",
            Self::Turns => "turns",
        }
    }

    /// Whether it is TURN.
    pub const fn is_turn(self) -> bool {
        matches!(self, Self::Turn | Self::Turns)
    }

    /// The port where none is given: 3478, or 5349 inside TLS.
    pub const fn default_port(self) -> u16 {
        match self {
            Self::Stun | Self::Turn => 3478,
            Self::Stuns | Self::Turns => 5349,
        }
    }
}

/// Where a server is.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Host {
    /// A name to resolve. Also what the certificate of a `stuns:` or `turns:` server is checked against.
    Name(String),
    /// An address.
    Ip(IpAddr),
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Ip(IpAddr::V4(ip)) => ip.fmt(f),
            Self::Ip(IpAddr::V6(ip)) => write!(f, "[{ip}]"),
        }
    }
}

/// A `stun:`, `stuns:`, `turn:` or `turns:` URL.
///
/// ```
/// use weft_core::Transport;
/// use weft_stun::ServerUrl;
///
/// let url: ServerUrl = "turn:turn.example.org?transport=tcp".parse()?;
/// assert_eq!((url.port(), url.transport()), (3478, Transport::Tcp));
/// assert_eq!("turns:[2001:db8::1]:443".parse::<ServerUrl>()?.transport(), Transport::Tls);
/// assert!("turn://turn.example.org".parse::<ServerUrl>().is_err());
/// # Ok::<(), weft_stun::UrlError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ServerUrl {
    scheme: Scheme,
    host: Host,
    port: Option<u16>,
    transport: Option<Transport>,
}

/// What is wrong with the URL of a server.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UrlError {
    /// It does not begin with `stun:`, `stuns:`, `turn:` or `turns:`.
    #[error("the URL of a STUN or TURN server begins with stun:, stuns:, turn: or turns:")]
    Scheme,
    /// It has `//` after the scheme, as URLs of web pages have.
    #[error("no // follows the scheme in the URL of a STUN or TURN server: write turn:host, not turn://host")]
    Slashes,
    /// There is no host.
    #[error("the host is missing")]
    HostMissing,
    /// The host is neither a name nor an address.
    #[error("{0:?} is neither a host name nor an address")]
    Host(String),
    /// An IPv6 address without brackets.
    #[error("an IPv6 address is written in brackets: [2001:db8::1]")]
    Brackets,
    /// User information, a path or a fragment, which these URLs do not have.
    #[error(
        "{0:?} has no place in the URL of a STUN or TURN server; a username and a password are given apart from it"
    )]
    Unexpected(char),
    /// The port is not a number from 1 to 65535.
    #[error("{0:?} is no port: 1 to 65535")]
    Port(String),
    /// `stun:` and `stuns:` take no `?transport=`.
    #[error("the URL of a STUN server takes no query")]
    QueryOnStun,
    /// What follows the `?` is not `transport=udp` or `transport=tcp`.
    #[error("{0:?} is not understood: only ?transport=udp and ?transport=tcp are")]
    Query(String),
    /// `stuns:` with an address: its certificate is checked against a name (RFC 8489 section 8.1).
    #[error("stuns: takes a host name, no address")]
    NameRequired,
    /// `turns:…?transport=udp`: TURN over DTLS (RFC 7350).
    #[error("TURN over DTLS (turns: with transport=udp) is not supported: use turns: with transport=tcp")]
    Dtls,
}

impl ServerUrl {
    /// What it asks for.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// Where the server is.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// The port: that of the URL, or the default of the scheme.
    pub fn port(&self) -> u16 {
        self.port.unwrap_or(self.scheme.default_port())
    }

    /// What carries it: TLS for `stuns:` and `turns:`; for the others UDP, unless the URL says `?transport=tcp`.
    pub fn transport(&self) -> Transport {
        match (self.scheme, self.transport) {
            (Scheme::Stuns | Scheme::Turns, _) => Transport::Tls,
            (_, transport) => transport.unwrap_or(Transport::Udp),
        }
    }
}

impl FromStr for ServerUrl {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        let (scheme, rest) = text.split_once(':').ok_or(UrlError::Scheme)?;
        let all = [Scheme::Stun, Scheme::Stuns, Scheme::Turn, Scheme::Turns];
        let scheme =
            all.into_iter().find(|known| scheme.eq_ignore_ascii_case(known.as_str())).ok_or(UrlError::Scheme)?;
        if rest.starts_with("//") {
            return Err(UrlError::Slashes);
        }
        let (authority, query) = rest.split_once('?').map_or((rest, None), |(rest, query)| (rest, Some(query)));
        if let Some(bad) = authority.chars().find(|c| matches!(c, '@' | '/' | '#' | '\\') || c.is_whitespace()) {
            return Err(UrlError::Unexpected(bad));
        }
        let (host, port) = split_port(authority)?;
        if scheme == Scheme::Stuns && matches!(host, Host::Ip(_)) {
            return Err(UrlError::NameRequired);
        }
        let port = port.map(parse_port).transpose()?;
        let transport = query.map(|query| parse_query(scheme, query)).transpose()?;
        Ok(Self { scheme, host, port, transport })
    }
}

fn split_port(authority: &str) -> Result<(Host, Option<&str>), UrlError> {
    if let Some(bracketed) = authority.strip_prefix('[') {
        let bad = || UrlError::Host(authority.to_owned());
        let (ip, rest) = bracketed.split_once(']').ok_or_else(bad)?;
        let ip: Ipv6Addr = ip.parse().map_err(|_| bad())?;
        let port = match rest.strip_prefix(':') {
            None if rest.is_empty() => None,
            None => return Err(bad()),
            Some(port) => Some(port),
        };
        return Ok((Host::Ip(ip.into()), port));
    }
    if authority.parse::<Ipv6Addr>().is_ok() {
        return Err(UrlError::Brackets);
    }
    let (host, port) = authority.split_once(':').map_or((authority, None), |(host, port)| (host, Some(port)));
    Ok((parse_host(host)?, port))
}

/// A dotted address, or a name: letters, digits, hyphens and underscores between dots, at most 253 bytes.
fn parse_host(host: &str) -> Result<Host, UrlError> {
    if host.is_empty() {
        return Err(UrlError::HostMissing);
    }
    if let Ok(ip) = host.parse::<Ipv4Addr>() {
        return Ok(Host::Ip(ip.into()));
    }
    let label = |label: &str| {
        (1..=63).contains(&label.len()) && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    let name = host.strip_suffix('.').unwrap_or(host);
    let numeric = name.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    if name.len() > 253 || numeric || !name.split('.').all(label) {
        return Err(UrlError::Host(host.to_owned()));
    }
    Ok(Host::Name(host.to_ascii_lowercase()))
}

fn parse_port(port: &str) -> Result<u16, UrlError> {
    let digits = !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit());
    let number = port.parse::<u16>().ok().filter(|&number| digits && number != 0);
    number.ok_or_else(|| UrlError::Port(port.to_owned()))
}

fn parse_query(scheme: Scheme, query: &str) -> Result<Transport, UrlError> {
    if !scheme.is_turn() {
        return Err(UrlError::QueryOnStun);
    }
    let transport = query.strip_prefix("transport=").unwrap_or_default();
    if transport.eq_ignore_ascii_case("tcp") {
        Ok(Transport::Tcp)
    } else if !transport.eq_ignore_ascii_case("udp") {
        Err(UrlError::Query(query.to_owned()))
    } else if scheme == Scheme::Turns {
        Err(UrlError::Dtls)
    } else {
        Ok(Transport::Udp)
    }
}

impl fmt::Display for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.scheme.as_str(), self.host)?;
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        match self.transport {
            Some(Transport::Udp) => f.write_str("?transport=udp"),
            Some(_) => f.write_str("?transport=tcp"),
            None => Ok(()),
        }
    }
}
