//! Random trees as the settings of ONNX's two kinds of nodes.

use super::*;

/// The lists of versions 1 and 3.
#[derive(Default)]
pub(super) struct ByNode {
    trees: Vec<i64>,
    nodes: Vec<i64>,
    modes: Vec<&'static str>,
    features: Vec<i64>,
    values: Vec<f64>,
    yes: Vec<i64>,
    no: Vec<i64>,
    missing: Vec<i64>,
    weights: Vec<(i64, i64, usize, f64)>,
}

impl ByNode {
    pub(super) fn add(&mut self, tree: i64, next: &mut i64, node: &Node) -> i64 {
        let id = *next;
        *next += 1;
        let at = self.nodes.len();
        self.trees.push(tree);
        self.nodes.push(id);
        self.modes.push("LEAF");
        self.features.push(0);
        self.values.push(0.0);
        self.yes.push(0);
        self.no.push(0);
        self.missing.push(0);
        match node {
            Node::Leaf(weights) => {
                self.weights.extend(weights.iter().map(|(target, weight)| (tree, id, *target, *weight)));
            }
            Node::Branch(branch) => {
                self.modes[at] = MODES[branch.mode];
                self.features[at] = branch.feature as i64;
                self.values[at] = branch.threshold;
                self.missing[at] = i64::from(branch.missing_is_yes);
                self.yes[at] = self.add(tree, next, &branch.yes);
                self.no[at] = self.add(tree, next, &branch.no);
            }
        }
        id
    }

    pub(super) fn settings(trees: &[Node], double: bool, prefix: &str) -> Vec<AttributeProto> {
        let mut lists = Self::default();
        for (tree, node) in trees.iter().enumerate() {
            lists.add(tree as i64, &mut 0, node);
        }
        let column =
            |pick: fn(&(i64, i64, usize, f64)) -> i64| lists.weights.iter().map(pick).collect::<Vec<_>>();
        let weights: Vec<f64> = lists.weights.iter().map(|weight| weight.3).collect();
        let numbers = |name: &str, numbers: &[f64]| match double {
            true => tensor_setting(&format!("{name}_as_tensor"), doubles(numbers)),
            false => floats(name, &numbers.iter().map(|x| *x as f32).collect::<Vec<_>>()),
        };
        vec![
            ints("nodes_treeids", &lists.trees),
            ints("nodes_nodeids", &lists.nodes),
            ints("nodes_featureids", &lists.features),
            ints("nodes_truenodeids", &lists.yes),
            ints("nodes_falsenodeids", &lists.no),
            ints("nodes_missing_value_tracks_true", &lists.missing),
            texts("nodes_modes", &lists.modes),
            numbers("nodes_values", &lists.values),
            ints(&format!("{prefix}_treeids"), &column(|weight| weight.0)),
            ints(&format!("{prefix}_nodeids"), &column(|weight| weight.1)),
            ints(&format!("{prefix}_ids"), &column(|weight| weight.2 as i64)),
            numbers(&format!("{prefix}_weights"), &weights),
        ]
    }
}

pub(super) fn doubles(numbers: &[f64]) -> crate::onnx::TensorProto {
    raw(F64, &[numbers.len() as i64], numbers.iter().flat_map(|x| x.to_le_bytes()).collect())
}

/// The lists of version 5.
#[derive(Default)]
pub(super) struct ByBranch {
    modes: Vec<u8>,
    features: Vec<i64>,
    splits: Vec<f64>,
    yes: Vec<(i64, i64)>,
    no: Vec<(i64, i64)>,
    missing: Vec<i64>,
    members: Vec<f64>,
    leaves: Vec<(usize, f64)>,
    roots: Vec<i64>,
}

impl ByBranch {
    /// The number of a node, and 1 for a leaf.
    pub(super) fn add(&mut self, node: &Node) -> (i64, i64) {
        match node {
            Node::Leaf(weights) => {
                self.leaves.push(weights[0]);
                (self.leaves.len() as i64 - 1, 1)
            }
            Node::Branch(branch) => {
                let at = self.push(branch.mode, branch.feature, branch.threshold, branch.missing_is_yes);
                if branch.mode == MEMBER {
                    self.members.extend(branch.members.iter().chain(&[f64::NAN]));
                }
                self.yes[at] = self.add(&branch.yes);
                self.no[at] = self.add(&branch.no);
                (at as i64, 0)
            }
        }
    }

    pub(super) fn push(&mut self, mode: usize, feature: usize, split: f64, missing: bool) -> usize {
        self.modes.push(mode as u8);
        self.features.push(feature as i64);
        self.splits.push(split);
        self.missing.push(i64::from(missing));
        self.yes.push((0, 0));
        self.no.push((0, 0));
        self.modes.len() - 1
    }

    pub(super) fn settings(trees: &[Node], kind: Kind) -> Vec<AttributeProto> {
        let mut lists = Self::default();
        for tree in trees {
            let root = match lists.add(tree) {
                (branch, 0) => branch,
                leaf => {
                    let at = lists.push(0, 0, 0.0, false);
                    (lists.yes[at], lists.no[at]) = (leaf, leaf);
                    at as i64
                }
            };
            lists.roots.push(root);
        }
        let numbers = |name: &str, list: &[f64]| {
            let single: Vec<f32> = list.iter().map(|x| *x as f32).collect();
            let tensor =
                if kind.double { doubles(list) } else { float32s("", &[list.len() as i64], &single) };
            tensor_setting(name, tensor)
        };
        let column = |list: &[(i64, i64)], second: bool| -> Vec<i64> {
            list.iter().map(|pair| if second { pair.1 } else { pair.0 }).collect()
        };
        let mut settings = vec![
            ints("nodes_featureids", &lists.features),
            tensor_setting("nodes_modes", raw(U8, &[lists.modes.len() as i64], lists.modes.clone())),
            numbers("nodes_splits", &lists.splits),
            ints("nodes_truenodeids", &column(&lists.yes, false)),
            ints("nodes_trueleafs", &column(&lists.yes, true)),
            ints("nodes_falsenodeids", &column(&lists.no, false)),
            ints("nodes_falseleafs", &column(&lists.no, true)),
            ints("nodes_missing_value_tracks_true", &lists.missing),
            ints("leaf_targetids", &lists.leaves.iter().map(|leaf| leaf.0 as i64).collect::<Vec<_>>()),
            numbers("leaf_weights", &lists.leaves.iter().map(|leaf| leaf.1).collect::<Vec<_>>()),
            ints("tree_roots", &lists.roots),
            int("n_targets", kind.targets as i64),
        ];
        if lists.modes.contains(&(MEMBER as u8)) {
            settings.push(numbers("membership_values", &lists.members));
        }
        settings
    }
}
