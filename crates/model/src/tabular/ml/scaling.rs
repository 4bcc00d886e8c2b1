//! Operators that shift, scale, cut and fill numbers column by column.

use modelet_core::{DType, Data, Tensor};

use crate::tabular::cast_elements;
use crate::tabular::number::{FLOATS, Float, NUMBERS, Number, for_float, numbers};
use crate::tabular::shape::{make, matrix};
use crate::tabular::site::{Compiled, Site};

/// A setting with one number for each column, or one for all.
pub(super) fn by_column<T: Copy>(numbers: &[T], columns: usize, name: &str) -> Result<Vec<T>, String> {
    match numbers {
        [one] => Ok(vec![*one; columns]),
        many if many.len() == columns => Ok(many.to_vec()),
        many => Err(format!("{} numbers in {name} for {columns} columns", many.len())),
    }
}

/// `Scaler`: `(x - offset) * scale`, in float64 for float64 and in float32 for all else; the answer is float32.
pub(super) fn scaler(site: &Site<'_>) -> Result<Compiled, String> {
    let (offset, scale) = (site.floats("offset").to_vec(), site.floats("scale").to_vec());
    match site.dtype_of(0, NUMBERS)? {
        DType::F64 => scaled::<f64>(offset, scale),
        _ => scaled::<f32>(offset, scale),
    }
}

fn scaled<T: Float>(offset: Vec<f32>, scale: Vec<f32>) -> Result<Compiled, String> {
    Compiled::new(DType::F32, move |arguments| {
        let tensor = arguments.get(0)?;
        let columns = tensor.shape().last().copied().ok_or("a number alone")?;
        let offset = by_column(&offset, columns, "offset")?;
        let scale = by_column(&scale, columns, "scale")?;
        let data = widened::<T>(tensor)?;
        let scaled = data.iter().enumerate().map(|(place, x)| {
            let column = place % columns;
            x.minus(T::of_f32(offset[column])).times(T::of_f32(scale[column])).to_f32()
        });
        make(tensor.shape().to_vec(), Data::F32(scaled.collect()))
    })
}

/// Numbers of any type as floats of one.
pub(super) fn widened<T: Float>(tensor: &Tensor) -> Result<Vec<T>, String> {
    let dtype = if size_of::<T>() == size_of::<f64>() { DType::F64 } else { DType::F32 };
    numbers::<T>(&cast_elements(tensor.data(), dtype)?).map(<[T]>::to_vec)
}

/// `Normalizer`: each row divided by the sum of its magnitudes, or by its length. Rows of zeros stay.
pub(super) fn normalizer(site: &Site<'_>) -> Result<Compiled, String> {
    let squares = match site.text("norm")?.as_deref() {
        Some("L1") => false,
        Some("L2") => true,
        // The standard's formula and its reference differ in whether the sign counts.
        other => return Err(format!("the norm {}", other.unwrap_or("MAX"))),
    };
    match site.dtype_of(0, NUMBERS)? {
        DType::F64 => normalized::<f64>(squares),
        _ => normalized::<f32>(squares),
    }
}

fn normalized<T: Float>(squares: bool) -> Result<Compiled, String> {
    Compiled::new(DType::F32, move |arguments| {
        let tensor = arguments.get(0)?;
        let (_, columns) = matrix(tensor.shape())?;
        let mut data = widened::<T>(tensor)?;
        for row in data.chunks_exact_mut(columns.max(1)) {
            let size = |x: &T| if squares { x.times(*x) } else { x.magnitude() };
            let sum = row.iter().fold(T::ZERO, |sum, x| sum.plus(size(x)));
            let norm = if squares { sum.sqrt() } else { sum };
            if norm != T::ZERO {
                row.iter_mut().for_each(|x| *x = x.over(norm).unwrap_or_default());
            }
        }
        make(tensor.shape().to_vec(), Data::F32(data.into_iter().map(T::to_f32).collect()))
    })
}

/// `Binarizer`: 1 above the threshold, else 0.
pub(super) fn binarizer(site: &Site<'_>) -> Result<Compiled, String> {
    fn typed<T: Float>(dtype: DType, threshold: f32) -> Result<Compiled, String> {
        Compiled::new(dtype, move |arguments| {
            let tensor = arguments.get(0)?;
            let above = |x: &T| if *x > T::of_f32(threshold) { T::ONE } else { T::ZERO };
            make(tensor.shape().to_vec(), T::wrap(numbers::<T>(tensor.data())?.iter().map(above).collect()))
        })
    }
    let threshold = site.float("threshold").unwrap_or(0.0);
    let dtype = site.dtype_of(0, FLOATS)?;
    for_float!(dtype, typed(dtype, threshold))
}

/// `Imputer`: a number for each missing one, by column.
pub(super) fn imputer(site: &Site<'_>) -> Result<Compiled, String> {
    fn typed<T: Number>(dtype: DType, values: Vec<T>, replaced: T) -> Result<Compiled, String> {
        Compiled::new(dtype, move |arguments| {
            let tensor = arguments.get(0)?;
            let (_, columns) = matrix(tensor.shape())?;
            let values = by_column(&values, columns, "the imputed values")?;
            let missing = |x: T| x == replaced || x.is_missing() && replaced.is_missing();
            let filled = numbers::<T>(tensor.data())?.iter().enumerate();
            let filled = filled.map(|(place, x)| if missing(*x) { values[place % columns] } else { *x });
            make(tensor.shape().to_vec(), T::wrap(filled.collect()))
        })
    }
    let (floats, integers) = (site.floats("imputed_value_floats"), site.ints("imputed_value_int64s"));
    let (float, integer) = (site.float("replaced_value_float"), site.int("replaced_value_int64"));
    let dtype = site.dtype_of(0, &[DType::F32, DType::F64, DType::I64])?;
    match dtype {
        DType::I64 if floats.is_empty() => typed(dtype, integers.to_vec(), integer.unwrap_or(0)),
        DType::F32 if integers.is_empty() => typed(dtype, floats.to_vec(), float.unwrap_or(0.0)),
        DType::F64 if integers.is_empty() => {
            typed(dtype, floats.iter().map(|x| f64::from(*x)).collect(), float.unwrap_or(0.0).into())
        }
        _ => Err(format!("imputed values of another type than the input's {dtype}")),
    }
}
