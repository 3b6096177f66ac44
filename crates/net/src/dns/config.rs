//! What the system says of its resolver: resolv.conf(5).

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use super::hosts::Hosts;

const PORT: u16 = 53;
/// MAXNS, as the C library has it, is 3; a few more do no harm.
const MAX_SERVERS: usize = 8;
const MAX_SEARCH: usize = 6;
const MAX_NDOTS: usize = 15;

/// Whom to ask, and how.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DnsConfig {
    /// Servers, asked in this order; at most 8 are used.
    pub servers: Vec<SocketAddr>,
    /// Domains in which names with few dots are looked for, at most 6.
    pub search: Vec<String>,
    /// A name with so many dots is asked for as it is first, and in the search domains only when it does not exist. 1.
    pub ndots: usize,
    /// How long a server may take at most. 5 s. Others are asked sooner: after 1 s in the first round, 2 s in the second, and
    /// so on.
    pub timeout: Duration,
    /// How often each server is asked at least. 2; three rounds are made in any case, as datagrams are lost.
    pub attempts: usize,
    /// Begin with another server each time. Off.
    pub rotate: bool,
    /// Names that are known without asking.
    pub hosts: Hosts,
}

impl Default for DnsConfig {
    /// No servers, no names.
    fn default() -> Self {
        Self {
            servers: Vec::new(),
            search: Vec::new(),
            ndots: 1,
            timeout: Duration::from_secs(5),
            attempts: 2,
            rotate: false,
            hosts: Hosts::default(),
        }
    }
}

impl DnsConfig {
    /// What this system has in `/etc/resolv.conf` and `/etc/hosts`, as they are now. A server on this host where the first
    /// cannot be read, as the C library has it. Systems without such files (Windows) have to be told their servers.
    pub fn system() -> Self {
        let text = |path: &str| match std::fs::read(path) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(error) => {
                tracing::debug!(%path, %error, "not read");
                String::new()
            }
        };
        let mut config = Self::parse(&text("/etc/resolv.conf"));
        config.hosts = Hosts::parse(&text("/etc/hosts"));
        if config.servers.is_empty() && cfg!(unix) {
            config.servers.push((Ipv4Addr::LOCALHOST, PORT).into());
        }
        config
    }

    /// Reads a file of the form of resolv.conf(5). Lines that make no sense are skipped, as the C library does.
    pub fn parse(text: &str) -> Self {
        let mut config = Self::default();
        for line in text.lines() {
            let line = line.split(['#', ';']).next().unwrap_or_default();
            let mut words = line.split_whitespace();
            match words.next() {
                Some("nameserver") => {
                    let address = words.next().and_then(server).filter(|_| config.servers.len() < MAX_SERVERS);
                    config.servers.extend(address);
                }
                // The last of both counts.
                Some("search" | "domain") => {
                    let domains = words.map(|word| word.trim_matches('.').to_ascii_lowercase());
                    config.search = domains.filter(|domain| !domain.is_empty()).take(MAX_SEARCH).collect();
                }
                Some("options") => words.for_each(|word| config.option(word)),
                _ => {}
            }
        }
        config
    }

    fn option(&mut self, word: &str) {
        let (name, value) = word.split_once(':').unwrap_or((word, ""));
        let number = value.parse::<usize>();
        match (name, number) {
            ("ndots", Ok(dots)) => self.ndots = dots.min(MAX_NDOTS),
            ("timeout", Ok(seconds)) => self.timeout = Duration::from_secs(seconds.clamp(1, 30) as u64),
            ("attempts", Ok(attempts)) => self.attempts = attempts.clamp(1, 5),
            ("rotate", _) => self.rotate = true,
            _ => {}
        }
    }

    /// The names to ask for in turn, for one that was given.
    pub(super) fn candidates(&self, name: &str) -> Vec<String> {
        if let Some(absolute) = name.strip_suffix('.') {
            return vec![absolute.to_owned()];
        }
        let in_domains = self.search.iter().map(|domain| format!("{name}.{domain}"));
        let as_it_is = std::iter::once(name.to_owned());
        if name.bytes().filter(|byte| *byte == b'.').count() >= self.ndots {
            as_it_is.chain(in_domains).collect()
        } else {
            in_domains.chain(as_it_is).collect()
        }
    }
}

/// An address, of a link-local IPv6 one with its interface: by number, as names cannot be looked up without unsafe code.
fn server(word: &str) -> Option<SocketAddr> {
    if let Ok(ip) = word.parse::<IpAddr>() {
        return Some(SocketAddr::new(ip, PORT));
    }
    let (ip, scope) = word.split_once('%')?;
    let index = scope.parse().ok().or_else(|| {
        let all = crate::interfaces().ok()?;
        all.into_iter().find(|interface| interface.name == scope)?.index
    })?;
    Some(std::net::SocketAddrV6::new(ip.parse().ok()?, PORT, 0, index).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resolv_conf_is_read() {
        let text = "# made by hand\nnameserver 192.0.2.53\nnameserver 2001:db8::53 ; second\nnameserver fe80::1%3\n\
                    nameserver nonsense\ndomain old.example\nsearch Corp.Example. example.org\n\
                    options ndots:2 timeout:3 attempts:9 rotate edns0\nlookup file bind\n";
        let config = DnsConfig::parse(text);
        let expected: Vec<SocketAddr> =
            ["192.0.2.53:53", "[2001:db8::53]:53", "[fe80::1%3]:53"].iter().map(|text| text.parse().unwrap()).collect();
        assert_eq!(config.servers, expected);
        assert_eq!(config.search, ["corp.example", "example.org"]);
        assert_eq!(
            (config.ndots, config.timeout, config.attempts, config.rotate),
            (2, Duration::from_secs(3), 5, true)
        );
        assert_eq!(DnsConfig::parse(""), DnsConfig::default());
        assert!(DnsConfig::parse("options ndots:999").ndots == 15);
        assert_eq!(DnsConfig::parse(&"nameserver 192.0.2.1\n".repeat(50)).servers.len(), 8);
    }

    #[test]
    fn names_are_looked_for_where_resolv_conf_says() {
        let config = DnsConfig::parse("search a.example b.example\noptions ndots:2");
        assert_eq!(config.candidates("turn"), ["turn.a.example", "turn.b.example", "turn"]);
        assert_eq!(config.candidates("turn.x"), ["turn.x.a.example", "turn.x.b.example", "turn.x"]);
        assert_eq!(config.candidates("turn.x.y"), ["turn.x.y", "turn.x.y.a.example", "turn.x.y.b.example"]);
        assert_eq!(config.candidates("turn."), ["turn"]);
    }
}
