//! Recognises a model by its content and says which files belong to it. A format is one implementation of `Importer` in one
//! file, and one entry in `IMPORTERS`.

use std::path::{Path, PathBuf};

use modelet_core::{Code, FunctionError};

mod onnx;
mod python;

/// A model that was recognised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// The format, such as `onnx`.
    pub format: &'static str,
    /// Where the files lie: the model's own folder, or one with a rewritten model.
    pub folder: PathBuf,
    /// The model's file, relative to its folder.
    pub model: String,
    /// Every file that belongs to it, relative to its folder, the model's own included.
    pub files: Vec<String>,
}

/// One model format.
trait Importer: Sync {
    /// Endings of file names that such models usually have, for finding the model of a folder.
    fn endings(&self) -> &'static [&'static str];
    /// `Ok(None)`: not of this format. An error: of this format, and not to be served, with the reason. Files that have to be
    /// rewritten are put into `work`.
    fn import(&self, model: &Path, work: &Path) -> Result<Option<Imported>, FunctionError>;
}

/// Tried in this order; the last one gives the error for what none recognises.
const IMPORTERS: &[&dyn Importer] = &[&python::Python, &onnx::Onnx];

/// How much a file's name speaks for it as the model of its folder: the more, the higher; `None` when it is not named as a
/// model. An ONNX file beside a pickle is what was made of it to be served.
pub fn name_rank(path: &Path) -> Option<usize> {
    let ending = path.extension()?.to_str()?;
    IMPORTERS.iter().position(|importer| importer.endings().contains(&ending))
}

/// Recognises a model. Files that have to be rewritten are put into `work`.
pub fn import(model: &Path, work: &Path) -> Result<Imported, FunctionError> {
    for importer in IMPORTERS {
        if let Some(imported) = importer.import(model, work)? {
            return Ok(imported);
        }
    }
    let message = format!("{} is not a model that modelet knows", model.display());
    Err(FunctionError::new(Code::ModelRefused, message).hint("deploy an ONNX file, or a folder with one"))
}
