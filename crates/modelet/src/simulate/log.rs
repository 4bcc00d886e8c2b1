//! Our own log, as `modelet logs NAME --json` prints it: a JSON document a line, of which calls count.
//!
//! A call takes as long as its instance worked on it. One that no instance had takes what a call is taken to take of which
//! nothing is known.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::time::Duration;

use modelet_core::{Code, InvocationRecord};
use modelet_platform::store::logs::{LogRecord, LogRow};

use super::rows::unreadable;
use super::source::Unsaid;
use super::trace::Recorder;
use crate::report::Report;

/// A line is never longer.
const LONGEST_LINE_BYTES: u64 = 1 << 20;

pub fn read(file: &Path, unsaid: Unsaid, recorder: &mut Recorder) -> Result<(), Report> {
    let open = File::open(file).map_err(|error| unreadable(file, &error))?;
    let mut reader = BufReader::new(open);
    let mut line = String::new();
    for number in 1_u64.. {
        line.clear();
        let mut limited = reader.by_ref().take(LONGEST_LINE_BYTES);
        if limited.read_line(&mut line).map_err(|error| unreadable(file, &error))? == 0 {
            break;
        }
        if line.trim().is_empty() {
            continue;
        }
        let row: LogRow = serde_json::from_str(&line).map_err(|error| {
            let place = format!("{}:{number}, column {}", file.display(), error.column());
            let what = format!("{place}: expected a line of `modelet logs NAME --json`: {error}");
            Report::new(Code::BadTrace, what)
        })?;
        if let LogRecord::Invocation(call) = row.record {
            record(&call, unsaid, recorder)?;
        }
    }
    Ok(())
}

fn record(call: &InvocationRecord, unsaid: Unsaid, recorder: &mut Recorder) -> Result<(), Report> {
    let name = call.function.as_str();
    let function = recorder.function(name, || name.to_owned())?;
    let measured = Duration::try_from_secs_f64(call.phases.handler_ms / 1e3).ok();
    let duration = measured.filter(|_| call.instance.is_some()).unwrap_or_else(|| unsaid.duration());
    recorder.call(function, call.arrived_at_ms.saturating_mul(1_000_000), duration)
}

#[cfg(test)]
mod tests {
    use modelet_core::record::{Outcome, Phases};
    use modelet_core::{FunctionName, InstanceId, InvocationId, Version};

    use super::super::source::{self, tests::NOTHING};
    use super::*;

    fn call(seq: i64, function: &str, arrived_at_ms: i64, handler_ms: f64, served: bool) -> LogRow {
        let record = InvocationRecord {
            id: InvocationId(format!("{seq:026}")),
            function: function.parse::<FunctionName>().unwrap(),
            version: Version(1),
            instance: served.then(|| InstanceId(format!("{function}-1-i1"))),
            arrived_at_ms,
            protocol: "fn".to_owned(),
            method: None,
            path: None,
            status: 200,
            outcome: Outcome::Ok,
            code: None,
            attempt: None,
            cold_start: false,
            started_from: None,
            billed_ms: 3,
            memory_mib: 128,
            cpu_ms: 2.0,
            phases: Phases { handler_ms, ..Phases::default() },
            request_bytes: 1,
            response_bytes: 1,
        };
        LogRow { seq, record: LogRecord::Invocation(record) }
    }

    fn read_lines(lines: &[String]) -> Result<super::super::trace::Trace, Report> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("log.jsonl");
        std::fs::write(&file, lines.join("\n")).unwrap();
        source::read(&[file], NOTHING)
    }

    #[test]
    fn calls_count_and_what_else_is_in_the_log_does_not() {
        let event = LogRecord::Event {
            at_ms: 5,
            version: Version(1),
            instance: InstanceId("a-1-i1".to_owned()),
            text: "ready".to_owned(),
        };
        let rows = [
            call(1, "a", 1_700_000_000_500, 2.5, true),
            LogRow { seq: 2, record: event },
            call(3, "b", 1_700_000_000_000, 0.0, false),
        ];
        let trace = read_lines(&rows.map(|row| serde_json::to_string(&row).unwrap())).unwrap();
        let calls: Vec<_> = trace.arrivals().map(|a| (a.at, a.function, a.duration)).collect();
        let us = Duration::from_micros;
        assert_eq!(calls, [(us(0), 1, us(100_000)), (us(500_000), 0, us(2_500))]);
        assert_eq!(trace.functions[0].name, "a");
    }

    #[test]
    fn a_line_of_something_else_is_named() {
        let good = serde_json::to_string(&call(1, "a", 0, 1.0, true)).unwrap();
        let error = read_lines(&[good, "{\"level\":\"info\"}".to_owned()]).unwrap_err();
        assert!(error.message().contains("log.jsonl:2, column "), "{}", error.message());
        assert!(error.message().contains("expected a line of `modelet logs NAME --json`"));
    }
}
