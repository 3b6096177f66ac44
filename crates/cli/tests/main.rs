//! The command as its users see it: processes, their input and their output.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

mod demo;
mod options;
mod peer;
mod process;
mod serve;
