//! Lines for people. What is logged and raised is as awslambdaric 4.2 writes it where Lambda's format is text (`bootstrap.py`): an error
//! that nobody caught is one line for the log, whose own lines are parted by carriage returns and begin with spaces that do not break.

use super::Entry;
use crate::error::Raised;
use crate::moment;

const NO_BREAK_SPACE: &str = "\u{a0}";

impl Entry {
    /// One or more whole lines; what was printed, and what is our own, as it is.
    pub fn text(&self) -> String {
        match &self.raised {
            _ if self.is_own() || self.is_printed() => format!("{}\n", self.message),
            Some(raised) if self.logger.is_none() => uncaught(raised),
            _ => {
                let at = moment::rfc3339(self.at_ms);
                format!("[{}]\t{at}\t{}\t{}\n", self.level, self.call(), self.message)
            }
        }
    }
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
