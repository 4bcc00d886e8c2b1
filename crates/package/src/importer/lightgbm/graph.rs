//! The same model as an ONNX graph, in float64 as LightGBM computes it; the answer is that of `Booster.predict`.

use modelet_core::{DType, Dim, FunctionError, Tensor};
use modelet_model::onnx::COLUMNS_KEY;
use modelet_model::onnx::write::{Attribute, GraphWriter};

use super::objective::Link;
use super::text::{Text, TextTree};
use crate::importer::classes::{Classes, PROBABILITIES};
use crate::importer::codes::{self, Cut};
use crate::importer::converted::refused;
use crate::importer::ensemble::{Ensemble, Node, Test, Tree};
use crate::importer::guest::{INPUT, Unheld};
use crate::importer::links::logistic;

const OUTPUT: &str = "prediction";
/// What LightGBM takes for zero (`kZeroThreshold`, a float32).
const ZERO_THRESHOLD: f32 = 1e-35;
/// Bits of `decision_type`.
const CATEGORICAL: u8 = 1;
const DEFAULT_LEFT: u8 = 2;
/// Most classes.
const MAX_TARGETS: usize = 1 << 16;

/// What a node takes for missing, by the bits of `decision_type` above the other two.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Missing {
    /// Nothing: NaN is taken for 0.
    None,
    /// What is 0, or NaN.
    Zero,
    /// NaN.
    Nan,
}

impl Missing {
    fn of(decision_type: u8) -> Self {
        match (decision_type >> 2) & 3 {
            0 => Self::None,
            1 => Self::Zero,
            _ => Self::Nan,
        }
    }
}

/// What the model was, in words.
pub(super) fn origin(text: &Text) -> String {
    let objective =
        text.objective.split(' ').next().filter(|name| !name.is_empty()).unwrap_or("custom objective");
    format!("LightGBM, {objective}, {} trees", text.trees.len())
}

/// Why a model is not imported whose categories are pandas': the trees know only the numbers that pandas gave them, and a client
/// that sent the categories themselves would get a wrong answer.
pub(super) fn of_pandas() -> FunctionError {
    refused(
        "columns of the model are pandas' categories, of which the trees know only pandas' numbers for them",
    )
    .hint("train with the numbers: table[column].cat.codes, and categorical_feature=[column]")
}

/// Makes the graph: the answer is a number for each row and class, or a choice from the classes.
pub(super) fn of(text: &Text, classes: Option<Classes>) -> Result<GraphWriter, FunctionError> {
    let link = Link::of(text.objective).ok_or_else(|| {
        let objective = text.objective;
        refused(format!("the objective {objective:?} is not known: what it makes of the sum over the trees is not in the file"))
            .hint("train with one of LightGBM's own objectives")
    })?;
    let targets = text.trees_per_round;
    if !(1..=MAX_TARGETS).contains(&targets) {
        return Err(refused(format!("the model has {targets} classes, the limit is {MAX_TARGETS}")));
    }
    let mut graph = GraphWriter::default();
    let rows = || Dim::Named("rows".to_owned());
    graph.input(INPUT, DType::F64, &[rows(), Dim::Fixed(text.features)]);
    let input = zeros(text)?.map_or(INPUT, |zero| with_zeros(&mut graph, zero));
    let ensemble = ensemble(text)?;
    let input = codes::whole(&mut graph, input, &ensemble, Cut::TowardsZero);
    ensemble.write(&mut graph, input, "sum")?;
    let mut last = "sum";
    if text.averages {
        graph.constant("rounds", &scalar((text.trees.len() / targets) as f64));
        graph.node(("", "Div"), &["sum", "rounds"], "mean", vec![]);
        last = "mean";
    }
    if let Some(classes) = classes {
        classify(&mut graph, link, (last, targets), classes)?;
    } else if targets == 1 {
        transform(&mut graph, link, last, "predictions");
        graph.constant("last_axis", &Tensor::vector(vec![1_i64]));
        graph.node(("", "Squeeze"), &["predictions", "last_axis"], OUTPUT, vec![]);
        graph.output(OUTPUT, DType::F64, &[rows()]);
    } else {
        transform(&mut graph, link, last, OUTPUT);
        graph.output(OUTPUT, DType::F64, &[rows(), Dim::Fixed(targets)]);
    }
    if text.names.len() == text.features {
        // Plain texts, which always become JSON.
        graph.metadata(COLUMNS_KEY, &serde_json::to_string(&text.names).unwrap_or_default());
    }
    Ok(graph)
}

