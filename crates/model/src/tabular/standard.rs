//! Operators of the standard domain that converters of classical models use.

mod arithmetic;
mod cast;
mod constants;
mod functions;
mod logic;
mod matrices;
mod moves;
mod reduce;
mod select;
mod softmax;

pub(super) use cast::cast as cast_elements;
pub(super) use functions::{divide, logistic};

use super::operators::Entry;

/// Name, first version whose meaning we compute, and how it is made ready.
pub(super) const OPERATORS: &[Entry] = &[
    ("Add", 7, arithmetic::add),
    ("Sub", 7, arithmetic::sub),
    ("Mul", 7, arithmetic::mul),
    ("Div", 7, arithmetic::div),
    ("Max", 8, arithmetic::max),
    ("Min", 8, arithmetic::min),
    ("Sum", 8, arithmetic::sum),
    ("Pow", 7, arithmetic::pow),
    ("Cast", 6, cast::compile),
    ("Constant", 1, constants::constant),
    ("ConstantOfShape", 9, constants::constant_of_shape),
    ("Shape", 1, constants::shape),
    ("Abs", 6, functions::abs),
    ("Neg", 6, functions::neg),
    ("Exp", 6, functions::exp),
    ("Log", 6, functions::log),
    ("Sqrt", 6, functions::sqrt),
    ("Tanh", 6, functions::tanh),
    ("Cos", 7, functions::cos),
    ("Sigmoid", 6, functions::sigmoid),
    ("Relu", 6, functions::relu),
    ("Floor", 6, functions::floor),
    ("Ceil", 6, functions::ceil),
    ("Reciprocal", 6, functions::reciprocal),
    ("IsNaN", 9, functions::is_nan),
    ("Clip", 6, functions::clip),
    ("Equal", 7, logic::equal),
    ("Greater", 7, logic::greater),
    ("GreaterOrEqual", 12, logic::greater_or_equal),
    ("Less", 7, logic::less),
    ("LessOrEqual", 12, logic::less_or_equal),
    ("And", 7, logic::and),
    ("Or", 7, logic::or),
    ("Xor", 7, logic::xor),
    ("Not", 1, logic::not),
    ("Where", 9, logic::choose),
    ("MatMul", 1, matrices::matmul),
    ("Gemm", 7, matrices::gemm),
    ("Identity", 1, moves::identity),
    ("Reshape", 5, moves::reshape),
    ("Flatten", 9, moves::flatten),
    ("Squeeze", 1, moves::squeeze),
    ("Unsqueeze", 1, moves::unsqueeze),
    ("Transpose", 1, moves::transpose),
    ("Concat", 4, moves::concat),
    ("Expand", 8, moves::expand),
    ("Gather", 1, select::gather),
    ("GatherElements", 11, select::gather_elements),
    ("Slice", 1, select::slice),
    ("OneHot", 9, select::one_hot),
    ("ReduceSum", 1, reduce::sum),
    ("ReduceMean", 1, reduce::mean),
    ("ReduceMax", 1, reduce::max),
    ("ReduceMin", 1, reduce::min),
    ("ReduceL1", 1, reduce::l1),
    ("ReduceL2", 1, reduce::l2),
    ("ReduceSumSquare", 1, reduce::sum_square),
    ("ArgMax", 1, reduce::arg_max),
    ("ArgMin", 1, reduce::arg_min),
    ("TopK", 10, reduce::top_k),
    ("Softmax", 1, softmax::softmax),
    ("LogSoftmax", 1, softmax::log_softmax),
];
