//! Filters over samples.

use core::time::Duration;

use weft_core::Instant;

/// The highest of the samples of the last two periods, the length of which the caller decides.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct MaxOfTwo {
    now: f64,
    last: f64,
}

impl MaxOfTwo {
    pub(super) fn get(self) -> f64 {
        self.now.max(self.last)
    }

    pub(super) fn add(&mut self, sample: f64) {
        self.now = self.now.max(sample);
    }

    /// The next period begins. One without samples is none.
    pub(super) fn advance(&mut self) {
        if self.now > 0.0 {
            self.last = core::mem::take(&mut self.now);
        }
    }
}

/// The lowest round-trip time of a while.
#[derive(Clone, Copy, Debug)]
pub(super) struct MinRtt {
    pub(super) value: Option<Duration>,
    pub(super) at: Instant,
}

impl MinRtt {
    pub(super) fn new() -> Self {
        Self { value: None, at: Instant::ORIGIN }
    }

    /// Takes a sample; one older than `window` is replaced. `true` if it was.
    pub(super) fn add(&mut self, now: Instant, rtt: Duration, window: Duration) -> bool {
        let expired = self.value.is_some() && now > self.at + window;
        if expired || self.value.is_none_or(|min| rtt <= min) {
            self.value = Some(rtt);
            self.at = now;
        }
        expired
    }
}
