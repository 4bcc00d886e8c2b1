//! The nearest of some points: clusters by their centres, classes by theirs.

use modelet_core::Tensor;
use modelet_model::onnx::write::GraphWriter;

use super::Takes;
use super::answer::{Answer, turned};
use super::fitted::Fitted;
use super::inner::LIMITED;
use crate::importer::classes::PROBABILITIES;
use crate::pickle::{Asked, Item};

/// KMeans and its like: `argmin(|c|² - 2 x·c)`, the first of equal ones.
pub(super) fn means(fitted: &Fitted, graph: &mut GraphWriter) -> Asked<Takes> {
    let centres = points(&fitted.item.get("cluster_centers_")?, fitted.features)?;
    offset_distances(graph, &fitted.input, &centres, fitted.features)?;
    graph.smallest("distances", "index");
    graph.cluster("index");
    Ok(LIMITED)
}

/// Clusters whose number is that of the nearest centre.
pub(super) fn centres(fitted: &Fitted, graph: &mut GraphWriter) -> Asked<Takes> {
    let centres = fitted.item.find("cluster_centers_")?;
    let centres = centres.ok_or("it was fitted with distances, and answers for no new rows")?;
    nearest(graph, &fitted.input, &points(&centres, fitted.features)?, fitted.features, "index")?;
    graph.cluster("index");
    Ok(LIMITED)
}

/// Birch: the cluster of the nearest centre of a part.
pub(super) fn parts(fitted: &Fitted, graph: &mut GraphWriter) -> Asked<Takes> {
    let centres = points(&fitted.item.get("subcluster_centers_")?, fitted.features)?;
    let clusters = fitted.item.get("subcluster_labels_")?;
    let clusters = clusters.array()?.integers().ok_or_else(|| clusters.not("an array of clusters"))?;
    if clusters.len() * fitted.features != centres.len() {
        return Err("it has not as many centres as clusters of them".to_owned());
    }
    nearest(graph, &fitted.input, &centres, fitted.features, "part")?;
    graph.constant("clusters", &Tensor::vector(clusters));
    graph.apply("Gather", &["clusters", "part"], "index");
    graph.cluster("index");
    Ok(LIMITED)
}

/// Clusters that were halved again and again: at each halving a row goes to the nearer of two centres.
pub(super) fn halved(fitted: &Fitted, graph: &mut GraphWriter) -> Asked<Takes> {
    let offset = fitted.item.find("_X_mean")?.map(|mean| mean.numbers()).transpose()?;
    let mut halves = 0;
    let root = fitted.item.get("_bisecting_tree")?;
    let label = half(&root, (fitted, offset.as_deref()), graph, (0, &mut halves))?;
    graph.repeated(&label, 1, &fitted.input, "labels");
    graph.pick("labels", 0, "index");
    graph.cluster("index");
    Ok(LIMITED)
}

/// Most halvings, and how deep they may lie within each other.
const MAX_HALVES: usize = 1_000;
const MAX_DEPTH: usize = 200;

/// Writes the cluster of each row within a node: as a column, or a constant of one number; returns its name.
fn half(
    node: &Item,
    of: (&Fitted, Option<&[f64]>),
    graph: &mut GraphWriter,
    (depth, halves): (usize, &mut usize),
) -> Asked<String> {
    *halves += 1;
    let name = format!("half{halves}");
    if depth > MAX_DEPTH || *halves > 2 * MAX_HALVES {
        return Err(format!("it has more than {MAX_HALVES} halvings, or {MAX_DEPTH} within each other"));
    }
    let (left, right) = (node.get("left")?, node.get("right")?);
    if left.is_none() {
        graph.constant(&name, &Tensor::vector(vec![node.get("label")?.integer()?]));
        return Ok(name);
    }
    let (fitted, offset) = of;
    let mut centres = left.get("center")?.numbers()?;
    centres.extend(right.get("center")?.numbers()?);
    if centres.len() != 2 * fitted.features || offset.is_some_and(|offset| offset.len() != fitted.features) {
        return Err(node.not("a half with a centre of as many columns as rows have"));
    }
    for (number, offset) in centres.iter_mut().zip(offset.unwrap_or_default().iter().cycle()) {
        *number += offset;
    }
    let mut own = GraphWriter::default();
    offset_distances(&mut own, "rows", &centres, fitted.features)?;
    own.smallest("distances", "nearer");
    graph.put_in(own, &format!("{name}/"), ("rows", &fitted.input));
    let (one, other) =
        (half(&left, of, graph, (depth + 1, halves))?, half(&right, of, graph, (depth + 1, halves))?);
    let column = graph.as_column(&format!("{name}/nearer"));
    graph.constant(&format!("{name}/first"), &Tensor::vector(vec![0_i64]));
    graph.apply("Equal", &[&column, &format!("{name}/first")], &format!("{name}/is_first"));
    graph.apply("Where", &[&format!("{name}/is_first"), &one, &other], &name);
    Ok(name)
}

