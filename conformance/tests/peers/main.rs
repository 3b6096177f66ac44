//! Weft against other SCTP stacks in one process: both roles, every extension they have, over links that lose packets.
//!
//! The stacks are behind the feature `peers`, so that nobody builds them who does not ask: `cargo test -p
//! weft-conformance --features peers --test peers`. Links and messages come from the seed; the other stacks draw their
//! tags and TSNs themselves. How each is spoken to stands in `weft_benches::stacks`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, missing_docs)]
#![cfg(feature = "peers")]

mod differential;
mod scenario;
mod side;
mod snap;

use ::dcsctp::api::Options;
use weft_benches::stacks::{DcSctp, RtcSctp, SctpProto, dcsctp_options};

/// Each scenario with one stack, in both roles.
macro_rules! scenarios {
    ($stack:ident, $peer:expr, [$($scenario:ident),*]) => {
        mod $stack {
            mod we_connect {
                $(#[test]
                fn $scenario() {
                    let name = concat!(stringify!($stack), "::we_connect::", stringify!($scenario));
                    crate::scenario::$scenario(name, true, || Box::new($peer));
                })*
            }
            mod it_connects {
                $(#[test]
                fn $scenario() {
                    let name = concat!(stringify!($stack), "::it_connects::", stringify!($scenario));
                    crate::scenario::$scenario(name, false, || Box::new($peer));
                })*
            }
        }
    };
}

scenarios!(
    with_dcsctp,
    crate::DcSctp::new(&crate::dcsctp_options()),
    [transfers, one_large_message, unordered, limited_retransmissions, lifetimes, resets, shutdowns, both_connect]
);
scenarios!(with_dcsctp_without_checksums, crate::DcSctp::default(), [zero_checksum, resets, shutdowns]);
scenarios!(
    with_dcsctp_interleaving,
    crate::DcSctp::new(&crate::Options { enable_message_interleaving: true, ..crate::dcsctp_options() }),
    [interleaves, one_large_message, unordered, limited_retransmissions, lifetimes, resets, shutdowns, both_connect]
);
scenarios!(
    with_sctp_proto,
    crate::SctpProto::new(),
    [transfers, one_large_message, unordered, limited_retransmissions, lifetimes, resets, shutdowns]
);
scenarios!(
    with_rtc_sctp,
    crate::RtcSctp::new(),
    [transfers, one_large_message, unordered, limited_retransmissions, lifetimes, resets, shutdowns]
);
