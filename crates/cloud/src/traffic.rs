//! Who gets the calls, and who gets them next: pure functions that mean the same at every target.

use serde::Serialize;

use crate::error::CloudError;

/// The version that a plan makes, whose number nobody knows before.
pub const NEW: &str = "new";

/// How calls are to be given to another version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shift {
    /// A part of them, percent, to the newest version or to this one.
    Canary {
        /// The part.
        percent: u8,
        /// The version.
        version: Option<String>,
    },
    /// All to the version that has a part of them.
    Promote,
    /// All to this version.
    All(String),
}

/// Who gets the calls.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Traffic {
    /// The version that gets all, or most.
    pub version: String,
    /// Another that gets a part.
    pub canary: Option<Canary>,
}

/// A version that is tried with a part of the calls.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Canary {
    /// The version.
    pub version: String,
    /// Its part, percent.
    pub percent: u8,
}

impl Traffic {
    /// All calls to one version.
    pub fn all(version: impl Into<String>) -> Self {
        Self { version: version.into(), canary: None }
    }

    /// The versions that get calls.
    pub fn versions(self) -> impl Iterator<Item = String> {
        [Some(self.version), self.canary.map(|canary| canary.version)].into_iter().flatten()
    }
}

/// Who gets the calls once a version is deployed: that one, or with a part in percent both. What has all calls is not made a canary
/// again, and the first version gets all.
pub fn deployed(now: Option<&Traffic>, version: &str, percent: Option<u8>) -> Traffic {
    match (now, percent) {
        (Some(now), Some(percent)) if now.version != version => Traffic {
            version: now.version.clone(),
            canary: Some(Canary { version: version.to_owned(), percent }),
        },
        _ => Traffic::all(version),
    }
}

/// Who gets the calls after a shift, of the versions that there are, the oldest first.
///
/// # Errors
/// When there is nobody to give calls to.
pub fn shifted(
    now: Option<&Traffic>,
    versions: &[impl AsRef<str>],
    shift: &Shift,
) -> Result<Traffic, CloudError> {
    let now = live(now)?;
    match shift {
        Shift::Promote => {
            let canary = now.canary.as_ref().ok_or_else(|| {
                CloudError::refused("no version is tried with a part of the calls")
                    .hint("begin with one: --canary 10")
            })?;
            Ok(Traffic::all(&canary.version))
        }
        Shift::All(version) => known(versions, version).map(Traffic::all),
        Shift::Canary { percent: 0, .. } => Ok(Traffic::all(&now.version)),
        Shift::Canary { percent, version } => {
            let newest = versions.last().map_or("", AsRef::as_ref);
            let chosen = known(versions, version.as_deref().unwrap_or(newest))?;
            if chosen == now.version {
                return Err(CloudError::refused(format!("version {chosen} has the calls already"))
                    .hint("say which other: --version N"));
            }
            Ok(deployed(Some(now), chosen, Some(*percent)))
        }
    }
}

/// Who gets the calls after a step back: without the version that is tried, else the version before.
///
/// # Errors
/// When there is none before.
pub fn rolled_back(now: Option<&Traffic>, versions: &[impl AsRef<str>]) -> Result<Traffic, CloudError> {
    let now = live(now)?;
    if now.canary.is_some() {
        return Ok(Traffic::all(&now.version));
    }
    let number = |version: &str| version.parse::<u64>().unwrap_or(0);
    let before = versions.iter().map(AsRef::as_ref);
    let before =
        before.filter(|version| number(version) < number(&now.version)).max_by_key(|version| number(version));
    before.map(Traffic::all).ok_or_else(|| {
        let none =
            CloudError::refused(format!("there is no version before {}, which has the calls", now.version));
        match versions.last().map(AsRef::as_ref).filter(|newest| *newest != now.version) {
            Some(newest) => {
                none.hint(format!("a later one gets them by modelet traffic NAME --version {newest}"))
            }
            None => none,
        }
    })
}

