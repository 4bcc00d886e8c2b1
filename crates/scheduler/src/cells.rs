//! How many stem cells are kept: runtimes that were started ahead of any demand, to become instances of whatever comes.

use std::collections::VecDeque;
use std::time::Duration;

/// As many cells are kept as starts came together within this time: about what it takes to make a few new ones.
const BURST_WINDOW: Duration = Duration::from_secs(1);
/// Starts are remembered for this long.
const MEMORY: Duration = Duration::from_secs(300);
/// A cell that died before it was used is replaced after this long; the wait doubles with each further one …
const BACKOFF_FIRST: Duration = Duration::from_secs(1);
/// … up to this.
const BACKOFF_MAX: Duration = Duration::from_secs(60);

/// What has been asked of the stem cells lately.
#[derive(Debug, Clone)]
pub struct CellDemand {
    most: usize,
    /// When starts came, oldest first; never more than `most` in one window are told apart.
    starts: VecDeque<Duration>,
    deaths: u32,
    backoff_until: Duration,
}

impl CellDemand {
    /// Nothing was asked yet; `most` cells at a time.
    pub fn new(most: usize) -> Self {
        Self { most, starts: VecDeque::new(), deaths: 0, backoff_until: Duration::ZERO }
    }

    /// An instance was started, by a cell or without one since there was none.
    pub fn started(&mut self, now: Duration) {
        self.starts.push_back(now);
        self.deaths = 0;
        self.forget(now);
    }

    /// A cell ended before it was used.
    pub fn died(&mut self, now: Duration) {
        let wait = BACKOFF_FIRST * 2_u32.saturating_pow(self.deaths.min(16));
        self.deaths += 1;
        self.backoff_until = now + wait.min(BACKOFF_MAX);
    }

    /// How many cells there should be: one, and as many more as starts came together lately.
    pub fn wanted(&mut self, now: Duration) -> usize {
        self.forget(now);
        let mut most_together = 0;
        let mut first = 0;
        for (last, at) in self.starts.iter().enumerate() {
            while *at - self.starts[first] > BURST_WINDOW {
                first += 1;
            }
            most_together = most_together.max(last + 1 - first);
        }
        most_together.max(1).min(self.most)
    }

    /// When one may be started: now, or after the wait for those that died.
    pub fn start_at(&self, now: Duration) -> Duration {
        self.backoff_until.max(now)
    }

    fn forget(&mut self, now: Duration) {
        let old = |at: &Duration| now.saturating_sub(*at) > MEMORY;
        while self.starts.front().is_some_and(old) {
            self.starts.pop_front();
        }
        // A long history says no more than its busiest second, and that was at least as busy as the limit.
        let kept = self.most * usize::try_from(MEMORY.as_secs()).unwrap_or(usize::MAX);
        while self.starts.len() > kept {
            self.starts.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn one_is_kept_and_as_many_as_came_together() {
        let mut demand = CellDemand::new(4);
        assert_eq!(demand.wanted(ms(0)), 1);
        for at in [10, 20, 900, 5_000] {
            demand.started(ms(at));
        }
        assert_eq!(demand.wanted(ms(5_000)), 3, "the busiest second counts");
        for at in 6_000..6_100 {
            demand.started(ms(at));
        }
        assert_eq!(demand.wanted(ms(6_100)), 4, "never more than the limit");
        assert_eq!(demand.wanted(ms(400_000)), 1, "an old burst is forgotten");
        assert_eq!(CellDemand::new(0).wanted(ms(0)), 0, "cells can be switched off");
    }

    #[test]
    fn cells_that_die_are_not_replaced_in_a_hurry() {
        let mut demand = CellDemand::new(4);
        let mut waits = Vec::new();
        for _ in 0..8 {
            demand.died(ms(0));
            waits.push(demand.start_at(ms(0)).as_secs());
        }
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60]);
        demand.started(ms(100_000));
        assert_eq!(demand.start_at(ms(100_000)), ms(100_000));
    }
}
