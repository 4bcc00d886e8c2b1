//! Linear models: products with the columns, summed up in float64. BLAS sums in another order than engines do, so that answers
//! are equal up to the last places.

use modelet_core::{Numbers, Tensor};
use modelet_model::onnx::write::GraphWriter;

use super::Takes;
use super::answer::{Answer, turned};
use super::fitted::Fitted;
use super::outputs;
use crate::importer::classes::{Classes, PROBABILITIES};
use crate::pickle::Asked;

/// Since this version `LogisticRegression` has no choice of what is done with several classes.
const NO_CHOICE_SINCE: u32 = 8;
/// Since this version the solver newton-cholesky, which came with version 1.2, makes one model of several classes.
const CHOLESKY_JOINT_SINCE: u32 = 6;
/// Since this version partial least squares have their coefficients under their own name …
const OWN_COEFFICIENTS_SINCE: u32 = 3;
/// … and since this one they are those of rows that are not divided by their widths.
const UNSCALED_SINCE: u32 = 5;
const SCORES: &str = "scores";

/// How scores become probabilities.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Link {
    /// Each class for itself, and so that they add up to 1.
    Each,
    /// All together.
    Softmax,
    /// Each class for itself, by its score between -1 and 1.
    Clipped,
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

/// Regressions whose answer is the sum or its exponential, as its loss says.
pub(super) fn by_link(fitted: &Fitted, graph: &mut GraphWriter) -> Asked<Takes> {
    let link = fitted.item.get("_base_loss")?.get("link")?;
    match &*link.class()?.name {
        "IdentityLink" => regressor(fitted, graph),
        "LogLink" => exponential(fitted, graph),
        _ => Err(link.not("a link that is known")),
    }
}

/// What partial least squares predict: `(x - mean) @ coef + intercept`. Before version 1.5 rows are also divided by their widths.
pub(super) fn partial(fitted: &Fitted, graph: &mut GraphWriter) -> Asked<Takes> {
    let minor = fitted.version.minor;
    let item = fitted.item.get(if minor < OWN_COEFFICIENTS_SINCE { "_coef_" } else { "coef_" })?;
    let &[targets, features] = &item.array()?.shape[..] else { return Err(item.not("a matrix")) };
    if features != fitted.features || targets == 0 {
        return Err(item.not("a matrix of a number for each column"));
    }
    graph.constant("mean", &Tensor::vector(fitted.item.get("_x_mean")?.numbers()?));
    graph.constant("width", &Tensor::vector(fitted.item.get("_x_std")?.numbers()?));
    graph.matrix("coefficients", [features, targets], turned(&item.numbers()?, features))?;
    graph.constant("intercepts", &Tensor::vector(intercepts(fitted, targets)?));
    graph.apply("Sub", &[&fitted.input, "mean"], "centred");
    let is_scaled = minor < UNSCALED_SINCE;
    graph.apply("Div", &["centred", "width"], "scaled");
    graph.apply("MatMul", &[if is_scaled { "scaled" } else { "centred" }, "coefficients"], "products");
    graph.apply("Add", &["products", "intercepts"], SCORES);
    let is_vector = fitted.item.find("_predict_1d")?.map_or(Ok(false), |flag| flag.flag())?;
    if is_vector && targets == 1 {
        graph.predict(SCORES, 1);
    } else {
        graph.predict_table(SCORES, targets);
    }
    Ok(FINITE)
}

/// Inside (1) or outside (-1) of what was seen, and how far.
pub(super) fn one_class(fitted: &Fitted, graph: &mut GraphWriter) -> Asked<Takes> {
    let offset = fitted.item.get("offset_")?.numbers()?;
    products(fitted, graph)?;
    graph.constant("offset", &Tensor::vector(offset));
    graph.apply("Sub", &["products", "offset"], SCORES);
    graph.inside(SCORES);
    Ok(FINITE)
}

/// Classifiers without probabilities.
pub(super) fn classifier(fitted: &Fitted, graph: &mut GraphWriter) -> Asked<Takes> {
    classify(fitted, graph, fitted.classes()?, Link::Scores)
}

