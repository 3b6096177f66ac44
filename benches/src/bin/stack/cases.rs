//! What is measured.

use std::time::{Duration, Instant};

use super::{Result, cpu_seconds};
use serde_json::{Value, json};

/// A case by name.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) what: What,
}

/// Its kind.
#[derive(Clone, Copy)]
pub(crate) enum What {
    /// As many messages as go.
    Throughput(Load),
    /// One message of 100 bytes there and back, over and over.
    RoundTrip,
    /// New peer connections up to a channel open on both sides, over and over.
    Setup,
    /// As many messages as go to Chromium, or come from it.
    Browser(Browser),
}

/// What Chromium does.
#[derive(Clone, Copy)]
pub(crate) enum Browser {
    Sends,
    Receives,
}

/// How data are sent: one way, reliable and ordered.
#[derive(Clone, Copy)]
pub(crate) struct Load {
    /// Bytes of a message.
    pub(crate) size: usize,
    pub(crate) channels: usize,
    pub(crate) connections: usize,
    /// Whether every datagram goes by a TURN server on this machine.
    pub(crate) relay: bool,
    /// Whether the system may cut runs into datagrams and put them together.
    pub(crate) offload: bool,
}

impl Load {
    /// One connection between two sockets, as fast as the system lets it: what every stack and driver can do.
    pub(crate) const fn is_plain(&self) -> bool {
        !self.relay && self.connections == 1 && self.offload
    }
}

const ONE: Load = Load { size: 65_536, channels: 1, connections: 1, relay: false, offload: true };

pub(crate) const CASES: &[Case] = &[
    Case { name: "64KiB", what: What::Throughput(ONE) },
    Case { name: "1200B", what: What::Throughput(Load { size: 1200, ..ONE }) },
    Case { name: "100B", what: What::Throughput(Load { size: 100, ..ONE }) },
    Case { name: "channels-8", what: What::Throughput(Load { channels: 8, ..ONE }) },
    Case { name: "channels-100", what: What::Throughput(Load { channels: 100, ..ONE }) },
    Case { name: "connections-100", what: What::Throughput(Load { connections: 100, ..ONE }) },
    Case { name: "no-offload", what: What::Throughput(Load { offload: false, ..ONE }) },
    Case { name: "relayed", what: What::Throughput(Load { relay: true, offload: false, ..ONE }) },
    Case { name: "round-trip", what: What::RoundTrip },
    Case { name: "setup", what: What::Setup },
    Case { name: "chromium-receives", what: What::Browser(Browser::Receives) },
    Case { name: "chromium-sends", what: What::Browser(Browser::Sends) },
];

/// Before anything is measured: slow start is over, buffers have grown.
pub(crate) const WARM_UP: Duration = Duration::from_secs(1);

/// What has not ended after this long, setting up included, is given up where `seconds` are to be measured.
pub(crate) fn limit(seconds: f64) -> Duration {
    Duration::from_secs(60) + WARM_UP + Duration::from_secs_f64(seconds)
}

/// One transfer: how much arrived over a while, and what it cost. Made when the while begins.
pub(crate) struct Window {
    size: usize,
    before: u64,
    start: Instant,
    cpu: f64,
}

impl Window {
    /// Messages of `size` bytes; `arrived` bytes are here already.
    pub(crate) fn open(size: usize, arrived: u64) -> Self {
        Self { size, before: arrived, start: Instant::now(), cpu: cpu_seconds() }
    }

    /// Seconds since it began.
    pub(crate) fn seconds(&self) -> f64 {
        self.start.elapsed().as_secs_f64()
    }

    /// What it came to. An error if nothing arrived.
    pub(crate) fn close(&self, arrived: u64) -> Result<Value> {
        if arrived <= self.before {
            return Err("nothing arrived".into());
        }
        let (wall, cpu) = (self.seconds(), cpu_seconds() - self.cpu);
        let bytes = (arrived - self.before) as f64;
        let (mib, messages) = (bytes / 1_048_576.0, bytes / self.size as f64);
        Ok(json!({
            "mib_per_second": mib / wall,
            "cpu_seconds_per_gib": cpu / (mib / 1024.0),
            "messages_per_second": messages / wall,
            "cpu_microseconds_per_message": cpu * 1e6 / messages,
        }))
    }
}

/// One thing done over and over, each time timed: `while samples.more() { …; samples.done(); }`.
pub(crate) struct Samples {
    unit: &'static str,
    in_a_second: f64,
    warm_up: Duration,
    began: Instant,
    until: f64,
    /// When the current one began; CPU time before the first that counts, and from then to the end.
    start: Instant,
    cpu: f64,
    spent: f64,
    times: Vec<f64>,
}

