//! An instance on real models: calls that are computed together by both engines, and the questions of the host.

#![allow(clippy::unwrap_used, reason = "the whole program is a test")]

#[path = "../../../model/tests/common/build.rs"]
mod build;
#[path = "../../../model/tests/common/onnx.rs"]
mod onnx;

mod failures;
mod health;
mod port;
mod rows;

use std::future::Future;
use std::path::PathBuf;

use modelet_core::{Data, EngineName, Settings, Tensor, Value};
use modelet_model::LoadOptions;
use modelet_runtime::batch::{Batcher, Computed};
use tokio::task::{JoinHandle, LocalSet, spawn_local};

/// The library of ONNX Runtime; a test that needs it fails where it is not installed.
fn library() -> PathBuf {
    let home = std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
    let cached = home.join(".cache/modelet").join(modelet_model::library::CACHE_FOLDER);
    let path = std::env::var_os("MODELET_ONNXRUNTIME")
        .map_or_else(|| cached.join(modelet_model::library::FILE_NAME), PathBuf::from);
    assert!(path.exists(), "{} is not there: run modelet engines install", path.display());
    path
}

fn batcher(engine: EngineName, built: &build::Built, settings: &Settings) -> Batcher {
    let folder = tempfile::tempdir().unwrap();
    let options = LoadOptions { onnxruntime_library: Some(library()), ..LoadOptions::default() };
    let model = modelet_model::engine(engine).load(&built.write(folder.path()), &options).unwrap();
    let signature = model.signature().clone();
    Batcher::new(model, &signature, settings)
}

/// Runs on one thread, as an instance does.
fn on_one_thread<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(LocalSet::new().run_until(test))
}

/// Sends calls at the same moment and waits for all answers.
async fn at_once(batcher: &std::rc::Rc<Batcher>, calls: Vec<Vec<(String, Tensor)>>) -> Vec<Computed> {
    let sent: Vec<_> = calls.into_iter().map(|inputs| send(batcher, inputs, None)).collect();
    let mut answers = Vec::new();
    for call in sent {
        answers.push(call.await.unwrap());
    }
    answers
}

fn send(
    batcher: &std::rc::Rc<Batcher>,
    inputs: Vec<(String, Tensor)>,
    outputs: Option<Vec<String>>,
) -> JoinHandle<Computed> {
    let batcher = batcher.clone();
    spawn_local(async move { batcher.compute(inputs, outputs).await })
}

fn floats(name: &str, shape: &[usize], data: Vec<f32>) -> (String, Tensor) {
    (name.to_owned(), Tensor::new(shape.to_vec(), data).unwrap())
}

/// The numbers of one output.
fn numbers<'a>(answer: &'a Computed, name: &str) -> &'a [f32] {
    let outputs = answer.outputs.as_ref().unwrap();
    match &outputs.iter().find(|(n, _)| n == name).unwrap().1 {
        Value::Tensor(tensor) => match tensor.data() {
            Data::F32(data) => data,
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}
