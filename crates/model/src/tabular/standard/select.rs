//! Elements picked out by indices.

use modelet_core::{DType, Tensor};

use crate::tabular::constant::TYPES;
use crate::tabular::number::{NUMBERS, numbers};
use crate::tabular::shape::{around, axis, count, integers, make, pick, places, strides};
use crate::tabular::site::{Arguments, Compiled, Site};

const INDICES: &[DType] = &[DType::I64, DType::I32];

/// An index, counted from the end when it is negative.
fn index(number: i64, size: usize) -> Result<usize, String> {
    axis(number, size).map_err(|_| format!("there is no index {number} in {size} elements"))
}

pub(in crate::tabular) fn gather(site: &Site<'_>) -> Result<Compiled, String> {
    let at = site.int("axis").unwrap_or(0);
    site.dtype_of(1, INDICES)?;
    Compiled::new(site.dtype_of(0, TYPES)?, move |arguments| {
        let (tensor, indices) = (arguments.get(0)?, arguments.get(1)?);
        let at = axis(at, tensor.shape().len())?;
        let (outer, size, inner) = around(tensor.shape(), at);
        let picked = integers(indices)?
            .into_iter()
            .map(|number| index(number, size))
            .collect::<Result<Vec<_>, _>>()?;
        let shape = [&tensor.shape()[..at], indices.shape(), &tensor.shape()[at + 1..]].concat();
        let mut places = Vec::with_capacity(count(&shape)?);
        for row in 0..outer {
            for number in &picked {
                let start = (row * size + number) * inner;
                places.extend(start..start + inner);
            }
        }
        make(shape, pick(tensor.data(), &places)?)
    })
}

pub(in crate::tabular) fn gather_elements(site: &Site<'_>) -> Result<Compiled, String> {
    let at = site.int("axis").unwrap_or(0);
    site.dtype_of(1, INDICES)?;
    Compiled::new(site.dtype_of(0, TYPES)?, move |arguments| {
        let (tensor, indices) = (arguments.get(0)?, arguments.get(1)?);
        let (from, to) = (tensor.shape(), indices.shape());
        let at = axis(at, from.len())?;
        if from.len() != to.len() || (0..from.len()).any(|axis| axis != at && to[axis] > from[axis]) {
            return Err(format!("indices of shape {to:?} do not fit {from:?}"));
        }
        let strides = strides(from);
        let mut others = strides.clone();
        others[at] = 0;
        let starts = places(to, &others, 0)?;
        let numbers = integers(indices)?;
        let place =
            |(start, number): (&usize, &i64)| Ok(start + index(*number, from[at])? * strides[at] as usize);
        let places = starts.iter().zip(&numbers).map(place).collect::<Result<Vec<_>, String>>()?;
        make(to.to_vec(), pick(tensor.data(), &places)?)
    })
}

/// `Slice`, whose bounds were settings before version 10 and are inputs since.
pub(in crate::tabular) fn slice(site: &Site<'_>) -> Result<Compiled, String> {
    let settings = (site.opset < 10).then(|| {
        let axes = site.has("axes").then(|| site.ints("axes").to_vec());
        (site.ints("starts").to_vec(), site.ints("ends").to_vec(), axes, None)
    });
    Compiled::new(site.dtype_of(0, TYPES)?, move |arguments| {
        let bounds = settings.clone().map_or_else(|| bounds_of_inputs(arguments), Ok)?;
        sliced(arguments.get(0)?, bounds)
    })
}

/// Starts, ends, axes, steps.
type Bounds = (Vec<i64>, Vec<i64>, Option<Vec<i64>>, Option<Vec<i64>>);

fn bounds_of_inputs(arguments: &Arguments<'_>) -> Result<Bounds, String> {
    let optional = |index| arguments.optional(index).map(integers).transpose();
    Ok((integers(arguments.get(1)?)?, integers(arguments.get(2)?)?, optional(3)?, optional(4)?))
}

