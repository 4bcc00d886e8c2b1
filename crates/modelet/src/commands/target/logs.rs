//! `modelet logs --to`: the last records of a log at a target, and those that come.

use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;
use modelet_cloud::Target;
use modelet_cloud::target::LogLine;
use modelet_core::Code;

use super::{Connected, connected, with};
use crate::cli::target::To;
use crate::cli::{Common, Logs};
use crate::output;
use crate::report::Report;

/// How far back the log is shown where nothing is said, milliseconds.
const SPAN_MS: u64 = 3_600_000;
/// How long a follower waits between two looks.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// Records of one look of a follower.
const LINES_OF_A_LOOK: usize = 10_000;
/// A record may come so much later than one that was written after it by another instance, milliseconds.
const LATE_MS: i64 = 30_000;

pub async fn run(common: &Common, to: &To, logs: &Logs) -> Result<(), Report> {
    if logs.level.is_some() || logs.call.is_some() {
        let hint = match to {
            To::Platform(_) => "say which platform by --server URL, in the place of --to",
            To::Cloud(_) => "take --json and jq: records of AWS Lambda are JSON",
        };
        return Err(
            Report::new(Code::BadInput, "the log of a target is not sought by level or call yet").hint(hint)
        );
    }
    let target = connected(common, &logs.elsewhere).await?;
    let span = i64::try_from(logs.since.unwrap_or(SPAN_MS)).unwrap_or(i64::MAX);
    let mut seen = Seen::since(Timestamp::now().as_millisecond().saturating_sub(span).max(0));
    let most = if logs.follow { LINES_OF_A_LOOK.max(logs.lines) } else { logs.lines };
    let mut lines = seen.news(look(&target, logs, &seen, most).await?);
    print(common, &lines.split_off(lines.len().saturating_sub(logs.lines)));
    if !logs.follow {
        return Ok(());
    }
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        print(common, &seen.news(look(&target, logs, &seen, LINES_OF_A_LOOK).await?));
    }
}

async fn look(target: &Connected, logs: &Logs, seen: &Seen, most: usize) -> Result<Vec<LogLine>, Report> {
    Ok(with!(target, target => target.logs(&logs.name, seen.since_ms, most).await?))
}

fn print(common: &Common, lines: &[LogLine]) {
    for line in lines {
        if common.json {
            output::line(serde_json::to_string(line).unwrap_or_default());
        } else {
            let (at, text) = (output::moment(line.at_ms), output::plain(line.text.trim_end()));
            output::line(format!("{at} {} {text}", line.instance));
        }
    }
}

/// What a follower has seen of a log.
struct Seen {
    /// Records from this moment on are looked at, milliseconds since 1970.
    since_ms: i64,
    /// When those were written that may be told again, by their ids.
    written: HashMap<String, i64>,
}

impl Seen {
    fn since(since_ms: i64) -> Self {
        Self { since_ms, written: HashMap::new() }
    }

    /// What is new in a look.
    fn news(&mut self, lines: Vec<LogLine>) -> Vec<LogLine> {
        let newest = lines.iter().map(|line| line.at_ms).max().unwrap_or(i64::MIN);
        let news: Vec<_> = lines
            .into_iter()
            .filter(|line| self.written.insert(line.id.clone(), line.at_ms).is_none())
            .collect();
        self.since_ms = self.since_ms.max(newest.saturating_sub(LATE_MS));
        self.written.retain(|_, at_ms| *at_ms >= self.since_ms);
        news
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(id: &str, at_ms: i64) -> LogLine {
        LogLine { id: id.to_owned(), at_ms, instance: String::new(), text: String::new() }
    }

    fn ids(lines: &[LogLine]) -> Vec<&str> {
        lines.iter().map(|line| &*line.id).collect()
    }

    #[test]
    fn a_record_is_shown_once_also_when_it_comes_late() {
        let mut seen = Seen::since(1_000);
        assert_eq!(ids(&seen.news(vec![line("a", 2_000), line("b", 90_000)])), ["a", "b"]);
        assert_eq!(seen.since_ms, 60_000, "a late one is still looked for");
        assert_eq!(seen.written.len(), 1, "what is not told again is forgotten");
        assert_eq!(
            ids(&seen.news(vec![line("late", 70_000), line("b", 90_000), line("c", 90_000)])),
            ["late", "c"]
        );
        assert!(seen.news(vec![line("late", 70_000), line("b", 90_000), line("c", 90_000)]).is_empty());
        assert!(seen.news(vec![]).is_empty());
        assert_eq!(seen.since_ms, 60_000);
    }
}
