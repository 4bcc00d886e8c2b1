//! Sums as numpy takes them, and a function of whole mixtures.

/// numpy adds up this many numbers in a row at most, and fewer than [`LANES`] one by one.
const BLOCK: usize = 128;
const LANES: usize = 8;

/// The sum in numpy's order: pairwise, in eight lanes.
pub(super) fn numpy_sum(numbers: &[f64]) -> f64 {
    match numbers.len() {
        0..LANES => numbers.iter().fold(0.0, |sum, number| sum + number),
        LANES..=BLOCK => {
            let whole = numbers.len() - numbers.len() % LANES;
            let mut lanes = [0.0; LANES];
            lanes.copy_from_slice(&numbers[..LANES]);
            for chunk in numbers[LANES..whole].chunks_exact(LANES) {
                lanes.iter_mut().zip(chunk).for_each(|(lane, number)| *lane += number);
            }
            let [a, b, c, d, e, f, g, h] = lanes;
            let sum = ((a + b) + (c + d)) + ((e + f) + (g + h));
            numbers[whole..].iter().fold(sum, |sum, number| sum + number)
        }
        len => {
            let half = len / 2 - len / 2 % LANES;
            numpy_sum(&numbers[..half]) + numpy_sum(&numbers[half..])
        }
    }
}

/// From here on the series of [`digamma`] is exact to the last places.
const FAR: f64 = 10.0;
/// `B(2n) / 2n` for n from 1, of Bernoulli's numbers.
const SERIES: [f64; 7] =
    [1.0 / 12.0, -1.0 / 120.0, 1.0 / 252.0, -1.0 / 240.0, 1.0 / 132.0, -691.0 / 32_760.0, 1.0 / 12.0];

/// The derivative of the logarithm of the gamma function, of a positive number (Abramowitz and Stegun 6.3.5 and 6.3.18).
pub(super) fn digamma(number: f64) -> f64 {
    let (mut x, mut before) = (number, 0.0);
    while x < FAR {
        before -= 1.0 / x;
        x += 1.0;
    }
    let square = 1.0 / (x * x);
    let series = SERIES.iter().rev().fold(0.0, |sum, term| (sum + term) * square);
    before + x.ln() - 0.5 / x - series
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many numbers, and `numpy.sum` of them.
    const SUMS: &[(i32, f64)] = &[
        (0, 0.0),
        (1, 0.0),
        (7, 0.4410000000000001),
        (8, 0.7840000000000003),
        (9, 1.2960000000000003),
        (31, 216.22500000000005),
        (128, 66064.384),
        (129, 68161.53600000001),
        (300, 2011522.5),
        (1000, 249500250.00000003),
    ];

    #[test]
    fn sums_are_those_of_numpy() {
        for (len, wanted) in SUMS {
            let tenths = (0..*len).map(|at| f64::from(at) * 0.1);
            let numbers: Vec<f64> = tenths.map(|number| number * number * number).collect();
            assert_eq!(numpy_sum(&numbers).to_bits(), wanted.to_bits(), "{len}");
        }
    }

    #[test]
    fn digamma_is_that_of_scipy() {
        for (number, wanted) in [
            (0.01, -100.56088545786868),
            (0.5, -1.9635100260214235),
            (1.0, -0.5772156649015329),
            (2.5, 0.7031566406452432),
            (10.0, 2.251752589066721),
            (1234.5, 7.1180162318279985),
        ] {
            let apart = (digamma(number) - wanted).abs();
            assert!(apart <= 1e-14 * wanted.abs().max(1.0), "{number}: {apart}");
        }
    }
}
