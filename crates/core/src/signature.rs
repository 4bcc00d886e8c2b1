//! What a model takes and gives, as every protocol, the docs of a function and the checks at deploy read it.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::FunctionError;
use crate::index;
use crate::numbers::Numbers;
use crate::rule::Rule;
use crate::steps::labels::Ranking;
use crate::tensor::{DType, Tensor};

/// One dimension of a shape. In JSON: a number, a name, an object of a name and limits, or null.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(untagged)]
pub enum Dim {
    /// Always this size.
    Fixed(usize),
    /// Any size; dimensions of one name have one size within a call.
    Named(String),
    /// A size within limits; otherwise as `Named`.
    Limited(Limited),
    /// Any size.
    Dynamic,
}

/// A dimension that has not every size: a network was exported for some.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Limited {
    /// Its name.
    pub name: String,
    /// The smallest size.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub min: usize,
    /// The largest size, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<usize>,
}

fn is_zero(size: &usize) -> bool {
    *size == 0
}

impl Dim {
    /// The fixed size, if there is one.
    pub fn fixed(&self) -> Option<usize> {
        match self {
            Self::Fixed(n) => Some(*n),
            _ => None,
        }
    }

    /// The name, if it has one.
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Named(name) | Self::Limited(Limited { name, .. }) => Some(name),
            Self::Fixed(_) | Self::Dynamic => None,
        }
    }

    /// The largest size, where there is one.
    pub fn max(&self) -> Option<usize> {
        match self {
            Self::Fixed(size) => Some(*size),
            Self::Limited(limits) => limits.max,
            Self::Named(_) | Self::Dynamic => None,
        }
    }

    /// Of the sizes that fit the nearest to one.
    pub fn nearest(&self, size: usize) -> usize {
        match self {
            Self::Fixed(own) => *own,
            Self::Limited(limits) => size.max(limits.min).min(limits.max.unwrap_or(usize::MAX)),
            Self::Named(_) | Self::Dynamic => size,
        }
    }

    /// True when a size fits.
    pub fn accepts(&self, size: usize) -> bool {
        self.nearest(size) == size
    }
}

impl fmt::Display for Dim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(n) => write!(f, "{n}"),
            Self::Named(name) => f.write_str(name),
            Self::Limited(Limited { name, min: 0, max: Some(max) }) => write!(f, "{name} <= {max}"),
            Self::Limited(Limited { name, min, max: None }) => write!(f, "{name} >= {min}"),
            Self::Limited(Limited { name, min, max: Some(max) }) => write!(f, "{min} <= {name} <= {max}"),
            Self::Dynamic => f.write_str("any"),
        }
    }
}

/// A shape as text: `[batch, 30]`.
pub fn shape_text(shape: &[Dim]) -> String {
    let dims: Vec<_> = shape.iter().map(Dim::to_string).collect();
    format!("[{}]", dims.join(", "))
}

/// One input of a model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct InputSpec {
    /// Its name in the model; what clients call it.
    pub name: String,
    /// Element type.
    pub dtype: DType,
    /// Shape; `None` when the model does not say (any rank).
    pub shape: Option<Vec<Dim>>,
    /// True when the model has a default for it, so that a call may leave it out.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub optional: bool,
    /// Names of the columns along the last axis, from `modelet.toml` or the model's own metadata.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub columns: Option<Vec<String>>,
    /// The values that the model knows for it, where its graph says so (an encoder's categories), as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub categories: Option<Vec<String>>,
    /// Which numbers it takes, where not all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub numbers: Option<Numbers>,
    /// How many rows the table has that it is looked up in: it takes whole numbers from 0 on, below that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table_rows: Option<u64>,
    /// True for categories, of which a whole number is the text that it is written as, and true and false are `1` and `0`. None may
    /// be missing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub takes_integers: bool,
    /// What single columns of it take, where that is less.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<Rule>,
    /// What its texts are, where each is a whole file in base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<FileKind>,
}

/// What a file holds that an input takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum FileKind {
    /// A picture.
    Image,
    /// A sound.
    Audio,
}

impl FileKind {
    /// The formats that are read, by their content types, the usual one first.
    pub const fn content_types(self) -> &'static [&'static str] {
        match self {
            Self::Image => &["image/jpeg", "image/png", "image/webp", "image/gif"],
            Self::Audio => &["audio/wav", "audio/x-wav", "audio/wave", "audio/vnd.wave"],
        }
    }

    /// One of them in words.
    pub const fn description(self) -> &'static str {
        match self {
            Self::Image => "a picture (JPEG, PNG, WebP or GIF)",
            Self::Audio => "a sound (WAV)",
        }
    }
}

impl InputSpec {
    /// True when the first axis counts rows: it exists and its size is free.
    pub fn has_batch_axis(&self) -> bool {
        self.shape.as_ref().and_then(|s| s.first()).is_some_and(|d| d.fixed().is_none())
    }

    /// The shape as text, `any shape` when the model does not say.
    pub fn shape_text(&self) -> String {
        self.shape.as_deref().map_or_else(|| "any shape".to_owned(), shape_text)
    }

    /// True when a concrete shape fits.
    pub fn accepts_shape(&self, shape: &[usize]) -> bool {
        self.shape.as_ref().is_none_or(|spec| {
            spec.len() == shape.len() && spec.iter().zip(shape).all(|(dim, size)| dim.accepts(*size))
        })
    }

