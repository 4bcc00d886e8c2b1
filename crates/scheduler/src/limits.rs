//! The settings that the scheduler obeys.

use std::time::Duration;

use modelet_core::Settings;

/// Limits of one version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Calls in flight per instance.
    pub concurrency: usize,
    /// Instances that exist at once, stopping ones included.
    pub max_instances: usize,
    /// Calls that wait, beyond those that starting instances will take.
    pub queue_limit: usize,
    /// An instance without work for this long is stopped. The clock starts when it is ready.
    pub idle_timeout: Duration,
    /// From start to ready.
    pub load_timeout: Duration,
    /// From arrival to the end of the answer; waiting for a first instance does not count.
    pub request_timeout: Duration,
    /// How long accepted calls may go on once the version drains.
    pub drain_timeout: Duration,
    /// Wait after the first failed start; it doubles with each further one.
    pub backoff_first: Duration,
    /// Longest wait after a failed start.
    pub backoff_max: Duration,
}

impl From<&Settings> for Limits {
    fn from(settings: &Settings) -> Self {
        let count = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
        Self {
            concurrency: count(settings.concurrency),
            max_instances: count(settings.max_instances),
            queue_limit: count(settings.queue_limit),
            idle_timeout: Duration::from_millis(settings.idle_timeout_ms),
            load_timeout: Duration::from_millis(settings.load_timeout_ms),
            request_timeout: Duration::from_millis(settings.request_timeout_ms),
            drain_timeout: Duration::from_millis(settings.drain_timeout_ms),
            backoff_first: Duration::from_millis(500),
            backoff_max: Duration::from_secs(30),
        }
    }
}
