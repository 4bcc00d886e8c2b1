//! Linear models: products with the columns, summed up in float64. BLAS sums in another order than engines do, so that answers
//! are equal up to the last places.

use modelet_core::{DType, Data, Dim, Numbers, Tensor};
use modelet_model::onnx::write::{Attribute, GraphWriter};

use super::Takes;
use super::answer::Answer;
use super::fitted::Fitted;
use crate::importer::classes::{Classes, PROBABILITIES};
use crate::pickle::Asked;

/// Since this version `LogisticRegression` has no choice of what is done with several classes.
const NO_CHOICE_SINCE: u32 = 8;
/// Since this version the solver newton-cholesky, which came with version 1.2, makes one model of several classes.
const CHOLESKY_JOINT_SINCE: u32 = 6;
const SCORES: &str = "scores";

/// How scores become probabilities.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Link {
    /// Each class for itself, and so that they add up to 1.
    Each,
    /// All together.
    Softmax,
    /// They do not: scores are the answer.
    Scores,
}

pub(super) fn regressor(fitted: &Fitted, graph: &mut GraphWriter) -> Asked<Takes> {
    let (targets, is_table) = scores(fitted, graph)?;
    if is_table {
        graph.predict_table(SCORES, targets);
    } else {
        graph.predict(SCORES, 1);
    }
    Ok(FINITE)
}

/// Regressions whose answer is the exponential of the sum.
pub(super) fn exponential(fitted: &Fitted, graph: &mut GraphWriter) -> Asked<Takes> {
    if scores(fitted, graph)?.0 != 1 {
        return Err(fitted.item.not("a model of one number"));
    }
    graph.apply("Exp", &[SCORES], "means");
    graph.predict("means", 1);
    Ok(FINITE)
}

/// Classifiers without probabilities.
pub(super) fn classifier(fitted: &Fitted, graph: &mut GraphWriter) -> Asked<Takes> {
    classify(fitted, graph, fitted.classes()?, Link::Scores)
}

pub(super) fn ridge_classifier(fitted: &Fitted, graph: &mut GraphWriter) -> Asked<Takes> {
    let binarizer = fitted.item.get("_label_binarizer")?;
    if binarizer.get("y_type_")?.text()?.starts_with("multilabel") {
        return Err("it answers with several labels for each row".to_owned());
    }
    // Since version 1.9 the model has classes of its own, and answers with those.
    let own = fitted.item.find("classes_")?;
    let classes = own.map_or_else(|| binarizer.get("classes_"), Ok)?;
    classify(fitted, graph, Classes::read(&classes)?, Link::Scores)
}

pub(super) fn logistic(fitted: &Fitted, graph: &mut GraphWriter) -> Asked<Takes> {
    let classes = fitted.classes()?;
    let link = if is_each(fitted, classes.len())? { Link::Each } else { Link::Softmax };
    classify(fitted, graph, classes, link)
}

pub(super) fn sgd_classifier(fitted: &Fitted, graph: &mut GraphWriter) -> Asked<Takes> {
    let loss = fitted.item.get("loss")?;
    let link = match loss.text()? {
        "log_loss" | "log" => Link::Each,
        "modified_huber" => {
            return Err("its probabilities (loss modified_huber) cannot be imported yet".to_owned());
        }
        _ => Link::Scores,
    };
    classify(fitted, graph, fitted.classes()?, link)
}

/// What all linear models take.
const FINITE: Takes = Some(Numbers { missing: false, largest: f64::MAX });

/// True where a logistic regression has a model for each class.
fn is_each(fitted: &Fitted, classes: usize) -> Asked<bool> {
    let minor = fitted.version.minor;
    if minor >= NO_CHOICE_SINCE {
        return Ok(classes == 2);
    }
    let choice = fitted.item.get("multi_class")?;
    match choice.text()? {
        "ovr" => Ok(true),
        "multinomial" => Ok(false),
        "auto" | "deprecated" => Ok(match fitted.item.get("solver")?.text()? {
            "liblinear" => true,
            "newton-cholesky" if minor < CHOLESKY_JOINT_SINCE => true,
            _ => classes == 2,
        }),
        _ => Err(choice.not("a way with several classes that is known")),
    }
}

