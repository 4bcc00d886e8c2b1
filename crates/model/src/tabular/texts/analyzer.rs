//! From a text to its terms, as `CountVectorizer` of scikit-learn takes it apart: in lower case, without accents, into words or
//! characters, and into sequences of those.

use std::collections::HashSet;

use regex::Regex;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::canonical_combining_class;

use super::characters::is_space;
use crate::tabular::site::Site;

/// Most words or characters in a term.
const MAX_SIZE: i64 = 1_000;

/// How texts are taken apart.
pub(super) struct Analyzer {
    lowers: bool,
    accents: Accents,
    unit: Unit,
    /// How many words or characters a term has: from the first to the second.
    sizes: (usize, usize),
}

/// What becomes of accents.
enum Accents {
    Stay,
    /// Marks that are put on other characters go.
    Go,
    /// All goes that is not ASCII.
    ToAscii,
}

/// What terms are made of.
enum Unit {
    /// What a pattern finds, but for some words.
    Words {
        pattern: Regex,
        stop: HashSet<String>,
    },
    Characters,
    /// Characters of words that stand between spaces.
    WithinWords,
}

impl Analyzer {
    pub(super) fn read(site: &Site<'_>) -> Result<Self, String> {
        let accents = match site.text("accents")?.as_deref() {
            None => Accents::Stay,
            Some("unicode") => Accents::Go,
            Some("ascii") => Accents::ToAscii,
            Some(other) => return Err(format!("accents {other}")),
        };
        let (pattern, stop) = (site.text("pattern")?, site.texts("stop_words")?);
        let unit = match (site.text("unit")?.as_deref(), pattern) {
            (Some("word"), Some(pattern)) => {
                let pattern = Regex::new(&pattern).map_err(|error| format!("its pattern: {error}"))?;
                Unit::Words { pattern, stop: stop.into_iter().collect() }
            }
            (Some("char"), _) => Unit::Characters,
            (Some("char_wb"), _) => Unit::WithinWords,
            (other, _) => return Err(format!("terms of {other:?}")),
        };
        let sizes = match *site.ints("sizes") {
            [least, most] if 1 <= least && least <= most && most <= MAX_SIZE => {
                (least as usize, most as usize)
            }
            ref other => return Err(format!("terms of the sizes {other:?}")),
        };
        Ok(Self { lowers: site.int("lower").unwrap_or(0) != 0, accents, unit, sizes })
    }

    /// Hands each term of a text on, as often as it is there.
    pub(super) fn each(&self, text: &str, take: &mut dyn FnMut(&str)) {
        let text = self.prepared(text);
        match &self.unit {
            Unit::Words { pattern, stop } => {
                let words = pattern.find_iter(&text).map(|found| found.as_str());
                let words: Vec<&str> = words.filter(|word| !stop.contains(*word)).collect();
                self.sequences(words.len(), &mut |from, to| match &words[from..to] {
                    [one] => take(one),
                    several => take(&several.join(" ")),
                });
            }
            Unit::Characters => {
                let text = with_single_spaces(&text);
                let places = places(&text);
                self.sequences(places.len() - 1, &mut |from, to| take(&text[places[from]..places[to]]));
            }
            Unit::WithinWords => {
                for word in text.split(is_space).filter(|word| !word.is_empty()) {
                    self.within(&format!(" {word} "), take);
                }
            }
        }
    }

    fn prepared(&self, text: &str) -> String {
        let text = if self.lowers { text.to_lowercase() } else { text.to_owned() };
        match self.accents {
            _ if text.is_ascii() => text,
            Accents::Stay => text,
            Accents::Go => text.nfkd().filter(|mark| canonical_combining_class(*mark) == 0).collect(),
            Accents::ToAscii => text.nfkd().filter(char::is_ascii).collect(),
        }
    }

    /// From where to where each sequence goes among so many things.
    fn sequences(&self, count: usize, take: &mut dyn FnMut(usize, usize)) {
        for size in self.sizes.0..=self.sizes.1.min(count) {
            (0..=count - size).for_each(|from| take(from, from + size));
        }
    }

    /// The sequences of characters of a word between spaces; where it is shorter than some, once all of it.
    fn within(&self, word: &str, take: &mut dyn FnMut(&str)) {
        let places = places(word);
        let count = places.len() - 1;
        for size in self.sizes.0..=self.sizes.1 {
            if size >= count {
                take(word);
                break;
            }
            (0..=count - size).for_each(|from| take(&word[places[from]..places[from + size]]));
        }
    }
}

/// Where each character begins, and the end.
fn places(text: &str) -> Vec<usize> {
    text.char_indices().map(|(at, _)| at).chain([text.len()]).collect()
}

/// With one space for each two and more.
fn with_single_spaces(text: &str) -> String {
    let mut single = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        if is_space(character) && characters.peek().copied().is_some_and(is_space) {
            while characters.next_if(|next| is_space(*next)).is_some() {}
            single.push(' ');
        } else {
            single.push(character);
        }
    }
    single
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms(unit: Unit, sizes: (usize, usize), text: &str) -> Vec<String> {
        let analyzer = Analyzer { lowers: true, accents: Accents::Go, unit, sizes };
        let mut terms = Vec::new();
        analyzer.each(text, &mut |term| terms.push(term.to_owned()));
        terms
    }

    fn words(stop: &[&str]) -> Unit {
        let pattern = Regex::new(r"[\p{L}\p{N}_]{2,}").unwrap();
        Unit::Words { pattern, stop: stop.iter().map(|word| (*word).to_owned()).collect() }
    }

    #[test]
    fn words_are_in_lower_case_without_accents_and_stand_in_sequences() {
        // analyze(CountVectorizer(strip_accents="unicode", ngram_range=(1, 2), stop_words=["the"]))
        let found = terms(words(&["the"]), (1, 2), "The CAFÉ, a naïve \u{fb01}sh-soup_2 ٣٤");
        let singles = ["cafe", "naive", "fish", "soup_2", "٣٤"];
        assert_eq!(found[..5], singles);
        assert_eq!(found[5..], ["cafe naive", "naive fish", "fish soup_2", "soup_2 ٣٤"]);
        assert_eq!(terms(words(&[]), (2, 3), "one two"), ["one two"]);
        assert_eq!(terms(words(&[]), (2, 3), "one"), Vec::<String>::new());
    }

    #[test]
    fn marks_are_no_part_of_words_as_python_has_it() {
        let analyzer = Analyzer { lowers: true, accents: Accents::Stay, unit: words(&[]), sizes: (1, 1) };
        let mut found = Vec::new();
        analyzer.each("हिन्दी abc\u{301}de ΣΑΣ İSTANBUL", &mut |term| {
            found.push(term.to_owned());
        });
        assert_eq!(found, ["abc", "de", "σας", "stanbul"]);
    }

    #[test]
    fn characters_have_single_spaces_between_them() {
        assert_eq!(terms(Unit::Characters, (1, 2), "a \t\u{a0}b"), ["a", " ", "b", "a ", " b"]);
        assert_eq!(terms(Unit::Characters, (3, 4), "a\tb"), ["a\tb"], "a single one stays what it is");
        assert_eq!(terms(Unit::Characters, (1, 1), ""), Vec::<String>::new());
    }

    #[test]
    fn a_word_that_is_too_short_counts_once() {
        assert_eq!(terms(Unit::WithinWords, (3, 5), "ab c"), [" ab", "ab ", " ab ", " c "]);
    }
}
