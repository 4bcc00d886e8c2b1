//! The engine `tabular`: classical models computed natively, compiled in.
//!
//! It runs ONNX graphs of the operators that converters of scikit-learn, XGBoost and LightGBM write, trees above all, in the
//! order of operations of those frameworks. What it does not know, or what runtimes do not agree about, is refused when the
//! model is loaded, by the operator and the node.
//!
//! - [`graph`]: a graph made ready to run; [`operators`]: the list of operators; [`site`]: what one of them knows of its node
//! - [`standard`], [`ml`], [`more`], and [`texts`], [`categories`] and [`bounds`] of our own: the operators of the four domains
//! - [`proto`], [`constant`]: a model file read whole
//! - [`splits`]: what the trees of a file ask, for rows that tell
//! - [`number`], [`shape`]: arithmetic and shapes
//!
//! Deliberately absent: threads (a row takes microseconds), subgraphs, weights in other files.

mod bounds;
pub mod categories;
mod constant;
mod graph;
mod ml;
mod more;
mod number;
mod operators;
mod proto;
mod shape;
mod site;
pub mod splits;
mod standard;
mod texts;

use std::path::Path;

use modelet_core::{Code, Data, Dim, EngineName, FunctionError, OutputKind, Signature, Tensor, Value};
use prost::Message;

use crate::binding::{bind_inputs, bind_outputs, guarded};
use crate::engine::{Engine, LoadOptions, Model};
use crate::files::Files;
use crate::onnx::{OnnxSummary, refused, summarize_in};
use crate::rows::slice;
use graph::Graph;
use proto::FullModel;
use shape::MAX_ELEMENTS;
use site::Stop;
use standard::cast_elements;
use texts::Documents;

/// The engine's name in messages.
const NAME: &str = "tabular";
/// Largest model file, in bytes: trees of a hundred million nodes, and no neural net of gigabytes.
const MAX_FILE_BYTES: u64 = 4 << 30;

/// The engine.
#[derive(Debug)]
pub struct Tabular;

impl Engine for Tabular {
    fn name(&self) -> EngineName {
        EngineName::Tabular
    }

    fn version(&self, _: &LoadOptions) -> Result<String, FunctionError> {
        Ok(env!("CARGO_PKG_VERSION").to_owned())
    }

    fn prepare(&self, _: &LoadOptions) -> Result<(), FunctionError> {
        Ok(())
    }

    fn load(&self, model: &Path, options: &LoadOptions) -> Result<Box<dyn Model>, FunctionError> {
        let summary = summarize_in(&options.files, model)?;
        summary.check()?;
        let signature = summary.signature()?;
        // Known without the numbers, so that a neural net is refused before its weights are read.
        check_operators(&summary)?;
        let (graph, documents) = guarded(Code::ModelRefused, NAME, || {
            let full = read(&options.files, model)?.graph.unwrap_or_default();
            Ok((Graph::new(&full, &summary, &signature)?, Documents::of(&full, &signature)))
        })?;
        Ok(Box::new(Loaded { graph, documents, signature }))
    }
}

struct Loaded {
    graph: Graph,
    documents: Documents,
    signature: Signature,
}

impl Loaded {
    /// Computes outputs by their places in the signature; where texts become wide tables, some rows after the others.
    fn compute(&self, bound: &[Option<&Tensor>], wanted: &[usize]) -> Result<Vec<Value>, FunctionError> {
        let rows = bound.iter().flatten().map(|tensor| tensor.shape().first().copied().unwrap_or(0)).max();
        let (rows, at_once) = (rows.unwrap_or(0), self.documents.rows_at_once().unwrap_or(usize::MAX));
        if rows <= at_once {
            return self.graph.run(bound, wanted).map_err(|stop| self.error(stop, 0));
        }
        self.check_rows(rows, wanted)?;
        let mut parts = Vec::new();
        for from in (0..rows).step_by(at_once) {
            let some = from..rows.min(from + at_once);
            let cut: Vec<_> = bound.iter().map(|one| one.map(|tensor| slice(tensor, some.clone()))).collect();
            let cut: Vec<_> = cut.iter().map(Option::as_ref).collect();
            parts.push(self.graph.run(&cut, wanted).map_err(|stop| self.error(stop, from))?);
        }
        joined(parts).ok_or_else(|| self.error("some rows were answered otherwise than others".into(), 0))
    }

