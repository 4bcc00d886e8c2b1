//! Classifiers of two classes that together choose among several: one for each class against the others, one for each two, or
//! one for each digit of a code.

use modelet_core::Tensor;
use modelet_model::onnx::write::GraphWriter;

use super::Takes;
use super::answer::Answer;
use super::centres::nearest;
use super::fitted::Fitted;
use super::inner::{Inner, LIMITED, both, takes_of, write_all};
use super::outputs;
use crate::importer::classes::{Classes, PROBABILITIES};
use crate::pickle::Asked;

/// Since this version probabilities that are all 0 stay so, before it they become no numbers.
const ZEROS_SINCE: u32 = 7;
/// Since this version of equal scores the first class counts, before it the last.
const FIRST_SINCE: u32 = 8;

pub(super) fn one_against_rest(fitted: &Fitted, graph: &mut GraphWriter) -> Asked<Takes> {
    let binarizer = fitted.item.get("label_binarizer_")?;
    let kind = binarizer.get("y_type_")?;
    let classes = Classes::read(&binarizer.get("classes_")?)?;
    let models = write_all(&fitted.item.get("estimators_")?.items()?, fitted, graph)?;
    let threshold = scores(&models, graph)?;
    if kind.text()?.starts_with("multilabel") {
        each_label(&models, threshold, graph);
        return Ok(takes_of(&models));
    }
    match (kind.text()?, models.len()) {
        ("multiclass", count) if count == classes.len() && count > 1 => {
            if fitted.version.minor >= FIRST_SINCE {
                graph.largest("scores", "index");
            } else {
                graph.last_largest("scores", "index");
            }
        }
        ("binary", 1) if classes.len() == 2 => {
            graph.pick("scores", 0, "score");
            graph.is_above("score", threshold, "index");
        }
        _ => return Err(fitted.item.not("a model for each class")),
    }
    if second_probabilities(&models, graph) {
        probabilities(&models, fitted.version.minor >= ZEROS_SINCE, graph);
    }
    if models.iter().all(|model| model.find("decision").is_some()) {
        match models.len() {
            1 => graph.pick("scores", 0, "decision"),
            _ => graph.apply("Identity", &["scores"], "decision"),
        }
    }
    let width = models.len();
    graph.classify(classes, width);
    Ok(takes_of(&models))
}

/// What stands for a model where all rows were of one class: it always says that.
pub(super) fn constant(fitted: &Fitted, graph: &mut GraphWriter) -> Asked<Takes> {
    let item = fitted.item.get("y_")?;
    let [class] = item.numbers()?[..] else { return Err(item.not("one class")) };
    graph.constant("class", &Tensor::vector(vec![class]));
    graph.constant("shares", &Tensor::vector(vec![1.0 - class, class]));
    graph.repeated("class", 1, &fitted.input, "decisions");
    graph.pick("decisions", 0, "decision");
    graph.repeated("shares", 2, &fitted.input, PROBABILITIES);
    Ok(None)
}

/// A label of its own from each model, and with what probability, or else decision.
fn each_label(models: &[Inner], threshold: f64, graph: &mut GraphWriter) {
    let width = models.len();
    outputs::flags("scores", threshold, width, graph);
    if second_probabilities(models, graph) {
        graph.apply("Identity", &["of_second"], PROBABILITIES);
        outputs::of_each_label(PROBABILITIES, width, graph);
    } else if models.iter().all(|model| model.find("decision").is_some()) {
        graph.apply("Identity", &["scores"], "decision");
        outputs::of_each_label("decision", width, graph);
    }
}

/// The probability that each model gives its second class, side by side; false where one has none.
fn second_probabilities(models: &[Inner], graph: &mut GraphWriter) -> bool {
    let all: Option<Vec<_>> = models.iter().map(|model| model.find(PROBABILITIES)).collect();
    let Some(all) = all else { return false };
    let mut columns = Vec::new();
    for (number, table) in all.iter().enumerate() {
        columns.push(format!("of_second{number}"));
        graph.columns(table, &[1], &columns[number]);
    }
    graph.beside(&columns.iter().map(String::as_str).collect::<Vec<_>>(), "of_second");
    true
}

/// What each says of its class, as parts of 1; of one model its classes are the two.
fn probabilities(models: &[Inner], zeros_stay: bool, graph: &mut GraphWriter) {
    if models.len() == 1 {
        graph.scalar("one", 1.0);
        graph.apply("Sub", &["one", "of_second"], "of_first");
        graph.beside(&["of_first", "of_second"], "of_each");
    } else {
        graph.apply("Identity", &["of_second"], "of_each");
    }
    graph.row_sums("of_each", "of_all");
    if zeros_stay {
        graph.scalar("nothing", 0.0);
        graph.apply("Div", &["of_each", "of_all"], "parts");
        graph.apply("Equal", &["of_all", "nothing"], "are_nothing");
        graph.apply("Where", &["are_nothing", "of_each", "parts"], PROBABILITIES);
    } else {
        graph.apply("Div", &["of_each", "of_all"], PROBABILITIES);
    }
}

