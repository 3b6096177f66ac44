//! The work of the bench `dtls` as a plain program, for instruction counts: `dtls_counts bare|inner|record|handshake|hybrid COUNT`. The
//! difference between two counts, divided, leaves the start of the program out.
//!
//! ```text
//! cargo build --release -p weft-benches --example dtls_counts
//! valgrind --tool=callgrind --callgrind-out-file=/dev/null target/release/examples/dtls_counts record 2000
//! ```
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

#[path = "../benches/dtls/bare.rs"]
mod bare;
#[path = "../benches/dtls/own.rs"]
mod own;

use std::hint::black_box;

use weft_dtls::{CipherSuite, NamedGroup, ProtocolVersion};

const RECORD: [u8; 1200] = [0x5A; 1200];
const INNER: [u8; 1201] = [0x5A; 1201];

fn main() {
    let mut arguments = std::env::args().skip(1);
    let what = arguments.next().unwrap_or_default();
    let count: u32 = arguments.next().and_then(|count| count.parse().ok()).expect("a count");
    let (version, suite, group) = (ProtocolVersion::DTLS_1_3, CipherSuite::AES_128_GCM_SHA256, NamedGroup::X25519);
    let ends = own::Ends::new(version, suite, group);
    let hybrid = own::Ends::new(version, suite, NamedGroup::X25519MLKEM768);
    let mut pair = own::Pair::connected(version, suite, group);
    let mut cipher = bare::Bare::new(&aws_lc_rs::aead::AES_128_GCM);
    for _ in 0..count {
        match what.as_str() {
            // What a record of 1.3 seals: the content and its type.
            "inner" => assert_eq!(black_box(cipher.seal_and_open(black_box(&INNER))), INNER.len()),
            "bare" => assert_eq!(black_box(cipher.seal_and_open(black_box(&RECORD))), RECORD.len()),
            "record" => assert_eq!(black_box(pair.seal_and_open(black_box(&RECORD))), RECORD.len()),
            "handshake" => drop(black_box(ends.connect())),
            // With X25519MLKEM768.
            "hybrid" => drop(black_box(hybrid.connect())),
            other => panic!("bare, inner, record, handshake or hybrid, not {other}"),
        }
    }
}
