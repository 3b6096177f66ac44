//! A slice of the impairment matrix: in ordinary runs another cell for each seed, all cells in a soak.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

use weft_conformance::impairment::{cells, run};
use weft_testkit::for_seeds;

/// Seeds stride through the cells, so that a hundredth of them meets every kind of network.
#[test]
fn impairment_matrix() {
    let cells = cells();
    for_seeds("impairment_matrix", 4800, |seed| {
        let cell = cells[(seed as usize * 61) % cells.len()];
        run(&cell, seed).unwrap_or_else(|what| panic!("{cell}, seed {seed}: {what}"));
    });
}

#[test]
fn the_matrix_has_every_combination() {
    let cells = cells();
    assert_eq!(cells.len(), 6 * 2 * 2 * 2 * 4 * 3);
    let names: std::collections::BTreeSet<String> = cells.iter().map(ToString::to_string).collect();
    assert_eq!(names.len(), cells.len());
}