fn sliced(tensor: &Tensor, (starts, ends, axes, steps): Bounds) -> Result<Tensor, String> {
    let mut shape = tensor.shape().to_vec();
    let mut strides = strides(&shape);
    let mut origin = 0;
    let axes = axes.unwrap_or_else(|| (0..starts.len() as i64).collect());
    let steps = steps.unwrap_or_else(|| vec![1; starts.len()]);
    if [ends.len(), axes.len(), steps.len()] != [starts.len(); 3] {
        return Err("bounds for different numbers of axes".into());
    }
    let mut seen = Vec::new();
    for (((start, end), at), step) in starts.iter().zip(&ends).zip(&axes).zip(&steps) {
        let at = axis(*at, shape.len())?;
        if *step == 0 || seen.contains(&at) {
            return Err(format!("axis {at} is cut twice, or by steps of zero"));
        }
        seen.push(at);
        let (first, length) = span(*start, *end, *step, shape[at] as i64);
        origin += first * strides[at] as usize;
        shape[at] = length;
        // A step beyond the axis is never taken.
        let widest = tensor.shape()[at] as i64;
        strides[at] *= (*step).clamp(-widest.max(1), widest.max(1)) as isize;
    }
    let places = places(&shape, &strides, origin)?;
    make(shape, pick(tensor.data(), &places)?)
}

/// The first index of a cut, and how many there are.
fn span(start: i64, end: i64, step: i64, size: i64) -> (usize, usize) {
    let from_end = |at: i64| if at < 0 { at.saturating_add(size) } else { at };
    let (start, end) = match step > 0 {
        true => (from_end(start).clamp(0, size), from_end(end).clamp(0, size)),
        false => (from_end(start).clamp(-1, size - 1), from_end(end).clamp(-1, size - 1)),
    };
    let distance = if step > 0 { end - start } else { start - end };
    let length = if distance <= 0 { 0 } else { (distance as u64).div_ceil(step.unsigned_abs()) };
    (if length == 0 { 0 } else { start as usize }, length as usize)
}

/// `OneHot`.
pub(in crate::tabular) fn one_hot(site: &Site<'_>) -> Result<Compiled, String> {
    let at = site.int("axis").unwrap_or(-1);
    site.dtype_of(0, NUMBERS)?;
    site.dtype_of(1, NUMBERS)?;
    Compiled::new(site.dtype_of(2, TYPES)?, move |arguments| {
        let (indices, values) = (arguments.get(0)?, arguments.get(2)?);
        let &[depth] = &whole(arguments.get(1)?)?[..] else {
            return Err("a depth of several numbers".into());
        };
        let depth = usize::try_from(depth).map_err(|_| format!("a depth of {depth}"))?;
        let at = axis(at, indices.shape().len() + 1)?;
        let mut shape = indices.shape().to_vec();
        shape.insert(at, depth);
        let mut places = vec![0_usize; count(&shape)?];
        let (_, _, inner) = around(&shape, at);
        for (place, number) in whole(indices)?.into_iter().enumerate() {
            // What lies outside is in no column.
            let Ok(number) = index(number, depth) else { continue };
            places[(place / inner.max(1) * depth + number) * inner + place % inner.max(1)] = 1;
        }
        if values.len() != 2 {
            return Err(format!("{} values, not two", values.len()));
        }
        make(shape, pick(values.data(), &places)?)
    })
}

/// Numbers as integers: `OneHot` takes floats too, cut towards zero.
fn whole(tensor: &Tensor) -> Result<Vec<i64>, String> {
    match tensor.dtype() {
        DType::F32 => Ok(numbers::<f32>(tensor.data())?.iter().map(|number| *number as i64).collect()),
        DType::F64 => Ok(numbers::<f64>(tensor.data())?.iter().map(|number| *number as i64).collect()),
        _ => integers(tensor),
    }
}
