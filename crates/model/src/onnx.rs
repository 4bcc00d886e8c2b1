//! What an ONNX file says about itself, read without its weights.
//!
//! - [`proto`]: the messages; [`mod@file`]: a file read by skipping
//! - [`signature`]: inputs and outputs in our words
//! - [`labels`]: categories of inputs, classes of outputs, traced through the graph
//! - [`facts`], [`types`]: what follows from the graph, for the rules of engines
//! - [`locale`]: makes text models independent of the machine's languages
//! - [`weights`]: moves weights into a file that instances share
//! - [`wire`]: fields as they lie in a file, for both
//! - [`mod@write`]: files of our own, made of other formats

pub(crate) mod facts;
mod file;
mod labels;
pub mod locale;
pub(crate) mod proto;
mod signature;
mod types;
pub mod weights;
pub mod wire;
pub mod write;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use modelet_core::artifact::is_safe_path;
use modelet_core::{Code, EngineName, FunctionError};
use prost::Message;

use crate::detect;
use crate::files::Files;
use file::FileBuf;
use proto::{FunctionProto, GraphProto, ModelProto, NodeProto, TensorProto};

pub use labels::{
    COLUMNS_KEY, ENGINE_KEY, FRAME_KEY, TAKEN_KEY, Taken, describe_onnx, note_limits, note_taken,
};

/// The newest IR version that our engines read, and the ONNX release that brought it.
pub const NEWEST_IR_VERSION: i64 = 13;
/// The newest version of each domain's operators that our engines know.
pub const NEWEST_OPSETS: &[(&str, i64)] = &[("", 26), ("ai.onnx.ml", 5)];
/// The ONNX release of those two.
const NEWEST_ONNX: &str = "1.21";

/// An ONNX file without its weights.
#[derive(Debug, Clone, PartialEq)]
pub struct OnnxSummary {
    /// Version of the file format.
    pub ir_version: i64,
    /// Version of the operators, for each domain; the standard domain is the empty text.
    pub opsets: BTreeMap<String, i64>,
    /// The program that wrote it, with its version.
    pub producer: Option<String>,
    /// What the writer noted.
    pub metadata: BTreeMap<String, String>,
    pub(crate) graph: GraphProto,
    pub(crate) functions: Vec<FunctionProto>,
}

/// Reads what an ONNX file says about itself. Weights are skipped over, so a file of gigabytes takes milliseconds.
///
/// # Errors
/// `model-refused`, saying what the file looks like when it is not ONNX.
pub fn summarize(path: &Path) -> Result<OnnxSummary, FunctionError> {
    summarize_in(&Files::Disk, path)
}

/// The same, of a file wherever it is.
pub(crate) fn summarize_in(files: &Files, path: &Path) -> Result<OnnxSummary, FunctionError> {
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
    let unreadable = |error: std::io::Error| refused(format!("{name} cannot be read: {error}"));
    let Some(size_bytes) = files.size_bytes(path).map_err(unreadable)? else {
        return Err(refused(format!("{name} is a folder, not a model file")));
    };
    let file = files.open(path).map_err(unreadable)?;
    let mut buf = FileBuf::new(file, size_bytes).map_err(unreadable)?;
    let head = buf.head().to_vec();
    if let Some(kind) = detect::other_format(&head) {
        return Err(not_onnx(&name, kind));
    }
    let decoded = ModelProto::decode(&mut buf);
    if let Some(error) = buf.failure() {
        return Err(unreadable(error));
    }
    let error = match decoded {
        Ok(model) if model.graph.is_some() && model.ir_version.is_some() => {
            return Ok(OnnxSummary::new(model));
        }
        // A damaged file starts as a sound one does: with its IR version and its producer.
        Err(error) if detect::starts_like_onnx(&head) && !detect::starts_like_saved_model(&head) => {
            refused(format!("{name} starts like an ONNX file but is damaged or cut: {error}"))
                .hint("copy or export it again")
        }
        _ => not_onnx(&name, detect::guess(&head)),
    };
    Err(error)
}

