//! The vectors of a text's tokens to one. Source of the formulas: sentence-transformers, `models/Pooling.py` and
//! `models/Normalize.py`.

use modelet_core::steps::Pooling;

/// Below this a vector's length is not divided by (`torch.nn.functional.normalize`).
const SHORTEST: f64 = 1e-12;

/// Adds the vector of one text to `pooled`. `tokens`: the vectors of its tokens, `width` numbers each, those of padding
/// included; `mask`: which of them are no padding.
pub fn pool(pooling: Pooling, tokens: &[f32], mask: &[bool], width: usize, pooled: &mut Vec<f32>) {
    let kept =
        || tokens.chunks_exact(width).zip(mask).filter(|(_, is_kept)| **is_kept).map(|(vector, _)| vector);
    let count = mask.iter().filter(|is_kept| **is_kept).count().max(1) as f32;
    let sum = |divisor: f32| {
        let mut sum = vec![0.0_f32; width];
        for vector in kept() {
            sum.iter_mut().zip(vector).for_each(|(sum, value)| *sum += value);
        }
        sum.into_iter().map(move |value| value / divisor)
    };
    match pooling {
        // The first vector, of padding or not, as there.
        Pooling::Cls | Pooling::None => pooled.extend(tokens.iter().take(width)),
        Pooling::Mean => pooled.extend(sum(count)),
        Pooling::MeanSqrtLen => pooled.extend(sum(count.sqrt())),
        Pooling::Max => {
            let start = pooled.len();
            pooled.resize(start + width, f32::NEG_INFINITY);
            for vector in kept() {
                let most = pooled[start..].iter_mut().zip(vector);
                most.for_each(|(most, value)| {
                    *most = if *value > *most || value.is_nan() { *value } else { *most }
                });
            }
        }
    }
}

/// Makes a vector one long.
pub fn normalize(vector: &mut [f32]) {
    let length = vector.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>().sqrt().max(SHORTEST);
    vector.iter_mut().for_each(|value| *value = (f64::from(*value) / length) as f32);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three tokens of two numbers, the last one padding.
    const TOKENS: [f32; 6] = [1.0, -4.0, 3.0, -2.0, 100.0, 100.0];
    const MASK: [bool; 3] = [true, true, false];

    fn pooled(pooling: Pooling) -> Vec<f32> {
        let mut pooled = vec![7.0];
        pool(pooling, &TOKENS, &MASK, 2, &mut pooled);
        pooled[1..].to_vec()
    }

    #[test]
    fn padding_counts_for_nothing() {
        assert_eq!(pooled(Pooling::Mean), [2.0, -3.0]);
        assert_eq!(pooled(Pooling::MeanSqrtLen), [4.0 / 2_f32.sqrt(), -6.0 / 2_f32.sqrt()]);
        assert_eq!(pooled(Pooling::Max), [3.0, -2.0]);
        assert_eq!(pooled(Pooling::Cls), [1.0, -4.0]);
    }

    #[test]
    fn a_normal_vector_is_one_long_and_none_is_left_as_it_is() {
        let mut vector = [3.0, 4.0];
        normalize(&mut vector);
        assert_eq!(vector, [0.6, 0.8]);
        let mut none = [0.0, 0.0];
        normalize(&mut none);
        assert_eq!(none, [0.0, 0.0]);
    }
}