    /// The name of a column along the last axis; the input's own, where columns have none.
    pub fn column_name(&self, column: usize) -> &str {
        self.columns.as_ref().and_then(|columns| columns.get(column)).unwrap_or(&self.name)
    }

    /// True when the empty text stands for a missing one, whether that is taken or refused.
    pub fn has_missing_texts(&self) -> bool {
        self.dtype == DType::Str && !self.rules.is_empty()
    }

    /// True for a column of a table: one value a row (`[rows]` or `[rows, 1]`).
    pub fn is_column(&self) -> bool {
        self.shape.as_deref().is_some_and(|s| match s {
            [rows] => rows.fixed().is_none_or(|n| n == 1),
            [rows, one] => rows.fixed().is_none_or(|n| n == 1) && one.fixed() == Some(1),
            _ => false,
        })
    }
}

/// What kind of value an output is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum OutputKind {
    /// A tensor.
    Tensor {
        /// Element type.
        dtype: DType,
        /// Shape; `None` when the model does not say.
        shape: Option<Vec<Dim>>,
    },
    /// A map from class name to number for every row (`ZipMap`).
    Map {
        /// Type of the keys: string or int64.
        key: DType,
        /// Type of the values.
        value: DType,
        /// True when there is one map a row, false for one map alone.
        per_row: bool,
    },
    /// A sequence of tensors.
    Sequence {
        /// Element type of the tensors.
        dtype: DType,
    },
}

/// One output of a model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct OutputSpec {
    /// Its name in the model.
    pub name: String,
    /// What it is.
    #[serde(flatten)]
    pub kind: OutputKind,
    /// Names of the classes along the last axis, where the model or `modelet.toml` says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub classes: Option<Vec<String>>,
    /// How its classes are listed, where it has the scores of some.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ranking: Option<Ranking>,
}

/// What a model takes and gives.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Signature {
    /// In the model's order.
    pub inputs: Vec<InputSpec>,
    /// In the model's order.
    pub outputs: Vec<OutputSpec>,
    /// All columns of the data frame that it was fitted with, in their order, where it does not look at each of them. Those that
    /// are no input may be sent, of any type, and are left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub frame: Vec<String>,
}

impl Signature {
    /// Of a model that looks at all that it is given.
    pub const fn new(inputs: Vec<InputSpec>, outputs: Vec<OutputSpec>) -> Self {
        Self { inputs, outputs, frame: Vec::new() }
    }

    /// The columns that may be sent and are left out.
    pub fn ignored(&self) -> impl Iterator<Item = &str> {
        self.frame.iter().map(String::as_str).filter(|name| self.input(name).is_none())
    }

    /// An input by name.
    pub fn input(&self, name: &str) -> Option<&InputSpec> {
        self.inputs.iter().find(|i| i.name == name)
    }

    /// An output by name.
    pub fn output(&self, name: &str) -> Option<&OutputSpec> {
        self.outputs.iter().find(|o| o.name == name)
    }

    /// Refuses tensors with values that their inputs do not take.
    pub fn check_values(&self, inputs: &[(String, Tensor)]) -> Result<(), FunctionError> {
        for (name, tensor) in inputs {
            let Some(spec) = self.input(name) else { continue };
            // What one column takes says more than what all of them take.
            spec.rules.iter().try_for_each(|rule| rule.check(spec, tensor))?;
            if let Some(numbers) = &spec.numbers {
                numbers.check(spec, tensor)?;
            }
            if let Some(rows) = spec.table_rows {
                index::check(rows, spec, tensor)?;
            }
        }
        Ok(())
    }

    /// True when every input is one column of a table, so that a row is an object with one value for each input.
    pub fn is_table_of_columns(&self) -> bool {
        self.inputs.len() > 1 && self.inputs.iter().all(InputSpec::is_column)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input(shape: Vec<Dim>) -> InputSpec {
        InputSpec {
            name: "x".into(),
            dtype: DType::F32,
            shape: Some(shape),
            optional: false,
            columns: None,
            categories: None,
            numbers: None,
            table_rows: None,
            takes_integers: false,
            rules: vec![],
            file: None,
        }
    }

    #[test]
    fn shapes_accept_what_fits() {
        let x = input(vec![Dim::Named("batch".into()), Dim::Fixed(4)]);
        assert!(x.has_batch_axis() && !x.is_column());
        assert!(x.accepts_shape(&[0, 4]) && x.accepts_shape(&[32, 4]));
        assert!(!x.accepts_shape(&[4]) && !x.accepts_shape(&[1, 5]));
        assert_eq!(x.shape_text(), "[batch, 4]");
        assert!(input(vec![Dim::Dynamic, Dim::Fixed(1)]).is_column());
    }

    #[test]
    fn dims_read_as_number_name_or_null() {
        let dims: Vec<Dim> = serde_json::from_str(r#"[2, "n", null]"#).unwrap();
        assert_eq!(dims, [Dim::Fixed(2), Dim::Named("n".into()), Dim::Dynamic]);
        assert_eq!(serde_json::to_string(&dims).unwrap(), r#"[2,"n",null]"#);
    }
}
