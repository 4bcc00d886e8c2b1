//! What answers the invocations of an artifact: a model, or Python code.

mod model;
mod python;

use serde::{Deserialize, Serialize};

pub use model::{EngineName, ModelCard};
pub use python::{Event, Interface, Layer, PythonCard, SignatureType};

/// What answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Handler {
    /// A model, computed by an engine.
    Model(ModelCard),
    /// A function or an application in Python.
    Python(PythonCard),
}
