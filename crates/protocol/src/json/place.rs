//! Why a text is not JSON, and where: the line, the column, and the path to the place.

use modelet_core::{Code, FunctionError};
use serde_json::error::Category;

use super::index_text;
use crate::encoding::looks_like;
use crate::text::quoted;

/// Words that Python and JavaScript print and JSON does not have, and what to send instead.
const FOREIGN_WORDS: &[(&str, &str)] = &[
    ("NaN", "JSON has no NaN: send null for a missing value"),
    ("nan", "JSON has no NaN: send null for a missing value"),
    ("-Infinity", "JSON has no infinities: send \"-Infinity\" as a text"),
    ("Infinity", "JSON has no infinities: send \"Infinity\" as a text"),
    ("-inf", "JSON has no infinities: send \"-Infinity\" as a text"),
    ("inf", "JSON has no infinities: send \"Infinity\" as a text"),
    ("None", "None is Python's word: JSON has null"),
    ("True", "True is Python's word: JSON has true"),
    ("False", "False is Python's word: JSON has false"),
    ("undefined", "undefined is JavaScript's word: JSON has null"),
    ("'", "JSON has double quotes only: send \"text\" instead of 'text'"),
];

/// The failure for a body that the JSON reader refused.
pub(super) fn not_json(body: &[u8], error: &serde_json::Error) -> FunctionError {
    if body.iter().all(u8::is_ascii_whitespace) {
        return FunctionError::new(Code::BadBody, "the request has no body, where a JSON value was expected");
    }
    let offset = offset(body, error.line(), error.column());
    let at = format!("at line {}, column {}", error.line(), error.column());
    let reason = error.to_string();
    let reason = reason.split(" at line ").next().unwrap_or(&reason);
    let message = match (reason, error.classify()) {
        ("recursion limit exceeded", _) => format!("the JSON is nested more than 127 levels deep {at}"),
        ("number out of range", _) => return out_of_range(body, offset, &at),
        ("trailing characters", _) => format!("after the end of the JSON value there is more text {at}"),
        (_, Category::Eof) => format!("the JSON ends too early {at}: it is cut off, or a bracket is missing"),
        (_, Category::Data) => format!("{reason} {at}"),
        _ => match foreign_word(body, offset) {
            Some(advice) => format!("{advice} ({at})"),
            None => format!("the body is not JSON: {reason} {at}"),
        },
    };
    let mut failure = FunctionError::new(Code::BadBody, message);
    failure.field = Some(path(&body[..offset])).filter(|path| !path.is_empty());
    if let Some(found) = looks_like(body).filter(|found| *found != "plain JSON") {
        failure.found = Some(found.to_owned());
        failure.hint = Some(format!("the body looks like {found}"));
    }
    failure
}

/// `1e400`: valid JSON, but no float64.
fn out_of_range(body: &[u8], offset: usize, at: &str) -> FunctionError {
    let in_number = |b: &&u8| matches!(b, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E');
    let before = body[..offset].iter().rev().take_while(in_number).count();
    let after = body[offset..].iter().take_while(in_number).count();
    let number = String::from_utf8_lossy(&body[offset - before..offset + after]).into_owned();
    let field = Some(path(&body[..offset - before])).filter(|path| !path.is_empty());
    let expected = "a number that a float64 can hold (up to 1.8e308)";
    FunctionError::bad_input(
        field.unwrap_or_else(|| "body".to_owned()),
        expected,
        format!("{} {at}", quoted(&number)),
    )
}

/// The word at the place of a syntax error, if it is one that other languages have.
fn foreign_word(body: &[u8], offset: usize) -> Option<&'static str> {
    let in_word = |b: &u8| b.is_ascii_alphabetic() || *b == b'-';
    // The reader stops within or behind the word.
    let start = offset - body[..offset].iter().rev().take_while(|b| in_word(b)).count();
    let rest = &body[start..];
    FOREIGN_WORDS.iter().find(|(word, _)| rest.starts_with(word.as_bytes())).map(|(_, advice)| *advice)
}