/// Classes by their centres, where all are equally likely: the nearest, by Euclid.
pub(super) fn classes(fitted: &Fitted, graph: &mut GraphWriter) -> Asked<Takes> {
    let classes = fitted.classes()?;
    let metric = fitted.item.get("metric")?;
    if metric.text()? != "euclidean" {
        return Err(format!("its metric {}: importing it is not built yet", metric.text()?));
    }
    let centres = points(&fitted.item.get("centroids_")?, fitted.features)?;
    if centres.len() != classes.len() * fitted.features {
        return Err(fitted.item.not("fitted with a centre for each class"));
    }
    if fitted.version.minor >= PRIORS_SINCE {
        likelihoods(fitted, graph, &centres, classes.len())?;
    }
    nearest(graph, &fitted.input, &centres, fitted.features, "index")?;
    graph.classify(classes, 0);
    Ok(LIMITED)
}

/// `-|(x - c) / std|² + 2 log(prior)` as logarithms of likelihoods, of equal priors.
fn likelihoods(fitted: &Fitted, graph: &mut GraphWriter, centres: &[f64], classes: usize) -> Asked<()> {
    let priors = fitted.item.get("class_prior_")?.numbers()?;
    let equal = 1.0 / classes as f64;
    // The same as `numpy.isclose`: then the nearest counts.
    if priors.iter().any(|prior| (prior - equal).abs() > 1e-8 + 1e-5 * equal) || priors.len() != classes {
        return Err("its classes are not equally likely: importing it is not built yet".to_owned());
    }
    let widths = fitted.item.get("within_class_std_dev_")?.numbers()?;
    if widths.len() != fitted.features {
        return Err(fitted.item.not("fitted with a width for each column"));
    }
    let widths: Vec<f64> = widths.iter().map(|width| if *width == 0.0 { 1.0 } else { *width }).collect();
    let scaled: Vec<f64> =
        centres.iter().zip(widths.iter().cycle()).map(|(number, width)| number / width).collect();
    graph.constant("widths", &Tensor::vector(widths));
    graph.constant(
        "log_priors",
        &Tensor::vector(priors.iter().map(|prior| 2.0 * prior.ln()).collect::<Vec<_>>()),
    );
    graph.apply("Div", &[&fitted.input, "widths"], "in_widths");
    let mut own = GraphWriter::default();
    squared_distances(&mut own, "rows", &scaled, fitted.features, "squared")?;
    graph.put_in(own, "scaled/", ("rows", "in_widths"));
    graph.apply("Sub", &["log_priors", "scaled/squared"], "scores");
    graph.softmax("scores", PROBABILITIES);
    graph.decision_of_scores("scores", classes);
    Ok(())
}

/// Since this version classes may be more or less likely.
const PRIORS_SINCE: u32 = 6;

/// Writes the index of the point that is nearest to each row, the first of equal ones: by `max(|x|² - 2 x·p + |p|², 0)`.
pub(super) fn nearest(
    graph: &mut GraphWriter,
    input: &str,
    points: &[f64],
    features: usize,
    to: &str,
) -> Asked<()> {
    squared_distances(graph, input, points, features, "squared_distances")?;
    graph.smallest("squared_distances", to);
    Ok(())
}

/// Writes `max(|x|² - 2 x·p + |p|², 0)` for each row and point.
pub(super) fn squared_distances(
    graph: &mut GraphWriter,
    input: &str,
    points: &[f64],
    features: usize,
    to: &str,
) -> Asked<()> {
    offset_distances(graph, input, points, features)?;
    graph.scalar("no_distance", 0.0);
    graph.apply("Mul", &[input, input], "input_squares");
    graph.row_sums("input_squares", "input_norms");
    graph.apply("Add", &["distances", "input_norms"], "whole_distances");
    graph.apply("Max", &["whole_distances", "no_distance"], to);
    Ok(())
}

/// Writes `|p|² - 2 x·p` for each row and point, as `distances`.
fn offset_distances(graph: &mut GraphWriter, input: &str, points: &[f64], features: usize) -> Asked<()> {
    let norm = |point: &[f64]| point.iter().map(|number| number * number).sum::<f64>();
    let norms: Vec<f64> = points.chunks_exact(features).map(norm).collect();
    let doubled: Vec<f64> = points.iter().map(|number| -2.0 * number).collect();
    graph.matrix("doubled_points", [features, norms.len()], turned(&doubled, features))?;
    graph.constant("norms", &Tensor::vector(norms));
    graph.apply("MatMul", &[input, "doubled_points"], "offset_products");
    graph.apply("Add", &["offset_products", "norms"], "distances");
    Ok(())
}

/// Points, row by row; at least one.
pub(super) fn points(item: &Item, features: usize) -> Asked<Vec<f64>> {
    let numbers = item.numbers()?;
    match *item.array()?.shape.as_slice() {
        [rows, columns] if rows > 0 && columns == features => Ok(numbers),
        _ => Err(item.not("an array of points of as many columns as rows have")),
    }
}
