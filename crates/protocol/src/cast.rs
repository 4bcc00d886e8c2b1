//! Casting: what a client wrote becomes an element of the model's type, or a sentence that says why not.
//!
//! One set of rules for every format:
//!
//! - **float types** take any number, rounded to the nearest; one that would round to infinity is refused. `null` and an
//!   empty CSV cell are NaN (a missing value); `"NaN"`, `"Infinity"` and `"-Infinity"` are taken as texts.
//! - **integer types** take whole numbers within their range, exactly. `3.0` counts as whole, `1.5` and `null` do not.
//! - **float and integer types** take true and false as 1 and 0, as NumPy does: a data frame has columns of them
//!   (`pandas.get_dummies`), and models see numbers. In CSV they are the words, in any case.
//! - **bool** takes true, false, 0 and 1.
//! - **string** takes texts, unchanged. A number is refused, because `001` would already have become `1`.

use half::{bf16, f16};
use modelet_core::numbers::truth;
use modelet_core::{DType, Data};

use crate::number::{Number, Numbers};
use crate::text::quoted;

/// One element as a client wrote it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Scalar<'a> {
    Null,
    Bool(bool),
    Number(Number),
    /// A JSON string.
    Text(&'a str),
    /// A CSV cell, which may mean anything.
    Cell(&'a str),
}

impl Scalar<'_> {
    /// What it is, for the `found` of an error.
    pub(crate) fn what(self) -> String {
        match self {
            Self::Null => "null".to_owned(),
            Self::Number(Number::F64(f)) if f.is_nan() => "null (a missing value)".to_owned(),
            Self::Bool(b) => b.to_string(),
            Self::Number(Number::I64(i)) => i.to_string(),
            Self::Number(Number::U64(u)) => u.to_string(),
            Self::Number(Number::F64(f)) if f.abs() >= 1e16 => format!("{f:e}"),
            Self::Number(Number::F64(f)) => f.to_string(),
            Self::Text(text) => format!("the text {}", quoted(text)),
            Self::Cell("") => "an empty cell".to_owned(),
            Self::Cell(text) => quoted(text),
        }
    }
}

/// Why a scalar does not become an element.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Misfit {
    pub(crate) expected: String,
    pub(crate) found: String,
    pub(crate) hint: Option<&'static str>,
}

/// Runs one expression for whichever element type a [`Data`] has.
macro_rules! each_dtype {
    ($data:expr, $v:ident => $body:expr) => {
        match $data {
            modelet_core::Data::Bool($v) => $body,
            modelet_core::Data::I8($v) => $body,
            modelet_core::Data::I16($v) => $body,
            modelet_core::Data::I32($v) => $body,
            modelet_core::Data::I64($v) => $body,
            modelet_core::Data::U8($v) => $body,
            modelet_core::Data::U16($v) => $body,
            modelet_core::Data::U32($v) => $body,
            modelet_core::Data::U64($v) => $body,
            modelet_core::Data::F16($v) => $body,
            modelet_core::Data::BF16($v) => $body,
            modelet_core::Data::F32($v) => $body,
            modelet_core::Data::F64($v) => $body,
            modelet_core::Data::Str($v) => $body,
        }
    };
}
pub(crate) use each_dtype;

/// Appends one element.
pub(crate) fn push(data: &mut Data, scalar: Scalar<'_>) -> Result<(), Misfit> {
    extend(data, std::iter::once(scalar)).map_err(|(_, misfit)| misfit)
}

/// Appends many elements; on failure says which one did not fit.
pub(crate) fn extend<'a>(
    data: &mut Data,
    scalars: impl ExactSizeIterator<Item = Scalar<'a>>,
) -> Result<(), (usize, Misfit)> {
    let dtype = data.dtype();
    each_dtype!(data, elements => {
        elements.reserve(scalars.len());
        for (at, scalar) in scalars.enumerate() {
            elements.push(Element::read(scalar).ok_or_else(|| (at, misfit(dtype, scalar)))?);
        }
    });
    Ok(())
}

/// Appends a buffer of numbers; on failure says which one did not fit.
pub(crate) fn extend_numbers(data: &mut Data, numbers: &Numbers) -> Result<(), (usize, Misfit)> {
    match numbers {
        Numbers::I64(v) => extend(data, v.iter().map(|i| Scalar::Number(Number::I64(*i)))),
        Numbers::F64(v) => extend(data, v.iter().map(|f| Scalar::Number(Number::F64(*f)))),
        Numbers::Mixed(v) => extend(data, v.iter().map(|n| Scalar::Number(*n))),
    }
}

