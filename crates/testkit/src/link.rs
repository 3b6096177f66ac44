//! One direction of a network.

use core::time::Duration;
use std::collections::{BTreeMap, VecDeque};

use weft_core::{Instant, Rng};

use crate::Packet;

/// How a link loses packets.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub enum Loss {
    /// It does not.
    #[default]
    None,
    /// Each packet by itself, with this probability.
    Random(f64),
    /// In bursts (Gilbert-Elliott): the link is in a good or a bad state and may change it before each packet. On
    /// average a burst lasts `1 / leave` packets, and `enter / (enter + leave)` of all packets meet the bad state.
    Burst {
        /// Probability of going from good to bad.
        enter: f64,
        /// Probability of going from bad to good.
        leave: f64,
        /// Probability of loss in the good state.
        good: f64,
        /// Probability of loss in the bad state.
        bad: f64,
    },
}

/// What becomes of a packet that is longer than the MTU and may be fragmented.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Fragments {
    /// It arrives whole, each fragment charged with an IP header.
    #[default]
    Pass,
    /// It is lost, as at the many middleboxes that drop fragments.
    Vanish,
}

/// Properties of a [`Link`]. The default one takes 1 ms and does no harm but for an MTU of 1,500 bytes.
#[derive(Clone, PartialEq, Debug)]
pub struct LinkConfig {
    /// Time from the last bit sent to arrival.
    pub delay: Duration,
    /// Up to this much is added to the delay, uniformly. Jitter alone never reorders.
    pub jitter: Duration,
    /// How packets are lost. What is lost has used the bandwidth.
    pub loss: Loss,
    /// Probability that a packet is held back so that later ones may overtake it.
    pub reorder: f64,
    /// A held-back packet is late by up to this much, uniformly.
    pub reorder_delay: Duration,
    /// Probability that a packet arrives twice: the copy up to the jitter later, perhaps overtaken.
    pub duplicate: f64,
    /// Probability that one to three bits of the payload are flipped. (The UDP checksum would catch most of those; what
    /// it would not is what this is for.)
    pub corrupt: f64,
    /// Longest IP packet in bytes, UDP and IP headers (28 over IPv4, 48 over IPv6) included.
    pub mtu: usize,
    /// What becomes of longer ones that may be fragmented. Those that may not are dropped.
    pub fragments: Fragments,
    /// Bits per second; `None` for no limit.
    pub bandwidth: Option<u64>,
    /// Bytes, charged as the bandwidth is, that fit the drop-tail queue before the bottleneck, the packet being sent
    /// included. An empty queue takes any packet.
    pub queue: usize,
    /// Bytes charged for each packet (or fragment) beside the IP packet: 38 for Ethernet's framing, preamble and gap.
    pub overhead: usize,
}

impl Default for LinkConfig {
    fn default() -> Self {
        Self {
            delay: Duration::from_millis(1),
            jitter: Duration::ZERO,
            loss: Loss::None,
            reorder: 0.0,
            reorder_delay: Duration::from_millis(10),
            duplicate: 0.0,
            corrupt: 0.0,
            mtu: 1_500,
            fragments: Fragments::Pass,
            bandwidth: None,
            queue: usize::MAX,
            overhead: 0,
        }
    }
}

impl LinkConfig {
    /// A harmless link with this one-way delay in milliseconds.
    pub fn with_delay_ms(ms: u64) -> Self {
        Self { delay: Duration::from_millis(ms), ..Self::default() }
    }

    /// A bottleneck: `bandwidth` bits per second, a one-way delay in milliseconds, and a queue of one bandwidth-delay
    /// product of the round trip (at least ten full packets).
    pub fn bottleneck(bandwidth: u64, delay_ms: u64) -> Self {
        let product = u128::from(bandwidth) * u128::from(delay_ms) * 2 / 8_000;
        let queue = usize::try_from(product).unwrap_or(usize::MAX).max(15_000);
        Self { bandwidth: Some(bandwidth), queue, ..Self::with_delay_ms(delay_ms) }
    }

