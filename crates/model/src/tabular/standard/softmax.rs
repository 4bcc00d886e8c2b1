//! `Softmax` and `LogSoftmax`: along one axis since version 13, over all axes from one on before.

use modelet_core::DType;

use super::functions::divide;
use crate::tabular::number::{FLOATS, Float, for_float, numbers};
use crate::tabular::shape::{around, axis, make};
use crate::tabular::site::{Compiled, Site};

pub(in crate::tabular) fn softmax(site: &Site<'_>) -> Result<Compiled, String> {
    compile(site, false)
}

pub(in crate::tabular) fn log_softmax(site: &Site<'_>) -> Result<Compiled, String> {
    compile(site, true)
}

fn compile(site: &Site<'_>, log: bool) -> Result<Compiled, String> {
    let flat = site.opset < 13;
    let at = site.int("axis").unwrap_or(if flat { 1 } else { -1 });
    let dtype = site.dtype_of(0, FLOATS)?;
    for_float!(dtype, typed(dtype, at, flat, log))
}

fn typed<T: Float>(dtype: DType, at: i64, flat: bool, log: bool) -> Result<Compiled, String> {
    Compiled::new(dtype, move |arguments| {
        let tensor = arguments.get(0)?;
        let shape = tensor.shape();
        let at = axis(at, shape.len())?;
        let (size, inner) = match flat {
            true => (shape[at..].iter().product(), 1),
            false => (shape[at], around(shape, at).2),
        };
        let mut data = numbers::<T>(tensor.data())?.to_vec();
        for block in data.chunks_exact_mut((size * inner).max(1)) {
            for column in 0..inner {
                normalize(block, column, inner, log);
            }
        }
        make(shape.to_vec(), T::wrap(data))
    })
}

fn normalize<T: Float>(block: &mut [T], column: usize, step: usize, log: bool) {
    let places = || (column..block.len()).step_by(step);
    let largest = places().map(|place| block[place]).reduce(T::larger).unwrap_or_default();
    let sum = places().fold(T::ZERO, |sum, place| sum.plus(block[place].minus(largest).exp()));
    for number in block.iter_mut().skip(column).step_by(step) {
        let centred = number.minus(largest);
        *number = if log { centred.minus(sum.ln()) } else { divide(centred.exp(), sum) };
    }
}
