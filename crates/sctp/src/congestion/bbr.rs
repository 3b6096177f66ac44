//! Congestion control by a model of the path, of the BBR family: it measures how fast the path delivers and how long its
//! round trip is when no queue stands, and sends at that rate with about that much in flight.
//!
//! The states and gains are those of BBR as published (Startup, Drain, ProbeBW with its phases down, cruise, refill and
//! up, ProbeRTT). What differs is the answer to loss. A lossy radio link and a full queue both lose packets, but only the
//! queue makes packets late before it does. So loss bounds what may be in flight only in rounds whose round-trip times
//! stood well above the minimum; loss without delay says nothing about congestion, and is repaired without slowing down.
//! Where others fill the queue, losses come with delay, and their answer is shared with them. Where others do as we do,
//! [`share`](super::share) bounds what is in flight.

use core::time::Duration;

use weft_core::Instant;

use super::filter::{MaxOfTwo, MinRtt};
use super::round::Round;
use super::share::Share;
use super::{Acknowledged, Controller, initial_window};

/// How long a minimum of the round-trip time is believed: shorter where nothing was lost for that long, so that it is the
/// path that changed, and not others that keep its queue filled.
const MIN_RTT_WINDOW: Duration = Duration::from_secs(10);
const LOSSY_MIN_RTT_WINDOW: Duration = Duration::from_secs(60);
/// After how long without a new minimum the queue is emptied to find one.
const PROBE_RTT_INTERVAL: Duration = Duration::from_secs(5);
/// For how long that takes at least.
const PROBE_RTT_TIME: Duration = Duration::from_millis(200);
/// What is in flight meanwhile, of the bandwidth-delay product.
const PROBE_RTT_GAIN: f64 = 0.5;
/// Startup doubles what is delivered each round: 4 ln 2.
const STARTUP_PACING_GAIN: f64 = 2.77;
const DRAIN_PACING_GAIN: f64 = 0.5;
const DOWN_PACING_GAIN: f64 = 0.9;
const UP_PACING_GAIN: f64 = 1.4;
/// Where the window bounds what is in flight, so that pacing does not.
const SHARED_PACING_GAIN: f64 = 1.25;
const CWND_GAIN: f64 = 2.0;
/// The bandwidth is fully used when it grew by less than this in three rounds.
const FULL_BW_GROWTH: f64 = 1.25;
const FULL_BW_ROUNDS: u32 = 3;
/// A round's delay is that of a queue from here, times the minimum.
const QUEUE_DELAY: f64 = 1.3;
/// What remains of what was in flight after losses with delay: CUBIC's factor.
const BETA: f64 = 0.7;
/// How far a probe raises the bound where others keep a queue standing.
const SHARED_GROWTH: f64 = 1.08;
/// How long the rate is kept before it is probed again: between so many round trips and twice that, and longer where
/// others keep a queue standing, whose windows grow more slowly.
const CRUISE_ROUNDS: u32 = 4;
const SHARED_CRUISE: Duration = Duration::from_millis(1200);
/// Chunks in flight at the least; and so many on round trips that no timer could pace, queues included, as within a machine:
/// there a window of a few chunks would cost a call and a SACK for every two or three.
const MIN_CHUNKS: usize = 4;
const MIN_CHUNKS_NEAR: usize = 12;
const NEAR: Duration = Duration::from_millis(2);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Startup,
    Drain,
    Down,
    Cruise,
    Refill,
    Up,
    ProbeRtt,
}

/// The model-based controller.
#[derive(Clone, Debug)]
pub struct Bbr {
    chunk: usize,
    state: State,
    state_since: Instant,
    /// Round in which the state began.
    state_round: u64,
    bw: MaxOfTwo,
    min_rtt: MinRtt,
    probe_rtt: MinRtt,
    round: Round,
    full_bw: f64,
    full_bw_rounds: u32,
    full_bw_reached: bool,
    /// Bytes beyond the model that acknowledgements come in at once.
    extra_acked: MaxOfTwo,
    aggregate_since: Instant,
    aggregate: f64,
    cruise: Duration,
    /// What may be in flight, learned from losses with delay; bytes.
    inflight_hi: f64,
    /// Others keep a queue standing.
    shared: bool,
    share: Share,
    /// When something was lost last, and the round in which the bound was lowered last.
    last_loss: Option<Instant>,
    reduced_round: u64,
    cwnd: usize,
    /// The window before a timeout or ProbeRTT.
    saved_cwnd: usize,
    /// ProbeRTT ends then.
    probe_rtt_done: Option<Instant>,
    bounds_before: Option<f64>,
    /// Packets to begin with, where that was set.
    initial: Option<usize>,
}

