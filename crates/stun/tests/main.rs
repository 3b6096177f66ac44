//! The crate through its public interface.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

mod it {
    mod arbitrary;
    mod attributes;
    mod long_term;
    mod structure;
    mod survival;
    mod transactions;
    mod turn;
    mod urls;
    mod vectors;
}
