//! The settings that the scheduler obeys: of a version, and of the machine.

use std::time::Duration;

use modelet_core::Settings;
use modelet_core::manifest::KeepAlive;

/// Limits of one version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Calls in flight per instance.
    pub concurrency: usize,
    /// Instances that exist at once, stopping ones included.
    pub max_instances: usize,
    /// Instances that are ready or starting at all times while the version is live.
    pub min_instances: usize,
    /// Instances whose memory is kept free for the version while it is live.
    pub reserved_instances: usize,
    /// Instances beyond those that the calls fill, while there are calls and the version is live.
    pub prewarmed_instances: usize,
    /// Calls that wait, beyond those that starting instances will take.
    pub queue_limit: usize,
    /// Calls let in per second on average. 0: no limit.
    pub rate_limit_per_s: u64,
    /// Calls let in at once beyond the average. 0: as many as one second lets in.
    pub rate_burst: u64,
    /// How idle instances are kept.
    pub keep_alive: KeepAlive,
    /// An instance without work for this long is stopped, as far as `keep_alive` does not know better. The clock starts
    /// when it is ready.
    pub idle_timeout: Duration,
    /// From start to ready.
    pub load_timeout: Duration,
    /// From arrival to the end of the answer; waiting for a first instance does not count.
    pub request_timeout: Duration,
    /// How long accepted calls may go on once the version drains.
    pub drain_timeout: Duration,
    /// An instance that has had this many calls is worn. 0: never.
    pub recycle_calls: u64,
    /// Most memory of an instance, in MiB; never charged more.
    pub memory_mib: u64,
    /// What an instance is taken to need before one has been measured, in MiB.
    pub expected_memory_mib: u64,
    /// Wait after the first failed start; it doubles with each further one.
    pub backoff_first: Duration,
    /// Longest wait after a failed start.
    pub backoff_max: Duration,
}

impl Limits {
    /// The limits of a function with these settings. `expected_memory_mib`: what one instance is likely to need.
    pub fn new(settings: &Settings, keep_alive: KeepAlive, expected_memory_mib: u64) -> Self {
        let count = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
        Self {
            concurrency: count(settings.concurrency),
            max_instances: count(settings.max_instances),
            min_instances: count(settings.min_instances),
            reserved_instances: count(settings.reserved_instances),
            prewarmed_instances: count(settings.prewarmed_instances),
            queue_limit: count(settings.queue_limit),
            rate_limit_per_s: settings.rate_limit_per_s,
            rate_burst: settings.rate_burst,
            keep_alive,
            idle_timeout: Duration::from_millis(settings.idle_timeout_ms),
            load_timeout: Duration::from_millis(settings.load_timeout_ms),
            request_timeout: Duration::from_millis(settings.request_timeout_ms),
            drain_timeout: Duration::from_millis(settings.drain_timeout_ms),
            recycle_calls: settings.recycle_calls,
            memory_mib: settings.memory_mib,
            expected_memory_mib,
            backoff_first: Duration::from_millis(500),
            backoff_max: Duration::from_secs(30),
        }
    }
}

/// Limits of the machine, all versions together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Machine {
    /// Memory for instances, in MiB.
    pub memory_mib: u64,
    /// Calls held at once, waiting and in flight.
    pub max_calls: usize,
    /// Instances that load at once.
    pub max_starting: usize,
}
