//! A model for each output, apart or in a chain in which each sees what those before it said.

use modelet_core::{DType, Dim, Tensor};
use modelet_model::onnx::write::GraphWriter;

use super::Takes;
use super::answer::Answer;
use super::fitted::Fitted;
use super::inner::{Inner, MAX_MODELS, finite, takes_of, write_all};
use super::voting::indices;
use crate::importer::classes::{Classes, LABEL, PROBABILITIES};
use crate::pickle::{Asked, Item};

pub(super) fn regressors(fitted: &Fitted, graph: &mut GraphWriter) -> Asked<Takes> {
    let models = write_all(&fitted.item.get("estimators_")?.items()?, fitted, graph)?;
    let columns = models.iter().map(|model| column(model, graph)).collect::<Asked<Vec<_>>>()?;
    graph.beside(&columns.iter().map(String::as_str).collect::<Vec<_>>(), "table");
    graph.predict_table("table", columns.len());
    Ok(takes_of(&models))
}

pub(super) fn regressor_chain(fitted: &Fitted, graph: &mut GraphWriter) -> Asked<Takes> {
    let (models, columns, order) = chain(fitted, graph)?;
    graph.beside(&columns.iter().map(String::as_str).collect::<Vec<_>>(), "chain");
    graph.columns("chain", &order, "table");
    graph.predict_table("table", columns.len());
    Ok(finite(takes_of(&models)))
}

/// Labels as numbers, and the probability of the second class of each output, where each has two.
pub(super) fn classifier_chain(fitted: &Fitted, graph: &mut GraphWriter) -> Asked<Takes> {
    let (models, columns, order) = chain(fitted, graph)?;
    graph.beside(&columns.iter().map(String::as_str).collect::<Vec<_>>(), "chain");
    graph.columns("chain", &order, LABEL);
    graph.output(LABEL, DType::F64, &table(columns.len()));
    let of_two =
        |model: &Inner| model.find(PROBABILITIES).filter(|_| model.classes().is_ok_and(|own| own.len() == 2));
    let all: Option<Vec<_>> = models.iter().map(of_two).collect();
    if let Some(all) = all {
        let mut columns = Vec::new();
        for table in &all {
            columns.push(format!("{table}_of_second"));
            graph.columns(table, &[1], columns.last().unwrap_or(table));
        }
        graph.beside(&columns.iter().map(String::as_str).collect::<Vec<_>>(), "of_second");
        graph.columns("of_second", &order, PROBABILITIES);
        of_each_label(PROBABILITIES, order.len(), graph);
    }
    Ok(finite(takes_of(&models)))
}

/// Models that each see the rows and what the models before them said, the columns that they make, and in which order those
/// are the outputs.
fn chain<'a>(
    fitted: &Fitted<'a>,
    graph: &mut GraphWriter,
) -> Asked<(Vec<Inner<'a>>, Vec<String>, Vec<usize>)> {
    let said = fitted.item.find("chain_method_")?;
    if said.is_some_and(|method| method.text() != Ok("predict")) {
        return Err("its models see more than what those before them predict: importing it is not built yet"
            .to_owned());
    }
    let items = fitted.item.get("estimators_")?.items()?;
    let place = fitted.item.get("order_")?;
    let of_list = || {
        let counts = place.items()?.iter().map(Item::count).collect::<Asked<Vec<_>>>()?;
        let is_within = counts.iter().all(|at| *at < items.len());
        if is_within { Ok(counts) } else { Err(place.not("an order")) }
    };
    let places = if place.array().is_ok() { indices(&place, items.len())? } else { of_list()? };
    if places.len() != items.len() || items.is_empty() || items.len() > MAX_MODELS {
        return Err(place.not("an order of its models"));
    }
    let mut order = vec![items.len(); items.len()];
    for (at, output) in places.iter().enumerate() {
        order[*output] = at;
    }
    if order.contains(&items.len()) {
        return Err(place.not("an order of its models"));
    }
    let (mut models, mut columns) = (Vec::<Inner>::new(), Vec::<String>::new());
    for (number, item) in items.iter().enumerate() {
        let name = format!("seen{number}");
        let before = columns.iter().map(String::as_str);
        graph.beside(&std::iter::once(&*fitted.input).chain(before).collect::<Vec<_>>(), &name);
        let width = fitted.features + number;
        let model = Inner::write(item, fitted, (&name, width), (&mut *graph, &format!("model{number}")))?;
        columns.push(column(&model, graph)?);
        models.push(model);
    }
    Ok((models, columns, order))
}

/// What a model predicts, as a column of numbers.
fn column(model: &Inner, graph: &mut GraphWriter) -> Asked<String> {
    let Some(index) = model.find("index") else {
        return match model.table(graph)? {
            (name, 1) => Ok(name),
            _ => Err(model.item.not("a model of one number")),
        };
    };
    let numbers =
        model.classes()?.numbers().ok_or_else(|| model.item.not("a model whose classes are numbers"))?;
    let column = graph.as_column(&index);
    let (classes, to) = (format!("{column}_classes"), format!("{column}_labels"));
    graph.constant(&classes, &Tensor::vector(numbers));
    graph.apply("Gather", &[&classes, &column], &to);
    Ok(to)
}

/// A classifier for each output, whose classes are of one kind; its probabilities are tables of several sizes, and not given.
pub(super) fn classifiers(fitted: &Fitted, graph: &mut GraphWriter) -> Asked<Takes> {
    let models = write_all(&fitted.item.get("estimators_")?.items()?, fitted, graph)?;
    let mut chosen = Vec::new();
    for model in &models {
        chosen.push((model.classes()?, model.get("index")?));
    }
    labels(chosen, graph)?;
    Ok(takes_of(&models))
}

/// Writes the label of each output side by side: of its classes the one at its index.
pub(super) fn labels(chosen: Vec<(Classes, String)>, graph: &mut GraphWriter) -> Asked<()> {
    let dtype = chosen.first().ok_or("it has no outputs")?.0.dtype();
    let mut columns = Vec::new();
    for (classes, index) in chosen {
        if classes.dtype() != dtype {
            return Err("its labels are of several types".to_owned());
        }
        let column = graph.as_column(&index);
        let (names, to) = (format!("{column}_classes"), format!("{column}_labels"));
        classes.constant(graph, &names);
        graph.apply("Gather", &[&names, &column], &to);
        columns.push(to);
    }
    graph.beside(&columns.iter().map(String::as_str).collect::<Vec<_>>(), LABEL);
    graph.output(LABEL, dtype, &table(columns.len()));
    Ok(())
}

/// Writes a label for each score of a table: 1 where it is above a threshold, else 0.
pub(super) fn flags(scores: &str, threshold: f64, width: usize, graph: &mut GraphWriter) {
    graph.is_above(scores, threshold, LABEL);
    graph.output(LABEL, DType::I64, &table(width));
}

/// Writes a number for each label.
pub(super) fn of_each_label(output: &str, width: usize, graph: &mut GraphWriter) {
    graph.output(output, DType::F64, &table(width));
}

fn table(width: usize) -> [Dim; 2] {
    [Dim::Named("rows".to_owned()), Dim::Fixed(width)]
}
