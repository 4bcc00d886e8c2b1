//! ONNX: one file, and the weight files that it refers to.

use std::fs;
use std::io;
use std::path::Path;

use modelet_core::{Code, FunctionError};
use modelet_model::onnx::{locale, weights};
use modelet_model::{Files, OnnxSummary};

use crate::importer::{Imported, Importer, Workshop, has_ending};

/// The format's name on cards.
pub(super) const FORMAT: &str = "onnx";

pub(super) struct Onnx;

impl Importer for Onnx {
    fn stands_out(&self, path: &Path) -> bool {
        has_ending(path, "onnx")
    }

    fn import(&self, model: &Path, workshop: &Workshop<'_>) -> Result<Option<Imported>, FunctionError> {
        let work = workshop.folder;
        let summary = modelet_model::summarize(model)?;
        summary.check()?;
        let own = model.parent().unwrap_or(Path::new(""));
        summary.check_external_files(&Files::Disk, own)?;
        let name = model.file_name().and_then(|name| name.to_str()).ok_or_else(|| {
            FunctionError::new(Code::ModelRefused, format!("{} is not a file name in UTF-8", model.display()))
        })?;
        let rewritten = rewrite(model, name, &summary, work).map_err(|error| {
            FunctionError::new(Code::ModelRefused, format!("could not rewrite {}: {error}", model.display()))
        })?;
        let files = std::iter::once(name.to_owned()).chain(summary.external_files());
        Ok(Some(rewritten.unwrap_or_else(|| Imported {
            format: FORMAT,
            origin: None,
            version: None,
            original: None,
            converter: None,
            folder: own.to_owned(),
            model: name.to_owned(),
            files: files.collect(),
        })))
    }
}

/// The model as it is served, in `work`; `None` when that is how the user gave it. Text models that name a locale which slim
/// machines do not have get one that is everywhere; large weights go into a file of their own, which instances share.
fn rewrite(model: &Path, name: &str, summary: &OnnxSummary, work: &Path) -> io::Result<Option<Imported>> {
    let mut files = summary.external_files();
    let for_locale = summary.needs_locale_rewrite();
    // Fewer bytes than that hold no weights worth sharing.
    let for_weights = files.is_empty() && fs::metadata(model)?.len() >= weights::MIN_TOTAL_BYTES as u64;
    if !for_locale && !for_weights {
        return Ok(None);
    }
    let mut bytes = fs::read(model)?;
    if for_locale {
        bytes = locale::rewrite_locale(&bytes).unwrap_or(bytes);
        for file in &files {
            let target = work.join(file);
            fs::create_dir_all(target.parent().unwrap_or(work))?;
            fs::copy(model.with_file_name(file), target)?;
        }
    }
    let weights_name = format!("{name}.data");
    let separated = if for_weights { weights::separate(&bytes, &weights_name) } else { None };
    match separated {
        Some(separated) => {
            fs::write(work.join(name), separated.model)?;
            fs::write(work.join(&weights_name), separated.weights)?;
            files.push(weights_name);
        }
        None if for_locale => fs::write(work.join(name), bytes)?,
        None => return Ok(None),
    }
    files.insert(0, name.to_owned());
    Ok(Some(Imported {
        format: FORMAT,
        origin: None,
        version: None,
        original: None,
        converter: None,
        folder: work.to_owned(),
        model: name.to_owned(),
        files,
    }))
}
