//! Naive Bayes: logarithms of likelihoods that are added up over the columns.

use modelet_core::Tensor;
use modelet_model::onnx::write::{Attribute, GraphWriter};

use super::Takes;
use super::answer::{Answer, DOUBLE, turned};
use super::fitted::Fitted;
use super::inner::LIMITED;
use super::sums::numpy_sum;
use crate::pickle::Asked;

/// The logarithms of likelihoods of each class.
const JOINT: &str = "joint";

/// `log(prior) - sum(log(2π var)) / 2 - sum((x - mean)² / var) / 2`
pub(super) fn gaussian(fitted: &Fitted, graph: &mut GraphWriter) -> Asked<Takes> {
    let classes = fitted.classes()?;
    let (count, features) = (classes.len(), fitted.features);
    fitted.item.get("theta_")?.is_double()?;
    let table = |name: &str| table(fitted, name, count);
    let (means, variances) = (table("theta_")?, table("var_")?);
    let priors = priors(fitted, "class_prior_", count)?;
    let constants = priors.iter().zip(variances.chunks_exact(features)).map(|(prior, variances)| {
        let logs: Vec<f64> = variances.iter().map(|var| (2.0 * std::f64::consts::PI * var).ln()).collect();
        (prior.ln(), -0.5 * numpy_sum(&logs))
    });
    let (logs, widths): (Vec<_>, Vec<_>) = constants.unzip();
    graph.matrix("means", [count, features], means)?;
    graph.matrix("variances", [count, features], variances)?;
    graph.constant("log_priors", &Tensor::vector(logs));
    graph.constant("widths", &Tensor::vector(widths));
    graph.scalar("half", 0.5);
    graph.constant("class_axis", &Tensor::vector(vec![1_i64]));
    graph.constant("column_axis", &Tensor::vector(vec![2_i64]));
    graph.apply("Unsqueeze", &[&fitted.input, "class_axis"], "for_each_class");
    graph.apply("Sub", &["for_each_class", "means"], "apart");
    graph.apply("Mul", &["apart", "apart"], "squares");
    graph.apply("Div", &["squares", "variances"], "in_widths");
    let keep = vec![("keepdims", Attribute::Int(0))];
    graph.node(("", "ReduceSum"), &["in_widths", "column_axis"], "distances", keep);
    graph.apply("Mul", &["distances", "half"], "halves");
    graph.apply("Sub", &["widths", "halves"], "given_class");
    graph.apply("Add", &["log_priors", "given_class"], JOINT);
    graph.posterior(JOINT);
    classes.write(graph, "index");
    Ok(LIMITED)
}

pub(super) fn multinomial(fitted: &Fitted, graph: &mut GraphWriter) -> Asked<Takes> {
    let classes = fitted.classes()?;
    let weights = table(fitted, "feature_log_prob_", classes.len())?;
    let added = priors(fitted, "class_log_prior_", classes.len())?;
    joint(fitted, graph, &fitted.input, &weights, Some(added))?;
    classes.write(graph, "index");
    Ok(LIMITED)
}

pub(super) fn complement(fitted: &Fitted, graph: &mut GraphWriter) -> Asked<Takes> {
    let classes = fitted.classes()?;
    let weights = table(fitted, "feature_log_prob_", classes.len())?;
    joint(fitted, graph, &fitted.input, &weights, None)?;
    classes.write(graph, "index");
    Ok(LIMITED)
}

pub(super) fn bernoulli(fitted: &Fitted, graph: &mut GraphWriter) -> Asked<Takes> {
    let classes = fitted.classes()?;
    let logs = table(fitted, "feature_log_prob_", classes.len())?;
    let absent: Vec<f64> = logs.iter().map(|log| (1.0 - log.exp()).ln()).collect();
    let weights: Vec<f64> = logs.iter().zip(&absent).map(|(present, absent)| present - absent).collect();
    let priors = priors(fitted, "class_log_prior_", classes.len())?;
    let sums = absent.chunks_exact(fitted.features).map(numpy_sum);
    let added = priors.iter().zip(sums).map(|(prior, sum)| prior + sum).collect();
    let border = fitted.item.get("binarize")?;
    let input = if border.is_none() {
        fitted.input.clone()
    } else {
        graph.scalar("border", border.number()?);
        graph.apply("Greater", &[&fitted.input, "border"], "are_present");
        graph.node(("", "Cast"), &["are_present"], "presence", vec![("to", Attribute::Int(DOUBLE))]);
        "presence".to_owned()
    };
    joint(fitted, graph, &input, &weights, Some(added))?;
    classes.write(graph, "index");
    Ok(LIMITED)
}

/// Products with weights, a row of them for each class, and what is added to them.
fn joint(
    fitted: &Fitted,
    graph: &mut GraphWriter,
    input: &str,
    weights: &[f64],
    added: Option<Vec<f64>>,
) -> Asked<()> {
    let (features, classes) = (fitted.features, weights.len() / fitted.features);
    graph.matrix("weights", [features, classes], turned(weights, features))?;
    match added {
        Some(added) => {
            graph.constant("added", &Tensor::vector(added));
            graph.apply("MatMul", &[input, "weights"], "products");
            graph.apply("Add", &["products", "added"], JOINT);
        }
        None => graph.apply("MatMul", &[input, "weights"], JOINT),
    }
    graph.posterior(JOINT);
    Ok(())
}

/// A number for each class and column.
fn table(fitted: &Fitted, name: &str, classes: usize) -> Asked<Vec<f64>> {
    let item = fitted.item.get(name)?;
    if item.array()?.shape != [classes, fitted.features] {
        return Err(item.not("an array of a number for each class and column"));
    }
    finite_numbers(&item)
}

/// A number for each class.
fn priors(fitted: &Fitted, name: &str, classes: usize) -> Asked<Vec<f64>> {
    let item = fitted.item.get(name)?;
    let numbers = item.numbers()?;
    if numbers.len() == classes { Ok(numbers) } else { Err(item.not("an array of a number for each class")) }
}

/// Numbers of which none is infinite: with those, products are no numbers, and no label follows from them.
fn finite_numbers(item: &crate::pickle::Item) -> Asked<Vec<f64>> {
    let numbers = item.numbers()?;
    if numbers.iter().all(|number| number.is_finite()) {
        Ok(numbers)
    } else {
        Err(item.not("an array of finite numbers (smoothing may be too weak)"))
    }
}
