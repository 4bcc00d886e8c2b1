//! The JSON form.

mod counted;

use std::collections::HashMap;

use serde::Deserialize;

use super::saved::{Category, Fault, FloatFeature, Node, Notes, Saved, SavedTree, Split, Trees, asks_about};
use counted::{Made, Questions};

/// Questions above each other in a tree, at most: CatBoost's own limit is 16.
const MAX_DEPTH: usize = 64;

#[derive(Deserialize)]
struct File {
    features_info: Features,
    #[serde(default)]
    model_info: Notes,
    #[serde(default)]
    oblivious_trees: Vec<Symmetric>,
    #[serde(default)]
    trees: Vec<Branch>,
    /// Tables, by what they are of.
    #[serde(default)]
    ctr_data: HashMap<String, counted::Tabled>,
    /// Scale, and the bias of each target.
    #[serde(default)]
    scale_and_bias: Option<(f64, Bias)>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Bias {
    One(f64),
    Each(Vec<f64>),
}

#[derive(Deserialize)]
struct Features {
    #[serde(default)]
    float_features: Vec<Float>,
    #[serde(default)]
    categorical_features: Vec<Categorical>,
    #[serde(default)]
    ctrs: Vec<Made>,
    #[serde(default)]
    text_features: Vec<serde::de::IgnoredAny>,
    #[serde(default)]
    embedding_features: Vec<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
struct Float {
    feature_index: usize,
    flat_feature_index: usize,
    #[serde(default)]
    feature_id: String,
    #[serde(default)]
    borders: Vec<f64>,
    nan_value_treatment: String,
}

#[derive(Deserialize)]
struct Categorical {
    feature_index: usize,
    flat_feature_index: usize,
    #[serde(default)]
    feature_id: String,
    /// The codes that trees ask about.
    #[serde(default)]
    values: Vec<i32>,
}

#[derive(Deserialize)]
struct Symmetric {
    leaf_values: Vec<f64>,
    #[serde(default)]
    splits: Option<Vec<Question>>,
}

#[derive(Deserialize)]
struct Question {
    split_type: String,
    #[serde(default)]
    float_feature_index: usize,
    #[serde(default)]
    border: f64,
    #[serde(default)]
    cat_feature_index: usize,
    #[serde(default)]
    value: i32,
    /// Its number among all questions.
    #[serde(default)]
    split_index: usize,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Value {
    One(f64),
    Each(Vec<f64>),
}

#[derive(Deserialize)]
struct Branch {
    value: Option<Value>,
    split: Option<Question>,
    left: Option<Box<Branch>>,
    right: Option<Box<Branch>>,
}

/// Reads it.
pub(super) fn read(bytes: &[u8]) -> Result<Saved, Fault> {
    let file: File = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    let features = file.features_info;
    for (kind, list) in [("texts", &features.text_features), ("embeddings", &features.embedding_features)] {
        if !list.is_empty() {
            return Err(asks_about(kind));
        }
    }
    let (scale, bias) = match file.scale_and_bias {
        Some((scale, Bias::Each(bias))) => (scale, bias),
        Some((scale, Bias::One(bias))) => (scale, vec![bias]),
        None => (1.0, vec![0.0]),
    };
    let questions = Questions::of(&features);
    let mut trees = Vec::with_capacity(file.oblivious_trees.len() + file.trees.len());
    for tree in file.oblivious_trees {
        let splits = tree.splits.unwrap_or_default();
        let splits = splits.iter().map(|question| split(question, &questions)).collect::<Result<_, _>>()?;
        trees.push(SavedTree::Symmetric { splits, leaves: tree.leaf_values });
    }
    for tree in file.trees {
        let mut nodes = Vec::new();
        add(tree, &mut nodes, &questions, MAX_DEPTH)?;
        trees.push(SavedTree::Free(nodes));
    }
    let (tables, counted) = counted::read(&features.ctrs, &file.ctr_data)?;
    if tables.iter().any(|table| !table.kind.is_frequency()) && counted::lost_tables(&file.model_info) {
        return Err(Fault::NotBuilt(
            "was saved as JSON, which keeps one of several tables that count targets in different ways \
             (save it as .cbm, which keeps all)"
                .to_owned(),
        ));
    }
    let (floats, categories) = (floats(features.float_features)?, categories(features.categorical_features)?);
    let targets = bias.len();
    file.model_info.of(Trees { floats, categories, tables, counted, trees, targets, scale, bias })
}

fn categories(list: Vec<Categorical>) -> Result<Vec<Category>, String> {
    check_order(list.iter().map(|one| one.feature_index))?;
    let category = |one: Categorical| Category { place: one.flat_feature_index, name: one.feature_id };
    Ok(list.into_iter().map(category).collect())
}

fn check_order(numbers: impl Iterator<Item = usize>) -> Result<(), String> {
    let mut numbers = numbers.enumerate();
    if numbers.all(|(at, number)| at == number) {
        Ok(())
    } else {
        Err("its columns are not in order".to_owned())
    }
}

/// The columns, in the order of their numbers, which is how questions name them.
fn floats(list: Vec<Float>) -> Result<Vec<FloatFeature>, String> {
    check_order(list.iter().map(|float| float.feature_index))?;
    let float = |float: Float| {
        let missing_is_large = match &*float.nan_value_treatment {
            "AsTrue" => true,
            "AsFalse" | "AsIs" => false,
            other => return Err(format!("missing numbers are taken {other:?}, which is not known")),
        };
        Ok(FloatFeature { place: float.flat_feature_index, name: float.feature_id, missing_is_large })
    };
    list.into_iter().map(float).collect()
}

fn split(question: &Question, questions: &Questions) -> Result<Split, Fault> {
    let border = question.border as f32;
    match &*question.split_type {
        "FloatFeature" => Ok(Split::Above { float: question.float_feature_index, border }),
        "OneHotFeature" => Ok(Split::Is { category: question.cat_feature_index, code: question.value }),
        "OnlineCtr" => {
            let counted = questions.counted(question.split_index, border);
            let counted = counted.ok_or_else(|| "a question names another than its number".to_owned())?;
            Ok(Split::Counted { counted, border })
        }
        other => Err(asks_about(other)),
    }
}

/// Adds a branch and what is below it; its place.
fn add(branch: Branch, nodes: &mut Vec<Node>, questions: &Questions, depth: usize) -> Result<usize, Fault> {
    let place = nodes.len();
    match (branch.split, branch.left, branch.right, branch.value) {
        (Some(question), Some(left), Some(right), _) if depth > 0 => {
            let split = split(&question, questions)?;
            nodes.push(Node::Leaf(Vec::new()));
            let no = add(*left, nodes, questions, depth - 1)?;
            let yes = add(*right, nodes, questions, depth - 1)?;
            nodes[place] = Node::Split { split, no, yes };
        }
        (None, None, None, Some(Value::One(value))) => nodes.push(Node::Leaf(vec![value])),
        (None, None, None, Some(Value::Each(values))) => nodes.push(Node::Leaf(values)),
        _ => return Err(Fault::Damaged("a node of a tree is neither a question nor a leaf".to_owned())),
    }
    Ok(place)
}
