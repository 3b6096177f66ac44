//! The host's own addresses.

use std::io;
use std::net::IpAddr;

/// One address of a network interface.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Interface {
    /// The interface's name, such as `eth0`.
    pub name: String,
    /// Its index, which is the scope id of its link-local addresses; `None` where the system does not tell.
    pub index: Option<u32>,
    /// The address.
    pub ip: IpAddr,
    /// How many of its leading bits are those of its link.
    pub prefix: u8,
    /// Whether it is a loopback address.
    pub is_loopback: bool,
    /// Whether it is a link-local address (169.254.0.0/16, fe80::/10).
    pub is_link_local: bool,
}

impl Interface {
    /// Whether `ip` is on the link of this address.
    pub fn is_on_link(&self, ip: IpAddr) -> bool {
        match (self.ip, ip) {
            (IpAddr::V4(ours), IpAddr::V4(ip)) => {
                let differ = u32::from(ours) ^ u32::from(ip);
                differ.leading_zeros() >= u32::from(self.prefix.min(32))
            }
            (IpAddr::V6(ours), IpAddr::V6(ip)) => {
                let differ = u128::from(ours) ^ u128::from(ip);
                differ.leading_zeros() >= u32::from(self.prefix.min(128))
            }
            _ => false,
        }
    }
}

/// All addresses of all interfaces that are up.
///
/// # Errors
/// If the system does not tell.
pub fn interfaces() -> io::Result<Vec<Interface>> {
    let all = if_addrs::get_if_addrs()?;
    let down = |i: &if_addrs::Interface| {
        use if_addrs::IfOperStatus::{Down, LowerLayerDown, NotPresent};
        matches!(i.oper_status, Down | NotPresent | LowerLayerDown)
    };
    Ok(all
        .into_iter()
        .filter(|i| !down(i))
        .map(|i| Interface {
            index: i.index,
            ip: i.ip(),
            prefix: match &i.addr {
                if_addrs::IfAddr::V4(v4) => v4.prefixlen,
                if_addrs::IfAddr::V6(v6) => v6.prefixlen,
            },
            is_loopback: i.is_loopback(),
            is_link_local: i.is_link_local(),
            name: i.name,
        })
        .collect())
}

/// The addresses worth offering as host candidates, in the order the system lists them, each once.
///
/// Left out are loopback addresses unless asked for, link-local IPv6 ones (they mean nothing to a peer without a scope
/// id) and what no peer can send to (unspecified, multicast, the deprecated site-local fec0::/10 and IPv4-compatible
/// ranges, which RFC 8445 section 5.1.1.1 excludes). Systems do not tell portably which IPv6 addresses are temporary, so
/// those stay in.
///
/// # Errors
/// If the system does not tell.
pub fn host_addresses(include_loopback: bool) -> io::Result<Vec<IpAddr>> {
    Ok(host_addresses_among(&interfaces()?, include_loopback))
}

/// As [`host_addresses`], of interfaces that have been listed already.
pub fn host_addresses_among<'a>(
    interfaces: impl IntoIterator<Item = &'a Interface>,
    include_loopback: bool,
) -> Vec<IpAddr> {
    select(interfaces.into_iter().map(|interface| interface.ip), include_loopback)
}

/// As [`host_addresses`], of the interfaces with these names alone.
///
/// # Errors
/// If the system does not tell.
pub fn host_addresses_of(names: &[impl AsRef<str>], include_loopback: bool) -> io::Result<Vec<IpAddr>> {
    let named = |interface: &&Interface| names.iter().any(|name| name.as_ref() == interface.name);
    Ok(host_addresses_among(interfaces()?.iter().filter(named), include_loopback))
}

fn select(all: impl Iterator<Item = IpAddr>, include_loopback: bool) -> Vec<IpAddr> {
    let mut out = Vec::new();
    for ip in all.filter(|ip| is_host_address(*ip, include_loopback)) {
        if !out.contains(&ip) {
            out.push(ip);
        }
    }
    out
}

fn is_host_address(ip: IpAddr, include_loopback: bool) -> bool {
    if ip.is_unspecified() || ip.is_multicast() {
        return false;
    }
    if ip.is_loopback() {
        return include_loopback;
    }
    match ip {
        IpAddr::V4(_) => true,
        IpAddr::V6(ip) => {
            let [first, ..] = ip.segments();
            let link_or_site_local = matches!(first & 0xffc0, 0xfe80 | 0xfec0);
            // `to_ipv4` knows both the mapped (::ffff:a.b.c.d) and the compatible (::a.b.c.d) form.
            !link_or_site_local && ip.to_ipv4().is_none()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selected(all: &[&str], include_loopback: bool) -> Vec<String> {
        let all = all.iter().map(|text| text.parse().unwrap());
        select(all, include_loopback).iter().map(IpAddr::to_string).collect()
    }

    #[test]
    fn only_what_a_peer_can_use_is_offered() {
        let all = [
            "127.0.0.1",
            "::1",
            "192.168.1.5",
            "169.254.3.4",
            "fe80::1",
            "fec0::1",
            "2001:db8::1",
            "fd00::1",
            "::ffff:1.2.3.4",
            "::1.2.3.4",
            "0.0.0.0",
            "::",
            "224.0.0.1",
            "ff02::1",
            "192.168.1.5",
        ];
        assert_eq!(selected(&all, false), ["192.168.1.5", "169.254.3.4", "2001:db8::1", "fd00::1"]);
        assert_eq!(selected(&all, true)[..3], ["127.0.0.1", "::1", "192.168.1.5"]);
    }

    #[test]
    fn this_host_has_a_loopback_interface() {
        let all = interfaces().unwrap();
        assert!(all.iter().any(|i| i.is_loopback && i.ip.is_loopback() && !i.name.is_empty()), "{all:?}");
        assert!(host_addresses(true).unwrap().iter().any(IpAddr::is_loopback));
        assert!(!host_addresses(false).unwrap().iter().any(IpAddr::is_loopback));
    }
}
