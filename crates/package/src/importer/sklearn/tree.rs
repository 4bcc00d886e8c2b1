//! A fitted tree (`sklearn.tree._tree.Tree`), whose leaves are rows of numbers. Its thresholds are float64 numbers, compared
//! with columns that scikit-learn has rounded to float32.

use modelet_model::onnx::write::{Attribute, GraphWriter};

use crate::importer::ensemble::{Node, Test, Tree};
use crate::pickle::{Array, Asked, Item};

const CLASS: (&str, &str) = ("sklearn.tree._tree", "Tree");
/// What stands for a child where there is none.
const NO_CHILD: i64 = -1;
/// `TensorProto.DataType`
pub(super) const FLOAT: i64 = 1;
const DOUBLE: i64 = 11;
/// Most nodes of all trees of a model, each counted once for each class.
pub(super) const MAX_NODES: usize = 10_000_000;

/// A tree as columns over its nodes.
pub(super) struct SavedTree {
    left: Vec<i64>,
    right: Vec<i64>,
    feature: Vec<i64>,
    threshold: Vec<f64>,
    /// Where missing numbers go; before version 1.3 there are none.
    missing_is_left: Option<Vec<i64>>,
    values: Vec<f64>,
    /// Numbers in a leaf: outputs, and for each of them classes, or 1.
    pub shape: (usize, usize),
}

impl SavedTree {
    /// Reads the tree of a fitted model.
    pub(super) fn read(model: &Item) -> Asked<Self> {
        let item = model.get("tree_")?;
        let class = item.class()?;
        if (&*class.module, &*class.name) != CLASS {
            return Err(item.not("scikit-learn's own tree"));
        }
        let (nodes, values) = (item.get("nodes")?, item.get("values")?);
        let table = nodes.array()?;
        let len = item.get("node_count")?.count()?;
        let integers = |name: &str| column(&nodes, &table, name, Array::integers);
        let &[value_len, outputs, width] = values.array()?.shape.as_slice() else {
            return Err(values.not("an array of three dimensions"));
        };
        if len == 0 || table.shape != [len] || value_len != len || outputs * width == 0 {
            return Err(item.not("a tree whose parts fit together"));
        }
        Ok(Self {
            left: integers("left_child")?,
            right: integers("right_child")?,
            feature: integers("feature")?,
            threshold: column(&nodes, &table, "threshold", Array::numbers)?,
            missing_is_left: table
                .field("missing_go_to_left")
                .map(|_| integers("missing_go_to_left"))
                .transpose()?,
            values: values.numbers()?,
            shape: (outputs, width),
        })
    }

    /// How many nodes it has.
    pub(super) fn len(&self) -> usize {
        self.left.len()
    }

    /// The numbers of each leaf, to be changed.
    pub(super) fn leaves_mut(&mut self) -> impl Iterator<Item = &mut [f64]> {
        let width = self.shape.0 * self.shape.1;
        let leaves = self.left.iter().zip(self.values.chunks_exact_mut(width));
        leaves.filter(|(left, _)| **left == NO_CHILD).map(|(_, leaf)| leaf)
    }

    /// Makes of the number of each leaf how many nodes lead to it, itself included, and what is added for the rows that it saw,
    /// less 1.
    pub(super) fn become_depths(&mut self, item: &Item, of_rows: impl Fn(f64) -> f64) -> Asked<()> {
        let (nodes, len) = (item.get("nodes")?, self.len());
        let rows = column(&nodes, &nodes.array()?, "n_node_samples", Array::integers)?;
        let mut depths = vec![1.0; len];
        for at in 0..len {
            if let Some((yes, no)) = self.split(at)? {
                (depths[yes], depths[no]) = (depths[at] + 1.0, depths[at] + 1.0);
            }
        }
        let value = |(depth, rows): (f64, i64)| depth + of_rows(rows as f64) - 1.0;
        self.values = depths.into_iter().zip(rows).map(value).collect();
        self.shape = (1, 1);
        Ok(())
    }

