//! Recognises a model by its content and says which files belong to it. A format is one implementation of [`Importer`] in one
//! file, and one entry in `IMPORTERS`.

use std::path::Path;

use modelet_core::FunctionError;

mod onnx;

/// A model that was recognised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// The format, such as `onnx`.
    pub format: &'static str,
    /// The model's file, relative to its folder.
    pub model: String,
    /// Every file that belongs to it, relative to its folder, the model's own included.
    pub files: Vec<String>,
}

/// One model format.
trait Importer: Sync {
    /// Endings of file names that such models usually have, for finding the model of a folder.
    fn endings(&self) -> &'static [&'static str];
    /// `Ok(None)`: not of this format. An error: of this format, and not to be served, with the reason.
    fn import(&self, model: &Path) -> Result<Option<Imported>, FunctionError>;
}

/// Tried in this order; the last one gives the error for what none recognises.
const IMPORTERS: &[&dyn Importer] = &[&onnx::Onnx];

/// True when a file is named as a model is.
pub fn has_model_name(path: &Path) -> bool {
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    IMPORTERS.iter().any(|importer| importer.endings().contains(&ending))
}

/// Recognises a model.
pub fn import(model: &Path) -> Result<Imported, FunctionError> {
    for importer in IMPORTERS {
        if let Some(imported) = importer.import(model)? {
            return Ok(imported);
        }
    }
    Err(modelet_model::not_a_model(model))
}
