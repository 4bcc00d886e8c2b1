//! The same model as an ONNX graph: numbers are compared in float32 and added up in float64, as CatBoost does.

use modelet_core::{DType, Data, Dim, FunctionError, Tensor};
use modelet_model::onnx::COLUMNS_KEY;
use modelet_model::onnx::write::{Attribute, GraphWriter};
use serde_json::Value;

use super::objective::{Answers, Link};
use super::saved::{self, FloatFeature, Saved, SavedTree, Split};
use crate::importer::classes::{Classes, PROBABILITIES};
use crate::importer::converted::refused;
use crate::importer::ensemble::{Ensemble, Node, Test, Tree};
use crate::importer::guest::INPUT;
use crate::importer::links::logistic;

const OUTPUT: &str = "prediction";
/// The sums over the trees, shape `[rows, targets]`.
const SUMS: &str = "sums";
/// Most numbers of a row, and most that one gives.
const MAX_FEATURES: usize = 1 << 20;
const MAX_TARGETS: usize = 1 << 16;
/// Of a symmetric tree; CatBoost's own limit.
const MAX_DEPTH: usize = 16;
/// Types, as ONNX numbers them.
const INT64: i64 = 7;
const DOUBLE: i64 = 11;

/// Makes the graph.
pub(super) fn of(saved: &Saved, answers: Answers) -> Result<GraphWriter, FunctionError> {
    let link = link(saved, answers)?;
    let ensemble = ensemble(saved)?;
    let mut graph = GraphWriter::default();
    graph.input(INPUT, DType::F32, &[rows(), Dim::Fixed(ensemble.features)]);
    graph.node(("", "Cast"), &[INPUT], "numbers", vec![("to", Attribute::Int(DOUBLE))]);
    ensemble.write(&mut graph, "numbers", "trees")?;
    graph.constant("scale", &Tensor::vector(vec![saved.scale]));
    graph.constant("bias", &Tensor::vector(saved.bias.clone()));
    graph.node(("", "Mul"), &["trees", "scale"], "scaled", vec![]);
    graph.node(("", "Add"), &["scaled", "bias"], SUMS, vec![]);
    answer(&mut graph, link, saved)?;
    let names: Vec<_> = saved.floats.iter().map(|float| float.name.as_str()).collect();
    if names.len() == ensemble.features && names.iter().all(|name| !name.is_empty()) {
        // Plain texts, which always become JSON.
        graph.metadata(COLUMNS_KEY, &serde_json::to_string(&names).unwrap_or_default());
    }
    Ok(graph)
}

fn link(saved: &Saved, answers: Answers) -> Result<Link, FunctionError> {
    match answers {
        Answers::Sum => Ok(Link::Sum),
        Answers::OfObjective => Link::of(&saved.objective).ok_or_else(|| {
            let objective = &saved.objective;
            refused(format!(
                "the loss {objective:?} is not known: what it makes of the sum over the trees is not in the file"
            ))
            .hint("train with one of CatBoost's own losses")
        }),
    }
}

/// What a classifier chooses from.
pub(super) fn classes_of(saved: &Saved, answers: Answers) -> Result<Option<Classes>, FunctionError> {
    match link(saved, answers)? {
        Link::Two => classes(saved, 2).map(Some),
        Link::One | Link::OneOfEach => classes(saved, saved.targets).map(Some),
        Link::Sum | Link::Exponential | Link::MeanAndVariance | Link::Flags => Ok(None),
    }
}

fn rows() -> Dim {
    Dim::Named("rows".to_owned())
}

fn answer(graph: &mut GraphWriter, link: Link, saved: &Saved) -> Result<(), FunctionError> {
    let targets = saved.targets;
    match link {
        Link::Sum => predict(graph, SUMS, targets),
        Link::Exponential => {
            graph.node(("", "Exp"), &[SUMS], "powers", vec![]);
            predict(graph, "powers", targets);
        }
        Link::MeanAndVariance if targets == 2 => {
            // The variance is exp(2 x); what the mean would be by that is not taken.
            graph.constant("factors", &Tensor::vector(vec![0.0, 2.0_f64]));
            graph.constant("is_mean", &Tensor::vector(vec![true, false]));
            graph.node(("", "Mul"), &[SUMS, "factors"], "logarithms", vec![]);
            graph.node(("", "Exp"), &["logarithms"], "variances", vec![]);
            graph.node(("", "Where"), &["is_mean", SUMS, "variances"], "both", vec![]);
            predict(graph, "both", targets);
        }
        Link::Two if targets == 1 => {
            logistic(graph, SUMS, "second");
            graph.constant("whole", &Tensor::vector(vec![1.0_f64]));
            graph.node(("", "Sub"), &["whole", "second"], "first", vec![]);
            let axis = vec![("axis", Attribute::Int(1))];
            graph.node(("", "Concat"), &["first", "second"], PROBABILITIES, axis);
            above_zero(graph, "are_second");
            squeeze(graph, "are_second", "index");
            classes(saved, 2)?.write(graph, "index");
        }
        Link::One | Link::OneOfEach if targets > 1 => {
            if link == Link::One {
                graph.node(("", "Softmax"), &[SUMS], PROBABILITIES, vec![("axis", Attribute::Int(1))]);
            } else {
                logistic(graph, SUMS, PROBABILITIES);
            }
            let axis = vec![("axis", Attribute::Int(1)), ("keepdims", Attribute::Int(0))];
            graph.node(("", "ArgMax"), &[SUMS], "class", axis);
            classes(saved, targets)?.write(graph, "class");
        }
        Link::Flags => {
            logistic(graph, SUMS, PROBABILITIES);
            above_zero(graph, "label");
            graph.output("label", DType::I64, &[rows(), Dim::Fixed(targets)]);
            graph.output(PROBABILITIES, DType::F64, &[rows(), Dim::Fixed(targets)]);
        }
        Link::MeanAndVariance | Link::Two | Link::One | Link::OneOfEach => {
            return Err(damaged(&format!("its loss is {}, with {targets} sums", saved.objective)));
        }
    }
    Ok(())
}

