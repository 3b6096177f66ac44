//! CUBIC ([RFC 9438](https://www.rfc-editor.org/rfc/rfc9438)).

use core::time::Duration;

use weft_core::Instant;

use super::hystart::{Growth, HyStart};
use super::{Acknowledged, Controller, initial_window};

/// C, in chunks for each cubic second.
const C: f64 = 0.4;
/// Multiplicative decrease factor.
const BETA: f64 = 0.7;
/// The same where loss ended slow start, which doubled the window while the loss was on its way.
const SLOW_START_BETA: f64 = 0.5;
/// Fast convergence (section 4.7): W_max becomes this part of the window, unless the window has become larger by so much
/// since the last reduction. Flows that lose together and grow together keep their shares for minutes with the RFC's 0.85
/// and 1, because where neither gains, neither gives way.
const FAST_CONVERGENCE: f64 = 0.75;
const GROWN: f64 = 1.06;

/// CUBIC. Between losses the window is a cubic function of time, so that growth does not depend on the round-trip time.
#[derive(Clone, Debug)]
pub struct Cubic {
    /// Bytes; kept with their fraction, because growth for one acknowledgement may be less than a byte.
    cwnd: f64,
    ssthresh: f64,
    chunk: f64,
    slow_start_limit: usize,
    /// W_max: the window right before the last reduction, lowered by fast convergence.
    w_max: f64,
    /// W_est: what Reno would have reached.
    w_est: f64,
    /// cwnd_prior.
    cwnd_prior: f64,
    /// K: seconds until the window is back at W_max.
    k: f64,
    epoch: Option<Instant>,
    /// When acknowledgements last found the window unused: the epoch stands still meanwhile.
    unused_since: Option<Instant>,
    hystart: HyStart,
    before: Option<Box<Cubic>>,
    /// T3-rtx expired, and nothing was acknowledged since.
    timed_out: bool,
    idle: bool,
    /// Packets to begin with, where that was set.
    initial: Option<usize>,
}

impl Cubic {
    /// `chunk` is the PMDCS; slow start grows by at most `slow_start_limit` chunks for a SACK.
    pub fn new(chunk: usize, slow_start_limit: usize) -> Self {
        Self {
            cwnd: initial_window(chunk) as f64,
            ssthresh: f64::INFINITY,
            chunk: chunk as f64,
            slow_start_limit: slow_start_limit.max(1),
            w_max: 0.0,
            w_est: 0.0,
            cwnd_prior: 0.0,
            k: 0.0,
            epoch: None,
            unused_since: None,
            hystart: HyStart::new(false),
            before: None,
            timed_out: false,
            idle: false,
            initial: None,
        }
    }

    /// Leaves slow start when the delay grows (RFC 9406), if `on`.
    #[must_use]
    pub fn with_hystart(mut self, on: bool) -> Self {
        self.hystart = HyStart::new(on);
        self
    }

    /// Begins with a window of so many packets, where that is not `None`.
    #[must_use]
    pub fn with_initial_window(mut self, packets: Option<usize>) -> Self {
        self.initial = packets;
        self.cwnd = packets.map_or(self.cwnd, |packets| packets.max(1) as f64 * self.chunk);
        self
    }

    fn slow_start(&mut self, ack: &Acknowledged) {
        let step = ack.bytes.min(self.slow_start_limit.saturating_mul(self.chunk as usize)) as f64;
        match self.hystart.on_ack(ack) {
            Growth::Full => self.cwnd += step,
            Growth::Divided(by) => self.cwnd += step / by as f64,
            Growth::Stop => self.ssthresh = self.cwnd,
        }
    }

    /// Section 4.2: congestion avoidance begins.
    fn begin_epoch(&mut self, now: Instant) {
        self.epoch = Some(now);
        self.w_est = self.cwnd;
        if self.w_max > self.cwnd {
            self.k = ((self.w_max - self.cwnd) / self.chunk / C).cbrt();
        } else {
            self.w_max = self.cwnd;
            self.k = 0.0;
        }
    }

    /// W_cubic(t), bytes.
    fn w_cubic(&self, t: f64) -> f64 {
        C * (t - self.k).powi(3) * self.chunk + self.w_max
    }

