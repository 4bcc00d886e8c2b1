//! What ONNX Runtime 1.28.0 would load and then fail at, or answer otherwise than the standard says. Each rule names the
//! test of the `onnx` package that shows it; `tests/onnx_backend.rs` tells when a rule has become needless or is missing.

use modelet_core::{DType, FunctionError};

use crate::onnx::facts::{Facts, has_input, has_output, resizes_by_a_fraction};
use crate::onnx::proto::NodeProto;
use crate::onnx::{OnnxSummary, refused};

/// Refuses a model that would be answered wrongly.
pub(super) fn check(summary: &OnnxSummary) -> Result<(), FunctionError> {
    // The interface hands out an absent value as an error that cannot be told from others.
    if let Some(output) =
        summary.graph.output.iter().find(|info| info.r#type.as_ref().is_some_and(|t| t.optional.is_some()))
    {
        let name = output.name.as_deref().unwrap_or_default();
        return Err(refused(format!("output {name} is optional; it could not be read when it is absent"))
            .hint("export the model with outputs that are always there"));
    }
    let facts = Facts::new(summary);
    let mut result = Ok(());
    summary.each_node(&mut |node| {
        if let (Ok(()), Some(reason)) = (&result, refusal(node, &facts)) {
            let message = format!(
                "ONNX Runtime does not compute {} as in node {:?}: {reason}",
                node.op(),
                node.label()
            );
            result = Err(refused(message).hint("export the model without it"));
        }
    });
    result
}

fn refusal(node: &NodeProto, facts: &Facts<'_>) -> Option<&'static str> {
    if node.op() == "TreeEnsemble" && has_tree_of_one_leaf(node) {
        return Some("a tree that is one leaf is read as another one");
    }
    if !node.op_domain().is_empty() {
        return None;
    }
    match node.op() {
        // test_attention_4d_with_past_and_present_qk_matmul_bias_{3d,4d}_mask_causal: the lowest float in place of -inf.
        "Attention" if has_output(node, 3) && node.int("is_causal") == Some(1) => {
            Some("the products of queries and keys under a causal mask are not as the standard says")
        }
        // test_attention_4d_diff_heads_mask4d_padded_kv: a mask shorter than the keys is not padded.
        "Attention" if has_input(node, 3) && has_input(node, 6) => {
            Some("a mask and lengths of the keys cannot be used at once")
        }
        // test_convinteger_with_padding: one zero point for all channels is expected, and one for each fails.
        "ConvInteger" if has_input(node, 3) && !is_one_number(node, 3, facts) => {
            Some("its weights need one constant zero point")
        }
        // test_maxunpool_export_with_output_shape: values land at places counted in another shape.
        "MaxUnpool" if has_input(node, 2) => Some("a given output shape moves values to wrong places"),
        // test_reduce_max_empty_set_bool: fails where there are no rows.
        "ReduceMax" | "ReduceMin" if facts.input_type(node, 0) == Some(DType::Bool) => {
            Some("booleans cannot be reduced where there are no rows")
        }
        // test_resize_downsample_scales_{cubic,linear}_align_corners.
        "Resize" if resizes_by_a_fraction(node, facts) => {
            Some("aligned corners with scales need whole scales, or sizes in their place")
        }
        _ => None,
    }
}

/// True when a root is written as the standard writes a tree without a branch: both its ways lead to the same leaf. Shown by
/// `trees::a_tree_of_one_leaf_is_answered_by_tabular_and_refused_by_onnx_runtime`.
fn has_tree_of_one_leaf(node: &NodeProto) -> bool {
    let list = |name: &str| node.attribute(name).map_or(&[][..], |list| &list.ints);
    let (yes, no) = (list("nodes_truenodeids"), list("nodes_falsenodeids"));
    let (yes_is_leaf, no_is_leaf) = (list("nodes_trueleafs"), list("nodes_falseleafs"));
    list("tree_roots").iter().filter_map(|root| usize::try_from(*root).ok()).any(|root| {
        let both_are_leaves =
            [yes_is_leaf, no_is_leaf].iter().all(|list| list.get(root).is_some_and(|flag| *flag != 0));
        both_are_leaves && yes.get(root) == no.get(root)
    })
}

fn is_one_number(node: &NodeProto, index: usize, facts: &Facts<'_>) -> bool {
    facts.input_rank(node, index) == Some(0)
        || facts.input_constant(node, index).is_some_and(|c| c.len() == 1)
}
