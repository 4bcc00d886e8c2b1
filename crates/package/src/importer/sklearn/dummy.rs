//! Models that answer the same whatever they are asked.

use modelet_core::Tensor;
use modelet_model::onnx::write::GraphWriter;

use super::Takes;
use super::answer::Answer;
use super::fitted::Fitted;
use crate::importer::classes::PROBABILITIES;
use crate::pickle::Asked;

pub(super) fn regressor(fitted: &Fitted, graph: &mut GraphWriter) -> Asked<Takes> {
    let numbers = fitted.item.get("constant_")?.numbers()?;
    let width = numbers.len();
    graph.constant("constants", &Tensor::vector(numbers));
    graph.repeated("constants", width, &fitted.input, "table");
    graph.predict("table", width);
    Ok(None)
}

pub(super) fn classifier(fitted: &Fitted, graph: &mut GraphWriter) -> Asked<Takes> {
    if fitted.item.get("n_outputs_")?.count()? != 1 {
        return Err("it answers with several labels for each row, each the same whatever the row".to_owned());
    }
    let classes = fitted.classes()?;
    let shares = fitted.item.get("class_prior_")?;
    let mut numbers = shares.numbers()?;
    if numbers.len() != classes.len() {
        return Err(shares.not("a share for each class"));
    }
    let largest = (1..numbers.len()).fold(0, |best, at| if numbers[at] > numbers[best] { at } else { best });
    match fitted.item.get("_strategy")?.text()? {
        "prior" => {}
        "most_frequent" => {
            numbers.fill(0.0);
            numbers[largest] = 1.0;
        }
        "stratified" | "uniform" => return Err("it answers at random (its strategy)".to_owned()),
        other => return Err(format!("its strategy {other}: importing it is not built yet")),
    }
    graph.constant("shares", &Tensor::vector(numbers));
    graph.repeated("shares", classes.len(), &fitted.input, PROBABILITIES);
    classes.choose(graph);
    Ok(None)
}
