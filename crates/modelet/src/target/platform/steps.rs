//! The plan, as a pure function of what is wanted and what is there.

use modelet_cloud::delivery::Artifact;
use modelet_cloud::error::Kind;
use modelet_cloud::plan::{Draft, Plan};
use modelet_cloud::traffic::{NEW, Traffic, deployed, words};
use modelet_cloud::{CloudError, Delivery, Deployment};
use modelet_core::{Code, FunctionName};

use super::action::Action;
use super::there::{There, known, told};
use crate::output::size;

/// Digits of a digest that are shown.
const DIGITS: usize = 12;

/// What has to be done so that what is wanted is there. What was published is not published again.
///
/// # Errors
/// When it is nothing that a platform takes.
pub fn plan(wanted: &Deployment, there: &There) -> Result<Plan<Action>, CloudError> {
    // A platform has no permissions.
    let mut draft = Draft::new(&(), |_, ()| Vec::new());
    let mut notes = Vec::new();
    let known = there
        .function
        .as_ref()
        .and_then(|function| known(function, &wanted.card))
        .map(|version| version.version.to_string());
    match (&wanted.delivery, &known) {
        (Delivery::Artifact(_) | Delivery::There { .. }, Some(_)) => {}
        (Delivery::Artifact(artifact), None) => made(&mut draft, wanted, artifact, there),
        (Delivery::There { sha256 }, None) => {
            let why = format!("the version of {} with sha256:{sha256} is gone", wanted.name);
            return Err(CloudError::new(Kind::Conflict, why).hint("deploy again"));
        }
        (Delivery::Zip(_) | Delivery::Image { .. } | Delivery::Written(_), _) => {
            return Err(CloudError::refused(
                "a platform takes the artifact itself, and no zip or container image",
            ));
        }
    }
    match &there.function {
        Some(function) => {
            let now = told(function.traffic);
            let version = known.unwrap_or_else(|| NEW.to_owned());
            let next = deployed(Some(&now), &version, wanted.canary_percent);
            notes.extend(ended(&now, &next));
            if next != now {
                draft.change("alias live", words(&next), Action::Route(next));
            }
        }
        None if wanted.canary_percent.is_some() => {
            notes.push("there is no other version yet: the first one gets all calls".to_owned());
        }
        None => {}
    }
    Ok(Plan { steps: draft.steps, notes, reads: Vec::new() })
}

/// What has to be done so that nothing of a function is there any more.
///
/// # Errors
/// When there is nothing.
pub fn removal(name: &FunctionName, there: &There) -> Result<Plan<Action>, CloudError> {
    let Some(function) = &there.function else {
        let why = format!("there is no function {:?}", name.as_str());
        return Err(CloudError::new(Kind::NotFound, why).code(Code::FunctionNotFound));
    };
    let mut draft = Draft::new(&(), |_, ()| Vec::new());
    let versions = function.versions.len();
    let why = format!("with {versions} version{} and its log", if versions == 1 { "" } else { "s" });
    draft.delete(format!("function {name}"), why, Action::DeleteFunction);
    Ok(Plan { steps: draft.steps, notes: Vec::new(), reads: Vec::new() })
}

fn made(draft: &mut Draft<'_, Action, ()>, wanted: &Deployment, artifact: &Artifact, there: &There) {
    let short = |sha256: &str| format!("sha256:{}…", sha256.get(..DIGITS).unwrap_or(sha256));
    if let Some((layer, _)) = artifact.packages.as_ref().filter(|_| !there.has_packages) {
        let why = format!("{} packages, {}", layer.packages.len(), size(layer.size_bytes));
        draft.create(format!("packages {}", short(&layer.sha256)), why, Action::PutPackages);
    }
    let what = format!("{}, {}", size(artifact.size_bytes), short(&artifact.sha256));
    let name = &wanted.name;
    if there.function.is_some() {
        draft.create(format!("version of {name}"), what, Action::CreateVersion);
    } else {
        draft.create(
            format!("function {name}"),
            format!("its first version gets all calls: {what}"),
            Action::CreateFunction,
        );
    }
}

/// What a canary loses that is not the one any more.
fn ended(now: &Traffic, next: &Traffic) -> Option<String> {
    let canary = now.canary.as_ref()?;
    let stays = next.version == canary.version
        || next.canary.as_ref().is_some_and(|next| next.version == canary.version);
    (!stays).then(|| {
        format!(
            "version {}, which is tried with {} % of the calls, gets none any more",
            canary.version, canary.percent
        )
    })
}

#[cfg(test)]
mod tests;
