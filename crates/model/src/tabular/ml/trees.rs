//! Ensembles of decision trees.
//!
//! - [`plan`]: trees as a model writes them, checked and of one form whichever operator they come from
//! - [`flat`], [`sets`]: trees as they are walked
//! - [`walk`]: many rows or many trees at once; [`masks`]: small trees without walking
//! - [`total`]: what the leaves add up to
//! - [`by_node`] reads the settings of versions 1 and 3, [`by_branch`] those of version 5
//! - [`classify`]: scores and labels of `TreeEnsembleClassifier`

mod by_branch;
mod by_node;
mod classify;
mod flat;
mod masks;
mod plan;
mod sets;
mod total;
mod walk;

use modelet_core::{DType, Data};

use super::post::Post;
use crate::tabular::cast_elements;
use crate::tabular::number::{FLOATS, Float, NUMBERS, for_float, numbers};
use crate::tabular::shape::{count, make, matrix};
use crate::tabular::site::{Arguments, Compiled, Site};
use flat::Forest;
use total::{Aggregate, Ensemble};

pub(super) use classify::classifier;

/// `TreeEnsemble`: numbers of one type all through.
pub(super) fn ensemble(site: &Site<'_>) -> Result<Compiled, String> {
    fn typed<T: Float>(site: &Site<'_>, dtype: DType) -> Result<Compiled, String> {
        let plan = by_branch::read::<T>(site)?;
        let aggregate = match site.int("aggregate_function").unwrap_or(1) {
            0 => Aggregate::Average,
            1 => Aggregate::Sum,
            2 => Aggregate::Min,
            3 => Aggregate::Max,
            other => return Err(format!("the aggregate_function {other}")),
        };
        if site.int("post_transform").unwrap_or(0) != 0 {
            return Err("a post_transform".into());
        }
        let ensemble = Ensemble::new(Forest::new(&plan)?, aggregate, vec![])?;
        Compiled::new(dtype, move |arguments| {
            let (rows, scores) = scores(&ensemble, dtype, arguments)?;
            make(vec![rows, ensemble.targets()], T::wrap(scores))
        })
    }
    let dtype = site.dtype_of(0, FLOATS)?;
    for_float!(dtype, typed(site, dtype))
}

/// `TreeEnsembleRegressor`: computed in float64 for float64, else in float32; the answer is float32.
pub(super) fn regressor(site: &Site<'_>) -> Result<Compiled, String> {
    fn typed<T: Float>(site: &Site<'_>, dtype: DType) -> Result<Compiled, String> {
        let plan = by_node::read::<T>(site, &by_node::REGRESSOR)?;
        let aggregate = match site.text("aggregate_function")?.as_deref().unwrap_or("SUM") {
            "AVERAGE" => Aggregate::Average,
            "SUM" => Aggregate::Sum,
            "MIN" => Aggregate::Min,
            "MAX" => Aggregate::Max,
            other => return Err(format!("the aggregate_function {other}")),
        };
        if Post::new(site)? != Post::Nothing {
            return Err("a post_transform of a regression".into());
        }
        let base = by_node::numbers_of::<T>(site, "base_values", "base_values_as_tensor")?;
        let ensemble = Ensemble::new(Forest::new(&plan)?, aggregate, base)?;
        Compiled::new(DType::F32, move |arguments| {
            let (rows, scores) = scores(&ensemble, dtype, arguments)?;
            let scores = scores.into_iter().map(T::to_f32).collect();
            make(vec![rows, ensemble.targets()], Data::F32(scores))
        })
    }
    match site.dtype_of(0, NUMBERS)? {
        DType::F64 => typed::<f64>(site, DType::F64),
        _ => typed::<f32>(site, DType::F32),
    }
}

/// The scores of all rows, row-major.
fn scores<T: Float>(
    ensemble: &Ensemble<T>,
    dtype: DType,
    arguments: &Arguments<'_>,
) -> Result<(usize, Vec<T>), String> {
    let tensor = arguments.get(0)?;
    let (rows, columns) = matrix(tensor.shape())?;
    if columns < ensemble.columns() {
        return Err(format!("the trees ask for {} columns, found {columns}", ensemble.columns()));
    }
    count(&[rows, ensemble.targets()])?;
    let scores = if tensor.dtype() == dtype {
        ensemble.scores(numbers::<T>(tensor.data())?, columns, rows)
    } else {
        ensemble.scores(numbers::<T>(&cast_elements(tensor.data(), dtype)?)?, columns, rows)
    };
    Ok((rows, scores))
}
