//! A model as a handler: its file, what computes it, and what it takes and gives.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::certificate::Certificate;
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

/// A model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ModelCard {
    /// The file of the model, one of the artifact's.
    pub file: String,
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
}

impl ModelCard {
    /// The formats of models that a runtime serves.
    pub const FORMATS: &'static [&'static str] = &["onnx"];

    /// Refuses a card whose files are not there, or that no runtime serves. One sentence that says what.
    pub(crate) fn check(&self, has: impl Fn(&str) -> bool) -> Result<(), String> {
        if !Self::FORMATS.contains(&self.format.as_str()) {
            let known = Self::FORMATS.join(", ");
            return Err(format!("its model has the format {:?}, known is {known}", self.format));
        }
        if self.signature.outputs.is_empty() {
            return Err("its signature has no outputs".to_owned());
        }
        if let Some(text) = self.steps.text.as_ref().filter(|text| !has(&text.tokenizer)) {
            return Err(format!("its tokenizer {:?} is not among its files", text.tokenizer));
        }
        if !has(&self.file) {
            return Err(format!("its model {:?} is not among its files", self.file));
        }
        Ok(())
    }
}
