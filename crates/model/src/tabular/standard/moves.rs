//! Operators that move elements and do not compute.

use modelet_core::{Data, Tensor};

use crate::tabular::constant::TYPES;
use crate::tabular::shape::{around, axis, broadcast, integers, make, pick, places, spread, strides};
use crate::tabular::site::{Arguments, Compiled, Site};

pub(in crate::tabular) fn identity(site: &Site<'_>) -> Result<Compiled, String> {
    Compiled::new(site.dtype_of(0, TYPES)?, |arguments| Ok(arguments.get(0)?.clone()))
}

/// The same elements under the shape that `shape` works out.
fn under(
    site: &Site<'_>,
    shape: impl Fn(&[usize], &Arguments<'_>) -> Result<Vec<usize>, String> + Send + 'static,
) -> Result<Compiled, String> {
    Compiled::new(site.dtype_of(0, TYPES)?, move |arguments| {
        let tensor = arguments.get(0)?;
        make(shape(tensor.shape(), arguments)?, tensor.data().clone())
    })
}

pub(in crate::tabular) fn reshape(site: &Site<'_>) -> Result<Compiled, String> {
    let zero_is_zero = site.int("allowzero").unwrap_or(0) != 0;
    site.dtype(1)?;
    under(site, move |from, arguments| reshaped(from, &integers(arguments.get(1)?)?, zero_is_zero))
}

fn reshaped(from: &[usize], wanted: &[i64], zero_is_zero: bool) -> Result<Vec<usize>, String> {
    let unfit = || format!("the shape {from:?} does not become {wanted:?}");
    let mut open = None;
    let mut shape = Vec::with_capacity(wanted.len());
    for (at, size) in wanted.iter().enumerate() {
        shape.push(match size {
            -1 if open.is_none() => {
                open = Some(at);
                1
            }
            0 if !zero_is_zero => *from.get(at).ok_or_else(unfit)?,
            size => usize::try_from(*size).map_err(|_| unfit())?,
        });
    }
    if let Some(at) = open {
        let known = shape.iter().try_fold(1_usize, |all, size| all.checked_mul(*size)).ok_or_else(unfit)?;
        let all: usize = from.iter().product();
        shape[at] = all.checked_div(known).ok_or_else(unfit)?;
    }
    Ok(shape)
}

pub(in crate::tabular) fn flatten(site: &Site<'_>) -> Result<Compiled, String> {
    let at = site.int("axis").unwrap_or(1);
    under(site, move |from, _| {
        // One past the last axis is allowed here.
        let at = if at == from.len() as i64 { from.len() } else { axis(at, from.len())? };
        Ok(vec![from[..at].iter().product(), from[at..].iter().product()])
    })
}

/// The axes of `Squeeze` and its like: a setting before version 13, an input since.
fn axes_of(site: &Site<'_>) -> Axes {
    Axes((site.opset < 13 && site.has("axes")).then(|| site.ints("axes").to_vec()))
}

/// The axes of a setting, if they are one.
struct Axes(Option<Vec<i64>>);

impl Axes {
    fn get(&self, arguments: &Arguments<'_>) -> Result<Option<Vec<i64>>, String> {
        match (&self.0, arguments.optional(1)) {
            (Some(axes), _) => Ok(Some(axes.clone())),
            (None, Some(input)) => integers(input).map(Some),
            (None, None) => Ok(None),
        }
    }
}

pub(in crate::tabular) fn squeeze(site: &Site<'_>) -> Result<Compiled, String> {
    let axes = axes_of(site);
    under(site, move |from, arguments| {
        let dropped = match axes.get(arguments)? {
            Some(axes) => axes.iter().map(|at| axis(*at, from.len())).collect::<Result<Vec<_>, _>>()?,
            None => (0..from.len()).filter(|at| from[*at] == 1).collect(),
        };
        if let Some(at) = dropped.iter().find(|at| from[**at] != 1) {
            return Err(format!("axis {at} of {from:?} is not of size 1"));
        }
        Ok((0..from.len()).filter(|at| !dropped.contains(at)).map(|at| from[at]).collect())
    })
}

pub(in crate::tabular) fn unsqueeze(site: &Site<'_>) -> Result<Compiled, String> {
    let axes = axes_of(site);
    under(site, move |from, arguments| {
        let axes = axes.get(arguments)?.ok_or("no axes are given")?;
        let rank = from.len() + axes.len();
        let added = axes.iter().map(|at| axis(*at, rank)).collect::<Result<Vec<_>, _>>()?;
        let mut rest = from.iter();
        let size = |at| if added.contains(&at) { Some(1) } else { rest.next().copied() };
        let shape: Option<Vec<_>> = (0..rank).map(size).collect();
        shape.ok_or_else(|| "an axis is given twice".to_owned())
    })
}

pub(in crate::tabular) fn transpose(site: &Site<'_>) -> Result<Compiled, String> {
    let order = site.has("perm").then(|| site.ints("perm").to_vec());
    Compiled::new(site.dtype_of(0, TYPES)?, move |arguments| {
        let tensor = arguments.get(0)?;
        let rank = tensor.shape().len();
        let order: Vec<usize> = match &order {
            Some(order) => order.iter().map(|at| axis(*at, rank)).collect::<Result<_, _>>()?,
            None => (0..rank).rev().collect(),
        };
        if !(0..rank).all(|at| order.contains(&at)) || order.len() != rank {
            return Err(format!("{order:?} is no order of {rank} axes"));
        }
        let strides = strides(tensor.shape());
        let shape: Vec<_> = order.iter().map(|at| tensor.shape()[*at]).collect();
        let places = places(&shape, &order.iter().map(|at| strides[*at]).collect::<Vec<_>>(), 0)?;
        make(shape, pick(tensor.data(), &places)?)
    })
}

pub(in crate::tabular) fn concat(site: &Site<'_>) -> Result<Compiled, String> {
    let at = site.int("axis").ok_or("no axis")?;
    Compiled::new(site.one_dtype(TYPES)?, move |arguments| {
        let parts =
            (0..arguments.0.len()).map(|index| arguments.get(index)).collect::<Result<Vec<_>, _>>()?;
        concatenated(&parts, at)
    })
}

fn concatenated(parts: &[&Tensor], at: i64) -> Result<Tensor, String> {
    let first = parts.first().ok_or("nothing to put together")?;
    let at = axis(at, first.shape().len())?;
    let mut shape = first.shape().to_vec();
    for part in &parts[1..] {
        let other = part.shape();
        let same = other.len() == shape.len()
            && (0..shape.len()).all(|axis| axis == at || other[axis] == shape[axis]);
        if !same {
            return Err(format!(
                "shapes {:?} and {other:?} do not go together along axis {at}",
                first.shape()
            ));
        }
        shape[at] += other[at];
    }
    let (outer, ..) = around(&shape, at);
    let mut data = Data::empty(first.dtype());
    for row in 0..outer {
        for part in parts {
            let width = part.len() / outer.max(1);
            data.append(&part.data().slice(row * width..(row + 1) * width));
        }
    }
    make(shape, data)
}

pub(in crate::tabular) fn expand(site: &Site<'_>) -> Result<Compiled, String> {
    Compiled::new(site.dtype_of(0, TYPES)?, |arguments| {
        let tensor = arguments.get(0)?;
        let wanted = integers(arguments.get(1)?)?;
        let size = |size: &i64| usize::try_from(*size).map_err(|_| format!("the shape {wanted:?}"));
        let wanted = wanted.iter().map(size).collect::<Result<Vec<_>, _>>()?;
        let shape = broadcast(tensor.shape(), &wanted)?;
        let places = spread(tensor.shape(), &shape)?;
        make(shape, pick(tensor.data(), &places)?)
    })
}