/// What an element of a type looks like, for the `expected` of an error.
pub(crate) fn expected(dtype: DType) -> String {
    match dtype {
        DType::Bool => "true or false".to_owned(),
        DType::Str => "a text (string)".to_owned(),
        DType::I8 => whole(dtype, i8::MIN, i8::MAX),
        DType::I16 => whole(dtype, i16::MIN, i16::MAX),
        DType::I32 => whole(dtype, i32::MIN, i32::MAX),
        DType::I64 => whole(dtype, i64::MIN, i64::MAX),
        DType::U8 => whole(dtype, 0, u8::MAX),
        DType::U16 => whole(dtype, 0, u16::MAX),
        DType::U32 => whole(dtype, 0, u32::MAX),
        DType::U64 => whole(dtype, 0, u64::MAX),
        DType::F16 => format!("a number from -65504 to 65504 ({dtype})"),
        DType::BF16 | DType::F32 => format!("a number from -3.4e38 to 3.4e38 ({dtype})"),
        DType::F64 => format!("a number ({dtype})"),
    }
}

fn whole<T: std::fmt::Display>(dtype: DType, min: T, max: T) -> String {
    format!("a whole number from {min} to {max} ({dtype})")
}

fn misfit(dtype: DType, scalar: Scalar<'_>) -> Misfit {
    let missing = matches!(scalar, Scalar::Null | Scalar::Cell(""))
        || matches!(scalar, Scalar::Number(Number::F64(f)) if f.is_nan());
    let hint = match (dtype, scalar) {
        (DType::Str, Scalar::Number(_)) if !missing => {
            Some("write it in quotes: as a number it would lose leading zeros")
        }
        (DType::Str, _) if missing => Some("send \"\" for a missing text"),
        _ if missing => Some("only float inputs have a missing value"),
        (DType::Bool, _) => None,
        (_, Scalar::Text(text)) if text.trim().parse::<f64>().is_ok() => Some("write it without quotes"),
        (_, Scalar::Number(Number::F64(f))) if dtype.is_integer() && f.fract() == 0.0 => {
            Some("write large whole numbers without a decimal point or an exponent")
        }
        _ => None,
    };
    // The range of a float type is news only to those who sent a number.
    let expected = match scalar {
        Scalar::Null | Scalar::Text(_) if dtype.is_float() => format!("a number ({dtype})"),
        _ => expected(dtype),
    };
    Misfit { expected, found: scalar.what(), hint }
}

