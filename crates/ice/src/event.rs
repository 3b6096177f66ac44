//! What an agent tells.

use core::net::SocketAddr;
use core::time::Duration;

use weft_core::Path;

use crate::Candidate;
use crate::gather::ServerId;
use crate::stream::StreamKind;

/// Something happened.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Event {
    /// The state is another.
    State(IceState),
    /// Data goes another way from now on: the best valid pair as soon as there is one, then the nominated one.
    SelectedPair(PairInfo),
    /// A remote candidate was learnt from a check of the peer (RFC 8445 section 7.3.1.3).
    RemotePeerReflexive(Candidate),
    /// Our own address as the peer sees it, learnt from a response (RFC 8445 section 7.2.5.3.1).
    LocalPeerReflexive(Candidate),
    /// A check ended ([`Config::report_checks`](crate::Config::report_checks)).
    Check(Path, CheckResult),
    /// A candidate was gathered from a server: signal it.
    LocalCandidate(Candidate),
    /// A server did not give what it was asked for.
    GatheringError(GatheringError),
    /// All servers have answered or were given up, and no more local addresses will come
    /// ([`Agent::end_of_local_candidates`](crate::Agent::end_of_local_candidates)): signal the end of candidates.
    GatheringComplete,
    /// The name of a server is to be resolved: answer with [`Agent::server_resolved`](crate::Agent::server_resolved).
    Resolve(ServerId, Box<str>),
    /// A connection is to be opened from the IP address `path.local`, whose port is 0, to `path.remote`. Answer with
    /// [`Agent::stream_opened`](crate::Agent::stream_opened) or [`Agent::stream_closed`](crate::Agent::stream_closed).
    /// `path`, as it is here, names the connection from then on: datagrams come and go with it.
    OpenStream(Path, StreamKind),
    /// The connection is not needed any more.
    CloseStream(Path),
    /// A pair works that is better than the nominated one, and the peer does not know renomination: a restart would move to
    /// it.
    BetterPair(PairInfo),
    /// The pair in use is lost and no other was found: restart, and tell the peer.
    RestartNeeded(RestartReason),
    /// Both sides took the same role and this one gave way (RFC 8445 section 7.3.1.1).
    RoleChanged(Role),
    /// The agent has failed. A restart may help.
    Failed(FailureReason),
}

/// A pair of candidates in use.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PairInfo {
    /// Ours.
    pub local: Candidate,
    /// The peer's.
    pub remote: Candidate,
    /// The way data takes.
    pub path: Path,
    /// Whether it is nominated, and so stays.
    pub nominated: bool,
    /// The smoothed round trip time, once it was measured.
    pub rtt: Option<Duration>,
}

/// Which side concludes ICE (RFC 8445 section 4).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Role {
    /// Nominates.
    Controlling,
    /// Waits for the nomination.
    Controlled,
}

impl Role {
    /// The other one.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Controlling => Self::Controlled,
            Self::Controlled => Self::Controlling,
        }
    }
}

/// The state of an agent, as RTCIceTransportState names them.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum IceState {
    /// No remote description yet.
    New,
    /// Checks are made; no pair works yet.
    Checking,
    /// A pair works.
    Connected,
    /// A pair is nominated and neither side has more candidates.
    Completed,
    /// The peer has been silent; it may come back.
    Disconnected,
    /// No pair works, or consent was lost.
    Failed,
    /// Closed by the application.
    Closed,
}

/// Why a server gave no candidate. `RTCPeerConnectionIceErrorEvent` of webrtc-pc has the same members.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GatheringError {
    /// The server.
    pub server: ServerId,
    /// The server's address; `None` if its name was not resolved.
    pub address: Option<SocketAddr>,
    /// Our address that asked; `None` if nothing was asked.
    pub base: Option<SocketAddr>,
    /// The STUN error code, 300 to 699, or 701 if the server was not reached.
    pub code: u16,
    /// The server's words, or ours.
    pub reason: Box<str>,
}

impl GatheringError {
    /// The code for a server that was not reached (webrtc-pc section 4.8.2).
    pub const UNREACHABLE: u16 = 701;
}

/// Why a restart is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum RestartReason {
    /// The address that was sent from is gone.
    AddressGone,
    /// The peer no longer answers by the path in use.
    PathDead,
}

/// How a check ended.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum CheckResult {
    /// A success response came.
    Succeeded,
    /// No response came.
    TimedOut,
    /// Responses came, and the peer made none of them: their integrity does not hold (RFC 8489 section 9.1.4).
    Unauthentic,
    /// The response came another way than the request went (RFC 8445 section 7.2.5.2.1).
    NotSymmetric,
    /// An error response with this code came.
    Refused(u16),
    /// The connection could not be opened, or was closed.
    NotConnected,
    /// The path belongs to another agent ([`Agent::forbid_path`](crate::Agent::forbid_path)).
    Forbidden,
}

/// Why an agent failed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum FailureReason {
    /// There was nothing to check: no remote candidate that fits a local one, and no check of the peer.
    NoPairs,
    /// All checks failed.
    ChecksFailed,
    /// The peer did not answer consent checks in time (RFC 7675 section 5.1).
    ConsentExpired,
    /// The peer took its consent back (RFC 7675 section 5.2).
    ConsentRevoked,
}
