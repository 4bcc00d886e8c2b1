//! The plan, as a pure function of what is wanted and what is there. What depends on a thing comes after it; what takes away comes last.
//!
//! - [`around`]: log, role, and the bucket for code; [`triggers`]: rules and buckets
//! - [`sweep`]: old versions, taken away; [`removal`]: all of it

mod around;
pub mod removal;
mod sweep;
mod triggers;

use super::Auth;
use super::action::{Action, Grant};
use super::names::{Names, TAG_FUNCTION, TAG_MANAGED};
use super::policy;
use super::there::{Function, There};
use super::wanted::{Code, Settings, Wanted};
use crate::error::CloudError;
use crate::plan::{Change, Plan};
use crate::repository;
use crate::traffic::{NEW, Traffic, deployed, words};

/// A plan that is being written.
type Draft<'a> = crate::plan::Draft<'a, Action, Names>;

/// What has to be done so that what is wanted is there.
///
/// # Errors
/// When something of that name is there that modelet did not make.
pub fn plan(wanted: &Wanted, there: &There) -> Result<Plan<Action>, CloudError> {
    let names = &wanted.names;
    if let Some(function) = &there.function {
        possible(wanted, function)?;
    }
    let mut draft = Draft::new(names, policy::of);
    let mut notes = Vec::new();
    around::log(&mut draft, wanted, there, &mut notes);
    around::role(&mut draft, wanted, there, &mut notes)?;
    let is_new_code = there.function.as_ref().is_none_or(|function| !is_made_of(function, wanted));
    if is_new_code {
        around::bucket(&mut draft, wanted, there);
    }
    if let Some(written) = &wanted.written {
        repository::put(&mut draft, &names.repository(), &there.images, written, Action::Images)?;
    }
    match &there.function {
        None => {
            let action = Action::CreateFunction(wanted.role_arn());
            draft.create(format!("function {}", names.function), code_words(wanted), action);
        }
        Some(function) => change(&mut draft, wanted, function, is_new_code),
    }
    let (live, note) = live(&mut draft, wanted, there.function.as_ref());
    concurrency(&mut draft, wanted, there.function.as_ref());
    url(&mut draft, wanted, there.function.as_ref());
    triggers::put(&mut draft, wanted, there);
    triggers::drop(&mut draft, wanted, there);
    around::clear(&mut draft, wanted, there, is_new_code);
    if let Some(function) = &there.function {
        sweep::versions(&mut draft, wanted, function, &live);
        sweep::images(&mut draft, wanted, there);
    }
    notes.extend(note);
    // What takes away comes last: it is not brought back when something fails.
    draft.steps.sort_by_key(|step| step.change == Change::Delete);
    Ok(Plan { steps: draft.steps, notes, reads: policy::reads(names, Some(wanted)) })
}

/// Refuses what cannot become of a function that is there.
fn possible(wanted: &Wanted, function: &Function) -> Result<(), CloudError> {
    let (name, region) = (&wanted.names.function, &wanted.names.region);
    if !wanted.names.are_ours(&function.tags) {
        let why = format!("there is a function {name} in {region} that modelet did not make");
        return Err(CloudError::refused(why).hint(format!(
            "choose another name: --name NAME; or give that one to modelet by its tags {TAG_MANAGED}=true and {TAG_FUNCTION}={name}"
        )));
    }
    if function.image.is_some() != matches!(wanted.code, Code::Image(_)) {
        let why = format!(
            "{name} in {region} is made of a zip or of an image, and Lambda does not change the one into the other"
        );
        return Err(CloudError::refused(why).hint("choose another name: --name NAME; or delete it first"));
    }
    let is_kept_ready = wanted.provisioned.or(function.provisioned).is_some_and(|instances| instances > 0);
    if wanted.canary_percent.is_some() && is_kept_ready {
        let why = "Lambda does not keep instances ready for an alias whose calls go to two versions";
        return Err(
            CloudError::refused(why).hint("deploy without --canary, or with --provisioned-concurrency 0")
        );
    }
    Ok(())
}

/// True when a function is of the wanted code, on the wanted processor.
fn is_made_of(function: &Function, wanted: &Wanted) -> bool {
    let has_its_processor = function.processor.is_none_or(|processor| processor == wanted.processor);
    let has_its_code = match &wanted.code {
        Code::Image(reference) => function.image.as_ref() == Some(reference),
        Code::Sent(_) | Code::Bucket { .. } => Some(&function.code_sha256) == wanted.code_sha256().as_ref(),
    };
    has_its_processor && has_its_code
}

fn code_words(wanted: &Wanted) -> String {
    let digest = wanted.artifact.get(..12).unwrap_or(&wanted.artifact);
    let how = wanted.settings.runtime.as_ref().map_or("an image", |(runtime, _)| runtime);
    let Settings { memory_mb, timeout_s, .. } = wanted.settings;
    format!("{how}, {}, {memory_mb} MB, {timeout_s} s, sha256:{digest}…", wanted.processor)
}