impl OnnxSummary {
    fn new(model: ModelProto) -> Self {
        let mut opsets = BTreeMap::new();
        for opset in model.opset_import {
            let domain = opset.domain.filter(|domain| domain != "ai.onnx").unwrap_or_default();
            opsets.insert(domain, opset.version.unwrap_or_default());
        }
        let named = [model.producer_name, model.producer_version].into_iter().flatten();
        let producer = named.filter(|text| !text.is_empty()).collect::<Vec<_>>().join(" ");
        let entry =
            |entry: proto::EntryProto| (entry.key.unwrap_or_default(), entry.value.unwrap_or_default());
        Self {
            ir_version: model.ir_version.unwrap_or_default(),
            opsets,
            producer: Some(producer).filter(|producer| !producer.is_empty()),
            metadata: model.metadata_props.into_iter().map(entry).collect(),
            graph: model.graph.unwrap_or_default(),
            functions: model.functions,
        }
    }

    /// Refuses a file that is newer than our engines, or whose weights lie outside its folder.
    ///
    /// # Errors
    /// `model-refused`, with what was found, what is supported, and how to export again.
    pub fn check(&self) -> Result<(), FunctionError> {
        if self.ir_version > NEWEST_IR_VERSION {
            let message = format!(
                "the model has IR version {}, supported up to {NEWEST_IR_VERSION} (ONNX {NEWEST_ONNX})",
                self.ir_version
            );
            let hint = format!(
                "re-export it with an older exporter, or set model.ir_version = {NEWEST_IR_VERSION} in Python's onnx \
                 and save it again"
            );
            return Err(refused(message).hint(hint));
        }
        for (domain, newest) in NEWEST_OPSETS {
            if let Some(found) = self.opsets.get(*domain).filter(|found| *found > newest) {
                let domain = if domain.is_empty() { "ai.onnx" } else { domain };
                let message = format!(
                    "the model uses opset {found} of {domain}, supported up to {newest} (ONNX {NEWEST_ONNX})"
                );
                let hint = format!("re-export it with opset {newest} (target_opset, opset_version={newest})");
                return Err(refused(message).hint(hint));
            }
        }
        let mut result = Ok(());
        self.each_tensor(&mut |tensor| {
            if let (Ok(()), Some(external)) = (&result, External::of(tensor)) {
                result = external.check_path().map(|_| ());
            }
        });
        result
    }

    /// The operators used, by domain (the standard one is the empty text), subgraphs and functions included.
    pub fn operators(&self) -> BTreeMap<String, BTreeSet<String>> {
        let mut operators: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        self.each_node(&mut |node| {
            operators.entry(node.op_domain().to_owned()).or_default().insert(node.op().to_owned());
        });
        operators
    }

    /// The files with weights that it refers to, relative to its folder, sorted, each once.
    ///
    /// Only paths that stay in the folder are listed; [`OnnxSummary::check`] refuses a model with others.
    pub fn external_files(&self) -> Vec<String> {
        let mut files = BTreeSet::new();
        self.each_tensor(&mut |tensor| {
            files.extend(External::of(tensor).and_then(|external| external.path()));
        });
        files.into_iter().collect()
    }

    /// Refuses an engine where whoever wrote the model counts on each rounding of another one.
    pub(crate) fn check_engine(&self, engine: EngineName) -> Result<(), FunctionError> {
        match self.metadata.get(ENGINE_KEY) {
            Some(exact) if exact != engine.as_str() => Err(refused(format!(
                "it was imported for {exact}, which adds up in the order of the framework"
            ))
            .hint(format!("leave out `engine` in modelet.toml, or say engine = \"{exact}\""))),
            _ => Ok(()),
        }
    }

    /// Refuses a model whose files with weights are missing from its folder, or too short.
    ///
    /// # Errors
    /// `model-refused`, with the name that the model refers to.
    pub fn check_external_files(&self, files: &Files, folder: &Path) -> Result<(), FunctionError> {
        let mut result = Ok(());
        self.each_tensor(&mut |tensor| {
            if let (Ok(()), Some(external)) = (&result, External::of(tensor)) {
                result = external.check_presence(files, folder);
            }
        });
        result
    }

