//! Named values to the tensors of a signature.

use modelet_core::{FunctionError, InputSpec, Signature, Tensor};

use crate::Inputs;
use crate::json::{Json, Misplaced, index_text, tensor_for};
use crate::layout::{self, Names, Target, fitted};
use crate::text::quoted;

/// A value, the name it came under, and where in the body it stood.
#[derive(Debug)]
pub(super) struct Named {
    pub(super) name: String,
    pub(super) value: Json,
    pub(super) place: Place,
}

/// Where a value stood, so that indices into it can be said as the client wrote them.
#[derive(Debug, Clone)]
pub(super) enum Place {
    /// In one piece: `inputs.age`, and then `inputs.age[3]`.
    At(String),
    /// One element in every row: `inputs[3].age`.
    Row { before: String, after: String },
    /// As one element of the only row: `inputs[2]`.
    Lone(String),
}

impl Place {
    fn text(&self, indices: &[usize]) -> String {
        let text = match (self, indices) {
            (Self::At(path), _) => format!("{path}{}", index_text(indices)),
            (Self::Row { before, after }, [row, rest @ ..]) => {
                format!("{before}{}{after}{}", index_text(&[*row]), index_text(rest))
            }
            (Self::Row { before, after }, []) => format!("{before}[…]{after}"),
            (Self::Lone(path), _) => format!("{path}{}", index_text(indices.get(1..).unwrap_or_default())),
        };
        if text.is_empty() { "body".to_owned() } else { text }
    }
}

/// The failure for an element that does not fit.
pub(super) fn misplaced(place: &Place, misplaced: Misplaced) -> FunctionError {
    let Misplaced { indices, misfit } = misplaced;
    let mut error = FunctionError::bad_input(place.text(&indices), misfit.expected, misfit.found);
    error.hint = misfit.hint.map(str::to_owned);
    error
}

/// What was given for one input.
enum Given {
    Nothing,
    Whole(Named),
    /// By column, in the model's order.
    Columns(Vec<Option<Named>>),
}

/// Gives every input its value. `as_rows`: the outer list of each value counts rows.
pub(super) fn bind(
    values: Vec<Named>,
    signature: &Signature,
    as_rows: bool,
) -> Result<Inputs, FunctionError> {
    let names = Names::of(signature);
    let mut given: Vec<Given> = signature.inputs.iter().map(|_| Given::Nothing).collect();
    for value in values {
        let place = value.place.text(&[]);
        let target = names.get(&value.name).ok_or_else(|| names.unknown(&place, &value.name))?;
        let twice =
            || FunctionError::bad_input(place.clone(), "each input and column once", "it is given twice");
        match target {
            Target::Ignored => {}
            Target::Input(input) => match &given[input] {
                Given::Nothing => given[input] = Given::Whole(value),
                _ => return Err(twice()),
            },
            Target::Column { input, column } => {
                if matches!(given[input], Given::Nothing) {
                    let count = signature.inputs[input].columns.as_ref().map_or(0, Vec::len);
                    given[input] = Given::Columns((0..count).map(|_| None).collect());
                }
                match &mut given[input] {
                    Given::Columns(columns) if columns[column].is_none() => columns[column] = Some(value),
                    _ => return Err(twice()),
                }
            }
        }
    }
    let mut inputs = Vec::with_capacity(given.len());
    for (spec, given) in signature.inputs.iter().zip(given) {
        let tensor = match given {
            Given::Whole(value) => Some(whole(&value, spec, as_rows)?),
            Given::Columns(columns) => Some(columns_of(columns, spec)?),
            Given::Nothing if spec.optional => None,
            Given::Nothing => return Err(missing(spec)),
        };
        inputs.extend(tensor.map(|tensor| (spec.name.clone(), tensor)));
    }
    Ok(inputs)
}

fn missing(spec: &InputSpec) -> FunctionError {
    let (what, name) = match spec.columns.as_deref() {
        Some([first, ..]) => ("the column", first),
        _ if spec.is_column() => ("the column", &spec.name),
        _ => ("the input", &spec.name),
    };
    FunctionError::bad_input(
        name.clone(),
        format!("{what} {} ({}, {})", quoted(name), spec.dtype, spec.shape_text()),
        "it is missing",
    )
}

fn whole(value: &Named, spec: &InputSpec, as_rows: bool) -> Result<Tensor, FunctionError> {
    let tensor = tensor_for(&value.value, spec).map_err(|m| misplaced(&value.place, m))?;
    fitted(tensor, spec, as_rows, &value.place.text(&[]))
}

/// One input out of its columns.
fn columns_of(columns: Vec<Option<Named>>, spec: &InputSpec) -> Result<Tensor, FunctionError> {
    let names = spec.columns.as_deref().unwrap_or_default();
    let mut tensors: Vec<Tensor> = Vec::with_capacity(columns.len());
    for (column, name) in columns.into_iter().zip(names) {
        let Some(column) = column else {
            return Err(FunctionError::bad_input(
                name.clone(),
                format!("the column {} ({})", quoted(name), spec.dtype),
                "it is missing",
            ));
        };
        let read = tensor_for(&column.value, spec).map_err(|m| misplaced(&column.place, m))?;
        let rows = tensors.first().map(Tensor::len);
        if read.shape().len() > 1 || rows.is_some_and(|rows| rows != read.len()) {
            return Err(FunctionError::bad_input(
                column.place.text(&[]),
                rows.map_or_else(
                    || "one value a row".to_owned(),
                    |n| format!("{n} values, as in the columns before it"),
                ),
                format!("values of shape {:?}", read.shape()),
            ));
        }
        tensors.push(read);
    }
    let rows = tensors.first().map_or(0, Tensor::len);
    let wrong = || {
        let expected = format!("rows that fill the shape {}", spec.shape_text());
        FunctionError::bad_input(format!("inputs.{}", spec.name), expected, format!("{rows} rows"))
    };
    let table = layout::interleave(&tensors, rows, spec.dtype).ok_or_else(wrong)?;
    let flat = spec.shape.as_ref().is_some_and(|dims| dims.len() == 1);
    let shape = if flat { vec![table.len()] } else { table.shape().to_vec() };
    if !spec.accepts_shape(&shape) {
        return Err(wrong());
    }
    table.reshape(shape).map_err(|_| wrong())
}