/// A number for each row, or several.
fn predict(graph: &mut GraphWriter, from: &str, targets: usize) {
    if targets == 1 {
        squeeze(graph, from, OUTPUT);
        graph.output(OUTPUT, DType::F64, &[rows()]);
    } else {
        graph.node(("", "Identity"), &[from], OUTPUT, vec![]);
        graph.output(OUTPUT, DType::F64, &[rows(), Dim::Fixed(targets)]);
    }
}

fn above_zero(graph: &mut GraphWriter, to: &str) {
    graph.constant("zero", &Tensor::vector(vec![0.0_f64]));
    graph.node(("", "Greater"), &[SUMS, "zero"], "are_above", vec![]);
    graph.node(("", "Cast"), &["are_above"], to, vec![("to", Attribute::Int(INT64))]);
}

fn squeeze(graph: &mut GraphWriter, from: &str, to: &str) {
    graph.constant("last_axis", &Tensor::vector(vec![1_i64]));
    graph.node(("", "Squeeze"), &[from, "last_axis"], to, vec![]);
}

/// The classes; whole numbers from 0 where they have no names.
fn classes(saved: &Saved, count: usize) -> Result<Classes, FunctionError> {
    if saved.classes.is_empty() {
        return Ok(Classes::indices(count));
    }
    fn all<T>(list: &[Value], read: impl Fn(&Value) -> Option<T>) -> Option<Vec<T>> {
        list.iter().map(read).collect()
    }
    let list = &saved.classes;
    let data = match &*saved.class_kind {
        "Integer" => all(list, Value::as_i64).map(Data::I64),
        "Float" => all(list, Value::as_f64).map(Data::F64),
        "Boolean" => all(list, Value::as_bool).map(Data::Bool),
        "String" => all(list, |name| name.as_str().map(str::to_owned)).map(Data::Str),
        _ => None,
    };
    let classes = data.map(Classes::of).filter(|classes| classes.len() == count);
    classes.ok_or_else(|| damaged(&format!("it has not {count} classes of the kind {:?}", saved.class_kind)))
}

fn damaged(why: &str) -> FunctionError {
    refused(format!("the model is damaged: {why}")).hint("save it again: model.save_model(\"model.cbm\")")
}

/// The trees, one for each target of those that have several.
fn ensemble(saved: &Saved) -> Result<Ensemble, FunctionError> {
    let features = saved.floats.iter().map(|float| float.place.saturating_add(1)).max().unwrap_or(0);
    let targets = saved.targets;
    if features > MAX_FEATURES || targets > MAX_TARGETS {
        return Err(refused(format!(
            "the model has {features} columns and {targets} sums, the limits are {MAX_FEATURES} and {MAX_TARGETS}"
        )));
    }
    if targets == 0 || saved.bias.len() != targets || saved.trees.is_empty() {
        return Err(refused("the model has no trees: was it fitted?"));
    }
    let mut ensemble = Ensemble { precision: DType::F64, targets, features, trees: Vec::new() };
    for (number, tree) in saved.trees.iter().enumerate() {
        for target in 0..targets {
            let nodes = match tree {
                SavedTree::Symmetric { splits, leaves } => symmetric(saved, splits, leaves, target),
                SavedTree::Free(nodes) => free(saved, nodes, target),
            };
            let nodes =
                nodes.ok_or_else(|| damaged(&format!("the lists of tree {number} do not fit together")))?;
            ensemble.trees.push(Tree { target, nodes });
        }
    }
    Ok(ensemble)
}

/// Nodes by depth, and from no to yes within one: the first question is that whose answer is the highest bit of a leaf's number.
fn symmetric(saved: &Saved, splits: &[Split], leaves: &[f64], target: usize) -> Option<Vec<Node>> {
    if splits.len() > MAX_DEPTH || leaves.len() != saved.targets << splits.len() {
        return None;
    }
    let mut nodes = Vec::with_capacity(2 << splits.len());
    for (depth, split) in splits.iter().rev().enumerate() {
        for _ in 0..1_usize << depth {
            let at = nodes.len();
            nodes.push(question(&saved.floats, *split, 2 * at + 1, 2 * at + 2)?);
        }
    }
    nodes.extend(leaves.chunks_exact(saved.targets).map(|leaf| Node::Leaf(leaf[target])));
    Some(nodes)
}

fn free(saved: &Saved, nodes: &[saved::Node], target: usize) -> Option<Vec<Node>> {
    let node = |node: &saved::Node| match node {
        saved::Node::Leaf(values) => values.get(target).map(|value| Node::Leaf(*value)),
        saved::Node::Split { split, no, yes } => question(&saved.floats, *split, *no, *yes),
    };
    nodes.iter().map(node).collect()
}

/// CatBoost asks whether a number is larger; here it is asked whether it is at most.
fn question(floats: &[FloatFeature], split: Split, no: usize, yes: usize) -> Option<Node> {
    let float = floats.get(split.float)?;
    let test = Test::AtMost(f64::from(split.border));
    let known = !split.border.is_nan();
    known.then_some(Node::Split {
        feature: float.place,
        test,
        missing_is_yes: !float.missing_is_large,
        yes: no,
        no: yes,
    })
}
