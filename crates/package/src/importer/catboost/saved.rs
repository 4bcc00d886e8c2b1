//! A saved model, whichever way it was written.

use serde::Deserialize;
use serde_json::Value;

use super::counted::{Counted, Table};
use crate::pickle::catboost_release;

/// The only probability of two classes at which CatBoost changes from one to the other, unless it is told another.
const EVEN: f64 = 0.5;

/// What of a model its answers depend on.
#[derive(Debug)]
pub(super) struct Saved {
    /// The release that wrote it, where the file says it.
    pub version: Option<String>,
    /// The loss that it was trained for.
    pub objective: String,
    /// What it asks.
    pub trees: Trees,
    /// The names of classes, as the file has them; empty where there are none.
    pub classes: Vec<Value>,
    /// `Integer`, `Float`, `String` or `Boolean`: what they were.
    pub class_kind: String,
}

/// A column of numbers.
#[derive(Debug)]
pub(super) struct FloatFeature {
    /// Its place in a row.
    pub place: usize,
    /// Its name; empty where it has none.
    pub name: String,
    /// A missing number is larger than every border; else it is smaller.
    pub missing_is_large: bool,
}

/// A tree; leaves have a number for each target.
#[derive(Debug)]
pub(super) enum SavedTree {
    /// The same question at all nodes of a depth. The answers are the bits of a leaf's number, the first question's the lowest.
    Symmetric {
        /// What is asked.
        splits: Vec<Split>,
        /// The leaves, one after the other.
        leaves: Vec<f64>,
    },
    /// Any questions; the first node is the root.
    Free(Vec<Node>),
}

/// A column of categories.
#[derive(Debug)]
pub(super) struct Category {
    /// Its place in a row.
    pub place: usize,
    /// Its name; empty where it has none.
    pub name: String,
}

/// A question.
#[derive(Debug, Clone, Copy)]
pub(super) enum Split {
    /// Is a number, of which of the columns of numbers, larger than another one, in float32?
    Above { float: usize, border: f32 },
    /// Is a category, of which of their columns, the one with a code?
    Is { category: usize, code: i32 },
    /// Is one of the numbers that are made of what was counted larger than another one?
    Counted { counted: usize, border: f32 },
}

/// A node of a tree that is not symmetric.
#[derive(Debug)]
pub(super) enum Node {
    /// A number for each target.
    Leaf(Vec<f64>),
    /// Nodes are indices within the tree.
    Split { split: Split, no: usize, yes: usize },
}

impl Node {
    /// What it asks; `None` for a leaf.
    const fn split(&self) -> Option<Split> {
        match self {
            Self::Leaf(_) => None,
            Self::Split { split, .. } => Some(*split),
        }
    }
}

/// What is said of the training, beside the trees.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Notes {
    #[serde(default)]
    pub params: Params,
    #[serde(default)]
    pub class_params: ClassParams,
    #[serde(default)]
    pub catboost_version_info: String,
    /// Of a classifier of two classes, where it was set.
    #[serde(default)]
    pub binclass_probability_threshold: Option<Value>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Params {
    #[serde(default)]
    loss_function: Loss,
    /// What was counted of categories.
    #[serde(default)]
    pub cat_feature_params: Value,
}

#[derive(Debug, Default, Deserialize)]
struct Loss {
    #[serde(rename = "type", default)]
    kind: String,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct ClassParams {
    #[serde(default)]
    class_label_type: String,
    #[serde(default)]
    class_names: Vec<Value>,
    #[serde(default)]
    class_to_label: Vec<f64>,
    /// How many there are, where that was said; else 0.
    #[serde(default)]
    classes_count: usize,
}

impl Notes {
    /// The release that wrote it.
    fn version(&self) -> Option<String> {
        catboost_release(self.catboost_version_info.as_bytes())
    }

    /// True for a loss of several targets.
    pub(super) fn has_several_targets(&self) -> bool {
        let loss = &*self.params.loss_function.kind;
        loss.starts_with("MultiRMSE") || matches!(loss, "MultiLogloss" | "MultiCrossEntropy")
    }

