//! The plan, as a pure function of what is wanted and what is there. What depends on a thing comes after it; what takes away comes last.
//!
//! - [`removal`]: all of it, taken away

pub mod removal;

use super::action::Action;
use super::policy;
use super::there::{There, Version};
use super::wanted::Wanted;
use crate::aws::names::{Names, TAG_FUNCTION, TAG_MANAGED};
use crate::error::CloudError;
use crate::plan::Plan;
use crate::repository;
use crate::secrets;

/// A plan that is being written.
type Draft<'a> = crate::plan::Draft<'a, Action, Names>;

/// What has to be done so that what is wanted is there.
///
/// # Errors
/// When something of that name is there that modelet did not make.
pub fn plan(wanted: &Wanted, there: &There) -> Result<Plan<Action>, CloudError> {
    let names = &wanted.names;
    if let Some(endpoint) = &there.endpoint
        && !names.are_ours(&endpoint.tags)
    {
        return Err(CloudError::refused(format!(
            "there is an endpoint {} in {} that modelet did not make",
            names.function, names.region
        ))
        .hint(format!(
            "choose another name: --name NAME; or give that one to modelet by its tags {TAG_MANAGED}=true and {TAG_FUNCTION}={}",
            names.function
        )));
    }
    let mut draft = Draft::new(names, policy::of);
    let mut notes = Vec::new();
    log(&mut draft, wanted, there, &mut notes);
    role(&mut draft, wanted, there, &mut notes)?;
    if let Some(written) = &wanted.written {
        let repository = names.endpoint_repository();
        repository::put(&mut draft, &repository, &there.images, written, Action::Images)?;
    }
    let number = version(&mut draft, wanted, there);
    endpoint(&mut draft, there, number);
    sweep(&mut draft, wanted, there, number);
    Ok(Plan { steps: draft.steps, notes, reads: policy::reads(names, &wanted.secrets) })
}

fn log(draft: &mut Draft<'_>, wanted: &Wanted, there: &There, notes: &mut Vec<String>) {
    let (what, days) = (format!("log group {}", draft.names.endpoint_log_group()), wanted.retention_days);
    match &there.log_group {
        None => {
            draft.create(&what, "before SageMaker makes one that keeps all for ever", Action::CreateLogGroup);
            draft.change(what, format!("keeps {days} days"), Action::SetRetention(Some(days)));
        }
        Some(group) if !draft.names.are_ours(&group.tags) => {
            notes
                .push(format!("the {what} is not modelet's: it stays as it is, also when the function goes"));
        }
        Some(group) if group.retention_days != Some(days) => {
            draft.change(what, format!("keeps {days} days"), Action::SetRetention(Some(days)));
        }
        Some(_) => {}
    }
}

fn role(
    draft: &mut Draft<'_>,
    wanted: &Wanted,
    there: &There,
    notes: &mut Vec<String>,
) -> Result<(), CloudError> {
    if let Some(role) = &wanted.role {
        notes.extend(secrets::for_role(role, &wanted.secrets, draft.names));
        return Ok(());
    }
    let what = format!("role {}", draft.names.endpoint_role());
    match &there.role {
        None => draft.create(&what, "the model runs in it", Action::CreateRole),
        Some(role) if draft.names.are_ours(&role.tags) => {}
        Some(_) => {
            return Err(CloudError::refused(format!("there is a {what} that modelet did not make"))
                .hint("name the role that the model is to run in: --role ARN"));
        }
    }
    let policy = wanted.role_policy_name();
    if !there.role_policies.contains(&policy) {
        let why = match secrets::words(&wanted.secrets) {
            None => "may read its image and write its log, and nothing else".to_owned(),
            Some(words) => format!("may read its image and {words} and write its log, and nothing else"),
        };
        draft.change(&what, why, Action::PutPolicy(policy));
    }
    Ok(())
}

