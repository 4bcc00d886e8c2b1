//! What the host says in the environment.

use std::cell::RefCell;
use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::path::PathBuf;

use modelet_core::instance::{ENV_ARTIFACT, ENV_VERSION};
use modelet_core::{ArtifactCard, Version};
use modelet_model::Files;

use crate::beside;
use crate::handler::PreparedPython;

/// The folder of the artifact's files, within its own.
pub(crate) const FILES: &str = "files";

/// Everything an instance needs to know.
pub struct Config {
    /// The folder of the unpacked artifact.
    pub artifact: PathBuf,
    /// Its card.
    pub card: ArtifactCard,
    /// The version it is.
    pub version: Version,
    /// Where the artifact's files are read.
    pub read_from: Files,
    /// The ONNX Runtime library, if one was found.
    pub onnxruntime: Option<PathBuf>,
    /// Variables that code has besides the host's: its secrets, with their values.
    pub secrets: Vec<(OsString, OsString)>,
    /// A Python that was started ahead, until somebody takes it.
    pub prepared: RefCell<Option<PreparedPython>>,
}

impl Config {
    /// Reads the environment through `var`, and the card from the artifact. `usual`: where the artifact lies, when the
    /// environment does not say it. An error is one sentence that names the variable or file.
    pub fn from_environment(
        var: impl Fn(&str) -> Option<OsString>,
        usual: Option<PathBuf>,
    ) -> Result<Self, String> {
        let artifact = var(ENV_ARTIFACT).map(PathBuf::from).or(usual).ok_or_else(|| {
            format!("{ENV_ARTIFACT} is not set, and no artifact lies beside this program: it names the folder of an unpacked one")
        })?;
        let version = match var(ENV_VERSION) {
            None => Version(1),
            Some(text) => text
                .to_str()
                .and_then(|text| text.parse().ok())
                .map(Version)
                .ok_or_else(|| format!("{ENV_VERSION} is not a version number"))?,
        };
        let onnxruntime = beside::onnxruntime(var, &artifact);
        Self::of(artifact, version, onnxruntime)
    }

    /// Reads the card in the folder of an artifact.
    pub fn of(artifact: PathBuf, version: Version, onnxruntime: Option<PathBuf>) -> Result<Self, String> {
        let path = artifact.join(ArtifactCard::FILE_NAME);
        let text = fs::read(&path).map_err(|error| format!("could not read {}: {error}", path.display()))?;
        let card: ArtifactCard = serde_json::from_slice(&text)
            .map_err(|error| format!("{} is not an artifact's card: {error}", path.display()))?;
        card.check().map_err(|why| format!("{}: {why}", path.display()))?;
        let prepared = RefCell::default();
        let secrets = Vec::new();
        Ok(Self { artifact, card, version, read_from: Files::Disk, onnxruntime, secrets, prepared })
    }

    /// The folder of the artifact's files.
    pub fn files(&self) -> PathBuf {
        self.artifact.join(FILES)
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The secrets are nobody's to read.
        f.debug_struct("Config").field("artifact", &self.artifact).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_or_wrong_is_named() {
        let error = Config::from_environment(|_| None, None).unwrap_err();
        assert!(error.starts_with("MODELET_ARTIFACT is not set"), "{error}");
        let error = Config::from_environment(
            |name| (name == ENV_ARTIFACT).then(|| "/no/such".into()),
            Some("/".into()),
        )
        .unwrap_err();
        assert!(error.contains("/no/such/artifact.json"), "{error}");
        let error = Config::from_environment(|_| None, Some("/no/such".into())).unwrap_err();
        assert!(error.contains("/no/such/artifact.json"), "{error}");
        let wrong = |name: &str| Some(if name == ENV_VERSION { "one" } else { "/" }.into());
        assert_eq!(
            Config::from_environment(wrong, None).unwrap_err(),
            "MODELET_VERSION is not a version number"
        );
    }
}
