//! Sharing a bottleneck with flows that probe as [`Bbr`](super::Bbr) does.
//!
//! A window in proportion to the measured rate keeps whatever shares there are. So where others of the same kind are on
//! the path, each flow leaves about the same number of packets in the queue instead: the queue delays all alike, and a
//! flow's part of it is its rate times that delay, so the rates become alike, too.
//!
//! Flows that fill the queue until it overflows would take all from one that does so. What tells them apart is that
//! flows of this kind all empty the queue at the same time to measure the round trip (ProbeRTT), and then it is empty.

use core::time::Duration;

use weft_core::Instant;

use super::filter::MinRtt;
use super::round::Round;

/// For how long the round trip of the empty path is remembered.
const BASE_WINDOW: Duration = Duration::from_secs(60);
/// So many times in a row the queue was found empty, and nothing was lost to it since.
const EMPTIED: u32 = 2;
/// Rounds that say nothing after the queue was emptied.
const SETTLE_ROUNDS: u64 = 3;
/// A flow's part of the queue: so many times the square root of its bandwidth-delay product, packets.
const PART: f64 = 3.0;
const LEAST_PART: f64 = 4.0;
/// Others are on the path from a queue of one such part of the round trip on, and until it stays below the other.
const BEGIN: u32 = 16;
const END: u32 = 64;
const LEAST_DELAY: Duration = Duration::from_millis(1);
const END_ROUNDS: u32 = 4;

#[derive(Clone, Debug)]
pub(super) struct Share {
    /// What may be in flight, bytes, while others of this kind are on the path.
    bound: Option<f64>,
    base: MinRtt,
    emptied: u32,
    /// The round from which rounds tell again.
    settled: u64,
    quiet_rounds: u32,
}

impl Share {
    pub(super) fn new() -> Self {
        Self { bound: None, base: MinRtt::new(), emptied: 0, settled: 0, quiet_rounds: 0 }
    }

    pub(super) fn bound(&self) -> Option<f64> {
        self.bound
    }

    pub(super) fn on_rtt(&mut self, now: Instant, rtt: Duration) {
        self.base.add(now, rtt, BASE_WINDOW);
    }

    /// Packets were late and lost: somebody fills the queue.
    pub(super) fn on_congestion(&mut self) {
        self.bound = None;
        self.emptied = 0;
    }

    /// ProbeRTT ended, in round `round`; `least` is the lowest round-trip time it found.
    pub(super) fn on_probe(&mut self, least: Option<Duration>, round: u64) {
        let base = self.base.value.unwrap_or_default();
        if least.is_some_and(|least| least <= base + base / BEGIN + Duration::from_micros(500)) {
            self.emptied += 1;
        } else {
            self.on_congestion();
        }
        self.settled = round + SETTLE_ROUNDS;
    }

