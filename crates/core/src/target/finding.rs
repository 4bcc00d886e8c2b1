//! What is found out about a function that is to leave this machine.

use serde::Serialize;

use super::limits::Limit;
use crate::error::FunctionError;

/// How much a finding matters, the heaviest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// The function, or calls of it, would fail there.
    Breaks,
    /// It may fail there, or behave otherwise than here.
    Warning,
    /// Worth knowing.
    Note,
    /// It was looked at, and nothing is wrong.
    Ok,
}

impl Verdict {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Breaks => "breaks",
            Self::Warning => "warning",
            Self::Note => "note",
            Self::Ok => "ok",
        }
    }
}

/// What a finding is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum About {
    /// How large files and packages are.
    Size,
    /// Libraries and programs that the host has to run.
    Binaries,
    /// What `modelet.toml` asks for.
    Settings,
    /// Variables of the environment.
    Variables,
    /// Secrets.
    Secrets,
    /// How an instance starts.
    Start,
    /// What a call took.
    Call,
    /// What an instance held.
    Memory,
    /// How large requests and answers are.
    Payload,
    /// Files that code writes.
    Writes,
    /// Others that code speaks to.
    Network,
    /// Memory that processes share.
    SharedMemory,
    /// Files of the machine that code asks for.
    Machine,
    /// Programs that code starts.
    Programs,
    /// Calls at the same time.
    Concurrency,
    /// Answers that come in pieces.
    Streams,
    /// Websockets.
    Websockets,
    /// What of the target is not as there.
    There,
}

impl About {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Size => "size",
            Self::Binaries => "binaries",
            Self::Settings => "settings",
            Self::Variables => "variables",
            Self::Secrets => "secrets",
            Self::Start => "start",
            Self::Call => "call",
            Self::Memory => "memory",
            Self::Payload => "payload",
            Self::Writes => "writes",
            Self::Network => "network",
            Self::SharedMemory => "shared-memory",
            Self::Machine => "machine",
            Self::Programs => "programs",
            Self::Concurrency => "concurrency",
            Self::Streams => "streams",
            Self::Websockets => "websockets",
            Self::There => "there",
        }
    }
}

/// What a finding is measured by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rule {
    /// The limit, in words.
    pub rule: String,
    /// Where it is from.
    pub source: &'static str,
}

/// One thing that was found out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How much it matters.
    pub verdict: Verdict,
    /// What it is about.
    pub about: About,
    /// What was found.
    pub what: String,
    /// Where: lines of files, paths.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub places: Vec<String>,
    /// What it is measured by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<Rule>,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
}

impl Finding {
    /// One without a place, a limit and anything to do.
    pub fn new(verdict: Verdict, about: About, what: impl Into<String>) -> Self {
        Self { verdict, about, what: what.into(), places: vec![], limit: None, fix: None }
    }

    /// What a refusal says: what follows its first line are places.
    pub fn refused(about: About, error: &FunctionError) -> Self {
        let mut lines = error.message.lines().map(|line| line.trim().to_owned());
        let what = lines.next().unwrap_or_default();
        let finding = Self::new(Verdict::Breaks, about, what).at(lines);
        error.hint.iter().fold(finding, Finding::fix)
    }

    /// With places.
    #[must_use]
    pub fn at(mut self, places: impl IntoIterator<Item = String>) -> Self {
        self.places.extend(places);
        self
    }

    /// With what it is measured by.
    #[must_use]
    pub fn by(mut self, limit: &Limit) -> Self {
        let unit = limit.of.unit();
        let space = if unit.is_empty() { "" } else { " " };
        self.limit = Some(Rule {
            rule: format!("{}: {}{space}{unit}", limit.of.name(), limit.value),
            source: limit.source,
        });
        self
    }

    /// With a rule that is no number.
    #[must_use]
    pub fn rule(mut self, rule: impl Into<String>, source: &'static str) -> Self {
        self.limit = Some(Rule { rule: rule.into(), source });
        self
    }

    /// With what to do.
    #[must_use]
    pub fn fix(mut self, fix: impl Into<String>) -> Self {
        self.fix = Some(fix.into());
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Code;
    use crate::target::Target;
    use crate::target::limits::Of;

    #[test]
    fn the_heaviest_comes_first() {
        let mut all = [Verdict::Ok, Verdict::Warning, Verdict::Breaks, Verdict::Note];
        all.sort();
        assert_eq!(all, [Verdict::Breaks, Verdict::Warning, Verdict::Note, Verdict::Ok]);
    }

    #[test]
    fn a_refusal_is_what_places_and_what_to_do() {
        let error =
            FunctionError::new(Code::PackagesRefused, "too large\n    12  torch\n     3  numpy").hint("less");
        let finding = Finding::refused(About::Size, &error);
        assert_eq!((finding.what.as_str(), finding.verdict), ("too large", Verdict::Breaks));
        assert_eq!(finding.places, ["12  torch", "3  numpy"]);
        assert_eq!(finding.fix.as_deref(), Some("less"));
    }

    #[test]
    fn a_limit_is_told_with_its_unit_and_its_source() {
        let bound = Target::AwsLambda.bound(Of::Unzipped).unwrap();
        let rule = Finding::new(Verdict::Ok, About::Size, "").by(bound).limit.unwrap();
        assert_eq!(rule.rule, "files and packages, unzipped: 262144000 bytes");
        assert!(rule.source.contains("Lambda quotas"));
    }
}
