//! What a run came to, as findings.

use http::StatusCode;
use modelet_core::ask::Ask;
use modelet_core::entry::Entry;
use modelet_core::target::asked::{Heard, LATE_CALL, LATE_START};
use modelet_core::target::finding::{About, Finding, Verdict};
use modelet_core::target::limits::Of;
use modelet_core::{ArtifactCard, Code, Target};
use serde::Serialize;

use super::course::{Call, Ran, Start};
use super::sample::Sample;
use crate::dev::text;
use crate::report::Report;

/// Lines of a failure that are shown.
const SHOWN_LINES: usize = 12;

/// What a worker's errors begin their advice with.
const NEXT: &str = "next: ";
/// What to do about a call that is refused.
const ANOTHER_CALL: &str = "give a call that it takes: --sample BODY, --at PATH";

/// What was measured, for machines.
#[derive(Debug, Default, Serialize)]
pub struct Measured {
    /// Until it was ready, milliseconds.
    pub load_ms: Option<f64>,
    /// The call, milliseconds.
    pub call_ms: Option<f64>,
    /// The most memory that it held, KiB.
    pub held_kib: u64,
    /// The call's body.
    pub request_bytes: Option<u64>,
    /// Its answer's.
    pub answer_bytes: Option<u64>,
}

/// What a run is read with.
pub struct Reading<'a> {
    /// The target.
    pub target: Target,
    /// What was run.
    pub card: &'a ArtifactCard,
    /// The call that it got.
    pub sample: Option<&'a Sample>,
    /// How long it was waited for until it was ready.
    pub waited_ms: u64,
    /// It was run with more memory than it asks for, since it had not enough of it.
    pub had_more_memory: bool,
}

impl Reading<'_> {
    /// What is found of it, and what was measured.
    pub fn findings(&self, ran: &Ran) -> (Vec<Finding>, Measured) {
        let mut measured = Measured { held_kib: ran.held_kib, ..Measured::default() };
        let failure = failure(ran);
        let failures = failures(ran, failure.as_deref());
        let mut found = self.target.of_asks(&heard(&ran.said), &failures, self.card.manifest.network);
        found.extend(self.of_words(ran, &found));
        let is_explained = found.iter().any(|finding| finding.verdict == Verdict::Breaks);
        if !ran.out_of_memory {
            found.extend(self.of_start(ran, is_explained, &mut measured));
            found.extend(self.of_call(ran, is_explained, &mut measured));
        }
        found.push(self.of_memory(ran));
        (found, measured)
    }

    fn of_memory(&self, ran: &Ran) -> Finding {
        let asked_mib = self.card.settings.memory_mib;
        // What met its limit and is not seen to hold so much, nor to have it in /tmp, held it for a moment.
        let held_it = self.had_more_memory && ran.held_kib + ran.tmp_kib <= asked_mib << 10;
        self.target.of_memory(asked_mib, ran.held_kib, ran.out_of_memory || held_it)
    }

    fn of_start(&self, ran: &Ran, is_explained: bool, measured: &mut Measured) -> Option<Finding> {
        let timeout_ms = self.card.settings.request_timeout_ms;
        match ran.start.as_ref()? {
            Start::Ready(ms) => {
                measured.load_ms = Some(*ms);
                Some(self.target.of_load(Some(*ms), self.waited_ms, timeout_ms))
            }
            Start::Late => Some(self.target.of_load(None, self.waited_ms, timeout_ms)),
            Start::Failed(_) if is_explained => None,
            Start::Failed(why) => {
                let finding = self.failed(About::Start, "it does not start", why);
                Some(finding.at(last_words(&ran.said)))
            }
        }
    }

    fn of_call(&self, ran: &Ran, is_explained: bool, measured: &mut Measured) -> Vec<Finding> {
        let (Some(call), Some(sample)) = (&ran.call, self.sample) else { return vec![] };
        let timeout_ms = self.card.settings.request_timeout_ms;
        let request_bytes = sample.body.len() as u64;
        measured.request_bytes = Some(request_bytes);
        let mut found: Vec<Finding> =
            self.target.of_payload(Of::Request, request_bytes).into_iter().collect();
        match call {
            Call::Late => found.push(self.target.of_call(None, timeout_ms)),
            Call::Answered { took_ms, status, body, in_pieces } if is_answer(*status) => {
                measured.call_ms = Some(*took_ms);
                measured.answer_bytes = Some(body.len() as u64);
                if !(*in_pieces && self.target.streams_without_limit()) {
                    found.extend(self.target.of_payload(Of::Answer, body.len() as u64));
                }
                found.push(self.target.of_call(Some(*took_ms), timeout_ms));
                found.extend((*in_pieces).then(|| self.target.of_stream()).flatten());
            }
            Call::Answered { status, body, .. } => {
                let report = Report::from_answer(status.as_u16(), body);
                let is_too_large = report.is(Code::BodyTooLarge) && !found.is_empty();
                if report.is(Code::ResponseTooLarge) {
                    found.push(self.too_large(report.message()));
                } else if !is_explained && !is_too_large {
                    let what = format!("the call is answered with {}", status.as_u16());
                    let finding = self.failed(About::Call, &what, report.message());
                    let is_of_call = status.is_client_error() && finding.fix.is_none();
                    found.push(if is_of_call { finding.fix(ANOTHER_CALL) } else { finding });
                }
            }
            Call::Failed(_) if is_explained => {}
            Call::Failed(why) => {
                found.push(self.failed(About::Call, "the call fails", why).at(last_words(&ran.said)));
            }
        }
        found
    }

    fn too_large(&self, message: &str) -> Finding {
        let finding = Finding::new(Verdict::Breaks, About::Payload, message)
            .fix("lay it into a storage and answer where it is, or answer in several calls");
        self.target.bound(Of::Answer).into_iter().fold(finding, Finding::by)
    }

    fn failed(&self, about: About, what: &str, why: &str) -> Finding {
        let (next, lines): (Vec<&str>, Vec<&str>) = why
            .lines()
            .map(str::trim_end)
            .filter(|line| !line.is_empty())
            .partition(|line| line.starts_with(NEXT));
        let mut lines = lines.into_iter();
        let first = lines.next().unwrap_or("it said nothing");
        let finding = Finding::new(Verdict::Breaks, about, format!("{what}: {first}"))
            .at(lines.take(SHOWN_LINES).map(str::to_owned));
        let said = next.first().map(|next| next.trim_start_matches(NEXT).to_owned());
        let fix = text::hint_of(why, Some(self.target)).or(said);
        fix.into_iter().fold(finding, Finding::fix)
    }

    /// What was printed of files that could not be written, by code that nobody could watch.
    fn of_words(&self, ran: &Ran, found: &[Finding]) -> Vec<Finding> {
        let (rule, source) = self.target.writable();
        let mut paths: Vec<&str> =
            ran.said.iter().filter_map(|entry| text::unwritable(&entry.message)).collect();
        paths.sort_unstable();
        paths.dedup();
        let is_known = |path: &str| {
            let named = |finding: &&Finding| finding.about == About::Writes;
            let bare = path.trim_start_matches("/modelet/artifact/files/").trim_start_matches("/modelet/");
            found.iter().filter(named).any(|finding| finding.what.contains(bare))
        };
        let finding = |path: &str| {
            Finding::new(
                Verdict::Warning,
                About::Writes,
                format!("{path} could not be written, says its output"),
            )
            .rule(rule, source)
            .fix("write below /tmp")
        };
        paths.into_iter().filter(|path| !is_known(path)).map(finding).collect()
    }
}

