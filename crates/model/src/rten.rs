//! The engine `rten`: a pure Rust engine, compiled in.
//!
//! It computes int64 and boolean values as int32 and float64 as float32, so it is asked only for models where that cannot
//! change an answer: [`supported`] decides, by the operators and types in the graph.

mod narrowing;
mod supported;
mod values;

use std::path::Path;
use std::sync::Arc;

use ::rten::{ModelOptions, NodeId, RunOptions, ThreadPool};
use modelet_core::{Code, EngineName, FunctionError, Signature, Tensor, Value};

use crate::binding::{bind_inputs, bind_outputs, guarded, one_line};
use crate::engine::{Engine, LoadOptions, Model};
use crate::files::Files;
use crate::onnx::{refused, summarize_in};

/// The version that `Cargo.toml` asks for.
const VERSION: &str = "0.27.0";

/// The engine.
#[derive(Debug)]
pub struct Rten;

impl Engine for Rten {
    fn name(&self) -> EngineName {
        EngineName::Rten
    }

    fn version(&self, _: &LoadOptions) -> Result<String, FunctionError> {
        Ok(VERSION.to_owned())
    }

    fn prepare(&self, _: &LoadOptions) -> Result<(), FunctionError> {
        Ok(())
    }

    fn load(&self, model: &Path, options: &LoadOptions) -> Result<Box<dyn Model>, FunctionError> {
        let summary = summarize_in(&options.files, model)?;
        summary.check()?;
        summary.check_engine(self.name())?;
        summary.check_external_files(&options.files, model.parent().unwrap_or(Path::new(".")))?;
        let signature = summary.signature()?;
        supported::check(&summary)?;
        let weights = summary.external_files();
        check_names(model, &weights)?;
        let graph = guarded(Code::ModelRefused, "rten", || open(&options.files, model, &weights))?;
        let node = |name: &String| {
            graph.find_node(name).ok_or_else(|| refused(format!("rten finds no value {name} in the model")))
        };
        let inputs = signature.inputs.iter().map(|input| node(&input.name)).collect::<Result<_, _>>()?;
        let outputs = signature.outputs.iter().map(|output| node(&output.name)).collect::<Result<_, _>>()?;
        let pool = Arc::new(ThreadPool::with_num_threads(options.threads.max(1)));
        let run = RunOptions::default().with_thread_pool(Some(pool));
        Ok(Box::new(Loaded { graph, signature, inputs, outputs, run }))
    }
}

struct Loaded {
    graph: ::rten::Model,
    signature: Signature,
    /// In the order of the signature, as are the outputs.
    inputs: Vec<NodeId>,
    outputs: Vec<NodeId>,
    run: RunOptions,
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
        guarded(Code::PredictionFailed, "rten", || self.run(&bound, &wanted))
    }
}

impl Loaded {
    fn run(
        &self,
        inputs: &[Option<&Tensor>],
        wanted: &[usize],
    ) -> Result<Vec<(String, Value)>, FunctionError> {
        let mut feeds = Vec::with_capacity(inputs.len());
        for ((spec, node), tensor) in self.signature.inputs.iter().zip(&self.inputs).zip(inputs) {
            if let Some(tensor) = tensor {
                feeds.push((*node, values::input(&spec.name, tensor)?));
            }
        }
        let nodes: Vec<NodeId> = wanted.iter().map(|index| self.outputs[*index]).collect();
        let answers = self.graph.run(feeds, &nodes, Some(self.run.clone())).map_err(|error| {
            FunctionError::new(
                Code::PredictionFailed,
                format!("rten failed: {}", one_line(&error.to_string())),
            )
        })?;
        let named = wanted.iter().zip(answers).map(|(index, value)| {
            let spec = &self.signature.outputs[*index];
            let value = values::output(spec, value).map_err(|reason| {
                FunctionError::new(Code::PredictionFailed, format!("output {}: {reason}", spec.name))
            })?;
            Ok((spec.name.clone(), value))
        });
        named.collect()
    }
}

/// rten goes by the names of files: it reads no other than these.
fn check_names(model: &Path, weights: &[String]) -> Result<(), FunctionError> {
    if !model.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("onnx")) {
        return Err(refused("rten reads models from files that end in .onnx").hint("rename the model file"));
    }
    let is_read = |file: &&String| {
        let extension = file.rsplit_once('.').map_or("", |(_, extension)| extension);
        !file.contains('/') && (extension.starts_with("data") || extension.starts_with("onnx_data"))
    };
    match weights.iter().find(|file| !is_read(file)) {
        None => Ok(()),
        Some(file) => {
            let rule =
                "rten reads weights from files that end in .data or .onnx_data, in the model's own folder";
            Err(refused(format!("{rule}, not from {file}")).hint("use engine = \"onnxruntime\""))
        }
    }
}

fn open(files: &Files, model: &Path, weights: &[String]) -> Result<::rten::Model, FunctionError> {
    let mut options = ModelOptions::with_all_ops();
    let opened = match files {
        Files::Disk => options.load_file(model),
        Files::Memory(_) => {
            let unreadable = |error: std::io::Error| refused(format!("a file of the model: {error}"));
            for file in weights {
                let content = files.in_memory(&model.with_file_name(file)).map_err(unreadable)?;
                options.external_data_static(file, content);
            }
            options.load_static_slice(files.in_memory(model).map_err(unreadable)?)
        }
    };
    opened.map_err(|error| {
        refused(format!("rten {VERSION} refuses the model: {}", one_line(&error.to_string())))
    })
}
