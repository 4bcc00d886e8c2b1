//! Reads the trees of `TreeEnsemble`: lists with one entry for each branch, others with one for each leaf.

use super::plan::{Branch, Place, Plan, Test};
use crate::tabular::number::{Float, numbers};
use crate::tabular::site::Site;

/// The modes by number, but for membership, which is the last.
const MODES: &[&str] = &["BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ"];
const MEMBER: u8 = 6;

/// The lists about branches.
struct Lists<'a, T> {
    features: &'a [i64],
    yes: &'a [i64],
    no: &'a [i64],
    yes_is_leaf: &'a [i64],
    no_is_leaf: &'a [i64],
    missing: &'a [i64],
    modes: Vec<u8>,
    thresholds: Vec<T>,
    members: Vec<Vec<T>>,
}

/// Reads trees.
pub(super) fn read<T: Float>(site: &Site<'_>) -> Result<Plan<T>, String> {
    site.ignore(&["nodes_hitrates"]);
    let lists = Lists::new(site)?;
    let targets =
        usize::try_from(site.int("n_targets").ok_or("no n_targets")?).map_err(|_| "targets below zero")?;
    let weights = list::<T>(site, "leaf_weights")?.ok_or("no leaf_weights")?;
    let ids = site.ints("leaf_targetids");
    if ids.len() != weights.len() {
        return Err("lists about leaves that differ in length".into());
    }
    let leaf = |(id, weight): (&i64, T)| {
        Ok(vec![(usize::try_from(*id).map_err(|_| format!("the target {id}"))?, weight)])
    };
    let plan = Plan {
        leaves: ids.iter().zip(weights).map(leaf).collect::<Result<_, String>>()?,
        roots: site.ints("tree_roots").iter().map(|root| lists.root(*root)).collect::<Result<_, _>>()?,
        branches: (0..lists.modes.len()).map(|at| lists.branch(at)).collect::<Result<_, _>>()?,
        targets,
    };
    plan.check_columns(site.columns)?;
    Ok(plan)
}

/// A tensor in a setting, of the trees' own type.
fn list<'a, T: Float>(site: &Site<'a>, name: &'a str) -> Result<Option<Vec<T>>, String> {
    let tensor = site.tensor(name)?;
    let own = tensor.map(|tensor| numbers::<T>(tensor.data()).map(<[T]>::to_vec));
    own.transpose().map_err(|found| format!("{found} in {name}, which the input is not of"))
}

impl<'a, T: Float> Lists<'a, T> {
    fn new(site: &Site<'a>) -> Result<Self, String> {
        // The modes are bytes, a type that no value of ours has.
        let modes = site.bytes("nodes_modes")?.ok_or("no nodes_modes")?;
        let members = members(site, &modes)?;
        let lists = Self {
            features: site.ints("nodes_featureids"),
            yes: site.ints("nodes_truenodeids"),
            no: site.ints("nodes_falsenodeids"),
            yes_is_leaf: site.ints("nodes_trueleafs"),
            no_is_leaf: site.ints("nodes_falseleafs"),
            missing: site.ints("nodes_missing_value_tracks_true"),
            thresholds: list::<T>(site, "nodes_splits")?.ok_or("no nodes_splits")?,
            modes,
            members,
        };
        let count = lists.modes.len();
        let lengths =
            [lists.features, lists.yes, lists.no, lists.yes_is_leaf, lists.no_is_leaf].map(<[i64]>::len);
        let missing = lists.missing.is_empty() || lists.missing.len() == count;
        if lengths != [count; 5] || lists.thresholds.len() != count || !missing {
            return Err("lists about branches that differ in length".into());
        }
        Ok(lists)
    }

    fn place(&self, at: i64, is_leaf: i64) -> Result<Place, String> {
        let at = usize::try_from(at).map_err(|_| format!("node {at}"))?;
        Ok(if is_leaf != 0 { Place::Leaf(at) } else { Place::Branch(at) })
    }

    /// A tree that is one leaf is written as a branch whose two ways lead to it.
    fn root(&self, root: i64) -> Result<Place, String> {
        let at = usize::try_from(root).ok().filter(|at| *at < self.modes.len());
        let at = at.ok_or_else(|| format!("the root {root} is not there"))?;
        let leaf = self.yes_is_leaf[at] != 0 && self.no_is_leaf[at] != 0 && self.yes[at] == self.no[at];
        if leaf { self.place(self.yes[at], 1) } else { self.place(root, 0) }
    }

    fn branch(&self, at: usize) -> Result<Branch<T>, String> {
        let test = match self.modes[at] {
            MEMBER => Test::Member(self.members[at].clone()),
            mode => {
                let name = MODES.get(usize::from(mode)).ok_or_else(|| format!("the node mode {mode}"))?;
                Test::of_mode(name, self.thresholds[at])?
            }
        };
        Ok(Branch {
            feature: usize::try_from(self.features[at])
                .map_err(|_| format!("column {}", self.features[at]))?,
            test,
            missing_is_yes: self.missing.get(at).is_some_and(|flag| *flag != 0),
            yes: self.place(self.yes[at], self.yes_is_leaf[at])?,
            no: self.place(self.no[at], self.no_is_leaf[at])?,
        })
    }
}

/// For each branch its set: one after the other in a list, each ended by NaN.
fn members<T: Float>(site: &Site<'_>, modes: &[u8]) -> Result<Vec<Vec<T>>, String> {
    let all = list::<T>(site, "membership_values")?.unwrap_or_default();
    let mut sets = all.split(|member| member.is_missing());
    let wanted = modes.iter().filter(|mode| **mode == MEMBER).count();
    let ends = all.iter().filter(|member| member.is_missing()).count();
    if ends != wanted || all.last().is_some_and(|last| !last.is_missing()) {
        return Err(format!("{ends} sets for {wanted} branches that ask for one"));
    }
    let set = |mode: &u8| if *mode == MEMBER { sets.next().unwrap_or_default().to_vec() } else { vec![] };
    Ok(modes.iter().map(set).collect())
}
