//! What tells rows inside of what was seen from those outside: by how soon trees are done with them, or how far they are off.

use modelet_core::{DType, Numbers, Tensor};
use modelet_model::onnx::write::GraphWriter;

use super::Takes;
use super::answer::Answer;
use super::fitted::Fitted;
use super::inner::LIMITED;
use super::tree::{SavedTree, check_size, rounded};
use super::voting::indices;
use crate::importer::ensemble::{Ensemble, Node};
use crate::pickle::Asked;

/// The Euler-Mascheroni constant.
const EULER: f64 = 0.577_215_664_901_532_9;

/// `-2 ^ -(sum of depths / (trees * usual depth)) - offset`
pub(super) fn forest(fitted: &Fitted, graph: &mut GraphWriter) -> Asked<Takes> {
    let item = &fitted.item;
    let (models, columns) = (item.get("estimators_")?.items()?, item.get("estimators_features_")?.items()?);
    if models.is_empty() || models.len() != columns.len() {
        return Err(item.not("a forest whose parts fit together"));
    }
    let mut trees = Vec::new();
    let mut nodes = 0;
    for (model, columns) in models.iter().zip(&columns) {
        let which = indices(columns, fitted.features)?;
        let mut saved = SavedTree::read(model)?;
        nodes += saved.len();
        check_size(nodes, 1)?;
        saved.become_depths(&model.get("tree_")?, usual_depth)?;
        let mut tree = saved.of(0, 0, |depth| depth)?;
        for node in &mut tree.nodes {
            if let Node::Split { feature, .. } = node {
                *feature = *which.get(*feature).ok_or_else(|| model.not("a tree of its columns"))?;
            }
        }
        trees.push(tree);
    }
    let rows = item.get("max_samples_")?.count()?;
    let whole = models.len() as f64 * usual_depth(rows as f64);
    if whole == 0.0 {
        return Err("its trees saw one row each".to_owned());
    }
    let ensemble = Ensemble { precision: DType::F64, targets: 1, features: fitted.features, trees };
    let input = rounded(graph, &fitted.input);
    graph.trees(&ensemble, input, "depths")?;
    graph.scalar("usual", whole);
    graph.scalar("two", 2.0);
    graph.constant("offset", &Tensor::vector(vec![item.get("offset_")?.number()?]));
    graph.apply("Div", &["depths", "usual"], "share");
    graph.apply("Neg", &["share"], "exponent");
    graph.apply("Pow", &["two", "exponent"], "anomaly");
    graph.apply("Neg", &["anomaly"], "scores");
    graph.apply("Sub", &["scores", "offset"], "decisions");
    graph.inside("decisions");
    Ok(Some(Numbers { missing: false, largest: f32::MAX.into() }))
}

/// How deep a row is in a tree of so many rows, on average.
fn usual_depth(rows: f64) -> f64 {
    match rows {
        rows if rows <= 1.0 => 0.0,
        2.0 => 1.0,
        rows => 2.0 * ((rows - 1.0).ln() + EULER) - 2.0 * (rows - 1.0) / rows,
    }
}

/// How far a row is from the middle, in the widths of what was seen: `-sqrt((x - m) P (x - m))² - offset`
pub(super) fn envelope(fitted: &Fitted, graph: &mut GraphWriter) -> Asked<Takes> {
    let (item, features) = (&fitted.item, fitted.features);
    let precision = item.get("precision_")?;
    if !item.get("store_precision")?.flag()? || precision.array()?.shape != [features, features] {
        return Err(precision.not("a matrix of its columns (store_precision)"));
    }
    let middle = item.get("location_")?.numbers()?;
    if middle.len() != features {
        return Err(item.get("location_")?.not("a number for each column"));
    }
    graph.matrix("precision", [features, features], precision.numbers()?)?;
    graph.constant("middle", &Tensor::vector(middle));
    graph.constant("offset", &Tensor::vector(vec![item.get("offset_")?.number()?]));
    graph.apply("Sub", &[&fitted.input, "middle"], "apart");
    graph.apply("MatMul", &["apart", "precision"], "in_widths");
    graph.apply("Mul", &["in_widths", "apart"], "parts");
    graph.row_sums("parts", "square");
    graph.apply("Sqrt", &["square"], "distance");
    graph.apply("Mul", &["distance", "distance"], "squared");
    graph.apply("Neg", &["squared"], "scores");
    graph.apply("Sub", &["scores", "offset"], "decisions");
    graph.inside("decisions");
    Ok(LIMITED)
}
