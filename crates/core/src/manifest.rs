//! What `modelet.toml` may say. Every value has a default; an unknown key is an error.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::artifact::EngineName;
use crate::name::FunctionName;
use crate::settings::SettingsPatch;

/// A manifest, as written by the user.
///
/// ```toml
/// name = "churn"                # default: the folder's or the file's name
/// model = "model.onnx"          # default: the one model in the folder
/// engine = "auto"               # auto | onnxruntime | rten
/// non_finite = "null"           # how NaN and infinities are written in JSON: null | text | error
///
/// [settings]
/// memory_mib = 512
///
/// [inputs.X]
/// columns = ["age", "income"]   # names along the last axis
///
/// [outputs.probabilities]
/// classes = ["stays", "leaves"]
/// ```
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The function's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<FunctionName>,
    /// One sentence for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The model file, relative to the manifest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The engine to use; absent or `auto`: chosen at deploy, on evidence.
    #[serde(default, skip_serializing_if = "EngineChoice::is_auto")]
    pub engine: EngineChoice,
    /// How NaN and infinities are written where JSON has no word for them.
    #[serde(default, skip_serializing_if = "NonFinite::is_default")]
    pub non_finite: NonFinite,
    /// Limits that differ from the defaults.
    #[serde(default)]
    pub settings: SettingsPatch,
    /// What the model does not say about its inputs, by input name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub inputs: BTreeMap<String, InputNotes>,
    /// What the model does not say about its outputs, by output name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub outputs: BTreeMap<String, OutputNotes>,
}

/// Which engine a manifest asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum EngineChoice {
    /// The best of those that answer alike, measured at deploy.
    #[default]
    Auto,
    /// ONNX Runtime.
    Onnxruntime,
    /// The pure Rust engine for neural nets.
    Rten,
}

impl EngineChoice {
    fn is_auto(&self) -> bool {
        *self == Self::Auto
    }

    /// The engine asked for; `None` for `auto`.
    pub fn named(self) -> Option<EngineName> {
        match self {
            Self::Auto => None,
            Self::Onnxruntime => Some(EngineName::Onnxruntime),
            Self::Rten => Some(EngineName::Rten),
        }
    }
}

/// How NaN and infinities are written in JSON, which has no word for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum NonFinite {
    /// As `null`.
    #[default]
    Null,
    /// As `"NaN"`, `"Infinity"` and `"-Infinity"`.
    Text,
    /// Not at all: the call fails, and the error names the output.
    Error,
}

impl NonFinite {
    fn is_default(&self) -> bool {
        *self == Self::Null
    }
}

/// What a manifest adds to an input.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InputNotes {
    /// Names of the columns along the last axis.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub columns: Option<Vec<String>>,
}

/// What a manifest adds to an output.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OutputNotes {
    /// Names of the classes along the last axis.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub classes: Option<Vec<String>>,
}
