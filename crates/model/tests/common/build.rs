//! Builds small ONNX models, so that no binary file is kept here.

#![allow(dead_code, missing_docs, clippy::allow_attributes)]

use std::path::{Path, PathBuf};

use prost::Message;

use crate::onnx::*;

pub const F32: i32 = 1;
pub const I64: i32 = 7;
pub const STR: i32 = 8;
pub const BOOL: i32 = 9;
pub const U8: i32 = 2;
pub const I32: i32 = 6;
pub const F64: i32 = 11;

/// A dimension: a number, a name, or `?`.
fn dim(text: &str) -> DimProto {
    match text.parse() {
        Ok(value) => DimProto { value: Some(value), name: None },
        Err(_) if text == "?" => DimProto::default(),
        Err(_) => DimProto { value: None, name: Some(text.into()) },
    }
}

pub fn tensor_type(dtype: i32, shape: &[&str]) -> TypeProto {
    let shape = ShapeProto { dim: shape.iter().map(|text| dim(text)).collect() };
    let tensor = TensorTypeProto { elem_type: Some(dtype), shape: Some(shape) };
    TypeProto { tensor: Some(tensor), ..TypeProto::default() }
}

pub fn sequence_of(element: TypeProto) -> TypeProto {
    let element = ElementTypeProto { elem_type: Some(Box::new(element)) };
    TypeProto { sequence: Some(Box::new(element)), ..TypeProto::default() }
}

pub fn map_type(key: i32, value: i32) -> TypeProto {
    let value = Box::new(tensor_type(value, &[]));
    let map = MapTypeProto { key_type: Some(key), value_type: Some(value) };
    TypeProto { map: Some(Box::new(map)), ..TypeProto::default() }
}

pub fn value(name: &str, r#type: TypeProto) -> ValueInfoProto {
    ValueInfoProto { name: Some(name.into()), r#type: Some(r#type) }
}

pub fn tensor(name: &str, dtype: i32, shape: &[&str]) -> ValueInfoProto {
    value(name, tensor_type(dtype, shape))
}

pub fn node(op: &str, inputs: &[&str], outputs: &[&str], attributes: Vec<AttributeProto>) -> NodeProto {
    let texts = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    NodeProto {
        input: texts(inputs),
        output: texts(outputs),
        name: Some(format!("{op}_{}", outputs.first().copied().unwrap_or_default())),
        op_type: Some(op.into()),
        attribute: attributes,
        domain: None,
    }
}

pub fn ml(op: &str, inputs: &[&str], outputs: &[&str], attributes: Vec<AttributeProto>) -> NodeProto {
    NodeProto { domain: Some("ai.onnx.ml".into()), ..node(op, inputs, outputs, attributes) }
}

fn attribute(name: &str, r#type: i32) -> AttributeProto {
    AttributeProto { name: Some(name.into()), r#type: Some(r#type), ..AttributeProto::default() }
}

pub fn int(name: &str, i: i64) -> AttributeProto {
    AttributeProto { i: Some(i), ..attribute(name, 2) }
}

pub fn float(name: &str, f: f32) -> AttributeProto {
    AttributeProto { f: Some(f), ..attribute(name, 1) }
}

pub fn text(name: &str, s: &str) -> AttributeProto {
    AttributeProto { s: Some(s.into()), ..attribute(name, 3) }
}

pub fn floats(name: &str, floats: &[f32]) -> AttributeProto {
    AttributeProto { floats: floats.to_vec(), ..attribute(name, 6) }
}

pub fn ints(name: &str, ints: &[i64]) -> AttributeProto {
    AttributeProto { ints: ints.to_vec(), ..attribute(name, 7) }
}

pub fn texts(name: &str, strings: &[&str]) -> AttributeProto {
    AttributeProto { strings: strings.iter().map(|s| s.as_bytes().to_vec()).collect(), ..attribute(name, 8) }
}

pub fn tensor_setting(name: &str, t: TensorProto) -> AttributeProto {
    AttributeProto { t: Some(t), ..attribute(name, 4) }
}

/// A constant of any type, from its bytes.
pub fn raw(dtype: i32, shape: &[i64], bytes: Vec<u8>) -> TensorProto {
    TensorProto {
        dims: shape.to_vec(),
        data_type: Some(dtype),
        raw_data: Some(bytes),
        ..TensorProto::default()
    }
}

pub fn int64s(name: &str, shape: &[i64], numbers: &[i64]) -> TensorProto {
    let raw = numbers.iter().flat_map(|n| n.to_le_bytes()).collect();
    TensorProto {
        name: Some(name.into()),
        dims: shape.to_vec(),
        data_type: Some(I64),
        raw_data: Some(raw),
        ..TensorProto::default()
    }
}

pub fn float32s(name: &str, shape: &[i64], numbers: &[f32]) -> TensorProto {
    let raw = numbers.iter().flat_map(|n| n.to_le_bytes()).collect();
    TensorProto {
        name: Some(name.into()),
        dims: shape.to_vec(),
        data_type: Some(F32),
        raw_data: Some(raw),
        ..TensorProto::default()
    }
}

/// A constant whose numbers lie in another file.
pub fn external(name: &str, shape: &[i64], location: &str, length_bytes: u64) -> TensorProto {
    let entry = |key: &str, value: String| EntryProto { key: Some(key.into()), value: Some(value) };
    TensorProto {
        name: Some(name.into()),
        dims: shape.to_vec(),
        data_type: Some(F32),
        external_data: vec![
            entry("location", location.into()),
            entry("offset", "0".into()),
            entry("length", length_bytes.to_string()),
        ],
        data_location: Some(1),
        ..TensorProto::default()
    }
}

pub struct Built {
    pub model: ModelProto,
}

/// A model of IR version 10, opset 21 and version 3 of the `ai.onnx.ml` operators.
pub fn model(nodes: Vec<NodeProto>, inputs: Vec<ValueInfoProto>, outputs: Vec<ValueInfoProto>) -> Built {
    let opset = |domain: &str, version| OpsetProto { domain: Some(domain.into()), version: Some(version) };
    let graph = GraphProto {
        node: nodes,
        name: Some("test".into()),
        input: inputs,
        output: outputs,
        ..GraphProto::default()
    };
    Built {
        model: ModelProto {
            ir_version: Some(10),
            producer_name: Some("modelet tests".into()),
            graph: Some(graph),
            opset_import: vec![opset("", 21), opset("ai.onnx.ml", 3)],
            ..ModelProto::default()
        },
    }
}

impl Built {
    pub fn with(mut self, constants: Vec<TensorProto>) -> Self {
        self.model.graph.as_mut().unwrap().initializer = constants;
        self
    }

    pub fn write(&self, folder: &Path) -> PathBuf {
        let path = folder.join("model.onnx");
        std::fs::write(&path, self.model.encode_to_vec()).unwrap();
        path
    }
}
