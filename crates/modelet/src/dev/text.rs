//! How the records of the log read while somebody writes the function: a call in one line, output below its time.

use modelet_core::{InvocationRecord, Target};
use modelet_platform::store::logs::{LogRecord, LogRow};

/// What Python and others say of a file that cannot be written.
const READ_ONLY: &str = "Read-only file system";

/// The line of a record, without its time; `None` for what only machines want.
pub fn line(row: &LogRow, is_stale: bool) -> Option<String> {
    match &row.record {
        LogRecord::Invocation(record) => Some(call(record, is_stale)),
        LogRecord::Line { level, stream, text, .. } => {
            Some(format!("  {} {text}", level.as_ref().unwrap_or(stream)))
        }
        // What an instance ends by is told by its call or by the reload.
        LogRecord::Instance(_) | LogRecord::Event { .. } => None,
    }
}

/// When a record was made, milliseconds since 1970.
pub fn moment(row: &LogRow) -> i64 {
    match &row.record {
        LogRecord::Invocation(record) => record.arrived_at_ms,
        LogRecord::Line { at_ms, .. } | LogRecord::Event { at_ms, .. } => *at_ms,
        LogRecord::Instance(record) => record.at_ms,
    }
}

/// `POST /fn/app 200 3.2 ms @2 (cold: 41.0 ms)`
fn call(record: &InvocationRecord, is_stale: bool) -> String {
    let asked = match (&record.method, &record.path) {
        (Some(method), Some(path)) => format!("{method} {path}"),
        // An attempt of an asynchronous invocation has no request of its own.
        _ => record.protocol.clone(),
    };
    let attempt = record.attempt.map_or_else(String::new, |attempt| format!(" attempt {attempt}"));
    let phases = &record.phases;
    let mut text =
        format!("{asked}{attempt} {} {:.1} ms @{}", record.status, phases.total_ms, record.version);
    if record.cold_start {
        text.push_str(&format!(" (cold: {:.1} ms)", phases.start_ms + phases.load_ms));
    }
    if let Some(code) = record.code {
        text.push_str(&format!(" {code}"));
    }
    if is_stale {
        text.push_str(" by the last version that works, which is older than the files");
    }
    text
}

/// What to do about a failure that says that a file cannot be written, with its path.
pub fn hint(text: &str, target: Option<Target>) -> Option<String> {
    let line = text.lines().find(|line| line.contains(READ_ONLY))?;
    let path = line.split(READ_ONLY).nth(1)?.trim_matches([':', ' ', '\'', '"', ']', ')']);
    let path = path.split(['\'', '"']).next().filter(|path| path.starts_with('/')).unwrap_or("it");
    let there = target.map_or_else(String::new, |target| format!(", as on {}", target.title()));
    Some(format!(
        "only what lies below /tmp can be written{there}: copy {path} to /tmp first and open the copy, or open it for reading (\"r\", \
         not \"r+\")"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_cannot_be_written_is_named_with_what_to_do() {
        let python = "OSError: [Errno 30] Read-only file system: '/modelet/packages/pecab/words.bin'";
        let hint = |text| hint(text, Some(Target::AwsLambda));
        let said = hint(python).unwrap();
        assert!(said.contains("as on AWS Lambda: copy /modelet/packages/pecab/words.bin to /tmp"), "{said}");
        assert!(hint("mkdir: Read-only file system").unwrap().contains("copy it to /tmp"));
        assert_eq!(hint("No such file or directory: '/x'"), None);
    }
}
