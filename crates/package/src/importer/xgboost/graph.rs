//! The same model as an ONNX graph: trees, link, and the answer in the shape that the user's own `predict` gives.

use std::collections::{BTreeMap, HashMap};

use modelet_core::{DType, Dim, FunctionError, Numbers, Tensor};
use modelet_model::onnx::write::{Attribute, GraphWriter};
use modelet_model::onnx::{COLUMNS_KEY, TAKEN_KEY, Taken};

use super::objective::Link;
use super::saved::{Booster, Forest, Inner, Learner, Parameters, Saved, SavedTree};
use crate::importer::classes::{Classes, LABEL, PROBABILITIES};
use crate::importer::codes::{self, Cut};
use crate::importer::converted::refused;
use crate::importer::ensemble::{Ensemble, Node, Test, Tree};
use crate::importer::guest::INPUT;

const MARGIN: &str = "margin";
/// XGBoost's wrapper notes here what kind of estimator it is, as JSON.
pub(super) const WRAPPER: &str = "scikit_learn";
/// What a classifier of two classes needs to be sure of, more than.
const THRESHOLD: f32 = 0.5;
/// Most classes or targets.
const MAX_TARGETS: usize = 1 << 16;
/// Beyond this `exp` overflows float32.
const LARGEST_EXPONENT: f32 = 88.7;
/// `TensorProto.DataType` of what labels are cast to.
const INT64: i64 = 7;
const FLOAT: i64 = 1;

/// Makes the graph; `missing` stands for missing numbers, beside NaN.
pub(super) fn of(saved: &Saved, missing: f64) -> Result<GraphWriter, FunctionError> {
    let learner = &saved.learner;
    let objective = &learner.objective.name;
    let link = Link::of(objective).ok_or_else(|| {
        refused(format!("the objective {objective:?} is not known: what it makes of the sum over the trees is not in the file"))
            .hint("train with one of XGBoost's own objectives")
    })?;
    let ensemble = ensemble(learner, link)?;
    check_codes(saved, &ensemble)?;
    let rows = || Dim::Named("rows".to_owned());
    let mut graph = GraphWriter::default();
    graph.input(INPUT, DType::F32, &[rows(), Dim::Fixed(ensemble.features)]);
    let input = if missing.is_nan() { INPUT } else { without(&mut graph, missing as f32) };
    let input = codes::whole(&mut graph, input, &ensemble, Cut::Down);
    ensemble.write(&mut graph, input, MARGIN)?;
    if is_classifier(learner) {
        if learner.learner_model_param.num_class == 2 {
            return Err(refused("a classifier of two classes was trained as one of several (num_class=2)")
                .hint("train with binary:logistic"));
        }
        classify(&mut graph, link, &learner.learner_model_param);
    } else {
        predict(&mut graph, link, ensemble.targets);
    }
    if learner.feature_names.len() == ensemble.features {
        // Plain texts, which always become JSON.
        graph.metadata(COLUMNS_KEY, &serde_json::to_string(&learner.feature_names).unwrap_or_default());
    }
    if !learner.attributes.contains_key(WRAPPER) {
        // A `DMatrix`, of which alone a booster predicts, refuses infinite numbers; wrappers look at the rows as they are.
        let numbers = Some(Numbers { missing: true, largest: f32::MAX.into() });
        let taken = BTreeMap::from([(INPUT, Taken { numbers, ..Taken::default() })]);
        graph.metadata(TAKEN_KEY, &serde_json::to_string(&taken).unwrap_or_default());
    }
    Ok(graph)
}

/// Refuses categories that clients would have to give by codes that only the data frame of the training knew. Since version 3.1
/// the file says whether there was one; before, it cannot be told from codes of the user's own.
fn check_codes(saved: &Saved, ensemble: &Ensemble) -> Result<(), FunctionError> {
    let asks = |node: &Node| matches!(node, Node::Split { test: Test::Among(_), .. });
    if !ensemble.trees.iter().flat_map(|tree| &tree.nodes).any(asks) {
        return Ok(());
    }
    let (Booster::Gbtree { model } | Booster::Dart { gbtree: Inner { model }, .. }) =
        &saved.learner.gradient_booster
    else {
        return Ok(());
    };
    let why = match &model.cats {
        Some(cats) if cats.enc.is_empty() => return Ok(()),
        Some(_) => "it was trained with a data frame whose categories the file holds",
        None => "the file does not say whether its categories were codes or those of a data frame",
    };
    Err(refused(format!("the model asks about categories, and {why}: clients' own would be taken for codes"))
        .hint(
            "train with XGBoost 3.1 or later on numbers that are the codes, from 0: feature_types with \"c\"",
        ))
}

