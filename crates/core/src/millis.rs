//! Milliseconds as text, to the microsecond.

use std::fmt;
use std::time::Duration;

/// A time that is written as milliseconds with three digits behind the point: `0.042`. By whole numbers: each call writes a dozen
/// of these, and a fraction of two takes several times as long to be rounded to ten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Millis {
    micros: u64,
}

impl Millis {
    /// From milliseconds; negative and what is no number is zero.
    pub fn of(ms: f64) -> Self {
        Self { micros: (ms * 1e3).round() as u64 }
    }
}

impl From<Duration> for Millis {
    fn from(time: Duration) -> Self {
        let micros = (time.as_nanos() + 500) / 1_000;
        Self { micros: u64::try_from(micros).unwrap_or(u64::MAX) }
    }
}

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:03}", self.micros / 1_000, self.micros % 1_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_to_the_microsecond() {
        let written = [0, 499, 500, 41_501, 1_999_999, 12_345_678_000].map(Duration::from_nanos);
        let written = written.map(|time| Millis::from(time).to_string());
        assert_eq!(written, ["0.000", "0.000", "0.001", "0.042", "2.000", "12345.678"]);
        let of_numbers = [2.5, 0.1, 1e9, -1.0, f64::NAN].map(|ms| Millis::of(ms).to_string());
        assert_eq!(of_numbers, ["2.500", "0.100", "1000000000.000", "0.000", "0.000"]);
    }
}
