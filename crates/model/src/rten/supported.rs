//! What rten may compute: an operator is here because the tests of the `onnx` package, or our own against ONNX Runtime,
//! showed that it answers as the standard says, for these element types. What is not here is refused.

use modelet_core::{DType, FunctionError};

use super::narrowing;
use crate::onnx::facts::{Facts, has_input, has_output, resizes_by_a_fraction};
use crate::onnx::proto::NodeProto;
use crate::onnx::{OnnxSummary, refused};

/// Element types that rten has, or whose values it holds in a wider or narrower one without loss.
const TYPES: &[DType] = &[DType::F32, DType::I32, DType::I64, DType::Bool, DType::U8, DType::I8];

/// What an operator's inputs may be.
#[derive(Clone, Copy)]
enum Takes {
    /// Anything; the elements are not touched.
    Anything,
    /// Input number `.0` holds float32, int32, int64 or booleans, which are moved and not computed with.
    Moved(usize),
    /// The first input is float32.
    Floats,
    /// All inputs are float32, all int32, or all int64.
    Numbers,
    /// All inputs are int32, or all int64.
    Integers,
    /// All inputs are booleans.
    Booleans,
    /// See [`special`].
    Cast,
}

use Takes::{Anything, Booleans, Cast, Floats, Integers, Moved, Numbers};

#[rustfmt::skip]
const OPERATORS: &[(Takes, &[&str])] = &[
    (Anything, &["Constant", "ConstantOfShape", "If", "Loop", "Shape", "Size"]),
    (Moved(0), &[
        "Expand", "Flatten", "Gather", "GatherElements", "GatherND", "Identity", "Pad", "Reshape", "Scatter",
        "ScatterElements", "ScatterND", "Slice", "Split", "Squeeze", "Tile", "Transpose", "Trilu", "Unsqueeze", "Concat",
    ]),
    (Moved(1), &["Where"]),
    (Floats, &[
        "Abs", "Acos", "Acosh", "Asin", "Asinh", "Atan", "Atanh", "Attention", "AveragePool", "BatchNormalization",
        "Ceil", "Clip", "Conv", "ConvTranspose", "Cos", "Cosh", "Elu", "Erf", "Exp", "Floor", "Gelu", "Gemm",
        "GlobalAveragePool", "GlobalMaxPool", "GridSample", "HardSigmoid", "HardSwish", "InstanceNormalization", "IsInf",
        "IsNaN", "LSTM", "LayerNormalization", "LeakyRelu", "Log", "LogSoftmax", "LpNormalization", "MatMul", "MaxPool",
        "Mean", "PRelu", "RMSNormalization", "Reciprocal", "ReduceL1", "ReduceL2", "ReduceMax", "ReduceMean", "ReduceMin",
        "ReduceProd", "ReduceSum", "ReduceSumSquare", "Relu", "Resize", "RotaryEmbedding", "Round", "Sigmoid", "Sin",
        "Sinh", "Softmax", "Softplus", "Softsign", "Sqrt", "Sum", "Swish", "Tan", "Tanh", "TopK", "Upsample",
    ]),
    (Numbers, &[
        "Add", "Div", "Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Max", "Min", "Mod", "Mul", "Neg",
        "Pow", "Range", "Sub",
    ]),
    (Integers, &["CumSum"]),
    (Booleans, &["And", "NonZero", "Not", "Or", "Xor"]),
    (Cast, &["Cast", "CastLike"]),
];

/// Refuses a model that rten would not answer exactly.
pub(super) fn check(summary: &OnnxSummary) -> Result<(), FunctionError> {
    let facts = Facts::new(summary);
    if !summary.functions.is_empty() {
        return Err(no("operators that the model defines itself"));
    }
    if let Some(input) = summary.signature()?.inputs.iter().find(|input| input.optional) {
        return Err(no(&format!("inputs with a default, such as {}", input.name)));
    }
    let mut result = Ok(());
    summary.each_node(&mut |node| {
        if let (Ok(()), Some(reason)) = (&result, refusal(node, &facts)) {
            result = Err(no(&format!("{} as in node {:?}: {reason}", node.op(), node.label())));
        }
    });
    result?;
    narrowing::check(summary, &facts).map_err(|what| no(&what))
}

fn no(what: &str) -> FunctionError {
    refused(format!("rten does not compute {what}")).hint("use engine = \"onnxruntime\"")
}

/// Why a node cannot be computed exactly.
fn refusal(node: &NodeProto, facts: &Facts<'_>) -> Option<String> {
    let domain = node.op_domain();
    if !domain.is_empty() {
        return Some(format!("operators of {domain} are not covered"));
    }
    let Some((takes, _)) = OPERATORS.iter().find(|(_, names)| names.contains(&node.op())) else {
        return Some("this operator is not covered".into());
    };
    let named = || node.input.iter().chain(&node.output).filter(|name| !name.is_empty());
    for name in named() {
        match facts.types.get(name.as_str()) {
            Some(dtype) if TYPES.contains(dtype) => {}
            Some(dtype) => return Some(format!("{name} is {dtype}")),
            None => return Some(format!("the type of {name} is not known")),
        }
    }
    if !takes.accept(node, facts) {
        let types: Vec<_> =
            named().filter_map(|name| facts.types.get(name.as_str())).map(|d| d.name()).collect();
        return Some(format!("not covered for these types: {}", types.join(", ")));
    }
    special(node, facts).or_else(|| by_opset(node, facts)).map(str::to_owned)
}

