//! The JSON form.

use serde::Deserialize;

use super::saved::{Fault, FloatFeature, Node, Notes, Saved, SavedTree, Split, Trees, asks_about};

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
    categorical_features: Vec<serde::de::IgnoredAny>,
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
    nan_value_treatment: String,
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
    let features = &file.features_info;
    for (kind, list) in [
        ("categories", &features.categorical_features),
        ("texts", &features.text_features),
        ("embeddings", &features.embedding_features),
    ] {
        if !list.is_empty() {
            return Err(asks_about(kind));
        }
    }
    let (scale, bias) = match file.scale_and_bias {
        Some((scale, Bias::Each(bias))) => (scale, bias),
        Some((scale, Bias::One(bias))) => (scale, vec![bias]),
        None => (1.0, vec![0.0]),
    };
    let floats = floats(file.features_info.float_features)?;
    let mut trees = Vec::with_capacity(file.oblivious_trees.len() + file.trees.len());
    for tree in file.oblivious_trees {
        let splits = tree.splits.unwrap_or_default().iter().map(split).collect::<Result<_, _>>()?;
        trees.push(SavedTree::Symmetric { splits, leaves: tree.leaf_values });
    }
    for tree in file.trees {
        let mut nodes = Vec::new();
        add(tree, &mut nodes, MAX_DEPTH)?;
        trees.push(SavedTree::Free(nodes));
    }
    file.model_info.of(Trees { floats, trees, targets: bias.len(), scale, bias })
}

/// The columns, in the order of their numbers, which is how questions name them.
fn floats(list: Vec<Float>) -> Result<Vec<FloatFeature>, String> {
    let in_order = list.iter().enumerate().all(|(number, float)| float.feature_index == number);
    if !in_order {
        return Err("its columns are not in order".to_owned());
    }
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

fn split(question: &Question) -> Result<Split, Fault> {
    match &*question.split_type {
        "FloatFeature" => Ok(Split { float: question.float_feature_index, border: question.border as f32 }),
        "OneHotFeature" | "OnlineCtr" => Err(asks_about("categories")),
        other => Err(asks_about(other)),
    }
}

/// Adds a branch and what is below it; its place.
fn add(branch: Branch, nodes: &mut Vec<Node>, depth: usize) -> Result<usize, Fault> {
    let place = nodes.len();
    match (branch.split, branch.left, branch.right, branch.value) {
        (Some(question), Some(left), Some(right), _) if depth > 0 => {
            let split = split(&question)?;
            nodes.push(Node::Leaf(Vec::new()));
            let no = add(*left, nodes, depth - 1)?;
            let yes = add(*right, nodes, depth - 1)?;
            nodes[place] = Node::Split { split, no, yes };
        }
        (None, None, None, Some(Value::One(value))) => nodes.push(Node::Leaf(vec![value])),
        (None, None, None, Some(Value::Each(values))) => nodes.push(Node::Leaf(values)),
        _ => return Err(Fault::Damaged("a node of a tree is neither a question nor a leaf".to_owned())),
    }
    Ok(place)
}