    fn avoid_congestion(&mut self, now: Instant, ack: &Acknowledged) {
        if self.epoch.is_none() {
            self.begin_epoch(now);
        }
        let epoch = self.epoch.unwrap_or(now);
        let rtt = ack.srtt.unwrap_or(Duration::ZERO).as_secs_f64();
        let t = (now - epoch).as_secs_f64();
        let acked = ack.bytes as f64;
        // Section 4.3: alpha until the window is where it was, then as Reno.
        let alpha = if self.w_est < self.cwnd_prior { 3.0 * (1.0 - BETA) / (1.0 + BETA) } else { 1.0 };
        self.w_est += alpha * acked / self.cwnd * self.chunk;
        if self.w_cubic(t) < self.w_est {
            self.cwnd = self.cwnd.max(self.w_est);
        } else {
            let target = self.w_cubic(t + rtt).clamp(self.cwnd, 1.5 * self.cwnd);
            self.cwnd += (target - self.cwnd) / self.cwnd * acked;
        }
    }

    /// Sections 4.6, 4.7.
    fn reduce(&mut self) {
        if !self.timed_out {
            self.before = None;
            self.before = Some(Box::new(self.clone()));
        }
        let gives_way = self.cwnd < self.cwnd_prior * GROWN;
        let beta = if self.ssthresh.is_infinite() { SLOW_START_BETA } else { BETA };
        self.cwnd_prior = self.cwnd;
        self.w_max = if gives_way { self.cwnd * FAST_CONVERGENCE } else { self.cwnd };
        self.ssthresh = (self.cwnd * beta).max(2.0 * self.chunk);
        self.epoch = None;
    }
}

impl Controller for Cubic {
    fn on_ack(&mut self, now: Instant, ack: &Acknowledged) {
        self.idle = false;
        self.timed_out &= ack.bytes == 0;
        if !ack.window_limited {
            // Section 5.8: not while the application limits what is sent.
            self.unused_since.get_or_insert(now);
            return;
        }
        if let (Some(since), Some(epoch)) = (self.unused_since.take(), &mut self.epoch) {
            *epoch += now - since;
        }
        if ack.in_recovery {
            return;
        }
        if self.cwnd < self.ssthresh {
            self.slow_start(ack);
        } else {
            self.avoid_congestion(now, ack);
        }
    }

    fn on_loss(&mut self, _now: Instant, _flight: usize) {
        self.reduce();
        self.cwnd = self.ssthresh;
    }

    fn on_timeout(&mut self, _now: Instant) {
        self.reduce();
        self.timed_out = true;
        self.cwnd = self.chunk;
        // "K is set to 0 and W_max is set to the congestion window size at the beginning of the current congestion
        // avoidance stage" (section 4.8).
        self.w_max = 0.0;
    }

    fn on_spurious_loss(&mut self, _now: Instant) {
        if let Some(before) = self.before.take()
            && before.cwnd > self.cwnd
        {
            let hystart = self.hystart.clone();
            *self = Self { chunk: self.chunk, hystart, ..*before };
        }
    }

    fn on_idle(&mut self) {
        if !core::mem::replace(&mut self.idle, true) {
            self.ssthresh = if self.ssthresh.is_finite() { self.ssthresh.max(self.cwnd) } else { self.ssthresh };
            self.hystart.restart();
            self.epoch = None;
        }
        self.cwnd = (self.cwnd / 2.0).max(4.0 * self.chunk).min(self.cwnd);
    }

    fn restart(&mut self) {
        let mut hystart = self.hystart.clone();
        hystart.restart();
        let fresh = Self::new(self.chunk as usize, self.slow_start_limit).with_initial_window(self.initial);
        *self = Self { hystart, ..fresh };
    }

    fn set_chunk_size(&mut self, bytes: usize) {
        self.chunk = bytes as f64;
        self.cwnd = self.cwnd.max(self.chunk);
    }

    fn window(&self) -> usize {
        self.cwnd as usize
    }

    fn threshold(&self) -> usize {
        if self.ssthresh.is_finite() { self.ssthresh as usize } else { usize::MAX }
    }

