//! Shapes, axes, and elements picked out by their places.

use modelet_core::{Data, Tensor};

/// Most elements that one operator may make: a call or a model cannot ask for more memory than this many numbers.
pub const MAX_ELEMENTS: usize = 1 << 28;

/// The same expression over whichever of our element types a buffer has.
macro_rules! each_type {
    ($data:expr, $v:ident => $e:expr) => {{
        use modelet_core::Data;
        match $data {
            Data::F32($v) => Ok::<Data, String>(Data::F32($e)),
            Data::F64($v) => Ok(Data::F64($e)),
            Data::I64($v) => Ok(Data::I64($e)),
            Data::I32($v) => Ok(Data::I32($e)),
            Data::Bool($v) => Ok(Data::Bool($e)),
            Data::Str($v) => Ok(Data::Str($e)),
            other => Err(format!("elements of type {}", other.dtype())),
        }
    }};
}

/// A tensor, or why its shape and elements do not fit.
pub(super) fn make(shape: Vec<usize>, data: impl Into<Data>) -> Result<Tensor, String> {
    Tensor::new(shape, data).map_err(|error| error.to_string())
}

/// The number of elements of a shape, within the limit.
pub(super) fn count(shape: &[usize]) -> Result<usize, String> {
    let count = shape.iter().try_fold(1_usize, |count, dim| count.checked_mul(*dim));
    count
        .filter(|count| *count <= MAX_ELEMENTS)
        .ok_or_else(|| format!("a result of shape {shape:?} is beyond {MAX_ELEMENTS} elements"))
}

/// An axis counted from the front.
pub(super) fn axis(axis: i64, rank: usize) -> Result<usize, String> {
    let from_front = if axis < 0 { axis.saturating_add(rank as i64) } else { axis };
    let found = usize::try_from(from_front).ok().filter(|axis| *axis < rank);
    found.ok_or_else(|| format!("there is no axis {axis} in {rank} dimensions"))
}

/// The elements before an axis, along it, and after it.
pub(super) fn around(shape: &[usize], axis: usize) -> (usize, usize, usize) {
    (shape[..axis].iter().product(), shape[axis], shape[axis + 1..].iter().product())
}

/// A matrix: rows and columns; a vector is one row.
pub(super) fn matrix(shape: &[usize]) -> Result<(usize, usize), String> {
    match *shape {
        [columns] => Ok((1, columns)),
        [rows, columns] => Ok((rows, columns)),
        _ => Err(format!("a matrix is needed, found the shape {shape:?}")),
    }
}

/// The distance in elements between neighbours along each axis.
pub(super) fn strides(shape: &[usize]) -> Vec<isize> {
    let mut strides = vec![1; shape.len()];
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] = strides[axis] * shape[axis].max(1) as isize;
    }
    strides
}

/// The places, in a buffer, of a view of it: row-major over `shape`, `strides` apart, from `start`.
pub(super) fn places(shape: &[usize], strides: &[isize], start: usize) -> Result<Vec<usize>, String> {
    let mut places = Vec::with_capacity(count(shape)?);
    if shape.contains(&0) {
        return Ok(places);
    }
    places.push(start);
    for (size, stride) in shape.iter().zip(strides).rev() {
        // Each axis repeats what the axes after it made, one stride further.
        let inner = places.len();
        for step in 1..*size {
            for place in 0..inner {
                places.push(places[place].wrapping_add_signed(stride * step as isize));
            }
        }
    }
    Ok(places)
}

/// The elements at these places.
pub(super) fn pick(data: &Data, places: &[usize]) -> Result<Data, String> {
    fn picked<T: Clone>(elements: &[T], places: &[usize]) -> Result<Vec<T>, String> {
        let element = |place: &usize| {
            elements.get(*place).cloned().ok_or_else(|| format!("there is no element {place}"))
        };
        places.iter().map(element).collect()
    }
    each_type!(data, v => picked(v, places)?)
}

/// The shape that two shapes broadcast to.
pub(super) fn broadcast(a: &[usize], b: &[usize]) -> Result<Vec<usize>, String> {
    let rank = a.len().max(b.len());
    let dim = |shape: &[usize], axis: usize| (axis + shape.len()).checked_sub(rank).map_or(1, |at| shape[at]);
    let joined = (0..rank).map(|axis| match (dim(a, axis), dim(b, axis)) {
        (x, y) if x == y => Ok(x),
        (1, y) => Ok(y),
        (x, 1) => Ok(x),
        _ => Err(format!("shapes {a:?} and {b:?} do not fit together")),
    });
    let shape = joined.collect::<Result<Vec<_>, _>>()?;
    count(&shape).map(|_| shape)
}

/// The places of a tensor's elements when it is broadcast to a shape.
pub(super) fn spread(from: &[usize], to: &[usize]) -> Result<Vec<usize>, String> {
    let missing = to.len() - from.len();
    let own = strides(from);
    let stride = |axis: usize| match axis.checked_sub(missing) {
        Some(at) if from[at] != 1 => own[at],
        _ => 0,
    };
    places(to, &(0..to.len()).map(stride).collect::<Vec<_>>(), 0)
}

/// Integers of an input or a constant.
pub(super) fn integers(tensor: &Tensor) -> Result<Vec<i64>, String> {
    match tensor.data() {
        Data::I64(numbers) => Ok(numbers.clone()),
        Data::I32(numbers) => Ok(numbers.iter().map(|number| i64::from(*number)).collect()),
        other => Err(format!("integers are needed, found {}", other.dtype())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn views_are_row_major_over_their_own_axes() {
        assert_eq!(places(&[3, 2], &[1, 3], 0).unwrap(), [0, 3, 1, 4, 2, 5], "a transposed matrix");
        assert_eq!(places(&[2], &[-2], 3).unwrap(), [3, 1], "backwards");
        assert_eq!(places(&[2, 0], &[1, 1], 0).unwrap(), [0; 0]);
        assert_eq!(spread(&[2, 1], &[2, 3]).unwrap(), [0, 0, 0, 1, 1, 1]);
        assert_eq!(spread(&[], &[2]).unwrap(), [0, 0]);
    }

    #[test]
    fn shapes_broadcast_or_say_why_not() {
        assert_eq!(broadcast(&[2, 1], &[3]).unwrap(), [2, 3]);
        assert_eq!(broadcast(&[0, 1], &[1]).unwrap(), [0, 1]);
        assert_eq!(broadcast(&[2], &[3]).unwrap_err(), "shapes [2] and [3] do not fit together");
        assert!(broadcast(&[1 << 20, 1], &[1 << 20]).unwrap_err().contains("beyond"));
        assert_eq!((axis(-1, 2), axis(2, 2).is_err()), (Ok(1), true));
    }
}
