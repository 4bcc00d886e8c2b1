//! The file as it is: lines of `key=value`, first of the model, then of each tree. Only what predictions depend on is read.

use std::collections::HashMap;
use std::str::FromStr;

/// The line behind the last tree. A file without it was cut.
const END: &str = "end of trees";

/// Behind it LightGBM's Python package notes the categories that pandas had, as JSON: nothing, or a list for each such column.
const PANDAS: &str = "pandas_categorical:";
const NO_CATEGORIES: &[&str] = &["null", "[]"];

/// A saved model.
#[derive(Debug)]
pub(super) struct Text<'a> {
    /// The objective with its parameters, in the words of LightGBM; empty for one that the user wrote.
    pub objective: &'a str,
    /// Numbers in a row.
    pub features: usize,
    /// Trees of one round: one, or one for each class.
    pub trees_per_round: usize,
    /// True where the trees of all rounds are averaged and not added up (random forests).
    pub averages: bool,
    /// The names of the columns.
    pub names: Vec<&'a str>,
    /// True where columns are categories of pandas.
    pub has_pandas_categories: bool,
    pub trees: Vec<TextTree>,
}

/// A tree as columns over its splits. Children are numbers of splits; below zero, of leaves, from -1 down.
#[derive(Debug, Default)]
pub(super) struct TextTree {
    pub split_feature: Vec<usize>,
    pub threshold: Vec<f64>,
    pub decision_type: Vec<u8>,
    pub left_child: Vec<i64>,
    pub right_child: Vec<i64>,
    pub leaf_value: Vec<f64>,
    /// Where the bits of each set of categories begin and end, in words of 32 bits.
    pub cat_boundaries: Vec<usize>,
    pub cat_threshold: Vec<u32>,
    /// True where leaves are linear functions.
    pub is_linear: bool,
}

/// Lines up to the next tree, or the end.
#[derive(Default)]
struct Block<'a>(HashMap<&'a str, &'a str>);

impl<'a> Text<'a> {
    /// Reads a file. An error is the end of a sentence.
    pub(super) fn read(text: &'a str) -> Result<Self, String> {
        let mut blocks = vec![Block::default()];
        let mut is_whole = false;
        for line in text.lines() {
            if line == END {
                is_whole = true;
                break;
            }
            let (key, value) = line.split_once('=').unwrap_or((line, ""));
            if key == "Tree" {
                blocks.push(Block::default());
            } else if let Some(block) = blocks.last_mut() {
                block.0.insert(key, value);
            }
        }
        if !is_whole {
            return Err(format!("it has no line {END:?}"));
        }
        let mut blocks = blocks.into_iter();
        let head = blocks.next().unwrap_or_default();
        let last_feature: usize = head.one("max_feature_idx")?;
        Ok(Self {
            objective: head.0.get("objective").copied().unwrap_or_default(),
            features: last_feature.checked_add(1).ok_or("max_feature_idx is out of range")?,
            trees_per_round: head.one("num_tree_per_iteration")?,
            averages: head.0.contains_key("average_output"),
            names: head.0.get("feature_names").map(|names| names.split(' ').collect()).unwrap_or_default(),
            has_pandas_categories: text
                .lines()
                .rev()
                .find_map(|line| line.strip_prefix(PANDAS))
                .is_some_and(|categories| !NO_CATEGORIES.contains(&categories.trim())),
            trees: blocks.map(|block| block.tree()).collect::<Result<_, _>>()?,
        })
    }
}

impl Block<'_> {
    fn tree(&self) -> Result<TextTree, String> {
        let leaf_value = self.list("leaf_value")?;
        if self.one::<usize>("num_leaves")? != leaf_value.len() {
            return Err("a tree has not as many leaves as it says".to_owned());
        }
        Ok(TextTree {
            split_feature: self.list("split_feature")?,
            threshold: self.list("threshold")?,
            decision_type: self.list("decision_type")?,
            left_child: self.list("left_child")?,
            right_child: self.list("right_child")?,
            leaf_value,
            cat_boundaries: self.list("cat_boundaries")?,
            cat_threshold: self.list("cat_threshold")?,
            is_linear: self.0.get("is_linear").is_some_and(|flag| *flag != "0"),
        })
    }

    fn one<T: FromStr>(&self, key: &str) -> Result<T, String> {
        let value = self.0.get(key).ok_or_else(|| format!("{key} is missing"))?;
        value.parse().map_err(|_| format!("{key} is {value:?}"))
    }

    /// Numbers between spaces; none where the line is not there.
    fn list<T: FromStr>(&self, key: &str) -> Result<Vec<T>, String> {
        let values = self.0.get(key).copied().unwrap_or_default();
        let parse = |value: &str| value.parse().map_err(|_| format!("{key} has {value:?} in it"));
        values.split_ascii_whitespace().map(parse).collect()
    }
}
