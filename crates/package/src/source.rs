//! What the user points at, read and checked: a model with what belongs to it, or code.

use std::fs::File;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use modelet_core::certificate::Library;
use modelet_core::{Code, FunctionError, FunctionName, Manifest, Steps, digest};
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::certificate::original::Original;
use crate::code::CodeSource;
use crate::given::{self, GivenHandler, unreadable};
use crate::importer::{self, Workshop};
use crate::steps;

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
    /// True for a program.
    pub executable: bool,
}

/// What every kind of function is made of.
#[derive(Debug, Clone)]
pub struct Bundle {
    /// What the user wrote, or nothing but defaults.
    pub manifest: Manifest,
    /// The name that the function gets unless another is asked for.
    pub name: Option<FunctionName>,
    /// Every file, sorted by path.
    pub files: Vec<SourceFile>,
}

/// What was found.
#[derive(Debug, Clone)]
pub enum Source {
    /// A model.
    Model(Box<ModelSource>),
    /// Code.
    Code(Box<CodeSource>),
}

impl Source {
    /// Reads what lies at `path`; what has to be rewritten is put into the workshop's folder. An error says what is wrong and what
    /// to do; nothing at `path` is changed.
    pub fn open(path: &Path, workshop: &Workshop<'_>) -> Result<Self, FunctionError> {
        let found = given::find(path, workshop)?;
        Ok(match found.handler {
            GivenHandler::Model { model, columns } => {
                let (manifest, name) = (found.manifest, found.name);
                Self::Model(Box::new(ModelSource::open(manifest, name, &model, columns, workshop)?))
            }
            GivenHandler::Code(code) => {
                Self::Code(Box::new(CodeSource::open(found.manifest, found.name, code, workshop.processor)?))
            }
        })
    }

    /// The files and the manifest.
    pub fn bundle(&self) -> &Bundle {
        match self {
            Self::Model(model) => &model.bundle,
            Self::Code(code) => &code.bundle,
        }
    }

    /// The same, to lay what a command line says over the manifest.
    pub fn bundle_mut(&mut self) -> &mut Bundle {
        match self {
            Self::Model(model) => &mut model.bundle,
            Self::Code(code) => &mut code.bundle,
        }
    }
}

/// A model and everything that belongs to it.
#[derive(Debug, Clone)]
pub struct ModelSource {
    /// Its files and its manifest.
    pub bundle: Bundle,
    /// The format of the model.
    pub format: &'static str,
    /// What it was made of, where that is something else.
    pub origin: Option<String>,
    /// That itself, to be asked whether the conversion changed anything.
    pub original: Option<Original>,
    /// What converted it, where that was not modelet itself.
    pub converter: Option<Library>,
    /// What is done before and after it.
    pub steps: Steps,
    /// Names of its columns, where something beside it says them.
    pub columns: Option<Vec<String>>,
    /// The model, one of the files.
    pub model: SourceFile,
}

impl ModelSource {
    fn open(
        manifest: Manifest,
        name: Option<FunctionName>,
        model: &Path,
        columns: Option<Vec<String>>,
        workshop: &Workshop<'_>,
    ) -> Result<Self, FunctionError> {
        let imported = importer::import(model, workshop)?;
        let original = match (imported.original, &imported.origin) {
            (Some(original), _) => Some(original),
            (None, Some(_)) => Some(Original::of(model, imported.version)?),
            (None, None) => None,
        };
        let folder = &imported.folder;
        let mut files = Vec::new();
        for file in imported.files {
            files.push(SourceFile::read(&file, &folder.join(&file))?);
        }
        let (steps, tokenizer) = match imported.origin {
            None => steps::find(model, &manifest)?,
            Some(_) => {
                steps::refuse_declared(&manifest)?;
                (Steps::default(), None)
            }
        };
        if let (Some(text), Some(place)) = (&steps.text, tokenizer) {
            files.push(SourceFile::read(&text.tokenizer, &place)?);
        }
        files.sort_by(|a, b| a.path.cmp(&b.path));
        let model = files.iter().find(|file| file.path == imported.model).cloned().ok_or_else(|| {
            FunctionError::new(Code::Internal, format!("{} is not among its own files", imported.model))
        })?;
        Ok(Self {
            bundle: Bundle { manifest, name, files },
            format: imported.format,
            origin: imported.origin,
            original,
            converter: imported.converter,
            steps,
            columns,
            model,
        })
    }

    /// What the user gave, in words.
    pub fn given(&self) -> String {
        self.origin.clone().unwrap_or_else(|| self.format.to_owned())
    }

    /// The steps, with the files that they need by where they lie now.
    pub fn steps_in_place(&self) -> Steps {
        let mut steps = self.steps.clone();
        if let Some(text) = &mut steps.text
            && let Some(file) = self.bundle.files.iter().find(|file| file.path == text.tokenizer)
        {
            // Relative, it would be looked for from the model's folder.
            let place = std::path::absolute(&file.place).unwrap_or_else(|_| file.place.clone());
            text.tokenizer = place.to_string_lossy().into_owned();
        }
        steps
    }

    /// SHA-256 over the content of all files and the manifest: equal sources are equal artifacts.
    pub fn sha256(&self) -> String {
        // What the steps were read from is not among the files.
        self.bundle.sha256(&self.steps)
    }
}

impl Bundle {
    /// SHA-256 over the content of all files, the manifest, and what else an artifact is made of.
    pub fn sha256(&self, also: &impl Serialize) -> String {
        let mut hasher = Sha256::new();
        // Plain data, which always becomes JSON.
        hasher.update(serde_json::to_vec(&self.manifest).unwrap_or_default());
        hasher.update(serde_json::to_vec(also).unwrap_or_default());
        for file in &self.files {
            let mark = if file.executable { " *" } else { "" };
            hasher.update(format!("\n{} {} {}{mark}", file.sha256, file.size_bytes, file.path));
        }
        digest::hex(&hasher.finalize())
    }
}

impl SourceFile {
    pub(crate) fn read(path: &str, place: &Path) -> Result<Self, FunctionError> {
        let read = || {
            let file = File::open(place)?;
            let executable = file.metadata()?.permissions().mode() & 0o111 != 0;
            digest::sha256(file).map(|(size_bytes, sha256)| (size_bytes, sha256, executable))
        };
        let (size_bytes, sha256, executable) = read().map_err(|error| unreadable(place, &error))?;
        Ok(Self { path: path.to_owned(), place: place.to_owned(), size_bytes, sha256, executable })
    }
}
