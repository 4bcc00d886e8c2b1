//! `MLP*`: layers of products and a function.

use modelet_core::Tensor;
use modelet_model::onnx::write::GraphWriter;

use super::Takes;
use super::answer::Answer;
use super::fitted::Fitted;
use super::inner::LIMITED;
use super::outputs;
use crate::importer::classes::{Classes, PROBABILITIES};
use crate::pickle::Asked;

/// What a probability is compared with.
const MIDDLE: f64 = 0.5;

pub(super) fn classifier(fitted: &Fitted, graph: &mut GraphWriter) -> Asked<Takes> {
    let binarizer = fitted.item.get("_label_binarizer")?;
    let width = layers(fitted, graph)?;
    let activation = fitted.item.get("out_activation_")?;
    if binarizer.get("y_type_")?.text()?.starts_with("multilabel") {
        if activation.text()? != "logistic" {
            return Err(activation.not("what a net of several labels ends with"));
        }
        graph.logistic("sums", PROBABILITIES);
        outputs::flags(PROBABILITIES, MIDDLE, width, graph);
        outputs::of_each_label(PROBABILITIES, width, graph);
        return Ok(LIMITED);
    }
    let classes = Classes::read(&binarizer.get("classes_")?)?;
    match (activation.text()?, width) {
        ("logistic", 1) if classes.len() == 2 => {
            graph.logistic("sums", "second");
            graph.two_probabilities("second");
            graph.pick("second", 0, "score");
            graph.is_above("score", MIDDLE, "index");
        }
        ("softmax", width) if classes.len() == width => {
            graph.softmax("sums", PROBABILITIES);
            graph.largest(PROBABILITIES, "index");
        }
        _ => return Err(fitted.item.not("a net with an output for each class")),
    }
    classes.write(graph, "index");
    Ok(LIMITED)
}

pub(super) fn regressor(fitted: &Fitted, graph: &mut GraphWriter) -> Asked<Takes> {
    let width = layers(fitted, graph)?;
    match fitted.item.get("out_activation_")?.text()? {
        "identity" => graph.predict("sums", width),
        other => return Err(format!("its output goes through {other}, which cannot be imported yet")),
    }
    Ok(LIMITED)
}

/// Writes all layers, the last one without its function; returns how many numbers it gives.
fn layers(fitted: &Fitted, graph: &mut GraphWriter) -> Asked<usize> {
    let (weights, biases) = (fitted.item.get("coefs_")?.items()?, fitted.item.get("intercepts_")?.items()?);
    let activation = fitted.item.get("activation")?;
    let (mut input, mut width) = (fitted.input.clone(), fitted.features);
    for (layer, (matrix, added)) in weights.iter().zip(&biases).enumerate() {
        let name = |what: &str| format!("{what}{layer}");
        let shape = matrix.array()?.shape;
        let &[rows, columns] = shape.as_slice() else { return Err(matrix.not("a matrix")) };
        let numbers = added.numbers()?;
        if rows != width || numbers.len() != columns {
            return Err(matrix.not("a layer that fits to the one before"));
        }
        let is_last = layer + 1 == weights.len();
        let sums = if is_last { "sums".to_owned() } else { name("sums") };
        graph.matrix(&name("weights"), [rows, columns], matrix.numbers()?)?;
        graph.constant(&name("biases"), &Tensor::vector(numbers));
        graph.apply("MatMul", &[&input, &name("weights")], &name("products"));
        graph.apply("Add", &[&name("products"), &name("biases")], &sums);
        (input, width) = (name("layer"), columns);
        let op = match activation.text()? {
            "identity" => "Identity",
            "logistic" => "Sigmoid",
            "tanh" => "Tanh",
            "relu" => "Relu",
            _ => return Err(activation.not("a function that is known")),
        };
        if !is_last {
            graph.apply(op, &[&sums], &input);
        }
    }
    if weights.is_empty() || weights.len() != biases.len() {
        return Err(fitted.item.not("a net whose parts fit together"));
    }
    Ok(width)
}
