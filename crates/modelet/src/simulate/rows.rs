//! A CSV file with a header, whose errors name file, line and column.

use std::fs::File;
use std::path::{Path, PathBuf};

use modelet_core::Code;

use crate::report::Report;

/// A row is never longer, so that a file without line ends is no surprise.
const LONGEST_ROW_BYTES: usize = 1 << 20;

/// A file that is read row by row.
pub struct Rows {
    file: PathBuf,
    header: csv::StringRecord,
    reader: csv::Reader<File>,
    record: csv::StringRecord,
}

/// A column of a file, found by its name.
#[derive(Debug, Clone, Copy)]
pub struct Column(usize);

/// One row.
#[derive(Clone, Copy)]
pub struct Row<'a> {
    rows: &'a Rows,
}

impl Rows {
    pub fn open(file: &Path) -> Result<Self, Report> {
        let open = File::open(file).map_err(|error| unreadable(file, &error))?;
        let mut reader = csv::ReaderBuilder::new().flexible(true).trim(csv::Trim::All).from_reader(open);
        let header = reader.headers().map_err(|error| broken(file, &error))?.clone();
        Ok(Self { file: file.to_owned(), header, reader, record: csv::StringRecord::new() })
    }

    /// The column of that name, if it is there.
    pub fn find(&self, name: &str) -> Option<Column> {
        self.header.iter().position(|column| column.eq_ignore_ascii_case(name)).map(Column)
    }

    /// The column of that name, which has to be there.
    pub fn column(&self, name: &str) -> Result<Column, Report> {
        self.find(name).ok_or_else(|| {
            let found = self.header.iter().take(8).collect::<Vec<_>>().join(", ");
            let file = self.file.display();
            Report::new(Code::BadTrace, format!("{file}:1: expected a column {name}, found {found}"))
        })
    }

    /// The next row; `None` at the end.
    pub fn next(&mut self) -> Result<Option<Row<'_>>, Report> {
        let more = self.reader.read_record(&mut self.record).map_err(|error| broken(&self.file, &error))?;
        let row = Row { rows: self };
        if row.rows.record.as_slice().len() > LONGEST_ROW_BYTES {
            let what =
                format!("{}:{}: a row is longer than {LONGEST_ROW_BYTES} bytes", row.file(), row.line());
            return Err(Report::new(Code::BadTrace, what));
        }
        Ok(more.then_some(row))
    }
}

impl Row<'_> {
    /// What stands there, not empty.
    pub fn text(&self, column: Column) -> Result<&str, Report> {
        match self.rows.record.get(column.0) {
            Some(text) if !text.is_empty() => Ok(text),
            _ => Err(self.wrong(column, "a value")),
        }
    }

    /// A finite number of at least zero.
    pub fn number(&self, column: Column) -> Result<f64, Report> {
        let number = self.text(column)?.parse::<f64>().ok();
        number.filter(|n| n.is_finite() && *n >= 0.0).ok_or_else(|| self.wrong(column, "a number, 0 or more"))
    }

    /// An error about what stands there.
    pub fn wrong(&self, column: Column, expected: &str) -> Report {
        let (file, line) = (self.file(), self.line());
        let name = self.rows.header.get(column.0).unwrap_or("?");
        let found = self.rows.record.get(column.0).map_or_else(|| "nothing".to_owned(), |s| format!("{s:?}"));
        let what = format!("{file}:{line}, column {name}: expected {expected}, found {found}");
        Report::new(Code::BadTrace, what)
    }

    fn file(&self) -> std::path::Display<'_> {
        self.rows.file.display()
    }

    fn line(&self) -> u64 {
        self.rows.record.position().map_or(0, csv::Position::line)
    }
}

/// A file that cannot be opened or read.
pub fn unreadable(file: &Path, error: &std::io::Error) -> Report {
    Report::new(Code::BadTrace, format!("could not read {}: {error}", file.display()))
}

fn broken(file: &Path, error: &csv::Error) -> Report {
    let line = error.position().map_or(1, csv::Position::line);
    Report::new(Code::BadTrace, format!("{}:{line}: not CSV: {error}", file.display()))
}
