//! How many instances a steady load wants, besides what waiting calls ask for at once.
//!
//! The rules of Knative's KPA (`pkg/autoscaler/scaling/autoscaler.go`): over a stable window, and over a short one in a
//! panic, the average of the calls held is divided by a target per instance. It keeps instances from being stopped between
//! two waves, and starts the next one before the last slot is taken. Only for versions with a concurrency above one.
//!
//! - [`load`]: the average of the calls held

mod load;

use std::time::Duration;

use load::Load;

const STABLE_WINDOW_S: usize = 60;
/// A tenth of the stable window.
const PANIC_WINDOW_S: usize = 6;
/// Share of the concurrency that an instance is to have on average.
const TARGET_PERCENT: f64 = 70.0;
/// So many times the instances there are must be wanted for a panic.
const PANIC_THRESHOLD: f64 = 2.0;
const MAX_SCALE_UP_RATE: usize = 1_000;
const MAX_SCALE_DOWN_RATE: usize = 2;
/// The load is looked at this often.
const INTERVAL: Duration = Duration::from_secs(2);

/// What one version's load wants.
#[derive(Debug)]
pub(crate) struct Autoscaler {
    load: Load,
    /// Calls per instance.
    target: f64,
    panic_since: Option<Duration>,
    most_in_panic: usize,
    wanted: usize,
    due: Duration,
}

impl Autoscaler {
    pub(crate) fn new(concurrency: usize, now: Duration) -> Self {
        Self {
            load: Load::new(now),
            target: concurrency as f64 * TARGET_PERCENT / 100.0,
            panic_since: None,
            most_in_panic: 0,
            wanted: 0,
            due: now + INTERVAL,
        }
    }

    /// From now on so many calls are held; `ready` instances serve them.
    pub(crate) fn observe(&mut self, calls: usize, ready: usize, now: Duration) {
        self.load.set(calls, now);
        if now >= self.due {
            self.due = now + INTERVAL;
            self.wanted = self.decide(ready.max(1), now);
        }
    }

    /// Instances that the load wanted when it was last looked at.
    pub(crate) const fn wanted(&self) -> usize {
        self.wanted
    }

    /// When it may want something else.
    pub(crate) const fn due(&self) -> Duration {
        self.due
    }

    /// True once a whole stable window has passed without a call.
    pub(crate) fn is_quiet(&self, now: Duration) -> bool {
        self.load.quiet_for(now) >= Duration::from_secs(STABLE_WINDOW_S as u64)
    }

    fn decide(&mut self, ready: usize, now: Duration) -> usize {
        let instances = |window_s| (self.load.average(window_s, now) / self.target).ceil();
        let (stable, panic) = (instances(STABLE_WINDOW_S), instances(PANIC_WINDOW_S));
        let clamp = |n: f64| (n as usize).clamp(ready / MAX_SCALE_DOWN_RATE, MAX_SCALE_UP_RATE * ready);
        if panic / ready as f64 >= PANIC_THRESHOLD {
            self.panic_since = Some(now);
        } else if self
            .panic_since
            .is_some_and(|since| now > since + Duration::from_secs(STABLE_WINDOW_S as u64))
        {
            (self.panic_since, self.most_in_panic) = (None, 0);
        }
        // In a quiet window nothing is wanted: the last instance goes by the keep-alive policy.
        let stable = if stable == 0.0 { 0 } else { clamp(stable) };
        if self.panic_since.is_none() {
            return stable;
        }
        self.most_in_panic = self.most_in_panic.max(stable).max(clamp(panic));
        self.most_in_panic
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn s(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    /// The load of `calls` for so many seconds, looked at each second.
    fn hold(scaler: &mut Autoscaler, calls: usize, ready: usize, seconds: std::ops::Range<u64>) {
        seconds.for_each(|second| scaler.observe(calls, ready, s(second)));
    }

    #[test]
    fn a_steady_load_wants_its_average_over_seventy_percent_of_the_concurrency() {
        let mut scaler = Autoscaler::new(10, s(0));
        hold(&mut scaler, 20, 3, 0..100);
        assert_eq!(scaler.wanted(), 3, "20 / 7, rounded up");
    }

    #[test]
    fn a_short_spike_wants_no_more_than_its_share_of_the_window() {
        let mut scaler = Autoscaler::new(10, s(0));
        hold(&mut scaler, 7, 2, 0..60);
        scaler.observe(35, 2, s(60));
        scaler.observe(7, 2, s(61));
        hold(&mut scaler, 7, 2, 62..64);
        assert_eq!(scaler.wanted(), 2, "7.5 calls on average");
    }

    #[test]
    fn twice_what_is_there_is_a_panic_that_lasts_a_window_and_never_goes_down() {
        let mut scaler = Autoscaler::new(10, s(0));
        hold(&mut scaler, 7, 1, 0..60);
        hold(&mut scaler, 70, 1, 60..70);
        assert_eq!(scaler.wanted(), 10, "the panic window decides");
        hold(&mut scaler, 0, 10, 70..120);
        assert_eq!(scaler.wanted(), 10, "not down in a panic");
        hold(&mut scaler, 0, 10, 120..140);
        assert_eq!(scaler.wanted(), 0, "and over, a quiet window after the last sign of it");
        assert!(scaler.is_quiet(s(140)));
    }

    #[test]
    fn it_goes_down_by_half_at_most() {
        let mut scaler = Autoscaler::new(10, s(0));
        hold(&mut scaler, 1, 10, 0..100);
        assert_eq!(scaler.wanted(), 5);
    }
}
