//! Old versions, taken away: Lambda keeps each for ever, and each counts to the code that an account may have there (75 GB).

use std::collections::BTreeSet;

use super::Draft;
use crate::lambda::action::Action;
use crate::lambda::there::{Function, There};
use crate::lambda::wanted::{Wanted, artifact_of};
use crate::repository;
use crate::traffic::Traffic;

/// Versions of our making to which nobody goes back any more: but for the newest ones, those that have calls or get them, and those to
/// which an alias leads, whoever made it.
pub fn versions(draft: &mut Draft<'_>, wanted: &Wanted, function: &Function, next: &Traffic) {
    let now = function.traffic.clone().into_iter().chain([next.clone()]);
    let used: BTreeSet<String> = now.flat_map(Traffic::versions).chain(function.aliased.clone()).collect();
    let is_old = |(number, revision): &&(String, String)| {
        artifact_of(revision).is_some() && !used.contains(number) && *revision != wanted.revision()
    };
    let mut old: Vec<_> = function.versions.iter().filter(is_old).map(|(number, _)| number).collect();
    old.sort_by_key(|number| number.parse::<u64>().unwrap_or(u64::MAX));
    let many = old.len().saturating_sub(wanted.keep_versions);
    for number in &old[..many] {
        let why = format!("nobody goes back to it any more; {} are kept", wanted.keep_versions);
        draft.delete(format!("version {number}"), why, Action::DeleteVersion((*number).clone()));
    }
}

/// The images of versions that this plan takes away, where no other version is of the same.
pub fn images(draft: &mut Draft<'_>, wanted: &Wanted, there: &There) {
    if there.images.repository != Some(true) {
        return;
    }
    let swept: BTreeSet<&String> = draft
        .steps
        .iter()
        .filter_map(|step| match &step.action {
            Action::DeleteVersion(number) => Some(number),
            _ => None,
        })
        .collect();
    let versions = there.function.iter().flat_map(|function| &function.versions);
    let (gone, kept): (Vec<_>, Vec<_>) = versions.partition(|(number, _)| swept.contains(number));
    let artifacts = |versions: &[&(String, String)]| -> BTreeSet<String> {
        versions.iter().filter_map(|(_, revision)| artifact_of(revision).map(str::to_owned)).collect()
    };
    let (gone, mut kept) = (artifacts(&gone), artifacts(&kept));
    kept.insert(wanted.artifact.clone());
    for artifact in gone.difference(&kept) {
        let what = format!("image in {}", draft.names.repository().name);
        let action = Action::Images(repository::Action::DeleteImage(format!("sha256:{artifact}")));
        draft.delete(what, format!("sha256:{}…", artifact.get(..12).unwrap_or(artifact)), action);
    }
}
