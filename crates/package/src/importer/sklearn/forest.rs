//! Trees alone, and forests: sums over the trees in their order, divided by how many they are.

use modelet_core::{DType, Numbers};
use modelet_model::onnx::write::GraphWriter;

use super::Takes;
use super::answer::Answer;
use super::fitted::Fitted;
use super::outputs::labels;
use super::sums::numpy_sum;
use super::tree::{SavedTree, check_size, rounded};
use crate::importer::classes::{Classes, PROBABILITIES};
use crate::importer::ensemble::Ensemble;
use crate::pickle::{Asked, Item};

/// Since this version leaves hold shares of the classes, before it counts.
const SHARES_SINCE: u32 = 4;
/// Since these versions trees answer for missing numbers: all but random ones, forests, random ones, and whatever the criterion.
const MISSING_SINCE: u32 = 3;
const MISSING_IN_FORESTS_SINCE: u32 = 4;
const MISSING_IN_RANDOM_SINCE: u32 = 6;
const MISSING_FOR_ALL_SINCE: u32 = 9;
/// The criteria for which they did before.
const FOR_MISSING: &[&str] = &["gini", "log_loss", "entropy", "squared_error", "friedman_mse", "poisson"];

pub(super) fn tree_classifier(fitted: &Fitted, graph: &mut GraphWriter) -> Asked<Takes> {
    classify(fitted, graph, std::slice::from_ref(&fitted.item))
}

pub(super) fn tree_regressor(fitted: &Fitted, graph: &mut GraphWriter) -> Asked<Takes> {
    regress(fitted, graph, std::slice::from_ref(&fitted.item))
}

pub(super) fn classifier(fitted: &Fitted, graph: &mut GraphWriter) -> Asked<Takes> {
    classify(fitted, graph, &estimators(fitted)?)
}

pub(super) fn regressor(fitted: &Fitted, graph: &mut GraphWriter) -> Asked<Takes> {
    regress(fitted, graph, &estimators(fitted)?)
}

fn estimators<'a>(fitted: &Fitted<'a>) -> Asked<Vec<Item<'a>>> {
    let estimators = fitted.item.get("estimators_")?.items()?;
    if estimators.is_empty() { Err("it has no trees".to_owned()) } else { Ok(estimators) }
}

/// What a forest takes is what its first tree takes, since version 1.4 also missing numbers.
fn takes(fitted: &Fitted, models: &[Item]) -> Asked<Takes> {
    let minor = fitted.version.minor;
    let is_tree = fitted.item.find("tree_")?.is_some();
    let missing = (is_tree || minor >= MISSING_IN_FORESTS_SINCE) && takes_missing(&models[0], minor)?;
    Ok(Some(Numbers { missing, largest: f32::MAX.into() }))
}

/// Whether scikit-learn lets a tree answer for missing numbers: it depends on how it was grown.
fn takes_missing(tree: &Item, minor: u32) -> Asked<bool> {
    let is_best = match tree.get("splitter")?.text()? {
        "best" => true,
        "random" => false,
        _ => return Err(tree.not("a tree with a splitter that is known")),
    };
    let is_extra = tree.class()?.name.starts_with("ExtraTree");
    let splitter =
        if is_best { minor >= MISSING_SINCE && !is_extra } else { minor >= MISSING_IN_RANDOM_SINCE };
    let is_any = minor >= MISSING_FOR_ALL_SINCE;
    let criterion = is_any || FOR_MISSING.contains(&tree.get("criterion")?.text()?);
    let is_free = is_any || tree.find("monotonic_cst")?.is_none_or(|constraints| constraints.is_none());
    Ok(splitter && criterion && is_free)
}

