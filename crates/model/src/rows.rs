//! Rows of several calls in one: whether a model has an axis that counts rows, how the inputs of calls are put together along
//! it, and how the answers are taken apart again.
//!
//! Whether the answers are the same is another question: rows of one call may share a scale, or be normalised by one another.
//! A deploy asks it with examples.

use std::ops::Range;

use modelet_core::{Data, Dim, OutputKind, Signature, Tensor, Value};

/// Inputs of one call, by name.
pub type Inputs = Vec<(String, Tensor)>;
/// Answers to one call, by name.
pub type Outputs = Vec<(String, Value)>;

/// Refuses a signature in which no axis counts rows: the first of every input that a call must have and of every output has
/// to be free, of one name where it has one, and that name must not stand at another place (a matrix of rows against rows).
/// An input of unknown rank does not count rows; an output of unknown rank may.
///
/// # Errors
/// What is in the way: `the input sr has the shape []`.
pub fn check_batch_axis(signature: &Signature) -> Result<(), String> {
    let mut axis = Axis::default();
    let required = || signature.inputs.iter().filter(|input| !input.optional);
    required().next().ok_or("no call has to have an input")?;
    for input in required() {
        let what = format!("the input {}", input.name);
        axis.check(&what, input.shape.as_deref().ok_or_else(|| format!("{what} may have any shape"))?)?;
    }
    for output in &signature.outputs {
        let what = format!("the output {}", output.name);
        match &output.kind {
            OutputKind::Tensor { shape: Some(shape), .. } => axis.check(&what, shape)?,
            OutputKind::Tensor { shape: None, .. } | OutputKind::Map { per_row: true, .. } => {}
            OutputKind::Map { per_row: false, .. } => return Err(format!("{what} is one map")),
            OutputKind::Sequence { .. } => return Err(format!("{what} is a sequence")),
        }
    }
    Ok(())
}

/// The axis of rows, as far as a signature has been read.
#[derive(Default)]
struct Axis<'a> {
    rows: Option<&'a str>,
    elsewhere: Vec<&'a str>,
}

impl<'a> Axis<'a> {
    fn check(&mut self, what: &str, shape: &'a [Dim]) -> Result<(), String> {
        let free = shape.split_first().filter(|(first, _)| first.fixed().is_none());
        let (first, others) = free
            .ok_or_else(|| format!("{what} has the shape {}", modelet_core::signature::shape_text(shape)))?;
        self.elsewhere.extend(others.iter().filter_map(name));
        if let (Some(name), Some(rows)) = (name(first), self.rows)
            && name != rows
        {
            return Err(format!("{what} counts {name}, others count {rows}"));
        }
        self.rows = self.rows.or(name(first));
        match self.rows.filter(|rows| self.elsewhere.contains(rows)) {
            Some(rows) => Err(format!("{rows} is not only the first size")),
            None => Ok(()),
        }
    }
}

fn name(dim: &Dim) -> Option<&str> {
    match dim {
        Dim::Named(name) => Some(name),
        _ => None,
    }
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
        Value::Tensor(tensor) => Value::Tensor(part_of_tensor(tensor, rows)),
        Value::Map { keys, values } => {
            Value::Map { keys: keys.clone(), values: part_of_tensor(values, rows) }
        }
        Value::Sequence(_) | Value::Absent => Value::Absent,
    }
}

fn part_of_tensor(tensor: &Tensor, rows: Range<usize>) -> Tensor {
    let size: usize = tensor.shape().iter().skip(1).product();
    let data: Data = tensor.data().slice(rows.start * size..rows.end * size);
    let mut shape = tensor.shape().to_vec();
    shape[0] = rows.len();
    Tensor::new(shape, data).expect("as many elements as the rows have, just counted")
}

#[cfg(test)]
mod tests;
