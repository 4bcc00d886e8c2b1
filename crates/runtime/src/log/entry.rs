//! One thing that is said: by the code beside this process, in a line or a record of its worker, or by this process itself.

use std::time::{SystemTime, UNIX_EPOCH};

use modelet_core::InvocationId;
use modelet_core::error::Raised;
use modelet_core::instance::RECORD_START;
use serde::Deserialize;
use serde_json::{Map, Value};

/// Whose records are our own.
pub(super) const OWN: &str = "modelet";

/// How much something matters that this process says.
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
    const fn as_str(self) -> &'static str {
        match self {
            Self::Info => "INFO",
            Self::Warning => "WARNING",
            Self::Error => "ERROR",
        }
    }
}

/// Which of the two outputs of a process.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stream {
    /// Standard output.
    #[default]
    Stdout,
    /// Standard error.
    Stderr,
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
    /// What this process says itself.
    pub fn own(level: Level, text: &str) -> Self {
        Self {
            level: level.as_str().to_owned(),
            message: text.to_owned(),
            at_ms: now_ms(),
            to: Stream::Stderr,
            logger: Some(OWN.to_owned()),
            ..Self::default()
        }
    }

    /// What a line of a process beside this one is: a record, or else a text that it printed.
    pub fn of_line(to: Stream, line: String) -> Self {
        let record = line.strip_prefix(RECORD_START).and_then(|record| serde_json::from_str(record).ok());
        record.unwrap_or_else(|| {
            let level = if to == Stream::Stderr { Level::Warning } else { Level::Info };
            Self { level: level.as_str().to_owned(), message: line, at_ms: now_ms(), to, ..Self::default() }
        })
    }

    /// True for what this process or the worker says.
    pub(super) fn is_own(&self) -> bool {
        self.logger.as_deref() == Some(OWN)
    }

    /// True for what was printed, or has the form that the user's code gave it.
    pub(super) fn is_printed(&self) -> bool {
        self.logger.is_none() && self.raised.is_none()
    }

    /// True for a text that is an object of JSON: the form is the user's own, and the place that it is for knows it.
    pub(super) fn is_object(&self) -> bool {
        let text = self.message.trim();
        text.starts_with('{') && serde_json::from_str::<Map<String, Value>>(text).is_ok()
    }

    /// The call, as a text; empty where it is of none.
    pub(super) fn call(&self) -> &str {
        self.invocation.as_ref().map_or("", |id| id.0.as_str())
    }

    /// Its level, by a name that everybody knows.
    pub(super) fn standard_level(&self) -> &str {
        self.counts_as.as_deref().unwrap_or(&self.level)
    }
}

/// Now, milliseconds since 1970.
pub(super) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
