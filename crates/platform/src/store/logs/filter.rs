//! Which records of a log somebody wants to see.

use modelet_core::entry::{self, Level};
use modelet_core::{InvocationId, Outcome};

use super::LogRecord;

/// What all records have to be that are shown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// They matter at least so much: a [`rank`](entry::rank).
    pub rank: Option<usize>,
    /// Of this call.
    pub call: Option<InvocationId>,
    /// Not from before this moment, milliseconds since 1970.
    pub from_ms: Option<i64>,
}

impl Filter {
    /// True for a record that is shown.
    pub fn shows(&self, record: &LogRecord) -> bool {
        self.from_ms.is_none_or(|from| at_ms(record) >= from)
            && self.call.as_ref().is_none_or(|wanted| call(record) == Some(wanted))
            && self.rank.is_none_or(|wanted| rank(record) >= wanted)
    }
}

fn at_ms(record: &LogRecord) -> i64 {
    match record {
        LogRecord::Invocation(call) => call.arrived_at_ms,
        LogRecord::Instance(instance) => instance.at_ms,
        LogRecord::Line { at_ms, .. } | LogRecord::Event { at_ms, .. } => *at_ms,
    }
}

fn call(record: &LogRecord) -> Option<&InvocationId> {
    match record {
        LogRecord::Invocation(call) => Some(&call.id),
        LogRecord::Line { invocation, .. } => invocation.as_ref(),
        LogRecord::Instance(_) | LogRecord::Event { .. } => None,
    }
}

/// A call matters by how it ended, a line by its level: what was printed has that of its stream, and a level of the user's own is
/// taken for `INFO`.
fn rank(record: &LogRecord) -> usize {
    match record {
        LogRecord::Invocation(call) => match call.outcome {
            Outcome::Ok => Level::Info,
            Outcome::Cancelled => Level::Warning,
            Outcome::FunctionError | Outcome::PlatformError => Level::Error,
        }
        .rank(),
        LogRecord::Line { level: Some(level), .. } => entry::rank(level).unwrap_or(Level::Info.rank()),
        LogRecord::Line { stream, .. } if stream == "stderr" => Level::Warning.rank(),
        LogRecord::Line { .. } | LogRecord::Instance(_) | LogRecord::Event { .. } => Level::Info.rank(),
    }
}

#[cfg(test)]
mod tests {
    use modelet_core::{InstanceId, Version};

    use super::*;

    fn line(at_ms: i64, call: Option<&str>, stream: &str, level: Option<&str>) -> LogRecord {
        LogRecord::Line {
            at_ms,
            version: Version(1),
            instance: InstanceId("i".into()),
            invocation: call.map(|call| InvocationId(call.into())),
            stream: stream.into(),
            level: level.map(str::to_owned),
            text: "text".into(),
        }
    }

    #[test]
    fn a_record_is_shown_that_is_all_that_is_wanted() {
        let records = [
            line(1, Some("a"), "stdout", None),
            line(2, Some("b"), "stderr", None),
            line(3, Some("a"), "stderr", Some("ERROR")),
            line(4, None, "stderr", Some("DEBUG")),
            line(5, Some("a"), "stderr", Some("NOTICE")),
        ];
        let shown = |filter: Filter| -> Vec<i64> {
            records.iter().filter(|record| filter.shows(record)).map(at_ms).collect()
        };
        let level = |level: &str| Filter { rank: entry::rank(level), ..Filter::default() };
        assert_eq!(shown(Filter::default()), [1, 2, 3, 4, 5]);
        assert_eq!(shown(level("debug")), [1, 2, 3, 4, 5]);
        assert_eq!(shown(level("info")), [1, 2, 3, 5]);
        assert_eq!(shown(level("WARN")), [2, 3]);
        assert_eq!(shown(level("critical")), [0; 0]);
        let of_a = Filter { call: Some(InvocationId("a".into())), from_ms: Some(2), ..Filter::default() };
        assert_eq!(shown(of_a), [3, 5]);
    }
}
