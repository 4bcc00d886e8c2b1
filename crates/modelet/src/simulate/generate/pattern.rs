//! When the calls of a function come.

use std::f64::consts::TAU;

use super::DAY_S;
use crate::simulate::random::Random;

/// Share of functions that a timer calls. Paper.
const TIMERS: f64 = 0.16;
/// Share of functions that something else calls at nearly equal distances, such as a sensor. Ours.
const REGULAR: f64 = 0.08;
/// Share of functions whose calls are independent of each other. Ours; the rest comes in bursts.
const INDEPENDENT: f64 = 0.38;
/// The periods that people set timers to, in seconds: from a minute to a day.
const TIMER_PERIODS_S: [f64; 10] =
    [60.0, 300.0, 600.0, 900.0, 1_800.0, 3_600.0, 7_200.0, 21_600.0, 43_200.0, 86_400.0];
/// Deviation of a regular caller's distances from their mean. Ours.
const REGULAR_DEVIATION: f64 = 0.1;
/// Calls of a burst on average, and seconds between two of them. Ours.
const BURST_CALLS: f64 = 10.0;
const BURST_GAP_S: f64 = 20.0;
/// By this part of the average the hours of the day differ from it; the busiest is 14:00. Ours.
const DAY_SWING: f64 = 0.6;
const BUSIEST_S: f64 = 14.0 * 3_600.0;

/// A pattern with its mean distance between calls (of bursts: between bursts), in seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Pattern {
    Timer(f64),
    Regular(f64),
    Independent(f64),
    Bursts(f64),
}

impl Pattern {
    /// One by chance for a function with this mean distance between its calls.
    pub fn draw(gap_s: f64, random: &mut Random) -> Self {
        let share = random.unit();
        if share < TIMERS {
            let off = |period: &&f64| (*period / gap_s).ln().abs();
            let nearest = TIMER_PERIODS_S.iter().min_by(|a, b| off(a).total_cmp(&off(b)));
            Self::Timer(nearest.copied().unwrap_or(gap_s))
        } else if share < TIMERS + REGULAR {
            Self::Regular(gap_s)
        } else if share < TIMERS + REGULAR + INDEPENDENT {
            Self::Independent(gap_s)
        } else {
            Self::Bursts(gap_s * BURST_CALLS)
        }
    }

    pub const fn name(self) -> &'static str {
        match self {
            Self::Timer(_) => "timer",
            Self::Regular(_) => "regular",
            Self::Independent(_) => "independent",
            Self::Bursts(_) => "bursts",
        }
    }

    /// The times of its calls up to the end, in seconds. Those of bursts may overlap: they are in no order.
    pub fn times(self, end_s: f64, random: &mut Random) -> Vec<f64> {
        let mut times = Vec::new();
        match self {
            Self::Timer(period_s) => {
                let first_s = (random.unit() * period_s).floor();
                times.extend(steps(first_s, end_s, || period_s));
            }
            Self::Regular(gap_s) => {
                let first_s = random.unit() * gap_s;
                let distance = || gap_s * (1.0 + REGULAR_DEVIATION * random.normal()).max(0.1);
                times.extend(steps(first_s, end_s, distance));
            }
            Self::Independent(gap_s) => times = by_day_and_night(gap_s, end_s, random),
            Self::Bursts(gap_s) => {
                for start_s in by_day_and_night(gap_s, end_s, random) {
                    // As many as it takes until one is the last, by a chance of one in BURST_CALLS.
                    let calls = 1.0 + (1.0 - random.unit()).ln() / (1.0 - 1.0 / BURST_CALLS).ln();
                    let distance = || random.exponential(BURST_GAP_S);
                    times.extend(steps(start_s, end_s, distance).take(calls as usize));
                }
            }
        }
        times
    }
}

fn steps(first_s: f64, end_s: f64, mut distance: impl FnMut() -> f64) -> impl Iterator<Item = f64> {
    let mut next_s = first_s;
    std::iter::from_fn(move || {
        let now_s = next_s;
        next_s += distance();
        (now_s < end_s).then_some(now_s)
    })
}

/// Events that are independent of each other, more at day than at night: a Poisson process, thinned (Lewis and Shedler 1979).
fn by_day_and_night(gap_s: f64, end_s: f64, random: &mut Random) -> Vec<f64> {
    let most = 1.0 + DAY_SWING;
    let first_s = random.exponential(gap_s / most);
    let mut distances = random.fork();
    let all = steps(first_s, end_s, || distances.exponential(gap_s / most));
    all.filter(|at_s| random.unit() * most < 1.0 + DAY_SWING * (TAU * (at_s - BUSIEST_S) / DAY_S).cos())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEN_DAYS_S: f64 = 10.0 * DAY_S;

    fn times(pattern: Pattern) -> Vec<f64> {
        let mut times = pattern.times(TEN_DAYS_S, &mut Random::new(11));
        times.sort_by(f64::total_cmp);
        times
    }

    fn gaps(times: &[f64]) -> Vec<f64> {
        times.windows(2).map(|pair| pair[1] - pair[0]).collect()
    }

    /// Deviation over mean.
    fn variation(gaps: &[f64]) -> f64 {
        let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
        let variance = gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / gaps.len() as f64;
        variance.sqrt() / mean
    }

    #[test]
    fn each_pattern_has_as_many_calls_as_its_distance_says() {
        let wanted = TEN_DAYS_S / 300.0;
        let patterns = [
            Pattern::Timer(300.0),
            Pattern::Regular(300.0),
            Pattern::Independent(300.0),
            Pattern::Bursts(3_000.0),
        ];
        for pattern in patterns {
            let n = times(pattern).len() as f64;
            assert!((0.85..1.15).contains(&(n / wanted)), "{pattern:?}: {n} calls, {wanted} wanted");
        }
    }

    #[test]
    fn timers_never_vary_chance_does_and_bursts_vary_more() {
        assert!(gaps(&times(Pattern::Timer(300.0))).iter().all(|gap| (gap - 300.0).abs() < 1e-6));
        assert!((0.05..0.15).contains(&variation(&gaps(&times(Pattern::Regular(300.0))))));
        assert!((0.9..1.5).contains(&variation(&gaps(&times(Pattern::Independent(300.0))))));
        assert!(variation(&gaps(&times(Pattern::Bursts(3_000.0)))) > 2.0);
    }

    #[test]
    fn days_are_busier_than_nights() {
        let hour = |at: &f64| (at % DAY_S) / 3_600.0;
        let all = times(Pattern::Independent(60.0));
        let day = all.iter().filter(|at| (11.0..17.0).contains(&hour(at))).count() as f64;
        let night = all.iter().filter(|at| !(5.0..23.0).contains(&hour(at))).count() as f64;
        assert!(day / night > 2.5, "{day} by day, {night} by night");
    }

    #[test]
    fn a_timer_has_a_period_that_people_set() {
        let mut random = Random::new(1);
        let drawn = (0..10_000).map(|_| Pattern::draw(400.0, &mut random));
        let timers = drawn.filter(|pattern| matches!(pattern, Pattern::Timer(_))).collect::<Vec<_>>();
        assert!((1_400..1_800).contains(&timers.len()), "{}", timers.len());
        assert!(timers.iter().all(|timer| *timer == Pattern::Timer(300.0)));
    }
}
