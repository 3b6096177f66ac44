//! Much data: 64 MiB each way, and the hashes of both ends are equal.

use std::time::Duration;

use serde_json::json;

use super::Case;
use crate::failure::Outcome;
use crate::pair::{Handles, Pair, Role};
use crate::peer::{ChannelInit, at};
use crate::stage::{Setup, Stage};
use crate::{ensure, ensure_eq};

const CONNECT: Duration = Duration::from_secs(15);
const TRANSFER: Duration = Duration::from_secs(90);
const BYTES: u64 = 64 << 20;
const MESSAGE: u32 = 64 << 10;
const RECORDS_PER_KEY: u32 = 1000;

pub(super) fn cases() -> Vec<Case> {
    let case = |name, about, setup, run| Case { limit: 2 * TRANSFER, ..Case::new(name, about, setup, run) };
    vec![
        case(
            "transfer/one-after-the-other/browser-offers",
            "64 MiB from the browser, then 64 MiB to it, with equal hashes.",
            Setup::PLAIN,
            |stage| Box::pin(one_after_the_other(stage)),
        ),
        case(
            "transfer/both-at-once/native-offers",
            "64 MiB each way at the same time, with equal hashes.",
            Setup::PLAIN.native_offers(),
            |stage| Box::pin(both_at_once(stage)),
        ),
        Case {
            weft_only: true,
            ..case(
                "transfer/both-at-once/key-updates",
                "64 MiB each way at the same time while the native side changes its DTLS keys every thousand records.",
                Setup { records_per_key: Some(RECORDS_PER_KEY), ..Setup::PLAIN },
                |stage| Box::pin(key_updates(stage)),
            )
        },
    ]
}

async fn connected(stage: &mut Stage) -> Outcome<(&mut Pair, Handles)> {
    let pair = stage.seat().await?;
    let init = ChannelInit { handle: "bulk", label: "bulk", ..ChannelInit::default() };
    let handles = pair.connect(&init, CONNECT).await?;
    for role in [Role::Offerer, Role::Answerer] {
        pair.peer(role).receive(handles.at(role), "count").await?;
    }
    Ok((pair, handles))
}

async fn key_updates(stage: &mut Stage) -> Outcome<String> {
    let native = stage.native_role();
    let remark = both_at_once(stage).await?;
    let stats = stage.pair()?.peer(native).stats().await?;
    let updates = at(stats, "/dtls/key_updates").as_u64().unwrap_or_default();
    // 64 MiB make 45,000 records at least, and half of that many updates may have to wait for an ACK.
    let least = BYTES / 1500 / u64::from(RECORDS_PER_KEY) / 2;
    ensure!(updates >= least, "the keys changed {updates} times, not {least}");
    Ok(format!("{remark}; {updates} key updates"))
}

async fn begin(pair: &mut Pair, handles: &Handles, from: Role, seed: u64) -> Outcome {
    pair.peer(from).stream(handles.at(from), BYTES, MESSAGE, seed).await
}

/// Waits until the stream from one side is handed over and counted at the other; gives MiB/s.
async fn end(pair: &mut Pair, handles: &Handles, from: Role) -> Outcome<f64> {
    let to = from.other();
    let what = format!("64 MiB handed over by the {from:?}");
    let streamed =
        pair.until(&what, TRANSFER, |pair| pair.view(from).channel(handles.at(from))?.streamed.clone()).await?;
    ensure_eq!(streamed.bytes, BYTES, "bytes that the sender says it streamed");
    // What the sender has handed over may still be on its way.
    let mut waits = 0;
    loop {
        let id = handles.at(to).to_owned();
        pair.peer(to).stats().await?;
        let counted = pair.view(to).channel(&id).and_then(|channel| channel.counted.clone());
        if let Some(counted) = counted.filter(|counted| counted.bytes >= BYTES) {
            ensure_eq!(counted.bytes, BYTES, "bytes that arrived");
            ensure_eq!(counted.messages, BYTES / u64::from(MESSAGE), "messages that arrived");
            ensure_eq!(counted.sha256, streamed.sha256, "hash of what arrived");
            return Ok(BYTES as f64 / f64::from(1 << 20) / streamed.seconds);
        }
        waits += 1;
        ensure!(waits < 100, "10 s after all was handed over, the other side has not counted 64 MiB");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn one_after_the_other(stage: &mut Stage) -> Outcome<String> {
    let (browser, native) = (stage.browser_role(), stage.native_role());
    let (pair, handles) = connected(stage).await?;
    begin(pair, &handles, browser, 1).await?;
    let up = end(pair, &handles, browser).await?;
    begin(pair, &handles, native, 2).await?;
    let down = end(pair, &handles, native).await?;
    check_streams_differ(pair, &handles).await?;
    Ok(format!("from the browser {up:.0} MiB/s, to it {down:.0} MiB/s"))
}

async fn both_at_once(stage: &mut Stage) -> Outcome<String> {
    let (browser, native) = (stage.browser_role(), stage.native_role());
    let (pair, handles) = connected(stage).await?;
    begin(pair, &handles, browser, 3).await?;
    begin(pair, &handles, native, 4).await?;
    let up = end(pair, &handles, browser).await?;
    let down = end(pair, &handles, native).await?;
    check_streams_differ(pair, &handles).await?;
    Ok(format!("from the browser {up:.0} MiB/s, to it {down:.0} MiB/s"))
}

/// The two directions carried different bytes: equal hashes would mean that nothing was compared.
async fn check_streams_differ(pair: &mut Pair, handles: &Handles) -> Outcome {
    let hash = |role: Role| pair.view(role).channel(handles.at(role)).and_then(|channel| channel.counted.clone());
    ensure!(hash(Role::Offerer) != hash(Role::Answerer), "both directions carried the same bytes");
    // And the connection is as usable as before.
    for role in [Role::Offerer, Role::Answerer] {
        pair.peer(role).receive(handles.at(role), "messages").await?;
    }
    let before = pair.view(Role::Answerer).channel(handles.at(Role::Answerer)).map_or(0, |c| c.messages.len());
    pair.peer(Role::Offerer).send(handles.at(Role::Offerer), ("text", json!("after"))).await?;
    pair.until("a message after the transfer", CONNECT, |pair| {
        (pair.view(Role::Answerer).channel(handles.at(Role::Answerer))?.messages.len() > before).then_some(())
    })
    .await
}
