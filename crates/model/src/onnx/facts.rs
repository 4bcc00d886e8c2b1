//! What follows from a graph without running it: for rules about what an engine may compute.

use std::collections::HashMap;

use modelet_core::DType;

use super::OnnxSummary;
use super::proto::{GraphProto, NodeProto, TensorProto};
use super::types::Types;

/// Types, ranks and constants of a model's values by name, at any depth (names are unique in a model).
pub(crate) struct Facts<'a> {
    /// Version of the standard operators.
    pub(crate) opset: i64,
    /// Element types.
    pub(crate) types: Types<'a>,
    /// Numbers of dimensions, where the file says them.
    pub(crate) ranks: HashMap<&'a str, usize>,
    /// Initializers, and tensors of `Constant` nodes.
    pub(crate) constants: HashMap<&'a str, &'a TensorProto>,
}

impl<'a> Facts<'a> {
    /// Collects them.
    pub(crate) fn new(summary: &'a OnnxSummary) -> Self {
        let opset = summary.opsets.get("").copied().unwrap_or_default();
        let mut facts =
            Self { opset, types: summary.types(), ranks: HashMap::new(), constants: HashMap::new() };
        facts.graph(&summary.graph);
        facts
    }

    /// The element type of a node's input; `None` when it is left out or not known.
    pub(crate) fn input_type(&self, node: &NodeProto, index: usize) -> Option<DType> {
        self.types.get(node.input.get(index)?.as_str()).copied()
    }

    /// The number of dimensions of a node's input, where the file says it.
    pub(crate) fn input_rank(&self, node: &NodeProto, index: usize) -> Option<usize> {
        self.ranks.get(node.input.get(index)?.as_str()).copied()
    }

    /// The number of dimensions of a node's output, where the file says it.
    pub(crate) fn output_rank(&self, node: &NodeProto, index: usize) -> Option<usize> {
        self.ranks.get(node.output.get(index)?.as_str()).copied()
    }

    /// The constant that a node's input is.
    pub(crate) fn input_constant(&self, node: &NodeProto, index: usize) -> Option<&'a TensorProto> {
        self.constants.get(node.input.get(index)?.as_str()).copied()
    }

    fn graph(&mut self, graph: &'a GraphProto) {
        for info in graph.input.iter().chain(&graph.output).chain(&graph.value_info) {
            let shape = info.r#type.as_ref().and_then(|info| info.tensor.as_ref()?.shape.as_ref());
            if let (Some(name), Some(shape)) = (&info.name, shape) {
                self.ranks.insert(name, shape.dim.len());
            }
        }
        for tensor in &graph.initializer {
            self.constant(tensor.name(), tensor);
        }
        for node in &graph.node {
            let value = node.attribute("value").and_then(|attribute| attribute.head.t.as_ref());
            if let (Some(tensor), Some(name), "Constant") = (value, node.output.first(), node.op()) {
                self.constant(name, tensor);
            }
            for (attribute, rank) in
                [("value_int", 0), ("value_float", 0), ("value_ints", 1), ("value_floats", 1)]
            {
                if let (Some(_), Some(name)) = (node.attribute(attribute), node.output.first()) {
                    self.ranks.insert(name, rank);
                }
            }
            for body in node.graphs() {
                self.graph(body);
            }
        }
    }

    fn constant(&mut self, name: &'a str, tensor: &'a TensorProto) {
        self.ranks.insert(name, tensor.head.dims.len());
        self.constants.insert(name, tensor);
    }
}

/// True when a node asks for its output number `index`.
pub(crate) fn has_output(node: &NodeProto, index: usize) -> bool {
    node.output.get(index).is_some_and(|name| !name.is_empty())
}

/// True when a node is given its input number `index`.
pub(crate) fn has_input(node: &NodeProto, index: usize) -> bool {
    node.input.get(index).is_some_and(|name| !name.is_empty())
}

/// True for a `Resize` with aligned corners whose output size is not a whole multiple of its input size for sure. The
/// standard takes the exact product of size and scale for the length of the result, the engines its whole part.
pub(crate) fn resizes_by_a_fraction(node: &NodeProto, facts: &Facts<'_>) -> bool {
    const SCALES: usize = 2;
    let whole = || {
        let scales = facts.input_constant(node, SCALES).map(|constant| constant.floats.as_slice());
        scales.is_some_and(|scales| !scales.is_empty() && scales.iter().all(|scale| scale.fract() == 0.0))
    };
    node.op() == "Resize"
        && node.text("coordinate_transformation_mode") == Some("align_corners")
        && has_input(node, SCALES)
        && !whole()
}