fn classify(fitted: &Fitted, graph: &mut GraphWriter, models: &[Item]) -> Asked<Takes> {
    let outputs = fitted.item.get("n_outputs_")?.count()?;
    if outputs == 1 {
        let classes = fitted.classes()?;
        let ensemble = shares(fitted, models, &[classes.len()])?;
        means(fitted, graph, &ensemble, models.len(), PROBABILITIES)?;
        classes.choose(graph);
        return takes(fitted, models);
    }
    let classes = fitted.item.get("classes_")?.items()?;
    let classes = classes.iter().map(Classes::read).collect::<Asked<Vec<_>>>()?;
    let sizes: Vec<_> = classes.iter().map(Classes::len).collect();
    if sizes.len() != outputs {
        return Err(fitted.item.not("a model with a list of classes for each output"));
    }
    let ensemble = shares(fitted, models, &sizes)?;
    means(fitted, graph, &ensemble, models.len(), "means")?;
    let width = ensemble.targets / outputs;
    let mut chosen = Vec::new();
    for (output, classes) in classes.into_iter().enumerate() {
        let (own, index) = (format!("means{output}"), format!("index{output}"));
        let places: Vec<_> = (output * width..output * width + classes.len()).collect();
        graph.columns("means", &places, &own);
        graph.largest(&own, &index);
        chosen.push((classes, index));
    }
    // The probabilities of each output are a table of its own size, and not given.
    labels(chosen, graph)?;
    takes(fitted, models)
}

/// The trees, with the shares of the classes in their leaves: so many for each output, and zeros behind them up to the most.
fn shares(fitted: &Fitted, models: &[Item], sizes: &[usize]) -> Asked<Ensemble> {
    let most = sizes.iter().copied().max().unwrap_or_default();
    read(fitted, models, (sizes.len(), most), |tree| {
        if fitted.version.minor < SHARES_SINCE {
            for leaf in tree.leaves_mut() {
                for (output, size) in leaf.chunks_exact_mut(most).zip(sizes) {
                    to_shares(&mut output[..*size], models.len() == 1)?;
                }
            }
        }
        Ok(())
    })
}

fn regress(fitted: &Fitted, graph: &mut GraphWriter, models: &[Item]) -> Asked<Takes> {
    let outputs = fitted.item.get("n_outputs_")?.count()?;
    let ensemble = read(fitted, models, (outputs, 1), |_| Ok(()))?;
    means(fitted, graph, &ensemble, models.len(), "means")?;
    graph.predict("means", outputs);
    takes(fitted, models)
}

/// All trees, once for each number in their leaves.
fn read(
    fitted: &Fitted,
    models: &[Item],
    shape: (usize, usize),
    change: impl Fn(&mut SavedTree) -> Asked<()>,
) -> Asked<Ensemble> {
    let targets = shape.0 * shape.1;
    let mut trees = Vec::new();
    let mut nodes = 0_usize;
    for model in models {
        let mut tree = SavedTree::read(model)?;
        if tree.shape != shape {
            return Err(model.not("a tree whose leaves are of the size that the model says"));
        }
        nodes += tree.len();
        check_size(nodes, targets)?;
        change(&mut tree)?;
        for target in 0..targets {
            trees.push(tree.of(target, target, |number| number)?);
        }
    }
    Ok(Ensemble { precision: DType::F64, targets, features: fitted.features, trees })
}

fn means(fitted: &Fitted, graph: &mut GraphWriter, ensemble: &Ensemble, trees: usize, to: &str) -> Asked<()> {
    let input = rounded(graph, &fitted.input);
    graph.trees(ensemble, input, "sums")?;
    graph.scalar("trees", trees as f64);
    graph.apply("Div", &["sums", "trees"], to);
    Ok(())
}

/// What scikit-learn before version 1.4 makes of the counts in a leaf each time that it answers. A tree alone chooses its label
/// by the counts: where that would be another one than by the shares, the two cannot be told apart any more.
fn to_shares(leaf: &mut [f64], is_alone: bool) -> Asked<()> {
    let chosen = first_largest(leaf);
    let sum = numpy_sum(leaf);
    let sum = if sum == 0.0 { 1.0 } else { sum };
    leaf.iter_mut().for_each(|count| *count /= sum);
    if is_alone && first_largest(leaf) != chosen {
        return Err("a leaf has two classes whose counts differ, and whose shares do not".to_owned());
    }
    Ok(())
}

fn first_largest(numbers: &[f64]) -> usize {
    (1..numbers.len()).fold(0, |best, at| if numbers[at] > numbers[best] { at } else { best })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_become_shares_and_what_cannot_be_told_apart_is_refused() {
        let mut leaf = [1.0, 3.0, 0.0];
        to_shares(&mut leaf, true).unwrap();
        assert_eq!(leaf, [0.25, 0.75, 0.0]);
        let mut empty = [0.0, 0.0];
        to_shares(&mut empty, true).unwrap();
        assert_eq!(empty, [0.0, 0.0]);
    }
}