impl Bbr {
    /// `chunk` is the most user data a chunk carries, bytes.
    pub fn new(chunk: usize) -> Self {
        Self {
            chunk,
            state: State::Startup,
            state_since: Instant::ORIGIN,
            state_round: 0,
            bw: MaxOfTwo::default(),
            min_rtt: MinRtt::new(),
            probe_rtt: MinRtt::new(),
            round: Round::default(),
            full_bw: 0.0,
            full_bw_rounds: 0,
            full_bw_reached: false,
            extra_acked: MaxOfTwo::default(),
            aggregate_since: Instant::ORIGIN,
            aggregate: 0.0,
            cruise: SHARED_CRUISE,
            inflight_hi: f64::INFINITY,
            shared: false,
            share: Share::new(),
            last_loss: None,
            reduced_round: 0,
            cwnd: initial_window(chunk),
            saved_cwnd: 0,
            probe_rtt_done: None,
            bounds_before: None,
            initial: None,
        }
    }

    /// Begins with a window of so many packets, where that is not `None`.
    #[must_use]
    pub fn with_initial_window(mut self, packets: Option<usize>) -> Self {
        self.initial = packets;
        self.cwnd = packets.map_or(self.cwnd, |packets| packets.max(1).saturating_mul(self.chunk));
        self
    }

    /// Bandwidth-delay product, bytes; `None` before anything was measured.
    fn bdp(&self) -> Option<f64> {
        let bw = self.bw.get();
        self.min_rtt.value.filter(|_| bw > 0.0).map(|rtt| bw * rtt.as_secs_f64())
    }

    fn pacing_gain(&self) -> f64 {
        match self.state {
            State::Startup => STARTUP_PACING_GAIN,
            State::Drain => DRAIN_PACING_GAIN,
            State::Down | State::Cruise | State::Refill | State::Up if self.share.bound().is_some() => {
                SHARED_PACING_GAIN
            }
            State::Down => DOWN_PACING_GAIN,
            State::Up => UP_PACING_GAIN,
            State::Cruise | State::Refill | State::ProbeRtt => 1.0,
        }
    }

    fn enter(&mut self, now: Instant, state: State) {
        self.state = state;
        self.state_since = now;
        self.state_round = self.round.count;
        match state {
            State::Down => {
                // Flows that share a queue must not all probe at once: the time of day is as good as a die.
                let die = (now.as_nanos() / 1000).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
                let rounds = self.min_rtt.value.unwrap_or_default() * CRUISE_ROUNDS;
                let least = if self.shared { rounds.max(SHARED_CRUISE) } else { rounds };
                self.cruise = least.mul_f64(1.0 + die as f64 / f64::from(u32::MAX));
                self.bw.advance();
                self.extra_acked.advance();
            }
            // No queue stands: the bound is out of date.
            State::Refill if !self.shared => self.inflight_hi = f64::INFINITY,
            _ => {}
        }
    }

    fn rounds_in_state(&self) -> u64 {
        self.round.count - self.state_round
    }

    fn update_model(&mut self, now: Instant, ack: &Acknowledged) {
        if let Some(rate) = &ack.rate
            && (!rate.app_limited || rate.bytes_per_second >= self.bw.get())
        {
            self.bw.add(rate.bytes_per_second);
        }
        if let Some(rtt) = ack.rtt {
            self.share.on_rtt(now, rtt);
            let stale = self.probe_rtt.add(now, rtt, PROBE_RTT_INTERVAL);
            let lower = self.min_rtt.value.is_none_or(|min| rtt <= min);
            let lossy = self.last_loss.is_some_and(|at| now - at < MIN_RTT_WINDOW);
            let window = if lossy { LOSSY_MIN_RTT_WINDOW } else { MIN_RTT_WINDOW };
            if lower || now > self.min_rtt.at + window {
                self.min_rtt = self.probe_rtt;
            }
            if stale && self.state != State::ProbeRtt && self.full_bw_reached && ack.window_limited {
                self.saved_cwnd = self.cwnd;
                self.probe_rtt_done = None;
                self.enter(now, State::ProbeRtt);
            }
        }
        // How much more was acknowledged at once than the rate explains: links and receivers that save it up.
        let expected = self.bw.get() * (now - self.aggregate_since).as_secs_f64();
        if self.aggregate <= expected {
            self.aggregate = 0.0;
            self.aggregate_since = now;
            self.aggregate += ack.bytes as f64;
            self.extra_acked.add(self.aggregate.min(self.cwnd as f64));
        } else {
            self.aggregate += ack.bytes as f64;
            self.extra_acked.add((self.aggregate - expected).min(self.cwnd as f64));
        }
    }

