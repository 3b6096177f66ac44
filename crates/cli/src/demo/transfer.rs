//! Moving data and measuring it.
//!
//! Data go in rounds, one direction after the other. Before the clocks of a round start, its data are made; after they
//! stop, what was sent and what arrived are hashed. So neither throughput nor the CPU figure holds anything but the
//! transfer itself, and memory is bounded by a round.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use weft_rtc::DataChannel;

use super::Error;
use super::connect::Pair;
use crate::peer::fill::Fill;

/// Bytes of one round in one direction, at most.
const ROUND: u64 = 32 * 1024 * 1024;

/// What was measured in one direction.
#[derive(Debug, Default)]
pub(super) struct Flow {
    pub(super) bytes: u64,
    /// From the first send to the arrival of the last message, over all rounds.
    pub(super) wall: Duration,
    /// CPU time of the process, both peers together; `None` where the system does not tell.
    pub(super) cpu: Option<Duration>,
    pub(super) sent: blake3::Hasher,
    pub(super) received: blake3::Hasher,
}

/// Both directions.
#[derive(Debug)]
pub(super) struct Flows {
    pub(super) a_to_b: Flow,
    pub(super) b_to_a: Flow,
}

impl Flow {
    pub(super) fn hashes_match(&self) -> bool {
        self.sent.finalize() == self.received.finalize()
    }
}

/// Sends `bytes` each way. `moved` counts what arrived.
pub(super) async fn both_ways(
    pair: &Pair,
    bytes: u64,
    message_size: usize,
    moved: &Arc<AtomicU64>,
) -> Result<Flows, Error> {
    let mut flows = Flows { a_to_b: Flow::default(), b_to_a: Flow::default() };
    let mut fill = Fill::new(bytes);
    let mut left = bytes;
    // Whole messages, so that a round does not cut one.
    let round = (ROUND - ROUND % message_size as u64).max(message_size as u64);
    while left > 0 {
        let part = left.min(round);
        left -= part;
        let (a, b) = (&pair.a_channel, &pair.b_channel);
        one_way(a, b, &mut flows.a_to_b, fill.bytes(part as usize).into(), message_size, moved).await?;
        one_way(b, a, &mut flows.b_to_a, fill.bytes(part as usize).into(), message_size, moved).await?;
    }
    Ok(flows)
}

async fn one_way(
    from: &DataChannel,
    to: &DataChannel,
    flow: &mut Flow,
    data: Bytes,
    message_size: usize,
    moved: &Arc<AtomicU64>,
) -> Result<(), Error> {
    let count = data.len().div_ceil(message_size);
    let mut arrived = Vec::with_capacity(count);
    let (began, cpu_before) = (Instant::now(), cpu_time());

    let sender = tokio::spawn(send(from.clone(), data.clone(), message_size));
    while arrived.len() < count {
        let message = to.recv().await.ok_or(Error::ChannelClosed)?;
        moved.fetch_add(message.data.len() as u64, Ordering::Relaxed);
        arrived.push(message.data);
    }
    sender.await??;

    flow.wall += began.elapsed();
    let cpu = cpu_before.zip(cpu_time()).map(|(before, after)| after.saturating_sub(before));
    flow.cpu = cpu.map(|cpu| cpu + flow.cpu.unwrap_or_default());
    flow.bytes += data.len() as u64;
    flow.sent.update(&data);
    for (sent, received) in data.chunks(message_size).zip(&arrived) {
        if sent.len() != received.len() {
            return Err(Error::MessageChanged { sent: sent.len(), received: received.len() });
        }
        flow.received.update(received);
    }
    Ok(())
}

async fn send(channel: DataChannel, mut data: Bytes, message_size: usize) -> Result<(), Error> {
    while !data.is_empty() {
        let message = data.split_to(data.len().min(message_size));
        channel.send(message).await?;
    }
    Ok(())
}

/// CPU time this process has used.
#[cfg(unix)]
fn cpu_time() -> Option<Duration> {
    let used = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Some(Duration::new(u64::try_from(used.tv_sec).ok()?, u32::try_from(used.tv_nsec).ok()?))
}

/// Not told here.
#[cfg(not(unix))]
fn cpu_time() -> Option<Duration> {
    None
}