impl Samples {
    /// Round trips, in microseconds, for `seconds` after warming up.
    pub(crate) fn round_trips(seconds: f64) -> Self {
        Self::new("us", 1e6, WARM_UP, seconds)
    }

    /// Set-ups, in milliseconds.
    pub(crate) fn setups(seconds: f64) -> Self {
        Self::new("ms", 1e3, WARM_UP, seconds)
    }

    fn new(unit: &'static str, in_a_second: f64, warm_up: Duration, seconds: f64) -> Self {
        let now = Instant::now();
        let until = warm_up.as_secs_f64() + seconds;
        Self { unit, in_a_second, warm_up, began: now, until, start: now, cpu: 0.0, spent: 0.0, times: Vec::new() }
    }

    /// Whether one more is to be done; it begins now.
    pub(crate) fn more(&mut self) -> bool {
        if self.times.is_empty() {
            self.cpu = cpu_seconds();
        }
        self.start = Instant::now();
        let more = self.began.elapsed().as_secs_f64() < self.until;
        if !more {
            self.spent = cpu_seconds() - self.cpu;
        }
        more
    }

    /// It is done; what comes until the next is not timed.
    pub(crate) fn done(&mut self) {
        let took = self.start.elapsed().as_secs_f64();
        if self.began.elapsed() > self.warm_up {
            self.times.push(took * self.in_a_second);
        }
    }

    fn absorb(&mut self, other: Self) {
        self.times.extend(other.times);
        self.spent += other.spent;
    }

    fn sort(&mut self) {
        self.times.sort_by(f64::total_cmp);
    }

    /// Of those that were sorted, the one that `share` of them are below.
    fn at(&self, share: f64) -> Option<f64> {
        let last = self.times.len().saturating_sub(1);
        self.times.get(((self.times.len() as f64 * share) as usize).min(last)).copied()
    }

    /// What they came to when there were no [`more`](Self::more): percentiles, and CPU for one, in the same unit. An error if
    /// none was done.
    pub(crate) fn report(mut self) -> Result<Value> {
        if self.times.is_empty() {
            return Err("not one was done".into());
        }
        let cpu = self.spent * self.in_a_second / self.times.len() as f64;
        self.sort();
        let spread: Vec<_> = (0..=100).filter_map(|n| self.at(f64::from(n) / 100.0)).collect();
        Ok(json!({
            "count": self.times.len(),
            "unit": self.unit,
            "cpu": cpu,
            "p50": self.at(0.5),
            "p90": self.at(0.9),
            "p99": self.at(0.99),
            "percentiles": spread,
        }))
    }
}

/// Round trips of two kinds by turns, a moment each: what disturbs the machine for longer disturbs both.
///
/// `while turns.more() { let mut a = Turns::turn(); …; let mut b = Turns::turn(); …; turns.take(a, b); }`
pub(crate) struct Turns {
    began: Instant,
    until: f64,
    first: Samples,
    second: Samples,
    ratios: Vec<f64>,
}

/// How long one kind is done at a time.
const TURN: f64 = 0.02;

impl Turns {
    /// For `seconds` in all after warming up.
    pub(crate) fn round_trips(seconds: f64) -> Self {
        let until = WARM_UP.as_secs_f64() + seconds;
        Self { began: Instant::now(), until, first: Self::turn(), second: Self::turn(), ratios: Vec::new() }
    }

    /// Whether both have one more turn.
    pub(crate) fn more(&self) -> bool {
        self.began.elapsed().as_secs_f64() < self.until
    }

    /// A turn, which begins now.
    pub(crate) fn turn() -> Samples {
        Samples::new("us", 1e6, Duration::ZERO, TURN)
    }

    /// What a turn of each gave.
    pub(crate) fn take(&mut self, mut first: Samples, mut second: Samples) {
        if self.began.elapsed() < WARM_UP {
            return;
        }
        first.sort();
        second.sort();
        self.ratios.extend(first.at(0.5).zip(second.at(0.5)).map(|(first, second)| first / second));
        self.first.absorb(first);
        self.second.absorb(second);
    }

    /// What all turns came to: the first kind's figures, with those of the second as `bare`, and as `times_bare` the median of
    /// what the medians of each turn were to each other.
    pub(crate) fn report(mut self) -> Result<Value> {
        self.ratios.sort_by(f64::total_cmp);
        let times = self.ratios.get(self.ratios.len() / 2).copied();
        let (mut value, bare) = (self.first.report()?, self.second.report()?);
        if let Some(object) = value.as_object_mut() {
            object.insert("bare".to_owned(), bare);
            object.insert("times_bare".to_owned(), json!(times));
        }
        Ok(value)
    }
}
