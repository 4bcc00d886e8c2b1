//! Rows that tell whether two models are the same: ordinary ones from between the numbers that the model asks about, those
//! numbers with their neighbours, ends and zeros, each category and unknown ones, and what is missing.
//!
//! The same model gives the same rows, on every machine. What an original may refuse stands together, behind the rest.

use modelet_core::{DType, Data, Dim, InputSpec, Signature, Tensor};
use modelet_model::examples::Random;
use modelet_model::rows::Inputs;
use modelet_model::tabular::splits::Asked;

use super::column::{Cell, Column};

/// Where all rows come from.
pub const SEED: u64 = 1;
/// Ordinary rows.
pub(super) const ORDINARY_ROWS: usize = 1_000;
/// Ordinary rows of which some values are missing.
const MISSING_ROWS: usize = 250;
/// In those, one value of so many is missing.
const MISSING_SHARE: u64 = 10;
/// Numbers that the model asks about and that are tried, at most: of more, as many, evenly chosen.
const MAX_QUESTIONS: usize = 2_000;
/// Rows with a value from an end, at most.
const MAX_EDGES: usize = 2_000;
/// Rows with a value that the model does not take, at most.
const MAX_REFUSED: usize = 200;
/// Values in all rows together, at most; wide models get fewer rows.
pub(super) const MAX_CELLS: usize = 8 << 20;

/// Rows that were made, by input.
pub struct Made {
    /// What the model takes.
    pub taken: Inputs,
    /// What its signature says that it does not take, one value in each row.
    pub refused: Inputs,
}

/// The rows; `None` when the signature has inputs that are no tables. Numbers from the ends lie within `reach`, where
/// there is one, and on it: beyond, the sums of a network overflow in an order that is its library's own.
pub fn made(signature: &Signature, asked: &[Asked], reach: Option<f64>) -> Option<Made> {
    let columns = columns(signature, asked)?;
    let mut maker = Maker { columns: &columns, random: Random(SEED), reach, rows: Vec::new() };
    maker.ordinary(ORDINARY_ROWS);
    maker.questions();
    maker.missing();
    maker.edges();
    let refused = maker.refused();
    Some(Made { taken: tensors(signature, &maker.rows), refused: tensors(signature, &refused) })
}

/// Inputs that a call must have, with their widths; `None` when one is no table.
fn tables(signature: &Signature) -> Option<Vec<(&InputSpec, usize)>> {
    let width = |input: &InputSpec| match input.shape.as_deref()? {
        [rows] if rows.fixed().is_none() => Some(1),
        [rows, columns] if rows.fixed().is_none() => columns.fixed(),
        _ => None,
    };
    let wanted = signature.inputs.iter().filter(|input| !input.optional);
    wanted.map(|input| Some((input, width(input)?))).collect()
}

fn columns(signature: &Signature, asked: &[Asked]) -> Option<Vec<Column>> {
    let mut columns = Vec::new();
    for (input, width) in tables(signature)? {
        let is_known = |dtype: DType| {
            matches!(dtype, DType::F32 | DType::F64 | DType::Str | DType::Bool | DType::I64 | DType::I32)
        };
        if !is_known(input.dtype) {
            return None;
        }
        columns.extend((0..width).map(|at| {
            Column::new(input, at, asked.iter().find(|asked| asked.input == input.name && asked.column == at))
        }));
    }
    Some(columns)
}

struct Maker<'a> {
    columns: &'a [Column],
    random: Random,
    reach: Option<f64>,
    rows: Vec<Vec<Cell>>,
}

