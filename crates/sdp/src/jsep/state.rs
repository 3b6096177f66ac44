//! Signaling states (RFC 8829 3.2, W3C `RTCSignalingState`).

use std::fmt;

use super::description::SdpType;

/// How far an exchange of descriptions has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SignalingState {
    /// No exchange is going on.
    Stable,
    /// A local offer waits for its answer.
    HaveLocalOffer,
    /// A remote offer waits for its answer.
    HaveRemoteOffer,
    /// A remote offer has a provisional answer.
    HaveLocalPrAnswer,
    /// A local offer has a provisional answer.
    HaveRemotePrAnswer,
    /// Over.
    Closed,
}

impl fmt::Display for SignalingState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stable => "stable",
            Self::HaveLocalOffer => "have-local-offer",
            Self::HaveRemoteOffer => "have-remote-offer",
            Self::HaveLocalPrAnswer => "have-local-pranswer",
            Self::HaveRemotePrAnswer => "have-remote-pranswer",
            Self::Closed => "closed",
        })
    }
}

/// Who made a description.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Local,
    Remote,
}

impl SignalingState {
    /// The state after a description is applied, or none where it may not be.
    pub(crate) fn after(self, side: Side, kind: SdpType) -> Option<Self> {
        match (self, side, kind) {
            (Self::Stable | Self::HaveLocalOffer, Side::Local, SdpType::Offer) => Some(Self::HaveLocalOffer),
            (Self::Stable | Self::HaveRemoteOffer, Side::Remote, SdpType::Offer) => Some(Self::HaveRemoteOffer),
            (Self::HaveRemoteOffer | Self::HaveLocalPrAnswer, Side::Local, SdpType::PrAnswer) => {
                Some(Self::HaveLocalPrAnswer)
            }
            (Self::HaveLocalOffer | Self::HaveRemotePrAnswer, Side::Remote, SdpType::PrAnswer) => {
                Some(Self::HaveRemotePrAnswer)
            }
            (Self::HaveRemoteOffer | Self::HaveLocalPrAnswer, Side::Local, SdpType::Answer)
            | (Self::HaveLocalOffer | Self::HaveRemotePrAnswer, Side::Remote, SdpType::Answer)
            | (Self::HaveLocalOffer | Self::HaveRemoteOffer, _, SdpType::Rollback) => Some(Self::Stable),
            _ => None,
        }
    }
}
