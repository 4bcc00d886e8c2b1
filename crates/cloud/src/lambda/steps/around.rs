//! What stands around a function: its log, its role, and the bucket through which its code comes.

use super::Draft;
use crate::error::CloudError;
use crate::lambda::action::Action;
use crate::lambda::there::{There, is_managed};
use crate::lambda::wanted::{Code, Wanted};
use crate::secrets;

/// What the names of our own policies begin with.
const OURS: &str = "modelet-";

/// The log group, with its retention.
pub fn log(draft: &mut Draft<'_>, wanted: &Wanted, there: &There, notes: &mut Vec<String>) {
    let (name, days) = (draft.names.log_group(), wanted.retention_days);
    match &there.log_group {
        None => {
            draft.create(
                format!("log group {name}"),
                "before Lambda makes one that keeps all for ever",
                Action::CreateLogGroup,
            );
            draft.change(
                format!("log group {name}"),
                format!("keeps {days} days"),
                Action::SetRetention(Some(days)),
            );
        }
        Some(group) if !draft.names.are_ours(&group.tags) => {
            notes.push(format!(
                "the log group {name} is not modelet's: it stays as it is, also when the function goes"
            ));
        }
        Some(group) if group.retention_days != Some(days) => {
            draft.change(
                format!("log group {name}"),
                format!("keeps {days} days"),
                Action::SetRetention(Some(days)),
            );
        }
        Some(_) => {}
    }
}

/// The role, unless one is named; then what it has to be allowed.
///
/// # Errors
/// When there is a role of that name that modelet did not make: who made it may not want it to be used so.
pub fn role(
    draft: &mut Draft<'_>,
    wanted: &Wanted,
    there: &There,
    notes: &mut Vec<String>,
) -> Result<(), CloudError> {
    if let Some(role) = &wanted.role {
        notes.extend(secrets::for_role(role, &wanted.secrets, draft.names));
        return Ok(());
    }
    let name = draft.names.role();
    match &there.role {
        None => draft.create(format!("role {name}"), "the function runs in it", Action::CreateRole),
        Some(role) if draft.names.are_ours(&role.tags) => {}
        Some(_) => {
            return Err(CloudError::refused(format!("there is a role {name} that modelet did not make"))
                .hint("name the role that the function is to run in: --role ARN"));
        }
    }
    let policy = draft.names.basic_policy();
    if !there.role.as_ref().is_some_and(|role| role.policies.contains(&policy)) {
        draft.change(format!("role {name}"), "may write the log, and nothing else", Action::AttachPolicy);
    }
    let secrets = wanted.role_policy_name();
    if let (Some(policy), Some(words)) = (&secrets, secrets::words(&wanted.secrets))
        && !there.role_policies.contains(policy)
    {
        let why = format!("may also read {words}");
        draft.change(format!("role {name}"), why, Action::PutPolicy(policy.clone()));
    }
    // An older version may get calls again, and starts then with what it names.
    if there.role_policies.iter().any(|policy| policy.starts_with(OURS) && Some(policy) != secrets.as_ref()) {
        notes.push(format!(
            "the role {name} may still read the secrets of older versions, which may get calls again; that goes with the function"
        ));
    }
    Ok(())
}

/// The file through which code comes that is too large to be sent, and the bucket for it.
pub fn bucket(draft: &mut Draft<'_>, wanted: &Wanted, there: &There) {
    let Code::Bucket { zip, bucket, is_ours } = &wanted.code else { return };
    if *is_ours {
        if there.bucket.is_none() {
            let why = "for code that is too large to be sent to Lambda";
            draft.create(format!("bucket {bucket}"), why, Action::CreateBucket(bucket.clone()));
        }
        if !there.bucket.as_ref().is_some_and(is_managed) {
            draft.change(format!("bucket {bucket}"), "is modelet's", Action::TagBucket(bucket.clone()));
        }
    }
    let key = draft.names.code_key(&zip.sha256);
    if !there.code_keys.contains(&key) {
        let why = format!("{} bytes", zip.size_bytes);
        draft.create(format!("file {bucket}/{key}"), why, Action::PutCode { bucket: bucket.clone(), key });
    }
}

/// Takes the file away again: Lambda has a copy of its own.
pub fn clear(draft: &mut Draft<'_>, wanted: &Wanted, there: &There, is_new_code: bool) {
    let Code::Bucket { zip, bucket, .. } = &wanted.code else { return };
    let mut keys = there.code_keys.clone();
    let key = draft.names.code_key(&zip.sha256);
    if is_new_code && !keys.contains(&key) {
        keys.push(key);
    }
    for key in keys {
        let action = Action::DeleteCode { bucket: bucket.clone(), key: key.clone() };
        draft.delete(format!("file {bucket}/{key}"), "Lambda has a copy of its own", action);
    }
}
