//! The suite's own machinery, against peers that follow a script.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

mod capture;
mod pair;
mod peer;
mod process;
mod report;
mod script;
