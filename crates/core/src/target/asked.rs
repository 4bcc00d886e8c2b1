//! What it means for a target that code asked its machine for something.

use super::Target;
use super::finding::{About, Finding, Verdict};
use crate::ask::{Ask, AskKind};
use crate::handler::PACKAGES_FOLDER;

/// What a start fails with that was not ready in time.
pub const LATE_START: &str = "it was not ready in time";
/// What a call fails with that was not answered in time.
pub const LATE_CALL: &str = "it was not answered in time";
/// How many things that the same line asked for are named.
const NAMED: usize = 3;
/// How failures say that nobody was reached, or that somebody was waited for.
const UNREACHED: [&str; 5] = [
    "name resolution",
    "Name or service not known",
    "Network is unreachable",
    "Max retries exceeded",
    "Connection refused",
];
/// How they say that a file could not be written.
const UNWRITABLE: [&str; 4] = ["Read-only file system", "Permission denied", "EROFS", "EACCES"];
/// How they say that there is no shared memory.
const UNSHARED: [&str; 3] = ["SemLock", "shm", "Function not implemented"];
/// Files of packages that try whether there is shared memory and do without it, and what that means.
const DO_WITHOUT: [(&str, &str); 1] = [(
    "packages/joblib/_multiprocessing_helpers.py",
    "joblib found no shared memory: what asks it for several processes is computed one after the other",
)];
/// Folders of the shipment, under the names that they have here.
const SHIPPED: [&str; 2] = [PACKAGES_FOLDER, "/modelet/artifact"];

/// What was asked for while it was run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    /// The thing.
    pub ask: Ask,
    /// True when a call asked for it, false when it was asked for at the start.
    pub in_call: bool,
}

/// What was heard of one kind from the same lines.
struct Group<'a> {
    kind: AskKind,
    lines: &'a [String],
    targets: Vec<&'a str>,
    in_call: bool,
}

impl Target {
    /// What was heard, as findings. `failures`: what the start or the call failed with; `network`: it was run with a network.
    pub fn of_asks(self, heard: &[Heard], failures: &[String], network: bool) -> Vec<Finding> {
        let finding = |group: &Group<'_>| match group.kind {
            AskKind::Write => Some(self.of_write(group, failures)),
            AskKind::Network => Some(of_network(group, failures, network)),
            AskKind::SharedMemory => self.of_shared_memory(group, failures),
            AskKind::Machine => self.of_machine(group, failures),
            AskKind::Program => self.of_program(group),
        };
        groups(heard).iter().filter_map(finding).collect()
    }

    fn of_write(self, group: &Group<'_>, failures: &[String]) -> Finding {
        let (rule, source) = self.writable();
        let breaks = group.is_told(failures, |failure, target| {
            failure.contains(bare(target)) && UNWRITABLE.iter().any(|words| failure.contains(words))
        });
        let and = if breaks { "which fails" } else { "and goes on when it cannot" };
        let what = format!("{} to write {}, {and}", group.when("tries"), group.named());
        let is_own = group.targets.iter().any(|target| !target.starts_with('/'));
        let fix = if is_own {
            "write a new file below /tmp; one that is there, open for reading (\"r\", not \"r+\"), or copy it to /tmp first and open the copy"
        } else {
            "write below /tmp; where a library decides, a variable in [env] of modelet.toml says where it keeps its cache"
        };
        group.finding(breaks, About::Writes, what).rule(rule, source).fix(fix)
    }

    fn of_shared_memory(self, group: &Group<'_>, failures: &[String]) -> Option<Finding> {
        let missing = self.missing().iter().find(|missing| missing.path == "/dev/shm")?;
        let rule = format!("{} has no {}", self.title(), missing.path);
        let does_without = |(file, _): &&(&str, &str)| group.lines.iter().any(|line| line.starts_with(file));
        if let Some((_, meaning)) = DO_WITHOUT.iter().find(does_without) {
            let finding = Finding::new(Verdict::Note, About::SharedMemory, *meaning);
            return Some(finding.at(group.lines.iter().cloned()).rule(rule, missing.source));
        }
        let breaks =
            group.is_told(failures, |failure, _| UNSHARED.iter().any(|words| failure.contains(words)));
        let what = format!("{} for {}", group.when("asks"), group.named());
        let fix = "use threads, or multiprocessing.Process with a Pipe, which need no shared memory; with joblib prefer=\"threads\"";
        Some(group.finding(breaks, About::SharedMemory, what).rule(rule, missing.source).fix(fix))
    }

    fn of_machine(self, group: &Group<'_>, failures: &[String]) -> Option<Finding> {
        let path = group.targets.first()?;
        let missing = self.missing().iter().find(|missing| path.starts_with(missing.path))?;
        let breaks = group.is_told(failures, |failure, target| failure.contains(target));
        let what = format!("{} for {}", group.when("asks"), group.named());
        let rule = format!("{} has no {}", self.title(), missing.path);
        let fix = "do without it, or expect that it is not there";
        Some(group.finding(breaks, About::Machine, what).rule(rule, missing.source).fix(fix))
    }

    fn of_program(self, group: &Group<'_>) -> Option<Finding> {
        if group.targets.iter().all(|program| SHIPPED.iter().any(|folder| program.starts_with(folder))) {
            return None;
        }
        let what = format!("{} the program {}", group.when("starts"), group.named());
        let fix = format!("{} may not have it: put it beside the code, or do without", self.title());
        Some(group.finding(false, About::Programs, what).fix(fix))
    }
}

