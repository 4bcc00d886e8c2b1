//! Operators that make one number of many along an axis.

use modelet_core::{DType, Data, Tensor};

use crate::tabular::number::{FLOATS, Float, NUMBERS, Number, for_float, for_number, numbers};
use crate::tabular::shape::{around, axis, integers, make, places, strides};
use crate::tabular::site::{Arguments, Compiled, Site};

macro_rules! reductions {
    ($($name:ident, $allowed:ident, $trait:ident, $dispatch:ident, $axes_as_input:expr => $reduce:expr;)*) => {
        $(pub(in crate::tabular) fn $name(site: &Site<'_>) -> Result<Compiled, String> {
            fn typed<T: $trait>(dtype: DType, how: How) -> Result<Compiled, String> {
                let reduce: fn(&mut dyn Iterator<Item = T>) -> Option<T> = $reduce;
                Compiled::new(dtype, move |arguments| how.reduce(arguments, reduce))
            }
            let dtype = site.dtype_of(0, $allowed)?;
            let how = How::new(site, $axes_as_input);
            $dispatch!(dtype, typed(dtype, how))
        })*
    };
}

reductions! {
    sum, NUMBERS, Number, for_number, 13 => |all| Some(all.fold(T::ZERO, T::plus));
    sum_square, NUMBERS, Number, for_number, 18 => |all| Some(all.fold(T::ZERO, |sum, x| sum.plus(x.times(x))));
    l1, NUMBERS, Number, for_number, 18 => |all| Some(all.fold(T::ZERO, |sum, x| sum.plus(x.magnitude())));
    l2, FLOATS, Float, for_float, 18 => |all| Some(all.fold(T::ZERO, |sum, x| sum.plus(x.times(x))).sqrt());
    max, NUMBERS, Number, for_number, 18 => |all| Some(all.fold(T::LEAST, T::larger));
    min, NUMBERS, Number, for_number, 18 => |all| Some(all.fold(T::MOST, T::smaller));
    mean, FLOATS, Float, for_float, 18 => |all| {
        let (sum, count) = all.fold((T::ZERO, 0), |(sum, count), x| (sum.plus(x), count + 1));
        sum.over(T::of_count(count))
    };
}

/// Which axes go, and what is left of them.
struct How {
    axes: Option<Vec<i64>>,
    keep: bool,
    /// Without axes nothing is reduced, where all would be.
    idle: bool,
}

impl How {
    fn new(site: &Site<'_>, axes_as_input: i64) -> Self {
        let as_setting = site.opset < axes_as_input && site.has("axes");
        Self {
            axes: as_setting.then(|| site.ints("axes").to_vec()),
            keep: site.int("keepdims").unwrap_or(1) != 0,
            idle: site.int("noop_with_empty_axes").unwrap_or(0) != 0,
        }
    }

    fn reduce<T: Number>(
        &self,
        arguments: &Arguments<'_>,
        reduce: fn(&mut dyn Iterator<Item = T>) -> Option<T>,
    ) -> Result<Tensor, String> {
        let tensor = arguments.get(0)?;
        let rank = tensor.shape().len();
        let axes = match arguments.optional(1) {
            Some(input) => integers(input)?,
            None => self.axes.clone().unwrap_or_default(),
        };
        let gone = match axes.is_empty() {
            true if self.idle => vec![],
            true => (0..rank).collect(),
            false => axes.iter().map(|at| axis(*at, rank)).collect::<Result<Vec<_>, _>>()?,
        };
        let (gone, kept): (Vec<_>, Vec<_>) = (0..rank).partition(|at| gone.contains(at));
        let strides = strides(tensor.shape());
        let view = |axes: &[usize]| {
            let shape: Vec<_> = axes.iter().map(|at| tensor.shape()[*at]).collect();
            places(&shape, &axes.iter().map(|at| strides[*at]).collect::<Vec<_>>(), 0)
        };
        let (starts, steps) = (view(&kept)?, view(&gone)?);
        let elements = numbers::<T>(tensor.data())?;
        let one = |start: &usize| {
            reduce(&mut steps.iter().map(|step| elements[start + step])).ok_or("there is nothing to reduce")
        };
        let data = starts.iter().map(one).collect::<Result<Vec<_>, _>>()?;
        let size = |at| if gone.contains(&at) { self.keep.then_some(1) } else { Some(tensor.shape()[at]) };
        make((0..rank).filter_map(size).collect(), T::wrap(data))
    }
}

