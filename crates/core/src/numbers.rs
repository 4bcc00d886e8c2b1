//! Which numbers an input takes, where its model does not take all: what the framework refuses to answer is not answered here.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::FunctionError;
use crate::signature::InputSpec;
use crate::tensor::{Data, Tensor};

/// Finite numbers, and perhaps missing ones.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Numbers {
    /// True when NaN may stand for a missing number.
    pub missing: bool,
    /// Others are at most so far from zero.
    pub largest: f64,
}

impl Numbers {
    /// Refuses a tensor with a number that the input does not take, and names its place.
    pub fn check(&self, spec: &InputSpec, tensor: &Tensor) -> Result<(), FunctionError> {
        let bad = |(_, number): &(usize, f64)| !self.takes(*number);
        let found = match tensor.data() {
            Data::F64(numbers) => numbers.iter().copied().enumerate().find(bad),
            Data::F32(numbers) => numbers.iter().map(|number| f64::from(*number)).enumerate().find(bad),
            _ => None,
        };
        let Some((at, number)) = found else { return Ok(()) };
        let width = tensor.shape().last().copied().unwrap_or(1).max(1);
        let (row, column) = (at / width, at % width);
        let name = spec.columns.as_ref().and_then(|columns| columns.get(column));
        let column = name.map_or_else(|| column.to_string(), |name| format!("{name:?}"));
        let found = format!("{number} in row {row}, column {column} (counted from 0)");
        Err(FunctionError::bad_input(&spec.name, self.to_string(), found))
    }

    /// True for a number that it takes.
    pub fn takes(&self, number: f64) -> bool {
        if number.is_nan() { self.missing } else { number.abs() <= self.largest }
    }
}

impl fmt::Display for Numbers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let missing = if self.missing { ", or NaN for missing ones" } else { "" };
        let largest = self.largest;
        write!(f, "numbers from -{largest:?} to {largest:?}{missing}")
    }
}

/// A truth as CSV writes it: the words true and false, in any case. Where numbers are taken they are 1 and 0, as for NumPy.
pub fn truth(word: &str) -> Option<bool> {
    let is = |wanted: &str| word.eq_ignore_ascii_case(wanted);
    is("true").then_some(true).or_else(|| is("false").then_some(false))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signature::Dim;
    use crate::tensor::DType;

    #[test]
    fn what_the_model_would_refuse_is_refused_with_its_place() {
        let check = |missing, largest, number: f64| {
            let spec = InputSpec {
                name: "X".to_owned(),
                dtype: DType::F64,
                shape: Some(vec![Dim::Dynamic, Dim::Fixed(2)]),
                optional: false,
                columns: Some(vec!["age".to_owned(), "size".to_owned()]),
                categories: None,
                numbers: None,
                table_rows: None,
                takes_integers: false,
                rules: vec![],
                file: None,
            };
            let tensor = Tensor::new(vec![2, 2], Data::F64(vec![0.0, 1.0, -1.0, number])).unwrap();
            Numbers { missing, largest }.check(&spec, &tensor).map_err(|error| error.message)
        };
        assert_eq!(check(true, 1.0, f64::NAN), Ok(()));
        assert_eq!(check(false, 2.0, -2.0), Ok(()));
        assert_eq!(check(false, f64::MAX, f64::MIN), Ok(()));
        let place = "in row 1, column \"size\" (counted from 0)";
        assert_eq!(
            check(false, 1e9, f64::NAN),
            Err(format!("X: expected numbers from -1000000000.0 to 1000000000.0, got NaN {place}"))
        );
        let error = check(true, f32::MAX.into(), -3.5e38).unwrap_err();
        assert!(error.contains("e38, or NaN for missing ones") && error.ends_with(place), "{error}");
        assert!(check(true, f64::MAX, f64::INFINITY).unwrap_err().contains("got inf in row 1"));
    }
}
