//! Flows of a stack over one bottleneck, in virtual time.

pub mod svg;

use core::time::Duration;

use bytes::Bytes;
use weft_core::Instant;
use weft_testkit::{Dumbbell, LinkConfig, Loss};

use crate::stacks::End;

/// What the link charges for each SCTP packet beside its length: DTLS (37 less what is saved), UDP, IP and Ethernet.
pub const CHARGE: usize = 65;

/// UDP and IPv4 headers, which the link adds by itself.
const IP_UDP: usize = 28;

/// The link, and how long it is used.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// Bits a second.
    pub bandwidth: u64,
    /// Round-trip time without a queue.
    pub rtt: Duration,
    /// Share of packets lost at random, forward.
    pub loss: f64,
    /// Bytes the queue holds.
    pub queue: usize,
    /// Message size, bytes.
    pub message: usize,
    /// When measuring begins.
    pub from: Duration,
    /// When it ends.
    pub until: Duration,
    /// Each flow after the first begins this much later than the one before.
    pub stagger: Duration,
    /// A 100-byte message on stream 1 of the first flow so often.
    pub small: Option<Duration>,
    /// Seed of the link.
    pub seed: u64,
}

impl Scenario {
    /// 100 Mbit/s, 40 ms, 500 kB, 16 KiB messages, 20 s.
    pub fn standard(loss: f64, seed: u64) -> Self {
        Self {
            bandwidth: 100_000_000,
            rtt: Duration::from_millis(40),
            loss,
            queue: 500_000,
            message: 16_384,
            from: Duration::ZERO,
            until: Duration::from_secs(20),
            stagger: Duration::ZERO,
            small: None,
            seed,
        }
    }

    /// User bytes a second that the saturated link carries in packets of `packet` bytes, `user` of which are user data.
    fn capacity(&self, packet: usize) -> f64 {
        let user = packet.saturating_sub(28);
        self.bandwidth as f64 / 8.0 * user as f64 / (packet + CHARGE) as f64
    }
}

/// One line of the time series.
#[derive(Clone, Debug)]
pub struct Point {
    /// Seconds since the start.
    pub at: f64,
    /// User bytes delivered since the last point, for each flow.
    pub delivered: Vec<u64>,
    /// Window of each flow, bytes.
    pub window: Vec<usize>,
    /// Queue, bytes.
    pub queue: usize,
}

/// What came of a scenario.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// User bytes a second each flow delivered while measured.
    pub goodput: Vec<f64>,
    /// The same as a share of what the saturated link would carry at the packet size in use.
    pub share: Vec<f64>,
    /// Median of the round-trip time while measured: the base and what the queue added when sampled, seconds.
    pub median_rtt: f64,
    /// One-way delays of small messages, seconds, sorted.
    pub small_delays: Vec<f64>,
    /// Chunks sent again by the first flow.
    pub retransmissions: u64,
    /// T3-rtx of the first flow.
    pub timeouts: u64,
    /// Largest packet of the first flow at the end, bytes.
    pub packet: usize,
    /// For drawing.
    pub series: Vec<Point>,
}

impl Outcome {
    /// All flows together.
    pub fn total_share(&self) -> f64 {
        self.share.iter().sum()
    }

    /// Jain's index of fairness.
    pub fn jain(&self) -> f64 {
        let sum: f64 = self.goodput.iter().sum();
        let squares: f64 = self.goodput.iter().map(|x| x * x).sum();
        sum * sum / (self.goodput.len() as f64 * squares).max(f64::MIN_POSITIVE)
    }

    /// The delay that 95 % of the small messages stayed below, seconds.
    pub fn small_p95(&self) -> f64 {
        let at = self.small_delays.len() * 95 / 100;
        self.small_delays.get(at).copied().unwrap_or(f64::INFINITY)
    }
}

/// How often the time series is sampled.
const SAMPLE: Duration = Duration::from_millis(50);

struct Flow {
    delivered: u64,
    since_sample: u64,
    connected: bool,
}

