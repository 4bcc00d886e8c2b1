//! Rows of several calls in one: whether a model has an axis that counts rows, how the inputs of calls are put together along
//! it, and how the answers are taken apart again.
//!
//! Whether the answers are the same is another question: rows of one call may share a scale, or be normalised by one another.
//! A deploy asks it with examples.

use std::ops::Range;

use modelet_core::signature::shape_text;
use modelet_core::{Data, Dim, OutputKind, OutputSpec, Signature, Tensor, Value};

/// Inputs of one call, by name.
pub type Inputs = Vec<(String, Tensor)>;
/// Answers to one call, by name.
pub type Outputs = Vec<(String, Value)>;

/// Refuses a signature in which no axis counts rows: the first of every input that a call must have has to be free, of one
/// name where it has one, and that name must not stand at another place (a matrix of rows against rows). An output has to have
/// a first axis, whatever its size is called: exporters give it names of its own, or the 1 of the row that they tried.
///
/// # Errors
/// What is in the way: `the input sr has the shape []`.
pub fn check_batch_axis(signature: &Signature) -> Result<(), String> {
    let required = || signature.inputs.iter().filter(|input| !input.optional);
    required().next().ok_or("no call has to have an input")?;
    let mut rows = None;
    let mut elsewhere = Vec::new();
    for input in required() {
        let shape =
            input.shape.as_deref().ok_or_else(|| format!("the input {} may have any shape", input.name))?;
        let first = shape.first().filter(|first| first.fixed().is_none());
        let first =
            first.ok_or_else(|| format!("the input {} has the shape {}", input.name, shape_text(shape)))?;
        match (first.name(), rows) {
            (Some(other), Some(rows)) if other != rows => {
                return Err(format!("the input {} counts {other}, others count {rows}", input.name));
            }
            (own, _) => rows = rows.or(own),
        }
        elsewhere.extend(shape.iter().skip(1).filter_map(Dim::name));
    }
    for output in &signature.outputs {
        elsewhere.extend(check_output(output)?.iter().skip(1).filter_map(Dim::name));
    }
    match rows.filter(|rows| elsewhere.contains(rows)) {
        Some(rows) => Err(format!("{rows} is not only the first size")),
        None => Ok(()),
    }
}

/// The shape of an output that may have rows.
fn check_output(output: &OutputSpec) -> Result<&[Dim], String> {
    let refuse = |what: &str| Err(format!("the output {} {what}", output.name));
    match &output.kind {
        OutputKind::Tensor { shape: Some(shape), .. } => match shape.first() {
            None => refuse("has the shape []"),
            Some(Dim::Fixed(2..)) => refuse(&format!("has the shape {}", shape_text(shape))),
            Some(_) => Ok(shape),
        },
        OutputKind::Tensor { shape: None, .. } | OutputKind::Map { per_row: true, .. } => Ok(&[]),
        OutputKind::Map { per_row: false, .. } => refuse("is one map"),
        OutputKind::Sequence { .. } => refuse("is a sequence"),
    }
}

/// Most rows of a call, where there are not any number.
pub fn limit(signature: &Signature) -> Option<usize> {
    let required = signature.inputs.iter().filter(|input| !input.optional);
    required.filter_map(|input| input.shape.as_ref()?.first()?.max()).min()
}

/// The rows of a call: the first size, when it is that of all inputs.
pub fn count(inputs: &Inputs) -> Option<usize> {
    let mut sizes = inputs.iter().map(|(_, tensor)| tensor.shape().first().copied());
    let rows = sizes.next()??;
    sizes.all(|size| size == Some(rows)).then_some(rows)
}

/// True when calls can be put together: the same inputs, each of the same element type and shape behind the rows.
pub fn alike(a: &Inputs, b: &Inputs) -> bool {
    let same = |(name, a): &(String, Tensor)| {
        b.iter().any(|(other, b)| {
            other == name
                && a.dtype() == b.dtype()
                && a.shape().get(1..).is_some_and(|own| b.shape().get(1..) == Some(own))
        })
    };
    a.len() == b.len() && a.iter().all(same)
}

/// The memory that inputs take, in bytes.
pub fn size_bytes(inputs: &Inputs) -> usize {
    let size = |(_, tensor): &(String, Tensor)| match tensor.data() {
        Data::Str(texts) => texts.iter().map(|text| text.len() + size_of::<String>()).sum(),
        data => data.len() * data.dtype().size_bytes().unwrap_or_default(),
    };
    inputs.iter().map(size).sum()
}

/// Puts calls together, the rows in the order of the calls; `None` when they are not [`alike`].
pub fn merge(calls: &[&Inputs]) -> Option<Inputs> {
    let (first, others) = calls.split_first()?;
    if !others.iter().all(|other| alike(first, other)) {
        return None;
    }
    let column = |(name, tensor): &(String, Tensor)| {
        let (mut shape, mut data) = tensor.clone().into_parts();
        for call in others {
            let (_, other) = call.iter().find(|(other, _)| other == name)?;
            *shape.first_mut()? += other.shape().first()?;
            data.append(other.data());
        }
        Some((name.clone(), Tensor::new(shape, data).ok()?))
    };
    first.iter().map(column).collect()
}

/// Takes the answer to calls that were put together apart: each gets as many rows as it had, in order.
///
/// # Errors
/// An output without as many rows as went in: `the output y has the shape [1, 3] for 5 rows`.
pub fn split(outputs: &Outputs, rows: &[usize]) -> Result<Vec<Outputs>, String> {
    let total = rows.iter().sum();
    for (name, value) in outputs {
        check_rows(name, value, total)?;
    }
    let mut from = 0;
    let part = |rows: &usize| {
        let range = from..from + rows;
        from = range.end;
        outputs.iter().map(|(name, value)| (name.clone(), part_of(value, range.clone()))).collect()
    };
    Ok(rows.iter().map(part).collect())
}

fn check_rows(name: &str, value: &Value, rows: usize) -> Result<(), String> {
    let wrong = |what: String| Err(format!("the output {name} {what} for {rows} rows"));
    match value {
        Value::Tensor(tensor) | Value::Map { values: tensor, .. }
            if tensor.shape().first() != Some(&rows) =>
        {
            wrong(format!("has the shape {:?}", tensor.shape()))
        }
        Value::Map { values, .. } if values.shape().len() != 2 => wrong("is one map".to_owned()),
        Value::Sequence(_) => wrong("is a sequence".to_owned()),
        _ => Ok(()),
    }
}

fn part_of(value: &Value, rows: Range<usize>) -> Value {
    match value {
        Value::Tensor(tensor) => Value::Tensor(slice(tensor, rows)),
        Value::Map { keys, values } => Value::Map { keys: keys.clone(), values: slice(values, rows) },
        Value::Sequence(_) | Value::Absent => Value::Absent,
    }
}

/// Some rows of a tensor: what its first axis counts.
///
/// # Panics
/// Like slices: when it has no such rows.
pub fn slice(tensor: &Tensor, rows: Range<usize>) -> Tensor {
    let size: usize = tensor.shape().iter().skip(1).product();
    let data: Data = tensor.data().slice(rows.start * size..rows.end * size);
    let mut shape = tensor.shape().to_vec();
    shape[0] = rows.len();
    Tensor::new(shape, data).expect("as many elements as the rows have, just counted")
}

#[cfg(test)]
mod tests;
