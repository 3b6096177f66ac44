//! A token bucket.

use core::time::Duration;

use weft_core::Instant;

/// Allows a burst of `capacity`, and one more each `period`.
#[derive(Debug)]
pub(crate) struct Bucket {
    tokens: u32,
    capacity: u32,
    period: Duration,
    counted: Instant,
}

impl Bucket {
    pub(crate) fn new(capacity: u32, period: Duration) -> Self {
        Self { tokens: capacity, capacity, period, counted: Instant::ORIGIN }
    }

    /// Takes a token, if there is one.
    pub(crate) fn take(&mut self, now: Instant) -> bool {
        let earned = (now - self.counted).as_nanos() / self.period.as_nanos().max(1);
        if earned >= u128::from(self.capacity) {
            (self.tokens, self.counted) = (self.capacity, now);
        } else {
            let earned = earned as u32;
            self.tokens = self.tokens.saturating_add(earned).min(self.capacity);
            self.counted += self.period.saturating_mul(earned);
        }
        let granted = self.tokens > 0;
        self.tokens = self.tokens.saturating_sub(1);
        granted
    }

    /// When there is a token.
    pub(crate) fn ready_at(&self) -> Instant {
        if self.tokens > 0 { self.counted } else { self.counted + self.period }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_and_then_the_pace() {
        let mut bucket = Bucket::new(3, Duration::from_millis(10));
        let t = |ms: u64| Instant::from_millis(1000 + ms);
        assert!((0..3).all(|_| bucket.take(t(0))) && !bucket.take(t(0)));
        assert_eq!(bucket.ready_at(), t(10));
        assert!(!bucket.take(t(9)) && bucket.take(t(10)) && !bucket.take(t(19)));
        assert!((0..3).all(|_| bucket.take(t(500))) && !bucket.take(t(500)));
    }
}
