//! One thing that is said in a log: a line that a process printed, a record of the Python worker's, or what the runtime says itself.
//!
//! - [`text`](Entry::text): as people read it

mod text;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::error::Raised;
use crate::name::InvocationId;

/// What a line begins with that is a record: RS, as in JSON text sequences (RFC 7464).
const RECORD_START: char = '\u{1e}';
/// Whose records are our own.
const OWN: &str = "modelet";

/// The levels, the least first, by the names that Lambda and Python have for them.
const LEVELS: [&[&str]; 5] =
    [&["DEBUG", "TRACE"], &["INFO"], &["WARNING", "WARN"], &["ERROR"], &["CRITICAL", "FATAL"]];

/// The place of a level among all that everybody knows, the least first; in capital letters or small ones.
pub fn rank(level: &str) -> Option<usize> {
    LEVELS.iter().position(|names| names.iter().any(|name| name.eq_ignore_ascii_case(level)))
}

/// How much something matters that the runtime says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// For whoever looks closely.
    Info,
    /// Something is not as it should be.
    Warning,
    /// Something failed.
    Error,
}

impl Level {
    /// Its place among all levels.
    pub const fn rank(self) -> usize {
        match self {
            Self::Info => 1,
            Self::Warning => 2,
            Self::Error => 3,
        }
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Info => "INFO",
            Self::Warning => "WARNING",
            Self::Error => "ERROR",
        }
    }
}

/// Which of the two outputs of a process.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stream {
    /// Standard output.
    #[default]
    Stdout,
    /// Standard error.
    Stderr,
}

impl Stream {
    /// The name in records.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
        }
    }
}

/// What is said. The members beyond the first three are those of the worker's records (`python/worker/modelet_worker/records.py`).
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Entry {
    /// How much it matters: `INFO`, `ERROR` and so on, or a level of the user's own.
    pub level: String,
    /// The call that it belongs to.
    #[serde(default)]
    pub invocation: Option<InvocationId>,
    /// Its text, a traceback included.
    pub message: String,
    /// When, milliseconds since 1970.
    #[serde(default)]
    pub at_ms: u64,
    /// Where it was printed.
    #[serde(default)]
    pub to: Stream,
    /// Whose it is, where it was logged. What was printed has none, and what is in a form of the user's own.
    #[serde(default)]
    pub logger: Option<String>,
    /// The standard level that is nearest to one of the user's own.
    #[serde(default)]
    pub counts_as: Option<String>,
    /// The message without its traceback, or the object that was logged.
    #[serde(default)]
    pub said: Option<Value>,
    /// `file:function:line` of what was logged with an error.
    #[serde(default)]
    pub location: Option<String>,
    /// What the user's code gave along.
    #[serde(default)]
    pub fields: Map<String, Value>,
    /// The error that it is about; without a logger nobody caught it.
    #[serde(default)]
    pub raised: Option<Raised>,
}

impl Entry {
    /// What the runtime says itself, at this moment: milliseconds since 1970.
    pub fn own(level: Level, text: &str, at_ms: u64) -> Self {
        Self {
            level: level.as_str().to_owned(),
            message: text.to_owned(),
            at_ms,
            to: Stream::Stderr,
            logger: Some(OWN.to_owned()),
            ..Self::default()
        }
    }

    /// The record that a line is; `None` for one that was printed.
    pub fn record(line: &str) -> Option<Self> {
        serde_json::from_str(line.strip_prefix(RECORD_START)?).ok()
    }

    /// What a line is that was read at this moment: a record, or else a text that was printed.
    pub fn of_line(to: Stream, line: String, at_ms: u64) -> Self {
        Self::record(&line).unwrap_or_else(|| Self::printed(to, line, at_ms))
    }

    /// A text that was printed, and read at this moment.
    pub fn printed(to: Stream, message: String, at_ms: u64) -> Self {
        let level = if to == Stream::Stderr { Level::Warning } else { Level::Info };
        Self { level: level.as_str().to_owned(), message, at_ms, to, ..Self::default() }
    }

    /// True for what the runtime or the worker says.
    pub fn is_own(&self) -> bool {
        self.logger.as_deref() == Some(OWN)
    }

    /// True for what was printed, or has the form that the user's code gave it.
    pub fn is_printed(&self) -> bool {
        self.logger.is_none() && self.raised.is_none()
    }

    /// True for a text that is an object of JSON: the form is the user's own, and the place that it is for knows it.
    pub fn is_object(&self) -> bool {
        let text = self.message.trim();
        text.starts_with('{') && serde_json::from_str::<Map<String, Value>>(text).is_ok()
    }

    /// The call, as a text; empty where it is of none.
    pub fn call(&self) -> &str {
        self.invocation.as_ref().map_or("", |id| id.0.as_str())
    }

    /// Its level, by a name that everybody knows.
    pub fn standard_level(&self) -> &str {
        self.counts_as.as_deref().unwrap_or(&self.level)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_ranked() {
        for level in [Level::Info, Level::Warning, Level::Error] {
            assert_eq!(rank(level.as_str()), Some(level.rank()));
        }
        assert_eq!((rank("trace"), rank("Fatal"), rank("loud")), (Some(0), Some(4), None));
    }

    #[test]
    fn a_line_is_a_record_or_was_printed() {
        let entry = |line: &str| Entry::of_line(Stream::Stderr, line.to_owned(), 7);
        let record =
            entry("\u{1e}{\"level\": \"INFO\", \"invocation\": null, \"message\": \"a\\nb\", \"at_ms\": 3}");
        assert_eq!((record.message.as_str(), record.at_ms, record.to), ("a\nb", 3, Stream::Stdout));
        for line in ["plain", "\u{1e}{\"level\"", "{\"level\": \"INFO\", \"message\": \"a\"}"] {
            let printed = entry(line);
            assert_eq!((printed.message.as_str(), printed.at_ms), (line, 7));
            assert_eq!(
                (printed.level.as_str(), printed.to, printed.is_printed()),
                ("WARNING", Stream::Stderr, true)
            );
        }
    }
}
