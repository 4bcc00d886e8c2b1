//! How a signature reads as a table, and how a written shape fits an input's.

use std::collections::HashMap;

use modelet_core::{DType, Data, FunctionError, InputSpec, Signature, Tensor};

use crate::Inputs;
use crate::elements::permuted;
use crate::text::{listed, nearest, quoted};

/// What a name in a request stands for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Target {
    /// A whole input, by index.
    Input(usize),
    /// One column of an input.
    Column { input: usize, column: usize },
    /// A column that the model was fitted with, and does not look at.
    Ignored,
}

/// Every name that a client may use: the inputs, and the columns of those whose columns have names.
#[derive(Debug)]
pub(crate) struct Names<'a> {
    signature: &'a Signature,
    targets: HashMap<&'a str, Target>,
}

impl<'a> Names<'a> {
    pub(crate) fn of(signature: &'a Signature) -> Self {
        let mut targets: HashMap<_, _> = signature.ignored().map(|name| (name, Target::Ignored)).collect();
        for (input, spec) in signature.inputs.iter().enumerate() {
            for (column, name) in spec.columns.iter().flatten().enumerate() {
                targets.entry(name.as_str()).or_insert(Target::Column { input, column });
            }
        }
        // An input's own name wins over a column's.
        targets.extend(
            signature.inputs.iter().enumerate().map(|(i, spec)| (spec.name.as_str(), Target::Input(i))),
        );
        Self { signature, targets }
    }

    pub(crate) fn get(&self, name: &str) -> Option<Target> {
        self.targets.get(name).copied()
    }

    /// The names, in the model's order.
    pub(crate) fn all(&self) -> impl Iterator<Item = &'a str> {
        self.signature.inputs.iter().flat_map(|spec| {
            let columns = spec.columns.as_deref().unwrap_or_default();
            let own = if columns.is_empty() { Some(spec.name.as_str()) } else { None };
            own.into_iter().chain(columns.iter().map(String::as_str))
        })
    }

    /// The failure for a name that stands for nothing.
    pub(crate) fn unknown(&self, place: &str, name: &str) -> FunctionError {
        let known = || self.all().chain(self.targets.keys().copied());
        // The place may hold the name, and that is as long as the client likes.
        let place: String = place.chars().take(120).collect();
        let mut error = FunctionError::bad_input(
            place,
            format!("one of {}", listed(self.all())),
            format!("the unknown name {}", quoted(name)),
        );
        let near = nearest(known(), name).map(|near| format!("did you mean {}?", quoted(near)));
        error.hint = near.or_else(|| Some("leave out what the model does not take".to_owned()));
        error
    }
}

/// The names of the cells of a row, by position: the columns of all inputs, one after the other. `None` when an input is
/// no column and its columns have no names.
pub(crate) fn positions(signature: &Signature) -> Option<Vec<&str>> {
    let mut names = Vec::new();
    for spec in &signature.inputs {
        match &spec.columns {
            Some(columns) => names.extend(columns.iter().map(String::as_str)),
            None if spec.is_column() => names.push(spec.name.as_str()),
            None => return None,
        }
    }
    Some(names)
}

/// The same for rows of a known width: that of the whole data frame, or of what the model looks at.
pub(crate) fn positions_of(signature: &Signature, width: usize) -> Option<Vec<&str>> {
    if !signature.frame.is_empty() && signature.frame.len() == width {
        return Some(signature.frame.iter().map(String::as_str).collect());
    }
    positions(signature)
}

/// The shape an input takes when a client wrote `shape`; `None` when that does not fit.
///
/// Clients leave out the first axis for a single row, and the last one for a column. `as_rows` forbids the former, for
/// forms in which the outer list counts rows.
pub(crate) fn fit(shape: &[usize], spec: &InputSpec, as_rows: bool) -> Option<Vec<usize>> {
    let Some(dims) = &spec.shape else { return Some(shape.to_vec()) };
    let mut candidates = vec![shape.to_vec()];
    if spec.is_column() && dims.len() == 2 {
        candidates.push([shape, &[1]].concat());
        candidates.extend((!as_rows).then(|| [&[1], shape, &[1]].concat()));
    }
    if shape == [0] && spec.has_batch_axis() {
        // No rows at all: the other sizes are those of the model.
        candidates.push(dims.iter().map(|dim| dim.fixed().unwrap_or(0)).collect());
    }
    candidates.extend((!as_rows).then(|| [&[1], shape].concat()));
    candidates.into_iter().find(|candidate| spec.accepts_shape(candidate))
}

/// Puts a tensor into the shape its input takes.
pub(crate) fn fitted(
    tensor: Tensor,
    spec: &InputSpec,
    as_rows: bool,
    place: &str,
) -> Result<Tensor, FunctionError> {
    let misfit = |shape: &[usize]| {
        FunctionError::bad_input(
            place,
            format!("values of shape {} ({})", spec.shape_text(), spec.dtype),
            format!("shape {shape:?}"),
        )
    };
    let shape = fit(tensor.shape(), spec, as_rows).ok_or_else(|| misfit(tensor.shape()))?;
    let written = tensor.shape().to_vec();
    tensor.reshape(shape).map_err(|_| misfit(&written))
}