fn of_network(group: &Group<'_>, failures: &[String], network: bool) -> Finding {
    let late = if group.in_call { LATE_CALL } else { LATE_START };
    let is_cause = |failure: &str, host: &str| {
        failure.contains(host) || failure == late || UNREACHED.iter().any(|words| failure.contains(words))
    };
    let breaks = group.is_told(failures, is_cause);
    let what = format!("{} to reach {}", group.when("tries"), group.named());
    let fix = match (network, group.in_call) {
        (false, _) if breaks => {
            "it was not seen to work: network = true in modelet.toml lets it be tried; or ship what it fetches with the function"
        }
        (_, false) => "each instance does that before its first call: ship what it fetches with the function",
        (_, true) => "calls fail and wait with whom they speak to: give that a time-out",
    };
    group.finding(breaks, About::Network, what).fix(fix)
}

impl Group<'_> {
    fn finding(&self, breaks: bool, about: About, what: String) -> Finding {
        let verdict = if breaks { Verdict::Breaks } else { Verdict::Warning };
        Finding::new(verdict, about, what).at(self.lines.iter().cloned())
    }

    /// Whether one of the failures is by what was asked for.
    fn is_told(&self, failures: &[String], is_cause: impl Fn(&str, &str) -> bool) -> bool {
        failures.iter().any(|failure| self.targets.iter().any(|target| is_cause(failure, target)))
    }

    fn when(&self, verb: &str) -> String {
        if self.in_call { format!("a call {verb}") } else { format!("its start {verb}") }
    }

    fn named(&self) -> String {
        let more = self.targets.len().saturating_sub(NAMED);
        let named = self.targets[..self.targets.len().min(NAMED)].join(", ");
        if more > 0 { format!("{named} and {more} more") } else { named }
    }
}

/// A path as a failure names it, whatever folder lies above.
fn bare(path: &str) -> &str {
    path.strip_prefix("packages/").unwrap_or(path)
}

/// What the same lines asked for, together; in the order in which it was heard. An address is left out where its line named the host.
fn groups(heard: &[Heard]) -> Vec<Group<'_>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    for Heard { ask, in_call } in heard {
        let same = |group: &&mut Group<'_>| {
            group.kind == ask.kind && group.in_call == *in_call && is_same(group.lines, &ask.lines)
        };
        match groups.iter_mut().find(same) {
            Some(group) if group.targets.iter().any(|target| is_named_by(target, &ask.target)) => {}
            Some(_) if ask.kind == AskKind::Network && is_address(&ask.target) => {}
            Some(group) => group.targets.push(&ask.target),
            None => groups.push(Group {
                kind: ask.kind,
                lines: &ask.lines,
                targets: vec![&ask.target],
                in_call: *in_call,
            }),
        }
    }
    groups
}

/// The same line of the user's and the same file of a package's: where in it matters to nobody.
fn is_same(one: &[String], other: &[String]) -> bool {
    let file =
        |line: &String| line.rsplit_once(':').map_or_else(|| line.clone(), |(file, _)| file.to_owned());
    one.first() == other.first() && one.iter().map(file).eq(other.iter().map(file))
}

/// Whether a thing is named already: a host without its port is one with it.
fn is_named_by(target: &str, other: &str) -> bool {
    let is_rest = |rest: &str| rest.is_empty() || rest.starts_with(':');
    target.strip_prefix(other).is_some_and(is_rest) || other.strip_prefix(target).is_some_and(is_rest)
}