    /// A link drawn at random that does everything a bad network does, yet lets most packets through: delay to 200 ms,
    /// jitter, up to 10 % loss (random or in bursts), up to 5 % reordering, duplication and, if `corrupts`, corruption;
    /// sometimes a bottleneck of 0.5 to 50 Mbit/s.
    pub fn random(rng: &mut Rng, corrupts: bool) -> Self {
        let delay_ms = rng.below(200);
        let mut config = if rng.chance(0.5) {
            Self::bottleneck(500_000 << rng.below(7), delay_ms)
        } else {
            Self::with_delay_ms(delay_ms)
        };
        config.jitter = Duration::from_millis(rng.below(30));
        config.loss = match rng.below(3) {
            0 => Loss::None,
            1 => Loss::Random(rng.unit() * 0.1),
            _ => Loss::Burst { enter: rng.unit() * 0.02, leave: 0.3, good: 0.0, bad: 0.8 },
        };
        config.reorder = if rng.chance(0.5) { rng.unit() * 0.05 } else { 0.0 };
        config.reorder_delay = Duration::from_millis(1 + rng.below(50));
        config.duplicate = if rng.chance(0.5) { rng.unit() * 0.05 } else { 0.0 };
        config.corrupt = if corrupts { rng.unit() * 0.05 } else { 0.0 };
        config
    }
}

/// What happened to the packets of a link.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct LinkStats {
    /// Packets handed to the link.
    pub sent: u64,
    /// Payload bytes handed to the link.
    pub sent_bytes: u64,
    /// Packets that came out at the other end, copies included.
    pub delivered: u64,
    /// Payload bytes that came out at the other end.
    pub delivered_bytes: u64,
    /// Packets lost on the way.
    pub lost: u64,
    /// Packets the full queue dropped.
    pub queue_drops: u64,
    /// Packets dropped because they were longer than the MTU.
    pub too_big: u64,
    /// Packets that were fragmented and passed.
    pub fragmented: u64,
    /// Packets that arrived twice.
    pub duplicated: u64,
    /// Packets with flipped bits.
    pub corrupted: u64,
    /// Packets held back.
    pub held_back: u64,
}

/// What becomes of a packet, known as soon as it is sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fate {
    /// It arrives then (perhaps twice, perhaps corrupted).
    Arrives(Instant),
    /// It is lost on the way.
    Lost,
    /// The queue is full.
    QueueFull,
    /// It is longer than the MTU.
    TooBig,
    /// A [`Verdict`](crate::Verdict) dropped it before it came to the link.
    Dropped,
}

/// One direction of a network, deterministic from its seed.
///
/// A packet first waits for the bottleneck (and may find its queue full), then may be lost, then takes its delay.
/// Every kind of misfortune draws from a generator of its own, so that changing one does not change the others.
#[derive(Debug)]
pub struct Link {
    config: LinkConfig,
    loss_rng: Rng,
    delay_rng: Rng,
    reorder_rng: Rng,
    duplicate_rng: Rng,
    corrupt_rng: Rng,
    in_bad_state: bool,
    /// In order of arrival, then of sending.
    in_flight: BTreeMap<(Instant, u64), Packet>,
    next_id: u64,
    /// Packets that wait for the bottleneck: when each has left, and its charged bytes.
    queue: VecDeque<(Instant, usize)>,
    queued: usize,
    bottleneck_free: Instant,
    /// Remainder of the last serialisation time, in 1/bandwidth nanoseconds: keeps the rate exact.
    remainder: u128,
    /// No packet that is not held back arrives before this.
    latest_arrival: Instant,
    stats: LinkStats,
}

