//! Connecting: with candidates apart or in the description, with either DTLS, again and again.

use std::time::Instant;

use super::Case;
use crate::failure::{Failure, Outcome};
use crate::matrix::table::{BOTH, CONNECT, ECHO, Setup, Table, say};
use crate::pair::{Pair, Role};
use crate::peer::{ChannelInit, at};
use crate::{ensure, ensure_eq};

pub(super) const CASES: &[Case] = &[
    Case::new("connect/trickle", "A channel opens with candidates that travel apart from the descriptions.", |table| {
        Box::pin(candidates(table, true))
    })
    .core(),
    Case::new("connect/full", "A channel opens with all candidates in the descriptions, and none apart.", |table| {
        Box::pin(candidates(table, false))
    })
    .core(),
    Case::new("connect/dtls-1.2", "One side is held to DTLS 1.2: the other follows.", |table| {
        Box::pin(dtls(table, "1.2"))
    })
    .core(),
    Case::new("connect/dtls-1.3", "One side is held to DTLS 1.3: the other follows.", |table| {
        Box::pin(dtls(table, "1.3"))
    }),
    Case::new("connect/post-quantum", "DTLS 1.3 with X25519MLKEM768.", |table| {
        Box::pin(group(table, "X25519MLKEM768"))
    }),
    Case::new("connect/without-post-quantum", "DTLS 1.3 with X25519 alone.", |table| Box::pin(group(table, "X25519"))),
    Case::new("connect/a-hundred-times", "100 pairs of fresh peers in a row connect without a failure.", |table| {
        Box::pin(a_hundred_times(table))
    })
    .limit(900),
];

/// With containers of its own.
pub(super) const HIDDEN: &[Case] =
    &[Case::new("connect/mdns", "One side's addresses, or both's, are mDNS names that the other resolves.", |table| {
        Box::pin(mdns(table))
    })];

async fn connected(pair: &mut Pair) -> Outcome {
    for role in BOTH {
        let what = format!("the {role:?} says that it is connected");
        let state = |pair: &Pair| (pair.view(role).state("connection") == "connected").then_some(());
        pair.until(&what, ECHO, state).await?;
    }
    Ok(())
}

async fn candidates(table: &mut Table<'_>, trickle: bool) -> Outcome<String> {
    let started = Instant::now();
    let (pair, handles) = table.connected(Setup { trickle: Some(trickle), ..Setup::default() }).await?;
    let took = started.elapsed();
    connected(pair).await?;
    for role in BOTH {
        let view = pair.view(role);
        let sdp = view.descriptions.first().map_or("", |description| description.sdp.as_str());
        if trickle {
            let there = !view.candidates.is_empty() || sdp.contains("\na=candidate:");
            ensure!(there, "the {role:?} gave no candidates");
        } else {
            ensure!(view.candidates.is_empty(), "candidates came apart, but should not: {:?}", view.candidates);
            ensure!(sdp.contains("\na=candidate:"), "a full description has no candidates:\n{sdp}");
        }
    }
    say(pair, &handles, "hello").await?;
    Ok(format!("peers started and channel open after {} ms", took.as_millis()))
}

async fn mdns(table: &mut Table<'_>) -> Outcome<String> {
    let (pair, handles) = table.connected(Setup { mdns: true, ..Setup::default() }).await?;
    connected(pair).await?;
    say(pair, &handles, "hello").await?;
    let hides = |role: Role| {
        let view = pair.view(role);
        let lines = view.descriptions.iter().flat_map(|description| description.sdp.lines());
        let mut lines = lines.chain(view.candidates.iter().map(String::as_str));
        lines.any(|line| line.contains("candidate:") && line.contains(".local "))
    };
    let hidden: Vec<Role> = BOTH.into_iter().filter(|role| hides(*role)).collect();
    ensure!(!hidden.is_empty(), "nobody's candidates are mDNS names");
    Ok(format!("hidden: {hidden:?}"))
}

/// Checks the statistics of both sides, as far as they say something of it.
async fn told(pair: &mut Pair, pointer: &str, expected: &str) -> Outcome<usize> {
    let mut times = 0;
    for role in BOTH {
        let stats = pair.peer(role).stats().await?;
        if let Some(told) = at(stats, pointer).as_str() {
            ensure_eq!(told, expected, "{pointer} in the statistics of the {role:?}");
            times += 1;
        }
    }
    Ok(times)
}

async fn dtls(table: &mut Table<'_>, version: &'static str) -> Outcome<String> {
    held(table, Setup { dtls: Some(version), ..Setup::default() }, "/dtls/version", version).await
}

async fn group(table: &mut Table<'_>, group: &'static str) -> Outcome<String> {
    let setup = Setup { dtls: Some("1.3"), group: Some(group), ..Setup::default() };
    held(table, setup, "/dtls/group", group).await
}

/// Connects while one side is held to something, and checks that this is what both say they do.
pub(super) async fn held(table: &mut Table<'_>, setup: Setup, pointer: &str, expected: &str) -> Outcome<String> {
    table.seat(setup).await?;
    let by = table.held.first().copied().unwrap_or(Role::Offerer);
    let pair = table.pair()?;
    let init = ChannelInit { handle: "d", label: "d", ..ChannelInit::default() };
    let handles = pair.connect(&init, CONNECT).await?;
    say(pair, &handles, "hello").await?;
    if told(pair, pointer, expected).await? == 0 {
        let silent = table.stack(by).name;
        return Err(Failure::unsupported(silent, format!("neither side tells what {pointer} is")));
    }
    Ok(format!("held to it: the {by:?}"))
}

async fn a_hundred_times(table: &mut Table<'_>) -> Outcome<String> {
    let mut slowest = 0;
    for number in 1..=100 {
        let started = Instant::now();
        let connected = async {
            let pair = table.seat(Setup::default()).await?;
            let init = ChannelInit { handle: "c", label: "c", ..ChannelInit::default() };
            let began = Instant::now();
            let handles = pair.connect(&init, CONNECT).await?;
            slowest = slowest.max(began.elapsed().as_millis());
            say(pair, &handles, "hello").await?;
            table.finish().await
        };
        let failed = |failure: Failure| match failure.unsupported_by() {
            Some(_) => failure,
            None => Failure::new(format!("number {number}, after {} ms: {failure}", started.elapsed().as_millis())),
        };
        connected.await.map_err(failed)?;
    }
    Ok(format!("the slowest took {slowest} ms"))
}
