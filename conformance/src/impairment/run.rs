//! One run of one cell.

use core::time::Duration;

use bytes::Bytes;
use weft_core::{Instant, Rng};
use weft_sctp::{ChannelEvent, ChannelId, ChannelInit, Config, DataChannels, MessageKind, Reliability, Role};
use weft_testkit::{LinkConfig, Loss, Node, Pair};

use super::{Cell, Outcome};

/// How long the link is bad.
const BAD: Duration = Duration::from_secs(20);
/// What is a stall, once it has healed.
const STALL: Duration = Duration::from_secs(30);
/// A run never takes longer than this after the link has healed.
const AT_MOST: Duration = Duration::from_secs(600);
/// How often progress is looked at.
const STEP: Duration = Duration::from_millis(250);
/// Messages of a channel, each way.
const MESSAGES: u32 = 24;
/// Bytes of the largest.
const LARGEST: u64 = 12_000;

type Peers = Pair<Node<DataChannels>, Node<DataChannels>>;

/// The channels of a run, in the order of their stream ids.
const CHANNELS: [(bool, Reliability); 4] = [
    (true, Reliability::Reliable),
    (false, Reliability::Reliable),
    (true, Reliability::MaxRetransmits(0)),
    (false, Reliability::MaxLifetime(300)),
];

/// One direction of one channel.
struct Flow {
    from_a: bool,
    ordered: bool,
    reliable: bool,
    sender: ChannelId,
    receiver: ChannelId,
    sent: Vec<Bytes>,
    /// A message that found the buffer full.
    waiting: Option<Bytes>,
    got: Vec<bool>,
    latest: Option<usize>,
}

impl Flow {
    fn is_done(&self) -> bool {
        self.waiting.is_none()
            && self.sent.len() == MESSAGES as usize
            && (!self.reliable || self.got.iter().filter(|got| **got).count() == self.sent.len())
    }

    /// Takes a message in, or says what is wrong with it.
    fn take(&mut self, data: &Bytes) -> Result<(), String> {
        let number = data.first_chunk().map(|n| u32::from_be_bytes(*n) as usize);
        let number = number.filter(|n| *n < self.sent.len()).ok_or("a message that was never sent came")?;
        if self.sent.get(number).is_none_or(|sent| sent != data) {
            return Err(format!("message {number} came altered"));
        }
        self.got.resize(self.sent.len(), false);
        if self.got.get_mut(number).is_none_or(|got| core::mem::replace(got, true)) {
            return Err(format!("message {number} came twice"));
        }
        if self.ordered {
            let expected = self.latest.map_or(0, |latest| latest + 1);
            if number < expected || (self.reliable && number != expected) {
                return Err(format!("message {number} came out of order"));
            }
            self.latest = Some(number);
        }
        Ok(())
    }
}

/// Runs a cell with a seed.
///
/// # Errors
/// What did not hold.
pub fn run(cell: &Cell, seed: u64) -> Result<Outcome, String> {
    let mut rng = Rng::from_test_seed(seed);
    let mut pair = peers(cell, seed, &mut rng);
    let mut flows = open(&mut pair);
    let (mut outcome, mut progress) = (Outcome::default(), 0);
    let start = pair.now();
    let (mut healed, mut last_progress): (Option<Instant>, _) = (None, start);
    loop {
        // New messages at random moments of the bad time, what is left of them after it.
        let all = healed.is_some();
        for flow in &mut flows {
            send(&mut pair, flow, &mut rng, all);
        }
        pair.run_for(STEP);
        let came = receive(&mut pair, &mut flows)?;
        alive(&pair)?;
        let now = pair.now();
        if came > 0 {
            progress += came;
            last_progress = now;
        }
        if let Some(healed) = healed {
            let stall = now - last_progress.max(healed);
            outcome.longest_stall = outcome.longest_stall.max(stall.as_secs_f64());
            if settled(&pair) && flows.iter().all(Flow::is_done) {
                break;
            }
            if stall > STALL || now - healed > AT_MOST {
                return Err(format!("no progress for {stall:?} after the link healed: {}", state(&pair, &flows)));
            }
        } else if now - start >= BAD {
            heal(&mut pair);
            healed = Some(now);
        }
    }
    outcome.seconds = (pair.now() - start).as_secs_f64();
    for flow in &flows {
        let got = flow.got.iter().filter(|got| **got).count() as u32;
        if flow.reliable {
            outcome.reliable += got;
        } else {
            outcome.unreliable_sent += flow.sent.len() as u32;
            outcome.unreliable_received += got;
        }
    }
    debug_assert!(progress > 0);
    Ok(outcome)
}

