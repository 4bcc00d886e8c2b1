//! Inputs that are looked up in a table of the model's, such as the numbers of words: what lies outside of the table is refused
//! here, since engines count from the end where a framework refuses.

use crate::error::FunctionError;
use crate::signature::InputSpec;
use crate::tensor::{Data, Tensor};

/// Refuses a tensor with a value that is none of the `rows` of the table, counted from 0, and names its place. What stands
/// behind the point is cut off, as frameworks do it.
pub fn check(rows: u64, spec: &InputSpec, tensor: &Tensor) -> Result<(), FunctionError> {
    let takes = |number: f64| number.trunc() >= 0.0 && number.trunc() < rows as f64;
    let first = |mut numbers: Box<dyn Iterator<Item = f64> + '_>| {
        numbers.by_ref().enumerate().find(|(_, number)| !takes(*number))
    };
    let found = match tensor.data() {
        Data::I64(numbers) => first(Box::new(numbers.iter().map(|number| *number as f64))),
        Data::I32(numbers) => first(Box::new(numbers.iter().map(|number| f64::from(*number)))),
        Data::F32(numbers) => first(Box::new(numbers.iter().map(|number| f64::from(*number)))),
        Data::F64(numbers) => first(Box::new(numbers.iter().copied())),
        _ => None,
    };
    let Some((at, number)) = found else { return Ok(()) };
    let width = tensor.shape().get(1..).unwrap_or_default().iter().product::<usize>().max(1);
    let found = format!("{number} in row {}, place {} (counted from 0)", at / width, at % width);
    Err(FunctionError::bad_input(&spec.name, words(rows), found))
}

/// What such an input takes.
pub fn words(rows: u64) -> String {
    format!("numbers from 0 to {}", rows.saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signature::Dim;
    use crate::tensor::DType;

    #[test]
    fn what_lies_outside_of_the_table_is_refused_with_its_place() {
        let found = |data: Data| {
            let spec = InputSpec {
                file: None,
                name: "tokens".to_owned(),
                dtype: DType::I64,
                shape: Some(vec![Dim::Dynamic, Dim::Fixed(2)]),
                optional: false,
                columns: None,
                categories: None,
                numbers: None,
                table_rows: Some(50),
                takes_integers: false,
                rules: vec![],
            };
            check(50, &spec, &Tensor::new(vec![2, 2], data).unwrap()).map_err(|error| error.message)
        };
        assert_eq!(found(Data::I64(vec![0, 49, 1, 2])), Ok(()));
        assert_eq!(found(Data::F32(vec![0.5, 49.9, -0.5, 2.0])), Ok(()));
        let place = "in row 1, place 0 (counted from 0)";
        let wanted = |got: &str| Err(format!("tokens: expected numbers from 0 to 49, got {got} {place}"));
        assert_eq!(found(Data::I64(vec![0, 1, 50, 2])), wanted("50"));
        assert_eq!(found(Data::I32(vec![0, 1, -1, 2])), wanted("-1"));
        assert_eq!(found(Data::F64(vec![0.0, 1.0, f64::NAN, 2.0])), wanted("NaN"));
    }
}
