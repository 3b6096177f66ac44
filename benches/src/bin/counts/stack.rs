//! The whole sans-IO stack, in memory: ICE, DTLS 1.3 with AES-128-GCM, SCTP, one reliable ordered channel.

#[path = "../../../../crates/rtc/tests/memory/mod.rs"]
#[allow(dead_code)] // shared with tests
mod memory;

use bytes::Bytes;
use memory::Pair;

use crate::counted;

pub(crate) fn large(operations: u64) -> u64 {
    let message = Bytes::from(vec![0x5A; 65_536]);
    let mut pair = Pair::connected();
    pair.transfer(100, &message);
    let before = pair.sent();
    while pair.sent() - before < operations {
        counted(|| pair.transfer(20, &message));
    }
    pair.sent() - before
}

pub(crate) fn small(operations: u64) -> u64 {
    let message = Bytes::from(vec![0x5A; 100]);
    let mut pair = Pair::connected();
    pair.transfer(10_000, &message);
    counted(|| pair.transfer(operations, &message));
    operations
}
