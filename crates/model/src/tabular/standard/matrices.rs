//! Products of matrices.

use modelet_core::{DType, Tensor};

use crate::tabular::number::{FLOATS, Float, NUMBERS, Number, for_float, for_number, numbers};
use crate::tabular::shape::{broadcast, count, make, spread};
use crate::tabular::site::{Compiled, Site};

pub(in crate::tabular) fn matmul(site: &Site<'_>) -> Result<Compiled, String> {
    fn typed<T: Number>(dtype: DType) -> Result<Compiled, String> {
        Compiled::new(dtype, |arguments| multiply::<T>(arguments.get(0)?, arguments.get(1)?))
    }
    let dtype = site.one_dtype(NUMBERS)?;
    for_number!(dtype, typed(dtype))
}

/// As numpy multiplies: vectors become matrices and go again, leading axes broadcast.
fn multiply<T: Number>(a: &Tensor, b: &Tensor) -> Result<Tensor, String> {
    let unfit = || format!("shapes {:?} and {:?} cannot be multiplied", a.shape(), b.shape());
    let as_matrix = |shape: &[usize], row: bool| match *shape {
        [] => None,
        [size] => Some(if row { vec![1, size] } else { vec![size, 1] }),
        _ => Some(shape.to_vec()),
    };
    let left = as_matrix(a.shape(), true).ok_or_else(unfit)?;
    let right = as_matrix(b.shape(), false).ok_or_else(unfit)?;
    let (outer_a, [rows, inner]) = left.split_last_chunk::<2>().ok_or_else(unfit)?;
    let (outer_b, [inner_b, columns]) = right.split_last_chunk::<2>().ok_or_else(unfit)?;
    if inner != inner_b {
        return Err(unfit());
    }
    let outer = broadcast(outer_a, outer_b)?;
    let (x, y) = (numbers::<T>(a.data())?, numbers::<T>(b.data())?);
    let mut shape = [&outer[..], &[*rows, *columns]].concat();
    let mut data = Vec::with_capacity(count(&shape)?);
    for (i, j) in spread(outer_a, &outer)?.into_iter().zip(spread(outer_b, &outer)?) {
        let left = &x[i * rows * inner..(i + 1) * rows * inner];
        let right = &y[j * inner * columns..(j + 1) * inner * columns];
        data.extend(product(left, right, *rows, *inner, *columns));
    }
    if b.shape().len() == 1 {
        shape.pop();
    }
    if a.shape().len() == 1 {
        let row = outer.len();
        shape.remove(row);
    }
    make(shape, T::wrap(data))
}

/// Row-major `left` (rows × inner) times row-major `right` (inner × columns), summed in the order of the inner axis.
pub(in crate::tabular) fn product<T: Number>(
    left: &[T],
    right: &[T],
    rows: usize,
    inner: usize,
    columns: usize,
) -> Vec<T> {
    let mut result = vec![T::ZERO; rows * columns];
    if columns == 0 {
        return result;
    }
    for (row, sums) in result.chunks_exact_mut(columns).enumerate() {
        for step in 0..inner {
            let factor = left[row * inner + step];
            for (sum, number) in sums.iter_mut().zip(&right[step * columns..(step + 1) * columns]) {
                *sum = sum.plus(factor.times(*number));
            }
        }
    }
    result
}

pub(in crate::tabular) fn gemm(site: &Site<'_>) -> Result<Compiled, String> {
    let flag = |name| site.int(name).unwrap_or(0) != 0;
    let (turn_a, turn_b) = (flag("transA"), flag("transB"));
    let (alpha, beta) = (site.float("alpha").unwrap_or(1.0), site.float("beta").unwrap_or(1.0));
    let dtype = site.one_dtype(FLOATS)?;
    for_float!(dtype, general(dtype, (turn_a, turn_b), (alpha, beta)))
}

fn general<T: Float>(dtype: DType, turn: (bool, bool), factors: (f32, f32)) -> Result<Compiled, String> {
    let (alpha, beta) = (T::of_f32(factors.0), T::of_f32(factors.1));
    Compiled::new(dtype, move |arguments| {
        let (a, b) = (arguments.get(0)?, arguments.get(1)?);
        let (left, rows, inner) = turned::<T>(a, turn.0)?;
        let (right, inner_b, columns) = turned::<T>(b, turn.1)?;
        if inner != inner_b {
            return Err(format!("shapes {:?} and {:?} cannot be multiplied", a.shape(), b.shape()));
        }
        let shape = vec![rows, columns];
        count(&shape)?;
        let mut data = product(&left, &right, rows, inner, columns);
        data.iter_mut().for_each(|number| *number = alpha.times(*number));
        if let Some(c) = arguments.optional(2) {
            if broadcast(c.shape(), &shape)? != shape {
                return Err(format!("the shape {:?} is not one to add to {shape:?}", c.shape()));
            }
            let added = numbers::<T>(c.data())?;
            for (number, place) in data.iter_mut().zip(spread(c.shape(), &shape)?) {
                *number = number.plus(beta.times(added[place]));
            }
        }
        make(shape, T::wrap(data))
    })
}

fn turned<T: Number>(tensor: &Tensor, turn: bool) -> Result<(Vec<T>, usize, usize), String> {
    let data = numbers::<T>(tensor.data())?;
    match *tensor.shape() {
        [rows, columns] if turn => {
            let places = (0..columns).flat_map(|column| (0..rows).map(move |row| row * columns + column));
            Ok((places.map(|place| data[place]).collect(), columns, rows))
        }
        [rows, columns] => Ok((data.to_vec(), rows, columns)),
        _ => Err(format!("a matrix is needed, found the shape {:?}", tensor.shape())),
    }
}
