//! What can be done to the things of a function, as data: what a plan does, and what takes that back.

use modelet_core::manifest::{Schedule, Upload};

use super::Auth;
use super::there::{There, URL_PERMISSIONS};
use super::wanted::Settings;
use crate::apply::{GONE, Inverse};
use crate::repository;
use crate::traffic::Traffic;

/// Something that can be done.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Makes the log group.
    CreateLogGroup,
    /// Deletes it with its records.
    DeleteLogGroup,
    /// Says how long records are kept, days; `None`: for ever.
    SetRetention(Option<u32>),
    /// Makes the role.
    CreateRole,
    /// Deletes it.
    DeleteRole,
    /// Lets the role write logs.
    AttachPolicy,
    /// Takes that from it.
    DetachPolicy,
    /// Writes into the role that it may read the secrets, as a policy of this name.
    PutPolicy(String),
    /// Takes a policy out of the role, by its name.
    DeletePolicy(String),
    /// Makes a bucket for code.
    CreateBucket(String),
    /// Says that the bucket is ours.
    TagBucket(String),
    /// Deletes it.
    DeleteBucket(String),
    /// Puts the code into a bucket.
    PutCode {
        /// The bucket.
        bucket: String,
        /// What the file is called.
        key: String,
    },
    /// Takes it out.
    DeleteCode {
        /// The bucket.
        bucket: String,
        /// What the file is called.
        key: String,
    },
    /// Does something to the repository and its images.
    Images(repository::Action),
    /// Makes the function, in this role.
    CreateFunction(String),
    /// Deletes it with all its versions.
    DeleteFunction,
    /// Says how it runs, and in which role.
    Configure(Box<Settings>, String),
    /// Gives it other code.
    UpdateCode,
    /// Gives it an image that it had before.
    SetImage(String),
    /// Says which artifact it is of.
    Tag(String),
    /// Makes a version of what it is now.
    Publish,
    /// Deletes the version that this plan made.
    DeleteNewVersion,
    /// Deletes a version, by its number.
    DeleteVersion(String),
    /// Makes the alias.
    CreateAlias(Traffic),
    /// Gives calls to other versions.
    Route(Traffic),
    /// Deletes the alias.
    DeleteAlias,
    /// Keeps a part of the account's concurrency for it.
    SetReserved(Option<u32>),
    /// Keeps instances ready.
    SetProvisioned(Option<u32>),
    /// Makes an address.
    CreateUrl(Auth),
    /// Says who may call it.
    SetAuth(Auth),
    /// Takes the address away.
    DeleteUrl,
    /// Lets somebody call it.
    Allow(Grant),
    /// Takes that back, by its id.
    Forbid(String),
    /// Makes a rule of this name.
    PutRule(String, Schedule),
    /// Lets it call the function.
    PutTarget(String, Schedule),
    /// Lets it call nothing.
    RemoveTarget(String),
    /// Deletes it.
    DeleteRule(String),
    /// Lets a bucket call the function, under this id.
    Notify(String, Upload),
    /// Takes that out of what the bucket calls.
    Unnotify {
        /// The bucket.
        bucket: String,
        /// The entry's id.
        id: String,
    },
}

/// Who is let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Grant {
    /// Everybody, to the address.
    Url,
    /// Everybody who comes by the address, to the function: public addresses need both since October 2025.
    UrlInvoke,
    /// A rule, by its name.
    Rule(String),
    /// A bucket, by the id of its entry.
    Bucket {
        /// The entry's id.
        id: String,
        /// The bucket.
        bucket: String,
    },
}

impl Grant {
    /// The id of the permission.
    pub fn id(&self) -> String {
        match self {
            Self::Url => URL_PERMISSIONS[0].to_owned(),
            Self::UrlInvoke => URL_PERMISSIONS[1].to_owned(),
            Self::Rule(rule) => rule.clone(),
            Self::Bucket { id, .. } => id.clone(),
        }
    }
}

impl Action {
    /// What takes it back, to what was there before.
    pub fn inverse(&self, before: &There) -> Inverse<Self> {
        if let Self::Images(action) = self {
            return action.inverse().map(Self::Images);
        }
        if let Some(action) = self.opposite().or_else(|| self.as_before(before)) {
            return Inverse::Action(action);
        }
        match self {
            Self::UpdateCode => {
                Inverse::Stays("nobody is sent to it, and the next deploy goes on from there")
            }
            Self::SetRetention(_)
            | Self::TagBucket(_)
            | Self::Tag(_)
            | Self::Configure(..)
            | Self::Route(_)
            | Self::SetAuth(_) => Inverse::Included,
            // What takes away comes last.
            _ => Inverse::Stays(GONE),
        }
    }

    /// What deletes what this makes.
    pub(super) fn opposite(&self) -> Option<Self> {
        Some(match self {
            Self::CreateLogGroup => Self::DeleteLogGroup,
            Self::CreateRole => Self::DeleteRole,
            Self::AttachPolicy => Self::DetachPolicy,
            Self::PutPolicy(name) => Self::DeletePolicy(name.clone()),
            Self::CreateBucket(bucket) => Self::DeleteBucket(bucket.clone()),
            Self::PutCode { bucket, key } => Self::DeleteCode { bucket: bucket.clone(), key: key.clone() },
            Self::CreateFunction(_) => Self::DeleteFunction,
            Self::Publish => Self::DeleteNewVersion,
            Self::CreateAlias(_) => Self::DeleteAlias,
            Self::CreateUrl(_) => Self::DeleteUrl,
            Self::Allow(grant) => Self::Forbid(grant.id()),
            Self::PutRule(rule, _) => Self::DeleteRule(rule.clone()),
            Self::PutTarget(rule, _) => Self::RemoveTarget(rule.clone()),
            Self::Notify(id, upload) => Self::Unnotify { bucket: upload.bucket.clone(), id: id.clone() },
            _ => return None,
        })
    }

    /// What makes that which this changes as it was; `None` where it was not there.
    fn as_before(&self, before: &There) -> Option<Self> {
        let function = before.function.as_ref();
        match self {
            Self::SetRetention(_) => Some(Self::SetRetention(before.log_group.as_ref()?.retention_days)),
            Self::Configure(..) => {
                let function = function?;
                Some(Self::Configure(Box::new(function.settings.clone()), function.role.clone()))
            }
            // A zip is not kept by anybody; an image lies in its repository, as long as a version is of it.
            Self::UpdateCode => Some(Self::SetImage(function?.image.clone()?)),
            Self::Tag(_) => Some(Self::Tag(function?.artifact()?.to_owned())),
            Self::Route(_) => Some(Self::Route(function?.traffic.clone()?)),
            Self::SetReserved(_) => Some(Self::SetReserved(function.and_then(|function| function.reserved))),
            Self::SetProvisioned(_) => {
                Some(Self::SetProvisioned(function.and_then(|function| function.provisioned)))
            }
            Self::SetAuth(_) => Some(Self::SetAuth(function?.url.as_ref()?.1)),
            _ => None,
        }
    }
}