impl Link {
    /// A link whose misfortunes all come from `rng`.
    pub fn new(config: LinkConfig, mut rng: Rng) -> Self {
        Self {
            config,
            loss_rng: rng.fork(),
            delay_rng: rng.fork(),
            reorder_rng: rng.fork(),
            duplicate_rng: rng.fork(),
            corrupt_rng: rng.fork(),
            in_bad_state: false,
            in_flight: BTreeMap::new(),
            next_id: 0,
            queue: VecDeque::new(),
            queued: 0,
            bottleneck_free: Instant::ORIGIN,
            remainder: 0,
            latest_arrival: Instant::ORIGIN,
            stats: LinkStats::default(),
        }
    }

    /// Its properties.
    pub fn config(&self) -> &LinkConfig {
        &self.config
    }

    /// Its properties, to be changed: they hold for packets sent from now on. What is in flight or queued keeps the
    /// arrival time it has.
    pub fn config_mut(&mut self) -> &mut LinkConfig {
        &mut self.config
    }

    /// What happened so far.
    pub fn stats(&self) -> LinkStats {
        self.stats
    }

    /// Charged bytes that wait for the bottleneck at `now`.
    pub fn queued_bytes(&mut self, now: Instant) -> usize {
        while let Some(&(left, bytes)) = self.queue.front() {
            if left > now {
                break;
            }
            self.queue.pop_front();
            self.queued -= bytes;
        }
        self.queued
    }

    /// Sends `packet` at `now`.
    pub fn send(&mut self, now: Instant, packet: Packet) -> Fate {
        self.send_later(now, Duration::ZERO, packet)
    }

    /// Sends `packet` at `now`; if it arrives, then later than it would by `later`, and others may overtake it.
    pub(crate) fn send_later(&mut self, now: Instant, later: Duration, mut packet: Packet) -> Fate {
        self.stats.sent += 1;
        self.stats.sent_bytes += packet.payload.len() as u64;
        let Some(fragments) = self.fragments(&packet) else {
            self.stats.too_big += 1;
            return Fate::TooBig;
        };
        let ip_header = packet.header_len() - 8;
        let charged = packet.ip_len() + (fragments - 1) * ip_header + fragments * self.config.overhead;
        let Some(left) = self.through_bottleneck(now, charged) else {
            self.stats.queue_drops += 1;
            return Fate::QueueFull;
        };
        self.stats.fragmented += u64::from(fragments > 1);
        if self.loses() {
            self.stats.lost += 1;
            return Fate::Lost;
        }
        let copy = self.duplicate_rng.chance(self.config.duplicate).then(|| packet.clone());
        self.corrupt(&mut packet);
        let arrival = self.arrival(left) + later;
        self.deliver_at(arrival, packet);
        if let Some(copy) = copy {
            self.stats.duplicated += 1;
            let behind = uniform(&mut self.duplicate_rng, self.config.jitter);
            self.deliver_at(arrival + behind, copy);
        }
        Fate::Arrives(arrival)
    }

    /// Lets `packet` arrive at `at`, past bottleneck, loss and everything else. It is not counted as sent.
    pub fn deliver_at(&mut self, at: Instant, packet: Packet) {
        self.in_flight.insert((at, self.next_id), packet);
        self.next_id += 1;
    }

    /// When the next packet arrives.
    pub fn next_arrival(&self) -> Option<Instant> {
        self.in_flight.first_key_value().map(|(&(at, _), _)| at)
    }

    /// The next packet that has arrived at `now`.
    pub fn receive(&mut self, now: Instant) -> Option<Packet> {
        let entry = self.in_flight.first_entry()?;
        if entry.key().0 > now {
            return None;
        }
        let packet = entry.remove();
        self.stats.delivered += 1;
        self.stats.delivered_bytes += packet.payload.len() as u64;
        Some(packet)
    }

    /// Everything in flight, by time of arrival, to be looked at or changed.
    pub fn in_flight_mut(&mut self) -> impl Iterator<Item = (Instant, &mut Packet)> {
        self.in_flight.iter_mut().map(|(&(at, _), packet)| (at, packet))
    }

