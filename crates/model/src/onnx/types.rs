//! Element types of every value in a graph, for rules about what an engine may compute.

use std::collections::HashMap;

use modelet_core::DType;

use super::OnnxSummary;
use super::proto::{GraphProto, NodeProto, TypeProto};
use super::signature::dtype;

/// The element type of each value by name, at any depth (names are unique in a model); of a sequence, its elements'.
/// What is not in here is not known, or no type of ours.
pub(crate) type Types<'a> = HashMap<&'a str, DType>;

impl OnnxSummary {
    /// The element types that the file declares or that follow from its operators. The bodies of the model's own
    /// functions are not looked into.
    pub(crate) fn types(&self) -> Types<'_> {
        let mut types = Types::new();
        infer_graph(&self.graph, &mut types);
        types
    }
}

fn infer_graph<'a>(graph: &'a GraphProto, types: &mut Types<'a>) {
    for info in graph.input.iter().chain(&graph.output).chain(&graph.value_info) {
        if let (Some(name), Some(dtype)) = (&info.name, info.r#type.as_ref().and_then(element_type)) {
            types.insert(name, dtype);
        }
    }
    for tensor in &graph.initializer {
        if let Ok(dtype) = dtype(tensor.data_type()) {
            types.insert(tensor.name(), dtype);
        }
    }
    for node in &graph.node {
        for body in node.graphs() {
            infer_graph(body, types);
        }
        for (index, output) in node.output.iter().enumerate() {
            if let Some(dtype) = output_type(node, index, types).filter(|_| !output.is_empty()) {
                types.entry(output).or_insert(dtype);
            }
        }
    }
}

fn element_type(info: &TypeProto) -> Option<DType> {
    let inner = info.sequence.as_ref().or(info.optional.as_ref());
    match (&info.tensor, inner) {
        (Some(tensor), _) => dtype(tensor.elem_type?).ok(),
        (None, Some(inner)) => element_type(inner.elem_type.as_ref()?),
        (None, None) => None,
    }
}

fn output_type(node: &NodeProto, index: usize, types: &Types<'_>) -> Option<DType> {
    let input = |index: usize| types.get(node.input.get(index)?.as_str()).copied();
    let named =
        |attribute: &str| node.int(attribute).and_then(|number| dtype(i32::try_from(number).ok()?).ok());
    match (node.op(), index) {
        ("Shape" | "Size" | "NonZero" | "ArgMax" | "ArgMin" | "NonMaxSuppression" | "SequenceLength", _)
        | ("TopK" | "MaxPool", 1)
        | ("Unique", 1..) => Some(DType::I64),
        (
            "Equal" | "Less" | "LessOrEqual" | "Greater" | "GreaterOrEqual" | "And" | "Or" | "Xor" | "Not"
            | "IsNaN" | "IsInf" | "OptionalHasElement",
            _,
        )
        | ("Dropout", 1) => Some(DType::Bool),
        ("Cast" | "BitCast", _) => named("to"),
        ("CastLike" | "Where" | "DequantizeLinear", _) => input(1),
        ("OneHot", _) => input(2),
        ("ConvInteger" | "MatMulInteger", _) => Some(DType::I32),
        ("DynamicQuantizeLinear", 1) => Some(DType::F32),
        ("DynamicQuantizeLinear", _) => Some(DType::U8),
        ("QuantizeLinear", _) => input(2).or_else(|| named("output_dtype")).or(Some(DType::U8)),
        ("QLinearConv" | "QLinearMatMul", _) => input(7),
        ("Constant", _) => constant_type(node),
        ("ConstantOfShape", _) => constant_type(node).or(Some(DType::F32)),
        ("EyeLike" | "RandomNormalLike" | "RandomUniformLike" | "Bernoulli", _) => {
            named("dtype").or(input(0))
        }
        ("RandomNormal" | "RandomUniform" | "SequenceEmpty", _) => named("dtype").or(Some(DType::F32)),
        ("Multinomial", _) => named("dtype").or(Some(DType::I32)),
        ("If" | "Loop" | "Scan", _) => {
            // The first output of a loop's body is its condition.
            let skip = usize::from(node.op() == "Loop");
            node.graphs().find_map(|body| types.get(body.output.get(index + skip)?.name.as_deref()?).copied())
        }
        _ => input(0),
    }
}

fn constant_type(node: &NodeProto) -> Option<DType> {
    node.attribute.iter().find_map(|attribute| {
        Some(match attribute.head.name.as_deref()? {
            "value" => dtype(attribute.head.t.as_ref()?.data_type()).ok()?,
            "value_float" | "value_floats" => DType::F32,
            "value_int" | "value_ints" => DType::I64,
            "value_string" | "value_strings" => DType::Str,
            _ => return None,
        })
    })
}
