//! Two hosts and a router between them, in network namespaces.
//!
//! ```text
//!  a ─────────── router ─────────── b
//!  10.9.1.2                  10.9.2.2
//! ```

use std::fs::File;
use std::io;
use std::net::SocketAddr;
use std::os::fd::AsFd as _;
use std::process::{Command, Stdio};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use weft_net::UdpSocket;

/// A host: its name and address.
pub(super) type Host = (&'static str, &'static str);

pub(super) const A: Host = ("a", "10.9.1.2");
pub(super) const B: Host = ("b", "10.9.2.2");

/// The namespaces; dropping it removes them.
#[derive(Debug)]
pub(super) struct Topology {
    prefix: String,
}

fn run(line: &str) -> io::Result<String> {
    let mut words = line.split_whitespace();
    let output = Command::new(words.next().unwrap_or_default()).args(words).stdin(Stdio::null()).output()?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(io::Error::other(format!("`{line}`: {}", String::from_utf8_lossy(&output.stderr).trim())))
}

impl Topology {
    pub(super) fn new(prefix: &str) -> io::Result<Self> {
        let this = Self { prefix: prefix.to_owned() };
        let router = this.router();
        run(&format!("ip netns add {router}"))?;
        run(&format!("ip netns exec {router} sysctl -qw net.ipv4.ip_forward=1"))?;
        for (n, host) in [A, B].into_iter().enumerate() {
            let (name, address, n) = (this.namespace(host), host.1, n + 1);
            for line in [
                format!("ip netns add {name}"),
                format!("ip -n {router} link add to{n} type veth peer name eth0 netns {name}"),
                format!("ip -n {router} addr add 10.9.{n}.1/24 dev to{n}"),
                format!("ip -n {router} link set to{n} up"),
                format!("ip -n {name} addr add {address}/24 dev eth0"),
                format!("ip -n {name} link set eth0 up"),
                format!("ip -n {name} route add default via 10.9.{n}.1"),
            ] {
                run(&line)?;
            }
        }
        Ok(this)
    }

    fn router(&self) -> String {
        format!("{}r", self.prefix)
    }

    fn namespace(&self, host: Host) -> String {
        format!("{}{}", self.prefix, host.0)
    }

    /// A socket of a host. It stays there, whoever uses it.
    pub(super) fn bind(&self, host: Host) -> io::Result<UdpSocket> {
        let path = format!("/run/netns/{}", self.namespace(host));
        let address: SocketAddr = format!("{}:0", host.1).parse().map_err(io::Error::other)?;
        // The thread that moves there ends there.
        let there = std::thread::spawn(move || {
            let namespace = File::open(path)?;
            move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))?;
            UdpSocket::bind(address)
        });
        there.join().map_err(|_| io::Error::other("the thread died"))?
    }

    /// From now on the way from the router to b takes packets of `mtu` bytes. What is longer and has DF set is dropped,
    /// which is told with `icmp` alone.
    pub(super) fn shrink(&self, mtu: u32, fragments: bool, icmp: bool) -> io::Result<()> {
        let (router, b) = (self.router(), self.namespace(B));
        run(&format!("ip -n {router} link set to2 mtu {mtu}"))?;
        if !icmp {
            run(&format!("ip netns exec {router} nft add table ip quiet"))?;
            run(&format!(
                "ip netns exec {router} nft add chain ip quiet out {{ type filter hook output priority 0 ; }}"
            ))?;
            run(&format!("ip netns exec {router} nft add rule ip quiet out ip protocol icmp drop"))?;
        }
        if !fragments {
            run(&format!("ip netns exec {b} nft add table ip whole"))?;
            // Before they are put together.
            run(&format!(
                "ip netns exec {b} nft add chain ip whole early {{ type filter hook prerouting priority -450 ; }}"
            ))?;
            run(&format!("ip netns exec {b} nft add rule ip whole early ip frag-off & 0x3fff != 0 drop"))?;
        }
        Ok(())
    }

    /// How many datagrams a host put together out of fragments.
    pub(super) fn reassembled(&self, host: Host) -> io::Result<u64> {
        let text = run(&format!("ip netns exec {} cat /proc/net/snmp", self.namespace(host)))?;
        let mut lines = text.lines().filter(|line| line.starts_with("Ip:"));
        let (names, values) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
        let value = names.split(' ').zip(values.split(' ')).find(|(name, _)| *name == "ReasmOKs");
        value.and_then(|(_, value)| value.parse().ok()).ok_or_else(|| io::Error::other("no ReasmOKs"))
    }
}

impl Drop for Topology {
    fn drop(&mut self) {
        for namespace in [self.namespace(A), self.namespace(B), self.router()] {
            let _ = run(&format!("ip netns del {namespace}"));
        }
    }
}