    /// A round ended in which bandwidth was probed or kept. `steady`: it was kept. `min_rtt` is the round trip without a
    /// queue, `chunk` the size of a packet, bytes.
    pub(super) fn on_round(&mut self, now: Instant, round: &Round, steady: bool, min_rtt: Duration, chunk: f64) {
        let begun = self.bound.is_some();
        if round.app_limited || round.count < self.settled || !(begun || (steady && self.emptied >= EMPTIED)) {
            return;
        }
        let (Some(mean), Some(least), Some(rate)) = (round.mean_rtt(), round.least_rtt, round.rate(now)) else {
            return;
        };
        // Every packet of the round waited for this; what some waited more is jitter.
        let queue = least.saturating_sub(min_rtt);
        if !begun && queue <= LEAST_DELAY.max(min_rtt / BEGIN) {
            return;
        }
        let quiet = queue < (LEAST_DELAY / 2).max(min_rtt / END);
        self.quiet_rounds = if quiet { self.quiet_rounds + 1 } else { 0 };
        if self.quiet_rounds >= END_ROUNDS {
            self.quiet_rounds = 0;
            self.bound = None;
            return;
        }
        let product = rate * mean.saturating_sub(queue).as_secs_f64();
        self.bound = Some(product + (PART * (product / chunk).sqrt()).max(LEAST_PART) * chunk);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::congestion::{Acknowledged, RateSample};

    const CHUNK: f64 = 1000.0;
    const BASE: Duration = Duration::from_millis(40);

    /// A round of a second in which `bytes` were delivered.
    fn round(bytes: usize, least: Duration, mean: Duration) -> Round {
        let mut round = Round::default();
        let rate = RateSample {
            bytes_per_second: bytes as f64,
            interval: mean,
            app_limited: false,
            prior_delivered: 0,
            flight_at_send: 0,
            lost: 0,
        };
        let ack = |bytes, rtt, prior_delivered, delivered| Acknowledged {
            bytes,
            rtt: Some(rtt),
            window_limited: true,
            delivered,
            rate: Some(RateSample { prior_delivered, ..rate }),
            ..Acknowledged::default()
        };
        assert!(round.on_ack(Instant::ORIGIN, &ack(0, least, 0, 1)).is_some());
        let second = Instant::from_millis(1000);
        assert!(round.on_ack(second, &ack(0, least, 0, 1)).is_none());
        round.on_ack(second, &ack(bytes, (mean * 2).saturating_sub(least), 1, 2)).unwrap()
    }

    fn shared() -> Share {
        let mut share = Share::new();
        share.on_rtt(Instant::ORIGIN, BASE);
        for _ in 0..EMPTIED {
            share.on_probe(Some(BASE), 0);
        }
        share.settled = 0;
        share
    }

    #[test]
    fn unequal_flows_become_equal() {
        // A bottleneck of 10 MB/s; windows of 600 and 200 kB stand at it.
        let (capacity, mut windows) = (10e6, [600e3, 200e3]);
        let mut flows = [shared(), shared()];
        for _ in 0..60 {
            let sum: f64 = windows.iter().sum();
            let rtt = BASE.max(Duration::from_secs_f64(sum / capacity));
            for (flow, window) in flows.iter_mut().zip(&mut windows) {
                let whole = round((*window / rtt.as_secs_f64()) as usize, rtt, rtt);
                flow.on_round(Instant::from_millis(1000), &whole, true, BASE, CHUNK);
                *window = flow.bound().unwrap();
            }
        }
        let [a, b] = windows;
        assert!((a / b - 1.0).abs() < 0.05, "{a} and {b}");
        assert!(a + b > capacity * BASE.as_secs_f64(), "the link stays full");
        assert!(a + b < 1.4 * capacity * BASE.as_secs_f64(), "with a short queue");
    }

    #[test]
    fn jitter_is_no_queue() {
        let mut share = shared();
        let whole = round(10_000_000, BASE, BASE * 3 / 2);
        share.on_round(Instant::from_millis(1000), &whole, true, BASE, CHUNK);
        assert_eq!(share.bound(), None);
        // Nor does it make the bound smaller where there is one, too.
        let queue = Duration::from_millis(10);
        let whole = round(10_000_000, BASE + queue, BASE * 3 / 2 + queue);
        share.on_round(Instant::from_millis(1000), &whole, true, BASE, CHUNK);
        assert!(share.bound().unwrap() > 600e3, "10 MB/s times 60 ms: {:?}", share.bound());
    }

    #[test]
    fn who_fills_the_queue_is_not_given_way_to() {
        let late = round(10_000_000, BASE * 2, BASE * 2);
        let mut share = shared();
        share.on_congestion();
        share.on_round(Instant::from_millis(1000), &late, true, BASE, CHUNK);
        assert_eq!(share.bound(), None, "lost with delay");
        let mut share = shared();
        share.on_probe(Some(BASE * 3 / 2), 0);
        share.on_round(Instant::from_millis(1000), &late, true, BASE, CHUNK);
        assert_eq!(share.bound(), None, "the queue stands while we drained it");
    }

    #[test]
    fn alone_again_the_bound_goes() {
        let mut share = shared();
        let now = Instant::from_millis(1000);
        share.on_round(now, &round(10_000_000, BASE * 2, BASE * 2), true, BASE, CHUNK);
        assert!(share.bound().is_some());
        for _ in 0..END_ROUNDS {
            share.on_round(now, &round(10_000_000, BASE, BASE), false, BASE, CHUNK);
        }
        assert_eq!(share.bound(), None);
    }
}