impl Takes {
    fn accept(self, node: &NodeProto, facts: &Facts<'_>) -> bool {
        use DType::{Bool, F32, I32, I64};
        let all = |allowed: &[DType]| {
            let first = facts.input_type(node, 0);
            first.is_none_or(|first| allowed.contains(&first))
                && (0..node.input.len())
                    .all(|index| !has_input(node, index) || facts.input_type(node, index) == first)
        };
        match self {
            Self::Anything | Self::Cast => true,
            Self::Moved(index) => {
                facts.input_type(node, index).is_some_and(|dtype| [F32, I32, I64, Bool].contains(&dtype))
            }
            Self::Floats => facts.input_type(node, 0) == Some(F32),
            Self::Numbers => all(&[F32, I32, I64]),
            Self::Integers => facts.input_type(node, 0).is_some_and(|dtype| [I32, I64].contains(&dtype)),
            Self::Booleans => all(&[Bool]),
        }
    }
}

/// Cases of covered operators where rten 0.27 fails or answers otherwise than the standard.
fn special(node: &NodeProto, facts: &Facts<'_>) -> Option<&'static str> {
    let list = |name: &str| node.attribute(name).map_or(0, |attribute| attribute.ints.len());
    // Spatial dimensions of a convolution or pooling.
    let weight_rank = facts.input_rank(node, 1).map(|rank| rank.saturating_sub(2));
    let spatial = if list("kernel_shape") > 0 { Some(list("kernel_shape")) } else { weight_rank };
    let scalar = |index| has_input(node, index) && facts.input_rank(node, index) == Some(0);
    Some(match node.op() {
        "AveragePool" | "MaxPool" if list("strides") == 0 => "without strides",
        "ConvTranspose" if spatial != Some(2) || list("strides") != 2 || list("dilations") != 2 => {
            "only in two dimensions, with strides and dilations"
        }
        "AveragePool" | "MaxPool" | "Conv" if spatial.is_none_or(|spatial| spatial > 2) => {
            "in more than two dimensions, or with kernels of unknown size"
        }
        "Conv"
            if spatial == Some(1) && ["pads", "strides", "dilations"].iter().any(|name| list(name) == 0) =>
        {
            "in one dimension without pads, strides and dilations"
        }
        "MaxPool" if has_output(node, 1) => "with indices",
        "GridSample" if facts.input_rank(node, 0) == Some(5) => "on volumes",
        "LayerNormalization" if has_output(node, 1) => "with mean and deviation",
        "Attention" if has_output(node, 3) => "with the products of queries and keys",
        "Attention" if has_input(node, 3) && has_input(node, 6) => "with a mask and lengths at once",
        "Pad" if has_input(node, 3) => "with axes",
        "MatMul" if facts.input_rank(node, 1) == Some(1) => "by a vector",
        // The cubic weights differ, and so does the length of the result at aligned corners.
        "Resize" if node.text("mode") == Some("cubic") => "with cubic interpolation",
        "Resize" if resizes_by_a_fraction(node, facts) => "with aligned corners by a fraction",
        "Squeeze" | "Unsqueeze" | "Slice" | "Split" | "Tile" | "Expand" | "Reshape" if scalar(1) => {
            "with a scalar where a list belongs"
        }
        op if op.starts_with("Reduce") && scalar(1) => "with a scalar where a list belongs",
        "Cast" | "CastLike" => return cast(node, facts),
        _ => return None,
    })
}

fn cast(node: &NodeProto, facts: &Facts<'_>) -> Option<&'static str> {
    use DType::{Bool, F32, I8, I32, I64, U8};
    let to = node.output.first().and_then(|output| facts.types.get(output.as_str())).copied();
    match (facts.input_type(node, 0)?, to?) {
        // rten divides by multiplying with the reciprocal; rounding turns the last place into a whole step.
        (_, U8 | I8) => Some("to 8-bit integers"),
        // What becomes of integers made boolean is followed in `narrowing`.
        (Bool | I32 | I64, F32 | I32 | I64 | Bool) | (F32 | U8 | I8, F32 | I32 | I64) => None,
        // Booleans are int32 in rten: 0.5 would become 0.
        (_, Bool) => Some("to booleans"),
        _ => Some("between these types"),
    }
}

/// Operators whose meaning changed: rten computes the newer one.
fn by_opset(node: &NodeProto, facts: &Facts<'_>) -> Option<&'static str> {
    const BROADCASTING: &[&str] =
        &["Add", "Sub", "Mul", "Div", "Pow", "PRelu", "And", "Or", "Xor", "Equal", "Less", "Greater", "Gemm"];
    let last_axis = match (node.int("axis"), facts.input_rank(node, 0).or(facts.output_rank(node, 0))) {
        (Some(-1), _) => true,
        (axis, Some(rank)) => usize::try_from(axis.unwrap_or(1)).is_ok_and(|axis| axis + 1 == rank),
        _ => false,
    };
    match node.op() {
        op if facts.opset < 7 && BROADCASTING.contains(&op) => {
            Some("before opset 7, with its own rules of broadcasting")
        }
        "Softmax" | "LogSoftmax" if facts.opset < 13 && !last_axis => {
            Some("before opset 13, over more than the last axis")
        }
        "Resize" if facts.opset < 11 => Some("before opset 11, with its own rule of coordinates"),
        _ => None,
    }
}
