//! What the user points at, looked through: a file, a folder, a manifest, an archive of any of these; and the one model in it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use modelet_core::artifact::is_safe_path;
use modelet_core::{Code, FunctionError, FunctionName, Manifest};

use crate::{archive, importer, mlflow, steps};

/// The manifest's name in a folder.
pub const MANIFEST_FILE: &str = "modelet.toml";
/// Most entries of a folder that are looked at when it names no model.
const MAX_ENTRIES: usize = 10_000;

/// A model that was found, before it is imported.
#[derive(Debug)]
pub struct Given {
    /// What the user wrote, or nothing but defaults.
    pub manifest: Manifest,
    /// The name that the function gets unless another is asked for.
    pub name: Option<FunctionName>,
    /// The model's file.
    pub model: PathBuf,
    /// Names of its columns, where something beside it says them.
    pub columns: Option<Vec<String>>,
}

/// Looks through what lies at `path`; an archive is unpacked into a folder below `work`.
pub fn find(path: &Path, work: &Path) -> Result<Given, FunctionError> {
    let is_folder = fs::metadata(path).map_err(|error| unreadable(path, &error))?.is_dir();
    let mut given = if is_folder {
        in_folder(path)?
    } else if path.file_name().is_some_and(|name| name == MANIFEST_FILE) {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        return find(folder.unwrap_or(Path::new(".")), work);
    } else if !path.is_file() {
        let message = format!("{} is not a plain file", path.display());
        return Err(FunctionError::new(Code::ModelRefused, message).hint("check the path"));
    } else if let Some(folder) = archive::unpack(path, &work.join("unpacked"))? {
        in_folder(&folder).and_then(within_itself).map_err(|mut error| {
            error.message = error.message.replace(&folder.display().to_string(), &path.display().to_string());
            error
        })?
    } else {
        Given { manifest: Manifest::default(), name: None, model: path.to_owned(), columns: None }
    };
    let whole = fs::canonicalize(path).map_err(|error| unreadable(path, &error))?;
    let stem = if is_folder { whole.file_name() } else { archive::stem(&whole) };
    given.name = given.manifest.name.clone().or_else(|| FunctionName::nearest(&stem?.to_string_lossy()));
    if given.model.exists() && !given.model.is_file() {
        let message = format!("{} is not a plain file", given.model.display());
        return Err(FunctionError::new(Code::ModelRefused, message).hint("check the path"));
    }
    Ok(given)
}

/// Refuses what came in an archive and points at files outside of it.
fn within_itself(given: Given) -> Result<Given, FunctionError> {
    let tokenizer = given.manifest.text.as_ref().and_then(|text| text.tokenizer.as_ref());
    let outside = given.manifest.model.iter().chain(tokenizer).find(|path| !is_safe_path(path));
    match outside {
        None => Ok(given),
        Some(path) => Err(FunctionError::new(
            Code::BadManifest,
            format!("the manifest in the archive names {path:?}, which leads elsewhere"),
        )),
    }
}

fn in_folder(folder: &Path) -> Result<Given, FunctionError> {
    let manifest = read_manifest(&folder.join(MANIFEST_FILE))?;
    let mlflow = mlflow::read(folder)?;
    let columns = mlflow.as_ref().and_then(|mlflow| mlflow.columns.clone());
    let model = match (&manifest.model, mlflow) {
        (Some(model), _) => folder.join(model),
        (None, Some(mlflow)) => mlflow.model,
        (None, None) => only_model(folder)?,
    };
    Ok(Given { manifest, name: None, model, columns })
}

pub(crate) fn unreadable(path: &Path, error: &io::Error) -> FunctionError {
    let message = format!("could not read {}: {error}", path.display());
    FunctionError::new(Code::ModelRefused, message).hint("check the path")
}

fn read_manifest(path: &Path) -> Result<Manifest, FunctionError> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Manifest::default()),
        Err(error) => return Err(unreadable(path, &error)),
    };
    let bad = |why: &str| FunctionError::new(Code::BadManifest, format!("{}: {why}", path.display()));
    let manifest: Manifest = toml::from_str(&text).map_err(|error| bad(error.to_string().trim()))?;
    manifest.check_environment().map_err(|why| bad(&why))?;
    Ok(manifest)
}

/// The one model in a folder that has no manifest, or one that names none.
fn only_model(folder: &Path) -> Result<PathBuf, FunctionError> {
    let entries = fs::read_dir(folder).map_err(|error| unreadable(folder, &error))?;
    let mut models: Vec<(usize, PathBuf)> = entries
        .take(MAX_ENTRIES)
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter_map(|path| Some((importer::rank(&path).filter(|_| path.is_file())?, path)))
        .collect();
    let highest = models.iter().map(|(rank, _)| *rank).max();
    models.retain(|(rank, _)| Some(*rank) == highest);
    let mut models: Vec<PathBuf> = models.into_iter().map(|(_, path)| path).collect();
    models.sort();
    match models.as_slice() {
        [model] => Ok(model.clone()),
        [] if folder.join(steps::MODEL_FOLDER).is_dir() => {
            let below = folder.join(steps::MODEL_FOLDER);
            // Others beside it are the same in other precisions.
            let plain = below.join("model.onnx");
            if plain.is_file() { Ok(plain) } else { only_model(&below) }
        }
        [] => Err(FunctionError::new(Code::ModelRefused, format!("{} has no model file", folder.display()))
            .hint("put a .onnx file there, or name the model in modelet.toml: model = \"FILE\"")),
        several => {
            let names: Vec<_> = several.iter().filter_map(|p| p.file_name()?.to_str()).collect();
            let message = format!("{} has several models: {}", folder.display(), names.join(", "));
            Err(FunctionError::new(Code::ModelRefused, message)
                .hint(format!("say which in modelet.toml: model = \"{}\"", names.first().unwrap_or(&"FILE"))))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(path: &Path) -> FunctionError {
        find(path, &path.join("nowhere")).unwrap_err()
    }

    #[test]
    fn what_is_not_a_model_is_refused_with_a_next_step() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        assert!(refused(&path.join("none.onnx")).message.contains("none.onnx"));
        assert!(refused(path).hint.unwrap().contains("modelet.toml"));
        fs::write(path.join("a.onnx"), "not a model").unwrap();
        fs::write(path.join("b.onnx"), "not a model").unwrap();
        assert!(refused(path).message.ends_with("several models: a.onnx, b.onnx"));
        fs::write(path.join("scaler.pkl"), "what it was made of").unwrap();
        assert!(refused(path).message.ends_with("several models: a.onnx, b.onnx"));
    }

    #[test]
    fn a_manifest_is_read_strictly_and_the_wrong_key_is_named() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(MANIFEST_FILE), "nmae = \"x\"\n").unwrap();
        let error = refused(folder.path());
        assert_eq!(error.code, Code::BadManifest);
        assert!(error.message.contains("nmae"), "{error}");
        fs::write(folder.path().join(MANIFEST_FILE), "[settings]\nmemory_mib = \"big\"\n").unwrap();
        assert!(refused(folder.path()).message.contains("memory_mib"));
    }
}
