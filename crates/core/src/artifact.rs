//! The card inside an artifact (`artifact.json`): what the files beside it are and how they are to be served.
//!
//! An artifact is a tar of the card and the files it lists, under `files/`. Its digest is the SHA-256 of that tar, which
//! is made the same from the same content, whatever the folder, the clock or the user.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::certificate::Certificate;
use crate::manifest::Manifest;
use crate::name::FunctionName;
use crate::settings::Settings;
use crate::signature::Signature;
use crate::steps::Steps;

/// What computes a model.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum EngineName {
    /// ONNX Runtime, a shared library of 24 MB.
    Onnxruntime,
    /// Our own engine for classical models, compiled in.
    Tabular,
    /// The pure Rust engine for neural nets, compiled in.
    Rten,
}

impl EngineName {
    /// Every engine, the reference first.
    pub const ALL: &'static [EngineName] = &[Self::Onnxruntime, Self::Tabular, Self::Rten];

    /// The engine whose answers count where engines differ.
    pub const REFERENCE: EngineName = Self::Onnxruntime;

    /// The name in manifests, cards and tables.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Onnxruntime => "onnxruntime",
            Self::Tabular => "tabular",
            Self::Rten => "rten",
        }
    }
}

impl fmt::Display for EngineName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One file of an artifact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ArtifactFile {
    /// Relative path with `/`, below `files/`; never absolute, never with `..`.
    pub path: String,
    /// Size in bytes.
    pub size_bytes: u64,
    /// SHA-256 of the content, hexadecimal.
    pub sha256: String,
}

/// The card of an artifact.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ArtifactCard {
    /// Version of this format; a reader refuses what is newer than itself.
    pub format_version: u32,
    /// The function it was made for.
    pub name: FunctionName,
    /// SHA-256 over what the user gave (files and manifest): the same source gives the same artifact.
    pub source_sha256: String,
    /// What the user wrote.
    pub manifest: Manifest,
    /// All limits, resolved.
    pub settings: Settings,
    /// The file of the model, one of `files`.
    pub model: String,
    /// The format of the model, such as `onnx`.
    pub format: String,
    /// What the model was made of, where the user gave something else, such as `XGBoost 3.2.0, binary:logistic, 50 trees`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
    /// What is done before and after it.
    #[serde(default, skip_serializing_if = "Steps::is_empty")]
    pub steps: Steps,
    /// What shows that it answers as what it was made of; absent where nothing was converted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<Certificate>,
    /// What computes it.
    pub engine: EngineName,
    /// The version of the engine that the choice was made with.
    pub engine_version: String,
    /// What it takes and gives.
    pub signature: Signature,
    /// Every file, sorted by path.
    pub files: Vec<ArtifactFile>,
}

impl ArtifactCard {
    /// The newest format that this program reads and the one it writes.
    pub const FORMAT_VERSION: u32 = 4;
    /// The formats of models that a runtime serves.
    pub const MODEL_FORMATS: &'static [&'static str] = &["onnx"];
    /// The card's name inside the artifact.
    pub const FILE_NAME: &'static str = "artifact.json";

    /// Refuses a card that its reader could come to harm by: too new, limits out of bounds, paths that lead elsewhere. One
    /// sentence that says what.
    pub fn check(&self) -> Result<(), String> {
        if !(1..=Self::FORMAT_VERSION).contains(&self.format_version) {
            let (found, known) = (self.format_version, Self::FORMAT_VERSION);
            return Err(format!("its format version is {found}, 1 to {known} are read: use a newer modelet"));
        }
        if !Self::MODEL_FORMATS.contains(&self.format.as_str()) {
            return Err(format!(
                "its model has the format {:?}, known is {}",
                self.format,
                Self::MODEL_FORMATS.join(", ")
            ));
        }
        if self.signature.outputs.is_empty() {
            return Err("its signature has no outputs".to_owned());
        }
        self.settings.check()?;
        self.manifest.check_environment()?;
        if let Some(file) = self.files.iter().find(|file| !is_safe_path(&file.path)) {
            return Err(format!("{:?} is not a relative path", file.path));
        }
        if let Some(text) = &self.steps.text
            && !self.files.iter().any(|file| file.path == text.tokenizer)
        {
            return Err(format!("its tokenizer {:?} is not among its files", text.tokenizer));
        }
        if !self.files.iter().any(|file| file.path == self.model) {
            return Err(format!("its model {:?} is not among its files", self.model));
        }
        Ok(())
    }

    /// Bytes of all files.
    pub fn size_bytes(&self) -> u64 {
        self.files.iter().map(|f| f.size_bytes).sum()
    }
}

/// True for a path that stays below the folder it is joined to: relative, `/`-separated, no `.` or `..` part, no
/// control characters.
pub fn is_safe_path(path: &str) -> bool {
    !path.is_empty()
        && path.len() <= 1_024
        && !path.contains('\\')
        && !path.chars().any(char::is_control)
        && path.split('/').all(|part| !part.is_empty() && part != "." && part != "..")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_cannot_leave_the_artifact() {
        for good in ["model.onnx", "a/b.bin", "weights..data", ".hidden"] {
            assert!(is_safe_path(good), "{good}");
        }
        for bad in ["", "/etc/passwd", "../x", "a/../x", "a//b", "a/", "./a", "a\\b", "a\0b", "a\nb"] {
            assert!(!is_safe_path(bad), "{bad:?}");
        }
    }
}
