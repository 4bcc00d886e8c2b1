//! `HistGradientBoosting*`: trees over the columns as they are, in float64, with a place for what is missing.

use modelet_core::DType;
use modelet_model::onnx::write::GraphWriter;

use super::Takes;
use super::answer::Answer;
use super::fitted::Fitted;
use super::tree::check_size;
use crate::importer::classes::PROBABILITIES;
use crate::importer::ensemble::{Ensemble, Node, Test, Tree};
use crate::pickle::{Array, Asked, Item};

pub(super) const MODULE: &str = "sklearn.ensemble._hist_gradient_boosting.gradient_boosting";
const PREDICTOR: &str = "TreePredictor";
/// Since this version labels follow from the sums, before it from the probabilities.
const LABELS_BY_SUMS_SINCE: u32 = 5;

pub(super) fn classifier(fitted: &Fitted, graph: &mut GraphWriter) -> Asked<Takes> {
    let classes = fitted.classes()?;
    let loss = fitted.item.get("_loss")?;
    let targets = sums(fitted, graph)?;
    match (&*loss.class()?.name, targets, classes.len()) {
        ("HalfBinomialLoss", 1, 2) => {
            graph.logistic("sums", "second");
            graph.two_probabilities("second");
        }
        ("HalfMultinomialLoss", targets, classes) if targets == classes => {
            graph.softmax("sums", PROBABILITIES);
        }
        _ => return Err(loss.not("a loss that is known, for the number of its classes")),
    }
    match (fitted.version.minor >= LABELS_BY_SUMS_SINCE, targets) {
        (true, 1) => graph.is_positive("sums", false, "index"),
        (true, _) => graph.largest("sums", "index"),
        (false, _) => graph.largest(PROBABILITIES, "index"),
    }
    classes.write(graph, "index");
    Ok(None)
}

pub(super) fn regressor(fitted: &Fitted, graph: &mut GraphWriter) -> Asked<Takes> {
    let loss = fitted.item.get("_loss")?;
    if sums(fitted, graph)? != 1 {
        return Err(loss.not("a loss of one number"));
    }
    match &*loss.class()?.name {
        "HalfSquaredError" | "AbsoluteError" | "PinballLoss" => graph.predict("sums", 1),
        "HalfPoissonLoss" | "HalfGammaLoss" => {
            graph.apply("Exp", &["sums"], "means");
            graph.predict("means", 1);
        }
        _ => return Err(loss.not("a loss that is known")),
    }
    Ok(None)
}

/// Writes the sums over the trees, and returns how many there are for each row.
fn sums(fitted: &Fitted, graph: &mut GraphWriter) -> Asked<usize> {
    let item = &fitted.item;
    if !item.get("is_categorical_")?.is_none() {
        return Err("some of its columns are categories, which cannot be imported yet".to_owned());
    }
    if item.find("_preprocessor")?.is_some_and(|preprocessor| !preprocessor.is_none()) {
        return Err("it changes its columns before it answers, which cannot be imported yet".to_owned());
    }
    let targets = item.get("n_trees_per_iteration_")?.count()?;
    let baseline = item.get("_baseline_prediction")?;
    let start = if baseline.array().is_ok() { baseline.numbers()? } else { vec![baseline.number()?] };
    if start.len() != targets || targets == 0 {
        return Err(baseline.not("a number for each of its trees in a round"));
    }
    let mut ensemble =
        Ensemble { precision: DType::F64, targets, features: fitted.features, trees: Vec::new() };
    for (target, number) in start.iter().enumerate() {
        ensemble.add_constant(target, *number);
    }
    let mut size = 0_usize;
    for round in item.get("_predictors")?.items()? {
        let predictors = round.items()?;
        if predictors.len() != targets {
            return Err(round.not("a round of trees"));
        }
        for (target, predictor) in predictors.iter().enumerate() {
            let nodes = nodes(predictor)?;
            size += nodes.len();
            check_size(size, 1)?;
            ensemble.trees.push(Tree { target, nodes });
        }
    }
    graph.trees(&ensemble, &fitted.input, "sums")?;
    Ok(targets)
}

/// The nodes of a tree, as they are.
fn nodes(predictor: &Item) -> Asked<Vec<Node>> {
    let class = predictor.class()?;
    let item = predictor.get("nodes")?;
    let table = item.array()?;
    if class.name != PREDICTOR || table.shape.len() != 1 {
        return Err(predictor.not("a tree as scikit-learn has it"));
    }
    let found = |name: &str| item.not(&format!("an array with a column {name} as scikit-learn has it"));
    let field = |name: &str| table.field(name).ok_or_else(|| found(name));
    let flags = |name: &str| field(name)?.integers().ok_or_else(|| found(name));
    let numbers = |name: &str| field(name)?.numbers().ok_or_else(|| found(name));
    let places = |name: &str| places(&field(name)?).ok_or_else(|| found(name));
    let (is_leaf, is_category) = (flags("is_leaf")?, flags("is_categorical")?);
    let (missing_is_left, features) = (flags("missing_go_to_left")?, places("feature_idx")?);
    let (left, right) = (places("left")?, places("right")?);
    let (values, thresholds) = (numbers("value")?, numbers("num_threshold")?);
    let node = |at: usize| {
        if is_leaf[at] != 0 {
            return Ok(Node::Leaf(values[at]));
        }
        if is_category[at] != 0 || thresholds[at].is_nan() {
            return Err(item.not("an array of nodes that compare with numbers"));
        }
        Ok(Node::Split {
            feature: features[at],
            test: Test::AtMost(thresholds[at]),
            missing_is_yes: missing_is_left[at] != 0,
            yes: left[at],
            no: right[at],
        })
    };
    (0..is_leaf.len()).map(node).collect()
}

fn places(array: &Array) -> Option<Vec<usize>> {
    array.integers()?.into_iter().map(|place| usize::try_from(place).ok()).collect()
}
