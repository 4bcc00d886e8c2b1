//! A sound's file to the numbers that a model takes: decoded, its channels made one, resampled, normalised.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The name of the input that takes sounds.
pub const AUDIO_INPUT: &str = "audio";

/// Samples a second that a file or a model may have.
pub const RATES: std::ops::RangeInclusive<u32> = 1..=1_000_000;

/// What is done with each sound, in this order: read as `soundfile` does into float32, the mean of its channels, resampled as
/// `torchaudio.functional.resample`, normalised as `Wav2Vec2FeatureExtractor` of `transformers`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct AudioStep {
    /// Samples a second that the model takes.
    pub sampling_rate: u32,
    /// True when each sound is made of mean 0 and variance 1.
    pub normalize: bool,
    /// A longer sound is refused, before it is decoded; seconds.
    pub max_seconds: u32,
    /// Samples that all sounds of a call may have together, those of each channel, and when they are resampled.
    pub max_samples: u64,
    /// Channels that a sound may have.
    pub max_channels: u16,
    /// Sounds that one call may have.
    pub max_sounds: u32,
}

impl fmt::Display for AudioStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "as one channel of {} samples a second", self.sampling_rate)?;
        f.write_str(if self.normalize { ", less its mean, divided by its standard deviation" } else { "" })
    }
}
