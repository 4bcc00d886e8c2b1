//! One instance, and for how long it has loaded, served and been idle.

use std::time::Duration;

use super::tally::{Holding, Holdings};

/// From its start to its end.
#[derive(Debug)]
pub(super) struct Held {
    memory_mib: u64,
    ready_at: Option<Duration>,
    in_flight: usize,
    /// Since when what it does now is not counted yet.
    since: Duration,
    so_far: Holdings,
}

impl Held {
    pub(super) fn new(memory_mib: u64, now: Duration) -> Self {
        Self { memory_mib, ready_at: None, in_flight: 0, since: now, so_far: Holdings::default() }
    }

    pub(super) const fn memory_mib(&self) -> u64 {
        self.memory_mib
    }

    pub(super) fn ready(&mut self, now: Duration) {
        self.count(now);
        self.ready_at = Some(now);
    }

    /// A call that came then has waited for it to load.
    pub(super) fn was_waited_for(&self, arrived: Duration) -> bool {
        self.ready_at.is_some_and(|ready_at| arrived < ready_at)
    }

    pub(super) fn take(&mut self, now: Duration) {
        self.count(now);
        self.in_flight += 1;
    }

    pub(super) fn give_back(&mut self, now: Duration) {
        self.count(now);
        self.in_flight -= 1;
    }

    pub(super) fn end(mut self, now: Duration) -> Holdings {
        self.count(now);
        self.so_far
    }

    fn count(&mut self, now: Duration) {
        let time = now - self.since;
        self.since = now;
        let kind = match (self.ready_at, self.in_flight) {
            (None, _) => &mut self.so_far.loading,
            (Some(_), 0) => &mut self.so_far.idle,
            _ => &mut self.so_far.serving,
        };
        kind.add(&Holding { time, mib_ns: u128::from(self.memory_mib) * time.as_nanos() });
    }
}
