//! Real loopback sockets.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

#[cfg(feature = "tokio")]
mod asynchronous;
mod dns;
mod mdns;
mod stream;
#[cfg(feature = "tls")]
mod tls;
mod udp;
mod watcher;
