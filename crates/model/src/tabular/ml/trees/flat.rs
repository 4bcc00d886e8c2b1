//! Trees laid out to be walked: small nodes in one array, the two children of a branch side by side, so that a step is one
//! comparison and one addition, without a jump.
//!
//! Every test becomes `x <= threshold`, exactly: `x < t` is `x <=` the next smaller number, `>` and `>=` are these with the
//! children exchanged. What is missing (NaN) fails the comparison and goes by a bit of its own. A leaf is a branch that
//! everything passes and that leads to itself, so that walking on from it does no harm.

use super::plan::{Branch, Place, Plan, Test};
use super::sets::Set;
use crate::tabular::number::Float;

/// Set in [`Node::feature`] where missing numbers pass the test.
pub(super) const MISSING_IS_YES: u32 = 1 << 31;
/// Set in [`Node::feature`] where the test is a set's.
pub(super) const IS_SET: u32 = 1 << 30;
/// The part of [`Node::feature`] that is the column.
pub(super) const COLUMN: u32 = IS_SET - 1;

/// A branch or a leaf.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Node<T> {
    pub(super) threshold: T,
    /// The column, and two bits.
    pub(super) feature: u32,
    /// Where the test passes; the next node is where it fails.
    pub(super) yes: u32,
}

/// One tree in the array.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tree {
    pub(super) root: u32,
    /// Steps to the deepest leaf.
    pub(super) depth: u32,
}

/// All trees.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Forest<T> {
    pub(super) nodes: Vec<Node<T>>,
    pub(super) trees: Vec<Tree>,
    pub(super) sets: Vec<Set<T>>,
    /// For each node the place of its set; empty where no test is a set's.
    pub(super) set_of: Vec<u32>,
    /// For each node that is a leaf: what it adds to the only target. Empty where leaves add to several.
    pub(super) single: Vec<T>,
    /// For each node that is a leaf: where its additions begin; they end where the next node's begin.
    pub(super) additions_from: Vec<u32>,
    /// Target and what is added to it.
    pub(super) additions: Vec<(u32, T)>,
    pub(super) targets: usize,
    /// Columns that a row must have.
    pub(super) columns: usize,
}

/// Why the trees of a model cannot be walked.
const NOT_A_TREE: &str = "a node that two branches lead to";

impl<T: Float> Forest<T> {
    /// Lays trees out. Each branch may be reached once: a model whose branches lead in a circle is refused here.
    pub(super) fn new(plan: &Plan<T>) -> Result<Self, String> {
        if plan.roots.is_empty() || plan.targets == 0 {
            return Err("no trees, or no targets".into());
        }
        let mut layout = Layout {
            plan,
            seen: vec![false; plan.branches.len()],
            nodes: vec![],
            sets: vec![],
            set_of: vec![],
            leaves: vec![],
        };
        let trees = plan.roots.iter().map(|root| layout.tree(*root)).collect::<Result<Vec<_>, _>>()?;
        let Layout { nodes, sets, mut set_of, leaves, .. } = layout;
        if sets.is_empty() {
            set_of.clear();
        }
        let columns = plan.branches.iter().map(|branch| branch.feature + 1).max().unwrap_or(0);
        let mut forest = Self {
            nodes,
            trees,
            sets,
            set_of,
            single: vec![],
            additions_from: vec![],
            additions: vec![],
            targets: plan.targets,
            columns,
        };
        forest.add_leaves(plan, &leaves)?;
        Ok(forest)
    }

    fn add_leaves(&mut self, plan: &Plan<T>, leaves: &[Option<usize>]) -> Result<(), String> {
        if plan.leaves.iter().flatten().any(|(target, _)| *target >= plan.targets) {
            return Err(format!("a leaf adds to a target beyond the {} there are", plan.targets));
        }
        let of = |leaf: &Option<usize>| leaf.map_or(&[][..], |leaf| &plan.leaves[leaf]);
        let one_each = leaves.iter().flatten().all(|leaf| plan.leaves[*leaf].len() == 1);
        if plan.targets == 1 && one_each {
            self.single =
                leaves.iter().map(|leaf| of(leaf).first().map_or(T::ZERO, |(_, weight)| *weight)).collect();
            return Ok(());
        }
        self.additions_from.push(0);
        for leaf in leaves {
            self.additions.extend(of(leaf).iter().map(|(target, weight)| (*target as u32, *weight)));
            self.additions_from.push(self.additions.len() as u32);
        }
        Ok(())
    }
}

