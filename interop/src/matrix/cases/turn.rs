//! Through a TURN server (coturn), which both reach over the same transport; relayed candidates alone.

use std::time::Duration;

use super::Case;
use super::transfer::{begin, end};
use crate::ensure;
use crate::failure::Outcome;
use crate::matrix::table::{BOTH, Setup, Table, say};
use crate::pair::Role;

pub(super) const CASES: &[Case] = &[
    Case::new("turn/udp", "A channel and 1 MB each way through TURN over UDP.", |table| {
        Box::pin(relayed(table, "udp"))
    }),
    Case::new("turn/tcp", "A channel and 1 MB each way through TURN over TCP.", |table| {
        Box::pin(relayed(table, "tcp"))
    }),
    Case::new("turn/tls", "A channel and 1 MB each way through TURN over TLS.", |table| {
        Box::pin(relayed(table, "tls"))
    }),
];

async fn relayed(table: &mut Table<'_>, transport: &'static str) -> Outcome<String> {
    const BYTES: u64 = 1_000_000;
    let (pair, handles) = table.connected(Setup { turn: Some(transport), ..Setup::default() }).await?;
    say(pair, &handles, "hello").await?;
    for role in BOTH {
        let view = pair.view(role);
        let lines = view.descriptions.iter().flat_map(|description| description.sdp.lines());
        let lines = lines.chain(view.candidates.iter().map(String::as_str));
        let candidates: Vec<&str> = lines.filter(|line| line.contains("candidate:")).collect();
        ensure!(!candidates.is_empty(), "the {role:?} gave no candidate");
        ensure!(
            candidates.iter().all(|line| line.contains("typ relay")),
            "the {role:?} gave a candidate that is not relayed: {candidates:?}"
        );
    }
    for (from, seed) in [(Role::Offerer, 1), (Role::Answerer, 2)] {
        begin(pair, &handles, from, BYTES, seed).await?;
        end(pair, &handles, from, BYTES, Duration::from_secs(30)).await?;
    }
    Ok(String::new())
}
