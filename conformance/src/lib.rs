//! Does a stack obey the RFCs? Requirement ledger, wire tests, fuzz targets and their corpora.
//!
//! - `ledger/` lists what the RFCs require, and `cargo xtask conformance` holds it against the tests.
//! - [`udp`] carries an association over UDP encapsulation, to meet programs that speak SCTP.
//! - [`fuzz`] has a function for each parser that eats whatever comes; `fuzz/corpus/` has what it ate before.

pub mod fuzz;
pub mod impairment;
pub mod udp;

/// The program in the project's README works as printed.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
