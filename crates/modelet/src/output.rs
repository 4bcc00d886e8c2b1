//! Data on standard output, talk on standard error.

use std::io::{self, IsTerminal, Write};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use comfy_table::{Table, presets};
use indicatif::{ProgressBar, ProgressStyle};
use owo_colors::{OwoColorize, Stream};
use serde::Serialize;
use tokio::task::AbortHandle;

/// Prints data as one JSON document.
pub fn json(value: &impl Serialize) {
    // What we print is plain data, which always becomes JSON. A closed pipe is the reader's choice.
    let text = serde_json::to_string_pretty(value).unwrap_or_default();
    let _ = writeln!(io::stdout(), "{text}");
}

/// Prints a line of data.
pub fn line(text: impl std::fmt::Display) {
    // A closed pipe is the reader's choice.
    let _ = writeln!(io::stdout(), "{text}");
}

/// Text that came from elsewhere (a model's names, an instance's output), without what would move a terminal's cursor.
pub fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\t' { '\u{fffd}' } else { c }).collect()
}

/// Prints a table without frames.
pub fn table(head: &[&str], rows: impl IntoIterator<Item = Vec<String>>) {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(head.iter().map(|cell| cell.to_uppercase()));
    for row in rows {
        table.add_row(row.iter().map(|cell| plain(cell)));
    }
    for text in table.lines() {
        line(text.trim_end());
    }
}

/// A line of a card: a word, and what there is to say about it.
pub fn card_line(word: &str, text: impl std::fmt::Display) {
    let padded = format!("{word:<9} ");
    let text = plain(&text.to_string());
    line(format!("  {}{text}", padded.if_supports_color(Stream::Stdout, |word| word.bold())));
}

/// Tells what is going on, on standard error.
pub fn say(text: impl std::fmt::Display) {
    eprintln!("{text}");
}

/// Something that takes a while: a spinner on a terminal, a line elsewhere. Gone when it is dropped.
pub struct Progress {
    bar: ProgressBar,
    /// Tells what is still going on after a while.
    patience: Option<Mutex<Option<AbortHandle>>>,
}

/// What is done sooner is not worth a line where one looks on all the time.
const PATIENCE: Duration = Duration::from_secs(1);

impl Progress {
    /// Begins.
    pub fn start(text: impl Into<String>) -> Self {
        let text = text.into();
        if !io::stderr().is_terminal() {
            say(&text);
            return Self { bar: ProgressBar::hidden(), patience: None };
        }
        let bar = ProgressBar::new_spinner().with_message(text);
        if let Ok(style) = ProgressStyle::with_template("  {spinner} {msg} {elapsed:>.dim}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(100));
        Self { bar, patience: None }
    }

    /// One that is silent about all that takes less than a second. To be used within an async runtime.
    pub fn patient() -> Self {
        Self { bar: ProgressBar::hidden(), patience: Some(Mutex::default()) }
    }

    /// Goes on with something else.
    pub fn next(&self, text: impl Into<String>) {
        let text = text.into();
        match &self.patience {
            Some(telling) => {
                let later = tokio::spawn(async move {
                    tokio::time::sleep(PATIENCE).await;
                    say(format!("  … {text}"));
                });
                replace(telling, Some(later.abort_handle()));
            }
            None if self.bar.is_hidden() => say(&text),
            None => self.bar.set_message(text),
        }
    }
}

fn replace(telling: &Mutex<Option<AbortHandle>>, next: Option<AbortHandle>) {
    let mut telling = telling.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(last) = std::mem::replace(&mut *telling, next) {
        last.abort();
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(telling) = &self.patience {
            replace(telling, None);
        }
        self.bar.finish_and_clear();
    }
}

/// Bytes for people.
pub fn size(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{:.1} KB", bytes as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", bytes as f64 / 1e6),
        _ => format!("{:.2} GB", bytes as f64 / 1e9),
    }
}

/// A moment for people, in the local time zone.
pub fn moment(unix_ms: i64) -> String {
    let Ok(time) = jiff::Timestamp::from_millisecond(unix_ms) else { return unix_ms.to_string() };
    time.to_zoned(jiff::tz::TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S").to_string()
}