/// How one element type reads a scalar.
trait Element: Sized {
    fn read(scalar: Scalar<'_>) -> Option<Self>;
}

/// A cell as a number: exact where it is whole.
fn cell_number(cell: &str) -> Option<Number> {
    let cell = cell.trim();
    if let Some(flag) = truth(cell) {
        return Some(Number::I64(flag.into()));
    }
    let whole = cell.parse().map(Number::I64).or_else(|_| cell.parse().map(Number::U64));
    whole.or_else(|_| cell.parse().map(Number::F64)).ok()
}

macro_rules! integers {
    ($($ty:ty)*) => {$(
        impl Element for $ty {
            #[inline]
            fn read(scalar: Scalar<'_>) -> Option<Self> {
                let number = match scalar {
                    Scalar::Number(number) => number,
                    Scalar::Bool(flag) => Number::I64(flag.into()),
                    Scalar::Cell(cell) => cell_number(cell)?,
                    Scalar::Null | Scalar::Text(_) => return None,
                };
                number.whole()?.try_into().ok()
            }
        }
    )*};
}
integers!(i8 i16 i32 i64 u8 u16 u32 u64);

macro_rules! floats {
    ($($ty:ty: $from_f64:expr, $from_text:expr;)*) => {$(
        impl Element for $ty {
            #[inline]
            fn read(scalar: Scalar<'_>) -> Option<Self> {
                let (value, exact): (Self, f64) = match scalar {
                    Scalar::Number(number) => ($from_f64(number.to_f64()), number.to_f64()),
                    Scalar::Bool(flag) => ($from_f64(f64::from(u8::from(flag))), 0.0),
                    Scalar::Null | Scalar::Text("NaN") => return Some(<$ty>::NAN),
                    Scalar::Text("Infinity") => return Some(<$ty>::INFINITY),
                    Scalar::Text("-Infinity") => return Some(<$ty>::NEG_INFINITY),
                    Scalar::Cell(cell) => match cell.trim() {
                        "" => return Some(<$ty>::NAN),
                        cell if let Some(flag) = truth(cell) => return Self::read(Scalar::Bool(flag)),
                        // Rust reads 1e400 as infinity, but only a word may mean it.
                        cell => ($from_text(cell)?, if cell.contains('i') || cell.contains('I') { f64::INFINITY } else { 0.0 }),
                    },
                    Scalar::Text(_) => return None,
                };
                (!value.is_infinite() || exact.is_infinite()).then_some(value)
            }
        }
    )*};
}
floats! {
    f16: f16::from_f64, |t: &str| t.parse().ok().map(f16::from_f64);
    bf16: bf16::from_f64, |t: &str| t.parse().ok().map(bf16::from_f64);
    f32: |x: f64| x as f32, |t: &str| t.parse::<f32>().ok();
    f64: |x: f64| x, |t: &str| t.parse::<f64>().ok();
}

impl Element for bool {
    fn read(scalar: Scalar<'_>) -> Option<Self> {
        let number = match scalar {
            Scalar::Bool(b) => return Some(b),
            Scalar::Number(number) => number,
            Scalar::Cell(cell) => cell_number(cell)?,
            Scalar::Null | Scalar::Text(_) => return None,
        };
        match number.whole()? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }
}

impl Element for String {
    fn read(scalar: Scalar<'_>) -> Option<Self> {
        match scalar {
            Scalar::Text(text) | Scalar::Cell(text) => Some(text.to_owned()),
            Scalar::Null | Scalar::Bool(_) | Scalar::Number(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(dtype: DType, scalar: Scalar<'_>) -> Result<Data, Misfit> {
        let mut data = Data::empty(dtype);
        push(&mut data, scalar).map(|()| data)
    }

    const fn f(x: f64) -> Scalar<'static> {
        Scalar::Number(Number::F64(x))
    }

    const fn i(x: i64) -> Scalar<'static> {
        Scalar::Number(Number::I64(x))
    }

    #[test]
    fn what_fits_is_taken_exactly_or_rounded_as_the_type_says() {
        for (dtype, scalar, data) in [
            (DType::I64, i(i64::MIN), Data::I64(vec![i64::MIN])),
            (DType::U64, Scalar::Number(Number::U64(u64::MAX)), Data::U64(vec![u64::MAX])),
            (DType::U8, f(255.0), Data::U8(vec![255])),
            (DType::F32, i(16_777_217), Data::F32(vec![16_777_216.0])),
            (DType::F32, f(0.1), Data::F32(vec![0.1])),
            (DType::F64, Scalar::Text("-Infinity"), Data::F64(vec![f64::NEG_INFINITY])),
            (DType::Bool, i(1), Data::Bool(vec![true])),
            (DType::Bool, Scalar::Cell(" False"), Data::Bool(vec![false])),
            (DType::Str, Scalar::Cell("001"), Data::Str(vec!["001".into()])),
            (DType::I64, Scalar::Cell("9007199254740993"), Data::I64(vec![9_007_199_254_740_993])),
            (DType::U64, Scalar::Cell("18446744073709551615"), Data::U64(vec![u64::MAX])),
            (DType::I32, Scalar::Cell("3.0"), Data::I32(vec![3])),
            (DType::F32, Scalar::Cell("-inf"), Data::F32(vec![f32::NEG_INFINITY])),
            (DType::F16, f(65504.0), Data::F16(vec![f16::MAX])),
            (DType::F64, Scalar::Bool(true), Data::F64(vec![1.0])),
            (DType::F32, Scalar::Cell("False"), Data::F32(vec![0.0])),
            (DType::I64, Scalar::Bool(false), Data::I64(vec![0])),
            (DType::U8, Scalar::Cell(" TRUE"), Data::U8(vec![1])),
        ] {
            assert_eq!(one(dtype, scalar), Ok(data), "{dtype} {scalar:?}");
        }
        for missing in [Scalar::Null, Scalar::Text("NaN"), Scalar::Cell(""), Scalar::Cell("nan"), f(f64::NAN)]
        {
            let Ok(Data::F32(v)) = one(DType::F32, missing) else { panic!("{missing:?}") };
            assert!(v[0].is_nan(), "{missing:?}");
        }
    }

    #[test]
    fn what_does_not_fit_is_refused_with_both_sides_named() {
        for (dtype, scalar, found) in [
            (DType::I64, f(1.5), "1.5"),
            (DType::I64, f(1e18), "1e18"),
            (DType::U8, i(300), "300"),
            (DType::U8, i(-1), "-1"),
            (DType::I64, Scalar::Number(Number::U64(u64::MAX)), "18446744073709551615"),
            (DType::F32, Scalar::Text("abc"), "the text \"abc\""),
            (DType::F32, Scalar::Text("true"), "the text \"true\""),
            (DType::Str, Scalar::Bool(true), "true"),
            (DType::F32, f(1e300), "1e300"),
            (DType::F16, i(70_000), "70000"),
            (DType::F64, Scalar::Cell("1e400"), "\"1e400\""),
            (DType::F32, Scalar::Cell("twelve"), "\"twelve\""),
            (DType::I64, Scalar::Null, "null"),
            (DType::I64, Scalar::Cell(""), "an empty cell"),
            (DType::I64, Scalar::Text("7"), "the text \"7\""),
            (DType::Bool, i(2), "2"),
            (DType::Bool, Scalar::Text("true"), "the text \"true\""),
            (DType::Str, i(7), "7"),
            (DType::Str, Scalar::Null, "null"),
        ] {
            let misfit = one(dtype, scalar).unwrap_err();
            assert_eq!(misfit.found, found);
            assert!(misfit.expected.contains(dtype.name()) || dtype == DType::Bool, "{misfit:?}");
        }
        assert!(one(DType::Str, i(7)).unwrap_err().hint.is_some_and(|h| h.contains("leading zeros")));
    }
}
