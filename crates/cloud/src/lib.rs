//! Where an artifact goes besides this machine, and how.
//!
//! - [`registry`]: container images, brought from registries and to them
//! - [`error`]: how a call fails, and what to do next
//!
//! Deliberately absent: the platform, and how an artifact is made.

pub mod error;
pub mod registry;
