//! A graph made ready to run: values are slots, nodes fill them in the order of the file.

use std::collections::HashMap;

use modelet_core::{DType, FunctionError, OutputKind, Signature, Tensor, Value};

use super::bounds;
use super::constant::{self, TYPES};
use super::ml::Classes;
use super::operators::{self, ZIP_MAP};
use super::proto::{FullGraph, FullNode};
use super::shape::make;
use super::site::{Arguments, Compiled, Run, Site, Stop};
use crate::onnx::{OnnxSummary, refused};

/// A graph made ready.
pub(super) struct Graph {
    /// The first slots are the inputs, in the order of the signature.
    inputs: usize,
    slots: usize,
    /// Constants, defaults of inputs too, and their slots.
    constants: Vec<(usize, Tensor)>,
    nodes: Vec<Step>,
    outputs: Vec<Output>,
}

struct Step {
    run: Run,
    label: String,
    inputs: Vec<Option<usize>>,
    outputs: Vec<Option<usize>>,
}

struct Output {
    slot: usize,
    /// Keys, where the output is maps.
    keys: Option<Tensor>,
}

/// What is known of the values while nodes are made ready.
struct Building<'a> {
    summary: &'a OnnxSummary,
    signature: &'a Signature,
    slots: HashMap<&'a str, usize>,
    types: Vec<DType>,
    columns: Vec<Option<usize>>,
    constants: HashMap<usize, Tensor>,
    /// Slots of tensors that are given out as maps, by the name of the output.
    maps: HashMap<&'a str, (usize, Classes)>,
}

impl Graph {
    /// Makes a graph ready; refuses what is not computed exactly.
    pub(super) fn new(
        full: &FullGraph,
        summary: &OnnxSummary,
        signature: &Signature,
    ) -> Result<Self, FunctionError> {
        let mut building = Building::new(summary, signature)?;
        building.take_constants(full)?;
        let mut nodes = Vec::with_capacity(full.node.len());
        for node in &full.node {
            nodes.extend(building.node(node).map_err(|reason| not_computed(node, &reason))?);
        }
        let outputs = building.outputs()?;
        Ok(Self {
            inputs: signature.inputs.len(),
            slots: building.types.len(),
            constants: building.constants.into_iter().collect(),
            nodes,
            outputs,
        })
    }

    /// Computes the outputs wanted, by their places in the signature.
    pub(super) fn run(&self, inputs: &[Option<&Tensor>], wanted: &[usize]) -> Result<Vec<Value>, Stop> {
        let mut lent: Vec<Option<&Tensor>> = vec![None; self.slots];
        for (slot, tensor) in &self.constants {
            lent[*slot] = Some(tensor);
        }
        for (slot, tensor) in inputs.iter().enumerate().take(self.inputs) {
            lent[slot] = tensor.or(lent[slot]);
        }
        let mut made: Vec<Option<Tensor>> = (0..self.slots).map(|_| None).collect();
        for step in &self.nodes {
            let value = |slot: &Option<usize>| slot.and_then(|slot| lent[slot].or(made[slot].as_ref()));
            let arguments = Arguments(step.inputs.iter().map(value).collect());
            let answers = (step.run)(&arguments).map_err(|stop| match stop {
                Stop::Failed(reason) => Stop::Failed(format!("node {:?}: {reason}", step.label)),
                row @ Stop::Row { .. } => row,
            })?;
            for (slot, answer) in step.outputs.iter().zip(answers) {
                if let Some(slot) = slot {
                    made[*slot] = Some(answer);
                }
            }
        }
        let output = |output: &usize| self.output(&self.outputs[*output], &lent, &made).map_err(Stop::from);
        wanted.iter().map(output).collect()
    }

    fn output(
        &self,
        output: &Output,
        lent: &[Option<&Tensor>],
        made: &[Option<Tensor>],
    ) -> Result<Value, String> {
        let tensor = made[output.slot].as_ref().or(lent[output.slot]).ok_or("there is no value")?;
        let Some(keys) = &output.keys else { return Ok(Value::Tensor(tensor.clone())) };
        let columns = tensor.shape().last().copied().unwrap_or(0);
        if columns != keys.len() || tensor.shape().len() > 2 {
            return Err(format!("scores of shape {:?} for {} classes", tensor.shape(), keys.len()));
        }
        let values = make(vec![tensor.len() / columns.max(1), columns], tensor.data().clone())?;
        Ok(Value::Map { keys: keys.clone(), values })
    }
}

impl<'a> Building<'a> {
    fn new(summary: &'a OnnxSummary, signature: &'a Signature) -> Result<Self, FunctionError> {
        let mut building = Self {
            summary,
            signature,
            slots: HashMap::new(),
            types: vec![],
            columns: vec![],
            constants: HashMap::new(),
            maps: HashMap::new(),
        };
        for input in &signature.inputs {
            if !TYPES.contains(&input.dtype) {
                let message = format!(
                    "the engine tabular has no elements of type {}, as in input {}",
                    input.dtype, input.name
                );
                return Err(refused(message));
            }
            let columns = match input.shape.as_deref() {
                Some([_, columns]) => columns.fixed(),
                _ => None,
            };
            building.add(&input.name, input.dtype, columns).map_err(refused)?;
        }
        Ok(building)
    }

