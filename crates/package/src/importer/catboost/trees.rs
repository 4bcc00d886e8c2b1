//! The trees as an ensemble over what they see.

use modelet_core::{DType, FunctionError};

use super::damaged;
use super::inputs::Seen;
use super::saved::{self, SavedTree, Split, Trees};
use crate::importer::converted::refused;
use crate::importer::ensemble::{Ensemble, Node, Test, Tree};

/// Most numbers that one row gives.
const MAX_TARGETS: usize = 1 << 16;
/// Of a symmetric tree; CatBoost's own limit.
const MAX_DEPTH: usize = 16;

/// The model, and where its trees find what they ask about.
type Asks<'a> = (&'a Trees, &'a Seen);

/// The trees, one for each target of those that have several.
pub(super) fn ensemble(saved: &Trees, seen: &Seen) -> Result<Ensemble, FunctionError> {
    let targets = saved.targets;
    if targets > MAX_TARGETS {
        return Err(refused(format!("the model has {targets} sums, the limit is {MAX_TARGETS}")));
    }
    if targets == 0 || saved.bias.len() != targets || saved.trees.is_empty() {
        return Err(refused("the model has no trees: was it fitted?"));
    }
    let mut ensemble = Ensemble { precision: DType::F64, targets, features: seen.width, trees: Vec::new() };
    for (number, tree) in saved.trees.iter().enumerate() {
        for target in 0..targets {
            let nodes = match tree {
                SavedTree::Symmetric { splits, leaves } => symmetric((saved, seen), splits, leaves, target),
                SavedTree::Free(nodes) => free((saved, seen), nodes, target),
            };
            let nodes =
                nodes.ok_or_else(|| damaged(&format!("the lists of tree {number} do not fit together")))?;
            ensemble.trees.push(Tree { target, nodes });
        }
    }
    Ok(ensemble)
}

/// Nodes by depth, and from no to yes within one: the first question is that whose answer is the highest bit of a leaf's number.
fn symmetric(asks: Asks<'_>, splits: &[Split], leaves: &[f64], target: usize) -> Option<Vec<Node>> {
    if splits.len() > MAX_DEPTH || leaves.len() != asks.0.targets << splits.len() {
        return None;
    }
    let mut nodes = Vec::with_capacity(2 << splits.len());
    for (depth, split) in splits.iter().rev().enumerate() {
        for _ in 0..1_usize << depth {
            let at = nodes.len();
            nodes.push(question(asks, *split, 2 * at + 1, 2 * at + 2)?);
        }
    }
    nodes.extend(leaves.chunks_exact(asks.0.targets).map(|leaf| Node::Leaf(leaf[target])));
    Some(nodes)
}

fn free(asks: Asks<'_>, nodes: &[saved::Node], target: usize) -> Option<Vec<Node>> {
    let node = |node: &saved::Node| match node {
        saved::Node::Leaf(values) => values.get(target).map(|value| Node::Leaf(*value)),
        saved::Node::Split { split, no, yes } => question(asks, *split, *no, *yes),
    };
    nodes.iter().map(node).collect()
}

/// CatBoost asks whether a number is larger; here it is asked whether it is at most. What was counted is not missing: where it is
/// no number, it is not larger.
fn question((trees, seen): Asks<'_>, split: Split, no: usize, yes: usize) -> Option<Node> {
    let feature = seen.place(split)?;
    let at_most = |border: f32, missing_is_large: bool| {
        (!border.is_nan()).then_some(Node::Split {
            feature,
            test: Test::AtMost(border.into()),
            missing_is_yes: !missing_is_large,
            yes: no,
            no: yes,
        })
    };
    match split {
        Split::Above { float, border } => at_most(border, trees.floats.get(float)?.missing_is_large),
        Split::Counted { border, .. } => at_most(border, false),
        Split::Is { code, .. } => Some(Node::Split {
            feature,
            test: Test::Among(vec![code.into()]),
            missing_is_yes: false,
            yes,
            no,
        }),
    }
}
