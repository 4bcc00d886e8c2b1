//! ONNX: one file, and the weight files that it refers to.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use modelet_core::{Code, FunctionError};

use crate::importer::{Imported, Importer};

pub(super) struct Onnx;

impl Importer for Onnx {
    fn endings(&self) -> &'static [&'static str] {
        &["onnx"]
    }

    fn import(&self, model: &Path, work: &Path) -> Result<Option<Imported>, FunctionError> {
        let summary = modelet_model::summarize(model)?;
        summary.check()?;
        let own = model.parent().unwrap_or(Path::new(""));
        summary.check_external_files(own)?;
        let name = model.file_name().and_then(|name| name.to_str()).ok_or_else(|| {
            FunctionError::new(Code::ModelRefused, format!("{} is not a file name in UTF-8", model.display()))
        })?;
        let external = summary.external_files();
        let folder = if summary.needs_locale_rewrite() {
            rewrite(model, name, &external, work).map_err(|error| {
                let message =
                    format!("could not rewrite {} for this machine's locale: {error}", model.display());
                FunctionError::new(Code::ModelRefused, message)
            })?
        } else {
            own.to_owned()
        };
        let files = std::iter::once(name.to_owned()).chain(external).collect();
        Ok(Some(Imported { format: "onnx", folder, model: name.to_owned(), files }))
    }
}

/// Text models name a locale that slim machines do not have; they get one that is everywhere.
fn rewrite(model: &Path, name: &str, external: &[String], work: &Path) -> io::Result<PathBuf> {
    let bytes = fs::read(model)?;
    fs::write(work.join(name), modelet_model::onnx::locale::rewrite_locale(&bytes).unwrap_or(bytes))?;
    for file in external {
        let target = work.join(file);
        if let Some(parent) = target.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::copy(model.with_file_name(file), target)?;
    }
    Ok(work.to_owned())
}
