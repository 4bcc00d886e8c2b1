//! Decision trees as their frameworks have them, and as ONNX has them (`ai.onnx.ml.TreeEnsemble`, version 5). The sum over
//! the trees is taken in their order.

use modelet_core::{Code, DType, Data, FunctionError, Tensor};
use modelet_model::onnx::write::{Attribute, GraphWriter, ML};

/// Trees whose leaves are added up for each target.
#[derive(Debug)]
pub struct Ensemble {
    /// float32 or float64: in what its numbers are, and are compared and added up.
    pub precision: DType,
    /// How many numbers one row gives.
    pub targets: usize,
    /// How many numbers one row has.
    pub features: usize,
    /// In the order in which they are added.
    pub trees: Vec<Tree>,
}

/// One tree; the first node is its root.
#[derive(Debug)]
pub struct Tree {
    /// What its leaves are added to.
    pub target: usize,
    /// In any order, each but the root the child of exactly one other.
    pub nodes: Vec<Node>,
}

/// A node of a tree. Numbers that are float32 in the model are held exactly.
#[derive(Debug, Clone, PartialEq)]
pub enum Node {
    /// The end of a path, and what it adds.
    Leaf(f64),
    /// A question; the nodes are indices within the tree.
    Split {
        /// The number that is asked about.
        feature: usize,
        /// What is asked.
        test: Test,
        /// Where a missing number (NaN) goes: to `yes`?
        missing_is_yes: bool,
        /// Where it goes on when the answer is yes.
        yes: usize,
        /// … and when it is no.
        no: usize,
    },
}

/// A question about a number.
#[derive(Debug, Clone, PartialEq)]
pub enum Test {
    /// Is it less?
    Less(f64),
    /// Is it less or equal?
    AtMost(f64),
    /// Is it one of these?
    Among(Vec<f64>),
}

/// The modes of a node, as ONNX numbers them.
const LEQ: u8 = 0;
const LT: u8 = 1;
const MEMBER: u8 = 6;
/// `aggregate_function` and `post_transform`: the sum, as it is.
const SUM: i64 = 1;
const NONE: i64 = 0;

impl Ensemble {
    /// Adds a tree that is a leaf: what every row gets.
    pub fn add_constant(&mut self, target: usize, value: f64) {
        self.trees.push(Tree { target, nodes: vec![Node::Leaf(value)] });
    }

    /// Writes it as a node of a graph: `output` gets the shape `[rows, targets]`.
    ///
    /// # Errors
    /// `model-refused` when nodes do not make trees, or ask about numbers that a row does not have.
    pub fn write(&self, graph: &mut GraphWriter, input: &str, output: &str) -> Result<(), FunctionError> {
        let mut lists = Lists::default();
        for (number, tree) in self.trees.iter().enumerate() {
            let damaged = |why: &str| {
                FunctionError::new(
                    Code::ModelRefused,
                    format!("tree {number} of the model is damaged: {why}"),
                )
                .hint("save the model again, or copy it again")
            };
            if tree.target >= self.targets {
                return Err(damaged("it is for a class that the model does not have"));
            }
            lists.add(tree, self.features).map_err(damaged)?;
        }
        graph.node((ML, "TreeEnsemble"), &[input], output, lists.attributes(self.targets, self.precision));
        Ok(())
    }
}

/// The attributes, as lists over all trees.
#[derive(Default)]
struct Lists {
    roots: Vec<i64>,
    features: Vec<i64>,
    modes: Vec<u8>,
    splits: Vec<f64>,
    missing: Vec<i64>,
    members: Vec<f64>,
    yes: Branches,
    no: Branches,
    leaf_targets: Vec<i64>,
    leaf_weights: Vec<f64>,
}

/// Where the answers of all nodes lead.
#[derive(Default)]
struct Branches {
    ids: Vec<i64>,
    are_leaves: Vec<i64>,
}

impl Branches {
    fn push(&mut self, (id, is_leaf): (i64, bool)) {
        self.ids.push(id);
        self.are_leaves.push(i64::from(is_leaf));
    }
}

