//! Figures of a connection.

use weft_core::Instant;
use weft_dtls::SessionInfo;
use weft_ice::PairInfo;

use super::{Counters, Dtls, PeerConnection};

/// When things first happened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Timeline {
    /// The peer connection was made.
    pub created: Instant,
    /// Both descriptions were known.
    pub negotiated: Option<Instant>,
    /// The first local candidate was known.
    pub first_candidate: Option<Instant>,
    /// ICE selected its first pair.
    pub pair_selected: Option<Instant>,
    /// The DTLS handshake was done.
    pub dtls_connected: Option<Instant>,
    /// The SCTP association was up.
    pub sctp_connected: Option<Instant>,
    /// The first channel was open.
    pub channel_open: Option<Instant>,
}

impl Default for Timeline {
    fn default() -> Self {
        Self {
            created: Instant::ORIGIN,
            negotiated: None,
            first_candidate: None,
            pair_selected: None,
            dtls_connected: None,
            sctp_connected: None,
            channel_open: None,
        }
    }
}

/// A picture of the connection at one moment.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Stats {
    /// When things first happened.
    pub timeline: Timeline,
    /// The pair in use.
    pub selected_pair: Option<PairInfo>,
    /// What DTLS negotiated.
    pub dtls: Option<SessionInfo>,
    /// What DTLS counted: records, what was dropped and why, key updates.
    pub dtls_counters: weft_dtls::Counters,
    /// Our DTLS role.
    pub dtls_role: Option<weft_dtls::Role>,
    /// The association's figures.
    pub sctp: weft_sctp::Stats,
    /// Traffic and what was dropped between the layers.
    pub counters: Counters,
}

impl PeerConnection {
    /// Figures of the connection now.
    pub fn stats(&self) -> Stats {
        let dtls = match &self.dtls {
            Dtls::Running(dtls) | Dtls::Ended(Some(dtls)) => Some(dtls),
            Dtls::Waiting | Dtls::Ended(None) => None,
        };
        Stats {
            timeline: self.timeline,
            selected_pair: self.ice.selected_pair(),
            dtls: dtls.and_then(|dtls| dtls.info().cloned()),
            dtls_counters: dtls.map(|dtls| dtls.counters()).unwrap_or_default(),
            dtls_role: self.dtls_role(),
            sctp: self.channels.association().stats(),
            counters: self.counters,
        }
    }

    /// When things first happened.
    pub fn timeline(&self) -> &Timeline {
        &self.timeline
    }
}
