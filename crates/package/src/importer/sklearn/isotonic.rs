//! Isotonic regression: lines between points, as `numpy.interp` draws them.

use modelet_core::{DType, Tensor};
use modelet_model::onnx::write::{Attribute, GraphWriter};

use super::Takes;
use super::answer::{Answer, INT64};
use super::fitted::Fitted;
use super::linear::FINITE;
use crate::importer::ensemble::{Ensemble, Node, Test, Tree};
use crate::pickle::{Asked, Item};

pub(super) fn regressor(fitted: &Fitted, graph: &mut GraphWriter) -> Asked<Takes> {
    interpolated(&fitted.item, graph, &fitted.input, "line")?;
    graph.predict("line", 1);
    Ok(FINITE)
}

/// What a fitted isotonic regression says of a column.
pub(super) fn interpolated(item: &Item, graph: &mut GraphWriter, input: &str, to: &str) -> Asked<()> {
    let (x, y) = (item.get("X_thresholds_")?.numbers()?, item.get("y_thresholds_")?.numbers()?);
    item.get("X_thresholds_")?.is_double()?;
    if item.get("out_of_bounds")?.text()? != "clip" {
        return Err(item.not("made with out_of_bounds=\"clip\": it answers for no other numbers than it saw"));
    }
    if x.len() != y.len() || x.is_empty() || !x.is_sorted_by(|a, b| a < b) {
        return Err(item.not("a line of points from left to right"));
    }
    let name = |what: &str| format!("{to}_{what}");
    graph.scalar(&name("least"), item.get("X_min_")?.number()?);
    graph.scalar(&name("most"), item.get("X_max_")?.number()?);
    graph.apply("Max", &[input, &name("least")], &name("at_least"));
    graph.apply("Min", &[&name("at_least"), &name("most")], &name("within"));
    lines(graph, &name("within"), (&x, &y), to)
}

/// `slope * (x - x0) + y0`, by the last point that is not right of x; its own number where x is that point, or beyond the last.
pub(super) fn lines(graph: &mut GraphWriter, input: &str, (x, y): (&[f64], &[f64]), to: &str) -> Asked<()> {
    let name = |what: &str| format!("{to}_{what}");
    let slope = |at: usize| match x.get(at + 1) {
        Some(next) => (y[at + 1] - y[at]) / (next - x[at]),
        None => 0.0,
    };
    place(graph, input, x, &name("place"))?;
    graph.constant(&name("starts"), &Tensor::vector(x.to_vec()));
    graph.constant(&name("heights"), &Tensor::vector(y.to_vec()));
    graph.constant(&name("slopes"), &Tensor::vector((0..x.len()).map(slope).collect::<Vec<_>>()));
    for (table, of) in [("starts", "start"), ("heights", "height"), ("slopes", "slope")] {
        graph.apply("Gather", &[&name(table), &name("place")], &name(of));
    }
    graph.apply("Sub", &[input, &name("start")], &name("further"));
    graph.apply("Mul", &[&name("slope"), &name("further")], &name("higher"));
    graph.apply("Add", &[&name("higher"), &name("height")], to);
    Ok(())
}

/// How many of sorted numbers but the first are not above each number of a column: a tree finds it by halves.
pub(super) fn place(graph: &mut GraphWriter, input: &str, sorted: &[f64], to: &str) -> Asked<()> {
    let mut nodes = Vec::new();
    halve(sorted, 0, sorted.len(), &mut nodes);
    let trees = vec![Tree { target: 0, nodes }];
    let ensemble = Ensemble { precision: DType::F64, targets: 1, features: 1, trees };
    let number = format!("{to}_number");
    graph.trees(&ensemble, input, &number)?;
    graph.node(("", "Cast"), &[&number], to, vec![("to", Attribute::Int(INT64))]);
    Ok(())
}

/// Adds the tree for the places from `first` to before `end`; returns where its root is.
fn halve(sorted: &[f64], first: usize, end: usize, nodes: &mut Vec<Node>) -> usize {
    let at = nodes.len();
    nodes.push(Node::Leaf(first as f64));
    if end - first > 1 {
        let middle = first + (end - first) / 2;
        let yes = halve(sorted, first, middle, nodes);
        let no = halve(sorted, middle, end, nodes);
        let test = Test::Less(sorted[middle]);
        nodes[at] = Node::Split { feature: 0, test, missing_is_yes: false, yes, no };
    }
    at
}