pub(super) fn ridge_classifier(fitted: &Fitted, graph: &mut GraphWriter) -> Asked<Takes> {
    let binarizer = fitted.item.get("_label_binarizer")?;
    if binarizer.get("y_type_")?.text()?.starts_with("multilabel") {
        let (width, _) = scores(fitted, graph)?;
        graph.apply("Identity", &[SCORES], "decision");
        outputs::flags(SCORES, 0.0, width, graph);
        outputs::of_each_label("decision", width, graph);
        return Ok(FINITE);
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

/// Linear discriminants: the scores of more than two classes are logarithms of probabilities.
pub(super) fn discriminant(fitted: &Fitted, graph: &mut GraphWriter) -> Asked<Takes> {
    let classes = fitted.classes()?;
    let link = if classes.len() == 2 { Link::Each } else { Link::Softmax };
    classify(fitted, graph, classes, link)
}

pub(super) fn sgd_classifier(fitted: &Fitted, graph: &mut GraphWriter) -> Asked<Takes> {
    let loss = fitted.item.get("loss")?;
    let link = match loss.text()? {
        "log_loss" | "log" => Link::Each,
        "modified_huber" => Link::Clipped,
        _ => Link::Scores,
    };
    classify(fitted, graph, fitted.classes()?, link)
}

/// What all linear models take.
pub(super) const FINITE: Takes = Some(Numbers { missing: false, largest: f64::MAX });

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
    graph.apply("Identity", &[if targets == 1 { "score" } else { SCORES }], "decision");
    match (link, targets) {
        (Link::Scores, _) => {}
        (Link::Each, 1) => {
            graph.logistic(SCORES, "second");
            graph.two_probabilities("second");
        }
        (Link::Clipped, 1) => {
            clipped(graph, SCORES, "second");
            graph.two_probabilities("second");
        }
        (Link::Softmax, 1) => {
            graph.apply("Neg", &[SCORES], "opposite");
            graph.beside(&["opposite", SCORES], "both");
            graph.softmax("both", PROBABILITIES);
        }
        (Link::Each, _) => {
            graph.logistic(SCORES, "each");
            graph.shares("each", classes.len(), PROBABILITIES);
        }
        (Link::Clipped, _) => {
            clipped(graph, SCORES, "each");
            graph.shares("each", classes.len(), PROBABILITIES);
        }
        (Link::Softmax, _) => graph.softmax(SCORES, PROBABILITIES),
    }
    graph.classify(classes, targets);
    Ok(FINITE)
}

/// From -1 to 1 into 0 to 1: `(clip(x) + 1) / 2`
fn clipped(graph: &mut GraphWriter, from: &str, to: &str) {
    graph.scalar("least", -1.0);
    graph.scalar("most", 1.0);
    graph.scalar("two", 2.0);
    graph.apply("Max", &[from, "least"], "at_least");
    graph.apply("Min", &["at_least", "most"], "between");
    graph.apply("Add", &["between", "most"], "above_zero");
    graph.apply("Div", &["above_zero", "two"], to);
}

/// Writes the sums `[rows, targets]`; returns how many there are, and whether the model itself has them as a table.
fn scores(fitted: &Fitted, graph: &mut GraphWriter) -> Asked<(usize, bool)> {
    let (targets, is_table) = products(fitted, graph)?;
    graph.constant("intercepts", &Tensor::vector(intercepts(fitted, targets)?));
    graph.apply("Add", &["products", "intercepts"], SCORES);
    Ok((targets, is_table))
}

/// The sums before something is added to them.
fn products(fitted: &Fitted, graph: &mut GraphWriter) -> Asked<(usize, bool)> {
    let item = fitted.item.get("coef_")?;
    let (shape, numbers) = (item.array()?.shape, item.numbers()?);
    let (targets, is_table) = match *shape.as_slice() {
        [features] if features == fitted.features => (1, false),
        [targets, features] if features == fitted.features && targets > 0 => (targets, true),
        _ => return Err(item.not("an array of a number for each column")),
    };
    graph.matrix("coefficients", [fitted.features, targets], turned(&numbers, fitted.features))?;
    graph.apply("MatMul", &[&fitted.input, "coefficients"], "products");
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
