//! Counters, and the checklist as it is.

use core::time::Duration;

use crate::agent::Agent;
use crate::event::PairInfo;
use crate::pair::PairState;

/// What an agent has seen and dropped, since it was made.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct Stats {
    /// Checks sent, retransmissions included, consent checks not.
    pub checks_sent: u64,
    /// Of those, retransmissions.
    pub checks_retransmitted: u64,
    /// Consent checks sent.
    pub consent_sent: u64,
    /// Responses that matched a check.
    pub responses_received: u64,
    /// Authenticated requests received.
    pub requests_received: u64,
    /// Responses sent, errors included.
    pub responses_sent: u64,
    /// Not STUN, or its fingerprint is missing or wrong.
    pub malformed: u64,
    /// Requests without the right username or integrity.
    pub unauthenticated: u64,
    /// Responses that match nothing, or without the right integrity.
    pub stray_responses: u64,
    /// Datagrams that are not STUN and came by a path that no authenticated check has come by.
    pub unvalidated: u64,
    /// Datagrams to an address that is none of ours.
    pub unknown_local: u64,
    /// Requests not answered because a limit was reached.
    pub limited: u64,
    /// Candidates and checks not kept because a limit was reached.
    pub discarded: u64,
    /// Events lost because nobody polled them.
    pub events_lost: u64,
}

/// The state of a candidate pair (RFC 8445 section 6.1.2.6).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum CheckState {
    /// It waits for one with its foundations.
    Frozen,
    /// It is checked when its turn comes.
    Waiting,
    /// A check is under way.
    InProgress,
    /// A check succeeded.
    Succeeded,
    /// Its check failed.
    Failed,
}

impl From<PairState> for CheckState {
    fn from(state: PairState) -> Self {
        match state {
            PairState::Frozen => Self::Frozen,
            PairState::Waiting => Self::Waiting,
            PairState::InProgress => Self::InProgress,
            PairState::Succeeded => Self::Succeeded,
            PairState::Failed => Self::Failed,
        }
    }
}

/// Checks of a candidate pair, both ways, since it was formed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct CheckCounts {
    /// `requestsSent`: checks, without retransmissions and consent checks.
    pub requests_sent: u32,
    /// `requestsReceived`: authenticated checks of the peer, retransmissions and consent checks included.
    pub requests_received: u32,
    /// `responsesSent`.
    pub responses_sent: u32,
    /// `responsesReceived`: to checks and consent checks.
    pub responses_received: u32,
    /// `consentRequestsSent`.
    pub consent_requests_sent: u32,
}

/// A candidate pair of the checklist.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct PairStats {
    /// Its candidates, its path, its round trip time.
    pub info: PairInfo,
    /// Where its check is.
    pub state: CheckState,
    /// Its priority (RFC 8445 section 6.1.2.3).
    pub priority: u64,
    /// Whether data travels over it.
    pub selected: bool,
    /// Its checks.
    pub checks: CheckCounts,
    /// `totalRoundTripTime`: of all success responses to checks that were sent once, and to consent checks.
    pub total_round_trip_time: Duration,
}

impl Agent {
    /// The pairs of the checklist, best first.
    pub fn pairs(&self) -> impl Iterator<Item = PairStats> {
        let selected = self.selected_path();
        self.session.checklist.pairs.iter().filter_map(move |pair| {
            Some(PairStats {
                info: self.info(pair)?,
                state: pair.state.into(),
                priority: pair.priority,
                selected: selected == Some(pair.path),
                checks: pair.counts,
                total_round_trip_time: Duration::from_nanos(pair.round_trips),
            })
        })
    }
}
