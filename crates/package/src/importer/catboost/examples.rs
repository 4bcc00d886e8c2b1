//! Texts for the certificate. A file of CatBoost has the hashes of categories and not their texts; a text with the same hash is
//! the same category to the model, and one can be found, for each step of the hash can be undone.

use modelet_model::tabular::categories::city;

use super::counted::inverse;

/// Texts of a column, at most.
const MAX_EXAMPLES: usize = 100;
/// Beginnings that are tried for one text; one in some three thousand will do.
const MAX_TRIES: u64 = 1 << 17;
/// How the tries differ: the second half of a text, which is eight digits.
const FIRST: u64 = 10_000_000;

/// Texts with some of these codes, evenly chosen.
pub(super) fn texts(mut codes: Vec<i32>) -> Vec<String> {
    codes.sort_unstable();
    codes.dedup();
    let step = codes.len().div_ceil(MAX_EXAMPLES).max(1);
    codes.into_iter().step_by(step).filter_map(text).collect()
}

/// A text of 16 characters with a code.
fn text(code: i32) -> Option<String> {
    (0..MAX_TRIES).find_map(|number| {
        let last = (FIRST + number).to_string();
        let start = beginning(u64::from(code.cast_unsigned()), last.as_bytes().try_into().ok()?);
        let is_plain = start.iter().all(u8::is_ascii_graphic);
        let text = is_plain.then(|| String::from_utf8_lossy(&start).into_owned() + &last)?;
        (city::code(&text) == code).then_some(text)
    })
}

/// The first eight bytes of the text of 16 that ends so and has such a hash.
fn beginning(hash: u64, last: [u8; 8]) -> [u8; 8] {
    const UNDO: u64 = inverse(city::PAIR);
    let last = u64::from_le_bytes(last);
    let second = last.wrapping_add(16).rotate_right(16);
    let mixed = city::fold((hash ^ last).wrapping_mul(UNDO)).wrapping_mul(UNDO) ^ second;
    (city::fold(mixed).wrapping_mul(UNDO) ^ second).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_found_for_each_code() {
        let codes = vec![0, 1, -1, i32::MAX, i32::MIN, 123_456_789];
        let found: Vec<_> = texts(codes.clone()).iter().map(|text| city::code(text)).collect();
        let mut sorted = codes;
        sorted.sort_unstable();
        assert_eq!(found, sorted);
        assert!(texts((0..1_000_000).collect()).len() <= MAX_EXAMPLES);
    }
}
