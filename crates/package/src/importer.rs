//! Recognises a model by its content and says which files belong to it. A format is one implementation of `Importer` in one
//! file, and one entry in `IMPORTERS`.

use std::path::{Path, PathBuf};

use modelet_core::certificate::Library;
use modelet_core::{Code, FunctionError, Processor};

use crate::certificate::original::Original;
use crate::code::Examiner;
use crate::conversion::Converter;

mod catboost;
mod classes;
mod codes;
mod converted;
mod ensemble;
mod guest;
mod lightgbm;
mod links;
mod network;
mod onnx;
mod python;
mod sklearn;
mod xgboost;

/// A model that was recognised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// The format in which it is served, such as `onnx`.
    pub format: &'static str,
    /// What it was made of, where that is something else.
    pub origin: Option<String>,
    /// The version of the framework that wrote that, where the file says it.
    pub version: Option<String>,
    /// What that is and what loads it, where it was found out already.
    pub original: Option<Original>,
    /// What made ONNX of it, where that was not modelet itself.
    pub converter: Option<Library>,
    /// Where the files lie: the model's own folder, or one with a rewritten model.
    pub folder: PathBuf,
    /// The model's file, relative to its folder.
    pub model: String,
    /// Every file that belongs to it, relative to its folder, the model's own included.
    pub files: Vec<String>,
}

/// What importing takes.
pub struct Workshop<'a> {
    /// A folder for files that have to be rewritten.
    pub folder: &'a Path,
    /// What makes ONNX of networks that only their framework can read.
    pub converter: &'a dyn Converter,
    /// What reads Python files.
    pub examiner: &'a dyn Examiner,
    /// What the function is to run on.
    pub processor: Processor,
}

#[cfg(test)]
impl<'a> Workshop<'a> {
    /// For formats that modelet imports itself.
    pub(crate) fn of(folder: &'a Path) -> Self {
        struct Nothing;
        impl Examiner for Nothing {
            fn examine(&self, files: &[PathBuf]) -> Result<Vec<crate::code::facts::Facts>, FunctionError> {
                panic!("{files:?} is no code")
            }
        }
        impl Converter for Nothing {
            fn convert(&self, original: &Original) -> Result<crate::conversion::Converted, FunctionError> {
                panic!("{original:?} is no network")
            }
        }
        Self { folder, converter: &Nothing, examiner: &Nothing, processor: Processor::HERE }
    }
}

/// One model format.
trait Importer: Sync {
    /// True for the file that is the model, among all that lie in a folder: by its name, and by its content where many other
    /// things are named so.
    fn stands_out(&self, path: &Path) -> bool;
    /// `Ok(None)`: not of this format. An error: of this format, and not to be served, with the reason.
    fn import(&self, model: &Path, workshop: &Workshop<'_>) -> Result<Option<Imported>, FunctionError>;
}

/// Tried in this order (CatBoost's files begin like a pickle of bytes); the last one gives the error for what none recognises.
const IMPORTERS: &[&dyn Importer] = &[
    &catboost::Catboost,
    &python::Python,
    &network::Network,
    &xgboost::Xgboost,
    &lightgbm::Lightgbm,
    &onnx::Onnx,
];

/// How much speaks for a file as the model of its folder: the more, the higher; `None` when nothing does. An ONNX file beside a
/// pickle is what was made of it to be served.
pub fn rank(path: &Path) -> Option<usize> {
    IMPORTERS.iter().position(|importer| importer.stands_out(path))
}

pub(crate) use converted::{head, read};

fn has_ending(path: &Path, ending: &str) -> bool {
    path.extension().is_some_and(|found| found == ending)
}

/// The framework of a file that is not Python's own, as its package is called.
pub fn framework_of(file: &Path) -> Option<&'static str> {
    let head = head(file).ok()?;
    let known = [
        ("catboost", catboost::is_catboost(&head)),
        ("xgboost", xgboost::is_xgboost(&head)),
        ("lightgbm", lightgbm::is_lightgbm(&head)),
    ];
    known.into_iter().find(|(_, is)| *is).map(|(name, _)| name)
}

/// Recognises a model.
pub fn import(model: &Path, workshop: &Workshop<'_>) -> Result<Imported, FunctionError> {
    for importer in IMPORTERS {
        if let Some(imported) = importer.import(model, workshop)? {
            return Ok(imported);
        }
    }
    let message = format!("{} is not a model that modelet knows", model.display());
    Err(FunctionError::new(Code::ModelRefused, message).hint("deploy an ONNX file, or a folder with one"))
}
