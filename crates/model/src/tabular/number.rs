//! The numbers of this engine, and what each type's arithmetic is: integers wrap around, as they do in every runtime.

use modelet_core::{DType, Data};

/// The numeric element types.
pub(super) const NUMBERS: &[DType] = &[DType::F32, DType::F64, DType::I64, DType::I32];
/// The floating-point ones.
pub(super) const FLOATS: &[DType] = &[DType::F32, DType::F64];

/// A number.
pub(super) trait Number: Copy + PartialOrd + Default + Send + Sync + 'static {
    const ZERO: Self;
    const ONE: Self;
    /// The smallest number; minus infinity where there is one.
    const LEAST: Self;
    /// The largest number; infinity where there is one.
    const MOST: Self;
    fn plus(self, other: Self) -> Self;
    fn minus(self, other: Self) -> Self;
    fn times(self, other: Self) -> Self;
    /// `None` where there is no answer: an integer divided by zero.
    fn over(self, other: Self) -> Option<Self>;
    fn magnitude(self) -> Self;
    fn is_missing(self) -> bool;
    /// The number of this many things.
    fn of_count(count: usize) -> Self;
    fn wrap(numbers: Vec<Self>) -> Data;
    fn unwrap(data: &Data) -> Option<&[Self]>;

    /// The larger; NaN when one of them is.
    fn larger(self, other: Self) -> Self {
        if self.is_missing() || self >= other { self } else { other }
    }

    /// The smaller; NaN when one of them is.
    fn smaller(self, other: Self) -> Self {
        if self.is_missing() || self <= other { self } else { other }
    }
}

macro_rules! integer {
    ($ty:ty, $variant:ident) => {
        impl Number for $ty {
            const ZERO: Self = 0;
            const ONE: Self = 1;
            const LEAST: Self = <$ty>::MIN;
            const MOST: Self = <$ty>::MAX;
            fn plus(self, other: Self) -> Self {
                self.wrapping_add(other)
            }
            fn minus(self, other: Self) -> Self {
                self.wrapping_sub(other)
            }
            fn times(self, other: Self) -> Self {
                self.wrapping_mul(other)
            }
            fn over(self, other: Self) -> Option<Self> {
                if other == 0 { None } else { Some(self.wrapping_div(other)) }
            }
            fn magnitude(self) -> Self {
                self.wrapping_abs()
            }
            fn is_missing(self) -> bool {
                false
            }
            fn of_count(count: usize) -> Self {
                count as Self
            }
            fn wrap(numbers: Vec<Self>) -> Data {
                Data::$variant(numbers)
            }
            fn unwrap(data: &Data) -> Option<&[Self]> {
                if let Data::$variant(numbers) = data { Some(numbers) } else { None }
            }
        }
    };
}

integer!(i64, I64);
integer!(i32, I32);

/// A floating-point number.
pub(super) trait Float: Number {
    fn exp(self) -> Self;
    fn ln(self) -> Self;
    fn sqrt(self) -> Self;
    fn tanh(self) -> Self;
    fn cos(self) -> Self;
    fn pow(self, exponent: Self) -> Self;
    fn floor(self) -> Self;
    fn ceil(self) -> Self;
    /// The next smaller number; NaN below the smallest.
    fn below(self) -> Self;
    fn of_f32(number: f32) -> Self;
    fn to_f64(self) -> f64;
    fn to_f32(self) -> f32;
}

macro_rules! float {
    ($ty:ident, $variant:ident) => {
        impl Number for $ty {
            const ZERO: Self = 0.0;
            const ONE: Self = 1.0;
            const LEAST: Self = $ty::NEG_INFINITY;
            const MOST: Self = $ty::INFINITY;
            fn plus(self, other: Self) -> Self {
                self + other
            }
            fn minus(self, other: Self) -> Self {
                self - other
            }
            fn times(self, other: Self) -> Self {
                self * other
            }
            fn over(self, other: Self) -> Option<Self> {
                Some(self / other)
            }
            fn magnitude(self) -> Self {
                self.abs()
            }
            fn is_missing(self) -> bool {
                self.is_nan()
            }
            fn of_count(count: usize) -> Self {
                count as Self
            }
            fn wrap(numbers: Vec<Self>) -> Data {
                Data::$variant(numbers)
            }
            fn unwrap(data: &Data) -> Option<&[Self]> {
                if let Data::$variant(numbers) = data { Some(numbers) } else { None }
            }
        }

        impl Float for $ty {
            fn exp(self) -> Self {
                $ty::exp(self)
            }
            fn ln(self) -> Self {
                $ty::ln(self)
            }
            fn sqrt(self) -> Self {
                $ty::sqrt(self)
            }
            fn tanh(self) -> Self {
                $ty::tanh(self)
            }
            fn cos(self) -> Self {
                $ty::cos(self)
            }
            fn pow(self, exponent: Self) -> Self {
                $ty::powf(self, exponent)
            }
            fn floor(self) -> Self {
                $ty::floor(self)
            }
            fn ceil(self) -> Self {
                $ty::ceil(self)
            }
            fn below(self) -> Self {
                if self == $ty::NEG_INFINITY { $ty::NAN } else { self.next_down() }
            }
            fn of_f32(number: f32) -> Self {
                number.into()
            }
            fn to_f64(self) -> f64 {
                self.into()
            }
            fn to_f32(self) -> f32 {
                self as f32
            }
        }
    };
}

float!(f32, F32);
float!(f64, F64);

/// The numbers of a buffer, or what it holds instead.
pub(super) fn numbers<T: Number>(data: &Data) -> Result<&[T], String> {
    T::unwrap(data).ok_or_else(|| format!("elements of type {}", data.dtype()))
}

/// Calls a generic function with the Rust type of a numeric element type.
macro_rules! for_number {
    ($dtype:expr, $f:ident ( $($argument:expr),* )) => {
        match $dtype {
            DType::F32 => $f::<f32>($($argument),*),
            DType::F64 => $f::<f64>($($argument),*),
            DType::I64 => $f::<i64>($($argument),*),
            DType::I32 => $f::<i32>($($argument),*),
            other => Err(format!("an input of type {other}")),
        }
    };
}
pub(super) use for_number;

/// Calls a generic function with the Rust type of a floating-point element type.
macro_rules! for_float {
    ($dtype:expr, $f:ident ( $($argument:expr),* )) => {
        match $dtype {
            DType::F32 => $f::<f32>($($argument),*),
            DType::F64 => $f::<f64>($($argument),*),
            other => Err(format!("an input of type {other}")),
        }
    };
}
pub(super) use for_float;
