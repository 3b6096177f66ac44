//! Requests that wait for their response: RFC 8489 section 6.2.1.

use core::time::Duration;

use weft_core::Instant;

use crate::TransactionId;

/// When a request is sent again and when it is given up.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Timing {
    /// Wait after the first request, doubled after each. 500 ms unless something better is known.
    pub rto: Duration,
    /// Rc: how often the request is sent altogether.
    pub max_requests: u32,
    /// Rm: how many `rto` to wait after the last request.
    pub last_wait: u32,
}

impl Default for Timing {
    /// As RFC 8489 section 6.2.1 has it: given up after 39.5 s.
    fn default() -> Self {
        Self { rto: Duration::from_millis(500), max_requests: 7, last_wait: 16 }
    }
}

impl Timing {
    /// Over TCP and TLS: sent once and given up after Ti, 39.5 s (RFC 8489 section 6.2.2).
    pub const RELIABLE: Self = Self { rto: Duration::from_millis(39_500), max_requests: 1, last_wait: 1 };

    /// How long a transaction takes to fail.
    pub fn total(&self) -> Duration {
        let waits = (1..self.max_requests).map(|sent| self.wait_after(sent));
        waits.fold(self.rto.saturating_mul(self.last_wait), Duration::saturating_add)
    }

    /// The wait after the `sent`th request, which is not the last.
    fn wait_after(&self, sent: u32) -> Duration {
        self.rto.saturating_mul(1_u32.checked_shl(sent.saturating_sub(1)).unwrap_or(u32::MAX))
    }
}

/// What a transaction wants at a given time.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Step {
    /// Nothing before its deadline.
    Wait,
    /// The request is to be sent (again).
    Send,
    /// No response came: it has failed.
    TimedOut,
}

/// A request over UDP and its timers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Transaction {
    id: TransactionId,
    timing: Timing,
    sent: u32,
    first_sent: Instant,
    deadline: Instant,
    cancelled: bool,
}

impl Transaction {
    /// A transaction whose first request is to be sent at `now`.
    pub fn new(now: Instant, id: TransactionId, timing: Timing) -> Self {
        Self { id, timing, sent: 0, first_sent: now, deadline: now, cancelled: false }
    }

    /// Its id.
    pub fn id(&self) -> TransactionId {
        self.id
    }

    /// How often its request was sent.
    pub fn sent(&self) -> u32 {
        self.sent
    }

    /// When it next wants attention.
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// What is to be done at `now`.
    pub fn step(&self, now: Instant) -> Step {
        if now < self.deadline {
            Step::Wait
        } else if self.cancelled || self.sent >= self.timing.max_requests {
            Step::TimedOut
        } else {
            Step::Send
        }
    }

    /// The request was sent at `now`.
    pub fn on_sent(&mut self, now: Instant) {
        if self.sent == 0 {
            self.first_sent = now;
        }
        self.sent = self.sent.saturating_add(1);
        let wait = if self.sent < self.timing.max_requests {
            self.timing.wait_after(self.sent)
        } else {
            self.timing.rto.saturating_mul(self.timing.last_wait)
        };
        self.deadline = now + wait;
    }

    /// Sends no more requests, but still takes a response until the transaction would have failed
    /// (RFC 8445 section 7.3.1.4).
    pub fn cancel(&mut self) {
        self.cancelled = true;
        self.deadline = self.first_sent + self.timing.total();
    }

    /// The round trip time, if a response that arrives at `now` can tell: not after a retransmission (Karn's algorithm).
    pub fn round_trip(&self, now: Instant) -> Option<Duration> {
        (self.sent == 1).then(|| now - self.first_sent)
    }
}

/// The retransmission timeout towards one server, from measured round trips (RFC 6298 with the exceptions of RFC 8489
/// section 6.2.1: at least 500 ms at first, not rounded up to seconds).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct RtoEstimator {
    smoothed: Option<(Duration, Duration)>,
    last: Option<Instant>,
}

impl RtoEstimator {
    /// RTO before anything was measured.
    pub const INITIAL: Duration = Duration::from_millis(500);
    /// A value older than this says nothing any more.
    pub const STALE_AFTER: Duration = Duration::from_secs(600);
    /// Floor of a measured RTO: clock granularity and scheduling.
    pub const MIN: Duration = Duration::from_millis(20);

    /// Takes in a round trip measured at `now` ([`Transaction::round_trip`]).
    pub fn on_round_trip(&mut self, now: Instant, round_trip: Duration) {
        self.smoothed = Some(match self.smoothed {
            None => (round_trip, round_trip / 2),
            Some((srtt, rttvar)) => {
                let deviation = srtt.abs_diff(round_trip);
                ((srtt * 7 + round_trip) / 8, (rttvar * 3 + deviation) / 4)
            }
        });
        self.last = Some(now);
    }

    /// The smoothed round trip time.
    pub fn smoothed(&self) -> Option<Duration> {
        self.smoothed.map(|(srtt, _)| srtt)
    }

    /// The timeout to start a transaction with at `now`.
    pub fn rto(&self, now: Instant) -> Duration {
        match (self.smoothed, self.last) {
            (Some((srtt, rttvar)), Some(last)) if now - last < Self::STALE_AFTER => (srtt + rttvar * 4).max(Self::MIN),
            _ => Self::INITIAL,
        }
    }
}
