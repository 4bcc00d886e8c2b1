//! Targets that are no clouds.
//!
//! - [`platform`]: a platform of ours: the one that runs here, or another by its address

pub mod platform;
