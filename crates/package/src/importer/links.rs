//! What sums become in several frameworks.

use modelet_core::Tensor;
use modelet_model::onnx::write::GraphWriter;

/// `1 / (1 + exp(-x))` in float64, as frameworks compute it: `Sigmoid` of an engine may be off where the answer is close to zero.
pub(super) fn logistic(graph: &mut GraphWriter, from: &str, to: &str) {
    graph.constant("unit", &Tensor::vector(vec![1.0]));
    graph.node(("", "Neg"), &[from], "exponent", vec![]);
    graph.node(("", "Exp"), &["exponent"], "power", vec![]);
    graph.node(("", "Add"), &["power", "unit"], "denominator", vec![]);
    graph.node(("", "Div"), &["unit", "denominator"], to, vec![]);
}