/// Who gets the calls, in words.
pub fn words(traffic: &Traffic) -> String {
    let named = |version: &str| {
        if version == NEW { "the new version".to_owned() } else { format!("version {version}") }
    };
    match &traffic.canary {
        None => format!("all calls to {}", named(&traffic.version)),
        Some(Canary { version, percent }) => {
            format!(
                "{percent} % of the calls to {}, the others to {}",
                named(version),
                named(&traffic.version)
            )
        }
    }
}

fn known<'a>(versions: &'a [impl AsRef<str>], chosen: &str) -> Result<&'a str, CloudError> {
    let mut all = versions.iter().map(AsRef::as_ref);
    all.clone().find(|version| *version == chosen).ok_or_else(|| {
        let known: Vec<_> = all.by_ref().collect();
        CloudError::refused(format!("there is no version {chosen}; there is {}", known.join(", ")))
    })
}

fn live(now: Option<&Traffic>) -> Result<&Traffic, CloudError> {
    now.ok_or_else(|| {
        CloudError::refused("no version is live yet")
            .hint("the last deploy did not come to its end: deploy again")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn traffic(version: &str, canary: Option<(&str, u8)>) -> Traffic {
        let canary = canary.map(|(version, percent)| Canary { version: version.to_owned(), percent });
        Traffic { version: version.to_owned(), canary }
    }

    fn canary(percent: u8, version: Option<&str>) -> Shift {
        Shift::Canary { percent, version: version.map(str::to_owned) }
    }

    #[test]
    fn a_canary_is_the_newest_version_or_the_one_that_is_named() {
        let first = traffic("1", None);
        let shift = |percent, version| shifted(Some(&first), &["1", "2", "3"], &canary(percent, version));
        assert_eq!(shift(10, None), Ok(traffic("1", Some(("3", 10)))));
        assert_eq!(shift(5, Some("2")), Ok(traffic("1", Some(("2", 5)))));
        assert!(shift(5, Some("1")).unwrap_err().message.contains("version 1 has the calls already"));
        assert!(shift(5, Some("9")).unwrap_err().message.contains("there is 1, 2, 3"));
        let none = shifted(Some(&traffic("1", Some(("2", 10)))), &["1", "2"], &canary(0, None));
        assert_eq!(none, Ok(first.clone()));
    }

    #[test]
    fn all_calls_go_to_a_version_that_is_there() {
        let now = traffic("1", Some(("2", 10)));
        let all = |version: &str| shifted(Some(&now), &["1", "2", "3"], &Shift::All(version.to_owned()));
        assert_eq!(all("3"), Ok(traffic("3", None)));
        assert_eq!(all("1"), Ok(traffic("1", None)));
        assert!(all("4").unwrap_err().message.contains("there is no version 4"));
    }

    #[test]
    fn what_is_deployed_gets_all_calls_or_a_part() {
        let now = traffic("1", Some(("2", 10)));
        assert_eq!(deployed(Some(&now), "3", None), traffic("3", None));
        assert_eq!(deployed(Some(&now), "3", Some(20)), traffic("1", Some(("3", 20))));
        assert_eq!(deployed(Some(&now), "1", Some(20)), traffic("1", None));
        assert_eq!(deployed(None, "1", Some(20)), traffic("1", None));
    }

    #[test]
    fn the_canary_is_promoted_and_without_one_there_is_nothing_to_promote() {
        let promoted = |canary| shifted(Some(&traffic("1", canary)), &["1", "2"], &Shift::Promote);
        assert_eq!(promoted(Some(("2", 10))), Ok(traffic("2", None)));
        let none = promoted(None).unwrap_err();
        assert!(none.hint.unwrap().contains("--canary 10"));
    }

    #[test]
    fn a_step_back_ends_the_canary_first_and_then_goes_to_the_version_before() {
        let back = |now: Traffic| rolled_back(Some(&now), &["9", "10"]);
        assert_eq!(back(traffic("9", Some(("10", 10)))), Ok(traffic("9", None)));
        assert_eq!(back(traffic("10", None)), Ok(traffic("9", None)));
        let none = back(traffic("9", None)).unwrap_err();
        assert!(none.message.contains("no version before 9"));
        assert!(none.hint.unwrap().contains("--version 10"), "the way on after the same was deployed again");
        assert!(rolled_back(None, &["9"]).unwrap_err().hint.unwrap().contains("deploy again"));
    }
}
