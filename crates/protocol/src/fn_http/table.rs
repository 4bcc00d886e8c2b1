//! CSV bodies: each cell goes straight to the input it belongs to.
//!
//! A function reads CSV when it reads as a table: every input is a column, or its columns have names, or it is the only
//! input and has one row a line. The first line is a header when the content type says so (`header=present`), or, without
//! a word about it, when all its cells are known names, or when none of them is a number although some must be.
//! Cells of a header put the columns in order. A header over columns that have no names is skipped. One line
//! of words alone is refused: it is rather a mistake than a table without rows.

use std::collections::HashSet;

use csv::StringRecord;
use modelet_core::{Code, DType, Data, Dim, FunctionError, InputSpec, Signature, Tensor};

use crate::Inputs;
use crate::cast::{self, Scalar};
use crate::json::CATEGORY_HINT;
use crate::layout::{Names, Target, positions_of};
use crate::limit::check_texts;
use crate::text::{listed, quoted};

/// Reads a table.
pub(super) fn read(
    body: &[u8],
    header: Option<&str>,
    signature: &Signature,
) -> Result<Inputs, FunctionError> {
    let mut table: Option<Table<'_>> = None;
    let takes_texts = signature.inputs.iter().any(|spec| spec.dtype == DType::Str);
    let mut texts = 0;
    let mut guessed = false;
    crate::csv_text::read(body, |line, record| {
        texts += if takes_texts { record.len() } else { 0 };
        check_texts(texts)?;
        if let Some(table) = &mut table {
            return table.push(line, record);
        }
        let is_header = match header {
            Some("present") => true,
            Some("absent") => false,
            _ if has_known_names(record, signature) => true,
            _ => {
                guessed = has_no_numbers(record, signature);
                guessed
            }
        };
        let opened =
            if is_header { Table::with_header(record, signature) } else { Table::without(record, signature) };
        let opened = table.insert(opened?);
        if is_header { Ok(()) } else { opened.push(line, record) }
    })?;
    let Some(table) = table else {
        return Err(FunctionError::new(Code::BadBody, "the CSV body holds no line"));
    };
    if guessed && table.rows == 0 {
        let found = format!("one line of words: {}", listed(table.header.iter().map(String::as_str)));
        return Err(FunctionError::bad_input("line 1", format!("{} numbers or texts", table.width), found)
            .hint("if that is a header without rows, send Content-Type: text/csv; header=present"));
    }
    table.finish()
}

/// One input, as it fills.
#[derive(Debug)]
struct Part<'a> {
    spec: &'a InputSpec,
    /// For each column of the input, the cell of a line that it is read from.
    cells: Vec<usize>,
    data: Data,
}

#[derive(Debug)]
struct Table<'a> {
    parts: Vec<Part<'a>>,
    /// The name of each cell, as far as it has one.
    names: Vec<String>,
    /// The cells of the first line.
    header: Vec<String>,
    width: usize,
    rows: usize,
}

fn not_a_table(signature: &Signature) -> FunctionError {
    let inputs: Vec<_> =
        signature.inputs.iter().map(|i| format!("{} {}", quoted(&i.name), i.shape_text())).collect();
    FunctionError::new(
        Code::BadBody,
        format!(
            "CSV is a table with one row a line, and the inputs of this function are no columns: {}",
            inputs.join(", ")
        ),
    )
    .hint("send JSON or npy; or name the columns of each input in modelet.toml")
}

/// The names of the cells of a line; none when the one input has columns without names.
fn known_names(signature: &Signature, cells: usize) -> Result<Vec<&str>, FunctionError> {
    match (positions_of(signature, cells), signature.inputs.as_slice()) {
        (Some(names), _) => Ok(names),
        (None, [only]) if only.shape.as_ref().is_none_or(|dims| dims.len() == 2) => Ok(Vec::new()),
        _ => Err(not_a_table(signature)),
    }
}

fn has_known_names(record: &StringRecord, signature: &Signature) -> bool {
    let names = Names::of(signature);
    record.iter().all(|cell| names.get(cell.trim()).is_some())
}

/// True for a line that cannot be data, because the model takes numbers and there is none.
fn has_no_numbers(record: &StringRecord, signature: &Signature) -> bool {
    let numeric = signature.inputs.iter().any(|spec| spec.dtype.is_float() || spec.dtype.is_integer());
    // NaN is data, although it is a word.
    let is_word = |cell: &str| !cell.trim().is_empty() && cell.trim().parse::<f64>().is_err();
    numeric && record.iter().all(is_word)
}

impl<'a> Table<'a> {
    /// Columns in the order of a header.
    fn with_header(record: &StringRecord, signature: &'a Signature) -> Result<Self, FunctionError> {
        if known_names(signature, record.len())?.is_empty() {
            let table = Self::without(record, signature)?;
            table.check_width(1, record)?;
            return Ok(table);
        }
        Self::named(record.iter().map(str::trim), signature)
    }

