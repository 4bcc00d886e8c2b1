//! The engine `onnxruntime`: ONNX Runtime as a shared library, through the `ort` crate.
//!
//! One process has one library and one environment, for good. What goes wrong in the library comes back as a
//! [`FunctionError`]; a missing, foreign or cut library is found out before it is loaded (see [`crate::library`]).

mod refused;
mod values;
mod warm_up;

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use modelet_core::{Code, EngineName, FunctionError, Signature, Tensor, Value};
use ort::environment::Environment;
use ort::logging::LogLevel;
use ort::session::builder::SessionBuilder;
use ort::session::{OutputSelector, RunOptions, Session};
use ort::value::ValueRef;

use crate::binding::{bind_inputs, bind_outputs, guarded, one_line};
use crate::engine::{Engine, LoadOptions, Model};
use crate::files::Files;
use crate::onnx::{OnnxSummary, locale, refused as model_refused, summarize};
use values::MapKeys;

/// The engine.
#[derive(Debug)]
pub struct OnnxRuntime;

impl Engine for OnnxRuntime {
    fn name(&self) -> EngineName {
        EngineName::Onnxruntime
    }

    fn version(&self, options: &LoadOptions) -> Result<String, FunctionError> {
        let path = library(options)?;
        crate::library::version(path).map_err(|reason| missing(path, &reason))
    }

    fn prepare(&self, options: &LoadOptions) -> Result<(), FunctionError> {
        let environment = environment(library(options)?)?;
        guarded(Code::EngineMissing, "onnxruntime", || warm_up(&environment).map_err(|error| failed(&error)))
    }

    fn load(&self, model: &Path, options: &LoadOptions) -> Result<Box<dyn Model>, FunctionError> {
        let summary = summarize(model)?;
        summary.check()?;
        summary.check_engine(self.name())?;
        summary.check_external_files(&Files::Disk, model.parent().unwrap_or(Path::new(".")))?;
        let signature = summary.signature()?;
        refused::check(&summary)?;
        let environment = environment(library(options)?)?;
        let load = || open(&environment, model, &summary, options.threads);
        let session = guarded(Code::ModelRefused, "onnxruntime", load)?;
        let keys = values::map_keys(&summary, &signature);
        Ok(Box::new(Loaded { session, signature, keys }))
    }
}

struct Loaded {
    session: Session,
    signature: Signature,
    /// For each output: the keys of its maps in the model's own order, where the graph says them.
    keys: Vec<Option<MapKeys>>,
}

impl Model for Loaded {
    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn predict(
        &mut self,
        inputs: Vec<(String, Tensor)>,
        outputs: Option<&[String]>,
    ) -> Result<Vec<(String, Value)>, FunctionError> {
        let wanted = bind_outputs(&self.signature, outputs)?;
        let bound = bind_inputs(&self.signature, &inputs)?;
        guarded(Code::PredictionFailed, "onnxruntime", || self.run(&bound, &wanted))
    }
}

impl Loaded {
    fn run(
        &mut self,
        inputs: &[Option<&Tensor>],
        wanted: &[usize],
    ) -> Result<Vec<(String, Value)>, FunctionError> {
        let given =
            self.signature.inputs.iter().zip(inputs).filter_map(|(spec, tensor)| Some((spec, (*tensor)?)));
        let feeds = given
            .map(|(spec, tensor)| Ok((spec.name.as_str(), values::input(&spec.name, tensor)?)))
            .collect::<Result<Vec<_>, FunctionError>>()?;
        let names = || wanted.iter().map(|index| &self.signature.outputs[*index].name);
        let selector = names().fold(OutputSelector::no_default(), |all, name| all.with(name.as_str()));
        let options = RunOptions::new().map_err(|error| failed(&error))?.with_outputs(selector);
        let answers = self.session.run_with_options(feeds, &options).map_err(|error| failed(&error))?;
        let values = wanted.iter().zip(answers.values());
        let value = |(index, value): (&usize, ValueRef<'_>)| {
            let name = self.signature.outputs[*index].name.clone();
            let value = values::output(&value, self.keys[*index].as_ref()).map_err(|reason| {
                FunctionError::new(Code::PredictionFailed, format!("output {name}: {reason}"))
            })?;
            Ok((name, value))
        };
        values.map(value).collect()
    }
}

/// The one environment of the process, and the library that it came from.
static ENVIRONMENT: Mutex<Option<(PathBuf, Environment)>> = Mutex::new(None);

