//! Closing channels and connections, from either side.

use std::time::Duration;

use serde_json::json;

use super::Case;
use crate::ensure_eq;
use crate::failure::Outcome;
use crate::matrix::table::{closed, say};
use crate::pair::{Pair, Role};
use crate::peer::{ChannelInit, Command};
use crate::stage::{Setup, Stage};

const CONNECT: Duration = Duration::from_secs(15);
const CLOSE: Duration = Duration::from_secs(10);
const QUEUED: u64 = 16;
const MESSAGE: u64 = 64 << 10;

pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (offers, setup) in [("browser-offers", Setup::PLAIN), ("native-offers", Setup::PLAIN.native_offers())] {
        cases.push(Case::new(
            format!("close/channel/by-browser/{offers}"),
            "The browser closes: its queue arrives first, both see the channel closed, its stream can be used again.",
            setup,
            |stage| Box::pin(channel(stage, Stage::browser_role)),
        ));
        cases.push(Case::new(
            format!("close/channel/by-native/{offers}"),
            "The native side closes: its queue arrives first, both see the channel closed, its stream can be used again.",
            setup,
            |stage| Box::pin(channel(stage, Stage::native_role)),
        ));
    }
    cases.push(Case::new(
        "close/connection/by-browser",
        "The browser closes the connection: the native side's channels close soon, long before consent runs out.",
        Setup::PLAIN,
        |stage| Box::pin(connection(stage, Stage::browser_role)),
    ));
    cases.push(Case::new(
        "close/connection/by-native",
        "The native side closes the connection: the browser's channels close soon, long before consent runs out.",
        Setup::PLAIN,
        |stage| Box::pin(connection(stage, Stage::native_role)),
    ));
    cases
}

async fn channel(stage: &mut Stage, closer: fn(&Stage) -> Role) -> Outcome<String> {
    let closer = closer(stage);
    let other = closer.other();
    let pair = stage.seat().await?;
    // Keeps the connection busy while the others come and go.
    let kept = pair.connect(&ChannelInit { handle: "kept", label: "kept", ..ChannelInit::default() }, CONNECT).await?;
    let init = ChannelInit { handle: "x", label: "x", ..ChannelInit::default() };
    let handles = pair.add_channel(Role::Offerer, &init, CONNECT).await?;
    say(pair, &handles, "before").await?;
    pair.peer(other).receive(handles.at(other), "count").await?;
    for seed in 0..QUEUED {
        let fill = json!({"bytes": MESSAGE, "seed": seed, "binary": true});
        pair.peer(closer).send(handles.at(closer), ("fill", fill)).await?;
    }
    pair.peer(closer).ask(Command::new("close_channel").with("channel", handles.at(closer))).await?;
    for role in [closer, other] {
        closed(pair, role, handles.at(role), CLOSE).await?;
    }
    let counted = |pair: &Pair| pair.view(other).channel(handles.at(other))?.counted.clone();
    let counted = pair.until("a count of what the closed channel brought", CLOSE, counted).await?;
    ensure_eq!(
        (counted.bytes, counted.messages),
        (QUEUED * MESSAGE, QUEUED),
        "bytes and messages that arrived before the channel closed"
    );
    for role in [closer, other] {
        let error = pair.view(role).channel(handles.at(role)).and_then(|channel| channel.close_error.clone());
        ensure_eq!(error, None, "the error of a channel that was closed in order ({role:?})");
    }
    let stream = pair.view(closer).channel(handles.at(closer)).and_then(|channel| channel.stream).unwrap_or_default();
    let again = ChannelInit {
        handle: "again",
        label: "again",
        negotiated: u16::try_from(stream).ok(),
        ..ChannelInit::default()
    };
    let handles = pair.add_channel(other, &again, CONNECT).await?;
    say(pair, &handles, "on the same stream").await?;
    say(pair, &kept, "still here").await?;
    Ok(format!("stream {stream} used twice"))
}

async fn connection(stage: &mut Stage, closer: fn(&Stage) -> Role) -> Outcome<String> {
    let closer = closer(stage);
    let other = closer.other();
    let pair = stage.seat().await?;
    let handles = pair.connect(&ChannelInit { handle: "c", label: "c", ..ChannelInit::default() }, CONNECT).await?;
    say(pair, &handles, "hello").await?;
    let started = std::time::Instant::now();
    pair.peer(closer).ask(Command::new("close")).await?;
    closed(pair, other, handles.at(other), CLOSE).await?;
    Ok(format!("noticed after {} ms", started.elapsed().as_millis()))
}
