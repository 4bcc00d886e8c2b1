//! Steps that leave columns out. Which they keep is found as scikit-learn finds it, out of the scores that they hold.

use modelet_core::Numbers;

use super::fitted::Fitted;
use super::frame::Frame;
use super::steps::matrix;
use super::table::Table;
use crate::pickle::{Asked, Item};

/// What takes no missing number.
pub(super) const WHOLE: Numbers = Numbers { missing: false, largest: f64::MAX };

/// `VarianceThreshold`
pub(super) fn varied(fitted: &Fitted, table: &Table, frame: &mut Frame) -> Asked<Table> {
    let threshold = fitted.item.get("threshold")?.number()?;
    let variances = numbers(fitted, "variances_")?;
    let kept: Vec<bool> = variances.iter().map(|variance| *variance > threshold).collect();
    selected(table, Numbers { missing: true, ..WHOLE }, &kept, frame)
}

/// `SelectKBest`
pub(super) fn best(fitted: &Fitted, table: &Table, frame: &mut Frame) -> Asked<Table> {
    selected(table, WHOLE, &highest(fitted, &fitted.item.get("k")?)?, frame)
}

/// `SelectPercentile`
pub(super) fn share(fitted: &Fitted, table: &Table, frame: &mut Frame) -> Asked<Table> {
    selected(table, WHOLE, &within_share(fitted, &fitted.item.get("percentile")?)?, frame)
}

/// `SelectFpr`
pub(super) fn unlikely(fitted: &Fitted, table: &Table, frame: &mut Frame) -> Asked<Table> {
    selected(table, WHOLE, &each_unlikely(fitted, &fitted.item.get("alpha")?)?, frame)
}

/// `SelectFdr`
pub(super) fn discovered(fitted: &Fitted, table: &Table, frame: &mut Frame) -> Asked<Table> {
    selected(table, WHOLE, &few_false(fitted, &fitted.item.get("alpha")?)?, frame)
}

/// `SelectFwe`
pub(super) fn all_unlikely(fitted: &Fitted, table: &Table, frame: &mut Frame) -> Asked<Table> {
    selected(table, WHOLE, &none_false(fitted, &fitted.item.get("alpha")?)?, frame)
}

/// `GenericUnivariateSelect`: one of the others.
pub(super) fn generic(fitted: &Fitted, table: &Table, frame: &mut Frame) -> Asked<Table> {
    let mode = fitted.item.get("mode")?;
    let keep = match mode.text()? {
        "k_best" => highest,
        "percentile" => within_share,
        "fpr" => each_unlikely,
        "fdr" => few_false,
        "fwe" => none_false,
        _ => return Err(mode.not("a mode that is known")),
    };
    selected(table, WHOLE, &keep(fitted, &fitted.item.get("param")?)?, frame)
}

/// `RFE`, `RFECV`, `SequentialFeatureSelector`
pub(super) fn supported(fitted: &Fitted, table: &Table, frame: &mut Frame) -> Asked<Table> {
    let support = fitted.item.get("support_")?;
    let flags = support.array()?.flags().filter(|flags| flags.len() == fitted.features);
    let flags = flags.ok_or_else(|| support.not("True or False for each column"))?;
    selected(table, WHOLE, &flags, frame)
}

/// The columns of the highest scores, of equal ones the last.
fn highest(fitted: &Fitted, count: &Item) -> Asked<Vec<bool>> {
    let scores = scores(fitted)?;
    let count = if count.text().is_ok_and(|text| text == "all") { scores.len() } else { count.count()? };
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|one, other| scores[*one].total_cmp(&scores[*other]));
    let kept = &order[order.len().saturating_sub(count)..];
    Ok((0..scores.len()).map(|at| kept.contains(&at)).collect())
}

/// The columns whose scores are among so many of a hundred.
fn within_share(fitted: &Fitted, percentile: &Item) -> Asked<Vec<bool>> {
    let percentile = percentile.number()?;
    if percentile == 100.0 {
        return Ok(vec![true; fitted.features]);
    }
    let scores = scores(fitted)?;
    if is_single(fitted, "scores_")? || scores.iter().any(|score| score.is_infinite()) {
        return Err("its percentile is of scores in float32, or of infinite ones: use SelectKBest".to_owned());
    }
    of_share(&scores, percentile)
        .ok_or_else(|| "which columns its percentile keeps cannot be told: use SelectKBest".to_owned())
}

/// Above the percentile all, and of those that are equal to it the first, as many as there is room for.
fn of_share(scores: &[f64], percentile: f64) -> Option<Vec<bool>> {
    let threshold = numpy_percentile(scores, 100.0 - percentile)?;
    let mut kept: Vec<bool> = scores.iter().map(|score| *score > threshold).collect();
    let room = (scores.len() as f64 * percentile / 100.0) as usize;
    if scores.contains(&threshold) {
        let left = room.checked_sub(kept.iter().filter(|is_kept| **is_kept).count())?;
        let equal = kept.iter_mut().zip(scores).filter(|(_, score)| **score == threshold);
        equal.take(left).for_each(|(is_kept, _)| *is_kept = true);
    }
    Some(kept)
}

