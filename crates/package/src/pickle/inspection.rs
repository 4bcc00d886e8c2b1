//! What inspecting a file tells.

use serde::Serialize;

use crate::pickle::findings::{Import, Unresolved, shown};

/// How the file was written, which is also how it has to be read: the same bytes can mean something else to another reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "format", rename_all = "lowercase")]
pub enum Kind {
    /// `pickle.dump`
    Pickle {
        /// Its protocol.
        protocol: u8,
    },
    /// `joblib.dump`
    Joblib {
        /// The protocol of the pickle in it.
        protocol: u8,
        /// How all of it is compressed.
        compressed: Option<&'static str>,
    },
    /// `skops.io.dump`
    Skops,
}

/// A class by its full name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ClassName {
    /// Its module.
    pub module: String,
    /// Its name there.
    pub name: String,
}

/// One step of a pipeline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    /// What the user called it.
    pub name: String,
    /// What it is.
    pub class: ClassName,
}

/// A library that the file needs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Framework {
    /// As the package is called where it is installed from.
    pub name: String,
    /// The version that wrote the file, or a bound such as `<2`, where the file says it.
    pub version: Option<String>,
}

/// What a Python model file says about itself, found without running any of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Inspection {
    /// How it was written.
    #[serde(flatten)]
    pub kind: Kind,
    /// The class of what it holds.
    pub class: Option<ClassName>,
    /// The steps, when that is a pipeline.
    pub steps: Vec<Step>,
    /// How many features it was fitted with.
    pub features: Option<u64>,
    /// Their names.
    pub feature_names: Option<Vec<String>>,
    /// The shape of its array of classes.
    pub classes_shape: Option<Vec<u64>>,
    /// The libraries that it needs.
    pub frameworks: Vec<Framework>,
    /// Everything that reading it would import.
    pub imports: Vec<Import>,
    /// What cannot be told by reading.
    pub unresolved: Vec<Unresolved>,
}

impl Inspection {
    /// What in it is not known to be harmless, each thing in words.
    pub fn unknown(&self) -> Vec<String> {
        let imports = self.imports.iter().filter(|import| !import.known);
        let imports = imports.map(Import::shown);
        imports
            .chain(self.unresolved.iter().map(|one| format!("{} at byte {}", one.what, one.offset)))
            .collect()
    }

    /// What it is, in words: "a scikit-learn 1.5.2 Pipeline (StandardScaler, SVC), pickled by joblib".
    pub fn title(&self) -> String {
        let what = match &self.class {
            None => "a Python object".to_owned(),
            Some(class) => {
                let package = package_of(&class.module);
                let version = self.frameworks.iter().find(|one| one.name == package);
                let version = version.and_then(|one| one.version.as_deref());
                let version = version.map_or_else(String::new, |version| format!(" {version}"));
                let steps: Vec<_> = self.steps.iter().map(|step| &*step.class.name).collect();
                let steps = if steps.is_empty() { String::new() } else { format!(" ({})", steps.join(", ")) };
                let article = if package.starts_with(['a', 'e', 'i', 'o', 'u', 'x']) { "an" } else { "a" };
                format!("{article} {package}{version} {}{steps}", class.name)
            }
        };
        shown(&format!("{what}, {}", self.kind.words()))
    }
}

impl Kind {
    /// How the file came about, in words.
    pub fn words(self) -> String {
        match self {
            Self::Pickle { protocol } => format!("pickled with protocol {protocol}"),
            Self::Joblib { compressed: None, .. } => "pickled by joblib".to_owned(),
            Self::Joblib { compressed: Some(how), .. } => format!("pickled by joblib, {how}"),
            Self::Skops => "saved by skops".to_owned(),
        }
    }
}

/// The package that brings a module, as it is called where it is installed from.
pub fn package_of(module: &str) -> &str {
    match module.split('.').next().unwrap_or(module) {
        "sklearn" => "scikit-learn",
        "builtins" | "__builtin__" | "collections" => "Python",
        root => root,
    }
}
