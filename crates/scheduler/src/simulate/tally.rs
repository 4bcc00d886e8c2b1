//! What comes of calls and instances, in numbers that add up.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::{CallFailure, Rejection};

/// What came of the calls of a function, or of all.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Tally {
    /// Calls in the trace: those served, rejected and failed.
    pub calls: u64,
    /// Calls that were answered.
    pub served: u64,
    /// Calls that waited for their instance to load.
    pub cold_starts: u64,
    /// How long calls waited for an instance; those that got one.
    pub waits: Waits,
    /// Calls that were refused on arrival, by reason.
    pub rejected: BTreeMap<&'static str, u64>,
    /// Calls that were accepted and not answered, by reason.
    pub failed: BTreeMap<&'static str, u64>,
    /// Instances started.
    pub starts: u64,
    /// Most instances at once.
    pub peak_instances: u64,
    /// Most memory of instances at once, in MiB.
    pub peak_memory_mib: u64,
    /// Instances that were stopped because others needed their memory.
    pub evictions: u64,
    /// What the instances held.
    pub held: Holdings,
}

/// What instances held while they loaded, served and were idle.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Holdings {
    /// Not ready yet.
    pub loading: Holding,
    /// With at least one call.
    pub serving: Holding,
    /// Ready and without a call.
    pub idle: Holding,
}

/// Time of instances, and their memory over that time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Holding {
    /// Added up over the instances.
    pub time: Duration,
    /// In MiB·ns, so that sums are exact.
    pub mib_ns: u128,
}

/// The waits of calls, exact. Most are none, and cost no memory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Waits {
    none: u64,
    others: Vec<Duration>,
}

impl Tally {
    /// The share of calls that waited for their instance to load, 0 to 1; 0 without calls.
    pub fn cold_share(&self) -> f64 {
        if self.calls == 0 { 0.0 } else { self.cold_starts as f64 / self.calls as f64 }
    }

    pub(super) fn note_peak(&mut self, instances: u64, memory_mib: u64) {
        self.peak_instances = self.peak_instances.max(instances);
        self.peak_memory_mib = self.peak_memory_mib.max(memory_mib);
    }

    /// Adds everything but the peaks, which do not come at the same time.
    pub(super) fn add(&mut self, other: &Self) {
        self.calls += other.calls;
        self.served += other.served;
        self.cold_starts += other.cold_starts;
        self.waits.none += other.waits.none;
        self.waits.others.extend_from_slice(&other.waits.others);
        for (reason, n) in &other.rejected {
            *self.rejected.entry(reason).or_default() += n;
        }
        for (reason, n) in &other.failed {
            *self.failed.entry(reason).or_default() += n;
        }
        self.starts += other.starts;
        self.evictions += other.evictions;
        self.held.add(&other.held);
    }
}

impl Holdings {
    /// Whatever they did.
    pub fn all(&self) -> Holding {
        let mut all = self.loading;
        all.add(&self.serving);
        all.add(&self.idle);
        all
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.loading.add(&other.loading);
        self.serving.add(&other.serving);
        self.idle.add(&other.idle);
    }
}

impl Holding {
    pub(super) fn add(&mut self, other: &Self) {
        self.time += other.time;
        self.mib_ns += other.mib_ns;
    }
}

impl Waits {
    pub(super) fn push(&mut self, wait: Duration) {
        if wait.is_zero() {
            self.none += 1;
        } else {
            self.others.push(wait);
        }
    }

    /// Calls that got an instance.
    pub const fn len(&self) -> u64 {
        self.none + self.others.len() as u64
    }

    /// True when no call got an instance.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The waits at these percentiles, by the nearest rank: the smallest wait that so many percent do not exceed. Zero
    /// without waits. 100 is the longest.
    pub fn percentiles<const N: usize>(&self, percents: [u64; N]) -> [Duration; N] {
        let mut sorted = self.others.clone();
        sorted.sort_unstable();
        percents.map(|percent| {
            let rank = (self.len() * percent.min(100)).div_ceil(100).max(1);
            // Those who waited come after those who did not.
            let place = rank.checked_sub(self.none + 1).and_then(|place| usize::try_from(place).ok());
            place.and_then(|place| sorted.get(place)).copied().unwrap_or_default()
        })
    }
}

impl Rejection {
    /// The reason in the words of the error codes.
    pub const fn name(self) -> &'static str {
        match self {
            Self::QueueFull => "queue-full",
            Self::Throttled { .. } => "throttled",
            Self::TooManyCalls => "overloaded",
            Self::MachineFull => "machine-full",
            Self::StartBackoff { .. } => "start-failed",
            Self::Draining => "shutting-down",
        }
    }
}

impl CallFailure {
    /// The reason in the words of the error codes.
    pub const fn name(self) -> &'static str {
        match self {
            Self::StartFailed(_) => "start-failed",
            Self::LoadTimeout(_) => "load-timeout",
            Self::RequestTimeout(_) => "request-timeout",
            Self::InstanceDied(_) => "instance-died",
            Self::Stuck(_) => "instance-stuck",
            Self::MachineFull => "machine-full",
            Self::Draining => "shutting-down",
        }
    }
}
