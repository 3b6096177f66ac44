//! Pacing: what may leave is spread over the round trip, by a bucket of tokens that fills at the pacing rate.
//!
//! A timer is no finer than a tick of about a millisecond. So the bucket holds a few ticks' worth. Where the whole round
//! trip is of the order of a tick, no timer could pace it: there acknowledgements do, as each of them lets about as much
//! leave as it acknowledged.
//!
//! What leaves together costs one call of the system and one SACK. So a burst begins only when there are tokens for one that
//! is worth that, and goes on while there are any. Else each SACK would let go the few packets it came too early for, and be
//! answered for them by another: with many associations in one process there would soon be a call for every few packets.

use core::time::Duration;

use weft_core::Instant;

/// What a timer can be trusted with.
const TICK: Duration = Duration::from_millis(1);

/// How many ticks' worth may leave at once when a timer was late.
const LATE_TICKS: f64 = 4.0;

/// What is worth a burst, bytes, on a round trip as short as within a machine or a building: calls are what limits there, and
/// no queue of the network. It takes no longer than this, nor than the round trip.
const WORTH: f64 = 32_768.0;
const SHORT_RTT: Duration = Duration::from_millis(16);
const LONGEST: Duration = Duration::from_millis(5);

/// A turn of a message before others have theirs: no longer than this, bytes, nor than a tick, nor than its part of the window.
/// So short a time it may take where its part of the window is less: of long messages that all advance by turns, all are in the
/// making at the same time, and none of their buffers stays in the caches.
const LONGEST_TURN: f64 = 65_536.0;
const TURNS: f64 = 16.0;
const MOMENT: Duration = Duration::from_micros(250);

/// How much faster than a window a round trip a controller without a rate of its own is paced (RFC 9002 section 7.7).
const WINDOW_GAIN: f64 = 1.25;
const SLOW_START_GAIN: f64 = 2.0;

#[derive(Debug)]
pub(crate) struct Pacer {
    enabled: bool,
    /// Bytes a second; `None` while round trips are too short, or none was measured.
    rate: Option<f64>,
    /// Bytes for which a timer is set.
    quantum: f64,
    /// Bytes with which a burst begins.
    least: f64,
    /// One has begun, and has tokens left.
    bursting: bool,
    tokens: f64,
    at: Instant,
    /// Bytes the bucket holds at the least and at the most.
    bounds: (f64, f64),
}

impl Pacer {
    /// `least` and `most` are the bounds of what may leave at once, bytes.
    pub(crate) fn new(enabled: bool, least: usize, most: usize) -> Self {
        let bounds = (least as f64, most.max(least) as f64);
        Self {
            enabled,
            rate: None,
            quantum: 0.0,
            least: 0.0,
            bursting: false,
            tokens: bounds.0,
            at: Instant::ORIGIN,
            bounds,
        }
    }

    /// `own` is the controller's rate; without one, `window` bytes leave in a round trip.
    pub(crate) fn set_rate(&mut self, own: Option<f64>, window: usize, slow_start: bool, srtt: Option<Duration>) {
        let Some(srtt) = srtt.filter(|srtt| self.enabled && *srtt > TICK * 2) else {
            self.rate = None;
            return;
        };
        let gain = if slow_start { SLOW_START_GAIN } else { WINDOW_GAIN };
        let rate = own.unwrap_or_else(|| window as f64 * gain / srtt.as_secs_f64()).max(self.bounds.0);
        let quantum = |time: Duration| (rate * time.as_secs_f64()).clamp(self.bounds.0 / 2.0, self.bounds.1);
        self.quantum = quantum(TICK / 2);
        self.least = f64::MIN_POSITIVE;
        if srtt < SHORT_RTT {
            self.quantum = quantum(LONGEST.min(srtt)).min(WORTH).max(self.quantum);
            self.least = self.quantum - 1.0; // the deadline is one of whole nanoseconds
        }
        self.rate = Some(rate);
    }

    /// How much of a message may leave before others have their turn, bytes, with a window of `window`.
    pub(crate) fn turn(&self, window: usize, srtt: Option<Duration>) -> u32 {
        let tick = self.rate.map_or(f64::INFINITY, |rate| rate * TICK.as_secs_f64());
        let moment = srtt.map_or(0.0, |srtt| MOMENT.as_secs_f64() / srtt.max(MOMENT).as_secs_f64());
        (window as f64 * moment.max(1.0 / TURNS)).min(tick).min(LONGEST_TURN) as u32
    }

    fn capacity(&self, rate: f64) -> f64 {
        let ticks = |count: f64| rate * TICK.as_secs_f64() * count;
        ticks(LATE_TICKS).max(self.quantum + ticks(LATE_TICKS / 2.0)).clamp(self.bounds.0, self.bounds.1)
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
        let least = if self.bursting { f64::MIN_POSITIVE } else { self.least };
        self.bursting = self.tokens >= least;
        self.bursting
    }

    /// `bytes` left.
    pub(crate) fn spend(&mut self, bytes: usize) {
        if self.rate.is_some() {
            self.tokens -= bytes as f64;
        }
    }

    /// When a burst may begin; after [`may_send`](Self::may_send) said no.
    pub(crate) fn next(&self) -> Option<Instant> {
        let rate = self.rate?;
        Some(self.at + Duration::from_secs_f64(((self.quantum - self.tokens) / rate).clamp(1e-6, 1.0)))
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

    /// SACKs come in all the time, as they do from a machine that has many to answer.
    fn bursts(srtt: Duration) -> Vec<usize> {
        let mut pacer = Pacer::new(true, 2400, 131_072);
        pacer.set_rate(Some(8_000_000.0), 0, false, Some(srtt));
        let mut bursts = Vec::new();
        for n in 0..10_000 {
            let mut burst = 0;
            while pacer.may_send(Instant::from_nanos(100_000 * n)) {
                pacer.spend(1200);
                burst += 1200;
            }
            bursts.extend((burst > 0).then_some(burst));
        }
        let sent: usize = bursts.iter().sum();
        assert!((7_900_000..8_100_000).contains(&sent), "a second's worth: {sent}");
        bursts
    }

    #[test]
    fn on_a_short_round_trip_a_burst_is_worth_a_call() {
        for (millis, worth) in [(3, 24_000), (6, 32_000)] {
            let bursts = bursts(Duration::from_millis(millis));
            assert!(bursts.iter().skip(1).all(|burst| (worth..worth + 3600).contains(burst)), "{bursts:?}");
        }
    }

    #[test]
    fn on_a_long_round_trip_packets_are_spread() {
        assert!(bursts(Duration::from_millis(16)).iter().skip(1).all(|burst| *burst <= 2400));
    }

    #[test]
    fn round_trips_below_a_tick_are_not_paced() {
        let mut pacer = Pacer::new(true, 2400, 65_536);
        pacer.set_rate(Some(1e6), 0, false, Some(Duration::from_micros(300)));
        pacer.spend(1 << 30);
        assert!(pacer.is_idle() && pacer.may_send(Instant::ORIGIN));
    }
}
