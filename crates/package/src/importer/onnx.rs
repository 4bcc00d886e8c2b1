//! ONNX: one file, and the weight files that it refers to.

use std::path::Path;

use modelet_core::{Code, FunctionError};

use crate::importer::{Imported, Importer};

pub(super) struct Onnx;

impl Importer for Onnx {
    fn endings(&self) -> &'static [&'static str] {
        &["onnx"]
    }

    fn import(&self, model: &Path) -> Result<Option<Imported>, FunctionError> {
        let summary = modelet_model::summarize(model)?;
        summary.check()?;
        let name = model.file_name().and_then(|name| name.to_str()).ok_or_else(|| {
            FunctionError::new(Code::ModelRefused, format!("{} is not a file name in UTF-8", model.display()))
        })?;
        let folder = model.parent().unwrap_or(Path::new(""));
        let mut files = vec![name.to_owned()];
        for file in summary.external_files() {
            if !folder.join(&file).is_file() {
                let message = format!("{name} keeps weights in {file:?}, which is not there");
                return Err(FunctionError::new(Code::ModelRefused, message)
                    .hint(format!("put {file} beside {name}, under exactly this name")));
            }
            files.push(file);
        }
        Ok(Some(Imported { format: "onnx", model: name.to_owned(), files }))
    }
}
