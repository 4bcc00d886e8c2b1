//! The engines on small models that are built here: what they answer, what they refuse, and with which words.

#![allow(clippy::unwrap_used, reason = "the whole program is a test")]

#[path = "../common/build.rs"]
mod build;
#[path = "../common/onnx.rs"]
mod onnx;
#[path = "../common/random.rs"]
mod random;

mod answers;
mod files;
mod isolation;
mod library;
mod refusals;
mod tabular;
mod texts;
mod trees;

use std::path::PathBuf;

use modelet_core::{EngineName, FunctionError, Tensor, Value};
use modelet_model::{LoadOptions, Model, engine};

/// The library of ONNX Runtime; a test that needs it fails where it is not installed.
fn library() -> PathBuf {
    let home = std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
    let cached = home.join(".cache/modelet").join(modelet_model::library::CACHE_FOLDER);
    let path = std::env::var_os("MODELET_ONNXRUNTIME")
        .map_or_else(|| cached.join(modelet_model::library::FILE_NAME), PathBuf::from);
    assert!(path.exists(), "{} is not there: run modelet engines install", path.display());
    path
}

fn options() -> LoadOptions {
    LoadOptions { onnxruntime_library: Some(library()), ..LoadOptions::default() }
}

fn load(name: EngineName, model: &build::Built) -> Result<Box<dyn Model>, FunctionError> {
    let folder = tempfile::tempdir().unwrap();
    engine(name).load(&model.write(folder.path()), &options())
}

/// Loads a model and asks it once.
fn ask(
    name: EngineName,
    model: &build::Built,
    inputs: Vec<(&str, Tensor)>,
) -> Result<Vec<(String, Value)>, FunctionError> {
    let inputs = inputs.into_iter().map(|(name, tensor)| (name.to_owned(), tensor)).collect();
    load(name, model)?.predict(inputs, None)
}