/// The version of XGBoost that wrote the file.
pub(super) fn version(saved: &Saved) -> String {
    saved.version.iter().map(u64::to_string).collect::<Vec<_>>().join(".")
}

/// What the model was, in words.
pub(super) fn origin(saved: &Saved) -> String {
    let trees = match &saved.learner.gradient_booster {
        Booster::Gbtree { model } | Booster::Dart { gbtree: Inner { model }, .. } => model.trees.len(),
        Booster::Gblinear => 0,
    };
    format!("XGBoost {}, {}, {trees} trees", version(saved), saved.learner.objective.name)
}

/// The input with NaN for another number.
fn without(graph: &mut GraphWriter, missing: f32) -> &'static str {
    graph.constant("missing", &scalar(missing));
    graph.constant("nan", &scalar(f32::NAN));
    graph.node(("", "Equal"), &[INPUT, "missing"], "are_missing", vec![]);
    graph.node(("", "Where"), &["are_missing", "nan", INPUT], "known", vec![]);
    "known"
}

/// How many classes a classifier chooses from; `None` of another model, and of one that answers with several labels.
pub(super) fn classes(saved: &Saved) -> Option<usize> {
    let parameters = &saved.learner.learner_model_param;
    let chooses = is_classifier(&saved.learner) && parameters.num_target <= 1;
    chooses.then(|| parameters.num_class.max(2))
}

fn is_classifier(learner: &Learner) -> bool {
    learner.attributes.get(WRAPPER).is_some_and(|note| note.contains("\"classifier\""))
}

/// What XGBoost's `XGBClassifier` answers: a label, and a probability for each class. Labels that are several (one for each
/// target) are flags, each with its probability.
fn classify(graph: &mut GraphWriter, link: Link, parameters: &Parameters) {
    let rows = || Dim::Named("rows".to_owned());
    if parameters.num_class > 1 {
        graph.node(("", "Softmax"), &[MARGIN], PROBABILITIES, vec![("axis", Attribute::Int(1))]);
        largest(graph, PROBABILITIES, "index");
        Classes::indices(parameters.num_class).label(graph, "index");
        graph.output(PROBABILITIES, DType::F32, &[rows(), Dim::Fixed(parameters.num_class)]);
        return;
    }
    graph.constant("threshold", &scalar(THRESHOLD));
    if parameters.num_target > 1 {
        transform(graph, link, MARGIN, PROBABILITIES);
        above(graph, PROBABILITIES, LABEL);
        graph.output(LABEL, DType::I64, &[rows(), Dim::Fixed(parameters.num_target)]);
        graph.output(PROBABILITIES, DType::F32, &[rows(), Dim::Fixed(parameters.num_target)]);
        return;
    }
    transform(graph, link, MARGIN, "second");
    graph.constant("whole", &scalar(1.0));
    graph.node(("", "Sub"), &["whole", "second"], "first", vec![]);
    graph.node(("", "Concat"), &["first", "second"], PROBABILITIES, vec![("axis", Attribute::Int(1))]);
    above(graph, "second", "are_second");
    squeeze(graph, "are_second", "index");
    Classes::indices(2).label(graph, "index");
    graph.output(PROBABILITIES, DType::F32, &[rows(), Dim::Fixed(2)]);
}

