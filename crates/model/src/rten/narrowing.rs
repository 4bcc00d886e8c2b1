//! Where int32 in place of int64 and of booleans could change an answer.
//!
//! A call's own int64 values are checked when they come in. From there on, a value is *free* when it depends on what a
//! client sends, and not only on the shapes of it: arithmetic on free int64 values may leave int32, so it is refused.
//! Sizes, positions and comparisons stay small and are not. Constants outside int32 are refused but for the bounds of
//! `Slice`, where "larger than every size" is all that they mean.
//!
//! An integer made boolean keeps its value in rten, so 2 is true and not 1. Logic and choices do not mind, counting and
//! comparing would: such *loose* booleans are followed too.

use std::collections::HashSet;

use modelet_core::DType;

use crate::onnx::OnnxSummary;
use crate::onnx::facts::Facts;
use crate::onnx::proto::{GraphProto, NodeProto, TensorProto};

/// Operators that can make an integer larger than its inputs.
const ARITHMETIC: &[&str] = &["Add", "Sub", "Mul", "Pow", "Neg", "Abs", "CumSum", "Range", "Sum", "Div"];
/// Operators whose results are sizes, positions or truth values, whatever goes in.
const SMALL_RESULTS: &[&str] = &[
    "Shape",
    "Size",
    "NonZero",
    "Equal",
    "Less",
    "LessOrEqual",
    "Greater",
    "GreaterOrEqual",
    "And",
    "Or",
    "Xor",
    "Not",
    "IsNaN",
    "IsInf",
];

/// The first place where an answer could change, as an object of "rten does not compute …".
pub(super) fn check(summary: &OnnxSummary, facts: &Facts<'_>) -> Result<(), String> {
    let mut narrowing =
        Narrowing { facts, free: HashSet::new(), large: HashSet::new(), loose: HashSet::new() };
    let defaults: HashSet<&str> = summary.graph.initializer.iter().map(TensorProto::name).collect();
    let inputs = summary.graph.input.iter().filter_map(|input| input.name.as_deref());
    narrowing.free.extend(inputs.filter(|name| !defaults.contains(name)));
    narrowing
        .large
        .extend(facts.constants.iter().filter(|(_, tensor)| is_large(tensor)).map(|(name, _)| *name));
    narrowing.graph(&summary.graph)
}

struct Narrowing<'f, 'a> {
    facts: &'f Facts<'a>,
    /// Values that depend on what a client sends.
    free: HashSet<&'a str>,
    /// Constants outside int32.
    large: HashSet<&'a str>,
    /// Booleans that may hold other numbers than 0 and 1.
    loose: HashSet<&'a str>,
}

impl<'a> Narrowing<'_, 'a> {
    fn graph(&mut self, graph: &'a GraphProto) -> Result<(), String> {
        graph.node.iter().try_for_each(|node| self.node(node))
    }

    fn node(&mut self, node: &'a NodeProto) -> Result<(), String> {
        let op = node.op();
        let label = node.label();
        if has_large_attribute(node) {
            return Err(format!("int64 constants beyond int32, as in node {label:?}"));
        }
        for (index, input) in node.input.iter().enumerate() {
            let bound_of_slice = op == "Slice" && index > 0;
            if self.large.contains(input.as_str()) && !bound_of_slice {
                return Err(format!("int64 constants beyond int32, as {input:?} in node {label:?}"));
            }
        }
        let free = node.input.iter().any(|input| self.free.contains(input.as_str()));
        let is_int64 = |name: Option<&String>| {
            name.and_then(|name| self.facts.types.get(name.as_str())) == Some(&DType::I64)
        };
        if free && ARITHMETIC.contains(&op) && is_int64(node.input.first()) {
            return Err(format!("{op} on int64 values that a call sends, as in node {label:?}"));
        }
        let from_float = self.facts.input_type(node, 0).is_some_and(DType::is_float);
        if free && matches!(op, "Cast" | "CastLike") && from_float && is_int64(node.output.first()) {
            return Err(format!("float32 made int64, as in node {label:?}"));
        }
        self.loosen(node)?;
        for body in node.graphs() {
            // What a loop carries may grow with every turn.
            let carried = body.input.iter().filter_map(|input| input.name.as_deref());
            self.free.extend(carried);
            self.graph(body)?;
        }
        let free = free || node.graphs().next().is_some();
        if free && !SMALL_RESULTS.contains(&op) {
            self.free.extend(node.output.iter().map(String::as_str));
        }
        Ok(())
    }
}

impl<'a> Narrowing<'_, 'a> {
    /// Follows loose booleans through a node.
    fn loosen(&mut self, node: &'a NodeProto) -> Result<(), String> {
        let is_bool = |dtype: Option<&DType>| dtype == Some(&DType::Bool);
        let from = self.facts.input_type(node, 0);
        let outputs = || node.output.iter().map(String::as_str);
        let to_bool = outputs().any(|output| is_bool(self.facts.types.get(output)));
        let loose = node.input.iter().any(|input| self.loose.contains(input.as_str()));
        match node.op() {
            "Cast" | "CastLike" if to_bool && from.is_some_and(DType::is_integer) => {
                self.loose.extend(outputs());
            }
            "Cast" | "CastLike" if to_bool => {}
            "Cast" | "CastLike" | "Equal" if loose => {
                return Err(format!("with booleans made of integers, as in node {:?}", node.label()));
            }
            // Logic makes true booleans of them.
            op if SMALL_RESULTS.contains(&op) => {}
            _ if loose && to_bool => self.loose.extend(outputs()),
            _ => {}
        }
        Ok(())
    }
}

fn fits(number: i64) -> bool {
    i32::try_from(number).is_ok()
}

/// True for an int64 constant that int32 cannot hold, or whose numbers we have not seen.
fn is_large(tensor: &TensorProto) -> bool {
    tensor.data_type() == crate::onnx::proto::INT64
        && (tensor.integers.len() != tensor.len() || !tensor.integers.iter().all(|number| fits(*number)))
}

fn has_large_attribute(node: &NodeProto) -> bool {
    // Only these hold numbers that become values; others (the ends of an old Slice) are bounds.
    ["value_int", "value_ints"].iter().filter_map(|name| node.attribute(name)).any(|attribute| {
        attribute.head.i.is_some_and(|number| !fits(number))
            || !attribute.ints.iter().all(|number| fits(*number))
    }) || node.op() == "ConstantOfShape"
        && node.attribute("value").and_then(|value| value.head.t.as_ref()).is_some_and(is_large)
}
