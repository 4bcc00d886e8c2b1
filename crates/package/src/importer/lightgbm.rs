//! LightGBM's text files, as `save_model` writes them (versions 2 to 4). There is no description of them but LightGBM's own
//! reader and writer (`gbdt_model_text.cpp`, `tree.cpp`).
//!
//! - [`text`]: the file as it is
//! - [`graph`]: the same model as an ONNX graph
//! - [`pickled`]: the same text within a Python object, and what that adds
//! - [`objective`]: what becomes of the sum over the trees

mod graph;
mod objective;
mod pickled;
mod text;

use std::path::Path;

use modelet_core::FunctionError;

use crate::importer::converted::{self, refused, unreadable};
use crate::importer::{Imported, Importer, Workshop, has_ending};
pub(super) use pickled::{guest, import_pickled};
use text::Text;

/// The first line, and the beginning of the second.
const MARK: &[u8] = b"tree\nversion=";

/// True for the beginning of such a file.
pub(super) fn is_lightgbm(head: &[u8]) -> bool {
    head.starts_with(MARK)
}

pub(super) struct Lightgbm;

impl Importer for Lightgbm {
    fn stands_out(&self, path: &Path) -> bool {
        has_ending(path, "txt") && converted::head(path).is_ok_and(|head| is_lightgbm(&head))
    }

    fn import(&self, model: &Path, workshop: &Workshop<'_>) -> Result<Option<Imported>, FunctionError> {
        let work = workshop.folder;
        if !is_lightgbm(&converted::head(model).map_err(|error| unreadable(model, &error))?) {
            return Ok(None);
        }
        let bytes = converted::read(model)?;
        let read = str::from_utf8(&bytes).map_err(|error| error.to_string()).and_then(Text::read);
        let text = read.map_err(|why| {
            refused(format!("{} starts like a LightGBM model but is damaged or cut: {why}", model.display()))
                .hint("save it again: booster.save_model(\"model.txt\")")
        })?;
        if text.has_pandas_categories {
            return Err(graph::of_pandas());
        }
        converted::write(graph::of(&text, None)?, graph::origin(&text), work).map(Some)
    }
}