/// What XGBoost's `predict` answers: a number for each row, or several.
fn predict(graph: &mut GraphWriter, link: Link, targets: usize) {
    let rows = || Dim::Named("rows".to_owned());
    let prediction = "prediction";
    match (link, targets) {
        (Link::LargestClass, _) => {
            largest(graph, MARGIN, "class");
            graph.node(("", "Cast"), &["class"], prediction, vec![("to", Attribute::Int(FLOAT))]);
            graph.output(prediction, DType::F32, &[rows()]);
        }
        (_, 1) => {
            transform(graph, link, MARGIN, "predictions");
            squeeze(graph, "predictions", prediction);
            graph.output(prediction, DType::F32, &[rows()]);
        }
        _ => {
            transform(graph, link, MARGIN, prediction);
            graph.output(prediction, DType::F32, &[rows(), Dim::Fixed(targets)]);
        }
    }
}

fn transform(graph: &mut GraphWriter, link: Link, from: &str, to: &str) {
    match link {
        Link::Identity | Link::RawLogistic | Link::LargestClass => {
            graph.node(("", "Identity"), &[from], to, vec![]);
        }
        Link::Logistic => logistic(graph, from, to),
        Link::Exponential => graph.node(("", "Exp"), &[from], to, vec![]),
        Link::Softmax => graph.node(("", "Softmax"), &[from], to, vec![("axis", Attribute::Int(1))]),
        Link::Hinge => {
            graph.constant("zero", &scalar(0.0));
            graph.node(("", "Greater"), &[from, "zero"], "is_above_zero", vec![]);
            graph.node(("", "Cast"), &["is_above_zero"], to, vec![("to", Attribute::Int(FLOAT))]);
        }
    }
}

/// As XGBoost computes it. `Sigmoid` of an engine may be off by parts in a thousand where the answer is close to zero.
fn logistic(graph: &mut GraphWriter, from: &str, to: &str) {
    graph.constant("largest", &scalar(LARGEST_EXPONENT));
    graph.constant("unit", &scalar(1.0));
    graph.node(("", "Neg"), &[from], "negative", vec![]);
    graph.node(("", "Min"), &["negative", "largest"], "exponent", vec![]);
    graph.node(("", "Exp"), &["exponent"], "power", vec![]);
    graph.node(("", "Add"), &["power", "unit"], "denominator", vec![]);
    graph.node(("", "Div"), &["unit", "denominator"], to, vec![]);
}

fn above(graph: &mut GraphWriter, from: &str, to: &str) {
    graph.node(("", "Greater"), &[from, "threshold"], "is_above", vec![]);
    graph.node(("", "Cast"), &["is_above"], to, vec![("to", Attribute::Int(INT64))]);
}

fn largest(graph: &mut GraphWriter, from: &str, to: &str) {
    graph.node(
        ("", "ArgMax"),
        &[from],
        to,
        vec![("axis", Attribute::Int(1)), ("keepdims", Attribute::Int(0))],
    );
}

fn squeeze(graph: &mut GraphWriter, from: &str, to: &str) {
    graph.constant("last_axis", &Tensor::vector(vec![1_i64]));
    graph.node(("", "Squeeze"), &[from, "last_axis"], to, vec![]);
}

fn scalar(number: f32) -> Tensor {
    Tensor::vector(vec![number])
}

/// The trees that predictions are made with, behind what they start from.
fn ensemble(learner: &Learner, link: Link) -> Result<Ensemble, FunctionError> {
    let parameters = &learner.learner_model_param;
    let (forest, weights) = match &learner.gradient_booster {
        Booster::Gbtree { model } => (model, None),
        Booster::Dart { gbtree, weight_drop } => (&gbtree.model, Some(weight_drop)),
        Booster::Gblinear => {
            return Err(refused("the booster \"gblinear\" is a linear model: it cannot be imported yet")
                .hint("train with booster=\"gbtree\""));
        }
    };
    let targets = parameters.num_class.max(1).saturating_mul(parameters.num_target.max(1));
    if targets > MAX_TARGETS {
        return Err(refused(format!(
            "the model has {targets} classes or targets, the limit is {MAX_TARGETS}"
        )));
    }
    let mut ensemble =
        Ensemble { precision: DType::F32, targets, features: parameters.num_feature, trees: Vec::new() };
    if forest.trees.is_empty() {
        return Err(refused("the model has no trees: was it fitted?"));
    }
    for (target, score) in base_scores(&parameters.base_score, targets)?.into_iter().enumerate() {
        if !link.takes(score) {
            return Err(refused(format!("base_score is {score:e}, which XGBoost cuts in ways of its own"))
                .hint("train with a base_score between 0.00001 and 0.99999"));
        }
        ensemble.add_constant(target, link.margin(score).into());
    }
    for (number, saved) in forest.trees.iter().take(used(learner, forest, targets)).enumerate() {
        let damaged =
            || refused(format!("tree {number} of the model is damaged: its lists do not fit together"));
        if saved.tree_param.size_leaf_vector > 1 {
            return Err(refused("the trees have vectors as leaves, which cannot be imported yet")
                .hint("train with multi_strategy=\"one_output_per_tree\""));
        }
        let weight = match weights {
            Some(weights) => *weights.get(number).ok_or_else(damaged)?,
            None => 1.0,
        };
        let target = *forest.tree_info.get(number).ok_or_else(damaged)?;
        ensemble.trees.push(Tree { target, nodes: nodes(saved, weight).ok_or_else(damaged)? });
    }
    Ok(ensemble)
}