fn classify(fitted: &Fitted, graph: &mut GraphWriter, classes: Classes, link: Link) -> Asked<Takes> {
    let (targets, _) = scores(fitted, graph)?;
    if targets != if classes.len() == 2 { 1 } else { classes.len() } {
        return Err(fitted.item.not("a model with as many scores as classes"));
    }
    if targets == 1 {
        graph.is_positive(SCORES, false, "index");
    } else {
        graph.largest(SCORES, "index");
    }
    match (link, targets) {
        (Link::Scores, _) => {
            classes.label(graph, "index");
            let width = if targets == 1 { vec![] } else { vec![Dim::Fixed(targets)] };
            let name = if targets == 1 { "score" } else { SCORES };
            let rows = std::iter::once(Dim::Named("rows".to_owned()));
            graph.apply("Identity", &[name], "decision");
            graph.output("decision", DType::F64, &rows.chain(width).collect::<Vec<_>>());
            return Ok(FINITE);
        }
        (Link::Each, 1) => {
            graph.logistic(SCORES, "second");
            graph.two_probabilities("second");
        }
        (Link::Softmax, 1) => {
            graph.apply("Neg", &[SCORES], "opposite");
            let axis = vec![("axis", Attribute::Int(1))];
            graph.node(("", "Concat"), &["opposite", SCORES], "both", axis);
            graph.softmax("both", PROBABILITIES);
        }
        (Link::Each, _) => {
            graph.logistic(SCORES, "each");
            shares(graph, "each", classes.len());
        }
        (Link::Softmax, _) => graph.softmax(SCORES, PROBABILITIES),
    }
    classes.write(graph, "index");
    Ok(FINITE)
}

/// Probabilities that add up to 1; where all are 0, equal ones.
fn shares(graph: &mut GraphWriter, from: &str, classes: usize) {
    graph.constant("over_classes", &Tensor::vector(vec![1_i64]));
    graph.scalar("nothing", 0.0);
    graph.scalar("equal_share", 1.0 / classes as f64);
    graph.apply("ReduceSum", &[from, "over_classes"], "total");
    graph.apply("Equal", &["total", "nothing"], "is_nothing");
    graph.apply("Div", &[from, "total"], "shares");
    graph.apply("Where", &["is_nothing", "equal_share", "shares"], PROBABILITIES);
}

/// Writes the sums `[rows, targets]`; returns how many there are, and whether the model itself has them as a table.
fn scores(fitted: &Fitted, graph: &mut GraphWriter) -> Asked<(usize, bool)> {
    let item = fitted.item.get("coef_")?;
    let (shape, numbers) = (item.array()?.shape, item.numbers()?);
    let (targets, is_table) = match *shape.as_slice() {
        [features] if features == fitted.features => (1, false),
        [targets, features] if features == fitted.features && targets > 0 => (targets, true),
        _ => return Err(item.not("an array of a number for each column")),
    };
    let turned = (0..fitted.features).flat_map(|column| {
        let numbers = &numbers;
        (0..targets).map(move |target| numbers[target * fitted.features + column])
    });
    let turned = Tensor::new(vec![fitted.features, targets], Data::F64(turned.collect()));
    graph.constant("coefficients", &turned.map_err(|error| error.to_string())?);
    graph.constant("intercepts", &Tensor::vector(intercepts(fitted, targets)?));
    graph.apply("MatMul", &[&fitted.input, "coefficients"], "products");
    graph.apply("Add", &["products", "intercepts"], SCORES);
    Ok((targets, is_table))
}

/// One for each target; one for all is said once.
fn intercepts(fitted: &Fitted, targets: usize) -> Asked<Vec<f64>> {
    let item = fitted.item.get("intercept_")?;
    let numbers = if item.array().is_ok() { item.numbers()? } else { vec![item.number()?] };
    match numbers.len() {
        len if len == targets => Ok(numbers),
        1 => Ok(vec![numbers[0]; targets]),
        _ => Err(item.not("a number for each sum")),
    }
}