    /// Calls `visit` with every node: of the graph, its subgraphs, and the model's own functions.
    pub(crate) fn each_node<'a>(&'a self, visit: &mut impl FnMut(&'a NodeProto)) {
        fn walk<'a>(nodes: &'a [NodeProto], visit: &mut impl FnMut(&'a NodeProto)) {
            for node in nodes {
                visit(node);
                for graph in node.graphs() {
                    walk(&graph.node, visit);
                }
            }
        }
        walk(&self.graph.node, visit);
        for function in &self.functions {
            walk(&function.node, visit);
        }
    }

    /// Calls `visit` with every constant: initializers, sparse ones, and those in attributes, at any depth.
    pub(crate) fn each_tensor<'a>(&'a self, visit: &mut impl FnMut(&'a TensorProto)) {
        let of_graph = |graph: &'a GraphProto, visit: &mut dyn FnMut(&'a TensorProto)| {
            graph.initializer.iter().for_each(&mut *visit);
            for sparse in &graph.sparse_initializer {
                sparse.values.iter().chain(&sparse.indices).for_each(&mut *visit);
            }
        };
        of_graph(&self.graph, visit);
        self.each_node(&mut |node| {
            for attribute in &node.attribute {
                attribute.head.t.iter().chain(&attribute.head.tensors).for_each(&mut *visit);
            }
            for graph in node.graphs() {
                of_graph(graph, visit);
            }
        });
    }
}

/// Where a constant's numbers lie outside the model file.
struct External<'a> {
    tensor: &'a str,
    location: &'a str,
    end_bytes: u64,
}

impl<'a> External<'a> {
    fn of(tensor: &'a TensorProto) -> Option<Self> {
        let entries = &tensor.head.external_data;
        let value = |key: &str| {
            entries
                .iter()
                .find(|entry| entry.key.as_deref() == Some(key))
                .and_then(|entry| entry.value.as_deref())
        };
        let number = |key: &str| value(key).and_then(|text| text.parse::<u64>().ok()).unwrap_or_default();
        tensor.is_external().then(|| Self {
            tensor: tensor.name(),
            location: value("location").unwrap_or_default(),
            end_bytes: number("offset").saturating_add(number("length")),
        })
    }

    /// The path below the model's folder; `None` when it leaves the folder.
    fn path(&self) -> Option<String> {
        // Some exporters write `./weights.bin`. ONNX Runtime takes a location with a star for an address in memory:
        // never out of a file.
        let path = self.location.strip_prefix("./").unwrap_or(self.location);
        (is_safe_path(path) && !path.contains('*')).then(|| path.to_owned())
    }

    fn check_path(&self) -> Result<String, FunctionError> {
        self.path().ok_or_else(|| {
            let Self { tensor, location, .. } = self;
            refused(format!("weights of {tensor} are in {location:?}, outside the model's folder"))
                .hint("put the file beside the model and save the model again")
        })
    }

    fn check_presence(&self, files: &Files, folder: &Path) -> Result<(), FunctionError> {
        let path = self.check_path()?;
        let Ok(Some(size_bytes)) = files.size_bytes(&folder.join(&path)) else {
            let message = format!("the model needs the weights file {path}, which is not beside it");
            return Err(refused(message).hint(format!("put {path} into the model's folder")));
        };
        if size_bytes < self.end_bytes {
            let Self { tensor, end_bytes, .. } = self;
            let message =
                format!("{path} is cut: {tensor} needs {end_bytes} bytes of it, it has {size_bytes}");
            return Err(refused(message).hint("copy the weights file again"));
        }
        Ok(())
    }
}

/// A `model-refused` failure.
pub(crate) fn refused(message: impl Into<String>) -> FunctionError {
    FunctionError::new(Code::ModelRefused, message)
}

fn not_onnx(name: &str, kind: &detect::Format) -> FunctionError {
    refused(format!("{name} is not an ONNX file: it looks like {}", kind.looks_like)).hint(kind.hint)
}
