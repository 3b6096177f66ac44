//! DTLS 1.3, AES-128-GCM, X25519.

#[path = "../../../benches/dtls/own.rs"]
#[allow(clippy::expect_used, clippy::indexing_slicing, reason = "it is a bench of its own, too")]
mod own;

use own::{Ends, Pair};
use weft_core::Frame;
use weft_dtls::{CipherSuite, Connection, NamedGroup, ProtocolVersion};

use crate::counted;

const CONTENT: [u8; 1200] = [0x5A; 1200];
const TERMS: (ProtocolVersion, CipherSuite, NamedGroup) =
    (ProtocolVersion::DTLS_1_3, CipherSuite::AES_128_GCM_SHA256, NamedGroup::X25519);

/// One record after the other; the two steps do their work in [`counted`] or not.
fn records(
    operations: u64,
    seal: fn(&mut Connection, &mut Frame<'_>),
    open: fn(&mut Connection, &mut [u8]) -> usize,
) -> u64 {
    let (version, suite, group) = TERMS;
    let mut pair = Pair::connected(version, suite, group);
    for _ in 0..operations {
        assert_eq!(pair.record(&CONTENT, seal, open), CONTENT.len(), "the record is lost");
    }
    operations
}

pub(crate) fn seal(operations: u64) -> u64 {
    records(operations, |client, frame| counted(|| own::seal(client, frame)), own::open)
}

pub(crate) fn open(operations: u64) -> u64 {
    records(operations, own::seal, |server, record| counted(|| own::open(server, record)))
}

pub(crate) fn handshake(operations: u64) -> u64 {
    let (version, suite, group) = TERMS;
    let ends = Ends::new(version, suite, group);
    for _ in 0..operations {
        counted(|| drop(ends.connect()));
    }
    operations
}
