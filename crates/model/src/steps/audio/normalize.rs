//! Samples of mean 0 and variance 1, as `Wav2Vec2FeatureExtractor.zero_mean_unit_var_norm` of `transformers` makes them with numpy, in
//! float32 and with the sums in numpy's order.

/// What keeps silence from being divided by zero.
const EPSILON: f32 = 1e-7;
/// Numbers that numpy adds in one go (`PW_BLOCKSIZE` of its `loops_utils.h`), eight sums side by side.
const BLOCK: usize = 128;

/// Normalises a whole sound.
pub fn normalize(samples: &mut [f32]) {
    let count = samples.len() as f32;
    let mean = sum(samples) / count;
    samples.iter_mut().for_each(|sample| *sample -= mean);
    let squares: Vec<f32> = samples.iter().map(|sample| sample * sample).collect();
    let deviation = (sum(&squares) / count + EPSILON).sqrt();
    samples.iter_mut().for_each(|sample| *sample /= deviation);
}

/// The sum in the order of numpy's `pairwise_sum`.
fn sum(numbers: &[f32]) -> f32 {
    match numbers.len() {
        0..8 => numbers.iter().fold(0.0, |sum, number| sum + number),
        8..=BLOCK => {
            let (eights, rest) = numbers.as_chunks::<8>();
            let add = |sums: [f32; 8], eight: &[f32; 8]| std::array::from_fn(|i| sums[i] + eight[i]);
            let r = eights[1..].iter().fold(eights[0], add);
            let whole = ((r[0] + r[1]) + (r[2] + r[3])) + ((r[4] + r[5]) + (r[6] + r[7]));
            rest.iter().fold(whole, |sum, number| sum + number)
        }
        count => {
            let half = count / 2 - count / 2 % 8;
            sum(&numbers[..half]) + sum(&numbers[half..])
        }
    }
}
