//! `AdaBoost*`: models that vote with weights of their own.

use modelet_core::Tensor;
use modelet_model::onnx::write::{Attribute, GraphWriter};

use super::Takes;
use super::answer::Answer;
use super::fitted::Fitted;
use super::inner::{Inner, finite, takes_of, write_all};
use super::sums::numpy_sum;
use crate::importer::classes::PROBABILITIES;
use crate::pickle::Asked;

/// Since this version a model votes against the classes that it does not choose, before it only for the one that it does.
const AGAINST_SINCE: u32 = 3;
/// Since this version there is one way to vote, and no choice.
const NO_CHOICE_SINCE: u32 = 6;

pub(super) fn classifier(fitted: &Fitted, graph: &mut GraphWriter) -> Asked<Takes> {
    let classes = fitted.classes()?;
    let count = classes.len();
    let models = write_all(&fitted.item.get("estimators_")?.items()?, fitted, graph)?;
    let weights = weights(fitted, &models)?;
    for model in &models {
        if model.classes()? != classes {
            return Err(model.item.not("a model of the classes of the one around it"));
        }
    }
    let algorithm = fitted.item.find("algorithm")?.map(|item| item.text()).transpose()?;
    let by_probabilities = fitted.version.minor < NO_CHOICE_SINCE && algorithm == Some("SAMME.R");
    let mut votes = Vec::new();
    for (number, model) in models.iter().enumerate() {
        let to = format!("vote{number}");
        if by_probabilities && model.is_single() {
            return Err(model
                .item
                .not("a model of float64 probabilities, of which SAMME.R takes logarithms"));
        }
        if by_probabilities {
            by_logarithms(graph, &model.get(PROBABILITIES)?, count, &to);
        } else {
            let against = fitted.version.minor >= AGAINST_SINCE;
            let other = if against { -1.0 / (count as f64 - 1.0) * weights[number] } else { 0.0 };
            by_choice(graph, &model.get("index")?, (weights[number], other), count, &to);
        }
        votes.push(to);
    }
    graph.total(&votes, "votes");
    graph.scalar("all_weights", numpy_sum(&weights));
    graph.apply("Div", &["votes", "all_weights"], "scores");
    answer(graph, count);
    graph.classify(classes, count);
    Ok(finite(takes_of(&models)))
}

/// Index, decision and probabilities of the scores.
fn answer(graph: &mut GraphWriter, count: usize) {
    if count == 2 {
        graph.pick("scores", 0, "first_score");
        graph.pick("scores", 1, "second_score");
        graph.apply("Sub", &["second_score", "first_score"], "decision");
        graph.is_above("decision", 0.0, "index");
        graph.apply("Neg", &["decision"], "opposite");
        // Whoever asks for the decision makes a column of it, too.
        graph.apply("Identity", &["decision"], "margin");
        let (one, other) = (graph.as_column("opposite"), graph.as_column("margin"));
        graph.beside(&[&one, &other], "both");
        graph.scalar("two", 2.0);
        graph.apply("Div", &["both", "two"], "halves");
        graph.softmax("halves", PROBABILITIES);
    } else {
        graph.apply("Identity", &["scores"], "decision");
        graph.largest("scores", "index");
        graph.scalar("others", count as f64 - 1.0);
        graph.apply("Div", &["scores", "others"], "shared");
        graph.softmax("shared", PROBABILITIES);
    }
}

/// One number for the class that is chosen, another one for the others.
fn by_choice(graph: &mut GraphWriter, index: &str, (chosen, other): (f64, f64), classes: usize, to: &str) {
    let name = |what: &str| format!("{to}_{what}");
    let column = graph.as_column(index);
    graph.constant(&name("all"), &Tensor::vector((0..classes as i64).collect::<Vec<_>>()));
    graph.scalar(&name("chosen"), chosen);
    graph.scalar(&name("other"), other);
    graph.apply("Equal", &[&column, &name("all")], &name("are"));
    graph.apply("Where", &[&name("are"), &name("chosen"), &name("other")], to);
}

/// `(n - 1) * (log p - sum(log p) / n)`, with no p below one step of float64
fn by_logarithms(graph: &mut GraphWriter, probabilities: &str, classes: usize, to: &str) {
    let name = |what: &str| format!("{to}_{what}");
    graph.scalar(&name("least"), f64::EPSILON);
    graph.scalar(&name("share"), 1.0 / classes as f64);
    graph.scalar(&name("others"), classes as f64 - 1.0);
    graph.apply("Max", &[probabilities, &name("least")], &name("clipped"));
    graph.apply("Log", &[&name("clipped")], &name("logs"));
    graph.row_sums(&name("logs"), &name("sum"));
    graph.apply("Mul", &[&name("sum"), &name("share")], &name("mean"));
    graph.apply("Sub", &[&name("logs"), &name("mean")], &name("centred"));
    graph.apply("Mul", &[&name("centred"), &name("others")], to);
}

/// The weighted median of what the models say.
pub(super) fn regressor(fitted: &Fitted, graph: &mut GraphWriter) -> Asked<Takes> {
    let models = write_all(&fitted.item.get("estimators_")?.items()?, fitted, graph)?;
    let (weights, count) = (weights(fitted, &models)?, models.len());
    let columns = models.iter().map(|model| match model.table(graph)? {
        (name, 1) => Ok(name),
        _ => Err(model.item.not("a model of one number")),
    });
    let columns = columns.collect::<Asked<Vec<_>>>()?;
    graph.beside(&columns.iter().map(String::as_str).collect::<Vec<_>>(), "all");
    graph.constant("count", &Tensor::vector(vec![count as i64]));
    graph.constant("weights", &Tensor::vector(weights[..count].to_vec()));
    // Added up from the left: a 1 for each weight that is not behind.
    let not_behind = (0..count * count).map(|at| if at / count <= at % count { 1.0 } else { 0.0 });
    graph.matrix("not_behind", [count, count], not_behind.collect())?;
    let smallest_first = vec![("axis", Attribute::Int(1)), ("largest", Attribute::Int(0))];
    graph.node_of(("", "TopK"), &["all", "count"], &["sorted", "order"], smallest_first);
    graph.apply("Gather", &["weights", "order"], "sorted_weights");
    graph.apply("MatMul", &["sorted_weights", "not_behind"], "sums");
    graph.columns("sums", &[count - 1], "sum");
    graph.scalar("half", 0.5);
    graph.apply("Mul", &["sum", "half"], "middle");
    graph.apply("GreaterOrEqual", &["sums", "middle"], "are_reached");
    graph.as_numbers("are_reached", "reached");
    let axis = vec![("axis", Attribute::Int(1)), ("keepdims", Attribute::Int(1))];
    graph.node(("", "ArgMax"), &["reached"], "median", axis);
    graph.node(("", "GatherElements"), &["sorted", "median"], "medians", vec![("axis", Attribute::Int(1))]);
    graph.predict("medians", 1);
    Ok(finite(takes_of(&models)))
}

/// A weight for each model, and perhaps for some that were not fitted any more.
fn weights(fitted: &Fitted, models: &[Inner]) -> Asked<Vec<f64>> {
    let item = fitted.item.get("estimator_weights_")?;
    let weights = item.numbers()?;
    if weights.len() < models.len() { Err(item.not("a weight for each model")) } else { Ok(weights) }
}
