//! `CountVectorizer`, `TfidfVectorizer` and `HashingVectorizer`: how often terms are in a text. Texts are taken apart by an operator
//! of our own, which does as Python does.

use std::collections::BTreeSet;

use modelet_model::onnx::write::{Attribute, OWN};

use super::fitted::Fitted;
use super::frame::{Frame, Kind};
use super::numeric;
use super::table::{Column, Table};
use super::terms;
use crate::pickle::{Asked, Item};

/// The words that `stop_words="english"` leaves out; the same in all versions that are known.
const ENGLISH: &str = include_str!("texts/english.txt");
/// A term is in a text at most so often.
const LARGEST_COUNT: f64 = 1e10;
/// Most columns: numbers of a row that is made of a text.
const MAX_COLUMNS: usize = 1 << 18;
/// Number types in which counts are what they are.
const EXACT_TYPES: &[&str] =
    &["numpy.float64", "numpy.int64", "numpy.int32", "builtins.int", "builtins.float"];

/// Patterns of Python whose matches are known, and what finds the same: letters and numbers are words there, marks are not.
const PATTERNS: &[(&[&str], &str)] = &[
    (&[r"\b\w\w+\b", r"\w\w+", r"\w{2,}", r"\b\w{2,}\b"], r"[\p{L}\p{N}_]{2,}"),
    (&[r"\b\w+\b", r"\w+"], r"[\p{L}\p{N}_]+"),
    (&[r"\b\w\w\w+\b", r"\w\w\w+", r"\w{3,}", r"\b\w{3,}\b"], r"[\p{L}\p{N}_]{3,}"),
    (&[r"[a-zA-Z]+", r"[A-Za-z]+"], r"[a-zA-Z]+"),
    (&[r"[a-zA-Z]{2,}", r"[A-Za-z]{2,}"], r"[a-zA-Z]{2,}"),
    (&[r"[a-zA-Z]{3,}", r"[A-Za-z]{3,}"], r"[a-zA-Z]{3,}"),
    (&[r"[a-zA-Z0-9]+", r"[A-Za-z0-9]+"], r"[a-zA-Z0-9]+"),
    (&[r"[a-z]+"], r"[a-z]+"),
    (&[r"\S+", r"[^\s]+"], r"[^\s\x1c-\x1f]+"),
];
/// A flag that says what is so anyway.
const UNICODE_FLAG: &str = "(?u)";

/// `CountVectorizer`
pub(super) fn counted(fitted: &Fitted, table: &Table, frame: &mut Frame) -> Asked<Table> {
    let item = &fitted.item;
    let kind = item.get("dtype")?.named()?;
    if !EXACT_TYPES.contains(&&*kind) {
        return Err(item.get("dtype")?.not("float64 or of whole numbers that hold every count"));
    }
    let vocabulary = vocabulary(item)?;
    let width = vocabulary.len();
    write(item, vec![("vocabulary", Attribute::Texts(vocabulary))], width, table, frame)
}

/// `TfidfVectorizer`: counts, and then what its own `TfidfTransformer` makes of them.
pub(super) fn weighed(fitted: &Fitted, table: &Table, frame: &mut Frame) -> Asked<Table> {
    let kind = fitted.item.get("dtype")?;
    if kind.named()? != "numpy.float64" {
        return Err(kind.not("float64"));
    }
    let counts = counted(fitted, table, frame)?;
    let own = Fitted::read_step(&fitted.item.get("_tfidf")?, counts.width())?;
    if own.features != counts.width() {
        return Err(own.item.not("fitted with as many terms as there are"));
    }
    terms::weighed(&own, &counts, frame)
}

/// `HashingVectorizer`
pub(super) fn hashed(fitted: &Fitted, table: &Table, frame: &mut Frame) -> Asked<Table> {
    let item = &fitted.item;
    let kind = item.get("dtype")?;
    if kind.named()? != "numpy.float64" {
        return Err(kind.not("float64"));
    }
    let width = item.get("n_features")?.count()?;
    if width == 0 || width > MAX_COLUMNS {
        return Err(format!(
            "its texts become {width} columns, the limit is {MAX_COLUMNS}: use n_features=2**18"
        ));
    }
    let is_signed = item.get("alternate_sign")?.flag()?;
    let buckets =
        vec![("buckets", Attribute::Int(width as i64)), ("signed", Attribute::Int(is_signed.into()))];
    let counts = write(item, buckets, width, table, frame)?;
    match item.get("norm")?.is_none() {
        true => Ok(counts),
        false => numeric::normal(fitted, &counts, frame),
    }
}