/// The work of laying out.
struct Layout<'a, T> {
    plan: &'a Plan<T>,
    seen: Vec<bool>,
    nodes: Vec<Node<T>>,
    sets: Vec<Set<T>>,
    set_of: Vec<u32>,
    /// For each node the leaf that it is.
    leaves: Vec<Option<usize>>,
}

impl<T: Float> Layout<'_, T> {
    fn tree(&mut self, root: Place) -> Result<Tree, String> {
        let first = self.reserve(1)?;
        let mut depth = 0;
        let mut open = vec![(root, first, 0)];
        while let Some((place, at, level)) = open.pop() {
            depth = depth.max(level);
            match place {
                Place::Leaf(leaf) => self.leaf(leaf, at)?,
                Place::Branch(branch) => {
                    let children = self.reserve(2)?;
                    let (yes, no) = self.branch(branch, at, children)?;
                    open.push((no, children + 1, level + 1));
                    open.push((yes, children, level + 1));
                }
            }
        }
        Ok(Tree { root: first, depth })
    }

    fn reserve(&mut self, count: usize) -> Result<u32, String> {
        let at = u32::try_from(self.nodes.len()).map_err(|_| "more nodes than can be numbered")?;
        let size = self.nodes.len() + count;
        self.nodes.resize(size, Node { threshold: T::ZERO, feature: 0, yes: 0 });
        self.set_of.resize(size, 0);
        self.leaves.resize(size, None);
        Ok(at)
    }

    fn leaf(&mut self, leaf: usize, at: u32) -> Result<(), String> {
        if leaf >= self.plan.leaves.len() {
            return Err(format!("leaf {leaf} of {}", self.plan.leaves.len()));
        }
        self.nodes[at as usize] = Node { threshold: T::MOST, feature: MISSING_IS_YES, yes: at };
        self.leaves[at as usize] = Some(leaf);
        Ok(())
    }

    /// Writes a branch; gives what belongs at the first and at the second of its children.
    fn branch(&mut self, index: usize, at: u32, children: u32) -> Result<(Place, Place), String> {
        let branch = self.plan.branches.get(index).ok_or_else(|| format!("node {index} is not there"))?;
        if std::mem::replace(&mut self.seen[index], true) {
            return Err(NOT_A_TREE.into());
        }
        let column = u32::try_from(branch.feature).ok().filter(|column| *column <= COLUMN);
        let mut feature = column.ok_or_else(|| format!("column {}", branch.feature))?;
        let (threshold, turned) = self.threshold(branch, at, &mut feature);
        // With the children exchanged, what passed before fails now, missing numbers too.
        let missing_fails = !branch.missing_is_yes && !matches!(branch.test, Test::Not(_));
        if turned == missing_fails {
            feature |= MISSING_IS_YES;
        }
        self.nodes[at as usize] = Node { threshold, feature, yes: children };
        Ok(if turned { (branch.no, branch.yes) } else { (branch.yes, branch.no) })
    }

    /// The threshold of a branch, and whether its children are exchanged.
    fn threshold(&mut self, branch: &Branch<T>, at: u32, feature: &mut u32) -> (T, bool) {
        let mut set = |members: &[T]| {
            *feature |= IS_SET;
            self.set_of[at as usize] = self.sets.len() as u32;
            self.sets.push(Set::new(members));
            T::ZERO
        };
        match &branch.test {
            Test::AtMost(threshold) => (*threshold, false),
            Test::Below(threshold) => (threshold.below(), false),
            Test::AtLeast(threshold) => (threshold.below(), true),
            Test::Above(threshold) => (*threshold, true),
            Test::Member(members) => (set(members), false),
            Test::Not(member) => (set(&[*member]), true),
        }
    }
}
