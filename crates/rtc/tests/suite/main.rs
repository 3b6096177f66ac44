//! Whole peer connections in virtual time, and the async handles over real sockets.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod absence;
mod asynchronous;
mod backlog;
mod bad_input;
mod busy_poll;
mod cancel;
mod connect;
mod drivers;
mod endings;
mod executors;
mod farewells;
mod frames;
#[path = "../narrows/mod.rs"]
mod narrows;
mod paths;
mod polled;
#[path = "../processor/mod.rs"]
mod processor;
mod reconfigure;
mod refusals;
mod renegotiate;
mod rows;
mod servers;
mod snap;
mod states;
mod stats;
mod streams;
mod support;
mod transfer;