impl Maker<'_> {
    fn has_room(&self) -> bool {
        (self.rows.len() + 1) * self.columns.len().max(1) <= MAX_CELLS
    }

    fn row(&mut self) -> Vec<Cell> {
        self.columns.iter().map(|column| column.ordinary(&mut self.random)).collect()
    }

    /// Adds a row, unless the model refuses it as its original does.
    fn push(&mut self, row: Vec<Cell>) {
        if self.has_room() && row.iter().zip(self.columns).all(|(cell, column)| column.takes(cell)) {
            self.rows.push(row);
        }
    }

    /// An ordinary row with one value of our choice.
    fn with(&mut self, at: usize, cell: Cell) {
        let mut row = self.row();
        row[at] = cell;
        self.push(row);
    }

    /// Ordinary rows, each with one value that the model does not take.
    fn refused(&mut self) -> Vec<Vec<Cell>> {
        let columns = self.columns;
        let odd = columns.iter().enumerate();
        let odd = odd.flat_map(|(at, column)| column.refused().into_iter().map(move |cell| (at, cell)));
        let with = |(at, cell): (usize, Cell)| {
            let mut row = self.row();
            row[at] = cell;
            row
        };
        odd.take(MAX_REFUSED).map(with).collect()
    }

    fn ordinary(&mut self, rows: usize) {
        for _ in 0..rows {
            let row = self.row();
            self.push(row);
        }
    }

    fn questions(&mut self) {
        let columns = self.columns;
        let all: Vec<(usize, f64)> = columns
            .iter()
            .enumerate()
            .flat_map(|(at, column)| column.splits().iter().map(move |split| (at, *split)))
            .collect();
        for question in 0..all.len().min(MAX_QUESTIONS) {
            let (at, split) = all[question * all.len() / all.len().min(MAX_QUESTIONS)];
            for cell in columns[at].around(split) {
                self.with(at, cell);
            }
        }
    }

    fn missing(&mut self) {
        let columns = self.columns;
        let missing: Vec<(usize, Cell)> =
            columns.iter().enumerate().filter_map(|(at, column)| Some((at, column.missing()?))).collect();
        if missing.is_empty() {
            return;
        }
        let mut nothing = self.row();
        missing.iter().for_each(|(at, cell)| nothing[*at] = cell.clone());
        self.push(nothing);
        for (at, cell) in missing.iter().take(MISSING_ROWS) {
            self.with(*at, cell.clone());
        }
        for _ in 0..MISSING_ROWS {
            let mut row = self.row();
            for (at, cell) in &missing {
                if self.random.in_range(0..MISSING_SHARE) == 0 {
                    row[*at] = cell.clone();
                }
            }
            self.push(row);
        }
    }

    fn edges(&mut self) {
        let columns = self.columns;
        let edges = columns.iter().enumerate();
        let edges = edges.flat_map(|(at, column)| column.edges().into_iter().map(move |cell| (at, cell)));
        let reach = self.reach.unwrap_or(f64::INFINITY);
        let is_within = |cell: &Cell| !matches!(cell, Cell::Number(number) if number.abs() > reach);
        let floats = columns.iter().enumerate().filter(|(_, column)| column.is_float());
        let ends = floats.flat_map(|(at, _)| [reach, -reach].map(|end| (at, Cell::Number(end))));
        let edges = edges.filter(|(_, cell)| is_within(cell)).chain(ends.filter(|_| self.reach.is_some()));
        let edges: Vec<_> = edges.collect();
        for (at, cell) in edges.into_iter().take(MAX_EDGES) {
            self.with(at, cell);
        }
    }
}

fn tensors(signature: &Signature, rows: &[Vec<Cell>]) -> Inputs {
    let count = rows.len();
    let mut from = 0;
    let mut inputs = Inputs::new();
    for (input, width) in tables(signature).unwrap_or_default() {
        let own = from..from + width;
        let cells = rows.iter().flat_map(|row| &row[own.clone()]);
        let has_columns = input.shape.as_ref().is_some_and(|shape: &Vec<Dim>| shape.len() == 2);
        let shape = if has_columns { vec![count, width] } else { vec![count] };
        inputs.extend(
            Tensor::new(shape, data(input.dtype, cells)).ok().map(|tensor| (input.name.clone(), tensor)),
        );
        from += width;
    }
    inputs
}