/// What `LGBMClassifier` answers.
fn classify(
    graph: &mut GraphWriter,
    link: Link,
    (last, targets): (&str, usize),
    classes: Classes,
) -> Result<(), FunctionError> {
    match (targets, classes.len()) {
        (1, 2) => {
            transform(graph, link, last, "second");
            graph.constant("whole", &scalar(1.0));
            graph.node(("", "Sub"), &["whole", "second"], "first", vec![]);
            let axis = vec![("axis", Attribute::Int(1))];
            graph.node(("", "Concat"), &["first", "second"], PROBABILITIES, axis);
        }
        (targets, classes) if targets == classes && targets > 2 => {
            transform(graph, link, last, PROBABILITIES);
        }
        (targets, classes) => {
            return Err(refused(format!("the model has {targets} sums for {classes} classes")));
        }
    }
    classes.choose(graph);
    Ok(())
}

/// Writes what `decision_function` of a classifier answers: the sums, also where probabilities are made of means.
pub(super) fn decide(text: &Text, graph: &mut GraphWriter) {
    if text.trees_per_round == 1 {
        graph.constant("only_sum", &Tensor::vector(vec![1_i64]));
        graph.node(("", "Squeeze"), &["sum", "only_sum"], "decision", vec![]);
    } else {
        graph.node(("", "Identity"), &["sum"], "decision", vec![]);
    }
}

fn transform(graph: &mut GraphWriter, link: Link, from: &str, to: &str) {
    match link {
        Link::Identity => graph.node(("", "Identity"), &[from], to, vec![]),
        Link::Exponential => graph.node(("", "Exp"), &[from], to, vec![]),
        Link::Softmax => graph.node(("", "Softmax"), &[from], to, vec![("axis", Attribute::Int(1))]),
        Link::SignedSquare => {
            graph.node(("", "Abs"), &[from], "size", vec![]);
            graph.node(("", "Mul"), &[from, "size"], to, vec![]);
        }
        Link::Softplus => {
            graph.constant("unit", &scalar(1.0));
            graph.node(("", "Exp"), &[from], "power", vec![]);
            graph.node(("", "Add"), &["power", "unit"], "above_one", vec![]);
            graph.node(("", "Log"), &["above_one"], to, vec![]);
        }
        Link::Logistic(sigmoid) => {
            graph.constant("steepness", &scalar(sigmoid));
            graph.node(("", "Mul"), &[from, "steepness"], "steep", vec![]);
            logistic(graph, "steep", to);
        }
    }
}

/// What stands for numbers that LightGBM takes for zero, where that makes a difference: NaN where nodes take zeros for missing
/// (all do or none, by `zero_as_missing`, but for those that take nothing for it, which take NaN for zero again); 0 where a
/// node compares with a number among them.
fn zeros(text: &Text) -> Result<Option<f64>, FunctionError> {
    let nodes = || {
        let both = text.trees.iter().flat_map(|tree| tree.decision_type.iter().zip(&tree.threshold));
        both.filter(|(kind, _)| **kind & CATEGORICAL == 0)
    };
    let any = |missing| nodes().any(|(kind, _)| Missing::of(*kind) == missing);
    let threshold = f64::from(ZERO_THRESHOLD);
    match (any(Missing::Zero), any(Missing::Nan)) {
        (true, true) => {
            Err(refused("some nodes take zeros for missing and others NaN, which LightGBM does not train"))
        }
        (true, false) => Ok(Some(f64::NAN)),
        (false, _) => Ok(nodes().any(|(_, split)| (-threshold..threshold).contains(split)).then_some(0.0)),
    }
}

