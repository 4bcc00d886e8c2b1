//! What the user points at, looked through: a file, a folder, a manifest, an archive of any of these; and the one model in it, or
//! the code that answers.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use modelet_core::artifact::is_safe_path;
use modelet_core::{ArtifactCard, Code, FunctionError, FunctionName, Manifest};

use crate::importer::Workshop;
use crate::{archive, code, importer, mlflow, steps};

/// The manifest's name in a folder.
pub const MANIFEST_FILE: &str = "modelet.toml";
/// Most entries of a folder that are looked at when it names no model.
const MAX_ENTRIES: usize = 10_000;

/// What was found, before it is read.
#[derive(Debug)]
pub struct Given {
    /// What the user wrote, or nothing but defaults.
    pub manifest: Manifest,
    /// The name that the function gets unless another is asked for.
    pub name: Option<FunctionName>,
    /// What answers.
    pub handler: GivenHandler,
}

/// What answers.
#[derive(Debug)]
pub enum GivenHandler {
    /// A model.
    Model {
        /// Its file.
        model: PathBuf,
        /// Names of its columns, where something beside it says them.
        columns: Option<Vec<String>>,
    },
    /// Code.
    Code(code::Found),
}

/// Looks through what lies at `path`; an archive is unpacked into a folder of the workshop.
pub fn find(path: &Path, workshop: &Workshop<'_>) -> Result<Given, FunctionError> {
    let is_folder = fs::metadata(path).map_err(|error| unreadable(path, &error))?.is_dir();
    let mut given = if is_folder {
        in_folder(path, workshop)?
    } else if path.file_name().is_some_and(|name| name == MANIFEST_FILE) {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        return find(folder.unwrap_or(Path::new(".")), workshop);
    } else if !path.is_file() {
        let message = format!("{} is not a plain file", path.display());
        return Err(FunctionError::new(Code::ModelRefused, message).hint("check the path"));
    } else if path.extension().is_some_and(|extension| extension == "py") {
        one_file(path, workshop)?
    } else if let Some(folder) = archive::unpack(path, &workshop.folder.join("unpacked"))? {
        in_folder(&folder, workshop).and_then(within_itself).map_err(|mut error| {
            error.message = error.message.replace(&folder.display().to_string(), &path.display().to_string());
            error
        })?
    } else {
        Given { manifest: Manifest::default(), name: None, handler: model_at(path.to_owned(), None)? }
    };
    let whole = fs::canonicalize(path).map_err(|error| unreadable(path, &error))?;
    let stem = if is_folder { whole.file_name() } else { archive::stem(&whole) };
    given.name = given.manifest.name.clone().or_else(|| FunctionName::nearest(&stem?.to_string_lossy()));
    Ok(given)
}

fn model_at(model: PathBuf, columns: Option<Vec<String>>) -> Result<GivenHandler, FunctionError> {
    if model.exists() && !model.is_file() {
        let message = format!("{} is not a plain file", model.display());
        return Err(FunctionError::new(Code::ModelRefused, message).hint("check the path"));
    }
    Ok(GivenHandler::Model { model, columns })
}

/// A file of code, without what lies beside it but for the file that says which packages it needs.
fn one_file(path: &Path, workshop: &Workshop<'_>) -> Result<Given, FunctionError> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let file = path.file_name().unwrap_or_default().to_string_lossy();
    let manifest = Manifest::default();
    let found = code::find(folder, Some(&file), &manifest, workshop.examiner)?.ok_or_else(|| {
        let message = format!("{} has no function that could answer", path.display());
        FunctionError::new(Code::HandlerRefused, message)
            .hint("write def predict(inputs), or def lambda_handler(event, context), or make an application: app = FastAPI()")
    })?;
    Ok(Given { manifest, name: None, handler: GivenHandler::Code(found) })
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

fn in_folder(folder: &Path, workshop: &Workshop<'_>) -> Result<Given, FunctionError> {
    let manifest = read_manifest(&folder.join(MANIFEST_FILE))?;
    let names = [
        ("model", manifest.model.is_some()),
        ("handler", manifest.handler.is_some()),
        ("program", manifest.program.is_some()),
    ];
    let named: Vec<&str> =
        names.into_iter().filter_map(|(name, is_there)| is_there.then_some(name)).collect();
    if named.len() > 1 {
        let message = format!("modelet.toml names a {}: one of them answers", named.join(" and a "));
        return Err(
            FunctionError::new(Code::BadManifest, message).hint("a model that code loads is not named there")
        );
    }
    let is_code = manifest.handler.is_some() || manifest.program.is_some();
    let mlflow = if is_code { None } else { mlflow::read(folder)? };
    let handler = match (&manifest.model, mlflow) {
        (Some(model), _) => model_at(folder.join(model), None)?,
        (None, Some(mlflow)) => model_at(mlflow.model, mlflow.columns)?,
        (None, None) => match code::find(folder, None, &manifest, workshop.examiner)? {
            Some(found) => GivenHandler::Code(found),
            None => match only_model(folder) {
                Ok(model) => model_at(model, None)?,
                Err(none) => return Err(code::passed_over(folder, workshop.examiner).unwrap_or(none)),
            },
        },
    };
    Ok(Given { manifest, name: None, handler })
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
    manifest.check_triggers().map_err(|why| bad(&why))?;
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
        [] if folder.join(ArtifactCard::FILE_NAME).is_file() => {
            let message = format!("{} is what was made of a function, for a host", folder.display());
            Err(FunctionError::new(Code::ModelRefused, message)
                .hint("give what it was made of: the model file, or the folder"))
        }
        [] => Err(FunctionError::new(Code::ModelRefused, format!("{} has no model file", folder.display()))
            .hint("put a model there, or code with def predict(inputs); or name either in modelet.toml: model = \"FILE\", handler = \"app.predict\"")),
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
        find(path, &Workshop::of(&path.join("nowhere"))).unwrap_err()
    }

    #[test]
    fn what_is_not_a_model_is_refused_with_a_next_step() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        assert!(refused(&path.join("none.onnx")).message.contains("none.onnx"));
        assert!(refused(path).hint.unwrap().contains("modelet.toml"));
        fs::write(path.join(ArtifactCard::FILE_NAME), "{}").unwrap();
        assert!(refused(path).hint.unwrap().contains("what it was made of"));
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
