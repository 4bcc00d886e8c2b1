//! How many calls per second are let in.

use std::time::Duration;

/// A token bucket, kept as one number: the time at which it will be full again (GCRA, as in ATM Forum TM 4.0).
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Rate {
    full_at: Duration,
}

/// How much a bucket lets in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RateLimit {
    interval: Duration,
    tolerance: Duration,
}

impl RateLimit {
    /// `None` where there is no limit. `burst` 0 means as many as one second lets in.
    pub(crate) fn new(per_s: u64, burst: u64) -> Option<Self> {
        let interval = Duration::from_nanos(1_000_000_000_u64.checked_div(per_s)?);
        let burst = if burst == 0 { per_s } else { burst };
        Some(Self { interval, tolerance: interval * u32::try_from(burst - 1).unwrap_or(u32::MAX) })
    }
}

impl Rate {
    /// How long until a call is let in; zero: now.
    pub(crate) fn wait(&self, limit: RateLimit, now: Duration) -> Duration {
        self.full_at.saturating_sub(now + limit.tolerance)
    }

    /// Takes the place of a call that is let in.
    pub(crate) fn take(&mut self, limit: RateLimit, now: Duration) {
        self.full_at = self.full_at.max(now) + limit.interval;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn let_in(rate: &mut Rate, limit: RateLimit, now_ms: u64) -> bool {
        let now = Duration::from_millis(now_ms);
        let open = rate.wait(limit, now).is_zero();
        if open {
            rate.take(limit, now);
        }
        open
    }

    #[test]
    fn a_burst_is_let_in_and_then_the_average() {
        let limit = RateLimit::new(10, 3).unwrap();
        let mut rate = Rate::default();
        assert_eq!([0, 0, 0, 0].map(|at| let_in(&mut rate, limit, at)), [true, true, true, false]);
        assert_eq!(rate.wait(limit, Duration::ZERO), Duration::from_millis(100), "a tenth of a second");
        assert_eq!([99, 100, 100, 1_000].map(|at| let_in(&mut rate, limit, at)), [false, true, false, true]);
    }

    #[test]
    fn over_a_long_time_the_average_holds_exactly() {
        let limit = RateLimit::new(50, 0).unwrap();
        let mut rate = Rate::default();
        let passed = (0..10_000).filter(|now_ms| let_in(&mut rate, limit, *now_ms)).count();
        assert_eq!(passed, 50 + 499, "one second's worth at once, then 50 a second up to 9.999 s");
    }

    #[test]
    fn no_limit_is_none() {
        assert!(RateLimit::new(0, 5).is_none());
    }
}
