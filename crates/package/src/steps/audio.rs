//! What is done with sounds: what the manifest says, and what Hugging Face's `preprocessor_config.json` beside the model does.
//! Source of the defaults: `Wav2Vec2FeatureExtractor` of `transformers` 4.49.

use modelet_core::manifest::AudioNotes;
use modelet_core::steps::AudioStep;
use modelet_core::{Code, FunctionError};
use serde_json::Value;

use super::Said;
use super::image::PROCESSOR;

/// The one class that gives the model samples; others make spectrograms of them.
const SAMPLES: &str = "Wav2Vec2FeatureExtractor";
/// Samples a second that it takes when its file does not say.
const USUAL_RATE: u32 = 16_000;
/// Seconds of a sound when nobody says.
const DEFAULT_MAX_SECONDS: u32 = 600;
/// Samples of a call when nobody says: ten minutes at 16,000 a second, 40 MB.
const DEFAULT_MAX_SAMPLES: u64 = 10_000_000;
/// Channels of a sound when nobody says: as many as surround sound has.
const DEFAULT_MAX_CHANNELS: u16 = 8;
/// Sounds of one call when nobody says.
const DEFAULT_MAX_SOUNDS: u32 = 64;

/// What a feature extractor does.
#[derive(Debug, Default, PartialEq)]
struct Extractor {
    sampling_rate: Option<u32>,
    normalize: bool,
}

/// True when the folder's processor is one of sounds: those alone have a rate.
pub fn is_said(said: &Said<'_>) -> bool {
    said.json(PROCESSOR).get("sampling_rate").is_some() || is_samples(&said.json(PROCESSOR))
}

/// The step of a model, if it has one.
pub fn find(notes: Option<&AudioNotes>, said: &Said<'_>) -> Result<Option<AudioStep>, FunctionError> {
    let own = notes.cloned().unwrap_or_default();
    if own.off || (notes.is_none() && !is_said(said)) {
        return Ok(None);
    }
    let extractor = match said.has(PROCESSOR) && !own.alone {
        true => read(&said.json(PROCESSOR))?,
        false => Extractor::default(),
    };
    let sampling_rate = own.sampling_rate.or(extractor.sampling_rate).ok_or_else(|| {
        FunctionError::new(
            Code::BadManifest,
            "[audio] needs sampling_rate: no file of the model says how many samples a second it takes",
        )
        .hint("sampling_rate = 16000")
    })?;
    Ok(Some(AudioStep {
        sampling_rate,
        normalize: own.normalize.unwrap_or(extractor.normalize),
        max_seconds: own.max_seconds.unwrap_or(DEFAULT_MAX_SECONDS),
        max_samples: own.max_samples.unwrap_or(DEFAULT_MAX_SAMPLES),
        max_channels: own.max_channels.unwrap_or(DEFAULT_MAX_CHANNELS),
        max_sounds: own.max_sounds.unwrap_or(DEFAULT_MAX_SOUNDS),
    }))
}

fn is_samples(file: &Value) -> bool {
    file["feature_extractor_type"] == SAMPLES
}

fn read(file: &Value) -> Result<Extractor, FunctionError> {
    if !is_samples(file) {
        let named = file["feature_extractor_type"].as_str().unwrap_or("no feature_extractor_type");
        return Err(refused(&format!(
            "names {named}, which does not give the model samples as {SAMPLES} does"
        )));
    }
    if !matches!(file["feature_size"].as_u64(), Some(1)) && file.get("feature_size").is_some() {
        return Err(refused(&format!("has feature_size = {}", file["feature_size"])));
    }
    let sampling_rate = match file.get("sampling_rate") {
        None => USUAL_RATE,
        Some(said) => {
            let rate = said.as_u64().and_then(|rate| u32::try_from(rate).ok());
            rate.ok_or_else(|| refused(&format!("has sampling_rate = {said}")))?
        }
    };
    let normalize = match file.get("do_normalize") {
        None => true,
        Some(said) => said.as_bool().ok_or_else(|| refused(&format!("has do_normalize = {said}")))?,
    };
    Ok(Extractor { sampling_rate: Some(sampling_rate), normalize })
}

fn refused(what: &str) -> FunctionError {
    FunctionError::new(Code::ModelRefused, format!("{PROCESSOR} {what}, which modelet does not do")).hint(
        "[audio] off = true serves the model as it is, and a client makes what it takes; for a model of samples, [audio] alone = true with sampling_rate and normalize says all of it",
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(file: &Value) -> Result<(Option<u32>, bool), String> {
        read(file).map(|found| (found.sampling_rate, found.normalize)).map_err(|error| error.message)
    }

    #[test]
    fn what_a_file_does_not_say_is_as_its_class_does() {
        let kind = json!({"feature_extractor_type": SAMPLES});
        assert_eq!(of(&kind), Ok((Some(16_000), true)));
        let said = json!({"feature_extractor_type": SAMPLES, "feature_size": 1, "sampling_rate": 8000, "do_normalize": false});
        assert_eq!(of(&said), Ok((Some(8000), false)));
    }

    #[test]
    fn what_is_not_done_exactly_is_refused_by_name() {
        for (file, why) in [
            (
                json!({"feature_extractor_type": "WhisperFeatureExtractor", "sampling_rate": 16000}),
                "WhisperFeatureExtractor",
            ),
            (json!({"feature_extractor_type": "ASTFeatureExtractor"}), "ASTFeatureExtractor"),
            (json!({"sampling_rate": 16000}), "no feature_extractor_type"),
            (json!({"feature_extractor_type": SAMPLES, "feature_size": 80}), "feature_size = 80"),
            (json!({"feature_extractor_type": SAMPLES, "sampling_rate": "16k"}), "sampling_rate = \"16k\""),
            (json!({"feature_extractor_type": SAMPLES, "do_normalize": 1}), "do_normalize = 1"),
        ] {
            assert!(of(&file).unwrap_err().contains(why), "{why}");
        }
    }
}