fn data<'a>(dtype: DType, cells: impl Iterator<Item = &'a Cell>) -> Data {
    let number = |cell: &Cell| match cell {
        Cell::Number(number) => *number,
        Cell::Integer(number) => *number as f64,
        Cell::Flag(_) | Cell::Text(_) => f64::NAN,
    };
    let integer = |cell: &Cell| match cell {
        Cell::Integer(number) => *number,
        other => number(other) as i64,
    };
    match dtype {
        DType::F64 => Data::F64(cells.map(number).collect()),
        DType::I64 => Data::I64(cells.map(integer).collect()),
        DType::I32 => Data::I32(cells.map(|cell| integer(cell) as i32).collect()),
        DType::Bool => Data::Bool(cells.map(|cell| *cell == Cell::Flag(true)).collect()),
        DType::Str => Data::Str(
            cells
                .map(|cell| if let Cell::Text(text) = cell { text.clone() } else { String::new() })
                .collect(),
        ),
        _ => Data::F32(cells.map(|cell| number(cell) as f32).collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input(name: &str, dtype: DType, width: usize, categories: Option<&[&str]>) -> InputSpec {
        InputSpec {
            name: name.into(),
            dtype,
            shape: Some(vec![Dim::Dynamic, Dim::Fixed(width)]),
            optional: false,
            columns: None,
            categories: categories.map(|texts| texts.iter().map(|text| (*text).to_owned()).collect()),
            numbers: None,
            table_rows: None,
            takes_integers: false,
            rules: vec![],
            file: None,
        }
    }

    fn signature(inputs: Vec<InputSpec>) -> Signature {
        Signature::new(inputs, vec![])
    }

    fn column(rows: &Inputs, input: usize, at: usize) -> Vec<f64> {
        let (shape, width) = (rows[input].1.shape(), rows[input].1.shape()[1]);
        assert_eq!(shape.len(), 2);
        match rows[input].1.data() {
            Data::F32(v) => v.iter().skip(at).step_by(width).map(|x| f64::from(*x)).collect(),
            Data::F64(v) => v.iter().skip(at).step_by(width).copied().collect(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn every_question_is_met_exactly_and_a_step_to_either_side() {
        for (dtype, split) in [(DType::F32, f64::from(0.1_f32)), (DType::F64, 0.1)] {
            let asked = [Asked {
                input: "X".into(),
                column: 1,
                splits: vec![split, 5.0],
                members: vec![],
                terms: vec![],
                categories: vec![],
            }];
            let of = signature(vec![input("X", dtype, 2, None)]);
            let rows = made(&of, &asked, None).taken;
            // As text, in which NaN is NaN.
            assert!(
                format!("{rows:?}") == format!("{:?}", made(&of, &asked, None).taken),
                "the same rows each time"
            );
            let found = column(&rows, 0, 1);
            assert!(found.len() >= ORDINARY_ROWS);
            let narrow = split as f32;
            let mut wanted = vec![f64::from(narrow), narrow.next_down().into(), narrow.next_up().into()];
            wanted.extend([
                0.0,
                f64::from(f32::MAX),
                if dtype == DType::F32 { 1e-45_f32.into() } else { 1e-45 },
            ]);
            if dtype == DType::F64 {
                wanted.extend([split, split.next_down(), split.next_up(), f64::MAX, 5e-324]);
            }
            for number in wanted {
                assert!(found.contains(&number), "{dtype}: {number:e}");
            }
            assert!(
                found.iter().any(|x| x.is_nan()) && found.iter().any(|x| *x == 0.0 && x.is_sign_negative())
            );
            let below = found[..ORDINARY_ROWS].iter().filter(|x| **x < split).count();
            assert!((100..900).contains(&below), "ordinary rows lie on both sides: {below}");
            assert!(found[..ORDINARY_ROWS].iter().all(|x| x.is_finite()));
            assert!(found.contains(&f64::INFINITY) && found.contains(&f64::NEG_INFINITY));
        }
    }

    #[test]
    fn numbers_that_the_model_refuses_are_asked_about_apart() {
        let numbers = modelet_core::numbers::Numbers { missing: false, largest: f64::from(f32::MAX) };
        let strict = InputSpec { numbers: Some(numbers), ..input("X", DType::F64, 1, None) };
        let made = made(&signature(vec![strict]), &[], None);
        let found = column(&made.taken, 0, 0);
        assert!(found.len() >= ORDINARY_ROWS && found.iter().all(|x| x.abs() <= f64::from(f32::MAX)));
        assert!(found.contains(&f64::from(f32::MAX)) && found.contains(&1e-300));
        let refused = column(&made.refused, 0, 0);
        for odd in [f64::INFINITY, f64::NEG_INFINITY, f64::MAX] {
            assert!(refused.contains(&odd), "{odd}");
        }
        assert!(refused.iter().any(|x| x.is_nan()) && refused.iter().all(|x| !numbers.takes(*x)));
    }

    #[test]
    fn every_category_is_met_and_unknown_ones() {
        let asked = Asked {
            input: "X".into(),
            column: 0,
            splits: vec![],
            members: vec![1.0, 4.0],
            terms: vec![],
            categories: vec![],
        };
        let text = input("plan", DType::Str, 1, Some(&["pro", "free"]));
        let rows = made(&signature(vec![input("X", DType::F32, 1, None), text]), &[asked], None).taken;
        let found = column(&rows, 0, 0);
        for code in [1.0, 4.0, 5.0, 45.0, -1.0] {
            assert!(found.contains(&code), "{code}");
        }
        assert!(!found.contains(&f64::from(f32::MAX)), "a column of codes has no such number");
        let Data::Str(texts) = rows[1].1.data() else { panic!("text") };
        for wanted in ["pro", "free", "", "modelet-unknown"] {
            assert!(texts.iter().any(|text| text == wanted), "{wanted}");
        }
    }

    #[test]
    fn ends_lie_within_reach_and_places_within_their_table() {
        let tokens = InputSpec { table_rows: Some(50), ..input("tokens", DType::I64, 1, None) };
        let rows = made(&signature(vec![input("X", DType::F32, 1, None), tokens]), &[], Some(1e3)).taken;
        let found = column(&rows, 0, 0);
        assert!(found.contains(&1e3) && found.contains(&-1e3) && found.contains(&f64::from(1e-45_f32)));
        assert!(found.iter().all(|x| x.is_nan() || x.abs() <= 1e3));
        let Data::I64(places) = rows[1].1.data() else { panic!("integers") };
        assert!(
            (0..50).all(|place| places.contains(&place))
                && places.iter().all(|place| (0..50).contains(place))
        );
    }

    fn made(signature: &Signature, asked: &[Asked], reach: Option<f64>) -> Made {
        super::made(signature, asked, reach).unwrap()
    }

    #[test]
    fn a_wide_model_gets_fewer_rows_and_what_is_no_table_none() {
        let wide = made(&signature(vec![input("X", DType::F32, 20_000, None)]), &[], None).taken;
        assert!(wide[0].1.len() <= MAX_CELLS && wide[0].1.len() > MAX_CELLS / 2);
        let mut picture = input("pixels", DType::F32, 1, None);
        picture.shape = Some(vec![Dim::Dynamic, Dim::Fixed(1), Dim::Fixed(2)]);
        assert!(super::made(&signature(vec![picture]), &[], None).is_none());
    }
}
