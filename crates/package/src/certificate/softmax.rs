//! What a softmax makes of errors in the sums that it is taken of.
//!
//! `p = exp(s) / Σ exp(s)`, so that `dp/ds = p (1 − p)`, and another sum moves it no further. Its sums are not among its answers, but
//! the gaps between them are: `ln(p / q)`. The widest of a row tells how large the sums are at least.

use modelet_core::Tensor;

/// Probabilities of a row add up to one within this: they are float32 at least, and thousands of them at most.
const SUM: f64 = 1e-3;
/// The smallest number above zero of float32: below it a probability is zero, and its sum so much smaller or more.
const SMALLEST: f64 = 1.401_298_464_324_817e-45;

/// An output that is a softmax over its last axis.
pub(super) struct Softmax {
    /// Probabilities of one softmax.
    classes: usize,
    /// The widest gap between two sums, by softmax.
    gaps: Vec<f64>,
}

impl Softmax {
    /// `numbers` are those of `output`. None unless all rows of two and more of them are probabilities that add up to one.
    pub fn of(output: &Tensor, numbers: &[f64]) -> Option<Self> {
        let classes = output.shape().last().copied().filter(|classes| *classes > 1)?;
        let gaps = numbers.chunks_exact(classes).map(gap).collect::<Option<_>>()?;
        Some(Self { classes, gaps })
    }

    /// How far the number at this place may move when the sums of its softmax move by `relative` of the widest gap between them.
    pub fn moved(&self, at: usize, probability: f64, relative: f64) -> f64 {
        let gap = self.gaps.get(at / self.classes).copied().unwrap_or_default();
        2.0 * relative * gap * probability * (1.0 - probability)
    }
}

/// The widest gap between the sums of one softmax; none if it is none.
fn gap(row: &[f64]) -> Option<f64> {
    let is_softmax =
        row.iter().all(|number| (0.0..=1.0).contains(number)) && (row.iter().sum::<f64>() - 1.0).abs() <= SUM;
    let (least, most) = row
        .iter()
        .fold((1.0, SMALLEST), |(least, most): (f64, f64), number| (least.min(*number), most.max(*number)));
    is_softmax.then(|| (most / least.max(SMALLEST)).ln())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(shape: &[usize], numbers: &[f64]) -> Option<Softmax> {
        Softmax::of(&Tensor::new(shape.to_vec(), numbers.to_vec()).unwrap(), numbers)
    }

    fn softmax(sums: &[f64]) -> Vec<f64> {
        let most = sums.iter().copied().fold(f64::MIN, f64::max);
        let powers: Vec<_> = sums.iter().map(|sum| (sum - most).exp()).collect();
        powers.iter().map(|power| power / powers.iter().sum::<f64>()).collect()
    }

    #[test]
    fn probabilities_move_no_further_than_it_says_when_their_sums_move() {
        let relative = 1e-5;
        for sums in
            [vec![0.0, 1.0, -3.0], vec![60.0, 60.1, -40.0], vec![-7.0, 0.3], vec![20.0, 19.0, 18.0, -60.0]]
        {
            let before = softmax(&sums);
            let least = sums.iter().copied().fold(f64::MAX, f64::min);
            let gap = sums.iter().copied().fold(f64::MIN, f64::max) - least;
            let known = of(&[1, sums.len()], &before).unwrap();
            for signs in 0..1 << sums.len() {
                let sign = |at: usize| if signs >> at & 1 == 1 { 1.0 } else { -1.0 };
                let wrong: Vec<_> =
                    sums.iter().enumerate().map(|(at, sum)| sum + sign(at) * relative * gap).collect();
                for (at, (p, q)) in before.iter().zip(softmax(&wrong)).enumerate() {
                    // Exact in the limit: the second order is of the size of the error itself.
                    assert!((p - q).abs() <= known.moved(at, *p, relative) * 1.01, "{sums:?} {at} {p} {q}");
                }
            }
        }
    }

    #[test]
    fn what_is_no_softmax_gets_nothing() {
        for (shape, numbers) in [
            (&[3, 1][..], vec![1.0, 1.0, 1.0]),
            (&[3], vec![0.2, 0.3, 0.4]),
            (&[1, 2], vec![-0.5, 1.5]),
            (&[1, 2], vec![f64::NAN, 1.0]),
            (&[2, 2], vec![0.5, 0.5, 0.5, 0.6]),
        ] {
            assert!(of(shape, &numbers).is_none(), "{shape:?} {numbers:?}");
        }
    }

    #[test]
    fn each_softmax_of_a_series_is_one_of_its_own() {
        let series = of(&[1, 2, 2], &[0.5, 0.5, 1.0, 0.0]).unwrap();
        assert_eq!(series.moved(0, 0.5, 1e-5), 0.0, "its sums are equal, and may be small");
        assert!((series.gaps[1] - 103.27).abs() < 0.01, "what underflows");
    }
}
