//! All that modelet made for a function, taken away: in reverse, and only what its tags say.

use super::{Draft, triggers};
use crate::error::{CloudError, Kind};
use crate::lambda::action::Action;
use crate::lambda::names::Names;
use crate::lambda::policy;
use crate::lambda::there::{There, is_managed};
use crate::plan::Plan;
use crate::repository;

/// What has to be done so that nothing is there any more that modelet made.
///
/// # Errors
/// When the function is there, and modelet did not make it; when nothing is there.
pub fn plan(names: &Names, there: &There) -> Result<Plan<Action>, CloudError> {
    let function = there.function.as_ref();
    if function.is_some_and(|function| !names.are_ours(&function.tags)) {
        let why = format!("the function {} in {} was not made by modelet", names.function, names.region);
        return Err(CloudError::refused(why).hint("delete it as it was made"));
    }
    let mut draft = Draft::new(names, policy::of);
    triggers::remove(&mut draft, there, |_| true);
    if let Some(function) = function {
        if function.url.is_some() {
            draft.delete(format!("address of {}", names.function), "", Action::DeleteUrl);
        }
        if function.provisioned.is_some() {
            draft.delete(format!("instances of {}", names.function), "", Action::SetProvisioned(None));
        }
        if function.traffic.is_some() {
            draft.delete("alias live", "", Action::DeleteAlias);
        }
        let versions = function.versions.len();
        draft.delete(
            format!("function {}", names.function),
            format!("with {versions} versions"),
            Action::DeleteFunction,
        );
    }
    let mut notes = Vec::new();
    code(&mut draft, there, &mut notes);
    repository::remove(&mut draft, &names.repository(), &there.images, Action::Images);
    if let Some(role) = there.role.as_ref().filter(|role| names.are_ours(&role.tags)) {
        let what = format!("role {}", names.role());
        if role.policies.contains(&names.basic_policy()) {
            draft.delete(&what, "its policy", Action::DetachPolicy);
        }
        for policy in &there.role_policies {
            draft.delete(&what, format!("its policy {policy}"), Action::DeletePolicy(policy.clone()));
        }
        draft.delete(&what, "", Action::DeleteRole);
    }
    if let Some(group) = &there.log_group {
        let what = format!("log group {}", names.log_group());
        if names.are_ours(&group.tags) {
            draft.delete(what, "with all that is in it", Action::DeleteLogGroup);
        } else {
            notes.push(format!("{what} is not modelet's, and stays"));
        }
    }
    if draft.steps.is_empty() && function.is_none() {
        let why = format!(
            "there is nothing of a function {} in {} that modelet made",
            names.function, names.region
        );
        return Err(
            CloudError::new(Kind::NotFound, why).hint("is it in another region? --region, or AWS_REGION")
        );
    }
    Ok(Plan { steps: draft.steps, notes, reads: policy::reads(names, None) })
}

fn code(draft: &mut Draft<'_>, there: &There, notes: &mut Vec<String>) {
    let bucket = draft.names.bucket();
    if !there.bucket.as_ref().is_some_and(is_managed) {
        return;
    }
    for key in &there.code_keys {
        let action = Action::DeleteCode { bucket: bucket.clone(), key: key.clone() };
        draft.delete(format!("file {bucket}/{key}"), "", action);
    }
    notes.push(format!("the bucket {bucket} is for all functions, and goes with the code of the last one"));
    draft.delete(format!("bucket {bucket}"), "if nothing else lies in it", Action::DeleteBucket(bucket));
}