/// True for the numbers of an address.
fn is_address(target: &str) -> bool {
    let host = target.rsplit_once(':').map_or(target, |(host, _)| host);
    host.parse::<core::net::IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(kind: AskKind, target: &str, lines: &[&str]) -> Heard {
        let lines = lines.iter().map(|line| (*line).to_owned()).collect();
        Heard { ask: Ask { kind, target: target.to_owned(), lines }, in_call: false }
    }

    fn found(target: Target, heard: &[Heard], failure: &str) -> Vec<Finding> {
        let failures: Vec<String> = (!failure.is_empty()).then(|| failure.to_owned()).into_iter().collect();
        target.of_asks(heard, &failures, false)
    }

    #[test]
    fn a_file_of_a_package_that_is_opened_for_update_is_named_with_the_lines() {
        let asked =
            [heard(AskKind::Write, "packages/pecab/words.bin", &["app.py:2", "packages/pecab/dict.py:9"])];
        for target in Target::ALL {
            let failure = "OSError: [Errno 30] Read-only file system: '/modelet/packages/pecab/words.bin'";
            let finding = &found(target, &asked, failure)[0];
            assert_eq!((finding.verdict, finding.about), (Verdict::Breaks, About::Writes), "{target}");
            assert!(finding.what.contains("packages/pecab/words.bin"), "{finding:?}");
            assert_eq!(finding.places, ["app.py:2", "packages/pecab/dict.py:9"]);
            assert!(finding.fix.as_ref().unwrap().contains("copy it to /tmp"));
            assert_eq!(found(target, &asked, "")[0].verdict, Verdict::Warning);
            for other in ["ValueError: 7", "KeyError: 'packages/pecab/words.bin'"] {
                assert_eq!(found(target, &asked, other)[0].verdict, Verdict::Warning, "{other}");
            }
        }
    }

    #[test]
    fn what_the_same_line_asks_for_is_one_finding() {
        let asked: Vec<Heard> = (0..5)
            .map(|n| {
                heard(AskKind::Write, &format!("/home/me/{n}"), &["app.py:2", &format!("packages/x.py:{n}")])
            })
            .collect();
        let all = found(Target::CloudRun, &asked, "");
        assert_eq!(all.len(), 1);
        assert!(all[0].what.contains("/home/me/0, /home/me/1, /home/me/2 and 2 more"), "{all:?}");
        assert!(all[0].fix.as_ref().unwrap().contains("[env]"));
    }

    #[test]
    fn a_host_is_named_and_not_its_address_too() {
        let asked = [
            heard(AskKind::Network, "models.example:443", &["app.py:2"]),
            heard(AskKind::Network, "192.0.2.7:443", &["app.py:2"]),
            heard(AskKind::Network, "models.example", &["app.py:2"]),
        ];
        let all = found(Target::Vertex, &asked, "gaierror: [Errno -3] Temporary failure in name resolution");
        assert_eq!((all.len(), all[0].verdict), (1, Verdict::Breaks));
        assert!(all[0].what.ends_with("to reach models.example:443"), "{all:?}");
        assert!(all[0].fix.as_ref().unwrap().contains("network = true"));
        assert_eq!(Target::Vertex.of_asks(&asked, &[], true)[0].verdict, Verdict::Warning);
        assert_eq!(found(Target::Vertex, &asked, LATE_START)[0].verdict, Verdict::Breaks);
        assert_eq!(
            found(Target::Vertex, &asked, LATE_CALL)[0].verdict,
            Verdict::Warning,
            "a start that was in time"
        );
    }

    #[test]
    fn shared_memory_is_missing_on_lambda_alone() {
        let asked = [heard(AskKind::SharedMemory, "a semaphore of multiprocessing", &["app.py:4"])];
        let finding = &found(Target::AwsLambda, &asked, "OSError: [Errno 38] Function not implemented")[0];
        assert_eq!(finding.verdict, Verdict::Breaks);
        assert!(finding.limit.as_ref().unwrap().rule.contains("no /dev/shm"));
        assert_eq!(found(Target::AwsLambda, &asked, "")[0].verdict, Verdict::Warning);
        assert_eq!(found(Target::CloudRun, &asked, ""), vec![]);
        let joblib = ["app.py:1", "packages/joblib/_multiprocessing_helpers.py:36"];
        let tries = [heard(AskKind::SharedMemory, "a semaphore of multiprocessing", &joblib)];
        assert_eq!(found(Target::AwsLambda, &tries, "")[0].verdict, Verdict::Note);
    }

    #[test]
    fn programs_of_the_machine_are_named_and_ones_own_are_not() {
        let asked = [
            heard(AskKind::Program, "ffmpeg", &["app.py:4"]),
            heard(AskKind::Program, "/modelet/packages/x/tool", &["app.py:5"]),
        ];
        let all = found(Target::CloudRun, &asked, "");
        assert_eq!(all.len(), 1);
        assert!(all[0].what.contains("the program ffmpeg"), "{all:?}");
    }
}
