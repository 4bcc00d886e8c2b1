//! What may stand in one column of an input: ordinary values, and those at which models of the same data come apart.

use std::collections::HashSet;

use modelet_core::numbers::Numbers;
use modelet_core::{DType, InputSpec, Known, Rule};
use modelet_model::examples::Random;
use modelet_model::tabular::splits::Asked;

use super::prose;

/// Categories of a column that are tried, at most.
const MAX_CATEGORIES: usize = 200;
/// A text that no model knows.
const UNKNOWN_TEXT: &str = "modelet-unknown";
/// Ordinary texts, where no categories are known.
const WORDS: &[&str] = &["the quick brown fox", "a", "Grüße", "42", "yes", "New York", "a lazy dog, a fox"];
/// Numbers close to zero and at the ends, in either precision …
const ENDS_F32: &[f64] =
    &[0.0, -0.0, 1e-45, -1e-45, 1e-35, -1e-35, 1.175_494_4e-38, f32::MAX as f64, f32::MIN as f64];
/// … in float64 …
const ENDS_F64: &[f64] = &[5e-324, -5e-324, 2.225_073_858_507_201_4e-308, 1e-300, f64::MAX, f64::MIN];
/// … and beyond them.
const INFINITE: [f64; 2] = [f64::INFINITY, f64::NEG_INFINITY];

/// A value of a cell. A float32 is held exactly.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Cell {
    Number(f64),
    Integer(i64),
    Flag(bool),
    Text(String),
}

/// A column, and what the model knows of it.
pub(super) struct Column {
    dtype: DType,
    splits: Vec<f64>,
    categories: Vec<Cell>,
    /// Neighbours of its categories that are none.
    unknown: Vec<Cell>,
    /// The terms that are looked for in its texts, where those are read.
    terms: Option<Vec<String>>,
    /// Which numbers are answered at all …
    numbers: Option<Numbers>,
    /// … of how many rows of a table …
    table_rows: Option<u64>,
    /// … and which values of this column.
    rule: Option<Rule>,
}

impl Column {
    pub(super) fn new(input: &InputSpec, at: usize, asked: Option<&Asked>) -> Self {
        let rule = input.rules.iter().find(|rule| rule.column == at).cloned();
        let texts = input.categories.as_deref().unwrap_or_default();
        let mut categories: Vec<Cell> = texts.iter().filter_map(|text| category(input.dtype, text)).collect();
        if let Some(asked) = asked.filter(|_| input.dtype.is_float()) {
            categories.extend(asked.members.iter().map(|member| Cell::Number(*member)));
        }
        categories.extend(asked.iter().flat_map(|asked| asked.categories.iter().cloned().map(Cell::Text)));
        match rule.as_ref().and_then(|rule| rule.only.as_ref()) {
            Some(Known::Numbers(known)) => {
                categories.extend(known.iter().map(|one| number(input.dtype, *one)));
            }
            Some(Known::Texts(known)) => categories.extend(known.iter().cloned().map(Cell::Text)),
            None => {}
        }
        distinct(&mut categories);
        categories.truncate(MAX_CATEGORIES);
        let splits = asked.map_or_else(Vec::new, |asked| asked.splits.clone());
        let unknown = unknown(input.dtype, &categories);
        // What is asked of texts is what they are read for.
        let terms = asked.filter(|_| input.dtype == DType::Str && categories.is_empty());
        let terms = terms.map(|asked| asked.terms.clone());
        Self {
            dtype: input.dtype,
            splits,
            categories,
            unknown,
            terms,
            numbers: input.numbers,
            table_rows: input.table_rows,
            rule,
        }
    }

    /// True for what the original answers too.
    pub(super) fn takes(&self, cell: &Cell) -> bool {
        let rule = self.rule.as_ref();
        match cell {
            Cell::Number(number) => {
                self.table_rows.is_none_or(|rows| (0.0..rows as f64).contains(number))
                    && self.numbers.is_none_or(|numbers| numbers.takes(*number))
                    && rule.is_none_or(|rule| rule.takes_number(*number))
            }
            Cell::Text(text) => rule.is_none_or(|rule| rule.takes_text(text)),
            Cell::Flag(flag) => rule.is_none_or(|rule| rule.takes_number((*flag).into())),
            Cell::Integer(number) => self.table_rows.is_none_or(|rows| (0..rows as i64).contains(number)),
        }
    }

    /// An ordinary value: a category, or a number from between those that the model asks about.
    pub(super) fn ordinary(&self, random: &mut Random) -> Cell {
        if !self.categories.is_empty() {
            return self.categories[random.in_range(0..self.categories.len() as u64) as usize].clone();
        }
        if let Some(terms) = &self.terms {
            return Cell::Text(prose::ordinary(terms, random));
        }
        if let Some(rows) = self.table_rows {
            return self.place(random.in_range(0..rows.max(1)));
        }
        match self.dtype {
            DType::Str => Cell::Text(WORDS[random.in_range(0..WORDS.len() as u64) as usize].to_owned()),
            DType::Bool => Cell::Flag(random.in_range(0..2) == 1),
            dtype if dtype.is_integer() => Cell::Integer(random.in_range(0..100) as i64),
            _ => Cell::Number(self.rounded(self.between(random))),
        }
    }

    /// True for numbers that are no places.
    pub(super) fn is_float(&self) -> bool {
        self.dtype.is_float() && self.table_rows.is_none()
    }

    /// A place in the table.
    fn place(&self, place: u64) -> Cell {
        if self.dtype.is_float() { Cell::Number(place as f64) } else { Cell::Integer(place as i64) }
    }

