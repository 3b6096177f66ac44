//! The receive window tunes itself: a path that delivers a whole window in a few round trips to an application that
//! takes it all would be faster with a larger one.

use core::time::Duration;

use weft_core::Instant;

/// A window that is used up in fewer round trips than this is doubled. More than one, because what waits behind a loss
/// fills the window for as many round trips as it takes to repair it.
const ROUND_TRIPS: u32 = 8;

/// The round trip assumed by a side that never measured one, having sent nothing.
const ASSUMED_RTT: Duration = Duration::from_millis(100);

#[derive(Debug)]
pub(super) struct Window {
    /// Bytes that may be held now, and ever.
    pub(super) limit: usize,
    cap: usize,
    /// Bytes the application took since then.
    taken: usize,
    since: Instant,
}

impl Window {
    pub(super) fn new(limit: usize, cap: usize) -> Self {
        Self { limit, cap: cap.max(limit), taken: 0, since: Instant::ORIGIN }
    }

    /// The application took `len` bytes.
    pub(super) fn on_taken(&mut self, len: usize) {
        self.taken = self.taken.saturating_add(len);
    }

    /// A packet arrived.
    pub(super) fn tune(&mut self, now: Instant, srtt: Option<Duration>) {
        if self.taken < self.limit {
            return;
        }
        let quick = now - self.since < srtt.unwrap_or(ASSUMED_RTT) * ROUND_TRIPS;
        self.taken = 0;
        self.since = now;
        if quick {
            self.limit = self.limit.saturating_mul(2).min(self.cap);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_grows_with_the_rate_up_to_its_cap() {
        let mut window = Window::new(1000, 6000);
        let rtt = Some(Duration::from_millis(10));
        let mut now = Instant::from_millis(500);
        let mut grow = |taken: usize, ms: u64| {
            window.on_taken(taken);
            now += Duration::from_millis(ms);
            window.tune(now, rtt);
            window.limit
        };
        assert_eq!(grow(1000, 0), 1000, "nobody knows how long that took");
        assert_eq!(grow(999, 10), 1000);
        assert_eq!(grow(1, 10), 2000);
        assert_eq!(grow(2000, 79), 4000);
        assert_eq!(grow(4000, 80), 4000, "eight round trips: large enough");
        assert_eq!(grow(4000, 10), 6000);
        assert_eq!(grow(9000, 10), 6000);
    }
}
