//! Weft against other SCTP stacks in one process: both roles, every extension they have, over links that lose packets.
//!
//! The stacks are behind features (`dcsctp`, `sctp-proto`, `rtc-sctp`; `peers` for all), so that nobody builds them who
//! does not ask: `cargo test -p weft-conformance --features peers --test peers`. Links and messages come from the seed;
//! the other stacks draw their tags and TSNs themselves.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, missing_docs)]
#![cfg(any(feature = "dcsctp", feature = "sctp-proto", feature = "rtc-sctp"))]

#[cfg(feature = "dcsctp")]
mod dcsctp;
#[cfg(feature = "dcsctp")]
mod differential;
#[cfg(feature = "rtc-sctp")]
mod rtc_sctp;
mod scenario;
#[cfg(feature = "sctp-proto")]
mod sctp_proto;
mod side;

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

#[cfg(feature = "dcsctp")]
scenarios!(
    with_dcsctp,
    crate::dcsctp::DcSctp::new(&crate::dcsctp::options()),
    [transfers, one_large_message, unordered, limited_retransmissions, lifetimes, resets, shutdowns, both_connect]
);
#[cfg(feature = "dcsctp")]
scenarios!(
    with_dcsctp_without_checksums,
    crate::dcsctp::DcSctp::new(&crate::dcsctp::zero_checksum()),
    [zero_checksum, resets, shutdowns]
);
#[cfg(feature = "sctp-proto")]
scenarios!(
    with_sctp_proto,
    crate::sctp_proto::SctpProto::new(),
    [transfers, one_large_message, unordered, limited_retransmissions, lifetimes, resets, shutdowns]
);
#[cfg(feature = "rtc-sctp")]
scenarios!(
    with_rtc_sctp,
    crate::rtc_sctp::RtcSctp::new(),
    [transfers, one_large_message, unordered, limited_retransmissions, lifetimes, resets, shutdowns]
);
