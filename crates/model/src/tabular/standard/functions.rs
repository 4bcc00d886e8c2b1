//! Functions of one number, element by element.

use modelet_core::{DType, Data, Tensor};

use crate::tabular::number::{FLOATS, Float, NUMBERS, Number, for_float, for_number, numbers};
use crate::tabular::shape::make;
use crate::tabular::site::{Arguments, Compiled, Site};

macro_rules! functions {
    ($($name:ident, $allowed:ident, $trait:ident, $dispatch:ident => $function:expr;)*) => {
        $(pub(in crate::tabular) fn $name(site: &Site<'_>) -> Result<Compiled, String> {
            fn typed<T: $trait>(dtype: DType) -> Result<Compiled, String> {
                let function: fn(T) -> T = $function;
                Compiled::new(dtype, move |arguments| each(arguments.get(0)?, function))
            }
            site.at_most(1)?;
            let dtype = site.dtype_of(0, $allowed)?;
            $dispatch!(dtype, typed(dtype))
        })*
    };
}

functions! {
    abs, NUMBERS, Number, for_number => Number::magnitude;
    neg, NUMBERS, Number, for_number => |x| x.times(T::ZERO.minus(T::ONE));
    relu, NUMBERS, Number, for_number => |x| x.larger(T::ZERO);
    exp, FLOATS, Float, for_float => Float::exp;
    log, FLOATS, Float, for_float => Float::ln;
    sqrt, FLOATS, Float, for_float => Float::sqrt;
    tanh, FLOATS, Float, for_float => Float::tanh;
    cos, FLOATS, Float, for_float => Float::cos;
    floor, FLOATS, Float, for_float => Float::floor;
    ceil, FLOATS, Float, for_float => Float::ceil;
    sigmoid, FLOATS, Float, for_float => logistic;
    reciprocal, FLOATS, Float, for_float => |x| divide(T::ONE, x);
}

/// A quotient of floats.
pub(in crate::tabular) fn divide<T: Float>(a: T, b: T) -> T {
    a.over(b).unwrap_or_default()
}

/// The logistic function, without overflow at either end.
pub(in crate::tabular) fn logistic<T: Float>(x: T) -> T {
    let positive = divide(T::ONE, T::ONE.plus(T::ZERO.minus(x.magnitude()).exp()));
    if x < T::ZERO { T::ONE.minus(positive) } else { positive }
}

fn each<T: Number>(tensor: &Tensor, function: impl Fn(T) -> T) -> Result<Tensor, String> {
    let data = numbers::<T>(tensor.data())?.iter().map(|x| function(*x)).collect();
    make(tensor.shape().to_vec(), T::wrap(data))
}

/// `IsNaN`.
pub(in crate::tabular) fn is_nan(site: &Site<'_>) -> Result<Compiled, String> {
    fn typed<T: Float>() -> Result<Compiled, String> {
        Compiled::new(DType::Bool, |arguments| {
            let tensor = arguments.get(0)?;
            let missing = numbers::<T>(tensor.data())?.iter().map(|x| x.is_missing()).collect();
            make(tensor.shape().to_vec(), Data::Bool(missing))
        })
    }
    let dtype = site.dtype_of(0, FLOATS)?;
    for_float!(dtype, typed())
}

/// `Clip`, whose bounds were settings before version 11 and are inputs since.
pub(in crate::tabular) fn clip(site: &Site<'_>) -> Result<Compiled, String> {
    if site.opset >= 11 {
        let dtype = site.one_dtype(NUMBERS)?;
        return for_number!(dtype, clip_by_inputs(dtype));
    }
    site.dtype_of(0, &[DType::F32])?;
    let low = site.float("min").unwrap_or(f32::MIN);
    let high = site.float("max").unwrap_or(f32::MAX);
    Compiled::new(DType::F32, move |arguments| {
        each::<f32>(arguments.get(0)?, |x| bounded(x, Some(low), Some(high)))
    })
}

fn clip_by_inputs<T: Number>(dtype: DType) -> Result<Compiled, String> {
    fn bound<T: Number>(arguments: &Arguments<'_>, index: usize) -> Result<Option<T>, String> {
        let Some(tensor) = arguments.optional(index) else { return Ok(None) };
        match numbers::<T>(tensor.data())? {
            [bound] => Ok(Some(*bound)),
            other => Err(format!("a bound of {} numbers", other.len())),
        }
    }
    Compiled::new(dtype, |arguments| {
        let (low, high) = (bound::<T>(arguments, 1)?, bound::<T>(arguments, 2)?);
        each::<T>(arguments.get(0)?, |x| bounded(x, low, high))
    })
}

fn bounded<T: Number>(x: T, low: Option<T>, high: Option<T>) -> T {
    let x = low.map_or(x, |low| x.larger(low));
    high.map_or(x, |high| x.smaller(high))
}
