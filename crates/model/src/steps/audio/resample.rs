//! Another number of samples a second, as `torchaudio.functional.resample` with its defaults: each new sample is a sum of old ones,
//! weighted by a sinc in Hann's window. Source of the formula: `torchaudio/functional/functional.py` (_get_sinc_resample_kernel,
//! _apply_sinc_resample_kernel). Weights are computed in float32, operation for operation as there; sums are taken in float64.

use std::f64::consts::PI;

/// Zeros of the sinc on each side (`lowpass_filter_width`).
const ZEROS: f32 = 6.0;
/// The share of the frequencies that is kept (`rolloff`).
const ROLLOFF: f64 = 0.99;

/// A ratio of rates without common divisors.
#[derive(Clone, Copy)]
struct Ratio {
    old: usize,
    new: usize,
}

impl Ratio {
    fn of(old: u32, new: u32) -> Self {
        let (mut a, mut b) = (old, new);
        while b != 0 {
            (a, b) = (b, a % b);
        }
        Self { old: (old / a) as usize, new: (new / a) as usize }
    }

    /// Samples that come out: rounded up as float32, and never more than a convolution gives.
    fn length(self, samples: usize) -> usize {
        let exact = (self.new as u64 * samples as u64) as f64 / self.old as f64;
        ((exact as f32).ceil() as usize).min((samples / self.old + 1) * self.new)
    }
}

/// How many samples come out of so many.
pub fn length(samples: usize, old: u32, new: u32) -> usize {
    if old == new { samples } else { Ratio::of(old, new).length(samples) }
}

/// Resamples a whole sound.
pub fn resample(samples: Vec<f32>, old: u32, new: u32) -> Vec<f32> {
    if old == new {
        return samples;
    }
    let ratio = Ratio::of(old, new);
    let mut made = vec![0.0; ratio.length(samples.len())];
    // Every `new`-th sample has the same weights, over samples that lie `old` further.
    for phase in 0..ratio.new.min(made.len()) {
        let (first, weights) = weights(ratio, phase);
        for (turn, sample) in made.iter_mut().skip(phase).step_by(ratio.new).enumerate() {
            *sample = weighted(&samples, first + (turn * ratio.old) as isize, &weights);
        }
    }
    made
}

/// The weights of a phase, and where the first one's sample lies.
fn weights(Ratio { old, new }: Ratio, phase: usize) -> (isize, Vec<f32>) {
    let base = old.min(new) as f64 * ROLLOFF;
    let width = (f64::from(ZEROS) * old as f64 / base).ceil() as isize;
    let shift = -(phase as f32) / new as f32;
    let middle = (phase * old / new) as isize;
    // One sample more on each side than the window can have.
    let first = (middle - width - 1).max(-width);
    let last = (middle + width + 1).min(width + old as isize - 1);
    let weight = |place: isize| {
        let t = (shift + place as f32 / old as f32) * base as f32;
        if t.abs() >= ZEROS {
            return 0.0;
        }
        let window = (t * PI as f32 / ZEROS / 2.0).cos();
        let angle = t * PI as f32;
        let sinc = if angle == 0.0 { 1.0 } else { angle.sin() / angle };
        sinc * (window * window * (base / old as f64) as f32)
    };
    (first, (first..=last).map(weight).collect())
}

/// A sum of samples from a place on; there is silence before the first and behind the last one.
fn weighted(samples: &[f32], first: isize, weights: &[f32]) -> f32 {
    let skipped = (-first).max(0) as usize;
    let from = first.max(0) as usize;
    let samples = samples.get(from..).unwrap_or_default();
    let pairs = samples.iter().zip(weights.get(skipped..).unwrap_or_default());
    pairs.map(|(sample, weight)| f64::from(*sample) * f64::from(*weight)).sum::<f64>() as f32
}
