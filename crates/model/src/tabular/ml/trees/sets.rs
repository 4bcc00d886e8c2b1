//! Sets of category numbers.

use crate::tabular::number::Float;

/// Largest member of a set that is kept as bits: 64 KiB.
const MAX_BITS: f64 = 524_288.0;

/// A set of numbers.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Set<T> {
    /// Whole numbers from 0 on, a bit each.
    Bits(Vec<u64>),
    /// Any numbers, sorted.
    Sorted(Vec<T>),
}

impl<T: Float> Set<T> {
    pub(super) fn new(members: &[T]) -> Self {
        // A missing number is in no set.
        let mut members: Vec<T> = members.iter().copied().filter(|member| !member.is_missing()).collect();
        let whole = |member: &T| {
            let number = member.to_f64();
            (0.0..MAX_BITS).contains(&number) && number.trunc() == number
        };
        if !members.iter().all(whole) {
            members.sort_by(|a, b| a.to_f64().total_cmp(&b.to_f64()));
            return Self::Sorted(members);
        }
        let mut bits = Vec::new();
        for member in members {
            let number = member.to_f64() as usize;
            bits.resize(bits.len().max(number / 64 + 1), 0_u64);
            bits[number / 64] |= 1 << (number % 64);
        }
        Self::Bits(bits)
    }

    #[inline]
    pub(super) fn contains(&self, x: T) -> bool {
        match self {
            Self::Bits(bits) => {
                let number = x.to_f64();
                let at = number as usize;
                at as f64 == number && bits.get(at / 64).is_some_and(|word| word >> (at % 64) & 1 == 1)
            }
            Self::Sorted(members) => members
                .binary_search_by(|member| member.partial_cmp(&x).unwrap_or(std::cmp::Ordering::Less))
                .is_ok(),
        }
    }
}
