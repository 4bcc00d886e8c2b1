//! What a converted model was made of, and how its framework loads it.

use std::path::{Path, PathBuf};

use modelet_core::certificate::Library;
use modelet_core::{Code, FunctionError};

use super::pins::numbers;
use crate::importer;
use crate::pickle::{self, Framework, Kind};

/// How the original is loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loader {
    /// XGBoost's own file.
    Xgboost,
    /// LightGBM's text file.
    Lightgbm,
    /// CatBoost's own file.
    Catboost,
    /// `pickle.load`
    Pickle,
    /// `joblib.load`
    Joblib,
    /// `skops.io.load`
    Skops,
    /// `keras.models.load_model`, of a `.keras` file …
    Keras,
    /// … and of an HDF5 file.
    KerasHdf5,
    /// The same of Keras 2, by `tf_keras` …
    TfKeras,
    /// … in both forms.
    TfKerasHdf5,
    /// `tf.saved_model.load`, of the folder of the file.
    SavedModel,
    /// `torch.jit.load`
    Torchscript,
    /// `torch.export.load`
    TorchExport,
}

impl Loader {
    /// Its name to the script that loads it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Xgboost => "xgboost",
            Self::Lightgbm => "lightgbm",
            Self::Catboost => "catboost",
            Self::Pickle => "pickle",
            Self::Joblib => "joblib",
            Self::Skops => "skops",
            Self::Keras | Self::KerasHdf5 => "keras",
            Self::TfKeras | Self::TfKerasHdf5 => "tf-keras",
            Self::SavedModel => "saved-model",
            Self::Torchscript => "torchscript",
            Self::TorchExport => "torch-export",
        }
    }

    /// The package that makes ONNX of a network; `None` for what is none.
    pub const fn converter(self) -> Option<&'static str> {
        match self {
            Self::Keras | Self::KerasHdf5 | Self::TfKeras | Self::TfKerasHdf5 | Self::SavedModel => {
                Some("tf2onnx")
            }
            Self::Torchscript => Some("torch"),
            Self::TorchExport => Some("onnxscript"),
            Self::Xgboost | Self::Lightgbm | Self::Catboost | Self::Pickle | Self::Joblib | Self::Skops => {
                None
            }
        }
    }

    /// True for networks, which are converted by their own framework too.
    pub const fn is_network(self) -> bool {
        self.converter().is_some()
    }

    /// The ending that its framework wants to see.
    pub const fn ending(self) -> &'static str {
        match self {
            Self::Keras | Self::TfKeras => ".keras",
            Self::KerasHdf5 | Self::TfKerasHdf5 => ".h5",
            Self::TorchExport => ".pt2",
            _ => "",
        }
    }

    /// The package that it needs beside the framework.
    pub const fn package(self) -> Option<&'static str> {
        match self {
            Self::Joblib => Some("joblib"),
            Self::Skops => Some("skops"),
            _ => None,
        }
    }
}

/// What a model was made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Original {
    /// The file.
    pub file: PathBuf,
    /// How it is loaded.
    pub loader: Loader,
    /// The framework that answers for it, as its package is called.
    pub framework: String,
    /// The version that wrote it, where the file says it.
    pub version: Option<String>,
    /// Other frameworks whose models are within it, and the versions that wrote those.
    pub guests: Vec<Framework>,
}

/// Frameworks whose models may be within those of another one.
const GUESTS: &[&str] = &["xgboost", "lightgbm", "catboost"];

