//! What calls the function besides its clients: rules of EventBridge, and buckets.

use super::Draft;
use crate::lambda::action::{Action, Grant};
use crate::lambda::there::{PERMISSION, There, URL_PERMISSIONS};
use crate::lambda::wanted::Wanted;

/// Those that are wanted.
pub fn put(draft: &mut Draft<'_>, wanted: &Wanted, there: &There) {
    let is_allowed =
        |id: &str| there.function.as_ref().is_some_and(|function| function.permissions.contains_key(id));
    for schedule in &wanted.schedules {
        let rule = draft.names.rule(schedule);
        let (what, why) = (format!("rule {rule}"), format!("calls it at {}", schedule.schedule));
        let now = there.rules.iter().find(|own| own.name == rule);
        if now.is_none_or(|own| own.schedule != schedule.schedule || !draft.names.are_ours(&own.tags)) {
            draft.create(&what, &why, Action::PutRule(rule.clone(), schedule.clone()));
        }
        if !is_allowed(&rule) {
            draft.create(
                format!("permission {rule}"),
                "the rule may call it",
                Action::Allow(Grant::Rule(rule.clone())),
            );
        }
        let target = Some((draft.names.alias_arn(), schedule.input.clone()));
        if now.is_none_or(|own| own.target != target) {
            draft.change(&what, "calls the alias live", Action::PutTarget(rule, schedule.clone()));
        }
    }
    for upload in &wanted.uploads {
        let (id, bucket) = (draft.names.notification(upload), upload.bucket.clone());
        if !is_allowed(&id) {
            let grant = Grant::Bucket { id: id.clone(), bucket: bucket.clone() };
            draft.create(
                format!("permission {id}"),
                format!("the bucket {bucket} may call it"),
                Action::Allow(grant),
            );
        }
        if !there.notifications.get(&bucket).is_some_and(|ids| ids.contains(&id)) {
            let why = format!("files {}*{} call it; what else it calls stays", upload.prefix, upload.suffix);
            draft.change(format!("bucket {bucket}"), why, Action::Notify(id, upload.clone()));
        }
    }
}

/// Those that modelet made and nobody wants any more.
pub fn drop(draft: &mut Draft<'_>, wanted: &Wanted, there: &There) {
    let rules: Vec<_> = wanted.schedules.iter().map(|schedule| draft.names.rule(schedule)).collect();
    let uploads: Vec<_> = wanted.uploads.iter().map(|upload| draft.names.notification(upload)).collect();
    remove(draft, there, |id| !rules.iter().chain(&uploads).any(|own| own == id));
}

/// Those that modelet made whose names are chosen.
pub fn remove(draft: &mut Draft<'_>, there: &There, is_chosen: impl Fn(&str) -> bool) {
    for rule in &there.rules {
        if !draft.names.are_ours(&rule.tags) || !is_chosen(&rule.name) {
            continue;
        }
        let what = format!("rule {}", rule.name);
        if rule.target.is_some() {
            draft.delete(&what, "calls nothing any more", Action::RemoveTarget(rule.name.clone()));
        }
        draft.delete(&what, rule.schedule.clone(), Action::DeleteRule(rule.name.clone()));
    }
    let prefix = draft.names.rule_prefix();
    for (bucket, ids) in &there.notifications {
        for id in ids.iter().filter(|id| id.starts_with(&prefix) && is_chosen(id)) {
            let action = Action::Unnotify { bucket: bucket.clone(), id: id.clone() };
            draft.delete(format!("bucket {bucket}"), "calls it no more; what else it calls stays", action);
        }
    }
    let permissions = there.function.iter().flat_map(|function| function.permissions.keys());
    for id in permissions.filter(|id| id.starts_with(PERMISSION) && !URL_PERMISSIONS.contains(&id.as_str())) {
        if is_chosen(id) {
            draft.delete(format!("permission {id}"), "nothing uses it any more", Action::Forbid(id.clone()));
        }
    }
}
