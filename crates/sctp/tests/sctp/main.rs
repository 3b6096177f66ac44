//! SCTP and data channels at their public interface, in virtual time.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

mod bad_networks;
mod causes;
mod channels;
mod common;
mod cookies;
mod data;
mod ends;
mod hostile;
mod interleave;
mod lifecycle;
mod many;
mod new_path;
mod partial;
mod path_mtu;
mod pieces;
mod pitfalls;
mod reconfig;
mod reset;
mod rules;
mod schedulers;
mod setup;
mod snap;
mod states;
mod targets;
mod threads;
mod trace;
mod transfer;
mod wire;