/// Runs `flows` (sender and receiver each) over the link.
pub fn run(scenario: &Scenario, flows: Vec<(End, End)>) -> Outcome {
    let forward = LinkConfig {
        delay: scenario.rtt / 2,
        loss: if scenario.loss > 0.0 { Loss::Random(scenario.loss) } else { Loss::None },
        bandwidth: Some(scenario.bandwidth),
        queue: scenario.queue,
        overhead: CHARGE - IP_UDP,
        ..LinkConfig::default()
    };
    let back = LinkConfig { delay: scenario.rtt / 2, ..LinkConfig::default() };
    let count = flows.len();
    let mut net = Dumbbell::new(flows, forward, back, scenario.seed);
    for (n, start) in net.starts.iter_mut().enumerate() {
        *start = Instant::ORIGIN + scenario.stagger * n as u32;
    }
    let message = Bytes::from(vec![0x5A; scenario.message]);
    let mut state: Vec<Flow> = (0..count).map(|_| Flow { delivered: 0, since_sample: 0, connected: false }).collect();
    let mut outcome = Outcome::default();
    let mut rtts = Vec::new();
    let mut next_small = Instant::ORIGIN;
    while net.now() < Instant::ORIGIN + scenario.until {
        let measured = net.now() >= Instant::ORIGIN + scenario.from;
        net.run_for(step(scenario), |now, n, sender, receiver| {
            let Some(flow) = state.get_mut(n) else { return };
            if !flow.connected {
                flow.connected = true;
                sender.stack.connect(now);
            }
            if n == 0 && sender.stack.is_up() && scenario.small.is_some() && now >= next_small {
                next_small = now + scenario.small.unwrap_or_default();
                let mut content = vec![0; 100];
                if let Some(head) = content.first_chunk_mut() {
                    *head = now.as_nanos().to_be_bytes();
                }
                sender.stack.send(now, 1, &Bytes::from(content));
            }
            while sender.stack.send(now, 0, &message) {}
            sender.stack.read(now, &mut |_, _| {});
            receiver.stack.read(now, &mut |stream, content| {
                if stream == 1 {
                    let sent = content.first_chunk().map_or(0, |head| u64::from_be_bytes(*head));
                    if measured {
                        outcome.small_delays.push((now - Instant::from_nanos(sent)).as_secs_f64());
                    }
                    return;
                }
                flow.since_sample += content.len() as u64;
                if measured {
                    flow.delivered += content.len() as u64;
                }
            });
        });
        let now = net.now();
        let queue = net.forward.queued_bytes(now);
        if measured {
            rtts.push(scenario.rtt.as_secs_f64() + queue as f64 * 8.0 / scenario.bandwidth as f64);
        }
        let due = outcome
            .series
            .last()
            .is_none_or(|p| (now - Instant::ORIGIN).as_secs_f64() - p.at >= SAMPLE.as_secs_f64() * 0.99);
        if due {
            outcome.series.push(Point {
                at: (now - Instant::ORIGIN).as_secs_f64(),
                delivered: state.iter_mut().map(|flow| core::mem::take(&mut flow.since_sample)).collect(),
                window: net.flows.iter().map(|(sender, _)| sender.stack.snapshot().window).collect(),
                queue,
            });
        }
    }
    summarise(scenario, &mut outcome, &state, &net, &mut rtts);
    outcome
}

fn summarise(scenario: &Scenario, outcome: &mut Outcome, state: &[Flow], net: &Dumbbell<End>, rtts: &mut [f64]) {
    let seconds = scenario.until.saturating_sub(scenario.from).as_secs_f64();
    for (flow, (sender, _)) in state.iter().zip(&net.flows) {
        let goodput = flow.delivered as f64 / seconds;
        outcome.goodput.push(goodput);
        outcome.share.push(goodput / scenario.capacity(sender.stack.snapshot().packet));
    }
    rtts.sort_by(f64::total_cmp);
    outcome.median_rtt = rtts.get(rtts.len() / 2).copied().unwrap_or_default();
    outcome.small_delays.sort_by(f64::total_cmp);
    if let Some((sender, _)) = net.flows.first() {
        let snapshot = sender.stack.snapshot();
        outcome.retransmissions = snapshot.retransmissions;
        outcome.timeouts = snapshot.timeouts;
        outcome.packet = snapshot.packet;
    }
}

fn step(scenario: &Scenario) -> Duration {
    scenario.small.unwrap_or(SAMPLE).min(SAMPLE)
}
