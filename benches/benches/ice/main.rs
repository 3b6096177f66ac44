//! STUN messages and ICE agents: `cargo bench -p weft-benches --bench ice`; with `--features ice-peers` the crates `stun` and
//! `stun-rs` do the same to the same bytes.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

mod messages;
mod shared;

use criterion::{criterion_group, criterion_main};

criterion_group!(benches, messages::messages, shared::one_more_packet);
criterion_main!(benches);
