//! Codes of categories. Frameworks cut them to whole numbers before they look for them in a set; a graph has to say so.

use modelet_core::{DType, Data, Tensor};
use modelet_model::onnx::write::GraphWriter;

use crate::importer::ensemble::{Ensemble, Node, Test, numbers_of};

/// How a number is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// To the next whole number below: what is negative stays so, and is no category.
    Down,
    /// Towards zero, as a cast of C does.
    TowardsZero,
}

/// The input of an ensemble with whole numbers in the columns that are looked for in sets; the same input, when none is.
pub fn whole<'a>(graph: &mut GraphWriter, input: &'a str, ensemble: &Ensemble, cut: Cut) -> &'a str {
    let mut are_codes = vec![false; ensemble.features];
    for node in ensemble.trees.iter().flat_map(|tree| &tree.nodes) {
        if let Node::Split { feature, test: Test::Among(_), .. } = node
            && let Some(is_code) = are_codes.get_mut(*feature)
        {
            *is_code = true;
        }
    }
    if !are_codes.contains(&true) {
        return input;
    }
    graph.constant("are_codes", &Tensor::vector(Data::Bool(are_codes)));
    graph.node(("", "Floor"), &[input], "below", vec![]);
    let mut cut_codes = "below";
    if cut == Cut::TowardsZero {
        graph.constant("code_zero", &zero(ensemble.precision));
        graph.node(("", "Less"), &[input, "code_zero"], "are_negative", vec![]);
        graph.node(("", "Ceil"), &[input], "above", vec![]);
        graph.node(("", "Where"), &["are_negative", "above", "below"], "cut", vec![]);
        cut_codes = "cut";
    }
    graph.node(("", "Where"), &["are_codes", cut_codes, input], "with_whole_codes", vec![]);
    "with_whole_codes"
}

fn zero(precision: DType) -> Tensor {
    numbers_of(precision, vec![0.0])
}
