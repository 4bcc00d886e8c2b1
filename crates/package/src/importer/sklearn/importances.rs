//! `SelectFromModel`: columns by what they weigh in a model. A choice that rounding could turn is refused.

use super::fitted::Fitted;
use super::frame::Frame;
use super::selection::{WHOLE, selected};
use super::sums::numpy_sum;
use super::table::Table;
use super::tree::SavedTree;
use crate::pickle::{Asked, Item};

/// Numbers this close, relative to the larger one, are equal but for rounding.
const CLOSE: f64 = 1e-9;
/// The threshold for models that make weights zero where nothing is said (`_calculate_threshold`).
const FOR_ZEROS: f64 = 1e-5;
/// Versions differ in what they take for a model that makes weights zero where this much of its penalty is L1.
const MOSTLY_L1: f64 = 0.9999;

/// What each column weighs.
struct Weights {
    each: Vec<f64>,
    /// True where scikit-learn's may differ in the last places.
    are_rounded: bool,
}

/// What the least weight is that is kept.
enum Threshold {
    Number(f64),
    /// So many times the mean.
    Mean(f64),
    /// So many times the median.
    Median(f64),
}

/// `SelectFromModel`
pub(super) fn of_model(fitted: &Fitted, table: &Table, frame: &mut Frame) -> Asked<Table> {
    let item = &fitted.item;
    let getter = item.get("importance_getter")?;
    if getter.text().ok() != Some("auto") {
        return Err(getter.not("\"auto\""));
    }
    let model = item.find("estimator_")?.map_or_else(|| item.get("estimator"), Ok)?;
    let weights = Weights::read(&model, item)?;
    if weights.each.len() != fitted.features || weights.each.iter().any(|weight| !weight.is_finite()) {
        return Err(model.not("a model with a weight for each column"));
    }
    let threshold = Threshold::read(&item.get("threshold")?, &model)?;
    let kept = weights.kept(&threshold, most(item)?)?;
    selected(table, WHOLE, &kept, frame)
}

/// How many columns are kept at most, where that is limited.
fn most(item: &Item) -> Asked<Option<usize>> {
    let said = item.get("max_features")?;
    if said.is_none() {
        return Ok(None);
    }
    item.find("max_features_")?.unwrap_or(said).count().map(Some)
}

impl Weights {
    fn read(model: &Item, selector: &Item) -> Asked<Self> {
        let class = model.class()?;
        if !class.module.starts_with("sklearn.") {
            return Err(format!("importances of {}: importing them is not built yet", class.name));
        }
        if let Some(coefficients) = model.find("coef_")? {
            return Self::of_coefficients(&coefficients, &selector.get("norm_order")?);
        }
        let each = match &*class.name {
            "DecisionTreeClassifier"
            | "DecisionTreeRegressor"
            | "ExtraTreeClassifier"
            | "ExtraTreeRegressor" => shares(tree_weights(model)?),
            "RandomForestClassifier"
            | "RandomForestRegressor"
            | "ExtraTreesClassifier"
            | "ExtraTreesRegressor" => mean_weights(model, shares)?,
            "GradientBoostingClassifier" | "GradientBoostingRegressor" => {
                mean_weights(model, |weights| weights)?
            }
            name => return Err(format!("importances of {name}: importing them is not built yet")),
        };
        Ok(Self { each, are_rounded: true })
    }

    /// Coefficients without their signs; of several for a column their norm.
    fn of_coefficients(coefficients: &Item, order: &Item) -> Asked<Self> {
        let numbers = coefficients.numbers()?;
        let array = coefficients.array()?;
        if array.is_single() {
            return Err("its coefficients are float32, which cannot be imported yet".to_owned());
        }
        let (rows, columns) = match *array.shape.as_slice() {
            [_] => {
                return Ok(Self {
                    each: numbers.iter().map(|number| number.abs()).collect(),
                    are_rounded: false,
                });
            }
            [rows, columns] if columns > 0 => (rows, columns),
            _ => return Err(coefficients.not("a vector or a matrix")),
        };
        let over = |one: fn(f64, f64) -> f64| {
            let mut all = vec![0.0; columns];
            for row in numbers.chunks_exact(columns) {
                all.iter_mut().zip(row).for_each(|(sum, number)| *sum = one(*sum, *number));
            }
            all
        };
        match order.integer() {
            Ok(1) => Ok(Self { each: over(|sum, number| sum + number.abs()), are_rounded: rows > 1 }),
            Ok(2) => {
                let squares = over(|sum, number| sum + number * number);
                Ok(Self { each: squares.into_iter().map(f64::sqrt).collect(), are_rounded: true })
            }
            _ => Err(order.not("1 or 2, of which norms are known")),
        }
    }

    /// Which columns are kept: at most so many, of equal ones the first, and of those what reaches the threshold.
    fn kept(&self, threshold: &Threshold, most: Option<usize>) -> Asked<Vec<bool>> {
        let each = &self.each;
        let least = threshold.of(each);
        let close = each.iter().filter(|weight| is_close(**weight, least)).count();
        if close > 0 && (threshold.is_rounded() || self.are_rounded && close > threshold.is_of(each.len())) {
            return Err(format!(
                "a column weighs as much as the threshold of {least} but for rounding: give another threshold"
            ));
        }
        let mut order: Vec<usize> = (0..each.len()).collect();
        order.sort_by(|one, other| each[*other].total_cmp(&each[*one]));
        let (first, left_out) = order.split_at(most.unwrap_or(each.len()).min(each.len()));
        if let (true, Some(last), Some(next)) = (self.are_rounded, first.last(), left_out.first())
            && is_close(each[*last], each[*next])
        {
            return Err(
                "which columns max_features keeps is decided by rounding: give another number".to_owned()
            );
        }
        Ok((0..each.len()).map(|at| first.contains(&at) && each[at] >= least).collect())
    }
}

