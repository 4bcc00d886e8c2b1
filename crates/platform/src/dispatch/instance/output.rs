//! What an instance prints, on its way to the log. One that prints too much waits in its `write`: nothing is dropped, and the
//! disk and the places in the log that all functions share are not one tenant's.
//!
//! A client that wants to hear what was said of its call gets it with its answer. What was printed before that was sent is in the
//! pipes by then: readers and keeper are asked to catch up, and nothing is waited for that may come or not.

use std::sync::Arc;
use std::time::Duration;

use modelet_core::InvocationId;
use modelet_core::entry::Entry;
use modelet_worker::output::{Asked, Asker};
use modelet_worker::{OutputLine, Readers};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};

use super::Instance;
use crate::dispatch::VersionDispatch;
use crate::store::logs::LogRecord;

/// What one instance may print in the long run.
const BYTES_PER_S: f64 = 1_048_576.0;
/// It may be ahead of that by so much.
const AHEAD: Duration = Duration::from_secs(4);
/// A line takes a row of the log beside its text.
const ROW_BYTES: usize = 128;
/// What is heard of one call at most: its last words.
const HEARD_BYTES: usize = 8 << 10;
/// An instance that prints without end, or faster than it may, is not waited for any longer.
const CATCH_UP_LIMIT: Duration = Duration::from_millis(250);

/// Those between an instance and the log.
pub(super) struct Output {
    readers: Readers,
    keeper: Asker,
}

impl Output {
    /// Those who read it, and whom they ask to keep what they read.
    pub(super) fn of(readers: Readers) -> (Self, Asked) {
        let (keeper, asked) = Asker::new();
        (Self { readers, keeper }, asked)
    }

    async fn catch_up(&self) {
        self.readers.catch_up().await;
        self.keeper.done().await;
    }
}

/// What is said of the calls that somebody listens to.
#[derive(Default)]
pub(super) struct Heard(Vec<(InvocationId, String)>);

impl Heard {
    fn add(&mut self, call: Option<&InvocationId>, text: impl FnOnce() -> String) {
        let Some((_, heard)) = self.0.iter_mut().find(|(listened, _)| Some(listened) == call) else { return };
        heard.push_str(&text());
        let cut = heard.len().saturating_sub(HEARD_BYTES);
        heard.drain(..heard.ceil_char_boundary(cut));
    }

    fn take(&mut self, call: &InvocationId) -> String {
        let place = self.0.iter().position(|(listened, _)| listened == call);
        place.map(|place| self.0.swap_remove(place).1).unwrap_or_default()
    }
}

impl Instance {
    /// From here on somebody listens to what is said of a call.
    pub fn listen(&self, call: InvocationId) {
        self.diary().heard.0.push((call, String::new()));
    }

    /// What was said of a call up to now, and nobody listens any more: whole lines, as people read them.
    pub async fn heard(&self, call: &InvocationId) -> String {
        if let Some(output) = self.output.get() {
            // What comes later than that is in the log alone.
            let _ = timeout(CATCH_UP_LIMIT, output.catch_up()).await;
        }
        self.diary().heard.take(call)
    }

    /// Keeps the values of its secrets to itself.
    fn redacted(&self, text: String) -> String {
        match self.redactor.get() {
            Some(redactor) => redactor.redact(text),
            None => text,
        }
    }
}

/// Keeps all that it prints, until it has ended.
pub(super) async fn keep(
    instance: Arc<Instance>,
    version: Arc<VersionDispatch>,
    mut lines: mpsc::Receiver<OutputLine>,
    mut asked: Asked,
) {
    let shared = &version.shared;
    let mut pace = Pace { due: Instant::now() };
    let mut held_up = false;
    while let Some(line) = next(&mut lines, &mut asked).await {
        let at_ms = shared.clock.unix_ms();
        let record = Entry::record(&line.text);
        let level = record.as_ref().map(|record| record.level.clone());
        let printed = || Entry::printed(line.stream, line.text, u64::try_from(at_ms).unwrap_or(0));
        let entry = record.unwrap_or_else(printed);
        let text = instance.redacted(entry.message.clone());
        let invocation = instance.note(&text, entry.invocation.clone());
        instance.diary().heard.add(invocation.as_ref(), || instance.redacted(entry.text()));
        let due = pace.count(text.len(), Instant::now());
        let record = LogRecord::Line {
            at_ms,
            version: version.entry.version,
            instance: instance.id.clone(),
            invocation,
            stream: line.stream.as_str().to_owned(),
            level,
            text,
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

/// The next line. Whoever asks is told when there are no more for now.
async fn next(lines: &mut mpsc::Receiver<OutputLine>, asked: &mut Asked) -> Option<OutputLine> {
    loop {
        tokio::select! {
            biased;
            line = lines.recv() => return line,
            Some(done) = asked.recv() => drop(done.send(())),
        }
    }
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
    fn what_is_heard_of_a_call_is_its_own_and_its_last() {
        let call = |name: &str| InvocationId(name.to_owned());
        let mut heard = Heard::default();
        heard.0.push((call("a"), String::new()));
        heard.add(Some(&call("a")), || "one\n".to_owned());
        heard.add(Some(&call("b")), || unreachable!("nobody listens"));
        heard.add(None, || unreachable!("it is of no call"));
        heard.add(Some(&call("a")), || "é".repeat(HEARD_BYTES));
        let text = heard.take(&call("a"));
        assert!((HEARD_BYTES - 1..=HEARD_BYTES).contains(&text.len()) && text.chars().all(|c| c == 'é'));
        assert_eq!(heard.take(&call("a")), "");
    }

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