impl Lists {
    fn add(&mut self, tree: &Tree, features: usize) -> Result<(), &'static str> {
        check(tree, features)?;
        if let [Node::Leaf(weight)] = tree.nodes[..] {
            // A root must be a question, and ONNX Runtime 1.28 adds up wrongly where both answers lead to the same leaf.
            let question =
                Node::Split { feature: 0, test: Test::Less(0.0), missing_is_yes: false, yes: 1, no: 2 };
            let nodes = vec![question, Node::Leaf(weight), Node::Leaf(weight)];
            return self.add_nodes(&Tree { target: tree.target, nodes });
        }
        self.add_nodes(tree)
    }

    fn add_nodes(&mut self, tree: &Tree) -> Result<(), &'static str> {
        self.roots.push(index(self.features.len()));
        // Leaves and splits are numbered apart, each in the order of the nodes; the root comes first, as it does there.
        let (mut splits, mut leaves) = (index(self.features.len()), index(self.leaf_weights.len()));
        let mut places = Vec::with_capacity(tree.nodes.len());
        for node in &tree.nodes {
            let is_leaf = matches!(node, Node::Leaf(_));
            let next = if is_leaf { &mut leaves } else { &mut splits };
            places.push((*next, is_leaf));
            *next += 1;
        }
        for node in &tree.nodes {
            match node {
                Node::Leaf(weight) => {
                    self.leaf_targets.push(index(tree.target));
                    self.leaf_weights.push(*weight);
                }
                Node::Split { feature, test, missing_is_yes, yes, no } => {
                    self.features.push(index(*feature));
                    self.missing.push(i64::from(*missing_is_yes));
                    self.test(test);
                    self.yes.push(places[*yes]);
                    self.no.push(places[*no]);
                }
            }
        }
        Ok(())
    }

    fn test(&mut self, test: &Test) {
        match test {
            Test::Less(split) => {
                self.modes.push(LT);
                self.splits.push(*split);
            }
            Test::AtMost(split) => {
                self.modes.push(LEQ);
                self.splits.push(*split);
            }
            Test::Among(members) => {
                self.modes.push(MEMBER);
                self.splits.push(0.0);
                // Sets are told apart by NaN.
                self.members.extend(members);
                self.members.push(f64::NAN);
            }
        }
    }

    fn attributes(self, targets: usize, precision: DType) -> Vec<(&'static str, Attribute)> {
        let list = |numbers| Attribute::Tensor(numbers_of(precision, numbers));
        let mut attributes = vec![
            ("aggregate_function", Attribute::Int(SUM)),
            ("post_transform", Attribute::Int(NONE)),
            ("n_targets", Attribute::Int(index(targets))),
            ("tree_roots", Attribute::Ints(self.roots)),
            ("nodes_featureids", Attribute::Ints(self.features)),
            ("nodes_modes", Attribute::Tensor(Tensor::vector(self.modes))),
            ("nodes_splits", list(self.splits)),
            ("nodes_missing_value_tracks_true", Attribute::Ints(self.missing)),
            ("nodes_truenodeids", Attribute::Ints(self.yes.ids)),
            ("nodes_trueleafs", Attribute::Ints(self.yes.are_leaves)),
            ("nodes_falsenodeids", Attribute::Ints(self.no.ids)),
            ("nodes_falseleafs", Attribute::Ints(self.no.are_leaves)),
            ("leaf_targetids", Attribute::Ints(self.leaf_targets)),
            ("leaf_weights", list(self.leaf_weights)),
        ];
        if !self.members.is_empty() {
            attributes.push(("membership_values", list(self.members)));
        }
        attributes
    }
}

/// Every node is reached once, from the root.
fn check(tree: &Tree, features: usize) -> Result<(), &'static str> {
    let mut reached = vec![false; tree.nodes.len()];
    let mut open = vec![0];
    while let Some(at) = open.pop() {
        match reached.get_mut(at) {
            None => return Err("a node leads to one that is not there"),
            Some(true) => return Err("a node is reached on two ways"),
            Some(seen) => *seen = true,
        }
        if let Node::Split { feature, test, yes, no, .. } = &tree.nodes[at] {
            if *feature >= features {
                return Err("a node asks about a column that a row does not have");
            }
            if matches!(test, Test::Among(members) if members.iter().any(|member| member.is_nan())) {
                return Err("a set of categories has one that is no number");
            }
            open.extend([*no, *yes]);
        }
    }
    if reached.contains(&false) { Err("a node is not reached") } else { Ok(()) }
}

/// A list of numbers in a precision; those of float32 models are float32 numbers, and stay what they are.
pub fn numbers_of(precision: DType, numbers: Vec<f64>) -> Tensor {
    Tensor::vector(match precision {
        DType::F64 => Data::F64(numbers),
        _ => Data::F32(numbers.into_iter().map(|number| number as f32).collect()),
    })
}

fn index(size: usize) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}
