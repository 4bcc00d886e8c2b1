//! What can be done to the things of a function, as data: what a plan does, and what takes that back.

use super::there::There;
use super::wanted::Wanted;
use crate::repository;

/// Something that can be done.
#[derive(Debug, Clone, PartialEq, Eq)]
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
    /// Writes into the role what it allows.
    PutPolicy,
    /// Takes a policy out of the role, by its name.
    DeletePolicy(String),
    /// Does something to the repository and its images.
    Images(repository::Action),
    /// Makes a version's model.
    CreateModel(u64),
    /// Deletes it.
    DeleteModel(u64),
    /// Makes a version's config.
    CreateConfig(u64),
    /// Deletes it.
    DeleteConfig(u64),
    /// Makes the endpoint with a version, and waits until it answers.
    CreateEndpoint(u64),
    /// Gives the endpoint another version, and waits until that answers.
    Route(u64),
    /// Waits until the endpoint answers with the version that it has.
    Await(u64),
    /// Deletes the endpoint, and waits until it is gone.
    DeleteEndpoint,
}

impl Action {
    /// What takes it back, to what was there before; `None` where nothing does, or needs to.
    pub fn inverse(&self, before: &There, wanted: Option<&Wanted>) -> Option<Self> {
        Some(match self {
            Self::CreateLogGroup => Self::DeleteLogGroup,
            Self::SetRetention(_) => Self::SetRetention(before.log_group.as_ref()?.retention_days),
            Self::CreateRole => Self::DeleteRole,
            Self::PutPolicy => Self::DeletePolicy(wanted?.role_policy_name()),
            Self::Images(action) => {
                Self::Images(action.inverse(wanted.and_then(|wanted| wanted.written.as_deref()))?)
            }
            Self::CreateModel(version) => Self::DeleteModel(*version),
            Self::CreateConfig(version) => Self::DeleteConfig(*version),
            Self::CreateEndpoint(_) => Self::DeleteEndpoint,
            Self::Route(_) => Self::Route(before.live()?),
            Self::Await(_) => return None,
            // What takes away comes last, and is not brought back.
            Self::DeleteLogGroup
            | Self::DeleteRole
            | Self::DeletePolicy(_)
            | Self::DeleteModel(_)
            | Self::DeleteConfig(_)
            | Self::DeleteEndpoint => return None,
        })
    }
}
