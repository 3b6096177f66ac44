//! Candidate pairs: RFC 8445 section 6.1.2.

use core::time::Duration;

use weft_core::{Instant, Path};
use weft_stun::{RtoEstimator, Transaction, TransactionId};

use crate::candidate::Foundation;
use crate::event::Role;
use crate::stats::CheckCounts;

/// The state of a pair (RFC 8445 section 6.1.2.6).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum PairState {
    Frozen,
    Waiting,
    InProgress,
    Succeeded,
    Failed,
}

/// Names a pair for as long as its checklist lives.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct PairId(pub(crate) u32);

/// A check under way. What it says is fixed when it is first sent: its retransmissions are the same bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Check {
    pub(crate) transaction: Transaction,
    pub(crate) role: Role,
    pub(crate) tie_breaker: u64,
    pub(crate) use_candidate: bool,
    /// The value of NOMINATION, with renomination.
    pub(crate) nomination: Option<u32>,
    /// A response was discarded because its integrity did not hold.
    pub(crate) tainted: bool,
}

/// How many cancelled checks of a pair may still be answered.
const MAX_CANCELLED: usize = 4;

/// A local and a remote candidate.
#[derive(Debug)]
pub(crate) struct Pair {
    pub(crate) id: PairId,
    /// Index of the local candidate.
    pub(crate) local: usize,
    /// Index of the remote candidate.
    pub(crate) remote: usize,
    pub(crate) foundation: (Foundation, Foundation),
    /// From the base of the local candidate to the remote one.
    pub(crate) path: Path,
    pub(crate) priority: u64,
    pub(crate) state: PairState,
    pub(crate) check: Option<Check>,
    /// Newest first.
    cancelled: Vec<Check>,
    /// The next check nominates: with USE-CANDIDATE on the controlling side, because one came on the controlled side.
    pub(crate) nominate: bool,
    pub(crate) nominated: bool,
    /// The highest NOMINATION that came with the nomination.
    pub(crate) nomination: u32,
    /// It was in use, and has not answered for a while: others are better.
    pub(crate) suspect: bool,
    /// Since when it is being asked whether it still works.
    pub(crate) probed: Option<Instant>,
    /// On the valid list, with this local candidate (RFC 8445 section 7.2.5.3.2).
    pub(crate) valid: Option<usize>,
    /// Until when the peer consents to traffic on this pair.
    pub(crate) consent_expires: Instant,
    pub(crate) rto: RtoEstimator,
    pub(crate) counts: CheckCounts,
    /// All round trips together, in nanoseconds.
    pub(crate) round_trips: u64,
}

impl Pair {
    pub(crate) fn new(
        id: PairId,
        (local, remote): (usize, usize),
        foundation: (Foundation, Foundation),
        path: Path,
        priority: u64,
    ) -> Self {
        Self {
            id,
            local,
            remote,
            foundation,
            path,
            priority,
            state: PairState::Frozen,
            check: None,
            cancelled: Vec::new(),
            nominate: false,
            nominated: false,
            nomination: 0,
            suspect: false,
            probed: None,
            valid: None,
            consent_expires: Instant::ORIGIN,
            rto: RtoEstimator::default(),
            counts: CheckCounts::default(),
            round_trips: 0,
        }
    }

    /// A response came to a check or a consent check.
    pub(crate) fn answered(&mut self, now: Instant, round_trip: Duration) {
        self.rto.on_round_trip(now, round_trip);
        self.round_trips += u64::try_from(round_trip.as_nanos()).unwrap_or_default();
    }

    /// Stops retransmitting the check under way; its response still counts (RFC 8445 section 7.3.1.4).
    pub(crate) fn cancel(&mut self) {
        if let Some(mut check) = self.check.take() {
            check.transaction.cancel();
            self.cancelled.truncate(MAX_CANCELLED - 1);
            self.cancelled.insert(0, check);
        }
    }

    /// The checks that a response may belong to.
    pub(crate) fn checks(&self) -> impl Iterator<Item = &Check> {
        self.check.iter().chain(&self.cancelled)
    }

    /// A response to the check `id` was discarded.
    pub(crate) fn taint(&mut self, id: TransactionId) {
        if let Some(check) = self.check.as_mut().filter(|check| check.transaction.id() == id) {
            check.tainted = true;
        }
    }

    /// Ends the transaction `of`; the others live on.
    pub(crate) fn end_transaction(&mut self, of: &Transaction) {
        self.check.take_if(|check| check.transaction.id() == of.id());
        self.cancelled.retain(|check| check.transaction.id() != of.id());
    }

    /// Forgets cancelled checks that nobody will answer any more.
    pub(crate) fn drop_expired(&mut self, now: Instant) {
        self.cancelled.retain(|check| check.transaction.deadline() > now);
    }

    /// Ends all transactions.
    pub(crate) fn end_all(&mut self) {
        self.check = None;
        self.cancelled.clear();
    }

    pub(crate) fn shrink_to_fit(&mut self) {
        self.cancelled.shrink_to_fit();
    }

    /// Whether there is something left to find out.
    pub(crate) fn is_open(&self) -> bool {
        matches!(self.state, PairState::Frozen | PairState::Waiting | PairState::InProgress)
    }
}

/// `2^32*MIN(G,D) + 2*MAX(G,D) + (G>D?1:0)` (RFC 8445 section 6.1.2.3).
pub(crate) fn pair_priority(role: Role, local: u32, remote: u32) -> u64 {
    let (g, d) = match role {
        Role::Controlling => (u64::from(local), u64::from(remote)),
        Role::Controlled => (u64::from(remote), u64::from(local)),
    };
    (g.min(d) << 32) + 2 * g.max(d) + u64::from(g > d)
}