impl Threshold {
    fn read(said: &Item, model: &Item) -> Asked<Self> {
        if said.is_none() {
            return Self::unsaid(model);
        }
        let Ok(text) = said.text() else { return said.number().map(Self::Number) };
        let (scale, reference) = text.split_once('*').unwrap_or(("1", text));
        match (scale.trim().parse(), reference.trim()) {
            (Ok(scale), "mean") => Ok(Self::Mean(scale)),
            (Ok(scale), "median") => Ok(Self::Median(scale)),
            _ => Err(said.not("a threshold that is known")),
        }
    }

    /// What scikit-learn takes for a model where nothing is said.
    fn unsaid(model: &Item) -> Asked<Self> {
        let is_l1 =
            model.find("penalty")?.is_some_and(|penalty| penalty.text().is_ok_and(|text| text == "l1"));
        if is_l1 || model.class()?.name.contains("Lasso") {
            return Ok(Self::Number(FOR_ZEROS));
        }
        for name in ["l1_ratio", "l1_ratio_"] {
            let Some(ratio) = model.find(name)?.filter(|ratio| !ratio.is_none()) else { continue };
            let ratios = ratio.number().map_or_else(|_| ratio.numbers(), |one| Ok(vec![one]));
            if !ratios.is_ok_and(|ratios| ratios.iter().all(|ratio| *ratio < MOSTLY_L1)) {
                return Err(format!(
                    "its threshold hangs on {name} in another way in each version: give a threshold"
                ));
            }
        }
        Ok(Self::Mean(1.0))
    }

    /// It as a number, for these weights.
    fn of(&self, weights: &[f64]) -> f64 {
        match self {
            Self::Number(number) => *number,
            Self::Mean(scale) => scale * (numpy_sum(weights) / weights.len() as f64),
            Self::Median(scale) => scale * median(weights),
        }
    }

    /// True where scikit-learn's may differ in the last places though the weights do not.
    fn is_rounded(&self) -> bool {
        matches!(self, Self::Mean(_))
    }

    /// How many of so many weights it is itself.
    fn is_of(&self, weights: usize) -> usize {
        usize::from(matches!(self, Self::Median(1.0)) && weights % 2 == 1)
    }
}

fn median(numbers: &[f64]) -> f64 {
    let mut sorted = numbers.to_vec();
    sorted.sort_by(f64::total_cmp);
    let half = sorted.len() / 2;
    if sorted.len() % 2 == 1 { sorted[half] } else { (sorted[half - 1] + sorted[half]) / 2.0 }
}

/// True of numbers that are equal but for rounding; zeros are as they are.
fn is_close(one: f64, other: f64) -> bool {
    let largest = one.abs().max(other.abs());
    largest > 0.0 && (one - other).abs() <= CLOSE * largest
}

/// What the columns lower the impurity of a fitted tree.
fn tree_weights(model: &Item) -> Asked<Vec<f64>> {
    SavedTree::read(model)?.importances(&model.get("tree_")?, model.get("n_features_in_")?.count()?)
}

/// The mean over those trees of a model that ask something, as shares.
fn mean_weights(model: &Item, of_one: fn(Vec<f64>) -> Vec<f64>) -> Asked<Vec<f64>> {
    let mut sums = vec![0.0; model.get("n_features_in_")?.count()?];
    let mut trees = 0;
    for tree in model.get("estimators_")?.items()? {
        if tree.get("tree_")?.get("node_count")?.count()? > 1 {
            let weights = of_one(tree_weights(&tree)?);
            sums.iter_mut().zip(weights).for_each(|(sum, weight)| *sum += weight);
            trees += 1;
        }
    }
    Ok(shares(sums.into_iter().map(|sum| sum / f64::from(trees.max(1))).collect()))
}

fn shares(weights: Vec<f64>) -> Vec<f64> {
    let sum = numpy_sum(&weights);
    if sum > 0.0 { weights.into_iter().map(|weight| weight / sum).collect() } else { weights }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(each: &[f64], are_rounded: bool, threshold: &Threshold, most: Option<usize>) -> Asked<Vec<bool>> {
        Weights { each: each.to_vec(), are_rounded }.kept(threshold, most)
    }

    #[test]
    fn the_median_itself_is_kept_also_where_weights_are_rounded() {
        let median = Threshold::Median(1.0);
        assert_eq!(kept(&[3.0, 1.0, 2.0], true, &median, None).unwrap(), [true, false, true]);
        assert!(kept(&[3.0, 2.0, 2.0], true, &median, None).unwrap_err().contains("rounding"));
        assert_eq!(kept(&[3.0, 2.0, 2.0], false, &median, None).unwrap(), [true, true, true]);
    }

    #[test]
    fn a_weight_that_is_the_mean_is_refused_for_rounding_decides() {
        assert!(kept(&[1.0, 2.0, 3.0], false, &Threshold::Mean(1.0), None).is_err());
        assert_eq!(
            kept(&[1.0, 2.0, 3.0], false, &Threshold::Mean(1.25), None).unwrap(),
            [false, false, true]
        );
        assert_eq!(
            kept(&[0.0, 0.0], true, &Threshold::Mean(1.0), None).unwrap(),
            [true, true],
            "all are zero"
        );
    }

    #[test]
    fn of_equal_weights_the_first_are_kept() {
        let all = Threshold::Number(0.5);
        assert_eq!(kept(&[1.0, 2.0, 1.0, 0.1], false, &all, Some(2)).unwrap(), [true, true, false, false]);
        assert!(kept(&[1.0, 2.0, 1.0], true, &all, Some(2)).is_err());
    }
}
