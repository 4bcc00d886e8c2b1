//! What one column of an input takes, where its model does not take all that its type has: rows that the framework refuses are
//! refused here, by column and value.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::FunctionError;
use crate::signature::InputSpec;
use crate::tensor::{Data, Tensor};

/// Of a set of values, so many are named in a message.
const MAX_NAMED: usize = 10;

/// What a column takes. Among numbers NaN is a missing value, among texts the empty one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Rule {
    /// Its place along the last axis.
    pub column: usize,
    /// True when a value may be missing.
    pub missing: bool,
    /// The only values that it takes beside, where not all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub only: Option<Known>,
    /// How far from zero its numbers are at most, where another column of the input takes all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub largest: Option<f64>,
}

/// A set of values, in ascending order; zero among them is the positive one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(untagged)]
pub enum Known {
    /// Numbers.
    Numbers(Vec<f64>),
    /// Texts.
    Texts(Vec<String>),
}

impl Rule {
    /// Refuses a tensor with a value that the column does not take, and names its row.
    pub fn check(&self, spec: &InputSpec, tensor: &Tensor) -> Result<(), FunctionError> {
        let width = if tensor.shape().len() < 2 { 1 } else { tensor.shape()[1].max(1) };
        let own = (self.column..tensor.len()).step_by(width);
        let refused = match tensor.data() {
            Data::F64(numbers) => first(own, |at| self.takes_number(numbers[at]), |at| shown(numbers[at])),
            Data::F32(numbers) => {
                first(own, |at| self.takes_number(numbers[at].into()), |at| shown(numbers[at].into()))
            }
            Data::Bool(flags) => {
                first(own, |at| self.takes_number(flags[at].into()), |at| flags[at].to_string())
            }
            Data::Str(texts) => first(own, |at| self.takes_text(&texts[at]), |at| quoted(&texts[at])),
            _ => None,
        };
        let Some((row, found)) = refused else { return Ok(()) };
        let name = spec.column_name(self.column);
        Err(FunctionError::bad_input(
            name,
            self.to_string(),
            format!("{found} in row {row} (counted from 0)"),
        ))
    }

    /// True for a number that the column takes.
    pub fn takes_number(&self, number: f64) -> bool {
        match &self.only {
            _ if number.is_nan() => self.missing,
            _ if self.largest.is_some_and(|largest| number.abs() > largest) => false,
            // Either zero is zero.
            Some(Known::Numbers(known)) => {
                known.binary_search_by(|one| one.total_cmp(&(number + 0.0))).is_ok()
            }
            Some(Known::Texts(_)) => false,
            None => true,
        }
    }

    /// What it takes, where its values are not known one by one.
    fn any_value(&self) -> String {
        let value = match self.largest {
            Some(largest) => format!("a number from -{largest:?} to {largest:?}"),
            None => "a value".to_owned(),
        };
        if self.missing {
            format!("{value}, or nothing")
        } else {
            format!("{value}, for it may not be missing")
        }
    }

    /// True for a text that the column takes.
    pub fn takes_text(&self, text: &str) -> bool {
        match &self.only {
            _ if text.is_empty() => self.missing,
            Some(Known::Texts(known)) => known.binary_search_by(|one| one.as_str().cmp(text)).is_ok(),
            Some(Known::Numbers(_)) => false,
            None => true,
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mut names, count) = match &self.only {
            None => return f.write_str(&self.any_value()),
            Some(Known::Numbers(known)) => {
                (known.iter().take(MAX_NAMED).map(|number| shown(*number)).collect::<Vec<_>>(), known.len())
            }
            Some(Known::Texts(known)) => {
                (known.iter().take(MAX_NAMED).map(|text| format!("{text:?}")).collect(), known.len())
            }
        };
        if count > MAX_NAMED {
            names.push(format!("… ({count} in all)"));
        }
        let missing = if self.missing { ", or nothing" } else { "" };
        write!(f, "one of the categories that the model was fitted with, {}{missing}", names.join(", "))
    }
}