/// Writes the operator.
fn write(
    item: &Item,
    mut attributes: Vec<(&'static str, Attribute)>,
    width: usize,
    table: &Table,
    frame: &mut Frame,
) -> Asked<Table> {
    if table.width() != 1 {
        return Err(item.not("a step that gets one column of texts"));
    }
    let (tensor, column) = table.column(0, frame)?;
    let origin = column.origin.filter(|_| column.filled.is_empty());
    frame.is_of(origin.ok_or_else(|| item.not("a step that gets texts as they come in"))?, Kind::Words)?;
    attributes.extend(analysis(item)?);
    attributes.push(("binary", Attribute::Int(item.get("binary")?.flag()?.into())));
    let counts = frame.fresh("counts");
    frame.graph.node((OWN, "Terms"), &[&tensor], &counts, attributes);
    Ok(Table::of(counts, vec![Column::within(LARGEST_COUNT); width]))
}

/// How it takes texts apart.
fn analysis(item: &Item) -> Asked<Vec<(&'static str, Attribute)>> {
    for own in ["tokenizer", "preprocessor"] {
        if !item.get(own)?.is_none() {
            return Err(format!(
                "its {own} is a function of yours, which is not run: leave it out, and do that before you send texts"
            ));
        }
    }
    let input = item.get("input")?;
    if input.text()? != "content" {
        return Err(input.not("content: texts come as they are, not as files"));
    }
    let said = item.get("analyzer")?;
    let unit = match said.text() {
        Ok("word") => "word",
        Ok("char") => "char",
        Ok("char_wb") => "char_wb",
        _ => return Err(said.not("word, char or char_wb: a function of yours is not run")),
    };
    let [least, most] = &item.get("ngram_range")?.items()?[..] else {
        return Err(item.get("ngram_range")?.not("two numbers"));
    };
    let mut attributes = vec![
        ("unit", Attribute::Text(unit)),
        ("sizes", Attribute::Ints(vec![least.integer()?, most.integer()?])),
        ("lower", Attribute::Int(item.get("lowercase")?.flag()?.into())),
    ];
    let accents = item.get("strip_accents")?;
    if !accents.is_none() {
        let how = match accents.text() {
            Ok("unicode") => "unicode",
            Ok("ascii") => "ascii",
            _ => return Err(accents.not("unicode or ascii: a function of yours is not run")),
        };
        attributes.push(("accents", Attribute::Text(how)));
    }
    if unit == "word" {
        attributes.push(("pattern", Attribute::Text(pattern(&item.get("token_pattern")?)?)));
        attributes.push(("stop_words", Attribute::Texts(stop_words(&item.get("stop_words")?)?)));
    }
    Ok(attributes)
}

/// What finds what a pattern of Python finds.
fn pattern(item: &Item) -> Asked<&'static str> {
    let text = item.text()?;
    let plain = text.strip_prefix(UNICODE_FLAG).unwrap_or(text);
    let known = PATTERNS.iter().find(|(patterns, _)| patterns.contains(&plain));
    known.map(|(_, same)| *same).ok_or_else(|| {
        format!("its token_pattern {text:?} is none whose matches are known to be the same here: use the default, or \\w+")
    })
}

/// The words that it leaves out, each once.
fn stop_words(item: &Item) -> Asked<Vec<String>> {
    if item.is_none() {
        return Ok(Vec::new());
    }
    if let Ok(name) = item.text() {
        return match name {
            "english" => Ok(ENGLISH.split_ascii_whitespace().map(str::to_owned).collect()),
            _ => Err(item.not("english, or a list")),
        };
    }
    let words = match item.items() {
        Ok(words) => words,
        // A frozenset is made of a list.
        Err(_) => item.arguments()?.first().ok_or_else(|| item.not("a list of words"))?.items()?,
    };
    let words: BTreeSet<&str> = words.iter().map(Item::text).collect::<Asked<_>>()?;
    Ok(words.into_iter().map(str::to_owned).collect())
}

/// The terms by their places.
fn vocabulary(item: &Item) -> Asked<Vec<String>> {
    let own = item.get("vocabulary_")?;
    let pairs = own.pairs()?;
    let misfit = || own.not("a vocabulary with a place for each term");
    if pairs.is_empty() || pairs.len() > MAX_COLUMNS {
        let terms = pairs.len();
        return Err(format!(
            "it knows {terms} terms, the limit is {MAX_COLUMNS}: use max_features or min_df"
        ));
    }
    let mut terms = vec![None; pairs.len()];
    for (term, place) in pairs {
        let free = terms.get_mut(place.count()?).filter(|term| term.is_none()).ok_or_else(misfit)?;
        *free = Some(term.to_owned());
    }
    terms.into_iter().collect::<Option<_>>().ok_or_else(misfit)
}
