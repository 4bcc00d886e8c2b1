//! Trees of one form, whichever operator they come from.

use crate::tabular::number::Float;

/// How a branch compares, as `x ? threshold`.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Test<T> {
    AtMost(T),
    Below(T),
    AtLeast(T),
    Above(T),
    /// True when the number is one of these.
    Member(Vec<T>),
    /// True when the number is not this one; a missing number is not.
    Not(T),
}

/// A branch.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Branch<T> {
    pub(super) feature: usize,
    pub(super) test: Test<T>,
    /// Where missing numbers go: to `yes`, or as the test says.
    pub(super) missing_is_yes: bool,
    pub(super) yes: Place,
    pub(super) no: Place,
}

/// What a branch leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Branch(usize),
    Leaf(usize),
}

/// Trees, not yet checked.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Plan<T> {
    pub(super) branches: Vec<Branch<T>>,
    /// For each leaf: the targets that it adds to, and what.
    pub(super) leaves: Vec<Vec<(usize, T)>>,
    /// In the order in which leaves are added up.
    pub(super) roots: Vec<Place>,
    pub(super) targets: usize,
}

impl<T: Float> Test<T> {
    /// The test of a mode of version 1 or 5.
    pub(super) fn of_mode(mode: &str, threshold: T) -> Result<Self, String> {
        Ok(match mode {
            "BRANCH_LEQ" => Self::AtMost(threshold),
            "BRANCH_LT" => Self::Below(threshold),
            "BRANCH_GTE" => Self::AtLeast(threshold),
            "BRANCH_GT" => Self::Above(threshold),
            "BRANCH_EQ" => Self::Member(vec![threshold]),
            "BRANCH_NEQ" => Self::Not(threshold),
            other => return Err(format!("the node mode {other:?}")),
        })
    }
}

impl<T: Float> Plan<T> {
    /// Refuses features that the input does not have.
    pub(super) fn check_columns(&self, columns: Option<usize>) -> Result<(), String> {
        let feature = self.branches.iter().map(|branch| branch.feature).max();
        match (feature, columns) {
            (Some(feature), Some(columns)) if feature >= columns => {
                Err(format!("a tree asks for column {feature}, the input has {columns}"))
            }
            _ => Ok(()),
        }
    }
}
