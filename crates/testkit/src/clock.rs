//! Virtual time.

use core::time::Duration;

use weft_core::Instant;

/// A clock that stands still until it is moved. It never goes back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Clock {
    now: Instant,
}

impl Clock {
    /// A clock at [`Instant::ORIGIN`].
    pub const fn new() -> Self {
        Self { now: Instant::ORIGIN }
    }

    /// What it shows.
    pub const fn now(&self) -> Instant {
        self.now
    }

    /// Moves it forward by `by`.
    pub fn advance(&mut self, by: Duration) {
        self.now += by;
    }

    /// Moves it forward to `to`; does nothing when that is in the past.
    pub fn advance_to(&mut self, to: Instant) {
        self.now = self.now.max(to);
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}