    fn between(&self, random: &mut Random) -> f64 {
        let splits = &self.splits;
        let (Some(first), Some(last)) = (splits.first(), splits.last()) else { return random.float() };
        let margin = ((last - first) / 8.0).max(1.0);
        let place = random.in_range(0..splits.len() as u64 + 1) as usize;
        let low = if place == 0 { first - margin } else { splits[place - 1] };
        let high = splits.get(place).copied().unwrap_or(last + margin);
        let within = low + (high - low) * (random.float() + 2.0) / 4.0;
        if within.is_finite() { within } else { 0.0 }
    }

    fn rounded(&self, number: f64) -> f64 {
        if self.dtype == DType::F64 { number } else { f64::from(number as f32) }
    }

    /// The numbers that the model asks about.
    pub(super) fn splits(&self) -> &[f64] {
        &self.splits
    }

    /// A number and its neighbours: a step of float32 below and above and, in a column of float64, a step of that too.
    pub(super) fn around(&self, split: f64) -> Vec<Cell> {
        let narrow = split as f32;
        let mut numbers = vec![narrow.next_down().into(), f64::from(narrow), narrow.next_up().into()];
        if self.dtype == DType::F64 {
            numbers.extend([split.next_down(), split, split.next_up()]);
        }
        numbers.into_iter().filter(|number: &f64| number.is_finite()).map(Cell::Number).collect()
    }

    /// Every value at which models may come apart whatever they ask: ends, zeros, each category, unknown ones.
    pub(super) fn edges(&self) -> Vec<Cell> {
        if let Some(terms) = &self.terms {
            return prose::edges(terms).into_iter().map(Cell::Text).collect();
        }
        let mut edges = self.categories.clone();
        edges.extend(self.unknown.iter().cloned());
        if !self.categories.is_empty() {
            return edges;
        }
        if let Some(rows) = self.table_rows {
            return [0, rows.saturating_sub(1)].map(|place| self.place(place)).into();
        }
        match self.dtype {
            DType::F64 => {
                let ends = ENDS_F32.iter().chain(ENDS_F64).chain(&INFINITE);
                edges.extend(ends.map(|end| Cell::Number(*end)));
            }
            DType::F32 => edges.extend(ENDS_F32.iter().chain(&INFINITE).map(|end| Cell::Number(*end))),
            DType::I64 | DType::I32 => {
                edges.extend([0, -1, 1 << 24, i32::MAX.into(), i32::MIN.into()].map(Cell::Integer));
            }
            DType::Bool => edges.extend([Cell::Flag(true), Cell::Flag(false)]),
            _ => {}
        }
        edges
    }

    /// What stands for a missing value; `None` where there is none.
    pub(super) fn missing(&self) -> Option<Cell> {
        self.nothing().filter(|cell| self.takes(cell))
    }

    /// What would stand for a missing value, whether that is taken or not.
    fn nothing(&self) -> Option<Cell> {
        match self.dtype {
            DType::Str if self.rule.is_some() => Some(Cell::Text(String::new())),
            dtype if dtype.is_float() => Some(Cell::Number(f64::NAN)),
            _ => None,
        }
    }

    /// Values that its type has and the model does not take: missing and infinite ones, unknown categories, places behind the
    /// table.
    pub(super) fn refused(&self) -> Vec<Cell> {
        let mut odd = self.edges();
        odd.extend(self.nothing());
        if self.dtype.is_float() {
            odd.extend(INFINITE.map(Cell::Number));
        }
        if let Some(rows) = self.table_rows {
            odd.push(self.place(rows));
        }
        odd.retain(|cell| !self.takes(cell));
        distinct(&mut odd);
        odd
    }
}

/// A number as a column of this type has it.
fn number(dtype: DType, number: f64) -> Cell {
    if dtype == DType::Bool { Cell::Flag(number != 0.0) } else { Cell::Number(number) }
}

/// Leaves each category once.
fn distinct(categories: &mut Vec<Cell>) {
    let mut seen = HashSet::new();
    categories.retain(|cell| seen.insert(format!("{cell:?}")));
}

fn category(dtype: DType, text: &str) -> Option<Cell> {
    match dtype {
        DType::Str => Some(Cell::Text(text.to_owned())),
        dtype if dtype.is_integer() => text.parse().ok().map(Cell::Integer),
        dtype if dtype.is_float() => text.parse().ok().map(Cell::Number),
        _ => None,
    }
}

/// What is no category, where categories are known.
fn unknown(dtype: DType, categories: &[Cell]) -> Vec<Cell> {
    if dtype == DType::Str {
        return ["", UNKNOWN_TEXT].map(|text| Cell::Text(text.to_owned())).into();
    }
    let largest = |most: f64, cell: &Cell| match cell {
        Cell::Number(number) => most.max(*number),
        Cell::Integer(number) => most.max(*number as f64),
        _ => most,
    };
    if categories.is_empty() {
        return Vec::new();
    }
    let most = categories.iter().fold(0.0, largest);
    let mut numbers = vec![-1.0, most + 1.0, most + 41.0];
    if dtype.is_float() {
        // Codes that are no whole numbers: each framework cuts them in its way.
        numbers.extend(
            categories
                .iter()
                .filter_map(|cell| if let Cell::Number(code) = cell { Some(code + 0.5) } else { None }),
        );
        numbers.push(-0.5);
    }
    let cell =
        |number: f64| if dtype.is_float() { Cell::Number(number) } else { Cell::Integer(number as i64) };
    numbers.into_iter().map(cell).collect()
}
