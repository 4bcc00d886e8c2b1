//! What answers the invocations of an artifact: a model, Python code, or a program.

mod model;
mod program;
mod python;

use serde::{Deserialize, Serialize};

pub use model::{EngineName, ModelCard};
pub use program::{ProgramCard, Speaks, names_python};
pub use python::{Event, Interface, Layer, PACKAGES_FOLDER, PythonCard, SignatureType};

/// What answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Handler {
    /// A model, computed by an engine.
    Model(Box<ModelCard>),
    /// A function or an application in Python.
    Python(PythonCard),
    /// A program in whatever language.
    Program(ProgramCard),
}

/// Refuses what no platform could bring: a Python that is none, packages that are not named by their content.
fn check_needs(python: Option<&str>, packages: Option<&Layer>) -> Result<(), String> {
    let is_version = |version: &str| {
        let minor = version.strip_prefix("3.").unwrap_or_default();
        (1..=2).contains(&minor.len()) && minor.bytes().all(|byte| byte.is_ascii_digit())
    };
    if let Some(version) = python.filter(|version| !is_version(version)) {
        return Err(format!("its Python version {version:?} is not one such as 3.11"));
    }
    let is_digest = |text: &str| text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    match packages.filter(|layer| !is_digest(&layer.sha256)) {
        Some(layer) => Err(format!("its packages {:?} are not named by a digest", layer.sha256)),
        None => Ok(()),
    }
}
