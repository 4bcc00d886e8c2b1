//! How the records of the log read while somebody writes the function: a call in one line, output below its time.

use modelet_core::{InvocationRecord, Target, Version, target};
use modelet_platform::store::logs::{LogRecord, LogRow};

/// What an instance begins with that says why it could not load.
const NOT_LOADED: &str = "could not load: ";
/// What Python says of a file that cannot be written, with its path: by the disk, or where the platform is root by the file's owner.
const CANNOT_WRITE: [&str; 2] = ["Read-only file system: ", "Permission denied: "];

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

/// The version whose instance has printed a line.
pub fn version(row: &LogRow) -> Option<Version> {
    match &row.record {
        LogRecord::Line { version, .. } => Some(*version),
        _ => None,
    }
}

/// True for a line that says nothing but what a failure says.
pub fn tells(row: &LogRow, failure: &str) -> bool {
    let LogRecord::Line { text, invocation: None, .. } = &row.record else { return false };
    let first = text.lines().next().unwrap_or_default();
    failure.contains(first.strip_prefix(NOT_LOADED).unwrap_or(first).trim())
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

/// What there is to say beside a record: whose limit a call has met, or what to do about a file that cannot be written.
pub fn hint(row: &LogRow, target: Option<Target>) -> Option<String> {
    match &row.record {
        LogRecord::Invocation(InvocationRecord { code: Some(code), .. }) => {
            let target = target.filter(|_| target::is_met_by(*code))?;
            Some(format!("{code}: this is the limit of {}", target.title()))
        }
        LogRecord::Line { text, .. } => hint_of(text, target),
        _ => None,
    }
}

/// The same of a failure's message.
pub fn hint_of(text: &str, target: Option<Target>) -> Option<String> {
    let path = unwritable(text)?;
    let there = target.map_or_else(String::new, |target| format!(", as on {}", target.title()));
    Some(format!(
        "only what lies below /tmp can be written{there}: copy {path} to /tmp first and open the copy, or open it for reading (\"r\", \
         not \"r+\")"
    ))
}

/// The path that a text says could not be written, where it lies elsewhere than below /tmp.
pub fn unwritable(text: &str) -> Option<&str> {
    let path = CANNOT_WRITE.iter().find_map(|words| text.lines().find_map(|line| line.split_once(words)))?.1;
    let path = path.trim_start_matches([':', ' ', '\'', '"']).split(['\'', '"']).next()?;
    (path.starts_with('/') && !path.starts_with("/tmp/")).then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_cannot_be_written_is_named_with_what_to_do() {
        let python = "OSError: [Errno 30] Read-only file system: '/modelet/packages/pecab/words.bin'";
        let hint = |text| hint_of(text, Some(Target::AwsLambda));
        let said = hint(python).unwrap();
        assert!(said.contains("as on AWS Lambda: copy /modelet/packages/pecab/words.bin to /tmp"), "{said}");
        let said =
            hint("E\nPermissionError: [Errno 13] Permission denied: '/modelet/artifact/files/words.txt'")
                .unwrap();
        assert!(said.contains("copy /modelet/artifact/files/words.txt to"), "{said}");
        assert_eq!(hint("PermissionError: [Errno 13] Permission denied: '/tmp/x'"), None);
        assert_eq!(hint("No such file or directory: '/x'"), None);
    }
}
