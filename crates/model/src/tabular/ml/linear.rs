//! Linear models.

use modelet_core::{DType, Data, Tensor};

use super::classes::{Classes, largest};
use super::post::Post;
use super::scaling::widened;
use crate::tabular::number::{Float, NUMBERS};
use crate::tabular::shape::{make, matrix};
use crate::tabular::site::{Compiled, Site};

/// Coefficients of each target, and its intercept.
struct Weights<T> {
    coefficients: Vec<T>,
    intercepts: Vec<T>,
    columns: usize,
}

impl<T: Float> Weights<T> {
    fn new(site: &Site<'_>, targets: usize) -> Result<Self, String> {
        let (coefficients, intercepts) = (site.floats("coefficients"), site.floats("intercepts"));
        if targets == 0 || coefficients.is_empty() || !coefficients.len().is_multiple_of(targets) {
            return Err(format!("{} coefficients for {targets} targets", coefficients.len()));
        }
        if !intercepts.is_empty() && intercepts.len() != targets {
            return Err(format!("{} intercepts for {targets} targets", intercepts.len()));
        }
        let columns = coefficients.len() / targets;
        if site.columns.is_some_and(|found| found != columns) {
            return Err(format!("{columns} coefficients a target for another number of columns"));
        }
        let floats = |list: &[f32]| list.iter().map(|number| T::of_f32(*number)).collect();
        Ok(Self { coefficients: floats(coefficients), intercepts: floats(intercepts), columns })
    }

    /// One score for each row and target.
    fn scores(&self, tensor: &Tensor) -> Result<(usize, Vec<T>), String> {
        let (rows, columns) = matrix(tensor.shape())?;
        if columns != self.columns {
            return Err(format!("{} columns are needed, found {columns}", self.columns));
        }
        let data = widened::<T>(tensor)?;
        let mut scores = Vec::new();
        for row in data.chunks_exact(columns) {
            for (target, coefficients) in self.coefficients.chunks_exact(columns).enumerate() {
                let products = row.iter().zip(coefficients).map(|(x, c)| x.times(*c));
                let sum = products.fold(T::ZERO, T::plus);
                scores.push(self.intercepts.get(target).map_or(sum, |intercept| sum.plus(*intercept)));
            }
        }
        Ok((rows, scores))
    }
}

/// `LinearRegressor`.
pub(super) fn regressor(site: &Site<'_>) -> Result<Compiled, String> {
    match site.dtype_of(0, NUMBERS)? {
        DType::F64 => regression::<f64>(site),
        _ => regression::<f32>(site),
    }
}

fn regression<T: Float>(site: &Site<'_>) -> Result<Compiled, String> {
    let targets = usize::try_from(site.int("targets").unwrap_or(1)).map_err(|_| "no targets")?;
    let weights = Weights::<T>::new(site, targets)?;
    let post = Post::new(site)?;
    if post != Post::Nothing {
        return Err("a post_transform of a regression".into());
    }
    Compiled::new(DType::F32, move |arguments| {
        let (rows, scores) = weights.scores(arguments.get(0)?)?;
        make(vec![rows, targets], Data::F32(scores.into_iter().map(T::to_f32).collect()))
    })
}

/// `LinearClassifier`.
pub(super) fn classifier(site: &Site<'_>) -> Result<Compiled, String> {
    site.ignore(&["multi_class"]);
    match site.dtype_of(0, NUMBERS)? {
        DType::F64 => classification::<f64>(site),
        _ => classification::<f32>(site),
    }
}

fn classification<T: Float>(site: &Site<'_>) -> Result<Compiled, String> {
    let classes = Classes::new(site, "classlabels_ints")?;
    let post = Post::new(site)?;
    let intercepts = site.floats("intercepts").len();
    let alone = intercepts == 1 && classes.len() == 2;
    if alone && post != Post::Logistic {
        return Err("one score for two classes that is not made a probability by LOGISTIC".into());
    }
    if classes.len() < 2 {
        return Err("a single class".into());
    }
    let weights = Weights::<T>::new(site, if alone { 1 } else { classes.len() })?;
    Compiled::many(vec![classes.dtype(), DType::F32], move |arguments| {
        let (rows, mut scores) = weights.scores(arguments.get(0)?)?;
        if alone {
            scores = scores.into_iter().flat_map(|score| [T::ZERO.minus(score), score]).collect();
        }
        let mut labels = Vec::with_capacity(rows);
        for row in scores.chunks_exact_mut(classes.len()) {
            labels.push(largest(row));
            post.apply(row);
        }
        let scores = Data::F32(scores.into_iter().map(T::to_f32).collect());
        Ok(vec![Tensor::vector(classes.at(&labels)), make(vec![rows, classes.len()], scores)?])
    })
}
