//! What an engine is, what a loaded model is, and the list of engines.

use std::path::{Path, PathBuf};

use modelet_core::{EngineName, FunctionError, Signature, Tensor, Value};

use crate::files::Files;

/// How a model is to be loaded.
#[derive(Debug, Clone)]
pub struct LoadOptions {
    /// Threads that one prediction may use, at least 1.
    pub threads: usize,
    /// The library of ONNX Runtime, as [`crate::library::locate`] found it; `None` when it was not found.
    pub onnxruntime_library: Option<PathBuf>,
    /// Where its files are read.
    pub files: Files,
}

impl Default for LoadOptions {
    fn default() -> Self {
        Self { threads: 1, onnxruntime_library: None, files: Files::Disk }
    }
}

/// Something that computes models.
///
/// To add one: a variant of [`EngineName`], a file beside this one that implements this trait, and a line in [`engine`].
/// An engine refuses, when it loads, every model that it would not answer exactly; `tests/onnx_backend.rs` holds it to that.
pub trait Engine: Sync {
    /// Its name in manifests and cards.
    fn name(&self) -> EngineName;

    /// The version of the code that computes, such as `1.28.0`.
    ///
    /// # Errors
    /// `engine-missing` when the engine needs a library that is not there or is not the right one.
    fn version(&self, options: &LoadOptions) -> Result<String, FunctionError>;

    /// Makes what every model of this engine needs, ahead of the first one.
    ///
    /// # Errors
    /// As [`Engine::version`].
    fn prepare(&self, options: &LoadOptions) -> Result<(), FunctionError>;

    /// Loads a model file; files that it refers to are read from its folder.
    ///
    /// # Errors
    /// `model-refused` when the file is damaged, or this engine cannot compute it exactly; `engine-missing` as above.
    fn load(&self, model: &Path, options: &LoadOptions) -> Result<Box<dyn Model>, FunctionError>;
}

/// A loaded model.
pub trait Model: Send {
    /// What it takes and gives.
    fn signature(&self) -> &Signature;

    /// Computes one call.
    ///
    /// `inputs` are by name, in any order, absent optional ones left out. `outputs` are the names wanted, in the order
    /// wanted; `None` asks for all of them in the order of the signature.
    ///
    /// # Errors
    /// `bad-input` naming the input, what was expected and what came; `prediction-failed` when the engine gave up.
    fn predict(
        &mut self,
        inputs: Vec<(String, Tensor)>,
        outputs: Option<&[String]>,
    ) -> Result<Vec<(String, Value)>, FunctionError>;
}

/// The engine of a name.
pub fn engine(name: EngineName) -> &'static dyn Engine {
    match name {
        EngineName::Onnxruntime => &crate::onnxruntime::OnnxRuntime,
        EngineName::Tabular => &crate::tabular::Tabular,
        EngineName::Rten => &crate::rten::Rten,
    }
}
