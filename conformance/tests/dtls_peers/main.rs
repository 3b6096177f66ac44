//! weft-dtls against the DTLS of two other crates, in one process: both roles, every version, suite and group that is
//! shared.
//!
//! ```text
//! cargo test -p weft-conformance --features dtls-peers --test dtls_peers
//! ```
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

mod dimpl;
mod own;
mod webrtc;
