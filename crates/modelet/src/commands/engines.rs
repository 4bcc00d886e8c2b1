//! `modelet engines`: what computes models here, and how ONNX Runtime comes to this machine.

use modelet_core::{EngineName, Processor};
use modelet_model::library;
use serde_json::json;

use crate::cli::{Common, Engines, EnginesAction};
use crate::engines;
use crate::output::{self, Progress};
use crate::report::Report;

pub async fn run(common: &Common, engines: &Engines) -> Result<(), Report> {
    match engines.action {
        Some(EnginesAction::Install { arch }) => install(common, arch.unwrap_or(Processor::HERE)).await,
        None => {
            list(common);
            Ok(())
        }
    }
}

async fn install(common: &Common, processor: Processor) -> Result<(), Report> {
    let path = {
        let _progress = Progress::start(format!(
            "installing ONNX Runtime {} for {processor} (about 20 MB, unless it is there already)",
            library::PINNED
        ));
        engines::install(processor).await?
    };
    if common.json {
        output::json(
            &json!({"engine": "onnxruntime", "version": library::PINNED, "processor": processor, "path": path}),
        );
    } else {
        output::line(format!("onnxruntime {} for {processor} is at {}", library::PINNED, path.display()));
    }
    Ok(())
}

fn list(common: &Common) {
    let found = engines::locate();
    let options = modelet_model::LoadOptions::default();
    let version = |name| modelet_model::engine(name).version(&options).unwrap_or_default();
    let (tabular, rten) = (version(EngineName::Tabular), version(EngineName::Rten));
    if common.json {
        let searched =
            found.as_ref().err().map(|searched| searched.iter().map(ToString::to_string).collect::<Vec<_>>());
        let found = found.ok();
        output::json(&json!([
            {
                "engine": "onnxruntime",
                "version": library::PINNED,
                "installed": found.is_some(),
                "path": found.map(|found| found.path),
                "searched": searched,
            },
            {"engine": "tabular", "version": tabular, "installed": true},
            {"engine": "rten", "version": rten, "installed": true},
        ]));
        return;
    }
    match found {
        Ok(found) => output::line(format!(
            "onnxruntime  {}  {} ({})",
            found.version,
            found.path.display(),
            found.place
        )),
        Err(searched) => {
            output::line(format!("onnxruntime  {}  not installed: modelet engines install", library::PINNED));
            for place in searched {
                output::line(format!("             looked at {place}"));
            }
        }
    }
    output::line(format!("tabular      {tabular}  compiled in; classical models"));
    output::line(format!("rten         {rten}  compiled in; neural nets only"));
}
