//! A model with its steps: what is done before and after it. To its callers it is a model like any other.
//!
//! - [`text`]: text to tokens
//! - [`pooling`]: the vectors of tokens to one
//! - [`image`]: a picture's file to numbers
//! - [`audio`]: a sound's file to numbers
//! - [`mod@file`]: what steps of files share
//! - [`labels`]: numbers to scores of classes

mod audio;
mod file;
mod image;
mod labels;
mod pooling;
mod text;

use std::path::Path;

use modelet_core::{EngineName, FunctionError, Steps};

pub(crate) use image::noise;

use crate::engine::{LoadOptions, Model, engine};

/// Loads a model file with an engine, and lays its steps around it; what they need lies in the model's folder.
///
/// # Errors
/// As [`crate::Engine::load`]; `model-refused` also when a step does not fit the model, or its file is damaged.
pub fn load(
    name: EngineName,
    path: &Path,
    steps: &Steps,
    options: &LoadOptions,
) -> Result<Box<dyn Model>, FunctionError> {
    let model = engine(name).load(path, options)?;
    let model: Box<dyn Model> = match (&steps.text, &steps.image, &steps.audio) {
        (Some(step), ..) => Box::new(text::TextModel::around(
            model,
            step,
            path.parent().unwrap_or(Path::new("")),
            &options.files,
        )?),
        (None, Some(step), _) => Box::new(image::ImageModel::around(model, step)?),
        (None, None, Some(step)) => Box::new(audio::AudioModel::around(model, step)?),
        (None, None, None) => model,
    };
    match &steps.labels {
        Some(step) => Ok(Box::new(labels::LabelModel::around(model, step)?)),
        None => Ok(model),
    }
}
