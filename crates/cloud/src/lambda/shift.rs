//! Who gets the calls next, as pure functions of who gets them now.

use super::there::Function;
use crate::error::CloudError;
use crate::target::{Canary, Shift, Traffic};

/// Who gets the calls after a shift. A pure function.
///
/// # Errors
/// When there is nobody to give calls to.
pub fn shifted(function: &Function, shift: &Shift) -> Result<Traffic, CloudError> {
    let now = live(function)?;
    match shift {
        Shift::Promote => {
            let canary = now.canary.as_ref().ok_or_else(|| {
                CloudError::refused("no version is tried with a part of the calls")
                    .hint("begin with one: modelet traffic NAME --to aws-lambda --canary 10")
            })?;
            Ok(Traffic { version: canary.version.clone(), canary: None })
        }
        Shift::Canary { percent, version } => {
            let newest = function.versions.last().map(|(number, _)| number.clone());
            let chosen = version.clone().or(newest).unwrap_or_default();
            if !function.versions.iter().any(|(number, _)| *number == chosen) {
                let known: Vec<_> = function.versions.iter().map(|(number, _)| number.as_str()).collect();
                return Err(CloudError::refused(format!(
                    "there is no version {chosen}; there is {}",
                    known.join(", ")
                )));
            }
            if chosen == now.version {
                return Err(CloudError::refused(format!("version {chosen} has the calls already"))
                    .hint("say which other: --version N"));
            }
            Ok(Traffic {
                version: now.version.clone(),
                canary: (*percent > 0).then_some(Canary { version: chosen, percent: *percent }),
            })
        }
    }
}

/// Who gets the calls after a step back: without the version that is tried, else the version before. A pure function.
///
/// # Errors
/// When there is none before.
pub fn rolled_back(function: &Function) -> Result<Traffic, CloudError> {
    let now = live(function)?;
    if now.canary.is_some() {
        return Ok(Traffic { version: now.version.clone(), canary: None });
    }
    let number = |version: &str| version.parse::<u64>().unwrap_or(0);
    let before = function.versions.iter().map(|(version, _)| version);
    let before =
        before.filter(|version| number(version) < number(&now.version)).max_by_key(|version| number(version));
    let version = before.cloned().ok_or_else(|| {
        CloudError::refused(format!("there is no version before {}, which has the calls", now.version))
    })?;
    Ok(Traffic { version, canary: None })
}

fn live(function: &Function) -> Result<&Traffic, CloudError> {
    function.traffic.as_ref().ok_or_else(|| {
        CloudError::refused("no version is live yet")
            .hint("the last deploy did not come to its end: deploy again")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn function(versions: &[&str], live: &str, canary: Option<(&str, u8)>) -> Function {
        let canary = canary.map(|(version, percent)| Canary { version: version.to_owned(), percent });
        Function {
            versions: versions.iter().map(|version| ((*version).to_owned(), String::new())).collect(),
            traffic: Some(Traffic { version: live.to_owned(), canary }),
            ..Function::default()
        }
    }

    fn canary(percent: u8, version: Option<&str>) -> Shift {
        Shift::Canary { percent, version: version.map(str::to_owned) }
    }

    #[test]
    fn a_canary_is_the_newest_version_or_the_one_that_is_named() {
        let two = function(&["1", "2"], "1", None);
        assert_eq!(
            shifted(&two, &canary(10, None)),
            Ok(function(&[], "1", Some(("2", 10))).traffic.unwrap())
        );
        let three = function(&["1", "2", "3"], "3", None);
        assert_eq!(
            shifted(&three, &canary(5, Some("1"))),
            Ok(function(&[], "3", Some(("1", 5))).traffic.unwrap())
        );
        assert!(
            shifted(&three, &canary(5, None))
                .unwrap_err()
                .message
                .contains("version 3 has the calls already")
        );
        assert!(shifted(&three, &canary(5, Some("9"))).unwrap_err().message.contains("there is 1, 2, 3"));
        let none = shifted(&function(&["1", "2"], "1", Some(("2", 10))), &canary(0, None)).unwrap();
        assert_eq!(none.canary, None);
    }

    #[test]
    fn the_canary_is_promoted_and_without_one_there_is_nothing_to_promote() {
        let tried = function(&["1", "2"], "1", Some(("2", 10)));
        assert_eq!(shifted(&tried, &Shift::Promote), Ok(Traffic { version: "2".to_owned(), canary: None }));
        let none = shifted(&function(&["1", "2"], "1", None), &Shift::Promote).unwrap_err();
        assert!(none.hint.unwrap().contains("--canary 10"));
    }

    #[test]
    fn a_step_back_ends_the_canary_first_and_then_goes_to_the_version_before() {
        let back = |function: Function| rolled_back(&function).map(|traffic| traffic.version);
        assert_eq!(back(function(&["9", "10"], "9", Some(("10", 10)))), Ok("9".to_owned()));
        assert_eq!(back(function(&["9", "10"], "10", None)), Ok("9".to_owned()));
        assert!(back(function(&["9", "10"], "9", None)).unwrap_err().message.contains("no version before 9"));
        let nothing = Function { traffic: None, ..function(&[], "1", None) };
        assert!(back(nothing).unwrap_err().hint.unwrap().contains("deploy again"));
    }
}
