//! Gaussian mixtures: the component that a row most likely comes from, and how likely each is.

use modelet_core::Tensor;
use modelet_model::onnx::write::{Attribute, GraphWriter};

use super::Takes;
use super::answer::{Answer, turned};
use super::fitted::Fitted;
use super::inner::LIMITED;
use super::sums::{digamma, numpy_sum};
use crate::importer::classes::Classes;
use crate::pickle::Asked;

pub(super) fn gaussian(fitted: &Fitted, graph: &mut GraphWriter) -> Asked<Takes> {
    let weights = fitted.item.get("weights_")?.numbers()?;
    let added = weights.iter().map(|weight| weight.ln()).collect();
    written(fitted, graph, added)
}

/// … whose weights and widths are themselves distributed: what is expected of their logarithms is added.
pub(super) fn bayesian(fitted: &Fitted, graph: &mut GraphWriter) -> Asked<Takes> {
    let weights = log_weights(fitted)?;
    let numbers = |name: &str| fitted.item.get(name)?.numbers();
    let degrees = fitted.item.get("degrees_of_freedom_")?;
    // Components that share their widths have one number for all.
    let degrees = degrees.number().map(|all| vec![all; weights.len()]).or_else(|_| degrees.numbers())?;
    let precisions = numbers("mean_precision_")?;
    if degrees.len() != weights.len() || precisions.len() != weights.len() {
        return Err(fitted.item.not("a mixture whose parts fit together"));
    }
    let features = fitted.features as f64;
    let added = weights.iter().zip(degrees.iter().zip(&precisions)).map(|(weight, (degrees, precision))| {
        let each = (0..fitted.features).map(|column| digamma(0.5 * (degrees - column as f64)));
        let log_lambda = features * 2.0_f64.ln() + each.sum::<f64>();
        -0.5 * features * degrees.ln() + 0.5 * (log_lambda - features / precision) + weight
    });
    let added = added.collect();
    written(fitted, graph, added)
}

fn log_weights(fitted: &Fitted) -> Asked<Vec<f64>> {
    let item = fitted.item.get("weight_concentration_")?;
    if fitted.item.get("weight_concentration_prior_type")?.text()? != "dirichlet_process" {
        let all = item.numbers()?;
        let sum = digamma(numpy_sum(&all));
        return Ok(all.iter().map(|one| digamma(*one) - sum).collect());
    }
    let [a, b] = &item.items()?[..] else { return Err(item.not("two arrays")) };
    let (a, b) = (a.numbers()?, b.numbers()?);
    let mut before = 0.0;
    let mut logs = Vec::new();
    for (a, b) in a.iter().zip(&b) {
        let sum = digamma(a + b);
        logs.push(digamma(*a) - sum + before);
        before += digamma(*b) - sum;
    }
    Ok(logs)
}

/// `-(n log(2π) + |(x - mean) P|²) / 2 + log |P|`, and what is added for each component; P is the root of its precision.
fn written(fitted: &Fitted, graph: &mut GraphWriter, added: Vec<f64>) -> Asked<Takes> {
    let (count, features) = (added.len(), fitted.features);
    let means = fitted.item.get("means_")?;
    means.is_double()?;
    if count == 0 || means.array()?.shape != [count, features] {
        return Err(means.not("a mean for each component and column"));
    }
    let logs = match fitted.item.get("covariance_type")?.text()? {
        "full" | "tied" => rotated(fitted, graph, &means.numbers()?, count)?,
        "diag" | "spherical" => scaled(fitted, graph, &means.numbers()?, count)?,
        other => return Err(format!("its covariance_type {other} is not known")),
    };
    graph.scalar("constant", features as f64 * (2.0 * std::f64::consts::PI).ln());
    graph.scalar("minus_half", -0.5);
    graph.constant("log_determinants", &Tensor::vector(logs));
    graph.constant("added", &Tensor::vector(added));
    graph.apply("Add", &["distances", "constant"], "with_constant");
    graph.apply("Mul", &["with_constant", "minus_half"], "halves");
    graph.apply("Add", &["halves", "log_determinants"], "log_densities");
    graph.apply("Add", &["log_densities", "added"], "joint");
    graph.posterior("joint");
    Classes::indices(count).write(graph, "index");
    Ok(LIMITED)
}

