//! Sums as numpy takes them.

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
}