/// The row of the first value that is not taken, and the value.
fn first(
    places: impl Iterator<Item = usize>,
    takes: impl Fn(usize) -> bool,
    show: impl Fn(usize) -> String,
) -> Option<(usize, String)> {
    places.enumerate().find(|(_, at)| !takes(*at)).map(|(row, at)| (row, show(at)))
}

fn quoted(text: &str) -> String {
    if text.is_empty() { "nothing, a missing value,".to_owned() } else { format!("{text:?}") }
}

fn shown(number: f64) -> String {
    if number.is_nan() { "NaN, a missing value,".to_owned() } else { number.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signature::Dim;
    use crate::tensor::DType;

    fn check(rule: &Rule, dtype: DType, width: usize, data: impl Into<Data>) -> Result<(), String> {
        let data = data.into();
        let spec = InputSpec {
            name: "X".to_owned(),
            dtype,
            shape: Some(vec![Dim::Dynamic, Dim::Fixed(width)]),
            optional: false,
            columns: (width == 2).then(|| vec!["age".to_owned(), "class".to_owned()]),
            categories: None,
            numbers: None,
            table_rows: None,
            takes_integers: false,
            rules: vec![],
            file: None,
        };
        let tensor = Tensor::new(vec![data.len() / width, width], data).unwrap();
        rule.check(&spec, &tensor).map_err(|error| error.message)
    }

    #[test]
    fn an_unknown_category_is_refused_by_column_row_and_value() {
        let rule =
            Rule { column: 1, missing: false, only: Some(Known::Numbers(vec![0.0, 1.0])), largest: None };
        assert_eq!(check(&rule, DType::F64, 2, vec![9.0, 1.0, 9.0, -0.0]), Ok(()));
        let error = check(&rule, DType::F64, 2, vec![9.0, 1.0, 9.0, 2.5]).unwrap_err();
        let said = "class: expected one of the categories that the model was fitted with, 0, 1, got 2.5 in row 1 \
                    (counted from 0)";
        assert_eq!(error, said);
        assert!(check(&rule, DType::F64, 2, vec![9.0, f64::NAN]).unwrap_err().contains("got NaN"));
        assert_eq!(check(&rule, DType::Bool, 1, vec![true]), Ok(()), "a column beyond the width has no rows");
    }

    #[test]
    fn a_column_may_have_a_limit_of_its_own() {
        let rule = Rule { column: 1, missing: true, only: None, largest: Some(255.0) };
        assert_eq!(check(&rule, DType::F64, 2, vec![f64::INFINITY, f64::NAN, 1e9, -255.0]), Ok(()));
        let error = check(&rule, DType::F64, 2, vec![0.0, 256.0]).unwrap_err();
        assert!(
            error.starts_with("class: expected a number from -255.0 to 255.0, or nothing, got 256"),
            "{error}"
        );
    }

    #[test]
    fn the_empty_text_is_a_missing_value() {
        let known = Some(Known::Texts(vec!["f".to_owned(), "m".to_owned()]));
        let rule = Rule { column: 0, missing: true, only: known.clone(), largest: None };
        let texts = |texts: [&str; 2]| texts.map(str::to_owned).to_vec();
        assert_eq!(check(&rule, DType::Str, 1, texts(["m", ""])), Ok(()));
        let error = check(&rule, DType::Str, 1, texts(["f", "x"])).unwrap_err();
        assert!(error.ends_with("\"f\", \"m\", or nothing, got \"x\" in row 1 (counted from 0)"), "{error}");
        let strict = Rule { missing: false, only: known, ..rule };
        assert!(check(&strict, DType::Str, 1, texts(["f", ""])).is_err());
        let any = Rule { column: 0, missing: false, only: None, largest: None };
        assert!(check(&any, DType::Str, 1, texts(["f", ""])).unwrap_err().contains("may not be missing"));
    }
}
