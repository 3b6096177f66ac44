//! What a client tells.

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use crate::{AddressFamily, AttributeType, CredentialError, Icmp};

/// Something happened.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Event {
    /// The server relays for us now. After [`Lost`](Self::Lost) it comes again, with other addresses; permissions and
    /// channels that were asked for are then asked for again.
    Allocated(Allocation),
    /// Datagrams from and to this address pass.
    Permitted(IpAddr),
    /// The server lets nothing pass from and to this address.
    PermissionRefused {
        /// The address.
        peer: IpAddr,
        /// The error code: 403 where the server's administrator forbids it, 443 for the wrong family; 0 when no answer came.
        code: u16,
        /// The server's words; may be empty.
        reason: String,
    },
    /// What goes to this peer has 4 bytes of overhead from now on.
    ChannelBound(SocketAddr),
    /// There is no channel to this peer; Send indications still reach it.
    ChannelRefused {
        /// The peer.
        peer: SocketAddr,
        /// The error code; 0 when no answer came.
        code: u16,
        /// The server's words; may be empty.
        reason: String,
    },
    /// The server sends us to another. Over UDP the client has gone there already; over TCP and TLS it waits for
    /// [`connect`](super::Client::connect).
    Redirected {
        /// Where to.
        server: SocketAddr,
        /// The name to check its certificate against, if it is another (RFC 8489 section 10).
        domain: Option<String>,
    },
    /// A datagram of ours did not get beyond the server (RFC 8656 section 11.6).
    Unreachable {
        /// Whom it was for.
        peer: SocketAddr,
        /// Why.
        icmp: Icmp,
    },
    /// The server does not take the access token any more (RFC 7635 section 8). The allocation lasts until it expires;
    /// [`set_credentials`](super::Client::set_credentials) with a new token keeps it.
    TokenRequired {
        /// The name to ask the authorization server with.
        server: String,
    },
    /// The allocation is gone. The client tries to get another by itself.
    Lost(LostReason),
    /// There is no allocation and the client gives up. [`connect`](super::Client::connect) begins anew.
    Failed(Failure),
    /// The allocation was given back after [`close`](super::Client::close).
    Closed,
}

/// What the server allocated.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Allocation {
    /// The relayed transport address: the IPv4 one if there are two.
    pub relayed: SocketAddr,
    /// The IPv6 one, if both were asked for and granted.
    pub additional: Option<SocketAddr>,
    /// Why there is no address of a family that was asked for: 440 or 508.
    pub refused: Option<(AddressFamily, u16)>,
    /// Our address as the server sees it: a server-reflexive candidate.
    pub mapped: SocketAddr,
    /// For how long, without a refresh.
    pub lifetime: Duration,
}

/// Why an allocation is gone.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum LostReason {
    /// The server does not know it any more (437): it was restarted, or a NAT gave us another address.
    Forgotten,
    /// It could not be refreshed in time.
    Expired,
    /// A channel means another peer to the server than to us.
    OutOfStep,
    /// The TCP or TLS connection ended, and the allocation with it.
    Disconnected,
}

/// Why there is no allocation.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// The server does not answer.
    #[error("the server does not answer")]
    TimedOut,
    /// Username and password came to nothing.
    #[error(transparent)]
    Credentials(#[from] CredentialError),
    /// The server takes access tokens, and there is none or none it accepts (RFC 7635): get one,
    /// [`set_credentials`](super::Client::set_credentials), and [`connect`](super::Client::connect) again.
    #[error("the server asks for an access token of an authorization server, which knows it as {server}")]
    TokenRequired {
        /// The name to ask the authorization server with.
        server: String,
    },
    /// What came in answer was not made by somebody who knows the password.
    #[error("the answers do not come from the server: their integrity does not hold")]
    Integrity,
    /// 437: the server holds an allocation for this client address already. Another local port may help; RFC 8656
    /// section 7.4 advises three tries.
    #[error("the server holds an allocation for our address and port already (437): try another local port")]
    AllocationMismatch,
    /// 486: this username has as many allocations as it may have.
    #[error("the user has as many allocations as the server allows (486)")]
    QuotaReached,
    /// 508: the server has no address or port left.
    #[error("the server has no capacity left (508)")]
    InsufficientCapacity,
    /// 440: the server has no addresses of the family asked for.
    #[error("the server does not relay for this address family (440)")]
    FamilyNotSupported,
    /// 403: the administrator forbids it.
    #[error("the server forbids it (403): {reason}")]
    Forbidden {
        /// The server's words.
        reason: String,
    },
    /// 420: the server does not understand an attribute it would have to.
    #[error("the server does not understand {0:?} (420)")]
    UnknownAttribute(AttributeType),
    /// Another error.
    #[error("the server refuses ({code}): {reason}")]
    Refused {
        /// The error code.
        code: u16,
        /// The server's words.
        reason: String,
    },
    /// The server's answer makes no sense: no address, or one of a family we did not ask for.
    #[error("the server's answer makes no sense")]
    Malformed,
    /// Servers send us round in circles, or too far.
    #[error("servers send us from one to the other")]
    RedirectionLoop,
    /// The request is longer than [`Config::max_datagram`](super::Config): username, realm and access token are too long.
    #[error("the request does not fit into one datagram")]
    TooLarge,
    /// The TCP or TLS connection ended before there was an allocation.
    #[error("the connection to the server ended")]
    Disconnected,
}

impl Failure {
    /// The error code of the server's response, if one is the cause.
    pub fn code(&self) -> Option<u16> {
        match self {
            Self::Credentials(CredentialError::Required | CredentialError::Wrong) | Self::TokenRequired { .. } => {
                Some(401)
            }
            Self::AllocationMismatch => Some(437),
            Self::QuotaReached => Some(486),
            Self::InsufficientCapacity => Some(508),
            Self::FamilyNotSupported => Some(440),
            Self::Forbidden { .. } => Some(403),
            Self::UnknownAttribute(_) => Some(420),
            Self::Refused { code, .. } => Some(*code),
            _ => None,
        }
    }

    /// How long to leave the server alone before the same is asked again (RFC 8656 section 7.4); `None` where that would
    /// not help.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::AllocationMismatch => Some(Duration::from_secs(120)),
            Self::QuotaReached | Self::InsufficientCapacity => Some(Duration::from_secs(60)),
            Self::TimedOut | Self::Disconnected => Some(Duration::ZERO),
            Self::Refused { code: 500..600, .. } => Some(Duration::from_secs(1)),
            _ => None,
        }
    }

    pub(super) fn of(code: u16, reason: &str, unknown: Option<AttributeType>) -> Self {
        match code {
            403 => Self::Forbidden { reason: reason.to_owned() },
            420 => unknown.map_or(Self::Refused { code, reason: reason.to_owned() }, Self::UnknownAttribute),
            437 => Self::AllocationMismatch,
            440 => Self::FamilyNotSupported,
            441 => Self::Credentials(CredentialError::Wrong),
            486 => Self::QuotaReached,
            508 => Self::InsufficientCapacity,
            _ => Self::Refused { code, reason: reason.to_owned() },
        }
    }
}
