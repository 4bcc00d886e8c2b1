//! The numbers of a classifier made scores of classes that have names, and how they are listed.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The name of the output that has the scores.
pub const SCORES_OUTPUT: &str = "scores";

/// Which output is made scores, and of which classes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct LabelStep {
    /// The model's output, one row of numbers for each row of its inputs.
    pub output: String,
    /// The names of the classes, in the order of those numbers.
    pub names: Vec<String>,
    /// How a number becomes a score.
    pub scores: Scores,
    /// How many are listed, and from which score on.
    pub ranking: Ranking,
}

/// How numbers become scores.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Scores {
    /// Shares of one, for classes of which one is right.
    Softmax,
    /// Each by itself from 0 to 1, for labels of which several may be right.
    Sigmoid,
    /// As they are.
    None,
}

/// Which classes are listed, where an answer is a list of them: those of the highest scores, the highest first.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Ranking {
    /// At most so many; absent: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top: Option<u32>,
    /// Only those of at least this score.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<f64>,
}

impl fmt::Display for LabelStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let how = match self.scores {
            Scores::Softmax => "softmax of ",
            Scores::Sigmoid => "sigmoid of ",
            Scores::None => "",
        };
        write!(f, "{how}{} for {} classes", self.output, self.names.len())?;
        if let Some(top) = self.ranking.top {
            write!(f, ", the best {top} listed")?;
        }
        match self.ranking.threshold {
            Some(threshold) => write!(f, ", from {threshold} on"),
            None => Ok(()),
        }
    }
}
