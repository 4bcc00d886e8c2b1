//! Arithmetic of two or more tensors, element by element.

use modelet_core::{DType, Tensor};

use crate::tabular::number::{FLOATS, Float, NUMBERS, Number, for_float, for_number, numbers};
use crate::tabular::shape::{broadcast, make, spread};
use crate::tabular::site::{Compiled, Site};

type Combine<T> = fn(T, T) -> Option<T>;

macro_rules! operators {
    ($($name:ident => $combine:expr;)*) => {
        $(pub(in crate::tabular) fn $name(site: &Site<'_>) -> Result<Compiled, String> {
            fn typed<T: Number>(dtype: DType) -> Result<Compiled, String> {
                fold::<T>(dtype, $combine)
            }
            let dtype = site.one_dtype(NUMBERS)?;
            for_number!(dtype, typed(dtype))
        })*
    };
}

operators! {
    add => |a, b| Some(a.plus(b));
    sub => |a, b| Some(a.minus(b));
    mul => |a, b| Some(a.times(b));
    div => Number::over;
    max => |a, b| Some(a.larger(b));
    min => |a, b| Some(a.smaller(b));
    sum => |a, b| Some(a.plus(b));
}

/// `Pow` of floating-point numbers, both of one type.
pub(in crate::tabular) fn pow(site: &Site<'_>) -> Result<Compiled, String> {
    fn typed<T: Float>(dtype: DType) -> Result<Compiled, String> {
        fold::<T>(dtype, |a, b| Some(a.pow(b)))
    }
    let dtype = site.one_dtype(FLOATS)?;
    for_float!(dtype, typed(dtype))
}

fn fold<T: Number>(dtype: DType, combine: Combine<T>) -> Result<Compiled, String> {
    Compiled::new(dtype, move |arguments| {
        let mut result = arguments.get(0)?.clone();
        for index in 1..arguments.0.len() {
            result = pair(&result, arguments.get(index)?, |a, b| {
                combine(a, b).ok_or_else(|| "an integer was divided by zero".to_owned())
            })
            .and_then(|(shape, data)| make(shape, T::wrap(data)))?;
        }
        Ok(result)
    })
}

/// Combines two tensors, element by element.
pub(super) fn pair<T: Number, R>(
    a: &Tensor,
    b: &Tensor,
    combine: impl Fn(T, T) -> Result<R, String>,
) -> Result<(Vec<usize>, Vec<R>), String> {
    let shape = broadcast(a.shape(), b.shape())?;
    let (x, y) = (numbers::<T>(a.data())?, numbers::<T>(b.data())?);
    let data = if a.shape() == b.shape() {
        x.iter().zip(y).map(|(x, y)| combine(*x, *y)).collect::<Result<_, _>>()?
    } else {
        let places = spread(a.shape(), &shape)?.into_iter().zip(spread(b.shape(), &shape)?);
        places.map(|(i, j)| combine(x[i], y[j])).collect::<Result<_, _>>()?
    };
    Ok((shape, data))
}
