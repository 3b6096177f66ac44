//! Descriptions exchanged again: ICE restarted in the middle of a transfer, and plain renegotiation.

use std::time::Duration;

use super::Case;
use super::transfer::{begin, end};
use crate::ensure;
use crate::failure::Outcome;
use crate::matrix::table::{BOTH, CONNECT, ECHO, Setup, Table, say};
use crate::pair::{Pair, Role};
use crate::peer::{ChannelInit, Command};

pub(super) const CASES: &[Case] = &[
    Case::new("restart/by-offerer", RESTART, |table| Box::pin(restart(table, Role::Offerer))).limit(150),
    Case::new("restart/by-answerer", RESTART, |table| Box::pin(restart(table, Role::Answerer))).limit(150),
    Case::new("renegotiation", "Either side offers again: both end stable, and old and new channels work.", |table| {
        Box::pin(renegotiation(table))
    }),
];

const RESTART: &str = "ICE is restarted in the middle of a transfer: new credentials, and the hashes are equal.";

fn descriptions(pair: &Pair) -> [usize; 2] {
    BOTH.map(|role| pair.view(role).descriptions.len())
}

/// Offers, and waits until both sides have described themselves again and are stable.
async fn offer(pair: &mut Pair, by: Role, command: Command) -> Outcome {
    let before = descriptions(pair);
    pair.peer(by).ask(command).await?;
    pair.until("both sides described again and stable", ECHO, |pair| {
        let described = descriptions(pair).into_iter().zip(before).all(|(now, before)| now > before);
        (described && BOTH.into_iter().all(|role| pair.view(role).state("signaling") == "stable")).then_some(())
    })
    .await
}

fn ufrags(pair: &Pair) -> [Option<String>; 2] {
    BOTH.map(|role| {
        let last = pair.view(role).descriptions.last()?;
        last.sdp.lines().find_map(|line| line.trim_end().strip_prefix("a=ice-ufrag:")).map(str::to_owned)
    })
}

async fn restart(table: &mut Table<'_>, by: Role) -> Outcome<String> {
    const BYTES: u64 = 20_000_000;
    let (pair, handles) = table.connected(Setup::default()).await?;
    say(pair, &handles, "hello").await?;
    let old = ufrags(pair);
    begin(pair, &handles, Role::Offerer, BYTES, 1).await?;
    tokio::time::sleep(Duration::from_millis(50)).await;
    offer(pair, by, Command::new("offer").with("ice_restart", true)).await?;
    let new = ufrags(pair);
    ensure!(new.iter().zip(&old).all(|(new, old)| new != old), "the ufrags should have changed: {old:?}, then {new:?}");
    end(pair, &handles, Role::Offerer, BYTES, Duration::from_secs(60)).await?;
    // Both sides stay connected on the new credentials.
    let init = ChannelInit { handle: "after", label: "after", ..ChannelInit::default() };
    let after = pair.add_channel(Role::Offerer, &init, CONNECT).await?;
    say(pair, &after, "after the restart").await?;
    Ok(String::new())
}

async fn renegotiation(table: &mut Table<'_>) -> Outcome<String> {
    let (pair, handles) = table.connected(Setup::default()).await?;
    for (by, handle) in [(Role::Offerer, "o"), (Role::Answerer, "a")] {
        let old = ufrags(pair);
        offer(pair, by, Command::new("offer")).await?;
        let new = ufrags(pair);
        ensure!(new == old, "the ufrags should be the same without a restart: {old:?}, then {new:?}");
        say(pair, &handles, &format!("after the offer of the {by:?}")).await?;
        let init = ChannelInit { handle, label: handle, ..ChannelInit::default() };
        let added = pair.add_channel(by, &init, CONNECT).await?;
        say(pair, &added, "new").await?;
    }
    Ok(String::new())
}
