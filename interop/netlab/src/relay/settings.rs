//! How bad the network is.

use std::time::Duration;

use weft_testkit::{LinkConfig, Loss};

/// How bad one direction is.
#[derive(Clone, Copy, PartialEq, Debug, clap::Args)]
pub struct Bad {
    /// One-way delay in milliseconds.
    #[arg(long, value_name = "MS", default_value_t = 0.0)]
    pub delay: f64,
    /// Up to so many milliseconds more, at random; jitter alone never reorders.
    #[arg(long, value_name = "MS", default_value_t = 0.0)]
    pub jitter: f64,
    /// Part of the datagrams that is lost, 0 to 1.
    #[arg(long, value_name = "P", default_value_t = 0.0)]
    pub loss: f64,
    /// Losses come in bursts of so many on average.
    #[arg(long, value_name = "N", default_value_t = 1.0)]
    pub burst: f64,
    /// Part that is held back, so that later ones overtake it.
    #[arg(long, value_name = "P", default_value_t = 0.0)]
    pub reorder: f64,
    /// What is held back is late by up to so many milliseconds.
    #[arg(long, value_name = "MS", default_value_t = 10.0)]
    pub reorder_delay: f64,
    /// Part that arrives twice.
    #[arg(long, value_name = "P", default_value_t = 0.0)]
    pub duplicate: f64,
    /// Part with one to three bits flipped.
    #[arg(long, value_name = "P", default_value_t = 0.0)]
    pub corrupt: f64,
    /// Bits in a second.
    #[arg(long, value_name = "BITS")]
    pub rate: Option<u64>,
    /// Bytes that may wait for the rate; more are dropped. Without it: what 100 ms of the rate let through, at least 15,000.
    #[arg(long, value_name = "BYTES")]
    pub queue: Option<usize>,
    /// Longest IP packet; datagrams that make a longer one vanish.
    #[arg(long, value_name = "BYTES", default_value_t = 65_535)]
    pub mtu: usize,
}

impl Default for Bad {
    /// Not at all.
    fn default() -> Self {
        Self {
            delay: 0.0,
            jitter: 0.0,
            loss: 0.0,
            burst: 1.0,
            reorder: 0.0,
            reorder_delay: 10.0,
            duplicate: 0.0,
            corrupt: 0.0,
            rate: None,
            queue: None,
            mtu: 65_535,
        }
    }
}

/// How bad both directions are.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Settings {
    /// From senders to the target, and back.
    pub both: Bad,
    /// Only one direction is bad.
    pub only: Option<Direction>,
}

/// One of two directions.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub enum Direction {
    /// From senders to the target.
    Up,
    /// Back.
    Down,
}

impl Settings {
    pub(super) fn up(&self) -> LinkConfig {
        if self.only == Some(Direction::Down) { harmless() } else { link(&self.both) }
    }

    pub(super) fn down(&self) -> LinkConfig {
        if self.only == Some(Direction::Up) { harmless() } else { link(&self.both) }
    }
}

fn harmless() -> LinkConfig {
    link(&Bad::default())
}

fn ms(value: f64) -> Duration {
    Duration::try_from_secs_f64(value / 1000.0).unwrap_or_default()
}

fn link(bad: &Bad) -> LinkConfig {
    let chance = |p: f64| p.clamp(0.0, 1.0);
    let loss = match (chance(bad.loss), bad.burst) {
        (p, _) if p <= 0.0 => Loss::None,
        (p, burst) if burst <= 1.0 => Loss::Random(p),
        // A bad state that loses everything, lasts `burst` datagrams and meets a part `p` of them.
        (p, burst) => {
            let leave = 1.0 / burst;
            Loss::Burst { enter: chance(leave * p / (1.0 - p).max(1e-9)), leave, good: 0.0, bad: 1.0 }
        }
    };
    let queue = bad.rate.map_or(usize::MAX, |rate| usize::try_from(rate / 80).unwrap_or(usize::MAX).max(15_000));
    LinkConfig {
        delay: ms(bad.delay),
        jitter: ms(bad.jitter),
        loss,
        reorder: chance(bad.reorder),
        reorder_delay: ms(bad.reorder_delay),
        duplicate: chance(bad.duplicate),
        corrupt: chance(bad.corrupt),
        mtu: bad.mtu,
        bandwidth: bad.rate,
        queue: bad.queue.unwrap_or(queue),
        ..LinkConfig::default()
    }
}