fn change(draft: &mut Draft<'_>, wanted: &Wanted, function: &Function, is_new_code: bool) {
    let what = format!("function {}", draft.names.function);
    let mut other = differences(wanted, function);
    if function.role != wanted.role_arn() {
        other.push("role".to_owned());
    }
    if !other.is_empty() {
        let settings = Box::new(wanted.settings.clone());
        draft.change(&what, other.join(", "), Action::Configure(settings, wanted.role_arn()));
    }
    if is_new_code {
        draft.change(&what, code_words(wanted), Action::UpdateCode);
    }
    if function.artifact() != Some(&wanted.artifact) {
        draft.change(&what, "its tags name the artifact", Action::Tag(wanted.artifact.clone()));
    }
}

/// What is configured otherwise, each with what it was and will be.
fn differences(wanted: &Wanted, function: &Function) -> Vec<String> {
    let (new, old) = (&wanted.settings, &function.settings);
    let mut other = Vec::new();
    if new.runtime != old.runtime {
        other.push("runtime".to_owned());
    }
    for (what, unit, new, old) in [
        ("memory", "MB", new.memory_mb, old.memory_mb),
        ("time-out", "s", new.timeout_s, old.timeout_s),
        ("/tmp", "MB", new.tmp_mb, old.tmp_mb),
    ] {
        if new != old {
            other.push(format!("{what} {old} → {new} {unit}"));
        }
    }
    if new.environment != old.environment {
        let names = new.environment.keys().chain(old.environment.keys());
        let mut names: Vec<_> =
            names.filter(|name| new.environment.get(*name) != old.environment.get(*name)).cloned().collect();
        names.sort();
        names.dedup();
        other.push(format!("variables {}", names.join(", ")));
    }
    if new.description != old.description {
        other.push("description".to_owned());
    }
    other
}

/// The version that is wanted, published unless it is there, and who gets the calls then: that is returned, and what is to be known of it.
fn live(draft: &mut Draft<'_>, wanted: &Wanted, function: Option<&Function>) -> (Traffic, Option<String>) {
    let revision = wanted.revision();
    let known = function.and_then(|function| {
        function.versions.iter().rev().find(|(_, own)| *own == revision).map(|(number, _)| number.clone())
    });
    let name = &draft.names.function;
    if known.is_none() {
        draft.create(format!("version of {name}"), "what is published never changes", Action::Publish);
    }
    let version = known.unwrap_or_else(|| NEW.to_owned());
    let what = "alias live".to_owned();
    let now = function.and_then(|function| function.traffic.as_ref());
    let next = deployed(now, &version, wanted.canary_percent);
    let Some(now) = now else {
        draft.create(what, "gets all calls", Action::CreateAlias(next.clone()));
        let note = "there is no other version yet: the first one gets all calls".to_owned();
        return (next, wanted.canary_percent.map(|_| note));
    };
    if next != *now {
        draft.change(what, words(&next), Action::Route(next.clone()));
    }
    (next, None)
}

fn concurrency(draft: &mut Draft<'_>, wanted: &Wanted, function: Option<&Function>) {
    let name = draft.names.function.clone();
    if wanted.reserved.is_some() && wanted.reserved != function.and_then(|function| function.reserved) {
        let why = format!("at most {} calls at once", wanted.reserved.unwrap_or_default());
        draft.change(format!("concurrency of {name}"), why, Action::SetReserved(wanted.reserved));
    }
    if wanted.provisioned.is_some()
        && wanted.provisioned != function.and_then(|function| function.provisioned)
    {
        let instances = wanted.provisioned.filter(|instances| *instances > 0);
        let why =
            format!("{} instances are kept ready, and paid for", wanted.provisioned.unwrap_or_default());
        if instances.is_some() || function.is_some_and(|function| function.provisioned.is_some()) {
            draft.change(format!("instances of {name}"), why, Action::SetProvisioned(instances));
        }
    }
}

fn url(draft: &mut Draft<'_>, wanted: &Wanted, function: Option<&Function>) {
    let Some(auth) = wanted.url else { return };
    let what = format!("address of {}", draft.names.function);
    let now = function.and_then(|function| function.url.as_ref());
    let is_allowed =
        |grant: &Grant| function.is_some_and(|function| function.permissions.contains_key(&grant.id()));
    match (now, auth) {
        (Some(_), Auth::Off) => draft.delete(&what, "nobody is to have one", Action::DeleteUrl),
        (None, Auth::Off) => {}
        (None, auth) => draft.create(&what, auth.words(), Action::CreateUrl(auth)),
        (Some((_, now)), auth) if *now != auth => draft.change(&what, auth.words(), Action::SetAuth(auth)),
        (Some(_), _) => {}
    }
    for grant in [Grant::Url, Grant::UrlInvoke] {
        let id = grant.id();
        match (auth, is_allowed(&grant)) {
            (Auth::None, false) => {
                draft.create(
                    format!("permission {id}"),
                    "everybody may call the address",
                    Action::Allow(grant),
                );
            }
            (Auth::Iam | Auth::Off, true) => {
                draft.delete(
                    format!("permission {id}"),
                    "not everybody may call it any more",
                    Action::Forbid(id),
                );
            }
            (Auth::None, true) | (Auth::Iam | Auth::Off, false) => {}
        }
    }
}

#[cfg(test)]
mod tests;
