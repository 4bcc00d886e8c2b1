//! Characters. What is a letter, and what becomes of it in lower case, is a matter of the version of Unicode that a Python has, and a
//! file does not say which that was.

use regex::Regex;

/// What texts may have.
pub(super) const EXPECTED: &str =
    "characters that every Python from 3.8 on takes for the same (Unicode 12.1, and symbols)";
/// What is none of: a character of Unicode 12.1 (Python 3.8), or a symbol or punctuation mark of a later version, which is no part of
/// a word before that version and none after it. Of the old ones a few are of another category since, which tells whether a sigma
/// beside them ends a word.
const DOUBTFUL: &str = r"[^\p{age:12.1}\p{So}\p{Sc}\p{Sm}\p{P}]|[\u{295}\u{1734}\u{1171e}]";

/// Finds characters that are not the same to all.
#[derive(Debug)]
pub(super) struct Known {
    doubtful: Regex,
}

impl Known {
    pub(super) fn new() -> Self {
        Self { doubtful: Regex::new(DOUBTFUL).expect("a class of characters, tried by the tests") }
    }

    /// The first one in a text.
    pub(super) fn first_doubtful(&self, text: &str) -> Option<char> {
        if text.is_ascii() {
            return None;
        }
        self.doubtful.find(text)?.as_str().chars().next()
    }
}

/// True for what Python's `str.isspace`, and `\s` of its expressions, take for space.
pub(super) fn is_space(character: char) -> bool {
    character.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&character)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_letters_are_doubtful_and_new_symbols_are_not() {
        let known = Known::new();
        for sound in
            ["plain", "Grüße, ΣΑΣ, İstanbul, 東京, e\u{301}", "🙂 🏻 \u{1fae0} \u{1fae8}", "\u{e000}\u{9f}"]
        {
            assert_eq!(known.first_doubtful(sound), None, "{sound:?}");
        }
        // A letter of Unicode 14, an ideograph of 13, one of 15, and what is not assigned yet.
        for doubtful in ['\u{2c2f}', '\u{30000}', '\u{31350}', '\u{e0fff}', 'ʕ'] {
            assert_eq!(known.first_doubtful(&format!("a{doubtful}b")), Some(doubtful));
        }
    }

    #[test]
    fn the_separators_of_ascii_are_space() {
        assert!("\t\n\u{b}\u{1c}\u{1f} \u{85}\u{a0}\u{3000}".chars().all(is_space));
        assert!(!"\u{200b}\u{1b}_".chars().any(is_space));
    }
}
