//! The order in which records are shown: a call behind what it printed, which comes by another way and may be later.

use std::collections::HashMap;

use modelet_core::InvocationId;
use modelet_platform::store::logs::{LogRecord, LogRow};

/// Rows that came in about the same moment, each call moved behind the last line that belongs to it.
pub fn calls_last(rows: Vec<LogRow>) -> Vec<LogRow> {
    let mut last_lines: HashMap<InvocationId, usize> = HashMap::new();
    for (at, row) in rows.iter().enumerate() {
        if let LogRecord::Line { invocation: Some(id), .. } = &row.record {
            last_lines.insert(id.clone(), at);
        }
    }
    let place = |at: usize, row: &LogRow| match &row.record {
        LogRecord::Invocation(call) => last_lines.get(&call.id).map_or(at, |last| at.max(*last)),
        _ => at,
    };
    let mut placed: Vec<_> = rows.into_iter().enumerate().map(|(at, row)| (place(at, &row), row)).collect();
    // Stable, and a line stands before the calls that were moved behind it.
    placed.sort_by_key(|(place, row)| (*place, matches!(row.record, LogRecord::Invocation(_))));
    placed.into_iter().map(|(_, row)| row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(seq: i64, json: &str) -> LogRow {
        LogRow { seq, record: serde_json::from_str(json).unwrap() }
    }

    fn line(seq: i64, call: &str) -> LogRow {
        row(
            seq,
            &format!(
                r#"{{"kind":"line","at_ms":1,"version":1,"instance":"f-1-i1","invocation":{call},"stream":"stdout","text":"x"}}"#
            ),
        )
    }

    fn call(seq: i64, id: &str) -> LogRow {
        row(
            seq,
            &format!(
                r#"{{"kind":"invocation","id":{id},"function":"f","version":1,"instance":null,"arrived_at_ms":1,"protocol":"fn",
                "status":200,"outcome":"ok","code":null,"cold_start":false,
                "phases":{{"queue_ms":0.0,"start_ms":0.0,"handler_ms":0.0,"total_ms":0.0}},"request_bytes":0,"response_bytes":0}}"#
            ),
        )
    }

    #[test]
    fn a_call_stands_behind_what_it_printed_and_all_else_where_it_was() {
        let rows = vec![
            call(1, r#""a""#),
            line(2, r#""b""#),
            line(3, "null"),
            line(4, r#""a""#),
            call(5, r#""b""#),
            line(6, r#""a""#),
            call(7, r#""c""#),
        ];
        let order: Vec<i64> = calls_last(rows).iter().map(|row| row.seq).collect();
        assert_eq!(order, [2, 3, 4, 5, 6, 1, 7]);
    }
}
