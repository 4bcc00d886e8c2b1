//! `modelet probe`: answers one question about a model on standard output. Hidden; `deploy` runs it as a child.

use std::path::Path;

use modelet_core::Code;
use modelet_model::LoadOptions;
use modelet_package::probe::{self, Question};

use crate::engines;
use crate::output;
use crate::report::Report;

pub fn run(model: &Path, question: &str) -> Result<(), Report> {
    let question: Question = serde_json::from_str(question)
        .map_err(|error| Report::new(Code::Internal, format!("{question:?} is not a question: {error}")))?;
    let library = engines::locate().ok().map(|found| found.path);
    let finding = probe::answer(&question, model, &LoadOptions { threads: 1, onnxruntime_library: library });
    // On one line: engines may print before it.
    output::line(serde_json::to_string(&finding).unwrap_or_default());
    Ok(())
}
