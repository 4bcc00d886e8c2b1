//! Model formats and the engines that compute them.
//!
//! - [`mod@engine`]: what an engine and a loaded model are, and the list of engines
//! - [`mod@files`]: where the files of a model are read
//! - [`onnxruntime`], [`mod@tabular`], [`rten`]: the three engines
//! - [`library`]: where the shared library of ONNX Runtime is looked for, and what makes it fit
//! - [`onnx`]: what an ONNX file says about itself, read without its weights
//! - [`detect`]: what a file that is not ONNX looks like
//! - [`mod@examples`], [`mod@compare`]: example rows, and whether two answers about them agree
//! - [`mod@steps`]: what is done before and after a model, such as text to tokens
//! - [`rows`]: how several calls become one, and its answer theirs
//!
//! Deliberately absent: HTTP, JSON, the environment of the process. Paths and settings are passed in.

pub mod compare;
pub mod detect;
pub mod engine;
pub mod examples;
pub mod files;
pub mod library;
pub mod onnx;
pub mod onnxruntime;
pub mod rows;
pub mod rten;
pub mod steps;
pub mod tabular;

mod binding;

pub use compare::{Agreement, compare};
pub use engine::{Engine, LoadOptions, Model, engine};
pub use examples::examples;
pub use files::Files;
pub use onnx::{OnnxSummary, describe_onnx, summarize};
pub use steps::load;
