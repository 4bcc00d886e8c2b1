//! `TreeEnsembleClassifier`: scores and labels.
//!
//! The standard, its reference and ONNX Runtime 1.28 do not agree on every form. Computed here are those forms about which
//! the last two do; the others are refused, each with its reason.

use modelet_core::{DType, Data, Tensor};

use super::by_node;
use super::flat::Forest;
use super::plan::Plan;
use super::scores;
use super::total::{Aggregate, Ensemble};
use crate::tabular::ml::classes::{Classes, largest};
use crate::tabular::ml::post::Post;
use crate::tabular::number::{Float, NUMBERS};
use crate::tabular::shape::make;
use crate::tabular::site::{Compiled, Site};

/// Computed in float64 for float64, else in float32; the scores are float32.
pub(in crate::tabular::ml) fn classifier(site: &Site<'_>) -> Result<Compiled, String> {
    match site.dtype_of(0, NUMBERS)? {
        DType::F64 => typed::<f64>(site, DType::F64),
        _ => typed::<f32>(site, DType::F32),
    }
}

fn typed<T: Float>(site: &Site<'_>, dtype: DType) -> Result<Compiled, String> {
    let classes = Classes::new(site, "classlabels_int64s")?;
    let mut plan = by_node::read::<T>(site, &by_node::CLASSIFIER)?;
    let base = by_node::numbers_of::<T>(site, "base_values", "base_values_as_tensor")?;
    plan.targets = classes.len();
    // From here on it is known that they are trees.
    let mut forest = Forest::new(&plan)?;
    let form = Form::new(&plan, classes.len(), &base, Post::new(site)?)?;
    if !matches!(form, Form::Many(_)) {
        plan.targets = 1;
        forest = Forest::new(&plan)?;
    }
    let ensemble = Ensemble::new(forest, Aggregate::Sum, base)?;
    Compiled::many(vec![classes.dtype(), DType::F32], move |arguments| {
        let (rows, scores) = scores(&ensemble, dtype, arguments)?;
        let (labels, scores) = form.labels(scores, classes.len());
        let scores = Data::F32(scores.into_iter().map(T::to_f32).collect());
        Ok(vec![Tensor::vector(classes.at(&labels)), make(vec![rows, classes.len()], scores)?])
    })
}

/// How the sums of leaves become scores and labels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// A sum for each class.
    Many(Post),
    /// One sum, which is the logarithm of the odds of the second of two classes.
    Odds,
    /// One sum, which is the probability of the second of two classes.
    Probability,
}

impl Form {
    fn new<T: Float>(plan: &Plan<T>, classes: usize, base: &[T], post: Post) -> Result<Self, String> {
        let weights = || plan.leaves.iter().flatten();
        if weights().any(|(class, _)| *class >= classes) || classes < 2 {
            return Err(format!("weights of classes beyond the {classes} that have labels"));
        }
        let negative = weights().any(|(_, weight)| *weight < T::ZERO);
        let first = weights().next().map(|(class, _)| *class);
        let alone = weights().all(|(class, _)| Some(*class) == first);
        if classes == 2 && alone {
            return match (first, post, negative) {
                (Some(0), Post::Logistic, true) => Ok(Self::Odds),
                (Some(0), Post::Nothing, false) => Ok(Self::Probability),
                _ => Err("one score for two classes, in a form that runtimes do not agree about".into()),
            };
        }
        if classes == 2 {
            return Err("two classes with a score each, which runtimes label differently".into());
        }
        if base.is_empty() && negative && !every_class_speaks(plan, classes) {
            return Err("classes that some rows have no score for, beside scores below zero".into());
        }
        Ok(Self::Many(post))
    }

    /// The class of each row, and the scores of all classes.
    fn labels<T: Float>(self, sums: Vec<T>, classes: usize) -> (Vec<usize>, Vec<T>) {
        let two = |sum: T| match self {
            Self::Probability => [T::ONE.minus(sum), sum],
            _ => [T::ZERO.minus(sum), sum],
        };
        let (mut scores, post) = match self {
            Self::Many(post) => (sums, post),
            Self::Odds => (sums.into_iter().flat_map(two).collect(), Post::Logistic),
            Self::Probability => (sums.into_iter().flat_map(two).collect(), Post::Nothing),
        };
        let mut labels = Vec::with_capacity(scores.len() / classes);
        for row in scores.chunks_exact_mut(classes) {
            labels.push(largest(row));
            post.apply(row);
        }
        (labels, scores)
    }
}

/// True when every row gets a weight of every class: for each there is a tree all of whose leaves have one.
fn every_class_speaks<T>(plan: &Plan<T>, classes: usize) -> bool {
    use super::plan::Place;
    let mut speaks = vec![false; classes];
    for root in &plan.roots {
        let mut silent = vec![false; classes];
        let mut open = vec![*root];
        while let Some(place) = open.pop() {
            match place {
                Place::Branch(at) => open.extend([plan.branches[at].yes, plan.branches[at].no]),
                Place::Leaf(at) => {
                    let has = |class: usize| plan.leaves[at].iter().any(|(found, _)| *found == class);
                    (0..classes).for_each(|class| silent[class] |= !has(class));
                }
            }
        }
        speaks.iter_mut().zip(&silent).for_each(|(speaks, silent)| *speaks |= !silent);
    }
    speaks.into_iter().all(|speaks| speaks)
}