    /// How many packets are in flight.
    pub fn in_flight(&self) -> usize {
        self.in_flight.len()
    }

    /// Loses everything in flight for which `keep` says no.
    pub fn retain(&mut self, mut keep: impl FnMut(&Packet) -> bool) {
        let before = self.in_flight.len();
        self.in_flight.retain(|_, packet| keep(packet));
        self.stats.lost += (before - self.in_flight.len()) as u64;
    }

    /// How many fragments the packet takes; `None` when it cannot pass.
    fn fragments(&self, packet: &Packet) -> Option<usize> {
        if packet.ip_len() <= self.config.mtu {
            return Some(1);
        }
        if !packet.may_fragment || self.config.fragments == Fragments::Vanish {
            return None;
        }
        let ip_header = packet.header_len() - 8;
        // All fragments but the last carry a multiple of eight bytes (RFC 791 section 3.2).
        let room = self.config.mtu.checked_sub(ip_header)? / 8 * 8;
        (packet.payload.len() + 8).checked_add(room.checked_sub(1)?)?.checked_div(room)
    }

    /// When the last bit has left the bottleneck; `None` when the queue is full.
    fn through_bottleneck(&mut self, now: Instant, charged: usize) -> Option<Instant> {
        let queued = self.queued_bytes(now);
        let Some(bandwidth) = self.config.bandwidth else {
            return Some(now.max(self.bottleneck_free));
        };
        if queued > 0 && queued + charged > self.config.queue {
            return None;
        }
        if self.bottleneck_free <= now {
            self.bottleneck_free = now;
            self.remainder = 0;
        }
        let scaled = charged as u128 * 8 * 1_000_000_000 + self.remainder;
        let bandwidth = u128::from(bandwidth.max(1));
        self.remainder = scaled % bandwidth;
        self.bottleneck_free += Duration::from_nanos(u64::try_from(scaled / bandwidth).unwrap_or(u64::MAX));
        self.queue.push_back((self.bottleneck_free, charged));
        self.queued += charged;
        Some(self.bottleneck_free)
    }

    fn loses(&mut self) -> bool {
        match self.config.loss {
            Loss::None => false,
            Loss::Random(p) => self.loss_rng.chance(p),
            Loss::Burst { enter, leave, good, bad } => {
                let change = if self.in_bad_state { leave } else { enter };
                self.in_bad_state ^= self.loss_rng.chance(change);
                self.loss_rng.chance(if self.in_bad_state { bad } else { good })
            }
        }
    }

    fn corrupt(&mut self, packet: &mut Packet) {
        if packet.payload.is_empty() || !self.corrupt_rng.chance(self.config.corrupt) {
            return;
        }
        self.stats.corrupted += 1;
        let bits = packet.payload.len() as u64 * 8;
        let first = self.corrupt_rng.below(bits);
        // Neighbours of one burst, so that no two flips undo each other.
        for bit in first..(first + 1 + self.corrupt_rng.below(3)).min(bits) {
            if let Some(byte) = packet.payload.get_mut((bit / 8) as usize) {
                *byte ^= 1 << (bit % 8);
            }
        }
    }

    fn arrival(&mut self, left: Instant) -> Instant {
        let jitter = uniform(&mut self.delay_rng, self.config.jitter);
        let arrival = (left + self.config.delay + jitter).max(self.latest_arrival);
        if self.reorder_rng.chance(self.config.reorder) {
            self.stats.held_back += 1;
            return arrival + uniform(&mut self.reorder_rng, self.config.reorder_delay);
        }
        self.latest_arrival = arrival;
        arrival
    }
}

/// Uniform in `0..=max`.
fn uniform(rng: &mut Rng, max: Duration) -> Duration {
    let max = u64::try_from(max.as_nanos()).unwrap_or(u64::MAX);
    Duration::from_nanos(rng.below(max.saturating_add(1)))
}
