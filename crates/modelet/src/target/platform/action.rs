//! What can be done to a function on a platform, as data: what a plan does, and what takes that back.

use modelet_cloud::apply::{GONE, Inverse};
use modelet_cloud::traffic::Traffic;

use super::there::{There, told};

/// Something that can be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Sends the packages of the code.
    PutPackages,
    /// Sends the artifact as the first version of a function, which gets all calls.
    CreateFunction,
    /// Deletes the function with all its versions and its log.
    DeleteFunction,
    /// Sends the artifact as a further version, which gets no calls yet.
    CreateVersion,
    /// Deletes the version that this plan made.
    DeleteNewVersion,
    /// Gives calls to other versions.
    Route(Traffic),
}

impl Action {
    /// What takes it back, to what was there before.
    pub fn inverse(&self, before: &There) -> Inverse<Self> {
        match self {
            Self::PutPackages => {
                Inverse::Stays("the platform removes packages that no version needs by itself")
            }
            Self::CreateFunction => Inverse::Action(Self::DeleteFunction),
            Self::CreateVersion => Inverse::Action(Self::DeleteNewVersion),
            Self::Route(_) => match &before.function {
                Some(function) => Inverse::Action(Self::Route(told(function.traffic))),
                None => Inverse::Included,
            },
            // What takes away comes last.
            Self::DeleteFunction | Self::DeleteNewVersion => Inverse::Stays(GONE),
        }
    }
}
