//! `HistGradientBoosting*`: trees over the columns as they are, in float64, with a place for what is missing, and sets of
//! categories. Since version 1.4 a step of its own in front makes codes of categories.

use modelet_core::DType;
use modelet_model::onnx::write::GraphWriter;

use super::Takes;
use super::answer::Answer;
use super::fitted::Fitted;
use super::tree::check_size;
use crate::importer::classes::PROBABILITIES;
use crate::importer::codes::{Cut, whole};
use crate::importer::ensemble::{Ensemble, Node, Test, Tree};
use crate::pickle::{Array, Asked, Item};

pub(super) const MODULE: &str = "sklearn.ensemble._hist_gradient_boosting.gradient_boosting";
const PREDICTOR: &str = "TreePredictor";
/// Since this version a code between -1 and 0 is a missing value, before it is cut to 0.
const NEGATIVE_IS_MISSING_SINCE: u32 = 2;
/// The largest code of a category: beyond it scikit-learn's own cast has no meaning.
pub(super) const LARGEST_CODE: f64 = 255.0;
/// Since this version labels follow from the sums, before it from the probabilities.
const LABELS_BY_SUMS_SINCE: u32 = 5;

pub(super) fn classifier(fitted: &Fitted, graph: &mut GraphWriter) -> Asked<Takes> {
    let classes = fitted.classes()?;
    let loss = fitted.item.get("_loss")?;
    let targets = sums(fitted, graph)?;
    graph.decision_of_sums("sums", targets);
    match (&*loss.class()?.name, targets, classes.len()) {
        ("HalfBinomialLoss", 1, 2) => {
            graph.logistic("sums", "second");
            graph.two_probabilities("second");
        }
        ("HalfMultinomialLoss", targets, classes) if targets == classes => {
            graph.softmax("sums", PROBABILITIES);
        }
        _ => return Err(loss.not("a loss that is known, for the number of its classes")),
    }
    match (fitted.version.minor >= LABELS_BY_SUMS_SINCE, targets) {
        (true, 1) => graph.is_positive("sums", false, "index"),
        (true, _) => graph.largest("sums", "index"),
        (false, _) => graph.largest(PROBABILITIES, "index"),
    }
    classes.write(graph, "index");
    Ok(None)
}

pub(super) fn regressor(fitted: &Fitted, graph: &mut GraphWriter) -> Asked<Takes> {
    let loss = fitted.item.get("_loss")?;
    if sums(fitted, graph)? != 1 {
        return Err(loss.not("a loss of one number"));
    }
    match &*loss.class()?.name {
        "HalfSquaredError" | "AbsoluteError" | "PinballLoss" => graph.predict("sums", 1),
        "HalfPoissonLoss" | "HalfGammaLoss" => {
            graph.apply("Exp", &["sums"], "means");
            graph.predict("means", 1);
        }
        _ => return Err(loss.not("a loss that is known")),
    }
    Ok(None)
}

/// Writes the sums over the trees, and returns how many there are for each row.
fn sums(fitted: &Fitted, graph: &mut GraphWriter) -> Asked<usize> {
    let item = &fitted.item;
    let known = known_categories(item)?;
    let targets = item.get("n_trees_per_iteration_")?.count()?;
    let baseline = item.get("_baseline_prediction")?;
    let start = if baseline.array().is_ok() { baseline.numbers()? } else { vec![baseline.number()?] };
    if start.len() != targets || targets == 0 {
        return Err(baseline.not("a number for each of its trees in a round"));
    }
    let mut ensemble =
        Ensemble { precision: DType::F64, targets, features: fitted.features, trees: Vec::new() };
    for (target, number) in start.iter().enumerate() {
        ensemble.add_constant(target, *number);
    }
    let mut size = 0_usize;
    for round in item.get("_predictors")?.items()? {
        let predictors = round.items()?;
        if predictors.len() != targets {
            return Err(round.not("a round of trees"));
        }
        for (target, predictor) in predictors.iter().enumerate() {
            let nodes = nodes(predictor, &known)?;
            size += nodes.len();
            check_size(size, 1)?;
            ensemble.trees.push(Tree { target, nodes });
        }
    }
    let cut = if fitted.version.minor < NEGATIVE_IS_MISSING_SINCE { Cut::TowardsZero } else { Cut::Down };
    let input = whole(graph, &fitted.input, &ensemble, cut);
    graph.trees(&ensemble, input, "sums")?;
    Ok(targets)
}

