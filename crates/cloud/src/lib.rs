//! Where an artifact goes, and how.
//!
//! - [`target`]: what a target does; [`delivery`]: what it gets of an artifact; [`traffic`]: who gets the calls
//! - [`plan`]: what has to be done, as data; [`apply`]: the one place that does it, and takes it back
//! - [`lambda`]: the target `aws-lambda`; [`sagemaker`]: the target `sagemaker`; [`repository`]: where their images lie
//! - [`container`]: files for hosts that take a container image
//! - [`registry`]: container images, brought from registries and to them
//! - [`aws`]: operations of AWS' services; [`http`]: how calls are sent; [`environment`]: passed in
//! - [`secrets`]: those of a function, by reference
//! - [`prices`]: what a function costs, on dated cards
//! - [`error`]: how a call fails, and what to do next
//!
//! Deliberately absent: the platform, how an artifact is made, terminals, and files that remember what was deployed.

pub mod apply;
pub mod aws;
pub mod container;
pub mod delivery;
pub mod http;
pub mod lambda;
pub mod plan;
pub mod prices;
pub mod registry;
pub mod repository;
pub mod sagemaker;
pub mod secrets;
pub mod target;
pub mod traffic;

pub use modelet_aws::{environment, error};

pub use delivery::Delivery;
pub use error::CloudError;
pub use target::{Deployment, Target};
