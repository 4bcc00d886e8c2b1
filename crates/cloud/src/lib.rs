//! Where an artifact goes besides this machine, and how.
//!
//! - [`container`]: files for hosts that take a container image
//! - [`registry`]: container images, brought from registries and to them
//! - [`error`]: how a call fails, and what to do next
//!
//! Deliberately absent: the platform, and how an artifact is made.

pub mod container;
pub mod error;
pub mod registry;