    /// The model that these are the notes of.
    pub(super) fn of(self, trees: Trees) -> Result<Saved, Fault> {
        let threshold = self.binclass_probability_threshold.as_ref();
        let number = |value: &Value| value.as_f64().or_else(|| value.as_str()?.parse().ok());
        if threshold.is_some_and(|value| number(value) != Some(EVEN)) {
            return Err(Fault::NotBuilt("has a threshold of its own between two classes".to_owned()));
        }
        let of_classes = &self.class_params;
        let in_order = of_classes.class_to_label.iter().enumerate().all(|(at, label)| *label == at as f64);
        if !in_order
            || of_classes.classes_count > 0 && of_classes.classes_count != of_classes.class_to_label.len()
        {
            return Err(Fault::NotBuilt("has classes that it never saw".to_owned()));
        }
        if self.params.loss_function.kind.is_empty() {
            return Err(Fault::NotBuilt(
                "does not say which loss it was trained for, as a sum of models".to_owned(),
            ));
        }
        if !trees.fit_together() {
            return Err(Fault::Damaged("it asks about columns or tables that it does not have".to_owned()));
        }
        Ok(Saved {
            version: self.version(),
            objective: self.params.loss_function.kind,
            trees,
            classes: self.class_params.class_names,
            class_kind: self.class_params.class_label_type,
        })
    }
}

/// The trees and what they ask about.
#[derive(Debug)]
pub(super) struct Trees {
    /// Columns of numbers.
    pub floats: Vec<FloatFeature>,
    /// Columns of categories.
    pub categories: Vec<Category>,
    /// What was counted of those.
    pub tables: Vec<Table>,
    /// What is made of that.
    pub counted: Vec<Counted>,
    /// The trees, in the order in which they are added.
    pub trees: Vec<SavedTree>,
    /// How many numbers one row gives.
    pub targets: usize,
    /// What the sum is multiplied by.
    pub scale: f64,
    /// What is added to that, for each target.
    pub bias: Vec<f64>,
}

impl Trees {
    /// All questions.
    pub(super) fn splits(&self) -> impl Iterator<Item = Split> {
        let of_tree = |tree: &SavedTree| match tree {
            SavedTree::Symmetric { splits, .. } => splits.clone(),
            SavedTree::Free(nodes) => nodes.iter().filter_map(Node::split).collect(),
        };
        self.trees.iter().flat_map(of_tree)
    }

    /// True when all that is named is there.
    fn fit_together(&self) -> bool {
        let is_float = |float: usize| float < self.floats.len();
        let is_category = |category: usize| category < self.categories.len();
        let is_there = |table: &Table| {
            let alike = &table.alike;
            alike.categories.iter().all(|at| is_category(*at))
                && alike.above.iter().all(|(at, _)| is_float(*at))
                && alike.is.iter().all(|(at, _)| is_category(*at))
        };
        let is_known = |split: Split| match split {
            Split::Above { float, .. } => is_float(float),
            Split::Is { category, .. } => is_category(category),
            Split::Counted { counted, .. } => counted < self.counted.len(),
        };
        self.tables.iter().all(is_there)
            && self.counted.iter().all(|counted| counted.table < self.tables.len())
            && self.splits().all(is_known)
    }
}

/// Why a model is not read.
#[derive(Debug)]
pub(super) enum Fault {
    /// It is not as CatBoost writes it; the end of a sentence.
    Damaged(String),
    /// It has something that is not imported; what of it, after "it".
    NotBuilt(String),
}

impl From<String> for Fault {
    fn from(why: String) -> Self {
        Self::Damaged(why)
    }
}

/// A model that asks about something else than numbers; `kind` in the plural.
pub(super) fn asks_about(kind: &str) -> Fault {
    Fault::NotBuilt(format!("asks about {kind}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_release_is_found_in_what_is_said_of_the_build() {
        let notes = |text: &str| Notes { catboost_version_info: text.to_owned(), ..Notes::default() };
        let built =
            "Git info:\n    Branch: tags/v1.2.9\n    Summary: CatBoost release 1.2.10. commit_hash:f8";
        assert_eq!(notes(built).version().as_deref(), Some("1.2.10"));
        assert_eq!(notes("Branch: tags/v1.1.1\n").version().as_deref(), Some("1.1.1"));
        assert_eq!(notes("Summary: fix").version(), None);
    }
}
