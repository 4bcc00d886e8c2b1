//! The card inside an artifact (`artifact.json`): what the files beside it are and how they are to be served.
//!
//! An artifact is a tar of the card and the files it lists, under `files/`. Its digest is the SHA-256 of that tar, which
//! is made the same from the same content, whatever the folder, the clock or the user.

use serde::{Deserialize, Serialize};

use crate::digest;
use crate::handler::{Event, Handler, Layer, ModelCard, Speaks};
use crate::manifest::Manifest;
use crate::name::FunctionName;
use crate::settings::Settings;
use crate::signature::Signature;

/// One file of an artifact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ArtifactFile {
    /// Relative path with `/`, below `files/`; never absolute, never with `..`.
    pub path: String,
    /// Size in bytes.
    pub size_bytes: u64,
    /// SHA-256 of the content, hexadecimal.
    pub sha256: String,
    /// True for a program.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub executable: bool,
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
    /// What answers its invocations.
    pub handler: Handler,
    /// Every file, sorted by path.
    pub files: Vec<ArtifactFile>,
}

impl ArtifactCard {
    /// The format that this program reads and writes.
    pub const FORMAT_VERSION: u32 = 5;
    /// The card's name inside the artifact.
    pub const FILE_NAME: &'static str = "artifact.json";

    /// What tells whether something new would come of deploying it: a digest of its source and of the certificate, and of nothing that
    /// was measured while it was made.
    pub fn made_of(&self) -> String {
        let certificate = self.model().and_then(|model| model.certificate.as_ref());
        let certificate = serde_json::to_string(&certificate).unwrap_or_default();
        digest::of(format!("{}\n{certificate}", self.source_sha256).as_bytes())
    }

    /// Refuses a card that its reader could come to harm by: too new, limits out of bounds, paths that lead elsewhere. One
    /// sentence that says what.
    pub fn check(&self) -> Result<(), String> {
        let (found, known) = (self.format_version, Self::FORMAT_VERSION);
        if found > known {
            return Err(format!("its format version is {found}, {known} is read: use a newer modelet"));
        }
        if found < known {
            return Err(format!("its format version is {found}, {known} is read: deploy it again"));
        }
        self.settings.check()?;
        self.manifest.check_environment()?;
        self.manifest.check_triggers()?;
        if let Some(file) = self.files.iter().find(|file| !is_safe_path(&file.path)) {
            return Err(format!("{:?} is not a relative path", file.path));
        }
        // A file, or a folder of some.
        let has = |path: &str| {
            let below = |rest: &str| rest.is_empty() || rest.starts_with('/');
            self.files.iter().any(|file| file.path.strip_prefix(path).is_some_and(below))
        };
        match &self.handler {
            Handler::Model(model) => model.check(has),
            Handler::Python(python) => python.check(has),
            Handler::Program(program) => program.check(has),
        }
    }

    /// The model that answers, where one does.
    pub fn model(&self) -> Option<&ModelCard> {
        match &self.handler {
            Handler::Model(model) => Some(model),
            Handler::Python(_) | Handler::Program(_) => None,
        }
    }

    /// The version of Python that it needs, where it needs one.
    pub fn python(&self) -> Option<&str> {
        match &self.handler {
            Handler::Model(_) => None,
            Handler::Python(python) => Some(&python.version),
            Handler::Program(program) => program.python.as_deref(),
        }
    }

    /// The packages that it needs, where it needs some.
    pub fn packages(&self) -> Option<&Layer> {
        match &self.handler {
            Handler::Model(_) => None,
            Handler::Python(python) => python.packages.as_ref(),
            Handler::Program(program) => program.packages.as_ref(),
        }
    }

    /// True for code, which is spoken to in its own way; a model is computed by the runtime itself.
    pub fn is_code(&self) -> bool {
        self.model().is_none()
    }

    /// True for what gets whole requests, of any method and below any path.
    pub fn is_application(&self) -> bool {
        match &self.handler {
            Handler::Model(_) => false,
            Handler::Python(python) => python.interface.is_application() || python.event != Event::Body,
            Handler::Program(program) => program.speaks == Speaks::Http || program.event != Event::Body,
        }
    }

    /// What computes it, in a word: an engine, or `python`.
    pub fn computed_by(&self) -> &'static str {
        match &self.handler {
            Handler::Model(model) => model.engine.as_str(),
            Handler::Python(_) => "python",
            Handler::Program(_) => "program",
        }
    }

    /// What it takes and gives, where that is known: a model's.
    pub fn signature(&self) -> Option<&Signature> {
        self.model().map(|model| &model.signature)
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