    fn in_slow_start(&self) -> bool {
        self.cwnd < self.ssthresh
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A round trip of 100 ms in which a whole window is acknowledged, chunk by chunk.
    fn round(c: &mut Cubic, now: &mut Instant) {
        let window = c.window();
        for n in 0..window / 1000 {
            let at = *now + Duration::from_millis(100) * (n as u32 + 1) / (window as u32 / 1000);
            let ack = Acknowledged {
                bytes: 1000,
                flight_before: window,
                flight_after: window,
                advanced: true,
                window_limited: true,
                srtt: Some(Duration::from_millis(100)),
                ..Acknowledged::default()
            };
            c.on_ack(at, &ack);
        }
        *now += Duration::from_millis(100);
    }

    fn at_window(window: f64) -> Cubic {
        let mut c = Cubic::new(1000, 16);
        c.cwnd = window;
        c.ssthresh = window;
        c.on_loss(Instant::ORIGIN, 0);
        c
    }

    #[test]
    fn the_window_is_back_after_k_seconds() {
        let (mut c, mut now) = (at_window(1_000_000.0), Instant::ORIGIN);
        assert_eq!(c.window(), 700_000, "beta is 0.7");
        // K = cbrt((1000 - 700) / 0.4) = 9.086 s
        for _ in 0..91 {
            round(&mut c, &mut now);
        }
        assert!((990_000..1_010_000).contains(&c.window()), "{}", c.window());
        let plateau = c.window();
        for _ in 0..50 {
            round(&mut c, &mut now);
        }
        // 5 s later: 0.4 * 5^3 = 50 chunks beyond.
        assert!((40_000..65_000).contains(&(c.window() - plateau)), "{}", c.window());
    }

    #[test]
    fn small_windows_grow_as_reno_does() {
        let (mut c, mut now) = (at_window(20_000.0), Instant::ORIGIN);
        for _ in 0..20 {
            round(&mut c, &mut now);
        }
        // alpha = 0.529 chunks a round from 14 to 20: 12 rounds; then one each.
        assert!((24_000..31_000).contains(&c.window()), "{}", c.window());
    }

    #[test]
    fn a_second_loss_below_the_last_gives_way() {
        let mut c = at_window(1_000_000.0);
        c.on_loss(Instant::ORIGIN, 0);
        assert!((c.w_max - 700_000.0 * 0.75).abs() < 1.0, "fast convergence: {}", c.w_max);
        assert!((489_999..=490_000).contains(&c.window()));
    }

    #[test]
    fn what_does_not_grow_gives_way_what_grows_does_not() {
        let mut c = at_window(1_000_000.0);
        c.cwnd = 1_010_000.0;
        c.on_loss(Instant::ORIGIN, 0);
        assert!((c.w_max - 757_500.0).abs() < 1.0, "{}", c.w_max);
        c.cwnd = 1_200_000.0;
        c.on_loss(Instant::ORIGIN, 0);
        assert!((c.w_max - 1_200_000.0).abs() < 1.0, "{}", c.w_max);
    }

    #[test]
    fn slow_start_that_overshot_is_halved() {
        let mut c = Cubic::new(1000, 16);
        c.cwnd = 1_000_000.0;
        c.on_loss(Instant::ORIGIN, 0);
        assert_eq!(c.window(), 500_000);
    }

    #[test]
    fn a_loss_that_was_none_is_undone() {
        let mut c = at_window(1_000_000.0);
        c.on_spurious_loss(Instant::ORIGIN);
        assert_eq!(c.window(), 1_000_000);
        c.on_timeout(Instant::ORIGIN);
        assert_eq!(c.window(), 1000);
        c.on_spurious_loss(Instant::ORIGIN);
        assert_eq!(c.window(), 1_000_000);
    }

    #[test]
    fn nothing_grows_while_the_window_is_not_used() {
        let (mut c, mut now) = (at_window(100_000.0), Instant::ORIGIN);
        round(&mut c, &mut now);
        let before = c.window();
        let unused = Acknowledged { bytes: 1000, advanced: true, ..Acknowledged::default() };
        c.on_ack(now, &unused);
        now += Duration::from_secs(30);
        round(&mut c, &mut now);
        assert!(c.window() < before + 10_000, "{before} to {}", c.window());
    }
}
