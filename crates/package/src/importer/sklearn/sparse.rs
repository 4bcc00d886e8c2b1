//! Matrices of scipy that hold only what is not zero, row by row (`csr_matrix`, `csr_array`).

use crate::pickle::{Asked, Item};

/// Most numbers of a matrix that is written out with its zeros.
const MAX_NUMBERS: usize = 1 << 24;

/// What a matrix holds.
pub(super) struct Sparse {
    /// Rows and columns.
    pub shape: [usize; 2],
    /// Row, column and number, of which those at the same place are added up.
    pub entries: Vec<(usize, usize, f64)>,
}

impl Sparse {
    /// Reads one, every place of which lies within it.
    pub(super) fn read(item: &Item) -> Asked<Self> {
        let class = item.class()?;
        if !class.module.starts_with("scipy.sparse") || !matches!(&*class.name, "csr_matrix" | "csr_array") {
            return Err(item.not("a matrix of scipy that is held row by row"));
        }
        let misfit = || item.not("a matrix whose parts fit together");
        let places = |name: &str| -> Asked<Vec<usize>> {
            let integers = item.get(name)?.array()?.integers().ok_or_else(misfit)?;
            integers.into_iter().map(|place| usize::try_from(place).map_err(|_| misfit())).collect()
        };
        let shape = item.get("_shape")?.items()?.iter().map(Item::count).collect::<Asked<Vec<_>>>()?;
        let &[rows, columns] = shape.as_slice() else { return Err(misfit()) };
        let (starts, places, numbers) = (places("indptr")?, places("indices")?, item.get("data")?.numbers()?);
        if starts.len() != rows.saturating_add(1) || places.len() != numbers.len() {
            return Err(misfit());
        }
        let mut entries = Vec::with_capacity(numbers.len());
        for (row, ends) in starts.windows(2).enumerate() {
            let held = ends[0]..ends[1];
            let held = places.get(held.clone()).zip(numbers.get(held)).ok_or_else(misfit)?;
            entries.extend(held.0.iter().zip(held.1).map(|(column, number)| (row, *column, *number)));
        }
        if entries.iter().any(|(_, column, _)| *column >= columns) {
            return Err(misfit());
        }
        Ok(Self { shape: [rows, columns], entries })
    }

    /// All numbers, row by row, with the zeros.
    pub(super) fn whole(&self) -> Asked<Vec<f64>> {
        let [rows, columns] = self.shape;
        let count = rows.saturating_mul(columns);
        if count > MAX_NUMBERS {
            return Err(format!(
                "a matrix of {rows} rows and {columns} columns, the limit is {MAX_NUMBERS} numbers"
            ));
        }
        let mut whole = vec![0.0; count];
        for (row, column, number) in &self.entries {
            whole[row * columns + column] += number;
        }
        Ok(whole)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_held_is_zero_and_what_is_held_twice_is_added_up() {
        let sparse = Sparse { shape: [2, 2], entries: vec![(0, 1, 3.0), (1, 0, 1.0), (1, 0, 0.5)] };
        assert_eq!(sparse.whole().unwrap(), [0.0, 3.0, 1.5, 0.0]);
        let wide = Sparse { shape: [usize::MAX, 2], entries: vec![] };
        assert!(wide.whole().unwrap_err().contains("the limit is"));
    }
}
