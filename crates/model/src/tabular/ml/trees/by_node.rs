//! Reads the trees of `TreeEnsembleRegressor` and `TreeEnsembleClassifier`: lists with one entry for each node, which say of
//! which tree it is and what its number there is.

use std::collections::{HashMap, HashSet};

use super::plan::{Branch, Place, Plan, Test};
use crate::tabular::number::Float;
use crate::tabular::site::Site;

/// How an operator calls the lists about its leaves.
pub(super) struct Names {
    trees: &'static str,
    nodes: &'static str,
    targets: &'static str,
    weights: &'static str,
    weights_as_tensor: &'static str,
}

pub(super) const REGRESSOR: Names = Names {
    trees: "target_treeids",
    nodes: "target_nodeids",
    targets: "target_ids",
    weights: "target_weights",
    weights_as_tensor: "target_weights_as_tensor",
};

pub(super) const CLASSIFIER: Names = Names {
    trees: "class_treeids",
    nodes: "class_nodeids",
    targets: "class_ids",
    weights: "class_weights",
    weights_as_tensor: "class_weights_as_tensor",
};

/// A list of float32, or of whatever float type its later form has; float32 are taken as they are in float64 trees.
pub(super) fn numbers_of<'a, T: Float>(
    site: &Site<'a>,
    list: &'a str,
    tensor: &'a str,
) -> Result<Vec<T>, String> {
    match site.tensor(tensor)? {
        Some(numbers) => {
            let own = T::unwrap(numbers.data()).map(<[T]>::to_vec);
            own.ok_or_else(|| format!("{tensor} of another type than the trees are computed in"))
        }
        None => Ok(site.floats(list).iter().map(|number| T::of_f32(*number)).collect()),
    }
}

/// Where each node is in the lists, by its tree and its number.
type Index = HashMap<(i64, i64), usize>;

/// Reads trees; of a classifier the targets are the classes that have weights.
pub(super) fn read<'a, T: Float>(site: &Site<'a>, names: &Names) -> Result<Plan<T>, String> {
    site.ignore(&["nodes_hitrates", "nodes_hitrates_as_tensor"]);
    let (trees, ids) = (site.ints("nodes_treeids"), site.ints("nodes_nodeids"));
    let modes = site.texts("nodes_modes")?;
    if trees.len() != modes.len() || ids.len() != modes.len() {
        return Err("lists about nodes that differ in length".into());
    }
    let mut index = Index::with_capacity(ids.len());
    for (at, key) in trees.iter().copied().zip(ids.iter().copied()).enumerate() {
        if index.insert(key, at).is_some() {
            return Err(format!("node {} of tree {} stands twice", key.1, key.0));
        }
    }
    // Branches and leaves keep their place in the lists; what is not a branch has an empty leaf unless weights say more.
    let leaves = leaves(site, names, &index, &modes)?;
    let places: Vec<_> = (0..modes.len())
        .map(|at| if modes[at] == "LEAF" { Place::Leaf(at) } else { Place::Branch(at) })
        .collect();
    let branches = branches(site, &index, &places, &modes)?;
    let targets = leaves.iter().flatten().map(|(target, _)| target + 1).max().unwrap_or(0);
    let targets = match site.int("n_targets") {
        Some(given) => usize::try_from(given).map_err(|_| "targets below zero")?,
        None => targets,
    };
    let plan = Plan { roots: roots(trees, &places, &branches)?, branches, leaves, targets };
    plan.check_columns(site.columns)?;
    Ok(plan)
}

fn leaves<T: Float>(
    site: &Site<'_>,
    names: &Names,
    index: &Index,
    modes: &[String],
) -> Result<Vec<Vec<(usize, T)>>, String> {
    let (trees, nodes, targets) = (site.ints(names.trees), site.ints(names.nodes), site.ints(names.targets));
    let weights = numbers_of::<T>(site, names.weights, names.weights_as_tensor)?;
    if [nodes.len(), targets.len(), weights.len()] != [trees.len(); 3] {
        return Err("lists about leaves that differ in length".into());
    }
    let mut leaves = vec![Vec::new(); modes.len()];
    for (((tree, node), target), weight) in trees.iter().zip(nodes).zip(targets).zip(weights) {
        let at = *index
            .get(&(*tree, *node))
            .ok_or_else(|| format!("a weight of node {node} of tree {tree}, which is not there"))?;
        if modes[at] != "LEAF" {
            return Err(format!("a weight of node {node} of tree {tree}, which is no leaf"));
        }
        let target = usize::try_from(*target).map_err(|_| format!("the target {target}"))?;
        leaves[at].push((target, weight));
    }
    Ok(leaves)
}

fn branches<T: Float>(
    site: &Site<'_>,
    index: &Index,
    places: &[Place],
    modes: &[String],
) -> Result<Vec<Branch<T>>, String> {
    let values = numbers_of::<T>(site, "nodes_values", "nodes_values_as_tensor")?;
    let (features, trees) = (site.ints("nodes_featureids"), site.ints("nodes_treeids"));
    let (yes, no) = (site.ints("nodes_truenodeids"), site.ints("nodes_falsenodeids"));
    let missing = site.ints("nodes_missing_value_tracks_true");
    if [values.len(), features.len(), yes.len(), no.len()] != [modes.len(); 4]
        || !missing.is_empty() && missing.len() != modes.len()
    {
        return Err("lists about nodes that differ in length".into());
    }
    let branch = |at: usize| {
        if let Place::Leaf(_) = places[at] {
            // Keeps the numbering; nothing leads here.
            return Ok(Branch {
                feature: 0,
                test: Test::AtMost(T::ZERO),
                missing_is_yes: false,
                yes: places[at],
                no: places[at],
            });
        }
        let child = |node: i64| {
            let found = index.get(&(trees[at], node)).map(|child| places[*child]);
            found.ok_or_else(|| format!("node {node} of tree {} is not there", trees[at]))
        };
        Ok(Branch {
            feature: usize::try_from(features[at]).map_err(|_| format!("column {}", features[at]))?,
            test: Test::of_mode(&modes[at], values[at])?,
            missing_is_yes: missing.get(at).is_some_and(|flag| *flag != 0),
            yes: child(yes[at])?,
            no: child(no[at])?,
        })
    };
    (0..modes.len()).map(branch).collect()
}

/// The node of each tree that no branch leads to, in the order in which the trees appear.
fn roots<T>(trees: &[i64], places: &[Place], branches: &[Branch<T>]) -> Result<Vec<Place>, String> {
    let at = |place: Place| match place {
        Place::Branch(at) | Place::Leaf(at) => at,
    };
    let mut has_parent = vec![false; places.len()];
    for (place, branch) in places.iter().zip(branches).filter(|(place, _)| matches!(place, Place::Branch(_)))
    {
        for child in [branch.yes, branch.no] {
            if child == *place || std::mem::replace(&mut has_parent[at(child)], true) {
                return Err("a node that two branches lead to".into());
            }
        }
    }
    let (mut order, mut seen) = (Vec::new(), HashSet::new());
    let mut found: HashMap<i64, Place> = HashMap::new();
    for (place, tree) in places.iter().zip(trees) {
        if seen.insert(*tree) {
            order.push(*tree);
        }
        if !has_parent[at(*place)] && found.insert(*tree, *place).is_some() {
            return Err(format!("tree {tree} has two roots"));
        }
    }
    let root = |tree: &i64| found.get(tree).copied().ok_or_else(|| format!("tree {tree} has no root"));
    order.iter().map(root).collect()
}
