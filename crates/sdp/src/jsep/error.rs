//! Why a step of a negotiation was refused. The negotiator is then as it was before.

use std::fmt;

use super::description::SdpType;
use super::state::SignalingState;
use crate::error::ParseError;
use crate::wire::Setup;

/// Why a call was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NegotiationError {
    /// The text is malformed.
    #[error(transparent)]
    Parse(#[from] ParseError),
    /// The signaling state does not allow this.
    #[error("cannot {operation} in signaling state {state}")]
    WrongState {
        /// What was asked for.
        operation: Operation,
        /// The state.
        state: SignalingState,
    },
    /// A local description has to be the one that `create_offer` or `create_answer` returned last.
    #[error("this {0} is not the one that was created last: descriptions are applied as they were created")]
    NotCreated(SdpType),
    /// [`LocalParameters`](super::LocalParameters) do not make a description.
    #[error("the local parameters need {0}")]
    LocalParameters(&'static str),
    /// A data section lacks what WebRTC cannot do without.
    #[error("the data section at line {line} has no {required}")]
    Missing {
        /// What it lacks.
        required: Required,
        /// The line of the section.
        line: usize,
    },
    /// A data section has fingerprints, but none by SHA-256 or a longer hash.
    #[error("the data section at line {line} has no fingerprint by sha-256, sha-384 or sha-512")]
    WeakFingerprints {
        /// The line of the section.
        line: usize,
    },
    /// A DTLS role that does not fit the kind of description.
    #[error("the data section at line {line} has a=setup:{setup}, which may not stand in this {kind}")]
    Setup {
        /// What was found.
        setup: Setup,
        /// The kind of description.
        kind: SdpType,
        /// The line of the section.
        line: usize,
    },
    /// The answer says that ICE cannot be used (`a=ice-mismatch`); there is nothing else that could.
    #[error("the data section at line {line} refuses ICE (a=ice-mismatch)")]
    IceMismatch {
        /// The line of the section.
        line: usize,
    },
    /// An answer has as many sections as its offer, and a later offer no fewer than the last (RFC 3264 6 and 8).
    #[error("the {kind} has {found} media sections where {expected} are needed")]
    SectionCount {
        /// The kind of description.
        kind: SdpType,
        /// How many there should be.
        expected: usize,
        /// How many there are.
        found: usize,
    },
    /// A section is not what stood in its place before.
    #[error("the media section at line {line} has a {what} other than what was negotiated in its place")]
    SectionChanged {
        /// The line of the section.
        line: usize,
        /// What differs.
        what: &'static str,
    },
    /// Two sections have one name.
    #[error("the media section at line {line} has the mid {mid:?} of another")]
    DuplicateMid {
        /// The name.
        mid: String,
        /// The line of the later section.
        line: usize,
    },
    /// An answer bundles a section that the offer did not.
    #[error("the answer bundles the section {mid:?}, which the offer does not")]
    BundleMismatch {
        /// The section's name.
        mid: String,
    },
    /// An answer has new ICE credentials though the offer asked for no restart (RFC 8829 5.10).
    #[error("the answer restarts ICE, which the offer did not ask for")]
    UnexpectedIceRestart,
    /// An answer to a restart of ICE has the old credentials (RFC 8829 5.10).
    #[error("the answer keeps the ICE credentials, though the offer asked for a restart")]
    IceRestartNotAnswered,
    /// The peer asks for a new DTLS association (in an answer not by its role alone) without restarting ICE, so that its packets could not be told from
    /// those of the old one (RFC 8829 5.8.3 and 5.11, RFC 8842 6).
    #[error("the {0} asks for a new DTLS association (other fingerprints, role or tls-id) without restarting ICE")]
    DtlsWithoutIceRestart(SdpType),
    /// Local ICE credentials in an answer are new exactly when the offer restarts ICE (RFC 8839 4.4.2.1).
    #[error("the answer needs {} ICE credentials, as the offer {} ICE", if *.restart { "new" } else { "the same" },
        if *.restart { "restarts" } else { "does not restart" })]
    LocalIceCredentials {
        /// Whether the offer restarts ICE.
        restart: bool,
    },
    /// A candidate came before any remote description: keep it until there is one.
    #[error("there is no remote description yet for the candidate to belong to")]
    NoRemoteDescription,
    /// A candidate has neither a mid nor an index, or one that no section has.
    #[error("the candidate belongs to no media section of the remote description")]
    UnknownSection,
    /// A candidate is of an ICE generation that no description has.
    #[error("the candidate's user name fragment {0:?} is in no remote description")]
    UnknownGeneration(String),
    /// The limit of candidates is reached.
    #[error("the section has {0} candidates, which is the limit")]
    TooManyCandidates(usize),
}

/// What a data section cannot do without.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Required {
    /// `a=ice-ufrag`.
    IceUfrag,
    /// `a=ice-pwd`.
    IcePwd,
    /// `a=fingerprint`.
    Fingerprint,
    /// `a=sctp-port`.
    SctpPort,
}

impl fmt::Display for Required {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::IceUfrag => "a=ice-ufrag",
            Self::IcePwd => "a=ice-pwd",
            Self::Fingerprint => "a=fingerprint",
            Self::SctpPort => "a=sctp-port",
        })
    }
}

/// A step of a negotiation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Operation {
    /// `create_offer`.
    CreateOffer,
    /// `create_answer`.
    CreateAnswer,
    /// `set_local` with this kind of description.
    SetLocal(SdpType),
    /// `set_remote` with this kind of description.
    SetRemote(SdpType),
    /// `add_remote_candidate`.
    AddCandidate,
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CreateOffer => f.write_str("create an offer"),
            Self::CreateAnswer => f.write_str("create an answer"),
            Self::SetLocal(SdpType::Rollback) | Self::SetRemote(SdpType::Rollback) => f.write_str("roll back"),
            Self::SetLocal(kind) => write!(f, "apply a local {kind}"),
            Self::SetRemote(kind) => write!(f, "apply a remote {kind}"),
            Self::AddCandidate => f.write_str("add a candidate"),
        }
    }
}
