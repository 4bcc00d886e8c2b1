//! Networks that only their own framework can read: recognised by their content, their versions read, and what would run code
//! refused by name, before anything is loaded. What makes ONNX of them is a [`crate::conversion`].
//!
//! - [`keras`]: what Keras saved, as `.keras` or, with [`hdf5`], as `.h5`
//! - [`saved_model`]: TensorFlow's SavedModel
//! - [`torch`]: what PyTorch saved: TorchScript and `torch.export`; anything else of its own is refused with what to save
//!
//! Deliberately absent: their layers and weights.

mod hdf5;
mod keras;
mod saved_model;
mod torch;

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use modelet_core::{Code, FunctionError};
use zip::ZipArchive;

use crate::archive::open_zip;
use crate::certificate::original::{Loader, Original};
use crate::given::unreadable;
use crate::importer::head;

pub use torch::is_legacy;

/// Largest text in a file that is read for its description, in bytes.
const MAX_TEXT_BYTES: u64 = 16 << 20;
/// Most names of what is code that a message shows.
const MAX_NAMED: usize = 5;

/// A network that was recognised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Network {
    /// The file, and what loads it.
    pub original: Original,
    /// What it is, in words: `Keras 3.15.1, Functional`.
    pub title: String,
}

/// Recognises a network; `None`: it is none of these.
///
/// # Errors
/// `model-refused` for one that cannot be converted whatever one does, with what to save instead.
pub fn recognise(path: &Path) -> Result<Option<Network>, FunctionError> {
    let head = head(path).map_err(|error| unreadable(path, &error))?;
    if hdf5::is_hdf5(&head) {
        return keras::of_hdf5(path).map(Some);
    }
    if is_legacy(&head) {
        return Err(torch::legacy(path));
    }
    if saved_model::is_saved_model(path) {
        return saved_model::of(path);
    }
    if !head.starts_with(ZIP_MARK) {
        return Ok(None);
    }
    let Some(mut archive) = Archive::open(path) else { return Ok(None) };
    if archive.has(keras::CONFIG) && archive.has(keras::WEIGHTS) {
        return keras::of_archive(path, &mut archive).map(Some);
    }
    torch::of(path, &mut archive)
}

/// True for a file that is the network of its folder, by its name.
pub fn stands_out(path: &Path) -> bool {
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    saved_model::is_saved_model(path) || ["keras", "h5", "hdf5", "pt", "pth", "pt2"].contains(&ending)
}

const ZIP_MARK: &[u8] = b"PK\x03\x04";

/// A zip, and the names in it.
struct Archive {
    zip: ZipArchive<BufReader<File>>,
    names: Vec<String>,
}

impl Archive {
    fn open(path: &Path) -> Option<Self> {
        let zip = open_zip(path).ok()?.ok()?;
        let names = zip.file_names().flatten().map(|name| name.to_string()).collect();
        Some(Self { zip, names })
    }

    fn has(&self, name: &str) -> bool {
        self.names.iter().any(|own| own == name)
    }

    /// The one name that ends so.
    fn ending(&self, ending: &str) -> Option<String> {
        self.names.iter().find(|name| name.ends_with(ending)).cloned()
    }

    /// The content of a file in it. The error is a sentence.
    fn read(&mut self, name: &str) -> Result<Vec<u8>, String> {
        let file = self.zip.by_name(name).map_err(|error| format!("its {name} cannot be read: {error}"))?;
        let mut content = Vec::new();
        let read = file.take(MAX_TEXT_BYTES + 1).read_to_end(&mut content);
        read.map_err(|error| format!("its {name} cannot be read: {error}"))?;
        if content.len() as u64 > MAX_TEXT_BYTES {
            return Err(format!("its {name} is larger than {MAX_TEXT_BYTES} bytes"));
        }
        Ok(content)
    }
}

fn original(path: &Path, loader: Loader, framework: &str, version: Option<String>) -> Original {
    let file = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    Original { file, loader, framework: framework.to_owned(), version, guests: Vec::new() }
}

fn refused(path: &Path, why: &str) -> FunctionError {
    FunctionError::new(Code::ModelRefused, format!("{} {why}", path.display()))
}

#[cfg(test)]
mod tests;