/// The columns of which scikit-learn before version 1.4 takes codes of categories as they come, up to [`LARGEST_CODE`].
pub(super) fn columns_of_codes(item: &Item) -> Asked<Vec<usize>> {
    let Some(flags) = item.find("is_categorical_")?.filter(|flags| !flags.is_none()) else {
        return Ok(vec![]);
    };
    if item.find("_preprocessor")?.is_some_and(|own| !own.is_none()) {
        return Ok(vec![]);
    }
    let flags = flags.array()?.flags().ok_or_else(|| flags.not("an array of truths"))?;
    Ok(flags.iter().enumerate().filter_map(|(at, is_code)| is_code.then_some(at)).collect())
}

/// The codes that each column knows, where columns are categories: empty for one of numbers.
fn known_categories(item: &Item) -> Asked<Vec<Vec<f64>>> {
    if item.get("is_categorical_")?.is_none() {
        return Ok(Vec::new());
    }
    item.get("_bin_mapper")?.get("bin_thresholds_")?.items()?.iter().map(Item::numbers).collect()
}

/// The codes that go to the left at each question about a category, as bits.
struct Bits {
    words: Vec<i64>,
}

impl Bits {
    /// Bits of a word, and words of a question.
    const WORD: usize = 32;
    const WORDS: usize = 8;

    fn has(&self, question: usize, code: usize) -> bool {
        let word = self.words.get(question * Self::WORDS + code / Self::WORD);
        word.is_some_and(|word| word >> (code % Self::WORD) & 1 == 1)
    }

    /// A question about a category. Codes that were not known go where missing values go.
    fn split(&self, question: usize, known: &[f64], missing_is_left: bool) -> (Test, bool) {
        // The set is that of the other side, so that all that is not in it goes with what is missing.
        let is_asked = |code: &&f64| self.has(question, **code as usize) != missing_is_left;
        (Test::Among(known.iter().filter(is_asked).copied().collect()), !missing_is_left)
    }
}

/// The nodes of a tree, as they are.
fn nodes(predictor: &Item, known: &[Vec<f64>]) -> Asked<Vec<Node>> {
    let class = predictor.class()?;
    let item = predictor.get("nodes")?;
    let table = item.array()?;
    if class.name != PREDICTOR || table.shape.len() != 1 {
        return Err(predictor.not("a tree as scikit-learn has it"));
    }
    let found = |name: &str| item.not(&format!("an array with a column {name} as scikit-learn has it"));
    let field = |name: &str| table.field(name).ok_or_else(|| found(name));
    let flags = |name: &str| field(name)?.integers().ok_or_else(|| found(name));
    let numbers = |name: &str| field(name)?.numbers().ok_or_else(|| found(name));
    let places = |name: &str| places(&field(name)?).ok_or_else(|| found(name));
    let (is_leaf, is_category) = (flags("is_leaf")?, flags("is_categorical")?);
    let (missing_is_left, features) = (flags("missing_go_to_left")?, places("feature_idx")?);
    let (left, right) = (places("left")?, places("right")?);
    let (values, thresholds) = (numbers("value")?, numbers("num_threshold")?);
    let sets = predictor.get("raw_left_cat_bitsets")?;
    let sets = Bits { words: sets.array()?.integers().ok_or_else(|| sets.not("an array of sets"))? };
    let set_of = places("bitset_idx")?;
    let node = |at: usize| {
        let missing_is_yes = missing_is_left[at] != 0;
        if is_leaf[at] != 0 {
            return Ok(Node::Leaf(values[at]));
        }
        if is_category[at] != 0 {
            let known = known.get(features[at]).filter(|known| !known.is_empty());
            let known = known.ok_or_else(|| item.not("an array of nodes about categories that are known"))?;
            let (test, is_left) = sets.split(set_of[at], known, missing_is_yes);
            let (yes, no) = if is_left { (left[at], right[at]) } else { (right[at], left[at]) };
            return Ok(Node::Split { feature: features[at], test, missing_is_yes: false, yes, no });
        }
        if thresholds[at].is_nan() {
            return Err(item.not("an array of nodes that compare with numbers"));
        }
        Ok(Node::Split {
            feature: features[at],
            test: Test::AtMost(thresholds[at]),
            missing_is_yes,
            yes: left[at],
            no: right[at],
        })
    };
    (0..is_leaf.len()).map(node).collect()
}

fn places(array: &Array) -> Option<Vec<usize>> {
    array.integers()?.into_iter().map(|place| usize::try_from(place).ok()).collect()
}
