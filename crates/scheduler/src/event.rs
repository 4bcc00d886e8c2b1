//! What can happen to a version, and what the scheduler can ask for.

/// A call in the hands of the platform, by a number that is never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CallNo(pub u64);

/// An instance, by a number that is never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct InstanceNo(pub u64);

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// A call came in. It is answered by exactly one of `Assign` (and later perhaps `Fail`), `Reject` or `Fail`.
    Arrived(CallNo),
    /// The answer to an assigned call has ended; its slot is free.
    Finished(CallNo),
    /// The client of a call is gone, whether it was waiting or assigned.
    Left(CallNo),
    /// A started instance has loaded and takes calls.
    Ready(InstanceNo),
    /// An instance's process has ended, for whatever reason, in whatever phase.
    Exited(InstanceNo),
    /// Time has passed: `VersionState::next_wake` was reached.
    Tick,
    /// Take no new calls, finish what was accepted, stop every instance.
    Drain,
}

/// What is to be done.
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
    /// The platform did not wait longer.
    Draining,
}

/// Why an instance is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopReason {
    /// No work for the idle timeout.
    Idle,
    /// Not ready within the load timeout.
    LoadTimeout,
    /// A call in it timed out, so it may be stuck.
    Condemned,
    /// The version is draining.
    Draining,
}
