//! The file as it is: only what predictions depend on. Sizes and parameters are texts there, flags numbers or booleans.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::ubjson;

/// A saved model.
#[derive(Debug, Deserialize)]
pub(super) struct Saved {
    pub learner: Learner,
    /// The version that wrote it: major, minor, patch.
    #[serde(default)]
    pub version: Vec<u64>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Learner {
    #[serde(default)]
    pub attributes: BTreeMap<String, String>,
    #[serde(default)]
    pub feature_names: Vec<String>,
    pub gradient_booster: Booster,
    pub learner_model_param: Parameters,
    pub objective: Objective,
}

#[derive(Debug, Deserialize)]
pub(super) struct Objective {
    pub name: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Parameters {
    /// A number, or since version 3.1 a list of them, as text.
    pub base_score: String,
    #[serde(deserialize_with = "size")]
    pub num_class: usize,
    #[serde(deserialize_with = "size")]
    pub num_feature: usize,
    #[serde(default = "one", deserialize_with = "size")]
    pub num_target: usize,
}

/// Trees, trees of which some were dropped in training, or no trees.
#[derive(Debug, Deserialize)]
#[serde(tag = "name", rename_all = "lowercase")]
pub(super) enum Booster {
    Gbtree { model: Forest },
    Dart { gbtree: Inner, weight_drop: Vec<f32> },
    Gblinear,
}

#[derive(Debug, Deserialize)]
pub(super) struct Inner {
    pub model: Forest,
}

#[derive(Debug, Deserialize)]
pub(super) struct Forest {
    /// For each tree the class, or target, that it is for.
    pub tree_info: Vec<usize>,
    pub trees: Vec<SavedTree>,
    /// Where each round's trees begin, and the end; older files have none.
    #[serde(default)]
    pub iteration_indptr: Vec<usize>,
    pub gbtree_model_param: ForestParameters,
    /// The categories of the data frame; since version 3.1.
    #[serde(default)]
    pub cats: Option<Categories>,
}

/// What the categories of a data frame were.
#[derive(Debug, Deserialize)]
pub(super) struct Categories {
    /// Those of each column; nothing when codes were given.
    #[serde(default)]
    pub enc: Vec<Value>,
}

#[derive(Debug, Deserialize)]
pub(super) struct ForestParameters {
    #[serde(default = "one", deserialize_with = "size")]
    pub num_parallel_tree: usize,
}

/// A tree as columns over its nodes. A node without a left child is a leaf, and its condition is its value.
#[derive(Debug, Deserialize)]
pub(super) struct SavedTree {
    pub left_children: Vec<i64>,
    pub right_children: Vec<i64>,
    pub split_indices: Vec<usize>,
    #[serde(deserialize_with = "numbers")]
    pub split_conditions: Vec<f32>,
    #[serde(deserialize_with = "flags")]
    pub default_left: Vec<bool>,
    /// Categories of all nodes that ask for some, and where each node's are.
    #[serde(default)]
    pub categories: Vec<u32>,
    #[serde(default)]
    pub categories_nodes: Vec<usize>,
    #[serde(default)]
    pub categories_segments: Vec<usize>,
    #[serde(default)]
    pub categories_sizes: Vec<usize>,
    pub tree_param: TreeParameters,
}

#[derive(Debug, Deserialize)]
pub(super) struct TreeParameters {
    #[serde(default = "one", deserialize_with = "size")]
    pub size_leaf_vector: usize,
}

/// What a pickle has: the model, and how it was trained.
#[derive(Debug, Deserialize)]
struct Snapshot {
    #[serde(rename = "Model")]
    model: Saved,
}

impl Saved {
    /// Reads the snapshot of a pickle.
    pub(super) fn read_snapshot(bytes: &[u8]) -> Result<Self, String> {
        decode(bytes).map(|Snapshot { model }| model)
    }

    /// Reads either form. An error is the end of a sentence.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, String> {
        decode(bytes)
    }
}

fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    let is_text = bytes.iter().find(|byte| !byte.is_ascii_whitespace() && **byte != b'{') == Some(&b'"');
    if is_text {
        return serde_json::from_slice(&with_null_for_nan(bytes)).map_err(|error| error.to_string());
    }
    serde_json::from_value(ubjson::read(bytes)?).map_err(|error| error.to_string())
}

/// XGBoost 1 and 2 write `NaN` where a node asks for categories, which is no JSON.
fn with_null_for_nan(text: &[u8]) -> Cow<'_, [u8]> {
    const NAN: &[u8] = b"NaN";
    if !text.windows(NAN.len()).any(|window| window == NAN) {
        return text.into();
    }
    let mut sound = Vec::with_capacity(text.len());
    let (mut rest, mut in_string) = (text, false);
    while let [first, after @ ..] = rest {
        match first {
            b'\\' if in_string => {
                // What is escaped neither ends the string nor begins one.
                let (escape, behind) = rest.split_at(rest.len().min(2));
                sound.extend_from_slice(escape);
                rest = behind;
                continue;
            }
            b'"' => in_string = !in_string,
            b'N' if !in_string && rest.starts_with(NAN) => {
                sound.extend_from_slice(b"null");
                rest = &rest[NAN.len()..];
                continue;
            }
            _ => {}
        }
        sound.push(*first);
        rest = after;
    }
    sound.into()
}

/// Numbers; null is NaN.
fn numbers<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<f32>, D::Error> {
    let values = Vec::<Option<f32>>::deserialize(deserializer)?;
    Ok(values.into_iter().map(|value| value.unwrap_or(f32::NAN)).collect())
}

fn one() -> usize {
    1
}

fn size<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(|_| serde::de::Error::custom(format!("{text:?} is not a size")))
}

fn flags<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<bool>, D::Error> {
    let values = Vec::<Value>::deserialize(deserializer)?;
    Ok(values.iter().map(|value| value.as_bool().unwrap_or_else(|| value.as_u64() != Some(0))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nan_is_null_but_not_in_texts() {
        let text = br#"{"a NaN": [NaN, 1,NaN], "\"NaN": "\\", "b": NaN}"#;
        let sound = br#"{"a NaN": [null, 1,null], "\"NaN": "\\", "b": null}"#;
        assert_eq!(*with_null_for_nan(text), sound[..]);
    }
}
