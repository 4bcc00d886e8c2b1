//! `modelet probe`: answers one question about a model on standard output. Hidden; `deploy` runs it as a child.

use std::path::Path;

use modelet_core::{Code, Steps};
use modelet_model::LoadOptions;
use modelet_package::probe::{self, Question};
use serde::de::DeserializeOwned;

use crate::engines;
use crate::output;
use crate::report::Report;

pub fn run(model: &Path, steps: &str, question: &str) -> Result<(), Report> {
    let (steps, question): (Steps, Question) = (read(steps)?, read(question)?);
    let library = engines::locate().ok().map(|found| found.path);
    let options = LoadOptions { onnxruntime_library: library, ..LoadOptions::default() };
    let finding = probe::answer(&question, model, &steps, &options);
    // On one line: engines may print before it.
    output::line(serde_json::to_string(&finding).unwrap_or_default());
    Ok(())
}

fn read<T: DeserializeOwned>(text: &str) -> Result<T, Report> {
    let bad = |error| Report::new(Code::Internal, format!("{text:?} is not what a probe is asked: {error}"));
    serde_json::from_str(text).map_err(bad)
}
