//! The processor time of this process.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// Processor time so far, that of all threads: an engine may compute with several.
pub fn time() -> Duration {
    let used = clock_gettime(ClockId::ProcessCPUTime);
    // Never negative.
    Duration::new(used.tv_sec.unsigned_abs(), u32::try_from(used.tv_nsec).unwrap_or(0))
}

/// Adds to `used` what `run` uses.
pub fn count<T>(used: &mut Duration, run: impl FnOnce() -> T) -> T {
    let before = time();
    let result = run();
    *used += time().saturating_sub(before);
    result
}