/// The version that is wanted, made as far as it is not there.
fn version(draft: &mut Draft<'_>, wanted: &Wanted, there: &There) -> u64 {
    let revision = wanted.revision();
    let known = there.versions.iter().rev().find(|version| version.revision == revision);
    let number = known.map_or(there.highest + 1, |version| version.number);
    let name = draft.names.model(number);
    if !known.is_some_and(|version| version.has_model) {
        let digest = wanted.artifact.get(..12).unwrap_or(&wanted.artifact);
        draft.create(format!("model {name}"), format!("sha256:{digest}…"), Action::CreateModel(number));
        let passed = policy::pass(wanted.role_arn());
        draft.steps.last_mut().expect("it was made in the line above").permissions.extend(passed);
    }
    if !known.is_some_and(|version| version.has_config) {
        let limits = wanted.serverless;
        let ready = limits.provisioned.map(|ready| format!(", {ready} kept ready, and paid for"));
        let why = format!(
            "{} MB, at most {} calls at once{}",
            limits.memory_mb,
            limits.max_concurrency,
            ready.unwrap_or_default()
        );
        draft.create(format!("endpoint config {name}"), why, Action::CreateConfig(number));
    }
    number
}

/// Gives the calls to a version.
fn endpoint(draft: &mut Draft<'_>, there: &There, number: u64) {
    let what = format!("endpoint {}", draft.names.function);
    let Some(now) = &there.endpoint else {
        draft.create(what, format!("version {number} gets all calls"), Action::CreateEndpoint(number));
        return;
    };
    if now.told.endpoint_status == "Failed" {
        let why = now.told.failure_reason.as_deref().unwrap_or("SageMaker does not say why");
        draft.delete(&what, format!("it has failed: {why}"), Action::DeleteEndpoint);
        draft.create(what, format!("version {number} gets all calls"), Action::CreateEndpoint(number));
    } else if now.version != Some(number) {
        draft.change(what, format!("version {number} gets all calls"), Action::Route(number));
    } else if !now.told.is_in_service() {
        draft.change(what, "does not answer yet", Action::Await(number));
    }
}

/// Takes versions away that nobody goes back to any more, and those that were never finished.
fn sweep(draft: &mut Draft<'_>, wanted: &Wanted, there: &There, number: u64) {
    let is_used = |version: &&Version| version.number == number || Some(version.number) == there.live();
    let mut others: Vec<_> = there.versions.iter().filter(|version| !is_used(version)).collect();
    let unfinished = |version: &&Version| !(version.has_model && version.has_config);
    let mut swept: Vec<_> = others.extract_if(.., |version| unfinished(&&**version)).collect();
    let many = others.len().saturating_sub(wanted.keep_versions);
    swept.extend(others.drain(..many));
    let kept: Vec<_> = there.versions.iter().filter(is_used).chain(others).map(|own| &own.artifact).collect();
    let mut images = Vec::new();
    for version in swept {
        delete(draft, version, "nobody goes back to it any more");
        let artifact = &version.artifact;
        let is_needed =
            kept.contains(&artifact) || *artifact == wanted.artifact || images.contains(&artifact);
        if there.images.repository == Some(true) && !is_needed {
            images.push(artifact);
        }
    }
    for artifact in images {
        let what = format!("image in {}", draft.names.endpoint_repository().name);
        let action = Action::Images(repository::Action::DeleteImage(format!("sha256:{artifact}")));
        draft.delete(what, format!("sha256:{}…", artifact.get(..12).unwrap_or(artifact)), action);
    }
}

/// Takes a version away.
fn delete(draft: &mut Draft<'_>, version: &Version, why: &str) {
    let name = draft.names.model(version.number);
    if version.has_config {
        draft.delete(format!("endpoint config {name}"), why, Action::DeleteConfig(version.number));
    }
    if version.has_model {
        draft.delete(format!("model {name}"), why, Action::DeleteModel(version.number));
    }
}

#[cfg(test)]
mod tests;
