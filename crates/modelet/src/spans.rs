//! Spans of time as people write them.

/// Units of time, the longest first, in milliseconds.
pub const UNITS: &[(&str, u64)] = &[("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// The milliseconds of a span: `500ms`, `60s`, `10m`, `1h`.
pub fn milliseconds(text: &str) -> Result<u64, String> {
    let digits = text.trim().trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = &text.trim()[digits.len()..];
    let factor = UNITS.iter().find(|(name, _)| *name == unit).map(|(_, factor)| *factor);
    let number = digits.parse::<u64>().ok();
    let time = number.zip(factor).and_then(|(number, factor)| number.checked_mul(factor));
    time.ok_or_else(|| format!("{text:?} is no time; write it as 500ms, 60s, 10m or 1h"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_has_a_number_and_a_unit() {
        assert_eq!(milliseconds("10m"), Ok(600_000));
        assert_eq!(milliseconds(" 2h "), Ok(7_200_000));
        for wrong in ["", "10", "m", "-1s", "1.5h", "1d", "99999999999999999h"] {
            assert!(milliseconds(wrong).is_err(), "{wrong}");
        }
    }
}
