//! What is done to a call before its model computes it, and to the model's outputs after: declared, not coded, so that the same
//! happens wherever the artifact runs.
//!
//! - [`TextStep`]: text to tokens, and the vectors of tokens to one
//! - [`image`]: a picture's file to numbers
//! - [`audio`]: a sound's file to numbers
//! - [`labels`]: numbers to scores of classes that have names

pub mod audio;
pub mod image;
pub mod labels;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use audio::AudioStep;
pub use image::ImageStep;
pub use labels::LabelStep;

/// The steps of a function, all resolved. None for a model that is served as it is.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Steps {
    /// Text becomes tokens, and, where a pooling is named, one vector a text comes out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<TextStep>,
    /// Pictures become numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<ImageStep>,
    /// Sounds become numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audio: Option<AudioStep>,
    /// Numbers become scores of classes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<LabelStep>,
}

impl Steps {
    /// True when the model is served as it is.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// The name of the input that takes text.
pub const TEXT_INPUT: &str = "text";
/// The name of the output that pooling makes.
pub const EMBEDDING_OUTPUT: &str = "embedding";

/// Text to tokens, and the vectors of tokens to one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct TextStep {
    /// The tokenizer, a file of the artifact in the format of Hugging Face's `tokenizer.json`.
    pub tokenizer: String,
    /// Tokens of one text, special ones included; longer texts are cut.
    pub max_tokens: u32,
    /// What shorter texts are filled up with, where the tokenizer does not say: one of its tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pad_token: Option<String>,
    /// What is put before each text.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub prompt: String,
    /// How the vectors of a text's tokens become one.
    #[serde(default)]
    pub pooling: Pooling,
    /// True when that vector is made one long.
    #[serde(default)]
    pub normalize: bool,
}

impl fmt::Display for TextStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cut by {} into up to {} tokens", self.tokenizer, self.max_tokens)?;
        if !self.prompt.is_empty() {
            write!(f, ", after the prompt {:?}", self.prompt)?;
        }
        f.write_str(match self.pooling {
            Pooling::None => "",
            Pooling::Mean => "; the mean of their vectors",
            Pooling::MeanSqrtLen => "; the sum of their vectors divided by the root of their number",
            Pooling::Max => "; the largest value of each place of their vectors",
            Pooling::Cls => "; the first one's vector",
        })?;
        f.write_str(if self.pooling != Pooling::None && self.normalize { ", made one long" } else { "" })
    }
}

/// How the vectors of a text's tokens become one, as sentence-transformers names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Pooling {
    /// Not at all: the model's own outputs are the answer.
    #[default]
    None,
    /// The mean over the tokens.
    Mean,
    /// The sum over the tokens, divided by the root of their number.
    MeanSqrtLen,
    /// The largest value of each place.
    Max,
    /// The first token's vector.
    Cls,
}
