//! `GradientBoosting*`: trees whose leaves, times the learning rate, are added to what an initial estimator answers.

use modelet_core::{DType, Numbers};
use modelet_model::onnx::write::GraphWriter;

use super::Takes;
use super::answer::Answer;
use super::fitted::Fitted;
use super::tree::{SavedTree, check_size, rounded};
use crate::importer::classes::PROBABILITIES;
use crate::importer::ensemble::Ensemble;
use crate::pickle::{Asked, Item};

/// Since this version labels follow from the sums, before it from the probabilities.
const LABELS_BY_SUMS_SINCE: u32 = 4;
/// Closer to 0 or 1 scikit-learn moves what a class begins with, differently by version.
const NEAREST_SHARE: f64 = f32::EPSILON as f64;
/// Losses whose sums are the answer.
const IDENTITY: &[&str] = &[
    "HalfSquaredError",
    "AbsoluteError",
    "HuberLoss",
    "PinballLoss",
    // Before version 1.4.
    "LeastSquaresError",
    "LeastAbsoluteError",
    "HuberLossFunction",
    "QuantileLossFunction",
];

/// Unlike its trees, it refuses to answer for missing numbers.
const FINITE: Takes = Some(Numbers { missing: false, largest: f32::MAX as f64 });

/// What a classifier was trained with.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Loss {
    Binomial,
    Exponential,
    Multinomial,
}

pub(super) fn classifier(fitted: &Fitted, graph: &mut GraphWriter) -> Asked<Takes> {
    let loss = fitted.item.get("_loss")?;
    let kind = match &*loss.class()?.name {
        "HalfBinomialLoss" | "BinomialDeviance" => Loss::Binomial,
        "ExponentialLoss" => Loss::Exponential,
        "HalfMultinomialLoss" | "MultinomialDeviance" => Loss::Multinomial,
        _ => return Err(loss.not("a loss that is known")),
    };
    let classes = fitted.classes()?;
    let targets = if kind == Loss::Multinomial { classes.len() } else { 1 };
    if kind != Loss::Multinomial && classes.len() != 2 {
        return Err("its loss is for two classes".to_owned());
    }
    let by_sums = fitted.version.minor >= LABELS_BY_SUMS_SINCE;
    let start = match initial(fitted)? {
        None => vec![0.0; targets],
        Some(estimator) => start_of(&shares(&estimator, classes.len())?, kind, by_sums),
    };
    sums(fitted, graph, &start)?;
    graph.decision_of_sums("sums", targets);
    match kind {
        Loss::Multinomial => graph.softmax("sums", PROBABILITIES),
        Loss::Binomial => graph.logistic("sums", "second"),
        Loss::Exponential => {
            graph.scalar("two", 2.0);
            graph.apply("Mul", &["sums", "two"], "doubled");
            graph.logistic("doubled", "second");
        }
    }
    if targets == 1 {
        graph.two_probabilities("second");
    }
    match kind {
        Loss::Exponential => graph.is_positive("sums", true, "index"),
        Loss::Binomial if by_sums => graph.is_positive("sums", true, "index"),
        Loss::Multinomial if by_sums => graph.largest("sums", "index"),
        _ => graph.largest(PROBABILITIES, "index"),
    }
    classes.write(graph, "index");
    Ok(FINITE)
}

pub(super) fn regressor(fitted: &Fitted, graph: &mut GraphWriter) -> Asked<Takes> {
    let loss = fitted.item.get("_loss")?;
    if !IDENTITY.contains(&&*loss.class()?.name) {
        return Err(loss.not("a loss that is known"));
    }
    let start = match initial(fitted)? {
        None => 0.0,
        Some(estimator) => constant(&estimator)?,
    };
    sums(fitted, graph, &[start])?;
    graph.predict("sums", 1);
    Ok(FINITE)
}

/// The estimator that the sums begin with; `None` where they begin with zero.
fn initial<'a>(fitted: &Fitted<'a>) -> Asked<Option<Item<'a>>> {
    let init = fitted.item.get("init_")?;
    if init.text().is_ok_and(|text| text == "zero") { Ok(None) } else { Ok(Some(init)) }
}

/// What the initial estimator of a regressor always answers.
fn constant(estimator: &Item) -> Asked<f64> {
    if estimator.class()?.name != "DummyRegressor" {
        return Err(estimator.not("scikit-learn's default"));
    }
    match estimator.get("constant_")?.numbers()?[..] {
        [number] => Ok(number),
        _ => Err(estimator.not("an estimator of one number")),
    }
}

/// The probabilities that the initial estimator of a classifier always answers.
fn shares(estimator: &Item, classes: usize) -> Asked<Vec<f64>> {
    if estimator.class()?.name != "DummyClassifier" || estimator.get("_strategy")?.text()? != "prior" {
        return Err(estimator.not("scikit-learn's default"));
    }
    let shares = estimator.get("class_prior_")?.numbers()?;
    if shares.len() != classes {
        return Err(estimator.not("an estimator of the same classes"));
    }
    if shares.iter().any(|share| !(NEAREST_SHARE..=1.0 - NEAREST_SHARE).contains(share)) {
        return Err("one of its classes is rarer than one in eight million".to_owned());
    }
    Ok(shares)
}

/// What the sums begin with, by the shares of the classes.
fn start_of(shares: &[f64], loss: Loss, is_centred: bool) -> Vec<f64> {
    match loss {
        Loss::Binomial => vec![logit(shares[1])],
        Loss::Exponential => vec![0.5 * logit(shares[1])],
        Loss::Multinomial if is_centred => {
            let mean = shares.iter().map(|share| share.ln()).sum::<f64>() / shares.len() as f64;
            shares.iter().map(|share| (share / mean.exp()).ln()).collect()
        }
        Loss::Multinomial => shares.iter().map(|share| share.ln()).collect(),
    }
}

fn logit(share: f64) -> f64 {
    (share / (1.0 - share)).ln()
}

/// The sums that start with numbers, and to which the trees of each stage are added, one for each target.
fn sums(fitted: &Fitted, graph: &mut GraphWriter, start: &[f64]) -> Asked<()> {
    let targets = start.len();
    let rate = fitted.item.get("learning_rate")?.number()?;
    let stages = fitted.item.get("estimators_")?;
    if stages.array()?.shape.get(1) != Some(&targets) {
        return Err(stages.not("an array of one tree for each sum"));
    }
    let mut ensemble =
        Ensemble { precision: DType::F64, targets, features: fitted.features, trees: Vec::new() };
    for (target, number) in start.iter().enumerate() {
        ensemble.add_constant(target, *number);
    }
    let mut nodes = 0_usize;
    for (number, model) in stages.items()?.iter().enumerate() {
        let tree = SavedTree::read(model)?;
        if tree.shape != (1, 1) {
            return Err(model.not("a tree of one number"));
        }
        nodes += tree.len();
        check_size(nodes, 1)?;
        ensemble.trees.push(tree.of(0, number % targets, |value| rate * value)?);
    }
    let input = rounded(graph, &fitted.input);
    graph.trees(&ensemble, input, "sums")
}