pub(in crate::tabular) fn arg_max(site: &Site<'_>) -> Result<Compiled, String> {
    best(site, false)
}

pub(in crate::tabular) fn arg_min(site: &Site<'_>) -> Result<Compiled, String> {
    best(site, true)
}

/// The index of the largest (the smallest) along an axis; of equals the first, or the last where the node says so.
fn best(site: &Site<'_>, smallest: bool) -> Result<Compiled, String> {
    fn typed<T: Number>(at: i64, keep: bool, last: bool, smallest: bool) -> Result<Compiled, String> {
        Compiled::new(DType::I64, move |arguments| {
            let tensor = arguments.get(0)?;
            let at = axis(at, tensor.shape().len())?;
            let elements = numbers::<T>(tensor.data())?;
            let (outer, size, inner) = around(tensor.shape(), at);
            if size == 0 {
                return Err("there is nothing to choose from".into());
            }
            let mut indices = Vec::with_capacity(outer * inner);
            for start in (0..outer).flat_map(|row| (0..inner).map(move |column| row * size * inner + column))
            {
                let better = |a: T, b: T| if smallest { a < b } else { a > b };
                let mut chosen = 0;
                for index in 1..size {
                    let (new, old) = (elements[start + index * inner], elements[start + chosen * inner]);
                    if better(new, old) || last && new == old {
                        chosen = index;
                    }
                }
                indices.push(chosen as i64);
            }
            let mut shape = tensor.shape().to_vec();
            if keep {
                shape[at] = 1;
            } else {
                shape.remove(at);
            }
            make(shape, Data::I64(indices))
        })
    }
    let (at, keep) = (site.int("axis").unwrap_or(0), site.int("keepdims").unwrap_or(1) != 0);
    let last = site.int("select_last_index").unwrap_or(0) != 0;
    let dtype = site.dtype_of(0, NUMBERS)?;
    for_number!(dtype, typed(at, keep, last, smallest))
}

/// `TopK`: the largest (the smallest), sorted; of equals the one with the smaller index comes first.
pub(in crate::tabular) fn top_k(site: &Site<'_>) -> Result<Compiled, String> {
    let at = site.int("axis").unwrap_or(-1);
    let largest = site.int("largest").unwrap_or(1) != 0;
    site.ignore(&["sorted"]);
    let dtype = site.dtype_of(0, NUMBERS)?;
    for_number!(dtype, top_of(dtype, at, largest))
}

fn top_of<T: Number>(dtype: DType, at: i64, largest: bool) -> Result<Compiled, String> {
    Compiled::many(vec![dtype, DType::I64], move |arguments| {
        let tensor = arguments.get(0)?;
        let at = axis(at, tensor.shape().len())?;
        let (outer, size, inner) = around(tensor.shape(), at);
        let elements = numbers::<T>(tensor.data())?;
        let &[wanted] = &integers(arguments.get(1)?)?[..] else { return Err("k is not one number".into()) };
        let wanted = usize::try_from(wanted).ok().filter(|wanted| *wanted <= size);
        let wanted = wanted.ok_or_else(|| format!("k is not between 0 and {size}"))?;
        let (mut values, mut indices) =
            (vec![T::ZERO; outer * wanted * inner], vec![0_i64; outer * wanted * inner]);
        for (row, column) in (0..outer).flat_map(|row| (0..inner).map(move |column| (row, column))) {
            let element = |index: usize| elements[(row * size + index) * inner + column];
            let mut order: Vec<usize> = (0..size).collect();
            order.sort_by(|a, b| {
                let (a, b) = (element(*a), element(*b));
                let order = a.partial_cmp(&b).unwrap_or_else(|| a.is_missing().cmp(&b.is_missing()));
                if largest { order.reverse() } else { order }
            });
            for (rank, index) in order.into_iter().take(wanted).enumerate() {
                let place = (row * wanted + rank) * inner + column;
                (values[place], indices[place]) = (element(index), index as i64);
            }
        }
        let mut shape = tensor.shape().to_vec();
        shape[at] = wanted;
        Ok(vec![make(shape.clone(), T::wrap(values))?, make(shape, Data::I64(indices))?])
    })
}