    /// How much each of so many columns lowers the impurity, over all nodes (`compute_feature_importances`, not normalised).
    pub(super) fn importances(&self, item: &Item, features: usize) -> Asked<Vec<f64>> {
        let nodes = item.get("nodes")?;
        let numbers = |name: &str| column(&nodes, &nodes.array()?, name, Array::numbers);
        let (weights, impurities) = (numbers("weighted_n_node_samples")?, numbers("impurity")?);
        let weighted = |at: usize| weights[at] * impurities[at];
        let mut importances = vec![0.0; features];
        for at in 0..self.len() {
            let Some((yes, no)) = self.split(at)? else { continue };
            let feature = usize::try_from(self.feature[at]).ok().and_then(|at| importances.get_mut(at));
            let feature = feature.ok_or_else(|| item.not("a tree of these columns"))?;
            *feature += weighted(at) - weighted(yes) - weighted(no);
        }
        Ok(importances.into_iter().map(|importance| importance / weights[0]).collect())
    }

    /// The tree that gives one number of each leaf, after it went through `leaf`. Questions whose answers do not matter to this
    /// number are left out.
    pub(super) fn of(&self, column: usize, target: usize, leaf: impl Fn(f64) -> f64) -> Asked<Tree> {
        let width = self.shape.0 * self.shape.1;
        let mut nodes: Vec<Option<Node>> = Vec::new();
        nodes.resize_with(self.len(), || None);
        // Children come behind their parents, so that backwards each is ready when it is asked for.
        for at in (0..self.len()).rev() {
            let node = match self.split(at)? {
                None => Node::Leaf(leaf(self.values[at * width + column])),
                Some((yes, no)) => match (&nodes[yes], &nodes[no]) {
                    (Some(Node::Leaf(one)), Some(Node::Leaf(other))) if one.to_bits() == other.to_bits() => {
                        Node::Leaf(*one)
                    }
                    _ => self.question(at, yes, no)?,
                },
            };
            nodes[at] = Some(node);
        }
        Ok(Tree { target, nodes: reached(&mut nodes)? })
    }

    /// The children of a node, both behind it; `None` for a leaf.
    fn split(&self, at: usize) -> Asked<Option<(usize, usize)>> {
        let (left, right) = (self.left[at], self.right[at]);
        if left == NO_CHILD {
            return Ok(None);
        }
        let child =
            |child: i64| usize::try_from(child).ok().filter(|child| (at + 1..self.len()).contains(child));
        let both = child(left).zip(child(right));
        both.map(Some).ok_or_else(|| "a node of a tree leads to one that is not behind it".to_owned())
    }

    fn question(&self, at: usize, yes: usize, no: usize) -> Asked<Node> {
        let feature =
            usize::try_from(self.feature[at]).map_err(|_| "a node of a tree asks about no column")?;
        let threshold = self.threshold[at];
        if threshold.is_nan() {
            return Err("a node of a tree compares with no number".to_owned());
        }
        let missing_is_yes = self.missing_is_left.as_ref().is_some_and(|flags| flags[at] != 0);
        Ok(Node::Split { feature, test: Test::AtMost(threshold), missing_is_yes, yes, no })
    }
}

fn column<'a, T>(
    nodes: &Item,
    table: &'a Array<'a>,
    name: &str,
    read: impl Fn(&Array<'a>) -> Option<Vec<T>>,
) -> Asked<Vec<T>> {
    let found = table.field(name).and_then(|field| read(&field));
    found.ok_or_else(|| nodes.not(&format!("an array with a column {name} as scikit-learn has it")))
}

/// The nodes that the root leads to, renumbered.
fn reached(nodes: &mut [Option<Node>]) -> Asked<Vec<Node>> {
    let mut order = vec![0];
    let mut kept = Vec::new();
    while let Some(&at) = order.get(kept.len()) {
        let mut node = nodes[at].take().ok_or("a node of a tree is reached on two ways")?;
        if let Node::Split { yes, no, .. } = &mut node {
            for child in [yes, no] {
                order.push(*child);
                *child = order.len() - 1;
            }
        }
        kept.push(node);
    }
    Ok(kept)
}

/// Writes the columns as scikit-learn's trees see them: rounded to float32, and compared in float64.
pub(super) fn rounded(graph: &mut GraphWriter, input: &str) -> &'static str {
    graph.node(("", "Cast"), &[input], "single", vec![("to", Attribute::Int(FLOAT))]);
    graph.node(("", "Cast"), &["single"], "rounded", vec![("to", Attribute::Int(DOUBLE))]);
    "rounded"
}

/// Refuses trees that would take too much.
pub(super) fn check_size(nodes: usize, columns: usize) -> Asked<()> {
    let all = nodes.saturating_mul(columns);
    if all > MAX_NODES {
        return Err(format!(
            "its trees have {all} nodes, counted once for each class; the limit is {MAX_NODES}"
        ));
    }
    Ok(())
}