/// The byte that a line and a column (both from 1) speak of.
fn offset(body: &[u8], line: usize, column: usize) -> usize {
    let before =
        body.split_inclusive(|b| *b == b'\n').take(line.saturating_sub(1)).map(<[u8]>::len).sum::<usize>();
    (before + column.saturating_sub(1)).min(body.len())
}

/// One step into a value.
enum Step {
    Key(String),
    Index(usize),
}

/// The path to the end of a JSON text that stops anywhere: `inputs.x[3]`.
///
/// Only failures pay for paths: the text up to the failure is walked again here.
fn path(text: &[u8]) -> String {
    let mut steps: Vec<Step> = Vec::new();
    let mut rest = text;
    while let [byte, tail @ ..] = rest {
        rest = tail;
        match byte {
            b'{' => steps.push(Step::Key(String::new())),
            b'[' => steps.push(Step::Index(0)),
            b'}' | b']' => drop(steps.pop()),
            b',' => {
                if let Some(Step::Index(i)) = steps.last_mut() {
                    *i += 1;
                }
            }
            b'"' => {
                let end = string_end(tail);
                rest = tail.get(end + 1..).unwrap_or_default();
                let is_key = rest.trim_ascii_start().first() == Some(&b':');
                if let (Some(Step::Key(key)), true) = (steps.last_mut(), is_key) {
                    *key = String::from_utf8_lossy(&tail[..end]).into_owned();
                }
            }
            _ => {}
        }
    }
    path_text(&steps)
}

/// Where a string ends: the index of its closing quote, or the end of the text.
fn string_end(text: &[u8]) -> usize {
    let mut escaped = false;
    let closing = text.iter().position(|byte| match byte {
        b'\\' if !escaped => {
            escaped = true;
            false
        }
        b'"' if !escaped => true,
        _ => {
            escaped = false;
            false
        }
    });
    closing.unwrap_or(text.len())
}

fn path_text(steps: &[Step]) -> String {
    /// Steps that are written out; a path may be as deep as the JSON.
    const SHOWN: usize = 16;
    let mut path = String::new();
    for step in steps.iter().take(SHOWN) {
        match step {
            Step::Index(i) => path.push_str(&index_text(&[*i])),
            Step::Key(key) => {
                if !path.is_empty() {
                    path.push('.');
                }
                path.extend(key.chars().take(60));
            }
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::super::parse;

    #[test]
    fn the_reason_names_line_column_and_path() {
        for (text, code, field, says) in [
            (r#"{"inputs": [[1, NaN]]}"#, "bad-body", "inputs[0][1]", "JSON has no NaN: send null"),
            (r#"{"inputs": [[1, -Infinity]]}"#, "bad-body", "inputs[0][1]", "send \"-Infinity\" as a text"),
            ("[1,\n 2,\n nan]", "bad-body", "[2]", "line 3"),
            (r#"{"a": None}"#, "bad-body", "a", "Python's word"),
            (r"{'a': 1}", "bad-body", "", "double quotes"),
            (r#"{"inputs": {"x": [1, 2, 1e400]}}"#, "bad-input", "inputs.x[2]", "1e400"),
            (r#"{"inputs": [[1, 2], [3"#, "bad-body", "inputs[1][0]", "cut off"),
            ("", "bad-body", "", "no body"),
            ("  \n ", "bad-body", "", "no body"),
            ("[1] [2]", "bad-body", "", "after the end"),
            ("[1 2]", "bad-body", "[0]", "line 1, column 4"),
        ] {
            let error = parse(text.as_bytes()).unwrap_err();
            assert_eq!(error.code.as_str(), code, "{text}: {error}");
            assert!(error.message.contains(says), "{text}: {error}");
            if !field.is_empty() {
                assert_eq!(error.field.as_deref(), Some(field), "{text}: {error}");
            }
        }
    }

    #[test]
    fn nesting_without_end_is_refused_before_the_stack_is() {
        for open in ["[", "{\"a\":", "[[1],"] {
            let error = parse(open.repeat(100_000).as_bytes()).unwrap_err();
            assert!(error.message.contains("127 levels"), "{error}");
        }
    }
}
