//! Calibrated classifiers, and those with a threshold that was chosen.

use modelet_core::Tensor;
use modelet_model::onnx::write::{Attribute, GraphWriter};

use super::Takes;
use super::answer::{Answer, INT64};
use super::fitted::Fitted;
use super::inner::{Inner, takes_of};
use super::isotonic::interpolated;
use super::selection::WHOLE;
use crate::importer::classes::{Classes, PROBABILITIES};
use crate::pickle::{Asked, Item};

/// Above 1 by no more than this, a probability is 1.
const NEAR_ONE: f64 = 1e-5;
/// What scores that are not probabilities are compared with, where nothing is said.
const MIDDLE: f64 = 0.5;

/// The mean of what calibrated classifiers say.
pub(super) fn classifier(fitted: &Fitted, graph: &mut GraphWriter) -> Asked<Takes> {
    let classes = fitted.classes()?;
    let (mut models, mut tables) = (Vec::new(), Vec::new());
    for (number, item) in fitted.item.get("calibrated_classifiers_")?.items()?.iter().enumerate() {
        let prefix = format!("model{number}");
        // Before version 1.2 it had the second name.
        let own = item.find("estimator")?.map_or_else(|| item.get("base_estimator"), Ok)?;
        let model = Inner::write(&own, fitted, (&fitted.input, fitted.features), (graph, &prefix))?;
        let to = format!("{prefix}_calibrated");
        calibrated(item, &model, &classes, graph, &to)?;
        models.push(model);
        tables.push(to);
    }
    if models.is_empty() {
        return Err("it has no models".to_owned());
    }
    graph.total(&tables, "sum");
    graph.scalar("models", tables.len() as f64);
    graph.apply("Div", &["sum", "models"], PROBABILITIES);
    classes.choose(graph);
    Ok(takes_of(&models))
}

/// The calibrated probabilities of one model.
fn calibrated(item: &Item, model: &Inner, classes: &Classes, graph: &mut GraphWriter, to: &str) -> Asked<()> {
    let count = classes.len();
    let places = model.classes()?.places_in(classes);
    if places.is_none_or(|places| !places.into_iter().eq(0..count)) || count < 2 {
        return Err("one of its models has not all of its classes".to_owned());
    }
    let calibrators = item.get("calibrators")?.items()?;
    let columns = if count == 2 { 1 } else { count };
    if calibrators.len() != columns {
        return Err(item.not("calibrated by a curve for each class"));
    }
    let name = |what: &str| format!("{to}_{what}");
    let table = match (model.find("decision"), count) {
        (Some(decision), 2) => graph.as_column(&decision),
        (Some(decision), _) => decision,
        (None, 2) => {
            graph.columns(&model.probabilities_alone()?, &[1], &name("said"));
            name("said")
        }
        (None, _) => model.probabilities_alone()?,
    };
    let mut curves = Vec::new();
    for (number, calibrator) in calibrators.iter().enumerate() {
        let (said, curve) = (name(&format!("said{number}")), name(&format!("curve{number}")));
        graph.columns(&table, &[number], &said);
        along(calibrator, graph, &said, &curve)?;
        curves.push(curve);
    }
    if count == 2 {
        graph.scalar(&name("one"), 1.0);
        graph.apply("Sub", &[&name("one"), &curves[0]], &name("first"));
        graph.beside(&[&name("first"), &curves[0]], &name("shares"));
    } else {
        graph.beside(&curves.iter().map(String::as_str).collect::<Vec<_>>(), &name("each"));
        let parts = [("nothing", 0.0), ("equal_share", 1.0 / count as f64)];
        parts.iter().for_each(|(what, number)| graph.scalar(&name(what), *number));
        graph.row_sums(&name("each"), &name("total"));
        graph.apply("Equal", &[&name("total"), &name("nothing")], &name("is_nothing"));
        graph.apply("Div", &[&name("each"), &name("total")], &name("parts"));
        graph.apply("Where", &[&name("is_nothing"), &name("equal_share"), &name("parts")], &name("shares"));
    }
    at_most_one(graph, &name("shares"), to);
    Ok(())
}

