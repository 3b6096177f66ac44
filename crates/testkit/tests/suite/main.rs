//! Links, pairs, translators: in virtual time, from seeds.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

mod layers;
mod link;
mod nat;
mod pair;
