//! What a manifest says of sounds.

use serde::{Deserialize, Serialize};

/// What a manifest says of sounds; what is absent is read from the model's folder.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AudioNotes {
    /// True when the model takes numbers all the same.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub off: bool,
    /// True when the folder's `preprocessor_config.json` is passed over: only what is said here counts.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub alone: bool,
    /// Samples a second that the model takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sampling_rate: Option<u32>,
    /// True when each sound is made of mean 0 and variance 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub normalize: Option<bool>,
    /// A longer sound is refused; seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_seconds: Option<u32>,
    /// Samples that all sounds of a call may have together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_samples: Option<u64>,
    /// Channels that a sound may have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_channels: Option<u16>,
    /// Sounds that one call may have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_sounds: Option<u32>,
}
