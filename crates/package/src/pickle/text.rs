//! How pickle spells texts and numbers. What is spelled in a way that is not followed here becomes [`Literal::Other`], and an
//! import made of it is reported as one that nobody can name.

use crate::pickle::limits::MAX_KEPT_TEXT_BYTES;
use crate::pickle::opcode::Literal;

/// UTF-8. Lone surrogates, which Python allows, stand in no name.
pub fn utf8(bytes: Option<Vec<u8>>) -> Literal {
    bytes.and_then(|bytes| String::from_utf8(bytes).ok()).map_or(Literal::Other, Literal::Text)
}

/// A text of Python 2, which Python 3 reads as ASCII.
pub fn ascii(bytes: Option<Vec<u8>>) -> Literal {
    utf8(bytes.filter(|bytes| bytes.is_ascii()))
}

/// `'text'` as Python 2 wrote it; with escapes it is not followed.
pub fn quoted_line(line: &[u8]) -> Literal {
    match line {
        [b'\'', inner @ .., b'\''] | [b'"', inner @ .., b'"'] if !inner.contains(&b'\\') => {
            ascii(Some(inner.to_vec()))
        }
        _ => Literal::Other,
    }
}

/// Python's `raw-unicode-escape`: Latin-1, with `\u0041` and `\U00000041`; any other backslash is itself.
pub fn escaped_line(line: &[u8]) -> Literal {
    let mut text = String::new();
    let mut rest = line;
    while let [byte, after @ ..] = rest {
        let digits = match (byte, after.first()) {
            (b'\\', Some(b'u')) => 4,
            (b'\\', Some(b'U')) => 8,
            (b'\\', Some(b'\\')) => {
                // Python reads two backslashes as two, and no escape begins with the second.
                text.push_str("\\\\");
                rest = &after[1..];
                continue;
            }
            _ => {
                text.push(char::from(*byte));
                rest = after;
                continue;
            }
        };
        let code = after.get(1..=digits).filter(|hex| hex.iter().all(u8::is_ascii_hexdigit));
        let code = code.and_then(|hex| u32::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        let Some(c) = code.and_then(char::from_u32) else { return Literal::Other };
        text.push(c);
        rest = &after[digits + 1..];
    }
    if text.len() as u64 > MAX_KEPT_TEXT_BYTES { Literal::Other } else { Literal::Text(text) }
}

/// A decimal number, with the `L` of Python 2; `00` and `01` are how protocol 0 spells False and True.
pub fn number_line(line: &[u8]) -> Literal {
    match line {
        b"00" => return Literal::Bool(false),
        b"01" => return Literal::Bool(true),
        _ => {}
    }
    let digits = line.strip_suffix(b"L").unwrap_or(line);
    let plain = digits.iter().all(|byte| byte.is_ascii_digit() || *byte == b'-');
    let number = std::str::from_utf8(digits).ok().filter(|_| plain).and_then(|text| text.parse().ok());
    number.map_or(Literal::Other, Literal::Int)
}

/// A float as Python writes it.
pub fn float_line(line: &[u8]) -> Literal {
    let number = std::str::from_utf8(line).ok().and_then(|text| text.parse::<f64>().ok());
    number.map_or(Literal::Other, |number| Literal::Float(number.to_bits()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Literal {
        Literal::Text(text.to_owned())
    }

    #[test]
    fn names_are_read_through_escapes() {
        assert_eq!(escaped_line(b"\\u006fs"), text("os"));
        assert_eq!(escaped_line(b"\\U0000006fs"), text("os"));
        assert_eq!(escaped_line(b"a\\b\xe9"), text("a\\b\u{e9}"));
        assert_eq!(escaped_line(b"\\\\u006f"), text("\\\\u006f"));
        assert_eq!(escaped_line(b"\\\\\\u006f"), text("\\\\o"));
        assert_eq!(escaped_line(b"\\ud800"), Literal::Other);
        assert_eq!(escaped_line(b"\\u00"), Literal::Other);
        assert_eq!(quoted_line(b"'os'"), text("os"));
        assert_eq!(quoted_line(b"'\\x6fs'"), Literal::Other);
        assert_eq!(quoted_line(b"'"), Literal::Other);
    }

    #[test]
    fn numbers_that_python_would_not_write_are_not_followed() {
        assert_eq!(number_line(b"-12"), Literal::Int(-12));
        assert_eq!(number_line(b"12L"), Literal::Int(12));
        assert_eq!(number_line(b"01"), Literal::Bool(true));
        for odd in [&b"0x10"[..], b"1_0", b" 1", b"99999999999999999999", b""] {
            assert_eq!(number_line(odd), Literal::Other);
        }
    }
}
