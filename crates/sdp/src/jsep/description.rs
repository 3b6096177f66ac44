//! What travels between the peers.

use std::fmt;

use crate::wire::Candidate;

/// What a description is for (W3C `RTCSdpType`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SdpType {
    /// Proposes.
    Offer,
    /// Answers for the time being.
    PrAnswer,
    /// Answers for good.
    Answer,
    /// Takes an offer back; has no SDP.
    Rollback,
}

impl fmt::Display for SdpType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Offer => "offer",
            Self::PrAnswer => "pranswer",
            Self::Answer => "answer",
            Self::Rollback => "rollback",
        })
    }
}

/// A description with what it is for (W3C `RTCSessionDescription`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    /// What it is for.
    pub kind: SdpType,
    /// The text.
    pub sdp: String,
}

impl Description {
    /// An offer.
    pub fn offer(sdp: impl Into<String>) -> Self {
        Self { kind: SdpType::Offer, sdp: sdp.into() }
    }

    /// An answer.
    pub fn answer(sdp: impl Into<String>) -> Self {
        Self { kind: SdpType::Answer, sdp: sdp.into() }
    }

    /// A provisional answer.
    pub fn pranswer(sdp: impl Into<String>) -> Self {
        Self { kind: SdpType::PrAnswer, sdp: sdp.into() }
    }

    /// Takes the pending offer back.
    pub fn rollback() -> Self {
        Self { kind: SdpType::Rollback, sdp: String::new() }
    }

    /// The same text as a provisional answer, for an answer that is not the last word.
    #[must_use]
    pub fn provisional(self) -> Self {
        Self { kind: SdpType::PrAnswer, ..self }
    }
}

/// A candidate on its way between the peers (W3C `RTCIceCandidateInit`).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct IceCandidate {
    /// `candidate:…`; empty when no more follow.
    pub candidate: String,
    /// The section's name.
    pub sdp_mid: Option<String>,
    /// The section's number, from 0, for peers that give it no name.
    pub sdp_mline_index: Option<u16>,
    /// The ICE generation.
    pub username_fragment: Option<String>,
}

/// What a peer's trickled candidate comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trickled {
    /// For the ICE agent.
    Candidate(Candidate),
    /// No more candidates follow in this generation.
    EndOfCandidates,
    /// Nothing to do: known already, of a kind that is not known, or for a section or generation not in use.
    Ignored,
}
