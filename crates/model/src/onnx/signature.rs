//! Inputs and outputs of an ONNX graph in our words; engines give the same signature for the same file because they take
//! it from here.

use std::collections::HashSet;

use modelet_core::{DType, Dim, FunctionError, InputSpec, OutputKind, OutputSpec, Signature};

use super::proto::{ShapeProto, TypeProto, ValueInfoProto};
use super::{OnnxSummary, refused};

/// The element type of a `TensorProto.DataType`; the name of what we do not serve otherwise.
pub(crate) fn dtype(number: i32) -> Result<DType, &'static str> {
    Ok(match number {
        1 => DType::F32,
        2 => DType::U8,
        3 => DType::I8,
        4 => DType::U16,
        5 => DType::I16,
        6 => DType::I32,
        7 => DType::I64,
        8 => DType::Str,
        9 => DType::Bool,
        10 => DType::F16,
        11 => DType::F64,
        12 => DType::U32,
        13 => DType::U64,
        16 => DType::BF16,
        0 => return Err("no element type"),
        14 | 15 => return Err("complex numbers"),
        17..=20 | 24 => return Err("8-bit floats"),
        27 | 28 => return Err("6-bit floats"),
        21..=23 => return Err("4-bit numbers"),
        25 | 26 => return Err("2-bit numbers"),
        _ => return Err("an unknown element type"),
    })
}

impl OnnxSummary {
    /// What the graph takes and gives, without categories and classes.
    ///
    /// An input with an initializer is optional. Before IR version 4 every initializer was listed as an input; those
    /// are constants, not inputs.
    ///
    /// # Errors
    /// `model-refused` naming the input or output that no client could send or read.
    pub fn signature(&self) -> Result<Signature, FunctionError> {
        const OVERRIDABLE_SINCE: i64 = 4;
        let defaults: HashSet<&str> = self.graph.initializer.iter().map(super::TensorProto::name).collect();
        let mut inputs = Vec::new();
        for info in &self.graph.input {
            let optional = defaults.contains(name(info));
            if !optional || self.ir_version >= OVERRIDABLE_SINCE {
                inputs.push(input(info, optional)?);
            }
        }
        if self.graph.output.is_empty() {
            return Err(refused("the model has no outputs: there is nothing to answer with"));
        }
        let outputs = self.graph.output.iter().map(output).collect::<Result<_, _>>()?;
        Ok(Signature::new(inputs, outputs))
    }
}

fn name(info: &ValueInfoProto) -> &str {
    info.name.as_deref().unwrap_or_default()
}

fn input(info: &ValueInfoProto, optional: bool) -> Result<InputSpec, FunctionError> {
    let name = name(info);
    let tensor = match info.r#type.as_ref() {
        Some(TypeProto { tensor: Some(tensor), .. }) => Ok(tensor),
        Some(TypeProto { sequence: Some(_), .. }) => Err("a sequence"),
        Some(TypeProto { map: Some(_), .. }) => Err("a map"),
        Some(TypeProto { optional: Some(_), .. }) => Err("an optional value"),
        Some(TypeProto { sparse_tensor: Some(_), .. }) => Err("a sparse tensor"),
        _ => Err("of no type"),
    };
    let found = tensor.map_err(str::to_owned).and_then(|tensor| {
        let dtype = dtype(tensor.elem_type.unwrap_or_default());
        dtype.map(|dtype| (dtype, tensor)).map_err(|kind| format!("a tensor of {kind}"))
    });
    let (dtype, tensor) = found.map_err(|kind| {
        refused(format!("input {name} is {kind}; a function takes tensors of numbers, booleans or text"))
            .hint("export the model with tensor inputs")
    })?;
    let shape = tensor.shape.as_ref().map(dims);
    Ok(InputSpec {
        name: name.to_owned(),
        dtype,
        shape,
        optional,
        columns: None,
        categories: None,
        numbers: None,
        table_rows: None,
        takes_integers: false,
        rules: vec![],
        file: None,
    })
}

fn output(info: &ValueInfoProto) -> Result<OutputSpec, FunctionError> {
    let name = name(info);
    let kind = info.r#type.as_ref().map_or(Err("no type"), output_kind).map_err(|kind| {
        refused(format!(
            "output {name} has {kind}; a function answers with tensors, sequences of tensors and maps"
        ))
        .hint("export the model with other outputs")
    })?;
    Ok(OutputSpec { name: name.to_owned(), kind, classes: None, ranking: None })
}

fn output_kind(info: &TypeProto) -> Result<OutputKind, &'static str> {
    if let Some(tensor) = &info.tensor {
        let dtype = dtype(tensor.elem_type.unwrap_or_default())?;
        return Ok(OutputKind::Tensor { dtype, shape: tensor.shape.as_ref().map(dims) });
    }
    if let Some(map) = &info.map {
        let value = map.value_type.as_ref().and_then(|value| value.tensor.as_ref());
        let value = dtype(value.and_then(|tensor| tensor.elem_type).unwrap_or_default())?;
        return Ok(OutputKind::Map { key: dtype(map.key_type.unwrap_or_default())?, value, per_row: false });
    }
    if let Some(element) = info.optional.as_ref().and_then(|optional| optional.elem_type.as_ref()) {
        return output_kind(element);
    }
    let element = info.sequence.as_ref().and_then(|sequence| sequence.elem_type.as_ref());
    match element.map(|element| output_kind(element)).transpose()? {
        Some(OutputKind::Tensor { dtype, .. }) => Ok(OutputKind::Sequence { dtype }),
        Some(OutputKind::Map { key, value, .. }) => Ok(OutputKind::Map { key, value, per_row: true }),
        Some(OutputKind::Sequence { .. }) => Err("sequences in a sequence"),
        None => Err("no type that we know"),
    }
}

fn dims(shape: &ShapeProto) -> Vec<Dim> {
    let dim = |dim: &super::proto::DimProto| match (dim.value, dim.name.as_deref()) {
        (Some(value), _) => usize::try_from(value).map_or(Dim::Dynamic, Dim::Fixed),
        // Some exporters write "?" for every size that they do not know: those are no names.
        (None, Some(name)) if name.contains(char::is_alphanumeric) => Dim::Named(name.to_owned()),
        _ => Dim::Dynamic,
    };
    shape.dim.iter().map(dim).collect()
}
