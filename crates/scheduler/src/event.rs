//! What can happen to a version, and what the scheduler can ask for.

/// A version, by the number that [`Fleet::add`](crate::Fleet::add) gave it; never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct VersionNo(pub u64);

/// A call in the hands of the platform, by a number that is never used twice within its version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CallNo(pub u64);

/// An instance, by a number that is never used twice within its version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct InstanceNo(pub u64);

/// What happened to a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// A call came in. It is answered by exactly one of `Assign` (and later perhaps `Fail`), `Reject` or `Fail`.
    Arrived(CallNo),
    /// The answer to an assigned call has ended; its slot is free.
    Finished(CallNo),
    /// The instance of an assigned call ended before it took the call in. The call waits again, before those that came later.
    NotTaken(CallNo),
    /// The client of a call is gone, whether it was waiting or assigned.
    Left(CallNo),
    /// A started instance has loaded and takes calls.
    Ready(InstanceNo),
    /// An instance's process has ended, for whatever reason, in whatever phase.
    Exited(InstanceNo),
    /// An instance holds this much memory, in MiB.
    Measured(InstanceNo, u64),
    /// An instance has grown so much that a fresh one is better.
    Worn(InstanceNo, Wear),
    /// An instance that works on a call neither answers nor computes.
    Stuck(InstanceNo),
    /// The version is the one that its function's callers get: its minimum, its reserve and its prewarmed instances count.
    Live,
    /// Another version is live: nothing is kept for this one any more, but calls to it are served.
    Retired,
    /// Take no new calls, finish what was accepted, stop every instance.
    Drain,
    /// Time has passed.
    Tick,
}

/// What is to be done for a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Start an instance under this number.
    Start(InstanceNo),
    /// Send the call to the instance.
    Assign(CallNo, InstanceNo),
    /// Refuse the call: it was never accepted.
    Reject(CallNo, Rejection),
    /// End an accepted call without an answer of the function.
    Fail(CallNo, CallFailure),
    /// Stop the instance; it has no call in flight, or has used up its time.
    Stop(InstanceNo, StopReason),
}

/// Why a call was not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rejection {
    /// As many calls wait as may.
    QueueFull,
    /// More calls per second than the function's rate limit lets in.
    Throttled {
        /// Milliseconds until the next call is let in.
        retry_in_ms: u64,
    },
    /// The machine holds as many calls as it may, and this version has its share of them.
    TooManyCalls,
    /// No instance can ever fit beside what is kept for other versions.
    MachineFull,
    /// The last starts failed, and the next try is not due yet.
    StartBackoff {
        /// The instance whose start failed last: its last words say why.
        instance: InstanceNo,
        /// Milliseconds until the next try.
        retry_in_ms: u64,
    },
    /// The version is draining.
    Draining,
}

/// Why an accepted call ended without an answer of the function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallFailure {
    /// The instance that the call waited for ended before it was ready.
    StartFailed(InstanceNo),
    /// The instance that the call waited for was not ready in time.
    LoadTimeout(InstanceNo),
    /// The call was not answered in time; the instance that had it, if one had.
    RequestTimeout(Option<InstanceNo>),
    /// The instance ended while it had the call.
    InstanceDied(InstanceNo),
    /// The instance that had the call was stuck.
    Stuck(InstanceNo),
    /// The machine had no room for an instance until the call's time was up, or can never have any.
    MachineFull,
    /// The platform did not wait longer.
    Draining,
}

/// What made an instance worse than a fresh one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wear {
    /// It has had as many calls as it may.
    Calls,
    /// It holds much of its memory between calls.
    Memory,
    /// It has more threads than when it was ready.
    Threads,
}

/// Why an instance is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopReason {
    /// No work for as long as idle instances are kept.
    Idle,
    /// Not ready within the load timeout.
    LoadTimeout,
    /// A call in it timed out, so it may be stuck.
    Condemned,
    /// It was stuck.
    Stuck,
    /// It was worn, and its last call has ended.
    Worn(Wear),
    /// It was idle, and its memory is needed.
    Evicted,
    /// It has ended by itself: it did not take a call in.
    Gone,
    /// Its version held more than its share of the memory while another had nothing; its last call has ended.
    GivenUp,
    /// The version is draining.
    Draining,
}

impl StopReason {
    /// True when time for a last word would be wasted on it.
    pub const fn is_at_once(self) -> bool {
        matches!(self, Self::LoadTimeout | Self::Condemned | Self::Stuck | Self::Gone)
    }
}

/// Actions as they are found, each with the version that it is for.
#[derive(Debug)]
pub(crate) struct Actions {
    version: VersionNo,
    list: Vec<(VersionNo, Action)>,
}

impl Actions {
    pub(crate) const fn new(version: VersionNo) -> Self {
        Self { version, list: Vec::new() }
    }

    /// The same list, for what another version does.
    pub(crate) const fn of(&mut self, version: VersionNo) -> &mut Self {
        self.version = version;
        self
    }

    pub(crate) fn push(&mut self, action: Action) {
        self.list.push((self.version, action));
    }

    pub(crate) fn into_list(self) -> Vec<(VersionNo, Action)> {
        self.list
    }
}
