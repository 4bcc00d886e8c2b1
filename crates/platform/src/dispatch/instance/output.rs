//! What an instance prints, on its way to the log. One that prints too much waits in its `write`: nothing is dropped, and the
//! disk and the places in the log that all functions share are not one tenant's.

use std::sync::Arc;
use std::time::Duration;

use modelet_core::instance::{RECORD_START, Record};
use modelet_worker::OutputLine;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::Instance;
use crate::dispatch::VersionDispatch;
use crate::store::logs::LogRecord;

/// What one instance may print in the long run.
const BYTES_PER_S: f64 = 1_048_576.0;
/// It may be ahead of that by so much.
const AHEAD: Duration = Duration::from_secs(4);
/// A line takes a row of the log beside its text.
const ROW_BYTES: usize = 128;

/// Keeps all that it prints, until it has ended.
pub(super) async fn keep(
    instance: Arc<Instance>,
    version: Arc<VersionDispatch>,
    mut lines: mpsc::Receiver<OutputLine>,
) {
    let shared = &version.shared;
    let mut pace = Pace { due: Instant::now() };
    let mut held_up = false;
    while let Some(mut line) = lines.recv().await {
        let (level, named) = match record(&line.text) {
            Some(record) => {
                line.text = record.message;
                (Some(record.level), record.invocation)
            }
            None => (None, None),
        };
        if let Some(redactor) = instance.redactor.get() {
            line.text = redactor.redact(line.text);
        }
        let invocation = instance.note(&line, named);
        let due = pace.count(line.text.len(), Instant::now());
        let record = LogRecord::Line {
            at_ms: shared.clock.unix_ms(),
            version: version.entry.version,
            instance: instance.id.clone(),
            invocation,
            stream: line.stream.as_str().to_owned(),
            level,
            text: line.text,
        };
        shared.logs.write(&version.entry.card.name, record).await;
        if due > Instant::now() {
            if !held_up {
                let text = "prints more than 1 MiB a second: from now on it waits while it prints".to_owned();
                version.log_event(&instance, text).await;
            }
            held_up = true;
            tokio::time::sleep_until(due).await;
        }
    }
}

/// The record in a line; `None` where it is plain text.
fn record(line: &str) -> Option<Record> {
    serde_json::from_str(line.strip_prefix(RECORD_START)?).ok()
}

/// How far its output is ahead.
struct Pace {
    due: Instant,
}

impl Pace {
    /// Counts a line; the next one is due at the time that comes back.
    fn count(&mut self, bytes: usize, now: Instant) -> Instant {
        let cost = Duration::from_secs_f64((bytes + ROW_BYTES) as f64 / BYTES_PER_S);
        self.due = self.due.max(now) + cost;
        self.due.checked_sub(AHEAD).unwrap_or(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_let_through_and_then_it_is_a_megabyte_a_second() {
        let begin = Instant::now();
        let mut pace = Pace { due: begin };
        let mut at = |s: u64| pace.count((1 << 20) - ROW_BYTES, begin + Duration::from_secs(s));
        for _ in 0..4 {
            assert!(at(0) <= begin);
        }
        assert_eq!(at(0), begin + Duration::from_secs(1));
        assert_eq!(at(1), begin + Duration::from_secs(2));
        assert!(at(100) < begin + Duration::from_secs(100), "and after a rest, a burst again");
    }
}
