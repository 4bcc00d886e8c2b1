//! What can be done to the things of a function, as data: what a plan does, and what takes that back.

use super::there::There;
use crate::apply::{GONE, Inverse};
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
    /// Writes into the role what it allows, as a policy of this name.
    PutPolicy(String),
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
    /// What takes it back, to what was there before.
    pub fn inverse(&self, before: &There) -> Inverse<Self> {
        let back = match self {
            Self::Images(action) => return action.inverse().map(Self::Images),
            Self::CreateLogGroup => Some(Self::DeleteLogGroup),
            Self::SetRetention(_) => {
                before.log_group.as_ref().map(|group| Self::SetRetention(group.retention_days))
            }
            Self::CreateRole => Some(Self::DeleteRole),
            Self::PutPolicy(name) => Some(Self::DeletePolicy(name.clone())),
            Self::CreateModel(version) => Some(Self::DeleteModel(*version)),
            Self::CreateConfig(version) => Some(Self::DeleteConfig(*version)),
            Self::CreateEndpoint(_) => Some(Self::DeleteEndpoint),
            Self::Route(_) => match before.live() {
                Some(version) => Some(Self::Route(version)),
                None => return Inverse::Stays("the config that it had is none of modelet's"),
            },
            Self::Await(_) => None,
            // What takes away comes last.
            Self::DeleteLogGroup
            | Self::DeleteRole
            | Self::DeletePolicy(_)
            | Self::DeleteModel(_)
            | Self::DeleteConfig(_)
            | Self::DeleteEndpoint => return Inverse::Stays(GONE),
        };
        back.map_or(Inverse::Included, Inverse::Action)
    }
}
