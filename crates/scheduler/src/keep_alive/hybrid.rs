//! The hybrid histogram policy of Shahrad et al., "Serverless in the Wild" (USENIX ATC 2020).
//!
//! Idle times are counted in a histogram. Where it shows a pattern, instances go at once after a call and one is started
//! again ahead of the earliest likely next call; it is kept until the latest likely one. Where it shows none, or most idle
//! times are beyond it, the fixed idle timeout holds. (For the latter the paper forecasts with ARIMA, which pays only for
//! functions called a few times a day; the fixed timeout is the paper's own fallback.)

use std::time::Duration;

use super::{Policy, Window};

const BIN: Duration = Duration::from_secs(60);
/// Four hours.
const BINS: usize = 240;
/// Percentile of the idle times at which an instance is ready again.
const HEAD_PERCENT: u64 = 5;
/// Percentile of the idle times until which it is kept.
const TAIL_PERCENT: u64 = 99;
/// Both windows get this much room for error.
const MARGIN_PERCENT: u32 = 10;
/// The histogram shows a pattern from this coefficient of variation of its bins on.
const LEAST_VARIATION: f64 = 2.0;
/// With a larger share of idle times beyond the histogram it says nothing.
const LARGEST_SHARE_BEYOND: f64 = 0.5;
/// Fewer idle times are no pattern. Ours: in the paper a single one would be.
const LEAST_IDLE_TIMES: u64 = 5;

/// The histogram and what follows from it.
#[derive(Debug)]
pub struct Hybrid {
    fallback: Window,
    window: Window,
    /// Made with the first idle time: versions that are never called again cost nothing.
    histogram: Option<Box<Histogram>>,
}

#[derive(Debug)]
struct Histogram {
    bins: [u32; BINS],
    within: u64,
    beyond: u64,
    /// Sum of the squares of the bins.
    squares: u64,
}

impl Hybrid {
    /// Without a pattern yet: the fixed timeout.
    pub fn new(idle_timeout: Duration) -> Self {
        let fallback = Window { warm_after: Duration::ZERO, cold_after: idle_timeout };
        Self { fallback, window: fallback, histogram: None }
    }
}

impl Policy for Hybrid {
    fn idle_ended(&mut self, idle: Duration) {
        let histogram = self.histogram.get_or_insert_with(Box::default);
        histogram.count(idle);
        self.window = histogram.window().unwrap_or(self.fallback);
    }

    fn window(&self) -> Window {
        self.window
    }
}

impl Default for Histogram {
    fn default() -> Self {
        Self { bins: [0; BINS], within: 0, beyond: 0, squares: 0 }
    }
}

impl Histogram {
    fn count(&mut self, idle: Duration) {
        let bin = usize::try_from(idle.as_secs() / BIN.as_secs()).unwrap_or(usize::MAX);
        match self.bins.get_mut(bin) {
            Some(bin) => {
                self.squares += 2 * u64::from(*bin) + 1;
                *bin = bin.saturating_add(1);
                self.within += 1;
            }
            None => self.beyond += 1,
        }
    }

    /// `None` while there is no pattern.
    fn window(&self) -> Option<Window> {
        let all = self.within + self.beyond;
        let beyond = self.beyond as f64 / all as f64;
        if all < LEAST_IDLE_TIMES || beyond > LARGEST_SHARE_BEYOND || self.variation() < LEAST_VARIATION {
            return None;
        }
        let head = BIN * self.percentile(HEAD_PERCENT);
        let tail = BIN * (self.percentile(TAIL_PERCENT) + 1);
        Some(Window {
            warm_after: head * (100 - MARGIN_PERCENT) / 100,
            cold_after: tail * (100 + MARGIN_PERCENT) / 100,
        })
    }

    /// Standard deviation of the bins over their mean.
    fn variation(&self) -> f64 {
        let mean = self.within as f64 / BINS as f64;
        let variance = self.squares as f64 / BINS as f64 - mean * mean;
        variance.max(0.0).sqrt() / mean
    }

    /// The bin in which this percentile of the idle times lies.
    fn percentile(&self, percent: u64) -> u32 {
        let rank = (self.within * percent).div_ceil(100).max(1);
        let mut seen = 0;
        let bin = self.bins.iter().position(|count| {
            seen += u64::from(*count);
            seen >= rank
        });
        bin.and_then(|bin| u32::try_from(bin).ok()).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(600);

    fn minutes(n: u64) -> Duration {
        Duration::from_secs(60 * n)
    }

    fn after(idle_times: impl IntoIterator<Item = u64>) -> Window {
        let mut policy = Hybrid::new(TIMEOUT);
        idle_times.into_iter().for_each(|n| policy.idle_ended(minutes(n)));
        policy.window()
    }

    #[test]
    fn a_timer_is_expected_on_the_minute_with_margins() {
        let window = after([30; 20]);
        assert_eq!(window.warm_after, minutes(27), "30 minutes less a tenth");
        assert_eq!(window.cold_after, Duration::from_secs(31 * 66), "the end of the bin and a tenth");
    }

    #[test]
    fn frequent_calls_are_kept_warm_throughout_and_only_as_long_as_needed() {
        let window = after((0..200).map(|n| u64::from(n % 20 == 0)));
        assert_eq!((window.warm_after, window.cold_after), (Duration::ZERO, Duration::from_secs(132)));
    }

    #[test]
    fn outliers_beyond_the_percentiles_do_not_count() {
        let idle_times = (0..1_000).map(|n| {
            if n < 5 {
                1
            } else if n < 10 {
                200
            } else {
                30
            }
        });
        assert_eq!(after(idle_times), after([30; 20]));
    }

    #[test]
    fn without_a_pattern_the_fixed_timeout_holds() {
        let fixed = Window { warm_after: Duration::ZERO, cold_after: TIMEOUT };
        assert_eq!(after([]), fixed, "nothing seen");
        assert_eq!(after([30; 4]), fixed, "too little seen");
        assert_eq!(after(0..240), fixed, "all idle times alike: the bins do not vary");
        assert_eq!(after([30, 30, 30, 30, 300, 300, 300, 300, 300]), fixed, "most are beyond four hours");
    }
}
