//! What the benchmarks share: SCTP stacks behind one interface, and the lossy link.

pub mod link;
pub mod stacks;
