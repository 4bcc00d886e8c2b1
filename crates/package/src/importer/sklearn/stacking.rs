//! Models whose answers are what another model sees.

use modelet_model::onnx::write::GraphWriter;

use super::Takes;
use super::answer::Answer;
use super::fitted::Fitted;
use super::guests;
use super::inner::{Inner, both, takes_of, write_all};
use super::rows::Rows;
use crate::importer::classes::PROBABILITIES;
use crate::pickle::{Asked, Item};

/// Modules of models whose answers do not depend on whether numbers that float32 has come in float32 or in float64.
const TAKE_SINGLE: &[&str] = &[
    "sklearn.linear_model._",
    "sklearn.tree.",
    "sklearn.ensemble._forest",
    "sklearn.ensemble._gb",
    "sklearn.ensemble._hist_gradient_boosting",
];

pub(super) fn classifier(fitted: &Fitted, graph: &mut GraphWriter) -> Asked<Takes> {
    let classes = fitted.classes()?;
    let (last, takes) = stacked(fitted, graph)?;
    let own = last.classes()?;
    if !own.are_indices() || own.len() != classes.len() {
        return Err(last.item.not("a model of the numbers of the classes"));
    }
    graph.apply("Identity", &[&last.get("index")?], "index");
    for output in [PROBABILITIES, "decision"] {
        if let Some(name) = last.find(output) {
            graph.apply("Identity", &[&name], output);
        }
    }
    let decisions = if classes.len() == 2 { 1 } else { classes.len() };
    graph.classify(classes, decisions);
    Ok(takes)
}

pub(super) fn regressor(fitted: &Fitted, graph: &mut GraphWriter) -> Asked<Takes> {
    let (last, takes) = stacked(fitted, graph)?;
    let (table, width) = last.table(graph)?;
    match last.width {
        Some(_) => graph.predict_table(&table, width),
        None => graph.predict(&table, 1),
    }
    Ok(takes)
}

/// Writes the models and the last one, which sees their answers, and perhaps the rows beside them.
fn stacked<'a>(fitted: &Fitted<'a>, graph: &mut GraphWriter) -> Asked<(Inner<'a>, Takes)> {
    let models = write_all(&fitted.item.get("estimators_")?.items()?, fitted, graph)?;
    let methods = fitted.item.get("stack_method_")?.items()?;
    if methods.len() != models.len() {
        return Err("it has not as many methods as models".to_owned());
    }
    let (mut tables, mut columns) = (Vec::new(), 0);
    for (model, method) in models.iter().zip(&methods) {
        let (name, width) = seen(model, method.text()?, graph)?;
        tables.push(name);
        columns += width;
    }
    let passes = fitted.item.get("passthrough")?.flag()?;
    if passes {
        tables.push(fitted.input.clone());
        columns += fitted.features;
    }
    graph.beside(&tables.iter().map(String::as_str).collect::<Vec<_>>(), "seen");
    let last = fitted.item.get("final_estimator_")?;
    if !passes && models.iter().all(Inner::is_single) {
        takes_single(&last)?;
    }
    // Beside a sparse matrix of rows, what the models say loses its zeros, too.
    let rows = if passes { fitted.rows } else { Rows::All };
    let around = Fitted { rows, ..fitted.clone() };
    let last = Inner::write(&last, &around, ("seen", columns), (graph, "last"))?;
    let takes = takes_of(&models);
    let takes = if passes { both(takes, last.takes) } else { takes };
    Ok((last, takes))
}

/// Refuses a last model that sees nothing but float32 numbers and would compute something else of them than of float64 ones: trees
/// compare the same numbers, and sums of linear models differ by what rounding leaves open anyway.
fn takes_single(last: &Item) -> Asked<()> {
    let module = last.class()?.module;
    match TAKE_SINGLE.iter().any(|known| module.starts_with(known)) || guests::is_guest(last)? {
        true => Ok(()),
        false => Err(last.not(
            "a model of which is known what it makes of float32 numbers, which all of those before it give",
        )),
    }
}

/// What the last model sees of a model: a table, and how many columns it has.
fn seen(model: &Inner, method: &str, graph: &mut GraphWriter) -> Asked<(String, usize)> {
    match method {
        "predict_proba" => {
            let (name, classes) = (model.get(PROBABILITIES)?, model.classes()?.len());
            if classes != 2 {
                return Ok((name, classes));
            }
            let second = format!("{name}_of_second");
            graph.columns(&name, &[1], &second);
            Ok((second, 1))
        }
        "decision_function" => {
            let (name, classes) = (model.get("decision")?, model.classes()?.len());
            if classes == 2 { Ok((graph.as_column(&name), 1)) } else { Ok((name, classes)) }
        }
        "predict" => match model.find("index") {
            None => model.table(graph),
            Some(index) if model.classes()?.are_indices() => {
                let column = graph.as_column(&index);
                let numbers = format!("{column}_numbers");
                graph.as_numbers(&column, &numbers);
                Ok((numbers, 1))
            }
            Some(_) => Err(model.item.not("a model of the numbers of the classes")),
        },
        _ => Err(model.item.not("asked for something that is known")),
    }
}
