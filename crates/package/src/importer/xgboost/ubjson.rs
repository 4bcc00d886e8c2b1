//! Universal Binary JSON, draft 12 (<https://ubjson.org>), as XGBoost writes it: objects without sizes, lists of one type with a
//! size, lists without either.

use serde_json::{Map, Number, Value};

/// Objects and lists within each other, at most.
const MAX_DEPTH: usize = 32;

/// Reads a value, which is all of `bytes`. An error is the end of a sentence.
pub(super) fn read(bytes: &[u8]) -> Result<Value, String> {
    let mut reader = Reader { rest: bytes };
    let read = reader.byte().and_then(|kind| reader.value(kind, MAX_DEPTH));
    match read {
        Some(value) if reader.rest.is_empty() => Ok(value),
        Some(_) => Err(format!("{} bytes are left over", reader.rest.len())),
        None => Err(format!("at byte {} it makes no sense", bytes.len() - reader.rest.len())),
    }
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn byte(&mut self) -> Option<u8> {
        let (&first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(first)
    }

    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(taken)
    }

    fn numbers<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn value(&mut self, kind: u8, depth: usize) -> Option<Value> {
        Some(match kind {
            b'Z' => Value::Null,
            b'T' => true.into(),
            b'F' => false.into(),
            b'S' => self.text()?.into(),
            b'C' => char::from(self.byte()?).to_string().into(),
            b'd' => float(f32::from_be_bytes(self.numbers()?).into()),
            b'D' => float(f64::from_be_bytes(self.numbers()?)),
            b'[' => self.list(depth.checked_sub(1)?)?,
            b'{' => self.object(depth.checked_sub(1)?)?,
            kind => self.integer(kind)?.into(),
        })
    }

    fn integer(&mut self, kind: u8) -> Option<i64> {
        Some(match kind {
            b'i' => i8::from_be_bytes(self.numbers()?).into(),
            b'U' => self.byte()?.into(),
            b'I' => i16::from_be_bytes(self.numbers()?).into(),
            b'l' => i32::from_be_bytes(self.numbers()?).into(),
            b'L' => i64::from_be_bytes(self.numbers()?),
            _ => return None,
        })
    }

    fn size(&mut self) -> Option<usize> {
        let kind = self.byte()?;
        usize::try_from(self.integer(kind)?).ok()
    }

    fn text(&mut self) -> Option<&'a str> {
        let size = self.size()?;
        str::from_utf8(self.take(size)?).ok()
    }

    fn list(&mut self, depth: usize) -> Option<Value> {
        let mut kind = self.byte()?;
        let common = if kind == b'$' { Some(self.byte()?) } else { None };
        if common.is_some() {
            kind = self.byte()?;
        }
        if kind == b'#' {
            let size = self.size()?;
            // Each takes a byte at least, unless all are the same constant: of those none is written.
            if size > self.rest.len() {
                return None;
            }
            let element = |reader: &mut Self| match common {
                Some(common) => reader.value(common, depth),
                None => reader.byte().and_then(|kind| reader.value(kind, depth)),
            };
            return (0..size).map(|_| element(self)).collect::<Option<Vec<_>>>().map(Value::Array);
        }
        let mut values = Vec::new();
        while kind != b']' {
            values.push(self.value(kind, depth)?);
            kind = self.byte()?;
        }
        Some(Value::Array(values))
    }

    fn object(&mut self, depth: usize) -> Option<Value> {
        let mut fields = Map::new();
        while *self.rest.first()? != b'}' {
            let key = self.text()?.to_owned();
            let kind = self.byte()?;
            fields.insert(key, self.value(kind, depth)?);
        }
        self.byte()?;
        Some(Value::Object(fields))
    }
}

/// JSON has no infinities and no NaN: those become null.
fn float(number: f64) -> Value {
    Number::from_f64(number).map_or(Value::Null, Value::Number)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_kind_of_value_is_read() {
        let text = b"{i\x01nd\x7f\xc0\x00\x00i\x01aL\x00\x00\x00\x00\x00\x00\x00\x07i\x01b[$d#i\x02\x3f\x80\x00\x00\xbf\x00\x00\x00i\x01c[TFZSi\x02hi]\
                     i\x01d[#i\x01{}i\x01eI\xff\xfe}";
        let expected =
            json!({"n": null, "a": 7, "b": [1.0, -0.5], "c": [true, false, null, "hi"], "d": [{}], "e": -2});
        assert_eq!(read(text).unwrap(), expected);
    }

    #[test]
    fn nonsense_is_an_error_and_takes_nothing() {
        let deep = [b'['; 1_000];
        for text in [
            &b""[..],
            b"{",
            b"{}x",
            b"[$d#l\x7f\xff\xff\xff",
            b"SL\x7f\xff\xff\xff\xff\xff\xff\xff",
            b"d\x7f\xc0",
            &deep,
        ] {
            assert!(read(text).is_err(), "{text:?}");
        }
    }
}
