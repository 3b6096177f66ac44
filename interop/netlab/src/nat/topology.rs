//! Two clients behind NATs and a server between them, in network namespaces.
//!
//! ```text
//!  client a ── nat a ──┐            ┌── nat b ── client b
//!  10.1.0.2   .101     ├── server ──┤    .102    10.2.0.2
//!                      │  203.0.113.10
//! ```

use std::io::{self, Write as _};
use std::process::{Command, Stdio};

use super::theory::Nat;

/// The server's address.
pub const SERVER: &str = "203.0.113.10";

/// Its second address, with which coturn speaks RFC 5780.
pub(super) const SECOND_SERVER: &str = "203.0.113.11";

/// One of two sides.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Side {
    /// The one that offers.
    A,
    /// The other.
    B,
}

impl Side {
    const fn number(self) -> u8 {
        match self {
            Self::A => 1,
            Self::B => 2,
        }
    }
}

/// The namespaces; dropping it removes them.
#[derive(Debug)]
pub struct Topology {
    prefix: String,
}

fn run(line: &str) -> io::Result<()> {
    let mut words = line.split_whitespace();
    let output = Command::new(words.next().unwrap_or_default()).args(words).stdin(Stdio::null()).output()?;
    if output.status.success() {
        return Ok(());
    }
    Err(io::Error::other(format!("`{line}`: {}", String::from_utf8_lossy(&output.stderr).trim())))
}

impl Topology {
    /// Makes it; the names of its namespaces begin with `prefix`.
    ///
    /// # Errors
    /// Without root, `ip`, `nft` or `sysctl`.
    pub fn new(prefix: &str) -> io::Result<Self> {
        let this = Self { prefix: prefix.to_owned() };
        let server = this.server();
        run(&format!("ip netns add {server}"))?;
        run(&format!("ip -n {server} link set lo up"))?;
        run(&format!("ip -n {server} link add wan type bridge"))?;
        run(&format!("ip -n {server} addr add {SERVER}/24 dev wan"))?;
        run(&format!("ip -n {server} addr add {SECOND_SERVER}/24 dev wan"))?;
        run(&format!("ip -n {server} link set wan up"))?;
        // What has no way to go vanishes, as on the internet: peers' private addresses. Without a route coturn would be told,
        // and end the session.
        run(&format!("ip -n {server} link add sink type veth peer name sink0"))?;
        run(&format!("ip -n {server} link set sink arp off up"))?;
        run(&format!("ip -n {server} link set sink0 up"))?;
        run(&format!("ip -n {server} route add default dev sink"))?;
        for side in [Side::A, Side::B] {
            this.add_side(side)?;
        }
        Ok(this)
    }

    fn add_side(&self, side: Side) -> io::Result<()> {
        let (server, nat, client, n) = (self.server(), self.nat(side), self.client(side), side.number());
        for line in [
            format!("ip netns add {nat}"),
            format!("ip netns add {client}"),
            format!("ip -n {server} link add port{n} type veth peer name wan netns {nat}"),
            format!("ip -n {server} link set port{n} master wan"),
            format!("ip -n {server} link set port{n} up"),
            format!("ip -n {nat} addr add 203.0.113.10{n}/24 dev wan"),
            format!("ip -n {nat} link set wan up"),
            format!("ip -n {nat} link set lo up"),
            format!("ip -n {client} link add eth0 type veth peer name lan netns {nat}"),
            format!("ip -n {nat} addr add 10.{n}.0.1/24 dev lan"),
            format!("ip -n {nat} link set lan up"),
            format!("ip -n {client} addr add 10.{n}.0.2/24 dev eth0"),
            format!("ip -n {client} link set eth0 up"),
            format!("ip -n {client} link set lo up"),
            format!("ip -n {client} route add default via 10.{n}.0.1"),
            format!("ip netns exec {nat} sysctl -qw net.ipv4.ip_forward=1"),
        ] {
            run(&line)?;
        }
        Ok(())
    }

    /// The server's namespace.
    pub fn server(&self) -> String {
        format!("{}s", self.prefix)
    }

    fn nat(&self, side: Side) -> String {
        format!("{}n{}", self.prefix, side.number())
    }

    /// A client's namespace.
    pub fn client(&self, side: Side) -> String {
        format!("{}c{}", self.prefix, side.number())
    }

    /// Gives a side this NAT.
    ///
    /// # Errors
    /// If nftables does not take it.
    pub fn set_nat(&self, side: Side, nat: Nat) -> io::Result<()> {
        let mut child = Command::new("ip")
            .args(["netns", "exec", &self.nat(side), "nft", "-f", "-"])
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        if let Some(stdin) = &mut child.stdin {
            stdin.write_all(ruleset(nat, side.number()).as_bytes())?;
        }
        let output = child.wait_with_output()?;
        if output.status.success() {
            return Ok(());
        }
        Err(io::Error::other(format!("nft: {}", String::from_utf8_lossy(&output.stderr).trim())))
    }
}

impl Drop for Topology {
    fn drop(&mut self) {
        for namespace in
            [self.client(Side::A), self.client(Side::B), self.nat(Side::A), self.nat(Side::B), self.server()]
        {
            let _ = run(&format!("ip netns del {namespace}"));
        }
    }
}

/// Packets that nobody is waiting for are dropped on their way in, so that they leave no trace in connection tracking: a trace
/// would take the port from the client whose packets are about to leave by it.
const INPUT: &str = "
  chain input {
    type filter hook input priority 0;
    iifname \"wan\" meta l4proto udp drop
  }";

fn ruleset(nat: Nat, n: u8) -> String {
    let (public, inside) = (format!("203.0.113.10{n}"), format!("10.{n}.0.2"));
    let body = match nat {
        Nat::PortRestricted | Nat::UdpBlocked => masquerade(""),
        Nat::Symmetric => masquerade(" fully-random"),
        Nat::FullCone => one_to_one(&public, &inside, ""),
        Nat::AddressRestricted => one_to_one(&public, &inside, "ip saddr @seen "),
    };
    let block = if nat == Nat::UdpBlocked { "\n    meta l4proto udp drop" } else { "" };
    format!(
        "flush ruleset
table ip nat {{
  set seen {{
    type ipv4_addr
    flags dynamic,timeout
    timeout 5m
  }}
  chain forward {{
    type filter hook forward priority 0;{block}
    iifname \"lan\" add @seen {{ ip daddr }}
  }}{INPUT}
{body}
}}
"
    )
}

fn masquerade(how: &str) -> String {
    format!(
        "  chain post {{
    type nat hook postrouting priority 100;
    oifname \"wan\" masquerade{how}
  }}"
    )
}

fn one_to_one(public: &str, inside: &str, filter: &str) -> String {
    format!(
        "  chain pre {{
    type nat hook prerouting priority -100;
    iifname \"wan\" ip daddr {public} {filter}dnat to {inside}
  }}
  chain post {{
    type nat hook postrouting priority 100;
    oifname \"wan\" snat to {public}
  }}"
    )
}
