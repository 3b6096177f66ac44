//! Processor time that was used, which other programs do not add to.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// By this thread.
#[allow(dead_code)] // each test program needs one of them
pub(crate) fn by_thread() -> Duration {
    used(ClockId::ThreadCPUTime)
}

/// By the whole process.
pub(crate) fn by_process() -> Duration {
    used(ClockId::ProcessCPUTime)
}

fn used(clock: ClockId) -> Duration {
    let time = clock_gettime(clock);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}