    /// A new slot.
    fn add(&mut self, name: &'a str, dtype: DType, columns: Option<usize>) -> Result<usize, String> {
        let slot = self.types.len();
        if self.slots.insert(name, slot).is_some() {
            return Err(format!("two values are called {name}"));
        }
        self.types.push(dtype);
        self.columns.push(columns);
        Ok(slot)
    }

    fn take_constants(&mut self, full: &'a FullGraph) -> Result<(), FunctionError> {
        for proto in &full.initializer {
            let name = proto.name.as_deref().unwrap_or_default();
            let refuse = |reason: String| {
                refused(format!("the engine tabular does not have {reason}, as in constant {name}"))
            };
            let tensor = constant::tensor(proto).map_err(refuse)?;
            let slot = match self.slots.get(name) {
                // The default of an input.
                Some(slot) => *slot,
                None => self.add(name, tensor.dtype(), None).map_err(refused)?,
            };
            self.constants.insert(slot, tensor);
        }
        Ok(())
    }

    /// Makes a node ready; `None` for one that is done with, such as a constant.
    fn node(&mut self, node: &'a FullNode) -> Result<Option<Step>, String> {
        let inputs = node.input.iter().map(|name| self.slot(name)).collect::<Result<Vec<_>, _>>()?;
        let opset = self.summary.opsets.get(node.op_domain()).copied();
        let opset = opset.ok_or_else(|| format!("no version of the operators of {:?}", node.op_domain()))?;
        let site = Site::new(
            node,
            opset,
            inputs.iter().map(|slot| slot.map(|slot| self.types[slot])).collect(),
            inputs.first().copied().flatten().and_then(|slot| self.columns[slot]),
        );
        if node.op() == ZIP_MAP && node.op_domain() == "ai.onnx.ml" {
            let (classes, from) = (zip_map(&site)?, inputs.first().copied().flatten().ok_or("no input")?);
            let name = node.output.first().ok_or("no output")?;
            self.maps.insert(name, (from, classes));
            return Ok(None);
        }
        let Compiled { run, types } = operators::compile(&site)?;
        // Rows keep their columns through an operator that works number by number on a table.
        let columns = if KEEPS_COLUMNS.contains(&node.op()) { site.columns } else { None };
        let mut outputs = Vec::with_capacity(types.len());
        for (index, name) in node.output.iter().enumerate() {
            let dtype = *types.get(index).ok_or_else(|| format!("{} outputs", node.output.len()))?;
            outputs.push(if name.is_empty() { None } else { Some(self.add(name, dtype, columns)?) });
        }
        Ok(Some(Step { run, label: node.label().to_owned(), inputs, outputs }))
    }

    /// The slot of a node's input; `None` for one that is left out.
    fn slot(&self, name: &str) -> Result<Option<usize>, String> {
        if name.is_empty() {
            return Ok(None);
        }
        let slot = self.slots.get(name).copied();
        slot.map(Some).ok_or_else(|| format!("its input {name:?} is no tensor that an earlier node makes"))
    }

    fn outputs(&self) -> Result<Vec<Output>, FunctionError> {
        let infos = &self.summary.graph.output;
        let optional = |index: usize| {
            infos.get(index).and_then(|info| info.r#type.as_ref()).is_some_and(|kind| kind.optional.is_some())
        };
        let output = |(index, spec): (usize, &modelet_core::OutputSpec)| {
            let name = spec.name.as_str();
            let refuse =
                |found: &str| refused(format!("output {name} is declared as another thing than {found}"));
            match (&spec.kind, self.slots.get(name), self.maps.get(name)) {
                (OutputKind::Tensor { dtype, .. }, Some(slot), _) if !optional(index) => {
                    let found = self.types[*slot];
                    if found == *dtype {
                        Ok(Output { slot: *slot, keys: None })
                    } else {
                        Err(refuse(found.name()))
                    }
                }
                (OutputKind::Map { key, value, per_row: true }, None, Some((slot, classes))) => {
                    let fits = *key == classes.dtype() && *value == self.types[*slot];
                    let keys = Some(Tensor::vector(classes.all()));
                    if fits {
                        Ok(Output { slot: *slot, keys })
                    } else {
                        Err(refuse("the maps that are made"))
                    }
                }
                (_, None, None) => Err(refused(format!("nothing in the model makes output {name}"))),
                _ => Err(refuse("the value that is made")),
            }
        };
        self.signature.outputs.iter().enumerate().map(output).collect()
    }
}

/// Operators after which a table has the columns that it had.
const KEEPS_COLUMNS: &[&str] =
    &["Cast", "Identity", "Scaler", "Imputer", "Normalizer", "Binarizer", bounds::WITHIN];

fn zip_map(site: &Site<'_>) -> Result<Classes, String> {
    site.dtype_of(0, &[DType::F32])?;
    let classes = Classes::new(site, "classlabels_int64s")?;
    site.check_settings()?;
    if classes.repeat() { Err("a class label that stands twice".into()) } else { Ok(classes) }
}

fn not_computed(node: &FullNode, reason: &str) -> FunctionError {
    refused(format!(
        "the engine tabular does not compute {} as in node {:?}: {reason}",
        node.op(),
        node.label()
    ))
}
