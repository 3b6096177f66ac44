//! Names that are known without asking: hosts(5).

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Addresses of one name at most.
const MAX_ADDRESSES: usize = 16;

/// Names and their addresses.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Hosts {
    names: HashMap<String, Vec<IpAddr>>,
}

impl Hosts {
    /// Reads a file of the form of hosts(5): an address and its names in each line. Lines that make no sense are skipped.
    pub fn parse(text: &str) -> Self {
        let mut hosts = Self::default();
        for line in text.lines() {
            let mut words = line.split('#').next().unwrap_or_default().split_whitespace();
            let Some(ip) = words.next().and_then(|word| word.parse::<IpAddr>().ok()) else { continue };
            for name in words {
                let known = hosts.names.entry(plain(name)).or_default();
                if known.len() < MAX_ADDRESSES && !known.contains(&ip) {
                    known.push(ip);
                }
            }
        }
        hosts
    }

    /// The addresses of a name; `None` if it is not among them. `localhost` is this host, whatever the file says
    /// (RFC 6761 section 6.3).
    pub fn lookup(&self, name: &str) -> Option<Vec<IpAddr>> {
        let name = plain(name);
        if name == "localhost" || name.ends_with(".localhost") {
            return Some(vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]);
        }
        self.names.get(&name).cloned()
    }
}

fn plain(name: &str) -> String {
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_read() {
        let hosts = Hosts::parse(
            "192.0.2.1\tTurn.Example turn # ours\n2001:db8::1 turn.example\n192.0.2.1 turn.example\nnonsense x\n#192.0.2.9 no\n",
        );
        let both: Vec<IpAddr> = ["192.0.2.1", "2001:db8::1"].iter().map(|text| text.parse().unwrap()).collect();
        assert_eq!(hosts.lookup("TURN.example."), Some(both));
        assert_eq!(hosts.lookup("turn").map(|all| all.len()), Some(1));
        assert_eq!(hosts.lookup("no"), None);
        assert_eq!(hosts.lookup("a.localhost").map(|all| all.iter().all(IpAddr::is_loopback)), Some(true));
    }
}
