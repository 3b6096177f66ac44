//! The impairment matrix: data channels over every kind of bad network, in virtual time.
//!
//! Loss × reordering × duplication × corruption × round trip × MTU. In each cell two peers exchange messages on four
//! channels at once while the link is bad; then it heals. What must hold:
//!
//! - reliable channels deliver everything exactly once and unaltered, ordered ones in order;
//! - unreliable channels deliver nothing twice, nothing altered, ordered ones in order;
//! - once the link has healed, no 30 seconds pass without progress until everything has come;
//! - nothing is left queued, and the association lives.
//!
//! `cargo xtask conformance --soak` runs all of it; an ordinary test a slice.

mod run;

pub use run::run;

/// Out of a hundred packets lost.
const LOSS: [u32; 6] = [0, 1, 5, 10, 20, 30];
/// Out of a hundred packets held back, or duplicated, or corrupted, in the cells that do that.
const ODDS: [u32; 2] = [0, 5];
/// Round trip in milliseconds.
const RTT: [u64; 4] = [1, 20, 100, 300];
/// Longest IP packet in bytes.
const MTU: [usize; 3] = [576, 1280, 1500];

/// One kind of network.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cell {
    /// Out of a hundred packets lost.
    pub loss: u32,
    /// Out of a hundred packets held back, so that others overtake them.
    pub reorder: u32,
    /// Out of a hundred packets that come twice.
    pub duplicate: u32,
    /// Out of a hundred packets with flipped bits.
    pub corrupt: u32,
    /// Round trip in milliseconds.
    pub rtt_ms: u64,
    /// Longest IP packet in bytes.
    pub mtu: usize,
}

impl core::fmt::Display for Cell {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self { loss, reorder, duplicate, corrupt, rtt_ms, mtu } = self;
        write!(f, "loss={loss},reorder={reorder},duplicate={duplicate},corrupt={corrupt},rtt={rtt_ms},mtu={mtu}")
    }
}

/// All cells.
pub fn cells() -> Vec<Cell> {
    let mut all = Vec::new();
    for loss in LOSS {
        for reorder in ODDS {
            for duplicate in ODDS {
                for corrupt in ODDS {
                    for rtt_ms in RTT {
                        for mtu in MTU {
                            all.push(Cell { loss, reorder, duplicate, corrupt, rtt_ms, mtu });
                        }
                    }
                }
            }
        }
    }
    all
}

/// How one run went.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Outcome {
    /// Virtual seconds until everything had come.
    pub seconds: f64,
    /// Longest time without progress after the link had healed, in virtual seconds.
    pub longest_stall: f64,
    /// Messages of the reliable channels, all of which came.
    pub reliable: u32,
    /// Messages of the unreliable channels that were sent.
    pub unreliable_sent: u32,
    /// And that came.
    pub unreliable_received: u32,
}