/// Numbers that are above 1 by nearly nothing become 1.
fn at_most_one(graph: &mut GraphWriter, from: &str, to: &str) {
    let name = |what: &str| format!("{to}_{what}");
    graph.scalar(&name("whole"), 1.0);
    graph.scalar(&name("nearly"), 1.0 + NEAR_ONE);
    graph.apply("Greater", &[from, &name("whole")], &name("above"));
    graph.apply("LessOrEqual", &[from, &name("nearly")], &name("near"));
    graph.apply("And", &[&name("above"), &name("near")], &name("are_one"));
    graph.apply("Where", &[&name("are_one"), &name("whole"), from], to);
}

/// What a calibrator makes of a column: `1 / (1 + exp(a x + b))`, or lines.
fn along(calibrator: &Item, graph: &mut GraphWriter, from: &str, to: &str) -> Asked<()> {
    let name = |what: &str| format!("{to}_{what}");
    match &*calibrator.class()?.name {
        "IsotonicRegression" => {
            graph.within(from, WHOLE, &name("finite"));
            interpolated(calibrator, graph, &name("finite"), to)
        }
        "_SigmoidCalibration" => {
            graph.scalar(&name("a"), calibrator.get("a_")?.number()?);
            graph.scalar(&name("b"), calibrator.get("b_")?.number()?);
            graph.scalar(&name("unit"), 1.0);
            graph.apply("Mul", &[from, &name("a")], &name("times_a"));
            graph.apply("Add", &[&name("times_a"), &name("b")], &name("and_b"));
            graph.apply("Exp", &[&name("and_b")], &name("power"));
            graph.apply("Add", &[&name("power"), &name("unit")], &name("denominator"));
            graph.apply("Div", &[&name("unit"), &name("denominator")], to);
            Ok(())
        }
        other => Err(format!("its calibration {other}: importing it is not built yet")),
    }
}

/// A classifier of two classes that chooses the second from its threshold on.
pub(super) fn fixed(fitted: &Fitted, graph: &mut GraphWriter) -> Asked<Takes> {
    if !fitted.item.get("pos_label")?.is_none() {
        return Err("its pos_label: importing it is not built yet".to_owned());
    }
    let threshold = fitted.item.get("threshold")?;
    let threshold = if threshold.text() == Ok("auto") { None } else { Some(threshold.number()?) };
    thresholded(fitted, graph, threshold)
}

/// … whose threshold was chosen so that a score was best.
pub(super) fn tuned(fitted: &Fitted, graph: &mut GraphWriter) -> Asked<Takes> {
    let scorer = fitted.item.get("_curve_scorer")?;
    let score = scorer.get("_score_func")?.named()?;
    // Others have a class that they count as positive.
    if !score.ends_with(".balanced_accuracy_score") && !score.ends_with(".accuracy_score")
        || !scorer.get("_kwargs")?.keys()?.is_empty()
    {
        return Err(format!("its scoring {score}: importing it is not built yet"));
    }
    let threshold = fitted.item.get("best_threshold_")?.number()?;
    thresholded(fitted, graph, Some(threshold))
}

fn thresholded(fitted: &Fitted, graph: &mut GraphWriter, threshold: Option<f64>) -> Asked<Takes> {
    let own = fitted.item.find("estimator_")?.map_or_else(|| fitted.item.get("estimator"), Ok)?;
    let model = Inner::write(&own, fitted, (&fitted.input, fitted.features), (graph, "model"))?;
    let classes = model.classes()?;
    if classes.len() != 2 {
        return Err(model.item.not("a classifier of two classes"));
    }
    let method = fitted.item.get("response_method")?;
    let (probabilities, decision) = (model.find(PROBABILITIES), model.find("decision"));
    let (score, middle) = match (method.text()?, &probabilities, &decision) {
        ("auto" | "predict_proba", Some(table), _) => {
            graph.pick(table, 1, "score");
            ("score", MIDDLE)
        }
        ("auto", None, Some(decision)) | ("decision_function", _, Some(decision)) => (&**decision, 0.0),
        _ => return Err(method.not("a method that its model has")),
    };
    graph.constant("threshold", &Tensor::vector(vec![threshold.unwrap_or(middle)]));
    graph.apply("GreaterOrEqual", &[score, "threshold"], "is_second");
    graph.node(("", "Cast"), &["is_second"], "index", vec![("to", Attribute::Int(INT64))]);
    for (name, output) in [(&probabilities, PROBABILITIES), (&decision, "decision")] {
        if let Some(name) = name {
            graph.apply("Identity", &[name], output);
        }
    }
    graph.classify(classes, 1);
    Ok(takes_of(&[model]))
}
