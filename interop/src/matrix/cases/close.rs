//! Closing channels and connections, from either side, in the middle of things.

use std::time::{Duration, Instant};

use serde_json::json;

use super::Case;
use crate::failure::Outcome;
use crate::matrix::table::{BOTH, CONNECT, Setup, Table, closed, say};
use crate::pair::{Pair, Role};
use crate::peer::{ChannelInit, Command};
use crate::{ensure, ensure_eq};

pub(super) const CASES: &[Case] = &[
    Case::new("close/channel-by-offerer", ABOUT, |table| Box::pin(channel(table, Role::Offerer))).core(),
    Case::new("close/channel-by-answerer", ABOUT, |table| Box::pin(channel(table, Role::Answerer))).core(),
    Case::new("close/while-sending", "A channel closed behind a full queue: all of it arrives first.", |table| {
        Box::pin(while_sending(table))
    }),
    Case::new("close/while-receiving", "A channel closed by the one that is sent to: both see it closed.", |table| {
        Box::pin(while_receiving(table))
    }),
    Case::new("close/reopen", "The stream of a closed channel is used again, five times.", |table| {
        Box::pin(reopen(table))
    }),
    Case::new("close/connection-by-offerer", NOTICED, |table| Box::pin(connection(table, Role::Offerer))).core(),
    Case::new("close/connection-by-answerer", NOTICED, |table| Box::pin(connection(table, Role::Answerer))),
];

const ABOUT: &str = "A channel is closed: both sides see it, and another lives on.";
const NOTICED: &str = "The connection is closed: the other side notices long before consent runs out (30 s).";
const CLOSE: Duration = Duration::from_secs(15);

async fn channel(table: &mut Table<'_>, closer: Role) -> Outcome<String> {
    let (pair, kept) = table.connected(Setup::default()).await?;
    let init = ChannelInit { handle: "x", label: "x", ..ChannelInit::default() };
    let handles = pair.add_channel(Role::Offerer, &init, CONNECT).await?;
    say(pair, &handles, "before").await?;
    pair.peer(closer).ask(Command::new("close_channel").with("channel", handles.at(closer))).await?;
    for role in [closer, closer.other()] {
        closed(pair, role, handles.at(role), CLOSE).await?;
        let error = pair.view(role).channel(handles.at(role)).and_then(|channel| channel.close_error.clone());
        ensure_eq!(error, None, "the error of a channel that was closed in order ({role:?})");
    }
    say(pair, &kept, "still here").await?;
    Ok(String::new())
}

async fn while_sending(table: &mut Table<'_>) -> Outcome<String> {
    const QUEUED: u64 = 32;
    const BYTES: u64 = 64_000;
    let (pair, kept) = table.connected(Setup::default()).await?;
    for (closer, handle) in [(Role::Offerer, "o"), (Role::Answerer, "a")] {
        let other = closer.other();
        let init = ChannelInit { handle, label: handle, ..ChannelInit::default() };
        let handles = pair.add_channel(closer, &init, CONNECT).await?;
        pair.peer(other).receive(handles.at(other), "count").await?;
        for seed in 0..QUEUED {
            let fill = json!({"bytes": BYTES, "seed": seed, "binary": true});
            pair.peer(closer).send(handles.at(closer), ("fill", fill)).await?;
        }
        pair.peer(closer).ask(Command::new("close_channel").with("channel", handles.at(closer))).await?;
        for role in [closer, other] {
            closed(pair, role, handles.at(role), CLOSE).await?;
        }
        let counted = |pair: &Pair| pair.view(other).channel(handles.at(other))?.counted.clone();
        let counted = pair.until("a count of what the closed channel brought", CLOSE, counted).await?;
        let all = (QUEUED * BYTES, QUEUED);
        ensure_eq!(
            (counted.bytes, counted.messages),
            all,
            "bytes and messages that the {closer:?} sent before closing"
        );
    }
    say(pair, &kept, "still here").await?;
    Ok(String::new())
}

async fn while_receiving(table: &mut Table<'_>) -> Outcome<String> {
    let (pair, kept) = table.connected(Setup::default()).await?;
    for (closer, handle) in [(Role::Offerer, "o"), (Role::Answerer, "a")] {
        let other = closer.other();
        let init = ChannelInit { handle, label: handle, ..ChannelInit::default() };
        let handles = pair.add_channel(closer, &init, CONNECT).await?;
        pair.peer(closer).receive(handles.at(closer), "count").await?;
        pair.peer(other).stream(handles.at(other), 5_000_000, 16 << 10, 5).await?;
        tokio::time::sleep(Duration::from_millis(100)).await;
        pair.peer(closer).ask(Command::new("close_channel").with("channel", handles.at(closer))).await?;
        for role in [closer, other] {
            closed(pair, role, handles.at(role), CLOSE).await?;
        }
    }
    say(pair, &kept, "still here").await?;
    Ok(String::new())
}

async fn reopen(table: &mut Table<'_>) -> Outcome<String> {
    const STREAM: u16 = 42;
    let (pair, kept) = table.connected(Setup::default()).await?;
    for number in 0..5 {
        let handle = format!("r{number}");
        let init = ChannelInit { handle: &handle, label: &handle, negotiated: Some(STREAM), ..ChannelInit::default() };
        let (by, closer) = if number % 2 == 0 { BOTH.into() } else { (Role::Answerer, Role::Offerer) };
        let handles = pair.add_channel(by, &init, CONNECT).await?;
        say(pair, &handles, &format!("number {number}")).await?;
        pair.peer(closer).ask(Command::new("close_channel").with("channel", handles.at(closer))).await?;
        for role in BOTH {
            closed(pair, role, handles.at(role), CLOSE).await?;
        }
    }
    say(pair, &kept, "still here").await?;
    Ok(String::new())
}

async fn connection(table: &mut Table<'_>, closer: Role) -> Outcome<String> {
    let other = closer.other();
    let (pair, handles) = table.connected(Setup::default()).await?;
    say(pair, &handles, "hello").await?;
    let started = Instant::now();
    pair.peer(closer).ask(Command::new("close")).await?;
    let notices = |pair: &Pair| {
        let channel = pair.view(other).channel(handles.at(other))?.is_closed();
        let connection = ["closed", "failed", "disconnected"].contains(&pair.view(other).state("connection"));
        (channel || connection).then_some(())
    };
    pair.until(&format!("the {other:?} notices that the connection is closed"), CLOSE, notices).await?;
    let took = started.elapsed();
    ensure!(took < CLOSE, "noticed after {} ms", took.as_millis());
    Ok(format!("noticed after {} ms", took.as_millis()))
}
