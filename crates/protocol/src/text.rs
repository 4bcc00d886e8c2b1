//! Texts for people: what a client sent, quoted and bounded, and the known name that is nearest to an unknown one.

/// Longest piece of a client's own text that an error repeats, in characters.
const QUOTE_LIMIT: usize = 60;
/// Longest name that is compared with the known ones: the comparison is quadratic.
const COMPARED_LIMIT: usize = 100;

/// A client's text, quoted, escaped, and cut where it gets long.
pub(crate) fn quoted(text: &str) -> String {
    match text.char_indices().nth(QUOTE_LIMIT) {
        Some((end, _)) => format!("{:?}…", &text[..end]),
        None => format!("{text:?}"),
    }
}

/// The first few of many names, quoted.
pub(crate) fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    const SHOWN: usize = 12;
    let names: Vec<_> = names.map(quoted).collect();
    match names.len() {
        0..=SHOWN => names.join(", "),
        n => format!("{}, and {} more", names[..SHOWN].join(", "), n - SHOWN),
    }
}

/// Of the known names, the one that was probably meant.
pub(crate) fn nearest<'a>(known: impl Iterator<Item = &'a str>, meant: &str) -> Option<&'a str> {
    let meant: Vec<char> = meant.to_lowercase().chars().take(COMPARED_LIMIT).collect();
    let (distance, name) = known.map(|name| (distance(&meant, name), name)).min_by_key(|(d, _)| *d)?;
    (distance <= (meant.len() / 3).max(1)).then_some(name)
}

/// How many letters have to be changed, added or left out (Levenshtein), ignoring case.
fn distance(a: &[char], b: &str) -> usize {
    let b: Vec<char> = b.to_lowercase().chars().take(COMPARED_LIMIT).collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.iter().enumerate() {
            let changed = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_between_characters() {
        assert_eq!(quoted("a\nb"), r#""a\nb""#);
        assert_eq!(quoted(&"ä".repeat(100)).chars().count(), QUOTE_LIMIT + 3);
    }

    #[test]
    fn the_nearest_name_is_near() {
        let known = || ["age", "income", "plan"].into_iter();
        assert_eq!(nearest(known(), "Agee"), Some("age"));
        assert_eq!(nearest(known(), "incom"), Some("income"));
        assert_eq!(nearest(known(), "zipcode"), None);
        assert_eq!(nearest(std::iter::empty(), "age"), None);
    }
}
