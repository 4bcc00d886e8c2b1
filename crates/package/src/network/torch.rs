//! What PyTorch saved. Its zips all have a folder of any name: with `code/` and `constants.pkl` it is TorchScript, with
//! `archive_format` or `serialized_exported_program.json` a `torch.export`, and with `data.pkl` alone what `torch.save` pickled:
//! weights, or a model whose class is in somebody's program. Source: PyTorch's `serialization.py` and `export/pt2_archive`.

use std::path::Path;

use modelet_core::FunctionError;
use serde_json::Value as Json;

use super::{Archive, Network, original, refused};
use crate::certificate::original::Loader;
use crate::pickle;

/// How files begin that PyTorch wrote before 1.6: a pickle of the number 0x1950a86a20f9469cfc6c.
const LEGACY: &[u8] = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.";
/// What to save instead.
const INSTEAD: &str = "save the model with its graph: torch.export.save(torch.export.export(model.eval(), (example,), \
     dynamic_shapes=({0: torch.export.Dim(\"batch\")},)), \"model.pt2\"); or torch.jit.trace(model.eval(), example).save(\"model.pt\")";

/// True for a file that PyTorch wrote before it wrote zips.
pub fn is_legacy(head: &[u8]) -> bool {
    head.starts_with(LEGACY)
}

pub(super) fn legacy(path: &Path) -> FunctionError {
    refused(
        path,
        "is a pickle in PyTorch's form from before 1.6: weights, or a model whose class it does not hold",
    )
    .hint(INSTEAD)
}

pub(super) fn of(path: &Path, archive: &mut Archive) -> Result<Option<Network>, FunctionError> {
    if archive.ending("/constants.pkl").is_some() && archive.ending("/data.pkl").is_some() {
        return Ok(Some(Network {
            original: original(path, Loader::Torchscript, "torch", None),
            title: "TorchScript".to_owned(),
        }));
    }
    if let Some(name) = program(archive) {
        return exported(path, archive, &name).map(Some);
    }
    if archive.ending("/archive_format").is_some() {
        let why = "is a .pt2 without a program in it: what was compiled for one kind of processor";
        return Err(refused(path, why).hint(INSTEAD));
    }
    match archive.ending("/data.pkl") {
        Some(name) => {
            let content =
                archive.read(&name).map_err(|why| refused(path, &format!("cannot be read: {why}")))?;
            Err(saved(path, &content))
        }
        None => Ok(None),
    }
}

/// The description of an exported program, by what writes it today and wrote it before 2.8.
fn program(archive: &Archive) -> Option<String> {
    let is_program = |name: &&String| name.contains("/models/") && name.ends_with(".json");
    archive
        .names
        .iter()
        .find(is_program)
        .cloned()
        .or_else(|| archive.ending("serialized_exported_program.json"))
}

fn exported(path: &Path, archive: &mut Archive, name: &str) -> Result<Network, FunctionError> {
    let text = archive.read(name).map_err(|why| refused(path, &format!("cannot be read: {why}")))?;
    let program: Json = serde_json::from_slice(&text).map_err(|error| {
        refused(path, &format!("cannot be read: its {name}: {error}"))
            .hint("save it again: torch.export.save")
    })?;
    // What follows the plus says how it was built.
    let version =
        program["torch_version"].as_str().and_then(|version| version.split('+').next()).map(str::to_owned);
    let said = version.as_deref().map_or_else(String::new, |version| format!(" {version}"));
    Ok(Network {
        title: format!("PyTorch{said}, torch.export"),
        original: original(path, Loader::TorchExport, "torch", version),
    })
}

/// Why what `torch.save` pickled is refused.
fn saved(path: &Path, content: &[u8]) -> FunctionError {
    let class = pickle::class_in(content).map(|class| format!("{}.{}", class.module, class.name));
    let why = match class.as_deref() {
        Some("collections.OrderedDict") => {
            "is a state_dict: weights without the model that they belong to".to_owned()
        }
        Some(class) => format!("is a pickled {class}: to load it needs its class, and runs what it says"),
        None => {
            "is what torch.save wrote of a dict or the like: weights without the model that they belong to"
                .to_owned()
        }
    };
    refused(path, &why).hint(INSTEAD)
}
