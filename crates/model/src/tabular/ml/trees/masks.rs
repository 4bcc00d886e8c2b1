//! Small trees without walking: every branch of a tree is asked about many rows at once, and each row strikes out the leaves
//! that it cannot reach. The first leaf left is the one that a walk would find.
//!
//! The leaves of a tree are numbered so that those where a test passes come before those where it fails; a row that fails a
//! test strikes out all of the former (Lucchese et al., QuickScorer, 2015). No step waits for another, and a compiler makes
//! vector instructions of it, so that thirty comparisons cost less than the five or six of a walk.

use super::flat::{COLUMN, Forest, IS_SET, MISSING_IS_YES, Tree};
use super::sets::Set;
use crate::tabular::number::Float;

/// Rows asked at once.
pub(super) const MASK_ROWS: usize = 32;

/// The numbers of [`MASK_ROWS`] rows in one column.
pub(super) type Column<T> = [T; MASK_ROWS];

/// The leaves of one tree, a bit each.
pub(super) trait Bits: Copy + Send + std::ops::BitAndAssign + std::ops::Not<Output = Self> {
    const ALL: Self;
    const COUNT: usize;
    /// The bits from `from` to below `to`.
    fn range(from: usize, to: usize) -> Self;
    fn first(self) -> usize;
}

macro_rules! bits {
    ($ty:ty) => {
        impl Bits for $ty {
            const ALL: Self = <$ty>::MAX;
            const COUNT: usize = <$ty>::BITS as usize;
            fn range(from: usize, to: usize) -> Self {
                (from..to).fold(0, |bits, bit| bits | 1 << bit)
            }
            #[inline]
            fn first(self) -> usize {
                self.trailing_zeros() as usize
            }
        }
    };
}

bits!(u32);
bits!(u64);

#[derive(Debug, Clone)]
struct Branch<T, M> {
    threshold: T,
    /// As in the nodes of [`super::flat`].
    feature: u32,
    set: u32,
    /// The leaves that are left to a row that fails.
    left: M,
}

/// All branches, tree by tree.
#[derive(Debug, Clone)]
pub(super) struct Table<T, M> {
    branches: Vec<Branch<T, M>>,
    /// For each tree where its branches and its leaves begin; one more for the end.
    from: Vec<(usize, usize)>,
    /// The nodes of the leaves.
    leaves: Vec<u32>,
}

/// The table of a forest, if its trees are small.
#[derive(Debug, Clone)]
pub(super) enum Masks<T> {
    /// With 32 leaves at most.
    Short(Table<T, u32>),
    /// With 64 leaves at most.
    Long(Table<T, u64>),
}

impl<T: Float> Masks<T> {
    pub(super) fn new(forest: &Forest<T>) -> Option<Self> {
        // Wide numbers compare to wide masks.
        let wide = size_of::<T>() == size_of::<u64>();
        let short = if wide { None } else { Table::new(forest).map(Self::Short) };
        short.or_else(|| Table::new(forest).map(Self::Long))
    }

    /// Calls `visit` with the leaves that the rows reach, for each tree in order.
    pub(super) fn each_tree(
        &self,
        columns: &[Column<T>],
        sets: &[Set<T>],
        visit: impl FnMut(&[u32; MASK_ROWS]),
    ) {
        match self {
            Self::Short(table) => table.each_tree(columns, sets, visit),
            Self::Long(table) => table.each_tree(columns, sets, visit),
        }
    }
}

impl<T: Float, M: Bits> Table<T, M> {
    fn new(forest: &Forest<T>) -> Option<Self> {
        let mut table = Self { branches: vec![], from: vec![(0, 0)], leaves: vec![] };
        for tree in &forest.trees {
            table.add(forest, *tree)?;
            table.from.push((table.branches.len(), table.leaves.len()));
        }
        Some(table)
    }

    /// Adds a tree; `None` where it has more leaves than there are bits.
    fn add(&mut self, forest: &Forest<T>, tree: Tree) -> Option<()> {
        let first_leaf = self.leaves.len();
        // A branch comes back, once its passing side is numbered, with the number of the first leaf there.
        let mut open = vec![(tree.root, None)];
        while let Some((at, passing_from)) = open.pop() {
            let node = forest.nodes[at as usize];
            let next_leaf = self.leaves.len() - first_leaf;
            match passing_from {
                Some(from) => self.branches.push(Branch {
                    threshold: node.threshold,
                    feature: node.feature,
                    set: forest.set_of.get(at as usize).copied().unwrap_or(0),
                    left: !M::range(from, next_leaf),
                }),
                None if node.yes == at => {
                    if next_leaf == M::COUNT {
                        return None;
                    }
                    self.leaves.push(at);
                }
                None => open.extend([(node.yes + 1, None), (at, Some(next_leaf)), (node.yes, None)]),
            }
        }
        Some(())
    }

    fn each_tree(&self, columns: &[Column<T>], sets: &[Set<T>], mut visit: impl FnMut(&[u32; MASK_ROWS])) {
        for ends in self.from.windows(2) {
            let ((from, first_leaf), (to, end_leaf)) = (ends[0], ends[1]);
            let mut left = [M::ALL; MASK_ROWS];
            for branch in &self.branches[from..to] {
                branch.ask(&columns[(branch.feature & COLUMN) as usize], sets, &mut left);
            }
            let leaves = &self.leaves[first_leaf..end_leaf];
            visit(&left.map(|bits| leaves[bits.first()]));
        }
    }
}

impl<T: Float, M: Bits> Branch<T, M> {
    #[inline]
    fn ask(&self, column: &Column<T>, sets: &[Set<T>], left: &mut [M; MASK_ROWS]) {
        let missing_passes = self.feature & MISSING_IS_YES != 0;
        if self.feature & IS_SET != 0 {
            let set = &sets[self.set as usize];
            strike(column, left, self.left, |x| set.contains(x) || missing_passes && x.is_missing());
        } else if missing_passes {
            // Not larger: smaller, equal, or missing.
            #[expect(
                clippy::neg_cmp_op_on_partial_ord,
                reason = "a missing number is neither larger nor smaller"
            )]
            strike(column, left, self.left, |x| !(x > self.threshold));
        } else {
            strike(column, left, self.left, |x| x <= self.threshold);
        }
    }
}

#[inline]
fn strike<T: Float, M: Bits>(
    column: &Column<T>,
    left: &mut [M; MASK_ROWS],
    failed: M,
    passes: impl Fn(T) -> bool,
) {
    for (bits, x) in left.iter_mut().zip(column) {
        *bits &= if passes(*x) { M::ALL } else { failed };
    }
}
