//! Pacing: what may leave is spread over the round trip, by a bucket of tokens that fills at the pacing rate.
//!
//! A timer is no finer than a tick of about a millisecond. So the bucket holds a few ticks' worth, and a deadline is set
//! for half a tick's worth at a time, never for single packets. Where the whole round trip is of the order of a tick, no
//! timer could pace it: there acknowledgements do, as each of them lets about as much leave as it acknowledged.

use core::time::Duration;

use weft_core::Instant;

/// What a timer can be trusted with.
const TICK: Duration = Duration::from_millis(1);

/// How many ticks' worth may leave at once when a timer was late.
const LATE_TICKS: f64 = 4.0;

/// How much faster than a window a round trip a controller without a rate of its own is paced (RFC 9002 section 7.7).
const WINDOW_GAIN: f64 = 1.25;
const SLOW_START_GAIN: f64 = 2.0;

#[derive(Debug)]
pub(crate) struct Pacer {
    enabled: bool,
    /// Bytes a second; `None` while round trips are too short, or none was measured.
    rate: Option<f64>,
    tokens: f64,
    at: Instant,
    /// Bytes the bucket holds at the least and at the most.
    bounds: (f64, f64),
}

impl Pacer {
    /// `least` and `most` are the bounds of what may leave at once, bytes.
    pub(crate) fn new(enabled: bool, least: usize, most: usize) -> Self {
        let bounds = (least as f64, most.max(least) as f64);
        Self { enabled, rate: None, tokens: bounds.0, at: Instant::ORIGIN, bounds }
    }

    /// `own` is the controller's rate; without one, `window` bytes leave in a round trip.
    pub(crate) fn set_rate(&mut self, own: Option<f64>, window: usize, slow_start: bool, srtt: Option<Duration>) {
        let Some(srtt) = srtt.filter(|srtt| self.enabled && *srtt > TICK * 2) else {
            self.rate = None;
            return;
        };
        let gain = if slow_start { SLOW_START_GAIN } else { WINDOW_GAIN };
        let rate = own.unwrap_or_else(|| window as f64 * gain / srtt.as_secs_f64());
        self.rate = Some(rate.max(self.bounds.0));
    }

    fn capacity(&self, rate: f64) -> f64 {
        (rate * TICK.as_secs_f64() * LATE_TICKS).clamp(self.bounds.0, self.bounds.1)
    }

    /// Whether acknowledgements have to pace, for want of a rate that a timer could keep.
    pub(crate) fn is_idle(&self) -> bool {
        self.rate.is_none()
    }

    /// Whether something may leave now.
    pub(crate) fn may_send(&mut self, now: Instant) -> bool {
        let Some(rate) = self.rate else { return true };
        let elapsed = (now - self.at).as_secs_f64();
        self.at = now;
        self.tokens = (self.tokens + elapsed * rate).min(self.capacity(rate));
        self.tokens > 0.0
    }

    /// `bytes` left.
    pub(crate) fn spend(&mut self, bytes: usize) {
        if self.rate.is_some() {
            self.tokens -= bytes as f64;
        }
    }

    /// When something worth a timer may leave; after [`may_send`](Self::may_send) said no.
    pub(crate) fn next(&self) -> Option<Instant> {
        let rate = self.rate?;
        let quantum = (rate * TICK.as_secs_f64() / 2.0).clamp(self.bounds.0 / 2.0, self.bounds.1);
        Some(self.at + Duration::from_secs_f64(((quantum - self.tokens) / rate).clamp(1e-6, 1.0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_takes_a_seconds_worth_in_small_bursts() {
        let mut pacer = Pacer::new(true, 2400, 65_536);
        pacer.set_rate(Some(1_250_000.0), 0, false, Some(Duration::from_millis(40)));
        let (mut now, mut sent, mut largest) = (Instant::ORIGIN, 0, 0);
        while now < Instant::from_millis(1000) {
            let before = sent;
            while pacer.may_send(now) {
                pacer.spend(1200);
                sent += 1200;
            }
            largest = largest.max(sent - before);
            now = pacer.next().unwrap();
        }
        assert!((1_240_000..1_260_000).contains(&sent), "{sent}");
        assert!(largest <= 3600, "{largest}");
    }

    #[test]
    fn a_late_timer_may_catch_up_within_bounds() {
        let mut pacer = Pacer::new(true, 2400, 65_536);
        pacer.set_rate(Some(12_500_000.0), 0, false, Some(Duration::from_millis(40)));
        let mut burst = 0;
        let late = Instant::from_millis(500);
        while pacer.may_send(late) {
            pacer.spend(1200);
            burst += 1200;
        }
        assert!((49_000..52_000).contains(&burst), "four milliseconds' worth: {burst}");
    }

    #[test]
    fn round_trips_below_a_tick_are_not_paced() {
        let mut pacer = Pacer::new(true, 2400, 65_536);
        pacer.set_rate(Some(1e6), 0, false, Some(Duration::from_micros(300)));
        pacer.spend(1 << 30);
        assert!(pacer.is_idle() && pacer.may_send(Instant::ORIGIN));
    }
}
