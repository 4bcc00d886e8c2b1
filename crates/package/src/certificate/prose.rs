//! Texts that are read: made of the terms that a model looks for, and of what vectorisers take in ways of their own.

use modelet_model::examples::Random;

/// Most terms that are tried each alone.
const MAX_ALONE: usize = 300;
/// Terms of an ordinary text, at most.
const MAX_TERMS: u64 = 12;
/// Of so many words of an ordinary text one is changed.
const CHANGED_SHARE: u64 = 6;
/// Words that no model knows, or that are written as nobody expects.
const STRANGE: &[&str] =
    &["modelet-unknown", "x", "42", "Grüße", "naïve", "東京", "don't", "e-mail", "ΣΑΣ", "a_b", "🙂"];
/// What stands between words.
const BETWEEN: &[&str] = &[" ", " ", " ", ", ", "  ", "\n", " - ", "\u{a0}", "! "];
/// Whole texts at which ways to take them apart come apart: capitals, accents, marks, spaces, nothing at all.
const EDGES: &[&str] = &[
    "",
    " ",
    "a",
    "the of and",
    "İSTANBUL ΟΔΟΣ ΣΑΣ Straße STRASSE",
    "CAFÉ cafe\u{301} café Å A\u{30a} \u{fb01}sh \u{2460} ½ ²",
    "हिन्दी ภาษาไทย العربية עברית 한국어 日本語",
    "tab\tline\nreturn\r\nfile\u{1c}unit\u{1f}next\u{85}narrow\u{202f}zero\u{200b}width",
    "snake_case kebab-case CamelCase 3.14 1,000 user@example.com https://example.com/a?b=c",
    "aa aa aa aa bb bb cc",
    "👍🏽 family 👨\u{200d}👩\u{200d}👧 \u{0}nul",
];

/// An ordinary text: some terms, some of them twice, in capitals, or beside words that are strange.
pub(super) fn ordinary(terms: &[String], random: &mut Random) -> String {
    let mut pick = |list: usize| random.in_range(0..list.max(1) as u64) as usize;
    let mut text = String::new();
    for _ in 0..pick(MAX_TERMS as usize) + 1 {
        let known = terms.get(pick(terms.len())).map(|term| term.trim());
        let word = match (known, pick(CHANGED_SHARE as usize)) {
            (None, _) | (_, 0) => STRANGE[pick(STRANGE.len())].to_owned(),
            (Some(term), 1) => term.to_uppercase(),
            (Some(term), 2) => format!("{term}{}{term}", BETWEEN[pick(BETWEEN.len())]),
            (Some(term), _) => term.to_owned(),
        };
        text.push_str(&word);
        text.push_str(BETWEEN[pick(BETWEEN.len())]);
    }
    text
}

/// Each term alone, and texts at which models come apart.
pub(super) fn edges(terms: &[String]) -> Vec<String> {
    let some = terms.iter().step_by(terms.len().div_ceil(MAX_ALONE).max(1)).cloned();
    EDGES.iter().map(|text| (*text).to_owned()).chain(some).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_have_known_words_and_strange_ones_and_are_the_same_each_time() {
        let terms = ["good".to_owned(), "very bad".to_owned()];
        let made = || {
            let mut random = Random(1);
            (0..200).map(|_| ordinary(&terms, &mut random)).collect::<Vec<_>>()
        };
        let texts = made();
        assert_eq!(texts, made());
        for wanted in ["good", "very bad", "GOOD", "modelet-unknown"] {
            assert!(texts.iter().any(|text| text.contains(wanted)), "{wanted}");
        }
        assert!(ordinary(&[], &mut Random(1)).len() > 1, "of hashes no term is known");
        assert!(edges(&terms).contains(&String::new()) && edges(&terms).contains(&"good".to_owned()));
    }
}
