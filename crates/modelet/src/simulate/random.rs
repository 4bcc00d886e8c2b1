//! Chance that is the same for the same seed: SplitMix64 (public domain, Sebastiano Vigna), and what is drawn with it.

use std::f64::consts::TAU;

/// A source of chance.
#[derive(Debug)]
pub struct Random(u64);

impl Random {
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A source that has nothing in common with this one's further numbers.
    pub const fn fork(&mut self) -> Self {
        Self(self.next())
    }

    const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Evenly from 0 to just below 1.
    pub fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// The time to the next of events that are independent of each other, with this mean.
    pub fn exponential(&mut self, mean: f64) -> f64 {
        -mean * (1.0 - self.unit()).ln()
    }

    /// Normal with mean 0 and deviation 1 (Box and Muller 1958).
    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        radius * (TAU * self.unit()).cos()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DRAWS: usize = 100_000;

    fn mean_and_deviation(draw: impl FnMut() -> f64) -> (f64, f64) {
        let drawn: Vec<f64> = std::iter::repeat_with(draw).take(DRAWS).collect();
        let mean = drawn.iter().sum::<f64>() / DRAWS as f64;
        let variance = drawn.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / DRAWS as f64;
        (mean, variance.sqrt())
    }

    #[test]
    fn what_is_drawn_has_the_moments_that_it_is_named_for() {
        let near = |a: f64, b: f64| (a - b).abs() < 0.02;
        let mut random = Random::new(1);
        let (mean, deviation) = mean_and_deviation(|| random.unit());
        assert!(near(mean, 0.5) && near(deviation, 1.0 / 12.0_f64.sqrt()), "{mean} {deviation}");
        let (mean, deviation) = mean_and_deviation(|| random.exponential(1.0));
        assert!(near(mean, 1.0) && near(deviation, 1.0), "{mean} {deviation}");
        let (mean, deviation) = mean_and_deviation(|| random.normal());
        assert!(near(mean, 0.0) && near(deviation, 1.0), "{mean} {deviation}");
    }

    #[test]
    fn the_same_seed_draws_the_same_and_a_fork_something_else() {
        let draw = |mut random: Random| [random.unit(), random.unit()];
        assert_eq!(draw(Random::new(7)), draw(Random::new(7)));
        assert_ne!(draw(Random::new(7)), draw(Random::new(7).fork()));
    }
}
