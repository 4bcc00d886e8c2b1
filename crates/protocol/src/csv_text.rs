//! CSV text to records with their line numbers, and records to text.

use csv::{ReaderBuilder, StringRecord};
use modelet_core::{Code, FunctionError};

/// Reads a body record by record; `each` gets the line that a record begins on.
pub(crate) fn read(
    body: &[u8],
    mut each: impl FnMut(u64, &StringRecord) -> Result<(), FunctionError>,
) -> Result<(), FunctionError> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    let text = std::str::from_utf8(body).map_err(|error| {
        let line = 1 + body[..error.valid_up_to()].iter().filter(|b| **b == b'\n').count();
        let message = format!("the CSV body is not UTF-8 text: other bytes in line {line}");
        FunctionError::new(Code::BadBody, message).hint("save it as UTF-8")
    })?;
    if text.trim().is_empty() {
        return Err(FunctionError::new(Code::BadBody, "the request has no body, where CSV was expected"));
    }
    let mut reader = ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text.as_bytes());
    let mut record = StringRecord::new();
    let mut lines = Lines { text: text.as_bytes(), at: 0, line: 1 };
    loop {
        match reader.read_record(&mut record) {
            Ok(true) => each(lines.of(record.position().map_or(0, csv::Position::byte)), &record)?,
            Ok(false) => return Ok(()),
            Err(error) => {
                return Err(FunctionError::new(Code::BadBody, format!("the CSV cannot be read: {error}")));
            }
        }
    }
}

/// Counts lines along with the reader, which itself reports where it stood *before* it skipped the line end.
struct Lines<'a> {
    text: &'a [u8],
    at: usize,
    line: u64,
}

impl Lines<'_> {
    /// The line of the first cell behind a byte; bytes come in rising order.
    fn of(&mut self, byte: u64) -> u64 {
        let byte = usize::try_from(byte).unwrap_or(usize::MAX).min(self.text.len());
        let skipped = self.text[byte..].iter().take_while(|b| matches!(b, b'\r' | b'\n')).count();
        let passed = &self.text[self.at.min(byte)..byte + skipped];
        self.line += passed.iter().filter(|b| **b == b'\n').count() as u64;
        self.at = byte + skipped;
        self.line
    }
}

/// Appends one cell, quoted where it has to be.
pub(crate) fn write_cell(out: &mut Vec<u8>, cell: &str) {
    if cell.is_empty()
        || !cell.contains(['"', ',', '\n', '\r']) && !cell.starts_with(' ') && !cell.ends_with(' ')
    {
        out.extend_from_slice(cell.as_bytes());
        return;
    }
    out.push(b'"');
    out.extend_from_slice(cell.replace('"', "\"\"").as_bytes());
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(body: &[u8]) -> Result<Vec<(u64, Vec<String>)>, FunctionError> {
        let mut all = Vec::new();
        read(body, |line, record| {
            all.push((line, record.iter().map(str::to_owned).collect()));
            Ok(())
        })?;
        Ok(all)
    }

    #[test]
    fn quotes_line_ends_and_a_byte_order_mark_are_understood() {
        let body = b"\xef\xbb\xbfa,\"b,\"\"c\"\"\"\r\n\n1,\"x\ny\"\n3,";
        let expected = [
            (1, vec!["a".to_owned(), "b,\"c\"".to_owned()]),
            (3, vec!["1".into(), "x\ny".into()]),
            (5, vec!["3".into(), String::new()]),
        ];
        assert_eq!(records(body).unwrap(), expected);
    }

    #[test]
    fn what_is_no_text_is_refused_with_its_line() {
        let error = records(b"a,b\n1,\xff").unwrap_err();
        assert!(error.message.contains("line 2"), "{error}");
        assert!(records(b"\n\n").is_err());
    }

    #[test]
    fn cells_survive_writing() {
        for cell in ["plain", "a,b", "say \"so\"", "two\nlines", "", " edge "] {
            let mut line = Vec::new();
            write_cell(&mut line, cell);
            line.extend_from_slice(b",x");
            assert_eq!(records(&line).unwrap()[0].1[0], cell);
        }
    }
}
