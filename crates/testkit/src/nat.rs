//! A network address translator.

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use weft_core::Instant;

/// What a mapping or a filter depends on (RFC 4787 sections 4.1 and 5).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Behaviour {
    /// On nothing outside.
    EndpointIndependent,
    /// On the address of the outside host.
    AddressDependent,
    /// On the address and the port of the outside host.
    AddressAndPortDependent,
}

impl Behaviour {
    /// What two outside endpoints must share to be treated alike.
    fn key(self, outside: SocketAddr) -> Option<(IpAddr, u16)> {
        match self {
            Self::EndpointIndependent => None,
            Self::AddressDependent => Some((outside.ip(), 0)),
            Self::AddressAndPortDependent => Some((outside.ip(), outside.port())),
        }
    }
}

/// Properties of a [`Nat`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NatConfig {
    /// What decides whether packets of one inside endpoint leave from the same outside port.
    pub mapping: Behaviour,
    /// Who may send to a mapped port.
    pub filtering: Behaviour,
    /// A mapping over which nothing was sent for so long is forgotten. Packets from outside do not refresh it
    /// (RFC 4787 section 6 lets a NAT do so; the strict kind is the harder one).
    pub lifetime: Duration,
}

impl NatConfig {
    /// Lets everybody in ("full cone").
    pub const FULL_CONE: Self = Self {
        mapping: Behaviour::EndpointIndependent,
        filtering: Behaviour::EndpointIndependent,
        lifetime: Duration::from_secs(120),
    };
    /// The common home router: one port for an inside endpoint, open to those it has sent to ("port restricted cone").
    pub const HOME: Self = Self { filtering: Behaviour::AddressAndPortDependent, ..Self::FULL_CONE };
    /// A port for every destination ("symmetric"): hole punching fails between two of them.
    pub const SYMMETRIC: Self = Self { mapping: Behaviour::AddressAndPortDependent, ..Self::HOME };
}

#[derive(Debug)]
struct Mapping {
    outside: SocketAddr,
    last_sent: Instant,
    /// Filter keys of the outside endpoints it was used to send to.
    opened: BTreeSet<Option<(IpAddr, u16)>>,
}

/// A network address translator with one outside address.
#[derive(Debug)]
pub struct Nat {
    config: NatConfig,
    address: IpAddr,
    next_port: u16,
    mappings: BTreeMap<(SocketAddr, Option<(IpAddr, u16)>), Mapping>,
    /// Packets from outside that were not let in.
    refused: u64,
}

impl Nat {
    /// A translator whose outside address is `address`. It gives out ports from 40,000 on.
    pub fn new(address: IpAddr, config: NatConfig) -> Self {
        Self { config, address, next_port: 40_000, mappings: BTreeMap::new(), refused: 0 }
    }

    /// A packet leaves from `inside` to `outside`: gives the address it seems to come from.
    pub fn outbound(&mut self, now: Instant, inside: SocketAddr, outside: SocketAddr) -> SocketAddr {
        self.expire(now);
        let (address, next_port) = (self.address, &mut self.next_port);
        let mapping = self.mappings.entry((inside, self.config.mapping.key(outside))).or_insert_with(|| {
            let port = *next_port;
            *next_port = next_port.checked_add(1).unwrap_or(40_000);
            Mapping { outside: SocketAddr::new(address, port), last_sent: now, opened: BTreeSet::new() }
        });
        mapping.last_sent = now;
        mapping.opened.insert(self.config.filtering.key(outside));
        mapping.outside
    }

    /// A packet arrives at `mapped` from `outside`: gives the inside address it goes on to, or `None` if it is not let
    /// in.
    pub fn inbound(&mut self, now: Instant, mapped: SocketAddr, outside: SocketAddr) -> Option<SocketAddr> {
        self.expire(now);
        let key = self.config.filtering.key(outside);
        let found = self.mappings.iter().find(|(_, m)| m.outside == mapped && m.opened.contains(&key));
        self.refused += u64::from(found.is_none());
        found.map(|(&(inside, _), _)| inside)
    }

    /// How many packets from outside were not let in.
    pub fn refused(&self) -> u64 {
        self.refused
    }

    /// Forgets all mappings, as a router does that restarts.
    pub fn restart(&mut self) {
        self.mappings.clear();
    }

    fn expire(&mut self, now: Instant) {
        let lifetime = self.config.lifetime;
        self.mappings.retain(|_, m| now - m.last_sent < lifetime);
    }
}
