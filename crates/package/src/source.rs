//! What the user points at: a model file, or a folder with a model and perhaps a manifest.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use modelet_core::{Code, FunctionError, FunctionName, Manifest, digest};
use sha2::{Digest, Sha256};

use crate::certificate::original::Original;
use crate::importer;

/// The manifest's name in a folder.
pub const MANIFEST_FILE: &str = "modelet.toml";
/// Most entries of a folder that are looked at when it names no model.
const MAX_ENTRIES: usize = 10_000;

/// One file that goes into the artifact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFile {
    /// Relative path in the artifact, with `/`.
    pub path: String,
    /// Where it lies now.
    pub place: PathBuf,
    /// Its size in bytes.
    pub size_bytes: u64,
    /// SHA-256 of its content, hexadecimal.
    pub sha256: String,
}

/// A model and everything that belongs to it, read and checked.
#[derive(Debug, Clone)]
pub struct Source {
    /// What the user wrote, or nothing but defaults.
    pub manifest: Manifest,
    /// The name that the function gets unless another is asked for.
    pub name: Option<FunctionName>,
    /// The format of the model.
    pub format: &'static str,
    /// What it was made of, where that is something else.
    pub origin: Option<String>,
    /// That itself, to be asked whether the conversion changed anything.
    pub original: Option<Original>,
    /// The model, one of `files`.
    pub model: SourceFile,
    /// Every file, sorted by path.
    pub files: Vec<SourceFile>,
}

impl Source {
    /// Reads what lies at `path`; what an importer has to rewrite is put into the folder `work`. An error says what is wrong and
    /// what to do; nothing at `path` is changed.
    pub fn open(path: &Path, work: &Path) -> Result<Self, FunctionError> {
        let metadata = fs::metadata(path).map_err(|error| unreadable(path, &error))?;
        let (manifest, model) = if metadata.is_dir() {
            let manifest = read_manifest(&path.join(MANIFEST_FILE))?;
            let model = match &manifest.model {
                Some(model) => path.join(model),
                None => only_model(path)?,
            };
            (manifest, model)
        } else if path.file_name().is_some_and(|name| name == MANIFEST_FILE) {
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
            return Self::open(folder.unwrap_or(Path::new(".")), work);
        } else {
            (Manifest::default(), path.to_owned())
        };
        let given = fs::canonicalize(path).map_err(|error| unreadable(path, &error))?;
        let name =
            manifest.name.clone().or_else(|| FunctionName::nearest(&given.file_stem()?.to_string_lossy()));
        if model.exists() && !model.is_file() {
            let message = format!("{} is not a plain file", model.display());
            return Err(FunctionError::new(Code::ModelRefused, message).hint("check the path"));
        }
        let imported = importer::import(&model, work)?;
        let original = match imported.origin {
            Some(_) => Some(Original::of(&model, imported.version)?),
            None => None,
        };
        let folder = &imported.folder;
        let mut files = Vec::new();
        for file in imported.files {
            files.push(SourceFile::read(&file, &folder.join(&file))?);
        }
        files.sort_by(|a, b| a.path.cmp(&b.path));
        let model = files.iter().find(|file| file.path == imported.model).cloned().ok_or_else(|| {
            FunctionError::new(Code::Internal, format!("{} is not among its own files", imported.model))
        })?;
        Ok(Self { manifest, name, format: imported.format, origin: imported.origin, original, model, files })
    }

    /// What the user gave, in words.
    pub fn given(&self) -> String {
        self.origin.clone().unwrap_or_else(|| self.format.to_owned())
    }

    /// SHA-256 over the content of all files and the manifest: equal sources are equal artifacts.
    pub fn sha256(&self) -> String {
        let mut hasher = Sha256::new();
        // A manifest is plain data, which always becomes JSON.
        hasher.update(serde_json::to_vec(&self.manifest).unwrap_or_default());
        for file in &self.files {
            hasher.update(format!("\n{} {} {}", file.sha256, file.size_bytes, file.path));
        }
        digest::hex(&hasher.finalize())
    }
}

impl SourceFile {
    fn read(path: &str, place: &Path) -> Result<Self, FunctionError> {
        let (size_bytes, sha256) =
            File::open(place).and_then(digest::sha256).map_err(|error| unreadable(place, &error))?;
        Ok(Self { path: path.to_owned(), place: place.to_owned(), size_bytes, sha256 })
    }
}

fn unreadable(path: &Path, error: &io::Error) -> FunctionError {
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
        Source::open(path, Path::new("/nowhere")).unwrap_err()
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
        assert_eq!(refused(&path.join("a.onnx")).code, Code::ModelRefused);
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