/// What a caller takes for an answer: also that it is somewhere else.
fn is_answer(status: StatusCode) -> bool {
    status.is_success() || status.is_redirection()
}

/// What it printed last, where no error says why it failed.
fn last_words(said: &[Entry]) -> Vec<String> {
    if said.iter().any(|entry| entry.raised.is_some()) {
        return vec![];
    }
    let printed = said.iter().filter(|entry| entry.is_printed()).flat_map(|entry| entry.message.lines());
    let printed: Vec<&str> = printed.collect();
    printed[printed.len().saturating_sub(SHOWN_LINES)..].iter().map(|line| (*line).to_owned()).collect()
}

/// What code asked for, and when.
fn heard(said: &[Entry]) -> Vec<Heard> {
    let heard = |entry: &Entry| Some(Heard { ask: Ask::told(entry)?, in_call: entry.invocation.is_some() });
    said.iter().filter_map(heard).collect()
}

/// What the start or the call failed with.
fn failure(ran: &Ran) -> Option<String> {
    match (&ran.start, &ran.call) {
        (Some(Start::Failed(why)), _) | (_, Some(Call::Failed(why))) => Some(why.clone()),
        (_, Some(Call::Answered { status, body, .. })) if !is_answer(*status) => {
            Some(String::from_utf8_lossy(body).into_owned())
        }
        (Some(Start::Late), _) => Some(LATE_START.to_owned()),
        (_, Some(Call::Late)) => Some(LATE_CALL.to_owned()),
        _ => None,
    }
}

/// The same, and the errors that its output has of it.
fn failures(ran: &Ran, failure: Option<&str>) -> Vec<String> {
    let Some(failure) = failure else { return vec![] };
    let raised = ran.said.iter().filter(|entry| entry.raised.is_some()).map(|entry| entry.message.clone());
    raised.chain([failure.to_owned()]).collect()
}
