//! Lines for people. What is logged and raised is as awslambdaric 4.2 writes it where Lambda's format is text (`bootstrap.py`): an error
//! that nobody caught is one line for the log, whose own lines are parted by carriage returns and begin with spaces that do not break.

use modelet_core::error::Raised;
use modelet_core::moment;

use crate::log::entry::{Entry, Stream};

const NO_BREAK_SPACE: &str = "\u{a0}";

/// What is written of an entry, and where.
pub(super) fn written(entry: &Entry) -> (Stream, String) {
    if entry.is_own() || entry.is_printed() {
        return (entry.to, format!("{}\n", entry.message));
    }
    let text = match &entry.raised {
        Some(raised) if entry.logger.is_none() => uncaught(raised),
        _ => {
            let at = moment::rfc3339(entry.at_ms);
            format!("[{}]\t{at}\t{}\t{}\n", entry.level, entry.call(), entry.message)
        }
    };
    (Stream::Stdout, text)
}

fn uncaught(raised: &Raised) -> String {
    let named = [&raised.kind, &raised.message].map(String::as_str);
    let named: Vec<&str> = named.into_iter().filter(|part| !part.is_empty()).collect();
    let mut lines =
        vec![format!("[ERROR] {}", named.join(": ")), "Traceback (most recent call last):".to_owned()];
    for line in raised.stack.iter().flat_map(|frame| frame.lines()) {
        let text = line.trim_start_matches(' ');
        lines.push(NO_BREAK_SPACE.repeat(line.len() - text.len()) + text);
    }
    lines.join("\r") + "\n"
}
