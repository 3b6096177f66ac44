//! Much data, with equal hashes at both ends.

use std::time::Duration;

use super::Case;
use crate::failure::{Failure, Outcome};
use crate::matrix::table::{BOTH, Setup, Table, say};
use crate::pair::{Handles, Pair, Role};
use crate::{ensure, ensure_eq};

pub(super) const CASES: &[Case] = &[
    Case::new(
        "transfer/each-way",
        "100 MB each way, one after the other (10 MB where neither side is Weft), with equal hashes.",
        |table| Box::pin(each_way(table)),
    )
    .core()
    .limit(400),
    Case::new("transfer/both-at-once", "10 MB each way at the same time, with equal hashes.", |table| {
        Box::pin(both_at_once(table))
    })
    .limit(200),
];

const MESSAGE: u32 = 16 << 10;

/// Makes a side stream.
pub(super) async fn begin(pair: &mut Pair, handles: &Handles, from: Role, bytes: u64, seed: u64) -> Outcome {
    let to = from.other();
    pair.peer(to).receive(handles.at(to), "count").await?;
    pair.peer(from).stream(handles.at(from), bytes, MESSAGE, seed).await
}

/// Waits until everything was handed over and counted; gives the seconds.
pub(super) async fn end(pair: &mut Pair, handles: &Handles, from: Role, bytes: u64, limit: Duration) -> Outcome<f64> {
    let to = from.other();
    let started = tokio::time::Instant::now();
    let what = format!("{bytes} bytes handed over by the {from:?}");
    let streamed = pair.until(&what, limit, |pair| pair.view(from).channel(handles.at(from))?.streamed.clone()).await;
    let streamed = match streamed {
        Ok(streamed) => streamed,
        Err(failure) => {
            let arrived = arrived(pair, handles, to).await.map_or(0, |counted| counted.bytes);
            return Err(Failure::new(format!("{failure}; {arrived} bytes arrived so far")));
        }
    };
    ensure_eq!(streamed.bytes, bytes, "bytes that the {from:?} says it streamed");
    let deadline = started + limit;
    loop {
        let counted = arrived(pair, handles, to).await?;
        if counted.bytes >= bytes {
            ensure_eq!(counted.bytes, bytes, "bytes that arrived at the {to:?}");
            ensure_eq!(counted.sha256, streamed.sha256, "hash of what arrived at the {to:?}");
            return Ok(started.elapsed().as_secs_f64());
        }
        let now = tokio::time::Instant::now();
        ensure!(now < deadline, "of {bytes} bytes that were handed over, {} arrived", counted.bytes);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn arrived(pair: &mut Pair, handles: &Handles, to: Role) -> Outcome<crate::peer::Counted> {
    pair.peer(to).stats().await?;
    let counted = pair.view(to).channel(handles.at(to)).and_then(|channel| channel.counted.clone());
    counted.ok_or_else(|| Failure::new(format!("the {to:?} does not tell what it counted")))
}

/// Megabytes in a second, for a remark.
pub(super) fn rate(bytes: u64, seconds: f64) -> String {
    format!("{:.1} MB/s", bytes as f64 / 1e6 / seconds.max(1e-3))
}

async fn each_way(table: &mut Table<'_>) -> Outcome<String> {
    let bytes = if table.has_weft() { 100_000_000 } else { 10_000_000 };
    let (pair, handles) = table.connected(Setup::default()).await?;
    let mut rates = Vec::new();
    for (from, seed) in [(Role::Offerer, 1), (Role::Answerer, 2)] {
        begin(pair, &handles, from, bytes, seed).await?;
        rates.push(rate(bytes, end(pair, &handles, from, bytes, Duration::from_secs(180)).await?));
    }
    for role in BOTH {
        pair.peer(role).receive(handles.at(role), "messages").await?;
    }
    say(pair, &handles, "after the transfer").await?;
    Ok(format!("{} MB from the offerer, then back: {}", bytes / 1_000_000, rates.join(", ")))
}

async fn both_at_once(table: &mut Table<'_>) -> Outcome<String> {
    const BYTES: u64 = 10_000_000;
    let (pair, handles) = table.connected(Setup::default()).await?;
    for (from, seed) in [(Role::Offerer, 3), (Role::Answerer, 4)] {
        begin(pair, &handles, from, BYTES, seed).await?;
    }
    let mut took: f64 = 0.0;
    for from in BOTH {
        took = took.max(end(pair, &handles, from, BYTES, Duration::from_secs(90)).await?);
    }
    let hash = |role: Role| pair.view(role).channel(handles.at(role)).and_then(|channel| channel.counted.clone());
    ensure!(hash(Role::Offerer) != hash(Role::Answerer), "both directions carried the same bytes");
    Ok(format!("{} in both together", rate(2 * BYTES, took)))
}