impl Original {
    /// What lies at `file`, from which a model was imported that is no network; `version` is what the importer read.
    ///
    /// # Errors
    /// `model-refused` for a file that names what is not known to be harmless: it is never loaded.
    pub fn of(file: &Path, version: Option<String>) -> Result<Self, FunctionError> {
        let file = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
        let own = match importer::framework_of(&file) {
            Some("catboost") => Some((Loader::Catboost, "catboost")),
            Some("lightgbm") => Some((Loader::Lightgbm, "lightgbm")),
            Some(_) => Some((Loader::Xgboost, "xgboost")),
            None => None,
        };
        if let Some((loader, framework)) = own {
            return Ok(Self { file, loader, framework: framework.to_owned(), version, guests: vec![] });
        }
        let Some(inspection) = pickle::inspect(&file)? else {
            let message = format!("{} is of no framework that can be asked", file.display());
            return Err(FunctionError::new(Code::ModelRefused, message));
        };
        let unknown = inspection.unknown();
        if !unknown.is_empty() {
            let message =
                format!("{} is not loaded, for it may run anything: {}", file.display(), unknown.join(", "));
            return Err(FunctionError::new(Code::ModelRefused, message));
        }
        let loader = match inspection.kind {
            Kind::Pickle { .. } => Loader::Pickle,
            Kind::Joblib { .. } => Loader::Joblib,
            Kind::Skops => Loader::Skops,
        };
        let module = inspection.class.as_ref().map_or("", |class| class.module.as_str());
        let framework = pickle::package_of(module).to_owned();
        let said = inspection.frameworks.iter().find(|one| one.name == framework);
        let version = said.and_then(|one| one.version.clone()).or(version);
        let is_guest = |one: &Framework| one.name != framework && GUESTS.contains(&&*one.name);
        let guests = inspection.frameworks.into_iter().filter(is_guest).collect();
        Ok(Self { file, loader, framework, version, guests })
    }

    /// Why libraries are not those of the file; `None` when they are.
    pub fn mismatch(&self, found: &[Library]) -> Option<String> {
        let own = Framework { name: self.framework.clone(), version: self.version.clone() };
        std::iter::once(&own).chain(&self.guests).find_map(|wanted| self.lacks(wanted, found))
    }

    /// All frameworks that answer for it.
    pub fn frameworks(&self) -> impl Iterator<Item = &str> {
        std::iter::once(&*self.framework).chain(self.guests.iter().map(|guest| &*guest.name))
    }

    /// Why libraries do not have a framework in a version that reads the file.
    fn lacks(&self, wanted: &Framework, found: &[Library]) -> Option<String> {
        let name = &wanted.name;
        let Some(library) = found.iter().find(|library| library.name == *name) else {
            return Some(format!("it has no {name}"));
        };
        let version =
            wanted.version.as_ref().filter(|version| !self.is_read_by(version, &library.version))?;
        Some(format!("it has {name} {}, the file was written by {name} {version}", library.version))
    }

    /// Networks are stored to be loaded by later versions too; pickles and the like mean what the same version makes of them.
    fn is_read_by(&self, wanted: &str, found: &str) -> bool {
        // What follows a plus says how it was built.
        let found = found.split('+').next().unwrap_or_default();
        let both = numbers(wanted).zip(numbers(found));
        let is_later = both.is_some_and(|(wanted, found)| wanted[0] == found[0] && wanted <= found);
        found == wanted || self.loader.is_network() && is_later
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mismatch_names_both_versions() {
        let original = |version: Option<&str>| Original {
            file: "model.ubj".into(),
            loader: Loader::Xgboost,
            framework: "xgboost".into(),
            version: version.map(str::to_owned),
            guests: vec![],
        };
        let has = |version: &str| vec![Library { name: "xgboost".into(), version: version.into() }];
        assert_eq!(original(Some("3.2.0")).mismatch(&has("3.2.0")), None);
        assert_eq!(original(None).mismatch(&has("2.1.4")), None);
        let both = original(Some("3.2.0")).mismatch(&has("2.1.4")).unwrap();
        assert_eq!(both, "it has xgboost 2.1.4, the file was written by xgboost 3.2.0");
        assert_eq!(original(Some("3.2.0")).mismatch(&[]).unwrap(), "it has no xgboost");
        let guest = Framework { name: "lightgbm".into(), version: None };
        let around = Original { guests: vec![guest], ..original(None) };
        assert_eq!(around.mismatch(&has("2.1.4")).unwrap(), "it has no lightgbm");
    }

    #[test]
    fn a_pickle_that_may_run_anything_is_never_loaded() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.pkl");
        // os.system("id"), as pickle writes it in protocol 0.
        std::fs::write(&path, b"cos\nsystem\n(S'id'\ntR.").unwrap();
        let error = Original::of(&path, None).unwrap_err();
        assert!(error.message.contains("os.system"), "{error}");
    }
}
