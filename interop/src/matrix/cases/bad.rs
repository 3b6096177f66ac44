//! Bad networks: everything between the two goes through seeded relays.

use std::time::Duration;

use weft_netlab::relay::Bad;

use super::Case;
use super::transfer::{begin, end};
use crate::failure::Outcome;
use crate::matrix::table::{Setup, Table};
use crate::pair::Role;

pub(super) const CASES: &[Case] = &[
    Case::new("bad/loss-1", "2 MB each way with 1 % of the datagrams lost.", |table| {
        Box::pin(transfer(table, |bad| bad.loss = 0.01))
    })
    .limit(LIMIT),
    Case::new("bad/loss-5", "2 MB each way with 5 % of the datagrams lost.", |table| {
        Box::pin(transfer(table, |bad| bad.loss = 0.05))
    })
    .limit(LIMIT),
    Case::new("bad/delay-50", "2 MB each way with 50 ms of delay in each direction.", |table| {
        Box::pin(transfer(table, |bad| bad.delay = 50.0))
    })
    .limit(LIMIT),
    Case::new("bad/reordering", "2 MB each way with 5 % of the datagrams late by up to 10 ms.", |table| {
        Box::pin(transfer(table, |bad| bad.reorder = 0.05))
    })
    .limit(LIMIT),
    Case::new("bad/duplication", "2 MB each way with 5 % of the datagrams twice.", |table| {
        Box::pin(transfer(table, |bad| bad.duplicate = 0.05))
    })
    .limit(LIMIT),
    Case::new("bad/mtu-1280", "2 MB each way where IP packets over 1280 bytes vanish.", |table| {
        Box::pin(transfer(table, |bad| bad.mtu = 1280))
    })
    .limit(LIMIT),
];

const LIMIT: u64 = 200;
const BYTES: u64 = 2_000_000;

async fn transfer(table: &mut Table<'_>, how: fn(&mut Bad)) -> Outcome<String> {
    let mut bad = Bad::default();
    how(&mut bad);
    let (pair, handles) = table.connected(Setup { bad: Some(bad), ..Setup::default() }).await?;
    let mut seconds = Vec::new();
    for (from, seed) in [(Role::Offerer, 1), (Role::Answerer, 2)] {
        begin(pair, &handles, from, BYTES, seed).await?;
        seconds.push(format!("{:.1} s", end(pair, &handles, from, BYTES, Duration::from_secs(80)).await?));
    }
    Ok(format!("from the offerer, then back: {}", seconds.join(", ")))
}
