//! Operators of the domain `com.microsoft`, which ONNX Runtime has beside the standard.

use modelet_core::DType;

use super::number::{FLOATS, Float, for_float, numbers};
use super::operators::Entry;
use super::shape::{count, make, matrix};
use super::site::{Compiled, Site};

/// Name, first version whose meaning we compute, and how it is made ready.
pub(super) const OPERATORS: &[Entry] = &[("CDist", 1, distances)];

/// `CDist`: the Euclidean distance of each row of one matrix to each of another one, or its square, by their differences.
fn distances(site: &Site<'_>) -> Result<Compiled, String> {
    let is_squared = match site.text("metric")?.as_deref() {
        Some("euclidean") => false,
        None | Some("sqeuclidean") => true,
        Some(other) => return Err(format!("the metric {other}")),
    };
    let dtype = site.one_dtype(FLOATS)?;
    for_float!(dtype, typed(dtype, is_squared))
}

fn typed<T: Float>(dtype: DType, is_squared: bool) -> Result<Compiled, String> {
    Compiled::new(dtype, move |arguments| {
        let (a, b) = (arguments.get(0)?, arguments.get(1)?);
        let ((rows, width), (others, other_width)) = (matrix(a.shape())?, matrix(b.shape())?);
        if width != other_width || width == 0 {
            return Err(format!("rows of {width} and of {other_width} numbers have no distance"));
        }
        let shape = vec![rows, others];
        let mut data = Vec::with_capacity(count(&shape)?);
        let (from, to) = (numbers::<T>(a.data())?, numbers::<T>(b.data())?);
        for row in from.chunks_exact(width) {
            data.extend(to.chunks_exact(width).map(|other| {
                let apart = row.iter().zip(other).map(|(x, y)| x.minus(*y));
                let sum = apart.fold(T::ZERO, |sum, apart| sum.plus(apart.times(apart)));
                if is_squared { sum } else { sum.sqrt() }
            }));
        }
        make(shape, T::wrap(data))
    })
}
