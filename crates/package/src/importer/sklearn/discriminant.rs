//! Quadratic discriminants: distances to the means of the classes, in the axes and widths of each.

use modelet_core::Tensor;
use modelet_model::onnx::write::GraphWriter;

use super::Takes;
use super::answer::Answer;
use super::fitted::Fitted;
use super::inner::LIMITED;
use super::sums::numpy_sum;
use crate::importer::classes::PROBABILITIES;
use crate::pickle::Asked;

/// `-(|(x - mean) R S^(-1/2)|² + sum(log S)) / 2 + log(prior)`
pub(super) fn quadratic(fitted: &Fitted, graph: &mut GraphWriter) -> Asked<Takes> {
    let classes = fitted.classes()?;
    let means = fitted.item.get("means_")?;
    means.is_double()?;
    let (numbers, features) = (means.numbers()?, fitted.features);
    if means.array()?.shape != [classes.len(), features] {
        return Err(means.not("a mean for each class and column"));
    }
    let (rotations, scalings) =
        (fitted.item.get("rotations_")?.items()?, fitted.item.get("scalings_")?.items()?);
    let priors = fitted.item.get("priors_")?.numbers()?;
    if [rotations.len(), scalings.len(), priors.len()] != [classes.len(); 3] {
        return Err("it has not as many axes, widths and shares as classes".to_owned());
    }
    let (mut norms, mut logs) = (Vec::new(), Vec::new());
    for (class, mean) in numbers.chunks_exact(features).enumerate() {
        let (axes, widths) = (rotations[class].numbers()?, scalings[class].numbers()?);
        let rank = widths.len();
        if rank == 0 || rotations[class].array()?.shape != [features, rank] {
            return Err(rotations[class].not("an axis for each width"));
        }
        let scaled = axes.iter().enumerate().map(|(at, axis)| axis * widths[at % rank].powf(-0.5)).collect();
        let name = |what: &str| format!("{what}{class}");
        graph.constant(&name("mean"), &Tensor::vector(mean.to_vec()));
        graph.matrix(&name("axes"), [features, rank], scaled)?;
        graph.apply("Sub", &[&fitted.input, &name("mean")], &name("apart"));
        graph.apply("MatMul", &[&name("apart"), &name("axes")], &name("along"));
        graph.apply("Mul", &[&name("along"), &name("along")], &name("squares"));
        graph.row_sums(&name("squares"), &name("norm"));
        norms.push(name("norm"));
        logs.push(numpy_sum(&widths.iter().map(|width| width.ln()).collect::<Vec<_>>()));
    }
    graph.beside(&norms.iter().map(String::as_str).collect::<Vec<_>>(), "norms");
    graph.constant("widths", &Tensor::vector(logs));
    graph.constant("log_priors", &Tensor::vector(priors.iter().map(|prior| prior.ln()).collect::<Vec<_>>()));
    graph.scalar("minus_half", -0.5);
    graph.apply("Add", &["norms", "widths"], "with_widths");
    graph.apply("Mul", &["with_widths", "minus_half"], "given_class");
    graph.apply("Add", &["given_class", "log_priors"], "scores");
    graph.largest("scores", "index");
    graph.softmax("scores", PROBABILITIES);
    graph.decision_of_scores("scores", classes.len());
    classes.write(graph, "index");
    Ok(LIMITED)
}
