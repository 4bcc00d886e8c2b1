//! How many instances a version wants, and when it wants to be asked again.

use std::time::Duration;

use super::{Usage, VersionState};
use crate::keep_alive::Window;

/// Why a version wants an instance, the most urgent first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Want {
    /// The minimum is not there.
    Minimum,
    /// Calls wait that no starting instance will take.
    Demand,
    /// Calls are expected.
    Ahead,
}

impl VersionState {
    /// Why it wants one more instance now; `None` when it wants none, or has to wait after a failed start.
    pub(crate) fn want(&self, now: Duration) -> Option<Want> {
        if self.is_backing_off(now) || self.pool.len() >= self.limits.max_instances {
            return None;
        }
        let hopeful = self.pool.hopeful();
        if hopeful < self.minimum() {
            Some(Want::Minimum)
        } else if self.pool.totals().starting < self.calls.waiting().div_ceil(self.limits.concurrency) {
            Some(Want::Demand)
        } else if hopeful < self.kept(now) {
            Some(Want::Ahead)
        } else {
            None
        }
    }

    /// Instances that are kept ready at all times.
    pub(crate) fn minimum(&self) -> usize {
        if self.cares() { self.limits.min_instances.min(self.limits.max_instances) } else { 0 }
    }

    /// Instances whose memory is kept free for it: those reserved, and the minimum.
    pub(crate) fn floor(&self) -> usize {
        let reserved = self.limits.reserved_instances.min(self.limits.max_instances);
        if self.cares() { reserved.max(self.minimum()) } else { 0 }
    }

    /// When `Tick` is due next; `None` while nothing depends on time.
    pub(crate) fn next_wake(&self, now: Duration) -> Option<Duration> {
        let load = self.pool.first_loading().map(|(deadline, _)| deadline);
        let call = self.calls.first_deadline();
        let drain = self.drain_deadline.filter(|_| !self.calls.is_empty());
        // These have been acted on when they are over.
        let backoff =
            self.backoff.filter(|_| self.calls.waiting() > 0 || self.kept(now) > 0).map(|b| b.until);
        let timed = [backoff, self.idle_end(now), self.expected_from(), self.expected_until()];
        let timed = timed.into_iter().flatten().filter(|due| *due > now);
        [load, call, drain].into_iter().flatten().chain(timed).min()
    }

    /// How many instances idleness does not end: the minimum, and those for the calls that are expected.
    pub(super) fn kept(&self, now: Duration) -> usize {
        if self.drain_deadline.is_some() {
            return 0;
        }
        let expected = match self.usage {
            Usage::Now if self.live && self.limits.prewarmed_instances > 0 => {
                self.calls.len().div_ceil(self.limits.concurrency) + self.limits.prewarmed_instances
            }
            Usage::Since(_) => usize::from(self.expects_a_call(now)),
            _ => 0,
        };
        self.minimum().max(self.scaled(now)).max(expected).min(self.limits.max_instances)
    }

    /// Until when an instance without work since then is kept, as far as it is not kept for other reasons.
    pub(super) fn kept_until(&self, idle_since: Duration) -> Duration {
        match (self.usage, self.window()) {
            // One will be started again in time: until then there is none.
            (Usage::Since(end), Window { warm_after, .. }) if !warm_after.is_zero() => end,
            (Usage::Since(_), Window { cold_after, .. }) => idle_since + cold_after,
            (Usage::Now | Usage::Never, _) => idle_since + self.limits.idle_timeout,
        }
    }

    /// How many the load wants while the version is in use. A first instance is for calls and keep-alive to decide.
    fn scaled(&self, now: Duration) -> usize {
        let Some(autoscaler) = self.autoscaler.as_ref().filter(|autoscaler| autoscaler.wanted() > 1) else {
            return 0;
        };
        let in_use = self.unused_from().is_none_or(|from| now < from);
        if in_use { autoscaler.wanted() } else { 0 }
    }

    /// When a version without calls is no longer in use; `None` while it has calls.
    fn unused_from(&self) -> Option<Duration> {
        let Usage::Since(end) = self.usage else { return None };
        let window = self.window();
        Some(if window.warm_after.is_zero() { end + window.cold_after } else { end })
    }

    /// True when the keep-alive policy expects a call soon: then one instance is to be there.
    fn expects_a_call(&self, now: Duration) -> bool {
        self.expected_from().is_some_and(|from| from <= now)
            && self.expected_until().is_some_and(|until| now < until)
    }

    /// When to start an instance ahead of the next call, so that it is ready in time; `None` when it is kept anyway.
    fn expected_from(&self) -> Option<Duration> {
        let Usage::Since(end) = self.usage else { return None };
        let Window { warm_after, .. } = self.window();
        (!warm_after.is_zero()).then(|| end + warm_after.saturating_sub(self.load_time))
    }

    fn expected_until(&self) -> Option<Duration> {
        let Usage::Since(end) = self.usage else { return None };
        let Window { warm_after, cold_after } = self.window();
        (!warm_after.is_zero()).then(|| end + cold_after)
    }

    /// What the keep-alive policy says; calls to a version that is not live are nobody's habit.
    fn window(&self) -> Window {
        if self.cares() {
            self.policy.window()
        } else {
            Window { warm_after: Duration::ZERO, cold_after: self.limits.idle_timeout }
        }
    }

    /// When idleness next ends an instance; for one that only the load keeps, when the load is looked at again.
    fn idle_end(&self, now: Duration) -> Option<Duration> {
        let (since, _) = self.pool.longest_idle()?;
        let end = self.kept_until(since);
        if end > now {
            return Some(end);
        }
        let due = self.autoscaler.as_ref()?.due();
        Some(self.unused_from().filter(|from| *from > now).map_or(due, |from| from.min(due)))
    }

    /// True while something is kept for it because its function's callers get it.
    fn cares(&self) -> bool {
        self.live && self.drain_deadline.is_none()
    }

    fn is_backing_off(&self, now: Duration) -> bool {
        self.backoff.is_some_and(|backoff| now < backoff.until)
    }
}
