//! One binary for all tests of the crate, to keep linking cheap.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

mod attributes;
mod common;
mod document;
mod exchange;
mod packed;
mod properties;
mod refused;
mod renegotiation;
mod signaling;
mod snap;
mod trickle;
