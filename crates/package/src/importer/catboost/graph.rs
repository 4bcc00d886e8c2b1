//! The same model as an ONNX graph: numbers are compared in float32 and added up in float64, as CatBoost does.

use modelet_core::{DType, Data, Dim, FunctionError, Tensor};
use modelet_model::onnx::write::{Attribute, GraphWriter};
use serde_json::Value;

use super::inputs::SEEN;
use super::objective::{Answers, Link};
use super::saved::Saved;
use super::{damaged, inputs, trees};
use crate::importer::classes::{Classes, PROBABILITIES};
use crate::importer::converted::refused;
use crate::importer::links::logistic;

const OUTPUT: &str = "prediction";
/// The sums over the trees, shape `[rows, targets]`.
const SUMS: &str = "sums";
/// `int64`, as ONNX numbers types.
const INT64: i64 = 7;

/// Makes the graph.
pub(super) fn of(saved: &Saved, answers: Answers) -> Result<GraphWriter, FunctionError> {
    let link = link(saved, answers)?;
    let mut graph = GraphWriter::default();
    let seen = inputs::write(&saved.trees, &mut graph)?;
    trees::ensemble(&saved.trees, &seen)?.write(&mut graph, SEEN, "trees")?;
    graph.constant("scale", &Tensor::vector(vec![saved.trees.scale]));
    graph.constant("bias", &Tensor::vector(saved.trees.bias.clone()));
    graph.node(("", "Mul"), &["trees", "scale"], "scaled", vec![]);
    graph.node(("", "Add"), &["scaled", "bias"], SUMS, vec![]);
    answer(&mut graph, link, saved)?;
    if let Some(name) = graph.name_given_twice() {
        return Err(refused(format!(
            "{name:?} is the name of two columns, or of one and of a part of the answer"
        ))
        .hint("train with other names of columns"));
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
        Link::One | Link::OneOfEach => classes(saved, saved.trees.targets).map(Some),
        Link::Sum | Link::Exponential | Link::MeanAndVariance | Link::Flags => Ok(None),
    }
}

fn rows() -> Dim {
    Dim::Named("rows".to_owned())
}

fn answer(graph: &mut GraphWriter, link: Link, saved: &Saved) -> Result<(), FunctionError> {
    let targets = saved.trees.targets;
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
