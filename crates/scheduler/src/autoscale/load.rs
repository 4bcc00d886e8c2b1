//! The calls that a version holds, averaged over time, in buckets of a second.

use std::time::Duration;

use super::STABLE_WINDOW_S as SECONDS;

/// Call-seconds of each second of the stable window.
#[derive(Debug)]
pub(super) struct Load {
    since: Duration,
    /// Up to here the buckets are filled.
    until: Duration,
    calls: usize,
    last_call: Duration,
    buckets: [f32; SECONDS],
}

impl Load {
    pub(super) const fn new(now: Duration) -> Self {
        Self { since: now, until: now, calls: 0, last_call: now, buckets: [0.0; SECONDS] }
    }

    /// From now on so many calls are held.
    pub(super) fn set(&mut self, calls: usize, now: Duration) {
        self.fill(now);
        if self.calls > 0 || calls > 0 {
            self.last_call = now;
        }
        self.calls = calls;
    }

    /// The time-weighted average over the last so many seconds, or over what there is of them, but at least one second.
    pub(super) fn average(&self, window_s: usize, now: Duration) -> f64 {
        let last = now.as_secs();
        let first = (last + 1).saturating_sub(window_s as u64);
        let sum: f32 = (first..=last).map(|second| self.buckets[slot(second)]).sum();
        let covered = (now - Duration::from_secs(first)).min(now - self.since);
        f64::from(sum) / covered.as_secs_f64().max(1.0)
    }

    /// How long no call has been held.
    pub(super) fn quiet_for(&self, now: Duration) -> Duration {
        if self.calls > 0 { Duration::ZERO } else { now - self.last_call }
    }

    fn fill(&mut self, now: Duration) {
        let window = Duration::from_secs(SECONDS as u64);
        let mut from = self.until.max(now.saturating_sub(window));
        // What is older than the window is the slot's former second.
        if now.saturating_sub(self.until) >= window {
            self.buckets = [0.0; SECONDS];
        }
        while from < now {
            let second = from.as_secs();
            let next = Duration::from_secs(second + 1);
            let bucket = &mut self.buckets[slot(second)];
            *bucket += self.calls as f32 * (now.min(next) - from).as_secs_f32();
            if now >= next {
                self.buckets[slot(second + 1)] = 0.0;
            }
            from = now.min(next);
        }
        self.until = now;
    }
}

/// Where a second is kept.
const fn slot(second: u64) -> usize {
    (second % SECONDS as u64) as usize
}