fn environment(library: &Path) -> Result<Environment, FunctionError> {
    // The lock is held while the library loads, so that two first models do not load it twice. What it guards is set in
    // one step, so a panic elsewhere leaves it sound.
    let mut current = ENVIRONMENT.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some((path, environment)) = &*current {
        if path == library {
            return Ok(environment.clone());
        }
        crate::library::version(library).map_err(|reason| missing(library, &reason))?;
        let message =
            format!("this process already uses {}; it cannot use {} too", path.display(), library.display());
        return Err(FunctionError::new(Code::EngineMissing, message));
    }
    crate::library::version(library).map_err(|reason| missing(library, &reason))?;
    let environment = guarded(Code::EngineMissing, "onnxruntime", || {
        let builder =
            ort::init_from(library).map_err(|error| missing(library, &one_line(&error.to_string())))?;
        builder
            .with_name("modelet")
            .with_telemetry(false)
            .build()
            .map_err(|error| missing(library, &one_line(error.message())))
    })?;
    environment.set_log_level(LogLevel::Warning);
    *current = Some((library.to_owned(), environment.clone()));
    Ok(environment)
}

fn library(options: &LoadOptions) -> Result<&Path, FunctionError> {
    options.onnxruntime_library.as_deref().ok_or_else(|| {
        FunctionError::new(Code::EngineMissing, "the library of ONNX Runtime was not found on this machine")
            .hint("run modelet engines install; modelet engines shows where it is looked for")
    })
}

fn missing(library: &Path, reason: &str) -> FunctionError {
    FunctionError::new(Code::EngineMissing, format!("{} {reason}", library.display()))
        .hint("run modelet engines install; modelet engines shows where it is looked for")
}

fn open(
    environment: &Environment,
    model: &Path,
    summary: &OnnxSummary,
    threads: usize,
) -> Result<Session, FunctionError> {
    let refuse = |error: ort::Error| {
        let message =
            format!("ONNX Runtime {} refuses the model: {}", crate::library::PINNED, reason(&error));
        model_refused(message)
    };
    let mut builder = builder(environment, threads).map_err(refuse)?;
    let rewritten = match summary.needs_locale_rewrite() {
        true => std::fs::read(model).ok().and_then(|bytes| locale::rewrite_locale(&bytes)),
        false => None,
    };
    let Some(bytes) = rewritten else { return builder.commit_from_file(model).map_err(refuse) };
    let folder = model.parent().unwrap_or(Path::new(".")).to_string_lossy().into_owned();
    let key = "session.model_external_initializers_file_folder_path";
    let mut builder = builder.with_config_entry(key, folder).map_err(|error| refuse(error.into()))?;
    builder.commit_from_memory(&bytes).map_err(refuse)
}

fn builder(environment: &Environment, threads: usize) -> ort::Result<SessionBuilder> {
    // Spinning threads burn the share of a function that waits for its next call.
    Ok(Session::builder(environment)?
        .with_intra_threads(threads.max(1))?
        .with_inter_threads(1)?
        .with_intra_op_spinning(false)?
        .with_inter_op_spinning(false)?)
}

/// Loads and runs the smallest model.
fn warm_up(environment: &Environment) -> ort::Result<()> {
    let mut session = builder(environment, 1)?.commit_from_memory(warm_up::MODEL)?;
    let input = ort::value::Tensor::from_array(([1_usize], vec![0_f32]))?;
    session.run(ort::inputs![input]).map(drop)
}

fn failed(error: &ort::Error) -> FunctionError {
    FunctionError::new(Code::PredictionFailed, format!("ONNX Runtime failed: {}", reason(error)))
}

/// What an error of ONNX Runtime says, without the places in its source code.
///
/// Messages read `Non-zero status code returned while running Add node. Name:'a' Status Message: …`, nested for subgraphs,
/// and the last part may start with `/onnxruntime_src/….cc:540 void onnxruntime::Broadcast(…) `. Kept are the node and what
/// went wrong.
fn reason(error: &ort::Error) -> String {
    let line = error.message().split_whitespace().collect::<Vec<_>>().join(" ");
    let (head, what) = line.rsplit_once("Status Message: ").unwrap_or(("", &line));
    let what = match what.split_once("/onnxruntime_src/") {
        Some((before, place)) => {
            let after = place.split_once(") ").map_or(place, |(_, after)| after);
            format!("{before}{}", after.trim_start_matches("const "))
        }
        None => what.to_owned(),
    };
    let what = what.rsplit_once("[ONNXRuntimeError] : ").map_or(what.as_str(), |(_, what)| what);
    let node = head.rsplit_once("while running ").map(|(_, node)| node.trim().trim_end_matches(" Name:''"));
    one_line(&node.map_or_else(|| what.to_owned(), |node| format!("{node}: {what}")))
}
