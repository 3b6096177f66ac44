//! What theory says of each pair of NATs.

use serde::Serialize;

/// What stands between a client and the internet.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Nat {
    /// One port for a client, open to everybody ("full cone").
    FullCone,
    /// One port, open to addresses that were sent to.
    AddressRestricted,
    /// One port, open to addresses and ports that were sent to: the home router.
    PortRestricted,
    /// A port for each destination, open to that alone.
    Symmetric,
    /// As port-restricted, but no UDP passes at all.
    UdpBlocked,
}

impl Nat {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::FullCone, Self::AddressRestricted, Self::PortRestricted, Self::Symmetric, Self::UdpBlocked];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::FullCone => "full cone",
            Self::AddressRestricted => "address-restricted",
            Self::PortRestricted => "port-restricted",
            Self::Symmetric => "symmetric",
            Self::UdpBlocked => "UDP blocked",
        }
    }
}

/// Which servers the clients know. All know the STUN server.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Servers {
    /// STUN alone.
    Stun,
    /// And TURN over UDP.
    TurnUdp,
    /// And TURN over TCP.
    TurnTcp,
    /// And TURN over TLS.
    TurnTls,
}

impl Servers {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Stun, Self::TurnUdp, Self::TurnTcp, Self::TurnTls];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Stun => "STUN",
            Self::TurnUdp => "TURN/UDP",
            Self::TurnTcp => "TURN/TCP",
            Self::TurnTls => "TURN/TLS",
        }
    }
}

/// How two clients are connected; more is better.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Way {
    /// Not at all.
    None,
    /// Through a relay.
    Relayed,
    /// Straight from NAT to NAT.
    Reflexive,
    /// Without a NAT.
    Direct,
}

impl Way {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "-",
            Self::Relayed => "relayed",
            Self::Reflexive => "reflexive",
            Self::Direct => "direct",
        }
    }
}

/// What STUN alone comes to, and why.
///
/// A hole is punched when each side's first packet to the other's reflexive address opens its own NAT for what the other
/// sends. With one port for all destinations on both sides the addresses are known beforehand, whatever the filters. A
/// symmetric NAT sends its checks from a port nobody knows; a full cone lets them in, and an address-restricted NAT, too,
/// for it has sent to that address already; the answer goes back to the port the check came from. A port-restricted NAT
/// has sent to another port, and lets nothing in; two symmetric ones each wait for the other's port. Without UDP there is
/// nothing to punch.
const STUN_ALONE: &[(Nat, Nat, Way)] = &[
    (Nat::FullCone, Nat::FullCone, Way::Reflexive),
    (Nat::FullCone, Nat::AddressRestricted, Way::Reflexive),
    (Nat::FullCone, Nat::PortRestricted, Way::Reflexive),
    (Nat::FullCone, Nat::Symmetric, Way::Reflexive),
    (Nat::AddressRestricted, Nat::AddressRestricted, Way::Reflexive),
    (Nat::AddressRestricted, Nat::PortRestricted, Way::Reflexive),
    (Nat::AddressRestricted, Nat::Symmetric, Way::Reflexive),
    (Nat::PortRestricted, Nat::PortRestricted, Way::Reflexive),
    (Nat::PortRestricted, Nat::Symmetric, Way::None),
    (Nat::Symmetric, Nat::Symmetric, Way::None),
];

/// What is to be expected of a pair.
///
/// A relay is a host without a NAT: whoever reaches one is reached there. So with TURN, whatever STUN alone does not connect is
/// relayed, if both sides have UDP to send to the other's relay. Without UDP a client reaches its relay over TCP or TLS, and the
/// other side sends to that; over UDP it has none, and cannot send to the other's either.
pub fn expected(a: Nat, b: Nat, servers: Servers) -> Way {
    let known = |(x, y, _): &&(Nat, Nat, Way)| (*x == a && *y == b) || (*x == b && *y == a);
    let punched = STUN_ALONE.iter().find(known).map_or(Way::None, |(_, _, way)| *way);
    let blocked = a == Nat::UdpBlocked || b == Nat::UdpBlocked;
    let relayed = match servers {
        Servers::Stun => false,
        Servers::TurnUdp => !blocked,
        Servers::TurnTcp | Servers::TurnTls => true,
    };
    punched.max(if relayed { Way::Relayed } else { Way::None })
}