    /// Why there is no answer; `from` is the first of the rows that were computed.
    fn error(&self, stop: Stop, from: usize) -> FunctionError {
        let (row, found, takes) = match stop {
            Stop::Failed(reason) => {
                return FunctionError::new(Code::PredictionFailed, format!("tabular failed: {reason}"));
            }
            Stop::Row { row, found, takes } => (from + row, found, takes),
        };
        FunctionError::bad_input(
            self.name(),
            format!("rows of which a model within this one makes {takes}"),
            format!("row {row} (counted from 0), of which it makes {found}"),
        )
        .hint("scikit-learn refuses this row too: send smaller numbers")
    }

    /// The name of the input whose rows an error speaks of.
    fn name(&self) -> &str {
        self.signature.inputs.first().map_or("inputs", |input| &*input.name)
    }

    /// Refuses more rows than may be answered at once.
    fn check_rows(&self, rows: usize, wanted: &[usize]) -> Result<(), FunctionError> {
        let width = |at: &usize| match &self.signature.outputs[*at].kind {
            OutputKind::Tensor { shape: Some(shape), .. } => {
                shape.iter().skip(1).filter_map(Dim::fixed).product::<usize>().max(1)
            }
            _ => 1,
        };
        let most = MAX_ELEMENTS / wanted.iter().map(width).max().unwrap_or(1);
        if rows <= most {
            return Ok(());
        }
        Err(FunctionError::bad_input(
            self.name(),
            format!("at most {most} rows in one call"),
            format!("{rows} rows"),
        )
        .hint("send them in several calls"))
    }
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
        self.documents.check(&self.signature, &bound)?;
        let values = guarded(Code::PredictionFailed, NAME, || self.compute(&bound, &wanted))?;
        let names = wanted.iter().map(|index| self.signature.outputs[*index].name.clone());
        Ok(names.zip(values).collect())
    }
}

/// The outputs of some rows after those of others; `None` where they are no tables of one kind.
fn joined(parts: Vec<Vec<Value>>) -> Option<Vec<Value>> {
    let mut whole: Vec<(Vec<usize>, Data)> = Vec::new();
    for part in parts {
        for (at, value) in part.into_iter().enumerate() {
            let Value::Tensor(tensor) = value else { return None };
            match whole.get_mut(at) {
                None => whole.push(tensor.into_parts()),
                Some((shape, data)) => {
                    *shape.first_mut()? += tensor.shape().first()?;
                    if !data.append(tensor.data()) {
                        return None;
                    }
                }
            }
        }
    }
    whole.into_iter().map(|(shape, data)| Some(Value::Tensor(Tensor::new(shape, data).ok()?))).collect()
}

fn read(files: &Files, model: &Path) -> Result<FullModel, FunctionError> {
    let unreadable = |error: std::io::Error| refused(format!("the model file cannot be read: {error}"));
    if files.size_bytes(model).map_err(unreadable)? > Some(MAX_FILE_BYTES) {
        return Err(refused(format!("the engine tabular reads files of up to {MAX_FILE_BYTES} bytes")));
    }
    let bytes = files.read(model).map_err(unreadable)?;
    FullModel::decode(&*bytes).map_err(|error| {
        refused(format!("the model file is damaged or cut: {error}")).hint("copy or export it again")
    })
}

fn check_operators(summary: &OnnxSummary) -> Result<(), FunctionError> {
    let refuse = |what: String| {
        Err(refused(format!("the engine tabular does not compute {what}"))
            .hint("use engine = \"onnxruntime\""))
    };
    if let Some(function) = summary.functions.first() {
        let name = function.name.as_deref().unwrap_or_default();
        return refuse(format!("operators that the model defines itself, such as {name}"));
    }
    if !summary.graph.sparse_initializer.is_empty() {
        return refuse("with sparse constants".to_owned());
    }
    let mut unknown = None;
    summary.each_node(&mut |node| {
        if unknown.is_none() && !operators::is_known(node.op_domain(), node.op()) {
            unknown = Some(format!("{} as in node {:?}", node.op(), node.label()));
        }
    });
    unknown.map_or(Ok(()), refuse)
}
