//! The nearest of some points: clusters by their centres, classes by theirs.

use modelet_core::Tensor;
use modelet_model::onnx::write::GraphWriter;

use super::Takes;
use super::answer::{Answer, turned};
use super::fitted::Fitted;
use super::inner::LIMITED;
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