/// Distances to means along axes, of each component or of all; returns the logarithms of the determinants.
fn rotated(fitted: &Fitted, graph: &mut GraphWriter, means: &[f64], count: usize) -> Asked<Vec<f64>> {
    let features = fitted.features;
    let item = fitted.item.get("precisions_cholesky_")?;
    let size = features * features;
    let mut roots = item.numbers()?;
    if roots.len() == size && count > 1 {
        roots = roots.repeat(count);
    }
    if roots.len() != size * count {
        return Err(item.not("a matrix for each component"));
    }
    // All matrices side by side, and what they make of the means.
    let mut beside = vec![0.0; size * count];
    let mut centres = vec![0.0; count * features];
    let mut logs = Vec::new();
    for (component, root) in roots.chunks_exact(size).enumerate() {
        let mean = &means[component * features..(component + 1) * features];
        for row in 0..features {
            for column in 0..features {
                let number = root[row * features + column];
                beside[row * features * count + component * features + column] = number;
                centres[component * features + column] += mean[row] * number;
            }
        }
        let diagonal: Vec<f64> = (0..features).map(|at| root[at * features + at].ln()).collect();
        logs.push(numpy_sum(&diagonal));
    }
    graph.matrix("roots", [features, features * count], beside)?;
    graph.constant("centres", &Tensor::vector(centres));
    graph.constant("by_component", &Tensor::vector(vec![-1_i64, count as i64, features as i64]));
    graph.constant("along_axes", &Tensor::vector(vec![2_i64]));
    graph.apply("MatMul", &[&fitted.input, "roots"], "rotated");
    graph.apply("Sub", &["rotated", "centres"], "apart");
    graph.apply("Mul", &["apart", "apart"], "squares");
    graph.apply("Reshape", &["squares", "by_component"], "component_squares");
    let flat = vec![("keepdims", Attribute::Int(0))];
    graph.node(("", "ReduceSum"), &["component_squares", "along_axes"], "distances", flat);
    Ok(logs)
}

/// Distances in widths of each column, or of all columns: `sum(m² p) - 2 x·(m p) + x²·p`.
fn scaled(fitted: &Fitted, graph: &mut GraphWriter, means: &[f64], count: usize) -> Asked<Vec<f64>> {
    let features = fitted.features;
    let item = fitted.item.get("precisions_cholesky_")?;
    let roots = item.numbers()?;
    let is_round = roots.len() == count && item.array()?.shape.len() == 1;
    if !is_round && roots.len() != count * features {
        return Err(item.not("a number for each component and column"));
    }
    let roots = if is_round { roots.iter().flat_map(|root| vec![*root; features]).collect() } else { roots };
    let precisions: Vec<f64> = roots.iter().map(|root| root * root).collect();
    let both = || means.iter().zip(&precisions);
    let products: Vec<f64> = both().map(|(mean, precision)| mean * precision).collect();
    let squares: Vec<f64> = both().map(|(mean, precision)| mean * mean * precision).collect();
    graph.constant(
        "starts",
        &Tensor::vector(squares.chunks_exact(features).map(numpy_sum).collect::<Vec<_>>()),
    );
    graph.matrix("products", [features, count], turned(&products, features))?;
    graph.matrix("precisions", [features, count], turned(&precisions, features))?;
    graph.scalar("two", 2.0);
    graph.apply("MatMul", &[&fitted.input, "products"], "scaled");
    graph.apply("Mul", &["scaled", "two"], "twice");
    graph.apply("Mul", &[&fitted.input, &fitted.input], "input_squares");
    graph.apply("MatMul", &["input_squares", "precisions"], "ends");
    graph.apply("Sub", &["starts", "twice"], "less");
    graph.apply("Add", &["less", "ends"], "distances");
    let logs = roots.chunks_exact(features).map(|roots| {
        if is_round {
            features as f64 * roots[0].ln()
        } else {
            numpy_sum(&roots.iter().map(|root| root.ln()).collect::<Vec<_>>())
        }
    });
    Ok(logs.collect())
}
