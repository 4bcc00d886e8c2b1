//! What the one who writes the function sees: as lines, or as one record of JSON for each.

use std::cell::RefCell;
use std::path::Path;
use std::time::Duration;

use modelet_core::handler::Layer;
use modelet_core::{FunctionName, Target, Version};
use modelet_platform::store::logs::LogRow;
use serde_json::{Value, json};

use super::text;
use crate::output;
use crate::report::Report;

/// How many files that changed are named.
const NAMED_FILES: usize = 3;

/// Where all of it is told.
pub struct Console {
    as_json: bool,
    target: Option<Target>,
    state: RefCell<State>,
}

/// What answers, and what is to answer next.
#[derive(Default)]
struct State {
    /// The version that answers.
    live: Option<Version>,
    /// True while files that have changed are made into the next.
    is_reloading: bool,
    /// Why the files cannot answer, while they cannot.
    failure: Option<String>,
    /// What a version has said that may come to nothing.
    held: Vec<LogRow>,
}

impl Console {
    /// Nothing was told yet.
    pub fn new(as_json: bool, target: Option<Target>) -> Self {
        Self { as_json, target, state: RefCell::default() }
    }

    /// True when it writes records.
    pub fn is_json(&self) -> bool {
        self.as_json
    }

    /// The platform is up. `not_imposed`: what of the target is not as there, in words.
    pub fn up(&self, url: &str, watched: &Path, data: &Path, not_imposed: &[String]) {
        let target = self.target;
        if self.as_json {
            let limits: Vec<Value> = target.map_or(&[][..], Target::limits).iter().map(limit).collect();
            let target = target.map(Target::as_str);
            return record(
                "up",
                json!({"url": url, "pid": std::process::id(), "watched": watched, "data": data, "target": target,
                "limits": limits, "not_imposed": not_imposed}),
            );
        }
        output::line(format!("modelet dev is up at {url}, and follows {}", watched.display()));
        if let Some(target) = target {
            output::card_line("as", format!("{}, whose limits hold here", target.title()));
            for words in not_imposed {
                output::card_line("", format!("not imposed: {words}"));
            }
        }
    }

    /// Files have changed: what comes of it is told next.
    pub fn reloading(&self) {
        self.state.borrow_mut().is_reloading = true;
    }

    /// A version answers, as has been told; what it has said till now is shown.
    pub fn answers(&self, version: Version) {
        let next = State { live: Some(version), ..State::default() };
        let held = self.state.replace(next).held;
        held.iter().for_each(|row| self.show(row));
    }

    /// Files have changed and answer now.
    pub fn reloaded(&self, what: &Reloaded<'_>) {
        self.tell_reloaded(what);
        self.answers(what.version);
    }

    fn tell_reloaded(&self, what: &Reloaded<'_>) {
        let Reloaded { name, version, changed, took, packages } = what;
        let ms = took.as_secs_f64() * 1e3;
        if self.as_json {
            let packages = packages.map(|layer| &layer.packages);
            return record(
                "reload",
                json!({"function": name, "version": version, "changed": changed, "took_ms": ms, "packages": packages}),
            );
        }
        let anew = packages.map_or_else(String::new, |layer| {
            format!("; packages anew: {}, {}", layer.packages.len(), output::size(layer.size_bytes))
        });
        output::line(format!("{} reloaded {name}@{version} in {ms:.0} ms: {}{anew}", now(), files(changed)));
    }

    /// Files have changed, and it makes no difference.
    pub fn unchanged(&self, name: &FunctionName, version: Version, changed: &[String]) {
        if self.as_json {
            record("unchanged", json!({"function": name, "version": version, "changed": changed}));
        } else {
            output::line(format!("{} {name}@{version} is of these files: {}", now(), files(changed)));
        }
        self.answers(version);
    }

    /// Files have changed, and cannot answer. `before`: what goes on answering, if something did.
    pub fn failed(&self, report: &Report, changed: &[String], before: Option<(&FunctionName, Version)>) {
        let held = {
            let mut state = self.state.borrow_mut();
            state.is_reloading = false;
            state.failure = Some(report.message().to_owned());
            std::mem::take(&mut state.held)
        };
        held.into_iter().for_each(|row| self.row(row));
        let hint = text::hint_of(report.message(), self.target);
        if self.as_json {
            let version = before.map(|(_, version)| version);
            let mut failed = report.to_json();
            failed["changed"] = json!(changed);
            failed["version"] = json!(version);
            failed["hint_of_target"] = json!(hint);
            return record("reload_failed", failed);
        }
        output::line(format!("{} not reloaded: {}", now(), files(changed)));
        report.print(false);
        if let Some(hint) = hint {
            output::say(format!("hint: {hint}"));
        }
        match before {
            Some((name, version)) => output::say(format!(
                "  {name}@{version} goes on answering; save a version that works to go on"
            )),
            None => output::say("  nothing answers yet; save a version that works to go on"),
        }
    }

    /// A record of the log. What a version says that is not live yet is shown once it is known what becomes of it: why it failed is
    /// told then, and once.
    pub fn row(&self, row: LogRow) {
        let mut state = self.state.borrow_mut();
        let is_of_next = text::version(&row).is_some_and(|version| Some(version) > state.live);
        if is_of_next && !self.as_json {
            if state.is_reloading {
                return state.held.push(row);
            }
            if state.failure.as_ref().is_some_and(|failure| text::tells(&row, failure)) {
                return;
            }
        }
        drop(state);
        self.show(&row);
    }

    fn show(&self, row: &LogRow) {
        if self.as_json {
            output::line(serde_json::to_string(row).unwrap_or_default());
        } else if let Some(text) = text::line(row, self.state.borrow().failure.is_some()) {
            let at = clock(text::moment(row));
            for (number, line) in text.lines().enumerate() {
                // What belongs to a record stands below its first line.
                let indent = if number == 0 { at.as_str() } else { "           " };
                output::line(format!("{indent} {}", output::plain(line)));
            }
        }
        if let Some(hint) = text::hint(row, self.target) {
            if self.as_json {
                record("hint", json!({"text": hint}));
            } else {
                output::line(format!("           hint: {hint}"));
            }
        }
    }
}

/// What came of files that have changed.
pub struct Reloaded<'a> {
    /// The function.
    pub name: &'a FunctionName,
    /// The version that answers now.
    pub version: Version,
    /// The files.
    pub changed: &'a [String],
    /// From the first change that was seen until it answered.
    pub took: Duration,
    /// Its packages, where they are others than before.
    pub packages: Option<&'a Layer>,
}

fn limit(limit: &modelet_core::target::limits::Limit) -> Value {
    json!({"name": limit.of.name(), "value": limit.value, "unit": limit.of.unit(), "source": limit.source})
}

/// Prints a record of our own, in one line as those of the log.
fn record(kind: &str, mut content: Value) {
    content["kind"] = kind.into();
    content["at_ms"] = jiff::Timestamp::now().as_millisecond().into();
    output::line(content);
}

fn files(changed: &[String]) -> String {
    let named: Vec<&str> = changed.iter().take(NAMED_FILES).map(String::as_str).collect();
    let more = changed.len().saturating_sub(NAMED_FILES);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    output::plain(&format!("{}{more}", named.join(", ")))
}

fn now() -> String {
    clock(jiff::Timestamp::now().as_millisecond())
}

/// The time of the day: whoever looks on knows the date.
fn clock(unix_ms: i64) -> String {
    output::moment(unix_ms).split_once(' ').map_or_else(String::new, |(_, time)| time.to_owned())
}