    /// The packets of a round were late: a queue stands.
    fn is_queued(&self, round: &Round) -> bool {
        let (Some(mean), Some(min)) = (round.mean_rtt(), self.min_rtt.value) else { return false };
        mean.as_secs_f64() > min.as_secs_f64() * QUEUE_DELAY + 0.000_2
    }

    fn on_round(&mut self, now: Instant, round: &Round) {
        let queued = self.is_queued(round);
        let congested = queued && round.lost > 0;
        if !self.full_bw_reached {
            self.check_full_bw(round, congested);
        }
        if self.state == State::Cruise {
            self.shared = queued;
        }
        if round.lost > 0 {
            self.last_loss = Some(now);
        }
        let probes_bandwidth = matches!(self.state, State::Down | State::Cruise | State::Refill | State::Up);
        if congested {
            self.share.on_congestion();
        } else if let Some(min) = self.min_rtt.value.filter(|_| probes_bandwidth) {
            self.share.on_round(now, round, self.state == State::Cruise, min, self.chunk as f64);
        }
        let flight = round.flight as f64;
        if !congested {
            if self.state == State::Up && self.inflight_hi.is_finite() {
                // Nothing was lost up there: the bound moves.
                let growth = if self.shared { SHARED_GROWTH } else { UP_PACING_GAIN };
                self.inflight_hi = self.inflight_hi.max(flight * growth);
            }
            return;
        }
        if self.round.count < self.reduced_round + 2 {
            return; // the same queue, still full
        }
        self.reduced_round = self.round.count;
        self.bounds_before = Some(self.inflight_hi);
        let bdp = self.bdp().unwrap_or(0.0);
        self.inflight_hi = match self.state {
            State::Startup | State::Drain => bdp.max(flight * BETA),
            _ => (flight * BETA).max(bdp * BETA * 0.5),
        };
        if matches!(self.state, State::Up | State::Refill) {
            self.enter(now, State::Down);
        }
    }

    fn check_full_bw(&mut self, round: &Round, congested: bool) {
        if round.bw >= self.full_bw * FULL_BW_GROWTH {
            self.full_bw = round.bw;
            self.full_bw_rounds = 0;
            return;
        }
        self.full_bw_rounds += 1;
        self.full_bw_reached = self.full_bw_rounds >= FULL_BW_ROUNDS || congested;
    }

    fn advance_state(&mut self, now: Instant, ack: &Acknowledged) {
        let bdp = self.bdp().unwrap_or(f64::INFINITY);
        let flight = ack.flight_after as f64;
        let min_rtt = self.min_rtt.value.unwrap_or_default();
        match self.state {
            State::Startup if self.full_bw_reached => self.enter(now, State::Drain),
            State::Startup => {}
            State::Drain => {
                if flight <= bdp {
                    self.enter(now, State::Down);
                }
            }
            State::Down => {
                if flight <= bdp.min(self.inflight_hi) || self.rounds_in_state() > 8 {
                    self.enter(now, State::Cruise);
                }
            }
            State::Cruise => {
                if now - self.state_since >= self.cruise {
                    self.enter(now, State::Refill);
                }
            }
            State::Refill => {
                if self.rounds_in_state() >= 1 {
                    self.full_bw = self.bw.get();
                    self.enter(now, State::Up);
                }
            }
            State::Up => {
                let grown = self.bw.get() >= self.full_bw * 1.1;
                if grown {
                    self.full_bw = self.bw.get();
                    self.state_round = self.round.count;
                }
                let full = flight >= bdp * UP_PACING_GAIN && now - self.state_since >= min_rtt;
                if (full && self.rounds_in_state() >= 1) || self.rounds_in_state() >= 4 {
                    self.enter(now, State::Down);
                }
            }
            State::ProbeRtt => self.probe_rtt(now, ack),
        }
    }

