//! What the benchmarks share: SCTP stacks behind one interface, the lossy link, and the clock of the processor.

pub mod link;
pub mod stacks;

/// CPU time of this process, in seconds.
pub fn cpu_seconds() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}
