//! What a manifest says of a program.

use serde::{Deserialize, Serialize};

use crate::handler::{Event, Speaks};

/// A program that answers, in the place of a model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProgramNotes {
    /// The program and its arguments; what lies in the folder begins with `./`.
    pub command: Vec<String>,
    /// How it gets its calls.
    #[serde(default)]
    pub speaks: Speaks,
    /// What becomes its event, where a client sends it an HTTP request.
    #[serde(default)]
    pub event: Event,
}
