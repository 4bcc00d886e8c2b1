//! What importers share that make ONNX of another format: the file is read whole, within a limit, and the graph is written.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use modelet_core::{Code, FunctionError};
use modelet_model::onnx::write::GraphWriter;

use crate::importer::{Imported, onnx};

/// The file that is served.
pub(super) const MODEL_FILE: &str = "model.onnx";
/// Largest file that is read, in bytes: reading takes several times its size of memory.
const MAX_FILE_BYTES: u64 = 1 << 30;
/// How far one looks for what tells a format.
const HEAD_BYTES: u64 = 64;

/// The beginning of a file.
pub(crate) fn head(model: &Path) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    File::open(model)?.take(HEAD_BYTES).read_to_end(&mut head)?;
    Ok(head)
}

/// All of a file.
pub(crate) fn read(model: &Path) -> Result<Vec<u8>, FunctionError> {
    let size_bytes = fs::metadata(model).map_err(|error| unreadable(model, &error))?.len();
    if size_bytes > MAX_FILE_BYTES {
        let name = model.display();
        return Err(refused(format!("{name} has {size_bytes} bytes, the limit is {MAX_FILE_BYTES}")));
    }
    fs::read(model).map_err(|error| unreadable(model, &error))
}

/// Writes the graph into `work`; `origin` says what it was made of.
pub(super) fn write(graph: GraphWriter, origin: String, work: &Path) -> Result<Imported, FunctionError> {
    fs::write(work.join(MODEL_FILE), graph.into_file())
        .map_err(|error| refused(format!("could not write {MODEL_FILE}: {error}")))?;
    Ok(Imported {
        format: onnx::FORMAT,
        origin: Some(origin),
        version: None,
        original: None,
        converter: None,
        folder: work.to_owned(),
        model: MODEL_FILE.to_owned(),
        files: vec![MODEL_FILE.to_owned()],
    })
}

pub(super) fn unreadable(model: &Path, error: &io::Error) -> FunctionError {
    refused(format!("{} cannot be read: {error}", model.display()))
}

/// A refusal as a part of another one: what is wrong, and what to do.
pub(super) fn in_words(error: FunctionError) -> String {
    let hint = error.hint.map_or_else(String::new, |hint| format!(" ({hint})"));
    format!("{}{hint}", error.message)
}

pub(super) fn refused(message: impl Into<String>) -> FunctionError {
    FunctionError::new(Code::ModelRefused, message)
}
