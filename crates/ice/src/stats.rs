//! Counters.

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
