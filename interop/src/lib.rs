//! Does Weft work with browsers and the other stacks?
//!
//! Whatever sits at either end of a connection speaks the peer protocol (JSON lines: commands in, events out). A
//! [`peer::Peer`] is the suite's end of that, a [`pair::Pair`] carries the signalling between two of them, and a case in
//! [`cases`] says what must hold for the two. The suite never looks behind the protocol, so that a case runs between any
//! two stacks.

pub mod browser;
pub mod cases;
pub mod detour;
pub mod docker;
pub mod engine;
pub mod failure;
pub mod matrix;
pub mod native;
pub mod pair;
pub mod peer;
pub mod report;
pub mod run;
pub mod stacks;
pub mod stage;
