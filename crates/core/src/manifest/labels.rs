//! What a manifest says of the classes of a classifier.

use serde::{Deserialize, Serialize};

use crate::steps::labels::Scores;

/// What a manifest says of classes and their scores; what is absent is read from the folder's `config.json`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LabelNotes {
    /// True when the model's own numbers are the answer.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub off: bool,
    /// The model's output that has one number for each class.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
    /// The names of the classes, in the order of those numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub names: Option<Vec<String>>,
    /// How a number becomes a score.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scores: Option<Scores>,
    /// How many classes are listed at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top: Option<u32>,
    /// Only classes of at least this score are listed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<f64>,
}