/// `numpy.percentile`, operation by operation (`_lerp`); nothing where it is no number.
fn numpy_percentile(numbers: &[f64], percentile: f64) -> Option<f64> {
    let mut sorted = numbers.to_vec();
    sorted.sort_by(f64::total_cmp);
    let place = (sorted.len().checked_sub(1)? as f64) * (percentile / 100.0);
    let share = place - place.floor();
    let below = *sorted.get(place as usize)?;
    let above = *sorted.get(place as usize + 1).or(sorted.last())?;
    let width = above - below;
    let found = if share >= 0.5 { above - width * (1.0 - share) } else { below + width * share };
    found.is_finite().then_some(found)
}

/// Columns that are as they are by chance with less than this probability.
fn each_unlikely(fitted: &Fitted, alpha: &Item) -> Asked<Vec<bool>> {
    let alpha = alpha.number()?;
    Ok(chances(fitted)?.iter().map(|chance| *chance < alpha).collect())
}

/// … with which not even one of them is.
fn none_false(fitted: &Fitted, alpha: &Item) -> Asked<Vec<bool>> {
    let each = alpha.number()? / fitted.features as f64;
    Ok(chances(fitted)?.iter().map(|chance| *chance < each).collect())
}

/// Columns of which at most this share is kept by chance (Benjamini and Hochberg).
fn few_false(fitted: &Fitted, alpha: &Item) -> Asked<Vec<bool>> {
    let chances = chances(fitted)?;
    let each = alpha.number()? / chances.len() as f64;
    let mut sorted: Vec<f64> = chances.iter().copied().filter(|chance| !chance.is_nan()).collect();
    sorted.sort_by(f64::total_cmp);
    let ranked = sorted.iter().enumerate().filter(|(at, chance)| **chance <= each * (at + 1) as f64);
    let most = ranked.map(|(_, chance)| *chance).fold(f64::NEG_INFINITY, f64::max);
    Ok(chances.iter().map(|chance| *chance <= most).collect())
}

/// The scores, where one that is none is the lowest.
fn scores(fitted: &Fitted) -> Asked<Vec<f64>> {
    let mut scores = numbers(fitted, "scores_")?;
    // Of the two zeros none is the lower.
    scores.iter_mut().for_each(|score| *score = if score.is_nan() { f64::MIN } else { *score + 0.0 });
    Ok(scores)
}

/// The probabilities of chance.
fn chances(fitted: &Fitted) -> Asked<Vec<f64>> {
    if is_single(fitted, "pvalues_")? {
        return Err("its pvalues_ are float32, which scikit-learn compares in float32: fit it with float64"
            .to_owned());
    }
    numbers(fitted, "pvalues_")
}

fn is_single(fitted: &Fitted, name: &str) -> Asked<bool> {
    Ok(fitted.item.get(name)?.array()?.is_single())
}

fn numbers(fitted: &Fitted, name: &str) -> Asked<Vec<f64>> {
    let item: Item = fitted.item.get(name)?;
    let numbers = item.numbers()?;
    if numbers.len() == fitted.features { Ok(numbers) } else { Err(item.not("a number for each column")) }
}

/// The columns that are kept, of a step that takes such numbers.
pub(super) fn selected(table: &Table, takes: Numbers, kept: &[bool], frame: &mut Frame) -> Asked<Table> {
    matrix(table, takes, frame)?;
    let places: Vec<usize> = (0..kept.len()).filter(|at| kept[*at]).collect();
    if places.is_empty() { Err("it leaves no column".to_owned()) } else { table.select(&places, frame) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_numpy() {
        let numbers = [4.0, 1.0, 2.5, 9.0];
        assert_eq!(numpy_percentile(&numbers, 0.0), Some(1.0));
        assert_eq!(numpy_percentile(&numbers, 50.0), Some(3.25));
        assert_eq!(numpy_percentile(&numbers, 90.0), Some(7.500_000_000_000_001), "as numpy rounds");
        assert_eq!(numpy_percentile(&numbers, 100.0), Some(9.0));
        assert_eq!(numpy_percentile(&[], 50.0), None);
        assert_eq!(numpy_percentile(&[f64::MIN, f64::MAX], 50.0), None, "the width overflows");
    }

    #[test]
    fn of_equal_scores_the_first_are_kept_as_far_as_there_is_room() {
        let kept = |scores: &[f64], percentile| of_share(scores, percentile).unwrap();
        assert_eq!(kept(&[1.0, 3.0, 3.0, 3.0, 0.0], 40.0), [false, true, true, false, false]);
        assert_eq!(kept(&[1.0, 2.0, 3.0, 4.0], 50.0), [false, false, true, true]);
    }
}