pub(super) fn one_against_one(fitted: &Fitted, graph: &mut GraphWriter) -> Asked<Takes> {
    let classes = fitted.classes()?;
    let count = classes.len();
    if !fitted.item.get("pairwise_indices_")?.is_none() {
        return Err("its models take distances to rows, not rows".to_owned());
    }
    let models = write_all(&fitted.item.get("estimators_")?.items()?, fitted, graph)?;
    if models.len() != count * (count - 1) / 2 {
        return Err(fitted.item.not("a model for each two classes"));
    }
    let threshold = scores(&models, graph)?;
    let mut chosen = Vec::new();
    for (number, model) in models.iter().enumerate() {
        if !model.classes()?.are_indices() {
            return Err(model.item.not("a classifier of 0 and 1"));
        }
        let (column, to) = (graph.as_column(&model.get("index")?), format!("chosen{number}"));
        graph.as_numbers(&column, &to);
        chosen.push(to);
    }
    graph.beside(&chosen.iter().map(String::as_str).collect::<Vec<_>>(), "chosen");
    votes(graph, ("chosen", "scores"), count, "confidences")?;
    if count == 2 {
        graph.pick("confidences", 1, "decision");
        graph.is_above("decision", threshold, "index");
    } else {
        graph.apply("Identity", &["confidences"], "decision");
        graph.largest("confidences", "index");
    }
    graph.classify(classes, if count == 2 { 1 } else { count });
    // Confidences are added up.
    Ok(both(takes_of(&models), LIMITED))
}

/// Votes of models for each two classes, and where they are equal the sums of their confidences (`_ovr_decision_function`):
/// `votes + sum / (3 (|sum| + 1))`. Models choose the second of their classes where `chosen` is 1.
pub(super) fn votes(
    graph: &mut GraphWriter,
    (chosen, scores): (&str, &str),
    classes: usize,
    to: &str,
) -> Asked<()> {
    let pairs: Vec<_> = (0..classes).flat_map(|i| (i + 1..classes).map(move |j| (i, j))).collect();
    let (mut firsts, mut seconds) = (vec![0.0; pairs.len() * classes], vec![0.0; pairs.len() * classes]);
    for (pair, (first, second)) in pairs.iter().enumerate() {
        firsts[pair * classes + first] = 1.0;
        seconds[pair * classes + second] = 1.0;
    }
    let signs = seconds.iter().zip(&firsts).map(|(second, first)| second - first).collect();
    graph.matrix("are_first", [pairs.len(), classes], firsts)?;
    graph.matrix("are_second", [pairs.len(), classes], seconds)?;
    graph.matrix("signs", [pairs.len(), classes], signs)?;
    graph.scalar("one_vote", 1.0);
    graph.scalar("three", 3.0);
    graph.apply("Sub", &["one_vote", chosen], "not_chosen");
    graph.apply("MatMul", &["not_chosen", "are_first"], "votes_for_first");
    graph.apply("MatMul", &[chosen, "are_second"], "votes_for_second");
    graph.apply("Add", &["votes_for_first", "votes_for_second"], "pair_votes");
    graph.apply("MatMul", &[scores, "signs"], "sums_of_scores");
    graph.apply("Abs", &["sums_of_scores"], "sizes");
    graph.apply("Add", &["sizes", "one_vote"], "sizes_and_one");
    graph.apply("Mul", &["sizes_and_one", "three"], "three_times");
    graph.apply("Div", &["sums_of_scores", "three_times"], "below_a_vote");
    graph.apply("Add", &["pair_votes", "below_a_vote"], to);
    Ok(())
}

pub(super) fn output_code(fitted: &Fitted, graph: &mut GraphWriter) -> Asked<Takes> {
    let classes = fitted.classes()?;
    let models = write_all(&fitted.item.get("estimators_")?.items()?, fitted, graph)?;
    let book = fitted.item.get("code_book_")?;
    if book.array()?.shape != [classes.len(), models.len()] {
        return Err(book.not("a code for each class"));
    }
    scores(&models, graph)?;
    nearest(graph, "scores", &book.numbers()?, models.len(), "index")?;
    graph.classify(classes, 0);
    // Distances to codes are products.
    Ok(both(takes_of(&models), LIMITED))
}

/// What each model says of its second class, side by side: the decision of a classifier that has one, else the probability, of
/// a regressor its number. Returns from where on the first one chooses its second class.
fn scores(models: &[Inner], graph: &mut GraphWriter) -> Asked<f64> {
    let mut columns = Vec::new();
    let mut threshold = None;
    for model in models {
        let (column, from) = match (model.find("decision"), model.find(PROBABILITIES)) {
            (Some(decision), _) => (graph.as_column(&decision), 0.0),
            (None, Some(_)) => {
                let table = model.probabilities_alone()?;
                let column = format!("{table}_of_second");
                graph.columns(&table, &[1], &column);
                (column, 0.5)
            }
            (None, None) => match model.table(graph)? {
                (column, 1) => (column, 0.5),
                _ => return Err(model.item.not("a model of one number")),
            },
        };
        columns.push(column);
        threshold.get_or_insert(from);
    }
    graph.beside(&columns.iter().map(String::as_str).collect::<Vec<_>>(), "scores");
    threshold.ok_or_else(|| "it has no models".to_owned())
}