/// What a zero is to its trees that a sparse matrix does not hold: numbers near to zero are taken for it only where they come in a
/// matrix that holds all.
pub(super) fn unheld(text: &Text) -> Result<Unheld, FunctionError> {
    let takes_near_zero = zeros(text)?.is_some_and(|zero| !zero.is_nan());
    Ok(if takes_near_zero { Unheld::ZeroAlone } else { Unheld::Zero })
}

/// The input with one number for all that LightGBM takes for zero.
fn with_zeros(graph: &mut GraphWriter, zero: f64) -> &'static str {
    graph.constant("zero_threshold", &scalar(ZERO_THRESHOLD.into()));
    graph.constant("zero", &scalar(zero));
    graph.node(("", "Abs"), &[INPUT], "sizes", vec![]);
    graph.node(("", "LessOrEqual"), &["sizes", "zero_threshold"], "are_zero", vec![]);
    graph.node(("", "Where"), &["are_zero", "zero", INPUT], "with_zeros", vec![]);
    "with_zeros"
}

fn ensemble(text: &Text) -> Result<Ensemble, FunctionError> {
    let targets = text.trees_per_round;
    let mut ensemble =
        Ensemble { precision: DType::F64, targets, features: text.features, trees: Vec::new() };
    for (number, tree) in text.trees.iter().enumerate() {
        if tree.is_linear {
            return Err(refused(
                "the leaves are linear functions (linear_tree), which cannot be imported yet",
            )
            .hint("train with linear_tree=False"));
        }
        let nodes = nodes(tree).ok_or_else(|| {
            refused(format!("tree {number} of the model is damaged: its lists do not fit together"))
        })?;
        ensemble.trees.push(Tree { target: number % targets, nodes });
    }
    Ok(ensemble)
}

/// The nodes of a tree, splits before leaves; `None` when a list is too short, or a number is none.
fn nodes(tree: &TextTree) -> Option<Vec<Node>> {
    let splits = tree.split_feature.len();
    if tree.leaf_value.iter().any(|value| value.is_nan()) {
        return None;
    }
    let mut nodes = (0..splits).map(|at| split(tree, at, splits)).collect::<Option<Vec<_>>>()?;
    nodes.extend(tree.leaf_value.iter().map(|value| Node::Leaf(*value)));
    Some(nodes)
}

fn split(tree: &TextTree, at: usize, splits: usize) -> Option<Node> {
    let place = |child: i64| match usize::try_from(child) {
        Ok(split) => Some(split),
        Err(_) => usize::try_from(!child).ok()?.checked_add(splits),
    };
    let (yes, no) = (place(*tree.left_child.get(at)?)?, place(*tree.right_child.get(at)?)?);
    let (kind, threshold) = (*tree.decision_type.get(at)?, *tree.threshold.get(at)?);
    let feature = tree.split_feature[at];
    if threshold.is_nan() {
        return None;
    }
    if kind & CATEGORICAL != 0 {
        let test = Test::Among(members(tree, threshold as usize)?);
        return Some(Node::Split { feature, test, missing_is_yes: false, yes, no });
    }
    let missing_is_yes = match Missing::of(kind) {
        Missing::None => 0.0 <= threshold,
        Missing::Zero | Missing::Nan => kind & DEFAULT_LEFT != 0,
    };
    Some(Node::Split { feature, test: Test::AtMost(threshold), missing_is_yes, yes, no })
}

/// The categories of a set: those whose bits are set.
fn members(tree: &TextTree, set: usize) -> Option<Vec<f64>> {
    let (begin, end) = (*tree.cat_boundaries.get(set)?, *tree.cat_boundaries.get(set.checked_add(1)?)?);
    let words = tree.cat_threshold.get(begin..end)?;
    let bits = words.iter().enumerate().flat_map(|(at, word)| {
        (0..u32::BITS)
            .filter(move |bit| word >> bit & 1 == 1)
            .map(move |bit| at as f64 * 32.0 + f64::from(bit))
    });
    Some(bits.collect())
}

fn scalar(number: f64) -> Tensor {
    Tensor::vector(vec![number])
}
