//! Numbers as a client wrote them: exact, whatever the type that they will become.

/// One number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Number {
    /// A whole number.
    I64(i64),
    /// A whole number beyond the range of `I64`.
    U64(u64),
    /// A number with a decimal point or an exponent.
    F64(f64),
}

/// The largest magnitude up to which every whole number is a float64.
const EXACT_F64: f64 = 9_007_199_254_740_992.0;

impl Number {
    /// The number as an integer, when it is one without doubt: a decimal such as `3.0` counts as long as a float64
    /// still tells it from its neighbours.
    pub(crate) fn whole(self) -> Option<i128> {
        match self {
            Self::I64(i) => Some(i.into()),
            Self::U64(u) => Some(u.into()),
            Self::F64(f) => (f.fract() == 0.0 && f.abs() <= EXACT_F64).then_some(f as i128),
        }
    }

    /// The nearest float64.
    pub(crate) fn to_f64(self) -> f64 {
        match self {
            Self::I64(i) => i as f64,
            Self::U64(u) => u as f64,
            Self::F64(f) => f,
        }
    }

    /// The float64 that is exactly this number.
    fn exact_f64(self) -> Option<f64> {
        match self {
            Self::I64(i) => (i.unsigned_abs() <= EXACT_F64 as u64).then_some(i as f64),
            Self::U64(_) => None,
            Self::F64(f) => Some(f),
        }
    }
}

/// Many numbers in the narrowest buffer that keeps all of them exactly. A NaN stands for a `null`: JSON has no other way
/// to bring one in.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Numbers {
    I64(Vec<i64>),
    F64(Vec<f64>),
    /// Decimals beside whole numbers that no float64 holds.
    Mixed(Vec<Number>),
}

impl Default for Numbers {
    fn default() -> Self {
        Self::I64(Vec::new())
    }
}

impl Numbers {
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::I64(v) => v.len(),
            Self::F64(v) => v.len(),
            Self::Mixed(v) => v.len(),
        }
    }

    /// The number at a place below `len`.
    pub(crate) fn get(&self, at: usize) -> Number {
        match self {
            Self::I64(v) => Number::I64(v[at]),
            Self::F64(v) => Number::F64(v[at]),
            Self::Mixed(v) => v[at],
        }
    }

    #[inline]
    pub(crate) fn push(&mut self, number: Number) {
        match (&mut *self, number) {
            (Self::I64(v), Number::I64(i)) => v.push(i),
            (Self::F64(v), Number::F64(f)) => v.push(f),
            (Self::Mixed(v), number) => v.push(number),
            _ => self.push_other(number),
        }
    }

    /// A number of another kind than the buffer's. Each buffer is widened at most twice, so pushing stays linear.
    fn push_other(&mut self, number: Number) {
        if let (Self::F64(v), Some(f)) = (&mut *self, number.exact_f64()) {
            return v.push(f);
        }
        let exact = |numbers: &Self| (0..numbers.len()).map(|i| numbers.get(i).exact_f64()).collect();
        *self = match number.exact_f64().and_then(|_| exact(self)) {
            Some(floats) => Self::F64(floats),
            None => Self::Mixed((0..self.len()).map(|i| self.get(i)).collect()),
        };
        self.push(number);
    }

    /// Takes the numbers from `start` on.
    pub(crate) fn split_off(&mut self, start: usize) -> Self {
        match self {
            Self::I64(v) => Self::I64(split_off(v, start)),
            Self::F64(v) => Self::F64(split_off(v, start)),
            Self::Mixed(v) => Self::Mixed(split_off(v, start)),
        }
    }

    /// The numbers `start`, `start + step`, …, `count` of them.
    pub(crate) fn stride(&self, start: usize, step: usize, count: usize) -> Self {
        fn pick<T: Copy>(v: &[T], start: usize, step: usize, count: usize) -> Vec<T> {
            (0..count).map(|i| v[start + i * step]).collect()
        }
        match self {
            Self::I64(v) => Self::I64(pick(v, start, step, count)),
            Self::F64(v) => Self::F64(pick(v, start, step, count)),
            Self::Mixed(v) => Self::Mixed(pick(v, start, step, count)),
        }
    }
}

/// As `Vec::split_off`, but without a copy when all is taken.
fn split_off<T>(v: &mut Vec<T>, start: usize) -> Vec<T> {
    if start == 0 { std::mem::take(v) } else { v.split_off(start) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_widens_only_as_far_as_it_must() {
        let mut numbers = Numbers::default();
        numbers.push(Number::I64(1));
        numbers.push(Number::F64(0.5));
        assert_eq!(numbers, Numbers::F64(vec![1.0, 0.5]));
        numbers.push(Number::I64(2));
        assert_eq!(numbers, Numbers::F64(vec![1.0, 0.5, 2.0]));
    }

    #[test]
    fn whole_numbers_that_no_float_holds_stay_exact_beside_decimals() {
        for big in [Number::I64(i64::MAX), Number::I64(-9_007_199_254_740_993), Number::U64(u64::MAX)] {
            for order in [[big, Number::F64(0.5)], [Number::F64(0.5), big]] {
                let mut numbers = Numbers::default();
                order.into_iter().for_each(|n| numbers.push(n));
                assert_eq!([numbers.get(0), numbers.get(1)], order);
            }
        }
    }

    #[test]
    fn decimals_count_as_whole_while_that_is_certain() {
        assert_eq!(Number::F64(3.0).whole(), Some(3));
        assert_eq!(Number::U64(u64::MAX).whole(), Some(u64::MAX.into()));
        for not_whole in [1.5, f64::NAN, f64::INFINITY, 1e18] {
            assert_eq!(Number::F64(not_whole).whole(), None, "{not_whole}");
        }
    }
}
