//! What an agent tells.

use core::time::Duration;

use weft_core::Path;

use crate::Candidate;

/// Something happened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
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
    /// A check ended.
    Check(Path, CheckResult),
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

/// How a check ended.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum CheckResult {
    /// A success response came.
    Succeeded,
    /// No response came.
    TimedOut,
    /// The response came another way than the request went (RFC 8445 section 7.2.5.2.1).
    NotSymmetric,
    /// An error response with this code came.
    Refused(u16),
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