    /// Columns in the order of these names.
    fn named<'n>(
        header: impl Iterator<Item = &'n str> + Clone,
        signature: &'a Signature,
    ) -> Result<Self, FunctionError> {
        let names = Names::of(signature);
        let mut seen = HashSet::new();
        let mut cells: Vec<Vec<Option<usize>>> = signature
            .inputs
            .iter()
            .map(|spec| vec![None; spec.columns.as_ref().map_or(1, Vec::len)])
            .collect();
        for (at, name) in header.clone().enumerate() {
            let place = format!("line 1, column {}", at + 1);
            if !seen.insert(name) {
                return Err(FunctionError::bad_input(
                    place,
                    "each column once",
                    format!("{} again", quoted(name)),
                ));
            }
            match names.get(name) {
                Some(Target::Input(input)) if cells[input].len() == 1 => cells[input][0] = Some(at),
                Some(Target::Column { input, column }) => cells[input][column] = Some(at),
                Some(Target::Ignored) => {}
                _ => return Err(names.unknown(&place, name)),
            }
        }
        let mut parts = Vec::new();
        for (spec, cells) in signature.inputs.iter().zip(cells) {
            if spec.optional && cells.iter().all(Option::is_none) {
                continue;
            }
            let missing = cells.iter().position(Option::is_none);
            if let Some(missing) = missing {
                let name = spec.columns.as_ref().map_or(&spec.name, |columns| &columns[missing]);
                let expected = format!("the column {} ({}) in the header", quoted(name), spec.dtype);
                return Err(FunctionError::bad_input(name.clone(), expected, "it is missing"));
            }
            parts.push(Part {
                spec,
                cells: cells.into_iter().flatten().collect(),
                data: Data::empty(spec.dtype),
            });
        }
        let names: Vec<String> = header.map(str::to_owned).collect();
        Ok(Self { parts, header: names.clone(), width: names.len(), names, rows: 0 })
    }

    /// Columns in the model's order, or in that of its whole frame.
    fn without(record: &StringRecord, signature: &'a Signature) -> Result<Self, FunctionError> {
        let known = known_names(signature, record.len())?;
        if !known.is_empty() && known == signature.frame {
            return Self::named(known.into_iter(), signature);
        }
        let names: Vec<String> = known.into_iter().map(str::to_owned).collect();
        let mut next = 0;
        let mut parts = Vec::new();
        for spec in &signature.inputs {
            let fixed = spec.shape.as_ref().and_then(|dims| dims.get(1)).and_then(Dim::fixed);
            let width = match &spec.columns {
                Some(columns) => columns.len(),
                None if spec.is_column() => 1,
                None => fixed.unwrap_or(record.len()),
            };
            parts.push(Part { spec, cells: (next..next + width).collect(), data: Data::empty(spec.dtype) });
            next += width;
        }
        let header = record.iter().map(str::to_owned).collect();
        Ok(Self { parts, header, names, width: next, rows: 0 })
    }

    fn check_width(&self, line: u64, record: &StringRecord) -> Result<(), FunctionError> {
        if record.len() == self.width {
            return Ok(());
        }
        let place = format!("line {line}");
        let (expected, found) = (format!("{} cells", self.width), format!("{} cells", record.len()));
        let mut error = FunctionError::bad_input(place, expected, found);
        let other = record.len() == 1 && record.get(0).is_some_and(|cell| cell.contains([';', '\t']));
        error.hint = other.then(|| "separate the cells by commas".to_owned());
        Err(error)
    }

    fn push(&mut self, line: u64, record: &StringRecord) -> Result<(), FunctionError> {
        self.check_width(line, record)?;
        self.rows += 1;
        for part in &mut self.parts {
            for at in &part.cells {
                let cell = record.get(*at).unwrap_or_default();
                // An empty cell is nothing, which is no category.
                let is_missing = part.spec.takes_integers && cell.is_empty();
                let scalar = if is_missing { Scalar::Null } else { Scalar::Cell(cell) };
                cast::push(&mut part.data, scalar).map_err(|misfit| {
                    let name =
                        self.names.get(*at).map(|name| format!(" ({})", quoted(name))).unwrap_or_default();
                    let place = format!("line {line}, column {}{name}", at + 1);
                    let mut error = FunctionError::bad_input(place, misfit.expected, misfit.found);
                    error.hint =
                        if is_missing { Some(CATEGORY_HINT) } else { misfit.hint }.map(str::to_owned);
                    error
                })?;
            }
        }
        Ok(())
    }

    fn finish(self) -> Result<Inputs, FunctionError> {
        let rows = self.rows;
        let tensor = |Part { spec, cells, data }: Part<'_>| {
            let flat = spec.shape.as_ref().is_some_and(|dims| dims.len() == 1);
            let shape = if flat { vec![data.len()] } else { vec![rows, cells.len()] };
            let fits = spec.accepts_shape(&shape);
            let tensor = Tensor::new(shape, data).ok().filter(|_| fits).ok_or_else(|| {
                let expected =
                    format!("rows that fill the shape {} of {}", spec.shape_text(), quoted(&spec.name));
                FunctionError::bad_input("body", expected, format!("{rows} rows of {} cells", cells.len()))
            })?;
            Ok((spec.name.clone(), tensor))
        };
        self.parts.into_iter().map(tensor).collect()
    }
}