/// A score for each target; one for all is said once.
fn base_scores(text: &str, targets: usize) -> Result<Vec<f32>, FunctionError> {
    let numbers = text.trim().trim_start_matches('[').trim_end_matches(']').split(',');
    let scores: Option<Vec<f32>> = numbers.map(|number| number.trim().parse().ok()).collect();
    match scores {
        Some(scores) if scores.len() == targets => Ok(scores),
        Some(scores) if scores.len() == 1 => Ok(vec![scores[0]; targets]),
        _ => Err(refused(format!("base_score is {text:?}, which is not {targets} numbers"))),
    }
}

/// How many trees predictions are made with: the wrapper's go as far as the best round, where training stopped early.
fn used(learner: &Learner, forest: &Forest, targets: usize) -> usize {
    let best = learner.attributes.get("best_iteration").and_then(|round| round.parse::<usize>().ok());
    let Some(rounds) = best.filter(|_| learner.attributes.contains_key(WRAPPER)).map(|best| best + 1) else {
        return forest.trees.len();
    };
    let of_one_size =
        rounds.saturating_mul(targets).saturating_mul(forest.gbtree_model_param.num_parallel_tree);
    forest.iteration_indptr.get(rounds).copied().unwrap_or(of_one_size)
}

/// The nodes of a tree; `None` when a list is too short, or a number is none. Leaves get a weight.
fn nodes(tree: &SavedTree, weight: f32) -> Option<Vec<Node>> {
    let places = tree.categories_nodes.iter().enumerate().map(|(place, &node)| (node, place));
    let categorical: HashMap<usize, usize> = places.collect();
    (0..tree.left_children.len())
        .map(|at| match (usize::try_from(*tree.left_children.get(at)?), categorical.get(&at)) {
            (Err(_), _) => number(tree, at).map(|value| Node::Leaf((value * weight).into())),
            (Ok(left), None) => split(tree, at, Test::Less(number(tree, at)?.into()), left),
            (Ok(left), Some(&place)) => split(tree, at, Test::Among(members(tree, place)?), left),
        })
        .collect()
}

/// The value of a leaf, or what a node compares with.
fn number(tree: &SavedTree, at: usize) -> Option<f32> {
    tree.split_conditions.get(at).copied().filter(|number| !number.is_nan())
}

fn split(tree: &SavedTree, at: usize, test: Test, left: usize) -> Option<Node> {
    let right = usize::try_from(*tree.right_children.get(at)?).ok()?;
    let feature = *tree.split_indices.get(at)?;
    let missing_is_left = *tree.default_left.get(at)?;
    // The categories of a node are those that go right.
    let categories = matches!(test, Test::Among(_));
    let (yes, no) = if categories { (right, left) } else { (left, right) };
    Some(Node::Split { feature, test, missing_is_yes: missing_is_left != categories, yes, no })
}

fn members(tree: &SavedTree, place: usize) -> Option<Vec<f64>> {
    let begin = *tree.categories_segments.get(place)?;
    let end = begin.checked_add(*tree.categories_sizes.get(place)?)?;
    Some(tree.categories.get(begin..end)?.iter().map(|&category| category.into()).collect())
}
