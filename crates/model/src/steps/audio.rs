//! A model of numbers that takes sounds.
//!
//! - [`mod@wav`], [`samples`]: a file, and its samples as one channel
//! - [`mod@resample`], [`mod@normalize`]: what is done with them

mod normalize;
mod resample;
mod samples;
mod wav;

use modelet_core::steps::AudioStep;
use modelet_core::steps::audio::{AUDIO_INPUT, RATES};
use modelet_core::{Code, DType, Data, Dim, FileKind, FunctionError, InputSpec, Signature, Tensor, Value};

use super::file;
use crate::engine::Model;
use samples::Limits;

/// A model of numbers behind a decoder of sounds.
pub struct AudioModel {
    inner: Box<dyn Model>,
    step: AudioStep,
    /// The model's own input.
    input: String,
    signature: Signature,
}

impl AudioModel {
    /// Lays the step around a model.
    pub fn around(inner: Box<dyn Model>, step: &AudioStep) -> Result<Self, FunctionError> {
        let input = file::only_input(inner.signature(), "audio").map_err(refused)?;
        let rows = rows(input).map_err(refused)?;
        if !RATES.contains(&step.sampling_rate) {
            let (least, most) = (RATES.start(), RATES.end());
            return Err(refused(format!(
                "sampling_rate = {} is not from {least} to {most}",
                step.sampling_rate
            )));
        }
        let audio = file::input(AUDIO_INPUT, rows, FileKind::Audio);
        let signature = Signature::new(vec![audio], inner.signature().outputs.clone());
        let input = input.name.clone();
        Ok(Self { inner, step: step.clone(), input, signature })
    }

    /// A sound as the model takes it, out of its file in base64. `left`: samples that the call may still have.
    fn prepare(&self, text: &str, left: u64) -> Result<Vec<f32>, String> {
        let bytes = file::bytes(text)?;
        let sound = wav::decode(&bytes, &Limits::of(&self.step))?;
        let rate = self.step.sampling_rate;
        let length = resample::length(sound.samples.len(), sound.rate, rate);
        if length as u64 > left {
            let most = self.step.max_samples;
            return Err(format!(
                "a sound of {length} samples when it is resampled, more than max_samples = {most} with those before it"
            ));
        }
        let mut samples = resample::resample(sound.samples, sound.rate, rate);
        if samples.is_empty() {
            return Err("a sound of no samples when it is resampled".to_owned());
        }
        if self.step.normalize {
            normalize::normalize(&mut samples);
        }
        Ok(samples)
    }

    /// All sounds of a call as one tensor.
    fn tensor(&self, texts: &[String]) -> Result<Tensor, FunctionError> {
        let mut data = vec![];
        let mut length = None;
        for (place, text) in texts.iter().enumerate() {
            let place = format!("{AUDIO_INPUT}[{place}]");
            let left = self.step.max_samples - data.len() as u64;
            let sound = self
                .prepare(text, left)
                .map_err(|found| FunctionError::bad_input(&place, FileKind::Audio.description(), found))?;
            let first = *length.get_or_insert(sound.len());
            if first != sound.len() {
                let expected = format!("a sound of {first} samples when it is resampled, as those before it");
                return Err(FunctionError::bad_input(&place, expected, sound.len().to_string()).hint(
                    "send sounds of different lengths one by one: filling them up would change the answers",
                ));
            }
            data.extend(sound);
        }
        Tensor::new(vec![texts.len(), length.unwrap_or(0)], Data::F32(data))
            .map_err(|error| FunctionError::new(Code::PredictionFailed, error.to_string()))
    }
}

impl Model for AudioModel {
    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn predict(
        &mut self,
        inputs: Vec<(String, Tensor)>,
        outputs: Option<&[String]>,
    ) -> Result<Vec<(String, Value)>, FunctionError> {
        let limit = file::Limit { name: "max_sounds", most: self.step.max_sounds, files: "sounds" };
        let texts = file::of_call(&self.signature, &inputs, &limit)?;
        let tensor = self.tensor(texts)?;
        self.inner.predict(vec![(self.input.clone(), tensor)], outputs)
    }
}

/// The axis that counts sounds; the other one counts samples, as many as there are.
fn rows(input: &InputSpec) -> Result<Dim, String> {
    let dims = input.shape.clone().unwrap_or_else(|| vec![Dim::Dynamic; 2]);
    let misfit =
        |why: &str| format!("the model takes {} {} {}: {why}", input.name, input.dtype, input.shape_text());
    match dims.as_slice() {
        _ if input.dtype != DType::F32 => Err(misfit("sounds become float32")),
        [_, samples] if samples.fixed().is_some() => {
            Err(misfit("sounds are of any length, and this is one: export it with a free axis of samples"))
        }
        [rows, _] => Ok(rows.clone()),
        _ => Err(misfit("sounds are tensors of two axes, sounds and samples")),
    }
}

fn refused(message: String) -> FunctionError {
    FunctionError::new(Code::ModelRefused, message).hint(
        "[audio] in modelet.toml says what is done with sounds; [audio] off = true serves the model as it is",
    )
}

#[cfg(test)]
mod tests;