/// Joins columns of equal length into rows: three of `[n]` become `[n, 3]`.
pub(crate) fn interleave(columns: &[Tensor], rows: usize, dtype: DType) -> Option<Tensor> {
    let mut all = Data::empty(dtype);
    if !columns.iter().all(|column| all.append(column.data())) {
        return None;
    }
    let width = columns.len();
    let data = permuted(&all, |i| i % width * rows + i / width);
    Tensor::new(vec![rows, width], data).ok()
}

/// Refuses outputs that the function does not have.
pub(crate) fn check_outputs(asked: Option<&[String]>, signature: &Signature) -> Result<(), FunctionError> {
    let known = || signature.outputs.iter().map(|spec| spec.name.as_str());
    let Some(unknown) = asked.into_iter().flatten().find(|name| signature.output(name).is_none()) else {
        return Ok(());
    };
    let found = format!("the unknown output {}", quoted(unknown));
    let mut error = FunctionError::bad_input("outputs", format!("one of {}", listed(known())), found);
    error.hint = nearest(known(), unknown).map(|near| format!("did you mean {}?", quoted(near)));
    Err(error)
}

/// Refuses inputs that disagree about the size of a dimension which the model gives one name, or about the number of rows
/// of one table.
pub(crate) fn check_agreement(inputs: &Inputs, signature: &Signature) -> Result<(), FunctionError> {
    let table = signature.is_table_of_columns();
    let mut sizes: HashMap<&str, (&str, usize)> = HashMap::new();
    for (name, tensor) in inputs {
        let dims = signature.input(name).and_then(|spec| spec.shape.as_deref()).unwrap_or_default();
        for (axis, (dim, size)) in dims.iter().zip(tensor.shape()).enumerate() {
            let own = if table && axis == 0 { Some("rows") } else { dim.name() };
            let Some(key) = own else { continue };
            let (first, expected) = *sizes.entry(key).or_insert((name, *size));
            if expected != *size {
                return Err(FunctionError::bad_input(
                    format!("inputs.{name}"),
                    format!("{expected} {key}, as {} has", quoted(first)),
                    format!("{size}"),
                ));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use modelet_core::Dim;

    use super::*;

    fn spec(shape: &[Option<usize>]) -> InputSpec {
        let dims = shape.iter().map(|d| d.map_or(Dim::Dynamic, Dim::Fixed)).collect();
        InputSpec {
            name: "x".into(),
            dtype: DType::F32,
            shape: Some(dims),
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
    fn a_missing_axis_is_added_where_that_is_certain() {
        let (n, four, one) = (None, Some(4), Some(1));
        for (model, written, as_rows, fitted) in [
            (vec![n, four], vec![4], false, Some(vec![1, 4])),
            (vec![n, four], vec![4], true, None),
            (vec![n, four], vec![3, 4], true, Some(vec![3, 4])),
            (vec![n, four], vec![0], true, Some(vec![0, 4])),
            (vec![n, four], vec![5], false, None),
            (vec![n, one], vec![3], true, Some(vec![3, 1])),
            (vec![n, one], vec![], false, Some(vec![1, 1])),
            (vec![n], vec![], false, Some(vec![1])),
            (vec![n], vec![0], false, Some(vec![0])),
            (vec![n, n], vec![7], false, Some(vec![1, 7])),
            (vec![n, n], vec![0], false, Some(vec![0, 0])),
            (vec![one, four], vec![4], false, Some(vec![1, 4])),
            (vec![four], vec![], false, None),
            (vec![], vec![], true, Some(vec![])),
            (vec![], vec![1], true, None),
        ] {
            assert_eq!(fit(&written, &spec(&model), as_rows), fitted, "{model:?} {written:?} {as_rows}");
        }
        assert_eq!(fit(&[2, 3], &InputSpec { shape: None, ..spec(&[]) }, true), Some(vec![2, 3]));
    }

    #[test]
    fn an_unknown_name_gets_the_nearest() {
        let mut x = spec(&[None, Some(2)]);
        x.columns = Some(vec!["age".into(), "income".into()]);
        let signature = Signature::new(vec![x], vec![]);
        let names = Names::of(&signature);
        assert_eq!(names.get("income"), Some(Target::Column { input: 0, column: 1 }));
        assert_eq!(names.get("x"), Some(Target::Input(0)));
        let error = names.unknown("inputs.incme", "incme");
        assert_eq!(error.hint.as_deref(), Some("did you mean \"income\"?"));
        assert!(error.message.contains(r#"one of "age", "income""#), "{error}");
    }
}