fn peers(cell: &Cell, seed: u64, rng: &mut Rng) -> Peers {
    let odds = |percent: u32| f64::from(percent) / 100.0;
    let link = LinkConfig {
        delay: Duration::from_micros(cell.rtt_ms * 500),
        jitter: Duration::from_micros(cell.rtt_ms * 50),
        loss: Loss::Random(odds(cell.loss)),
        reorder: odds(cell.reorder),
        reorder_delay: Duration::from_millis(1 + cell.rtt_ms / 2),
        duplicate: odds(cell.duplicate),
        corrupt: odds(cell.corrupt),
        mtu: cell.mtu,
        ..LinkConfig::default()
    };
    // Where bits may flip, checksums are needed, as they are without DTLS.
    let config = Config { zero_checksum: cell.corrupt == 0, ..Config::rtc() };
    let mut peer = |role| {
        let mut peer = DataChannels::new(config.clone(), rng.fork());
        peer.set_role(Instant::ORIGIN, role);
        peer.set_remote_max_message_size(None);
        peer
    };
    let (mut a, b) = (peer(Role::Client), peer(Role::Server));
    a.connect(Instant::ORIGIN);
    let mut pair = Pair::new(Node::new(a), Node::new(b), link, seed);
    pair.max_datagram = 1500;
    pair
}

fn heal(pair: &mut Peers) {
    pair.change_links(|link| {
        (link.reorder, link.duplicate, link.corrupt) = (0.0, 0.0, 0.0);
        link.loss = Loss::None;
    });
}

/// Negotiated channels: they are usable before the association is up, and nothing of a run depends on DCEP's order.
fn open(pair: &mut Peers) -> Vec<Flow> {
    let mut flows = Vec::new();
    for ((ordered, reliability), stream) in CHANNELS.into_iter().zip(0..) {
        let init = || ChannelInit { ordered, reliability, negotiated: Some(stream), ..ChannelInit::new("") };
        let (Ok(a), Ok(b)) = (pair.a.layer.open(Instant::ORIGIN, init()), pair.b.layer.open(Instant::ORIGIN, init()))
        else {
            continue;
        };
        for from_a in [true, false] {
            let (sender, receiver) = if from_a { (a, b) } else { (b, a) };
            flows.push(Flow {
                from_a,
                ordered,
                reliable: reliability == Reliability::Reliable,
                sender,
                receiver,
                sent: Vec::new(),
                waiting: None,
                got: Vec::new(),
                latest: None,
            });
        }
    }
    flows
}

/// A message or none; `all`: whatever is left.
fn send(pair: &mut Peers, flow: &mut Flow, rng: &mut Rng, all: bool) {
    let now = pair.now();
    let layer = if flow.from_a { &mut pair.a.layer } else { &mut pair.b.layer };
    while flow.waiting.is_some() || (flow.sent.len() < MESSAGES as usize && (all || rng.chance(0.4))) {
        let message = flow.waiting.take().unwrap_or_else(|| {
            let mut message = vec![0; 4 + rng.below(LARGEST) as usize];
            rng.fill(&mut message);
            for (to, from) in message.iter_mut().zip((flow.sent.len() as u32).to_be_bytes()) {
                *to = from;
            }
            Bytes::from(message)
        });
        if layer.send(now, flow.sender, MessageKind::Binary, message.clone()).is_err() {
            flow.waiting = Some(message);
            return;
        }
        flow.sent.push(message);
    }
}

fn receive(pair: &mut Peers, flows: &mut [Flow]) -> Result<usize, String> {
    let mut came = 0;
    for flow in flows {
        let layer = if flow.from_a { &mut pair.b.layer } else { &mut pair.a.layer };
        while let Some(message) = layer.receive(flow.receiver) {
            came += 1;
            flow.take(&message.data).map_err(|what| {
                format!("{what} (ordered: {}, reliable: {}, from a: {})", flow.ordered, flow.reliable, flow.from_a)
            })?;
        }
    }
    Ok(came)
}

fn alive(pair: &Peers) -> Result<(), String> {
    for node in [&pair.a, &pair.b] {
        if let Some(error) = &node.error {
            return Err(format!("the association died: {error}"));
        }
        if let Some(event) = node.events.iter().find(|e| matches!(e, ChannelEvent::Closed(..))) {
            return Err(format!("a channel closed: {event:?}"));
        }
    }
    Ok(())
}

/// Nothing is queued or outstanding.
fn settled(pair: &Peers) -> bool {
    [&pair.a, &pair.b].iter().all(|node| node.layer.association().stats().buffered == 0)
}

fn state(pair: &Peers, flows: &[Flow]) -> String {
    let got: Vec<usize> = flows.iter().map(|flow| flow.got.iter().filter(|got| **got).count()).collect();
    let [a, b] = [&pair.a, &pair.b].map(|node| node.layer.association().stats());
    format!("{got:?} of {MESSAGES}; a: {a:?}; b: {b:?}")
}
