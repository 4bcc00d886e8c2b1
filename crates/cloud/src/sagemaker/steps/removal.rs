//! All that modelet made for a function, taken away: in reverse, and only what its tags say.

use super::{Draft, delete};
use crate::aws::names::Names;
use crate::error::{CloudError, Kind};
use crate::plan::Plan;
use crate::repository;
use crate::sagemaker::action::Action;
use crate::sagemaker::policy;
use crate::sagemaker::there::There;

/// What has to be done so that nothing is there any more that modelet made.
///
/// # Errors
/// When the endpoint is there, and modelet did not make it; when nothing is there.
pub fn plan(names: &Names, there: &There) -> Result<Plan<Action>, CloudError> {
    let (function, region) = (&names.function, &names.region);
    if there.endpoint.as_ref().is_some_and(|endpoint| !names.are_ours(&endpoint.tags)) {
        let why = format!("the endpoint {function} in {region} was not made by modelet");
        return Err(CloudError::refused(why).hint("delete it as it was made"));
    }
    let mut draft = Draft::new(names, policy::of);
    let mut notes = Vec::new();
    if there.endpoint.is_some() {
        draft.delete(format!("endpoint {function}"), "", Action::DeleteEndpoint);
    }
    for version in there.versions.iter().rev() {
        delete(&mut draft, version, "");
    }
    repository::remove(&mut draft, &names.endpoint_repository(), &there.images, Action::Images);
    if there.role.as_ref().is_some_and(|role| names.are_ours(&role.tags)) {
        let what = format!("role {}", names.endpoint_role());
        for policy in &there.role_policies {
            draft.delete(&what, format!("its policy {policy}"), Action::DeletePolicy(policy.clone()));
        }
        draft.delete(&what, "", Action::DeleteRole);
    }
    if let Some(group) = &there.log_group {
        let what = format!("log group {}", names.endpoint_log_group());
        if names.are_ours(&group.tags) {
            draft.delete(what, "with all that is in it", Action::DeleteLogGroup);
        } else {
            notes.push(format!("{what} is not modelet's, and stays"));
        }
    }
    if draft.steps.is_empty() {
        let why = format!("there is nothing of an endpoint {function} in {region} that modelet made");
        return Err(
            CloudError::new(Kind::NotFound, why).hint("is it in another region? --region, or AWS_REGION")
        );
    }
    Ok(Plan { steps: draft.steps, notes, reads: policy::reads(names, &[]) })
}
