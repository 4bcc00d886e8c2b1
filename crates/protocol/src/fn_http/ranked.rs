//! Scores as a list of classes, the best first: `[{"label": "cat", "score": 0.9}, …]`, as the pipelines of `transformers` answer.

use modelet_core::steps::labels::Ranking;
use modelet_core::{Data, FunctionError, OutputSpec, Tensor};

use crate::json::Writer;

/// The classes and the ranking of an output whose tensor is listed so.
pub(super) fn ranking<'a>(
    spec: Option<&'a OutputSpec>,
    tensor: &Tensor,
) -> Option<(&'a [String], &'a Ranking)> {
    let spec = spec?;
    let (names, ranking) = (spec.classes.as_deref()?, spec.ranking.as_ref()?);
    let is_table = matches!(tensor.shape(), [_, width] if *width == names.len());
    (is_table && matches!(tensor.data(), Data::F32(_))).then_some((names, ranking))
}

/// One row of scores as a list.
pub(super) fn write(
    writer: &mut Writer,
    output: &str,
    (names, ranking): (&[String], &Ranking),
    tensor: &Tensor,
    row: usize,
) -> Result<(), FunctionError> {
    let Data::F32(all) = tensor.data() else { return Ok(()) };
    let scores = &all[row * names.len()..][..names.len()];
    let places = best(scores, ranking);
    let scores = Tensor::vector(scores.to_vec());
    writer.raw("[");
    for (at, place) in places.into_iter().enumerate() {
        writer.comma(at);
        writer.raw("{\"label\":");
        writer.value(&names[place]);
        writer.raw(",\"score\":");
        writer.row(output, &scores, place)?;
        writer.raw("}");
    }
    writer.raw("]");
    Ok(())
}

/// The places of the scores that are listed; equal ones in the order of their classes, what is no number last.
fn best(scores: &[f32], ranking: &Ranking) -> Vec<usize> {
    let least = ranking.threshold.unwrap_or(f64::NEG_INFINITY);
    let is_listed = |place: &usize| scores[*place].is_nan() || f64::from(scores[*place]) >= least;
    let mut places: Vec<usize> = (0..scores.len()).filter(is_listed).collect();
    let key = |place: usize| if scores[place].is_nan() { f32::NEG_INFINITY } else { scores[place] };
    places.sort_by(|a, b| key(*b).total_cmp(&key(*a)));
    places.truncate(ranking.top.map_or(usize::MAX, |top| top as usize));
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_come_first_and_equal_ones_in_their_order() {
        let listed = |top, threshold| best(&[0.1, 0.4, f32::NAN, 0.4, 0.2], &Ranking { top, threshold });
        assert_eq!(listed(None, None), [1, 3, 4, 0, 2]);
        assert_eq!(listed(Some(2), None), [1, 3]);
        assert_eq!(best(&[0.1, 0.5], &Ranking { top: None, threshold: Some(0.5) }), [1]);
        assert_eq!(best(&[0.1, 0.5], &Ranking { top: Some(3), threshold: Some(0.9) }), [0; 0]);
    }
}
