//! An operator of a domain of our own: numbers that a model makes for another one within it, which refuses some of them, as
//! scikit-learn does with a row whose numbers are missing, infinite or too large for what sees them next.

use modelet_core::{DType, Data, Numbers, Tensor};

use super::operators::Entry;
use super::site::{Compiled, Site, Stop};

/// Name, first version, and how it is made ready.
pub(super) const OPERATORS: &[Entry] = &[(WITHIN, 1, within)];
/// The name of the operator, for those who follow numbers through it.
pub(super) const WITHIN: &str = "Within";

/// `Within`: a table as it is; a row with a number that is not taken is refused. `missing` is 1 where NaN is taken, `largest` how
/// far from zero others may be.
fn within(site: &Site<'_>) -> Result<Compiled, String> {
    site.dtype_of(0, &[DType::F64])?;
    site.at_most(1)?;
    let missing = site.int("missing").unwrap_or(0) != 0;
    let largest = site.tensor("largest")?.ok_or("no largest number")?;
    let Data::F64(largest) = largest.data() else { return Err("a largest number of another type".into()) };
    let [largest] = largest[..] else { return Err("more than one largest number".into()) };
    let takes = Numbers { missing, largest };
    Compiled::refusing(DType::F64, move |arguments| {
        let table = arguments.get(0)?;
        match first_refused(table, &takes) {
            Some((row, found)) => Err(Stop::Row { row, found, takes }),
            None => Ok(table.clone()),
        }
    })
}

/// The first number that is not taken, and its row.
fn first_refused(table: &Tensor, takes: &Numbers) -> Option<(usize, f64)> {
    let Data::F64(numbers) = table.data() else { return None };
    let width = table.shape().iter().skip(1).product::<usize>().max(1);
    let at = numbers.iter().position(|number| !takes.takes(*number))?;
    Some((at / width, numbers[at]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_found_by_its_first_number_that_is_not_taken() {
        let table = |numbers: [f64; 4]| Tensor::new(vec![2, 2], numbers.to_vec()).unwrap();
        let takes = |missing| Numbers { missing, largest: 1e38 };
        assert_eq!(first_refused(&table([1.0, -1e38, 0.0, 2.0]), &takes(false)), None);
        assert_eq!(
            first_refused(&table([1.0, 2.0, 3.0, f64::INFINITY]), &takes(false)),
            Some((1, f64::INFINITY))
        );
        let missing = table([f64::NAN, 2.0, 3.0, -1e39]);
        assert_eq!(first_refused(&missing, &takes(true)), Some((1, -1e39)));
        assert!(first_refused(&missing, &takes(false)).is_some_and(|(row, _)| row == 0));
    }
}
