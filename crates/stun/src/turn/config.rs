//! What can be chosen.

use core::time::Duration;

use crate::{AddressFamily, Credentials, Timing};

/// Which relayed addresses to ask for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum RelayFamily {
    /// Whatever a server gives that is not asked for one: IPv4 (RFC 8656 section 7.2).
    #[default]
    Unspecified,
    /// This one.
    Only(AddressFamily),
    /// IPv4 and, where the server has it, IPv6, in one allocation (ADDITIONAL-ADDRESS-FAMILY).
    Both,
}

/// Settings of a [`Client`](super::Client).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// Who asks; `None` for a server that asks nobody.
    pub credentials: Option<Credentials>,
    /// The relayed addresses to ask for.
    pub family: RelayFamily,
    /// The lifetime to ask for, in whole seconds; the server's own, usually 600 s, when `None`. Servers give no less than
    /// their default.
    pub lifetime: Option<Duration>,
    /// When requests over UDP are sent again and given up; `rto` holds until a round trip was measured. As RFC 8489
    /// section 6.2.1: given up after 39.5 s.
    pub timing: Timing,
    /// What SOFTWARE says: fewer than 128 characters; `None` leaves it out. Ours by default.
    pub software: Option<String>,
    /// Over UDP, a Binding indication keeps the NAT's mapping after so long a silence of ours: 15 s (Tr of RFC 8445
    /// section 11). `None` sends none.
    pub keepalive: Option<Duration>,
    /// The longest request over UDP, in bytes: 1200, what WebRTC takes every path to carry. A longer one (a long username, an access
    /// token) is not sent, as it would not arrive everywhere (RFC 8489 section 6.1).
    pub max_datagram: usize,
    /// Peers' IP addresses that may have a permission at a time: 128.
    pub max_permissions: usize,
    /// Peers that may have a channel at a time, those that are on their way out included: 64. There are 4096 channel numbers.
    pub max_channels: usize,
    /// Redirections that are followed, one after another: 4.
    pub max_redirections: usize,
    /// Events that wait to be polled, at most: 512. Later ones are dropped and counted.
    pub max_events: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            credentials: None,
            family: RelayFamily::Unspecified,
            lifetime: None,
            timing: Timing::default(),
            software: Some(concat!("weft-stun ", env!("CARGO_PKG_VERSION")).to_owned()),
            keepalive: Some(Duration::from_secs(15)),
            max_datagram: 1200,
            max_permissions: 128,
            max_channels: 64,
            max_redirections: 4,
            max_events: 512,
        }
    }
}

impl Config {
    /// The defaults, with these credentials.
    pub fn new(credentials: Credentials) -> Self {
        Self { credentials: Some(credentials), ..Self::default() }
    }

    /// Sets [`family`](Self::family).
    #[must_use]
    pub fn with_family(mut self, family: RelayFamily) -> Self {
        self.family = family;
        self
    }

    /// Sets [`timing`](Self::timing).
    #[must_use]
    pub fn with_timing(mut self, timing: Timing) -> Self {
        self.timing = timing;
        self
    }
}
