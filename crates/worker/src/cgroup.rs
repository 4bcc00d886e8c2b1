//! Control groups: what the kernel counts and limits for an instance as a whole.
//!
//! - [`layout`]: which version, and where we may make groups
//! - [`table`]: which file of which version holds what
//! - [`group`]: the group of one instance
//! - [`home`]: where the groups of one platform are

pub(crate) mod group;
pub(crate) mod home;
pub(crate) mod layout;
pub(crate) mod table;

pub(crate) use group::Group;
pub(crate) use home::{Home, put_first};