    fn probe_rtt(&mut self, now: Instant, ack: &Acknowledged) {
        match self.probe_rtt_done {
            None => {
                if ack.flight_after as f64 <= self.bdp().unwrap_or(0.0) * PROBE_RTT_GAIN + self.chunk as f64 {
                    let round = self.min_rtt.value.unwrap_or_default();
                    self.probe_rtt_done = Some(now + PROBE_RTT_TIME.max(round));
                    self.probe_rtt.at = now;
                }
            }
            Some(done) if now >= done => {
                self.share.on_probe(self.probe_rtt.value, self.round.count);
                self.probe_rtt.at = now;
                self.cwnd = self.cwnd.max(self.saved_cwnd);
                self.enter(now, State::Cruise);
            }
            Some(_) => {}
        }
    }

    fn set_window(&mut self, ack: &Acknowledged) {
        // A probe of the round trip ends when little is in flight.
        let near = self.state != State::ProbeRtt && ack.srtt.is_some_and(|srtt| srtt < NEAR);
        let floor = if near { MIN_CHUNKS_NEAR } else { MIN_CHUNKS } * self.chunk;
        let Some(bdp) = self.bdp() else {
            self.cwnd = self.cwnd.saturating_add(ack.bytes);
            return;
        };
        let target = (bdp * CWND_GAIN + self.extra_acked.get()) as usize + 3 * self.chunk;
        self.cwnd = if self.full_bw_reached {
            self.cwnd.saturating_add(ack.bytes).min(target)
        } else if self.cwnd < target || ack.delivered < 2 * initial_window(self.chunk) as u64 {
            self.cwnd.saturating_add(ack.bytes)
        } else {
            self.cwnd
        };
        let bound = match self.state {
            State::ProbeRtt => self.inflight_hi.min(bdp * PROBE_RTT_GAIN),
            State::Startup | State::Drain => self.inflight_hi,
            _ => self.inflight_hi.min(self.share.bound().unwrap_or(f64::INFINITY)),
        };
        self.cwnd = self.cwnd.min(bound as usize).max(floor);
    }
}

impl Controller for Bbr {
    fn on_ack(&mut self, now: Instant, ack: &Acknowledged) {
        self.update_model(now, ack);
        if let Some(round) = self.round.on_ack(now, ack) {
            self.on_round(now, &round);
        }
        self.advance_state(now, ack);
        self.set_window(ack);
    }

    /// What loss means is decided by the round it happened in.
    fn on_loss(&mut self, _now: Instant, _flight: usize) {}

    fn on_timeout(&mut self, _now: Instant) {
        self.saved_cwnd = self.cwnd.max(self.saved_cwnd);
        self.cwnd = self.chunk;
    }

    fn on_spurious_loss(&mut self, _now: Instant) {
        self.cwnd = self.cwnd.max(self.saved_cwnd);
        if let Some(bound) = self.bounds_before.take() {
            self.inflight_hi = self.inflight_hi.max(bound);
        }
    }

    /// The model is kept: pacing spreads what leaves after a pause.
    fn on_idle(&mut self) {}

    fn on_resume(&mut self, now: Instant) {
        self.aggregate_since = now;
        self.aggregate = 0.0;
        // Time that passed without sending is none in which a queue could have hidden the round trip.
        if self.state == State::ProbeRtt {
            self.cwnd = self.cwnd.max(self.saved_cwnd);
            self.enter(now, State::Cruise);
        }
        self.probe_rtt.at = self.probe_rtt.at.max(now);
    }

    fn restart(&mut self) {
        *self = Self::new(self.chunk).with_initial_window(self.initial);
    }

    fn set_chunk_size(&mut self, bytes: usize) {
        self.chunk = bytes;
        self.cwnd = self.cwnd.max(bytes);
    }

    fn window(&self) -> usize {
        self.cwnd
    }

    fn threshold(&self) -> usize {
        usize::MAX
    }

    fn pacing_rate(&self) -> Option<f64> {
        let bw = self.bw.get();
        (bw > 0.0).then(|| bw * self.pacing_gain())
    }

    fn in_slow_start(&self) -> bool {
        self.state == State::Startup
    }
}
