//! Findings for people, the heaviest first, and for machines.

use modelet_core::target::finding::{Finding, Verdict};
use modelet_core::{FunctionName, Target};
use owo_colors::{OwoColorize, Stream};
use serde_json::{Value, json};

use super::ran::Measured;
use crate::output;

/// What was found.
pub struct Checked {
    /// The function.
    pub name: FunctionName,
    /// Where it is to go.
    pub target: Target,
    /// What was found, the heaviest first.
    pub findings: Vec<Finding>,
    /// What was measured.
    pub measured: Measured,
}

impl Checked {
    /// How many there are of a weight.
    pub fn count(&self, verdict: Verdict) -> usize {
        self.findings.iter().filter(|finding| finding.verdict == verdict).count()
    }

    /// The heaviest; what is only worth knowing weighs nothing.
    fn verdict(&self) -> Verdict {
        let weights = self.findings.iter().map(|finding| finding.verdict);
        weights.filter(|verdict| *verdict != Verdict::Note).min().unwrap_or(Verdict::Ok)
    }

    /// As JSON.
    pub fn to_json(&self) -> Value {
        json!({
            "function": self.name,
            "target": self.target.as_str(),
            "verdict": self.verdict(),
            "findings": self.findings,
            "measured": self.measured,
            "not_as_there": self.target.not_imposed(),
        })
    }

    /// Prints them for people.
    pub fn print(&self) {
        output::line(format!("{} for {}", self.name, self.target.title()));
        self.findings.iter().for_each(print);
        for words in self.target.not_imposed() {
            output::line(format!("{:<8} {:<13} {words}", Verdict::Note.as_str(), "not as there"));
        }
    }

    /// All of it in one sentence.
    pub fn sum(&self) -> String {
        let there = self.target.title();
        match (self.count(Verdict::Breaks), self.count(Verdict::Warning)) {
            (0, 0) => format!("nothing was found that would break it on {there}"),
            (0, may) => format!("nothing was found that would break it on {there}; {} may", things(may)),
            (breaks, 0) => format!("{} would break it on {there}", things(breaks)),
            (breaks, may) => format!("{} would break it on {there}, {} may", things(breaks), things(may)),
        }
    }
}

fn things(count: usize) -> String {
    if count == 1 { "1 thing".to_owned() } else { format!("{count} things") }
}

fn print(finding: &Finding) {
    let word = format!("{:<8}", finding.verdict.as_str());
    let word = match finding.verdict {
        Verdict::Breaks => word.if_supports_color(Stream::Stdout, |word| word.red()).to_string(),
        Verdict::Warning => word.if_supports_color(Stream::Stdout, |word| word.yellow()).to_string(),
        Verdict::Ok => word.if_supports_color(Stream::Stdout, |word| word.green()).to_string(),
        Verdict::Note => word,
    };
    output::line(format!("{word} {:<13} {}", finding.about.as_str(), output::plain(&finding.what)));
    let below =
        |name: &str, text: &str| output::line(format!("{:<22} {name:<6} {}", "", output::plain(text)));
    for (at, place) in finding.places.iter().enumerate() {
        below(if at == 0 { "where" } else { "" }, place);
    }
    if let Some(limit) = finding.limit.as_ref().filter(|_| finding.verdict != Verdict::Ok) {
        below("limit", &format!("{} ({})", limit.rule, limit.source));
    }
    if let Some(fix) = &finding.fix {
        below("next", fix);
    }
}
